"""Where an external warehouse is and who may provision it, from its environment file and secret store."""

from __future__ import annotations

import ssl
from pathlib import Path

from kitchen.domain.connection import Credentials
from kitchen.domain.environment import Environment
from kitchen.domain.people import Identity
from kitchen.domain.secret import Secret
from kitchen.errors import NotPermitted
from kitchen.ports import SecretStore

PROVISIONER_PATH = "provisioner"

_LIBPQ_AUTHORITIES = Path(".postgresql") / "root.crt"  # below the home folder: where psql looks


def administrator_of(environment: Environment, secrets: SecretStore) -> Credentials:
    """Return the provisioner's login; raises NotPermitted where the secret store does not give it."""
    kept = secrets.read(PROVISIONER_PATH)
    if kept is None or "password" not in kept:
        raise NotPermitted(
            f"the provisioner's credentials of {environment.name!r} are not readable here",
            hint=f"kitchen login -e {environment.name}; its administrators: kitchen environment install "
            f"{environment.name}, or kitchen secret set {PROVISIONER_PATH} user password -e {environment.name}",
        )
    return login_at(environment, kept.get("user", "kitchen_provisioner"), Secret(kept["password"]))


def no_deputy(who: Identity, environment: str) -> NotPermitted:
    """Return the refusal of what only those may do who act as the provisioner."""
    return NotPermitted(
        f"{who.person} is a {who.role} in {environment!r}: this is for those who may publish there",
        hint=f"kitchen environment people {environment} names them, or leave it to CI",
    )


def login_at(environment: Environment, user: str, password: Secret, *, role: str | None = None) -> Credentials:
    """Return a login on the database that the environment's file names now."""
    settings = environment.warehouse.settings
    tls = str(settings.get("tls", "verify-full"))
    told = settings.get("authorities")
    return Credentials(
        host=str(settings["host"]), port=int(str(settings.get("port", 5432))), database=str(settings["database"]),
        user=user, password=password, role=role, tls=tls,
        authorities=str(told) if told is not None else _authorities(tls),
        environment=environment.name,
    )  # fmt: skip


def _authorities(tls: str) -> str | None:
    """Return the certificates that this machine trusts, unless the person has some for PostgreSQL of their own."""
    if not tls.startswith("verify") or (Path.home() / _LIBPQ_AUTHORITIES).exists():
        return None
    paths = ssl.get_default_verify_paths()
    candidates = (paths.cafile, "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
    return next((path for path in candidates if path is not None and Path(path).exists()), None)
