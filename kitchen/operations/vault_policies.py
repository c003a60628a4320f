"""The policies of a vault that is somebody else's: compared with what the environment asks for, and written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from kitchen.domain.access_policies import VaultPolicy, vault_policies
from kitchen.domain.environment import Environment
from kitchen.errors import InvalidInput
from kitchen.ports import PolicyStore


class Services(Protocol):
    """What this needs of an environment."""

    @property
    def environment(self) -> Environment: ...
    @property
    def policies(self) -> PolicyStore | None: ...


def differences(services: Services) -> dict[VaultPolicy, str]:
    """Return the policies that are not in the vault as they should be, each with what is the matter."""
    store = services.policies
    if store is None:
        raise InvalidInput(
            f"the secrets of {services.environment.name!r} are in a file, which has no policies",
            hint="vault: {kind: hashicorp, …} in its file below environments/",
        )
    found = {}
    for policy in vault_policies(services.environment):
        there = store.policy(policy.name)
        if there is None:
            found[policy] = f"{policy.name} is missing"
        elif there.strip() != policy.hcl.strip():
            found[policy] = f"{policy.name} is another"
    return found


def write(services: Services, *, say: Callable[[str], None]) -> dict[VaultPolicy, str]:
    """Write the policies that are missing or others, and return what was the matter; as they should be is success."""
    found = differences(services)
    store = services.policies
    assert store is not None  # noqa: S101 - asked three lines above
    for policy, matter in found.items():
        store.put_policy(policy.name, policy.hcl)
        say(f"{matter}: written, {policy.says}")
    return found
