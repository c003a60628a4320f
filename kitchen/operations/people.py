"""People: let in by an admin, logged in by themselves, let out again; the server decides what each may do."""

from __future__ import annotations

import os
import secrets as randomness
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kitchen.domain.connection import Credentials
from kitchen.domain.environment import Environment
from kitchen.domain.people import Identity, group_of, login_path, person_name, person_role
from kitchen.domain.secret import Secret
from kitchen.errors import InvalidInput, NotFound, NotPermitted
from kitchen.operations.external import login_at
from kitchen.ports import People, SecretStore

Say = Callable[[str], None]

_WHO = "identity"  # a file in the environment's folder: whose login this clone uses


class Services(Protocol):
    """What this needs of an environment."""

    @property
    def environment(self) -> Environment: ...
    @property
    def secrets(self) -> SecretStore: ...
    @property
    def state_dir(self) -> Path: ...
    @property
    def people(self) -> People: ...


@dataclass(frozen=True, slots=True)
class Kept:
    """A login that this clone keeps."""

    identity: Identity
    credentials: Credentials
    provisioner: str  # what a deputy acts as


def kept_login(services: Services) -> Kept | None:
    """Return the login that ``kitchen login`` kept here, or None; nothing is connected."""
    if services.environment.is_embedded:
        return None
    try:
        person = (services.state_dir / _WHO).read_text().strip()
    except FileNotFoundError:
        return None
    kept = services.secrets.read(login_path(person_name(person)))
    if kept is None:
        return None
    identity = Identity(person, kept["user"], kept["role"], kept["deputy"] == "yes")
    login = login_at(services.environment, kept["user"], Secret(kept["password"]))
    return Kept(identity, login, kept["provisioner"])


def log_in(services: Services, person: str, password: Secret, *, renews: bool) -> Identity:
    """Prove a login against the server and keep it; with ``renews`` it gets a new password that nobody else knows."""
    _check_external(services.environment)
    person = person_name(person)
    login = login_at(services.environment, person_role(services.environment.name, person), password)
    identity, provisioner = services.people.identify(login)
    _keep(services, identity, password, provisioner)
    if renews:
        new = Secret(randomness.token_urlsafe(24))
        path = login_path(person)
        kept = services.secrets.read(path) or {}
        services.secrets.write(path, {**kept, "next": new.reveal()})  # known here before the server knows it
        services.people.change_password(login, new)
        _keep(services, identity, new, provisioner)
    return identity


def log_in_again(services: Services) -> Identity:
    """Prove the kept login, also one whose change of password was cut off, and note what the server says of it now."""
    found = kept_login(services)
    if found is None:
        raise NotFound(
            f"nobody is logged in to {services.environment.name!r} here",
            hint=f"kitchen login -e {services.environment.name}",
        )
    kept = services.secrets.read(login_path(found.identity.person)) or {}
    password = Secret(kept["next"]) if "next" in kept and _opens(services, found, kept["next"]) else None
    chosen = password or found.credentials.password
    login = login_at(services.environment, found.credentials.user, chosen)
    identity, provisioner = services.people.identify(login)
    _keep(services, identity, chosen, provisioner)
    return identity


def _opens(services: Services, found: Kept, password: str) -> bool:
    try:
        services.people.identify(login_at(services.environment, found.credentials.user, Secret(password)))
    except NotPermitted:
        return False
    return True


def _keep(services: Services, identity: Identity, password: Secret, provisioner: str) -> None:
    services.secrets.write(
        login_path(identity.person),
        {"user": identity.login, "password": password.reveal(), "role": identity.role,
         "deputy": "yes" if identity.is_deputy else "no", "provisioner": provisioner},
    )  # fmt: skip
    services.state_dir.mkdir(parents=True, exist_ok=True)
    (services.state_dir / _WHO).write_text(identity.person + "\n")


def admit(services: Services, person: str, role: str, file: Path | None, *, renews: bool = False) -> Path | None:
    """Let somebody in, or give another role; returns the file with the password of somebody new.

    The file is there before the server knows the password: what was cut off is repeated.
    """
    _check_external(services.environment)
    person, role = person_name(person), group_of(role)
    known = any(one.name == person and one.revoked_at is None for one in services.people.all())
    if known and not renews:
        services.people.admit(person, role, None)
        return None
    file = file or services.state_dir / "admitted" / f"{person}.password"
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    password = randomness.token_urlsafe(24)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w") as kept:
        os.fchmod(handle, 0o600)
        kept.write(password + "\n")
    services.people.admit(person, role, Secret(password))
    return file


def revoke(services: Services, person: str, *, say: Say) -> tuple[str, ...]:
    """Shut somebody out for good: login, sessions, memberships, logins into kitchens; returns the kitchens that stay.

    Repeating it finishes what was cut off.
    """
    _check_external(services.environment)
    person = person_name(person)
    if all(one.name != person for one in services.people.all()):
        raise NotFound(
            f"{person!r} was never admitted to {services.environment.name!r}",
            hint=f"kitchen environment people {services.environment.name}",
        )
    say(f"closing the login of {person}")
    services.people.shut_out(person)
    say(f"ending the sessions of {person}, and the logins into kitchens")
    return services.people.see_out(person)


def _check_external(environment: Environment) -> None:
    if environment.is_embedded:
        raise InvalidInput(
            f"environment {environment.name!r} is embedded: it belongs to its one user, and nobody logs in",
            hint=f"kitchen up {environment.name}",
        )
