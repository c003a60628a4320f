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
    password = _after_a_change(services, person, password)
    login = login_at(services.environment, person_role(services.environment.name, person), password)
    try:
        identity, provisioner = services.people.identify(login)
    except NotPermitted as refused:
        if services.secrets.read(login_path(person)) is None:
            raise
        other = f"a login of {person} is kept here, perhaps a newer one: kitchen whoami -e {services.environment.name}"
        raise NotPermitted(refused.message, hint=f"{other}; else {refused.hint}") from None
    _keep(services, identity, password, provisioner)
    if renews:
        new = Secret(randomness.token_urlsafe(24))
        path = login_path(person)
        kept = services.secrets.read(path) or {}
        services.secrets.write(path, {**kept, "next": new.reveal()})  # known here before the server knows it
        services.people.change_password(login, new)
        _keep(services, identity, new, provisioner)
    return identity


def _after_a_change(services: Services, person: str, password: Secret) -> Secret:
    """Return the password that a change, which was cut off after the server knew it, left here; else the same."""
    kept = services.secrets.read(login_path(person)) or {}
    if "next" not in kept or kept.get("password") != password.reveal():
        return password
    return Secret(kept["next"]) if _opens(services, person, Secret(kept["next"])) else password


def log_in_again(services: Services) -> Identity:
    """Prove the kept login, also one whose change of password was cut off, and note what the server says of it now."""
    found = kept_login(services)
    if found is None:
        raise NotFound(
            f"nobody is logged in to {services.environment.name!r} here",
            hint=f"kitchen login -e {services.environment.name}",
        )
    kept = services.secrets.read(login_path(found.identity.person)) or {}
    chosen = _after_a_change(services, found.identity.person, Secret(kept.get("password", "")))
    login = login_at(services.environment, found.credentials.user, chosen)
    identity, provisioner = services.people.identify(login)
    _keep(services, identity, chosen, provisioner)
    return identity


def _opens(services: Services, person: str, password: Secret) -> bool:
    try:
        services.people.identify(
            login_at(services.environment, person_role(services.environment.name, person), password)
        )
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
    work = services.state_dir / f"{_WHO}.new"  # every command reads it: whole, or not yet there
    work.write_text(identity.person + "\n")
    work.replace(services.state_dir / _WHO)


def admit(services: Services, person: str, role: str, file: Path | None, *, renews: bool = False) -> Path | None:
    """Let somebody in, or give another role; returns the file with the password of somebody new.

    The file is there before the server knows the password: what was cut off is repeated.
    """
    _check_external(services.environment)
    person, role = person_name(person), group_of(role)
    known = any(one.name == person and one.revoked_at is None for one in services.people.all())
    file = file or services.state_dir / "admitted" / f"{person}.password"
    if known and not renews:
        services.people.admit(person, role, None)
        return file if _is_first_password(services, person, file) else None
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    password = randomness.token_urlsafe(24)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w") as kept:
        os.fchmod(handle, 0o600)
        kept.write(password + "\n")
    services.people.admit(person, role, Secret(password))
    return file


def _is_first_password(services: Services, person: str, file: Path) -> bool:
    """Say whether a file holds the password of somebody who was let in and has not changed it yet."""
    try:
        password = file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return False
    return bool(password) and _opens(services, person, Secret(password))


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
