"""Prepare an environment on somebody else's PostgreSQL, once: a role for us, a closed door, a standing kitchen."""

from __future__ import annotations

import secrets as randomness
from collections.abc import Callable
from typing import Protocol

from kitchen.domain.connection import Credentials
from kitchen.domain.environment import Chain, Environment
from kitchen.domain.installation import Installation, Place, provisioner_role
from kitchen.domain.kitchen import Kitchen
from kitchen.domain.secret import Secret
from kitchen.errors import InvalidInput
from kitchen.operations.external import PROVISIONER_PATH, login_at
from kitchen.operations.set_up import Running, bring_up
from kitchen.operations.set_up import Services as SetUpServices
from kitchen.ports import Installer, Repository, SecretStore

Say = Callable[[str], None]


class Services(SetUpServices, Protocol):
    """What this needs of an environment."""

    def installer(self, administrator: Credentials | None) -> Installer: ...
    def standing(self) -> Kitchen: ...


def administrator_login(environment: Environment, user: str, password: Secret) -> Credentials:
    """Return an administrator's login on an external environment; raises InvalidInput for an embedded one."""
    _check_external(environment)
    return login_at(environment, user, password)


def review(services: Services, administrator: Credentials | None, *, say: Say) -> Installation:
    """Return what an administrator would have to do; the server is left as it is.

    Without an administrator the provisioner looks, where its role is there already; else nobody does.
    """
    environment = services.environment
    _check_external(environment)
    user, password = _provisioner(environment, services.secrets, say=say)
    return services.installer(administrator).plan(user, password)


def install(
    services: Services, chain: Chain, repository: Repository, administrator: Credentials, *, say: Say
) -> tuple[Installation, Running]:
    """Do everything as the administrator, then set the environment up as its provisioner; done already is success.

    The password is in the secret store before the server knows it: an installation that was cut off is run again.
    """
    installation = review(services, administrator, say=say)
    installer = services.installer(administrator)
    for place in Place:
        for action in installation.at(place):
            say(action.says)
    installer.carry_out(installation)
    if not installation.at(Place.WAREHOUSE):
        say("nothing was missing")
    running = bring_up(services, chain, repository, say=say)
    if services.layout.holds_production:
        services.workspaces.open_production(services.layer(services.standing()))
    return installation, running


def _provisioner(environment: Environment, secrets: SecretStore, *, say: Say) -> tuple[str, Secret]:
    """Return the provisioner's name and password, made and stored where there is none."""
    kept = secrets.read(PROVISIONER_PATH) or {}
    user = kept.get("user") or provisioner_role(environment.name)
    password = kept.get("password") or randomness.token_urlsafe(32)
    made = {**kept, "user": user, "password": password}
    if made != kept:
        secrets.write(PROVISIONER_PATH, made, create_only=not kept)
        say(f"the password of {user} is in the secret store of {environment.name}, path {PROVISIONER_PATH}")
    return user, Secret(password)


def _check_external(environment: Environment) -> None:
    if environment.is_embedded:
        raise InvalidInput(
            f"environment {environment.name!r} has an embedded server: there is nothing to install",
            hint=f"kitchen up {environment.name}",
        )
