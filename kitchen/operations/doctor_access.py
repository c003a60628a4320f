"""The doctor's look at what a vault and a bucket let people do: their policies, and what comes of them."""

from __future__ import annotations

import secrets as randomness
from typing import Protocol

from kitchen.domain.bucket_policy import merged, prefix_of
from kitchen.domain.lent_keys import lender_of, own_files_policy
from kitchen.errors import NotPermitted, Unavailable
from kitchen.operations import bucket, vault_policies
from kitchen.operations.external import PROVISIONER_PATH
from kitchen.operations.findings import Chart
from kitchen.ports import SecretStore

_SHORTEST = 900  # seconds for which keys are lent at least


class VaultServices(vault_policies.Services, Protocol):
    """What looking at a vault needs."""

    @property
    def acts_for_all(self) -> bool: ...
    @property
    def secrets(self) -> SecretStore: ...


def judge_vault(chart: Chart, services: VaultServices) -> None:
    """Say which policies the vault lacks, and whether a person's login reads what is the provisioner's."""
    if services.policies is None:
        return
    install = f"kitchen environment install {services.environment.name} --vault"
    try:
        wrong = vault_policies.differences(services)
    except NotPermitted:
        chart.warn("vault", "this login may not read the vault's policies", f"{install} --dry-run")
    else:
        if wrong:
            chart.warn("vault", f"policies: {', '.join(wrong.values())}", install)
        else:
            chart.ok("vault", "policies as they should be")
    if not services.acts_for_all and _reads(services.secrets, PROVISIONER_PATH):
        chart.fail("vault", "a person's login reads the provisioner's secret", install)


def judge_bucket(chart: Chart, services: bucket.Services) -> None:
    """Say what the bucket's policy lacks, and whether the environment's key opens more than its prefix."""
    if services.environment.storage.kind == "embedded":
        return
    install = f"kitchen environment install {services.environment.name} --bucket"
    if outside := bucket.tried_outside(services):
        chart.warn("bucket", f"the environment's key may also {', '.join(outside)} outside of its prefix", install)
    wanted = bucket.wanted_of(services)
    try:
        policy = services.bucket(as_administrator=False).policy()
    except NotPermitted:
        chart.warn("bucket", "the environment's key may not read the bucket's policy", install)
        return
    except Unavailable as error:
        chart.warn("bucket", error.message)
        return
    changes = merged(policy, services.environment, wanted).changes
    if changes:
        chart.warn("bucket", f"policy: {'; '.join(changes)}", install)
    else:
        chart.ok("bucket", "policy as it should be" if wanted else "no policy is asked for")


def judge_lending(chart: Chart, services: bucket.Services) -> None:
    """Borrow keys as a kitchen's tools do, and say whether they open one folder and nothing else."""
    environment = services.environment
    role = lender_of(environment)
    if role is None:
        return
    here, folder = services.bucket(as_administrator=False), f"doctor/{randomness.token_hex(8)}"
    policy = own_files_policy(environment, f"{folder}/")
    files = here.files(here.lend(role, "kitchen-doctor", policy, _SHORTEST))
    own = f"{prefix_of(environment)}{folder}"
    files.list(own)
    if bucket.is_refused(lambda: files.get(f"{own}-of-another/file")):
        chart.ok("file keys", "tools get keys to their own kitchen's files, for an hour")
    else:
        said = "the object store lends keys and does not limit them: a kitchen's tools would open every kitchen's files"
        chart.fail("file keys", said, f"take role: out of storage: in environments/{environment.name}.yaml")


def _reads(secrets: SecretStore, path: str) -> bool:
    try:
        return secrets.read(path) is not None
    except NotPermitted:
        return False
