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
from kitchen.ports import Installer, Repository

Say = Callable[[str], None]


class Services(SetUpServices, Protocol):
    """What this needs of an environment."""

    def installer(self, administrator: Credentials | None) -> Installer: ...
    def standing(self) -> Kitchen: ...


def administrator_login(environment: Environment, user: str, password: Secret) -> Credentials:
    """Return an administrator's login on an external environment; raises InvalidInput for an embedded one."""
    _check_external(environment)
    return login_at(environment, user, password)


def review(
    services: Services, administrator: Credentials | None, *, say: Say, new_password: bool = False, keep: bool = True
) -> Installation:
    """Return what an administrator would have to do; the server is left as it is, and with ``keep`` the password that
    the actions speak of is in the secret store.

    Without an administrator (or the provisioner, where it is there already) nobody looks at the server.
    Raises Conflict where the role is there and its password is not here, unless a new one is wanted.
    """
    environment, secrets = services.environment, services.secrets
    _check_external(environment)
    kept = secrets.read(PROVISIONER_PATH) or {}
    user = kept.get("user") or provisioner_role(environment.name)
    known = None if new_password else kept.get("password") or None
    password = known or randomness.token_urlsafe(32)
    installation = services.installer(administrator).plan(
        user, Secret(password), takes_over=known is not None or new_password
    )
    made = {**kept, "user": user, "password": password}
    if keep and made != kept:
        secrets.write(PROVISIONER_PATH, made, create_only=not kept)
        say(f"the password of {user} is in the secret store of {environment.name}, path {PROVISIONER_PATH}")
    return installation


def install(
    services: Services,
    chain: Chain,
    repository: Repository,
    administrator: Credentials,
    *,
    say: Say,
    new_password: bool = False,
) -> tuple[Installation, Running]:
    """Do everything as the administrator, then set the environment up as its provisioner; done already is success.

    The password is in the secret store before the server knows it: an installation that was cut off is run again.
    """
    installation = review(services, administrator, say=say, new_password=new_password)
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


def _check_external(environment: Environment) -> None:
    if environment.is_embedded:
        raise InvalidInput(
            f"environment {environment.name!r} has an embedded server: there is nothing to install",
            hint=f"kitchen up {environment.name}",
        )
