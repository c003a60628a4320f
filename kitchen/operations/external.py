"""Where an external warehouse is and who may provision it, from its environment file and secret store."""

from __future__ import annotations

from kitchen.domain.connection import Credentials
from kitchen.domain.environment import Environment
from kitchen.domain.secret import Secret
from kitchen.errors import NotPermitted
from kitchen.ports import SecretStore

PROVISIONER_PATH = "provisioner"


def administrator_of(environment: Environment, secrets: SecretStore) -> Credentials:
    """Return the provisioner's login; raises NotPermitted where the secret store does not give it."""
    kept = secrets.read(PROVISIONER_PATH)
    if kept is None or "password" not in kept:
        raise NotPermitted(
            f"the provisioner's credentials of {environment.name!r} are not readable here",
            hint=f"kitchen secret set {PROVISIONER_PATH} user password -e {environment.name}",
        )
    settings = environment.warehouse.settings
    return Credentials(
        host=str(settings["host"]),
        port=int(str(settings.get("port", 5432))),
        database=str(settings["database"]),
        user=kept.get("user", "kitchen_provisioner"),
        password=Secret(kept["password"]),
        tls=str(settings.get("tls", "verify-full")),
    )
