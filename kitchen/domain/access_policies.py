"""What a vault and a bucket let people do, as their administrators review it: HCL and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kitchen.domain.environment import Environment
from kitchen.domain.secret import SecretReference

_ALL = '["create", "read", "update", "delete", "list"]'
_ENTITY = "{{identity.entity.name}}"  # the vault fills it in: a person's entity is named as the person is admitted


@dataclass(frozen=True, slots=True)
class VaultPolicy:
    """One policy of a vault."""

    name: str
    says: str
    hcl: str


def vault_policies(environment: Environment) -> tuple[VaultPolicy, ...]:
    """Return the policies of an environment's vault; none where its secrets are in a file."""
    if environment.vault.kind == "embedded":
        return ()
    settings = environment.vault.settings
    mount = str(settings.get("mount") or "kv")
    prefix = "".join(f"{part}/" for part in str(settings.get("prefix") or "").split("/") if part)
    whole = [f"{mount}/{kind}/{prefix}*" for kind in ("data", "metadata")]
    own = [f"{mount}/{kind}/{prefix}people/{_ENTITY}/*" for kind in ("data", "metadata")]
    shared = [f"{mount}/data/{prefix}{path}" for path in sorted(_references(environment))]
    return (
        VaultPolicy(
            f"kitchen-{environment.name}-provisioner", "for whoever installs and repairs: all of the environment",
            _rules(dict.fromkeys(whole, _ALL)),
        ),
        VaultPolicy(
            f"kitchen-{environment.name}-person", "for everybody who was admitted: one's own logins, and what the "
            "environment's file refers to; not the provisioner's, nor anybody else's",
            _rules({**dict.fromkeys(own, _ALL), **dict.fromkeys(shared, '["read"]')}),
        ),
    )  # fmt: skip


def bucket_policy(environment: Environment) -> str | None:
    """Return the policy of an environment's bucket: nothing in the clear; None without one.

    Who may write below the prefix is said where the environment's key is made: one key, which its secret store holds.
    """
    if environment.storage.kind == "embedded":
        return None
    bucket = f"arn:aws:s3:::{environment.storage.settings['bucket']}"
    statement = {
        "Sid": f"Kitchen{environment.name.title().replace('_', '')}OnlyEncrypted", "Effect": "Deny", "Principal": "*",
        "Action": "s3:*", "Resource": [bucket, f"{bucket}/*"], "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }  # fmt: skip
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)


def _rules(paths: Mapping[str, str]) -> str:
    return "\n".join(f'path "{path}" {{\n  capabilities = {capabilities}\n}}' for path, capabilities in paths.items())


def _references(environment: Environment) -> set[str]:
    """Return the paths of secrets that an environment's file names; kitchen's own are not among them."""
    found = {
        reference.path
        for value in (environment.connections, environment.alerts, environment.storage.settings)
        for reference in _named(value)
    }
    return {path for path in found if path.partition("/")[0] not in {"provisioner", "people", "kitchens"}}


def _named(value: object) -> Iterator[SecretReference]:
    reference = SecretReference.of(value)
    if reference is not None:
        yield reference
        return
    match value:
        case Mapping():
            for inner in value.values():
                yield from _named(inner)
        case list() | tuple():
            for inner in value:
                yield from _named(inner)
