"""What a vault lets people do, as its administrators review it: HCL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kitchen.domain.environment import Environment
from kitchen.domain.secret import SecretReference

_ALL = '["create", "read", "update", "delete", "list"]'
_OWN = frozenset(("provisioner", "superuser", "people", "kitchens", "masking", "doctor"))
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
    names = [f"kitchen-{environment.name}-{who}" for who in ("provisioner", "person")]
    themselves = dict.fromkeys((f"sys/policies/acl/{name}" for name in names), '["read"]')
    return (
        VaultPolicy(
            names[0], "for whoever installs and repairs: all of the environment",
            _rules({**dict.fromkeys(whole, _ALL), **themselves}),
        ),
        VaultPolicy(
            names[1], "for everybody who was admitted: one's own logins, and what the "
            "environment's file refers to; not the provisioner's, nor anybody else's",
            _rules({**dict.fromkeys(own, _ALL), **dict.fromkeys(shared, '["read"]'), **themselves}),
        ),
    )  # fmt: skip


def _rules(paths: Mapping[str, str]) -> str:
    return "\n".join(f'path "{path}" {{\n  capabilities = {capabilities}\n}}' for path, capabilities in paths.items())


def _references(environment: Environment) -> set[str]:
    """Return the paths of secrets that an environment's file names; kitchen's own are not among them."""
    found = {
        reference.path
        for value in (environment.connections, environment.alerts, environment.storage.settings)
        for reference in _named(value)
    }
    return {path for path in found if path.partition("/")[0] not in _OWN}


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
