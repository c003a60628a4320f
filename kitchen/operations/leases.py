"""A person's login into a kitchen: made when it is first needed, for one clone, and gone with the right to it."""

from __future__ import annotations

import secrets as randomness
from typing import Protocol

from kitchen.domain.connection import Credentials
from kitchen.domain.environment import Environment
from kitchen.domain.kitchen import Kind, Kitchen, lease_role
from kitchen.domain.secret import Secret
from kitchen.errors import NotFound, NotPermitted
from kitchen.operations.external import login_at
from kitchen.ports import Control, SecretStore, Workspaces


class Services(Protocol):
    """What this needs of an environment."""

    @property
    def environment(self) -> Environment: ...
    @property
    def secrets(self) -> SecretStore: ...
    @property
    def control(self) -> Control: ...
    @property
    def workspaces(self) -> Workspaces: ...
    @property
    def person(self) -> str: ...
    @property
    def acts_for_all(self) -> bool: ...
    @property
    def clone_suffix(self) -> str: ...
    def login_path(self, kitchen: Kitchen) -> str: ...


def kept_credentials(services: Services, kitchen: Kitchen) -> Credentials:
    """Return the login that a kitchen was made with; raises NotFound where its secret is gone."""
    kept = services.secrets.read(kitchen.secret_path)
    if kept is None:
        raise NotFound(
            f"the credentials of kitchen {kitchen.name!r} are not in the secret store of {services.environment.name!r}",
            hint=f"kitchen recover, or kitchen delete {kitchen.name}",
        )
    return Credentials.from_secret(kept)


def leased(services: Services, kitchen: Kitchen) -> Credentials:
    """Return this clone's login into a kitchen, made where there is none; raises NotPermitted for who may not enter."""
    _refuse_stranger(services, kitchen)
    path, lease = services.login_path(kitchen), lease_role(kitchen, services.clone_suffix)
    kept = services.secrets.read(path)
    if kept is None or kept.get("kitchen") != str(kitchen.id) or _is_over(services, lease, kept["user"]):
        password = Secret(randomness.token_urlsafe(24))
        made = services.workspaces.lease(kitchen, services.clone_suffix, password)
        services.secrets.write(path, {**made.to_secret(), "kitchen": str(kitchen.id)})
        return made
    return login_at(services.environment, kept["user"], Secret(kept["password"]), role=kept["role"] or None)


def _is_over(services: Services, lease: str, user: str) -> bool:
    """Say whether a kept lease was ended meanwhile: somebody was taken off the staff, and added again."""
    return user == lease and not services.control.kitchens.has_login(lease)


def _refuse_stranger(services: Services, kitchen: Kitchen) -> None:
    """Say it before the server does, with what to type."""
    if services.acts_for_all or services.person in (kitchen.owner, *kitchen.staff):
        return
    if kitchen.kind is not Kind.WORKING:
        hint = f"kitchen create NAME, for a kitchen over {kitchen.name}"
    else:
        hint = f"{kitchen.owner} types: kitchen staff add {services.person} -k {kitchen.name}"
    raise NotPermitted(
        f"{services.person} may not enter kitchen {kitchen.name!r}, which is {kitchen.owner}'s", hint=hint
    )
