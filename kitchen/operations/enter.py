"""The inside of a kitchen: what tools find in their environment, and the shell that one works in."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from kitchen.domain.connection import Credentials
from kitchen.domain.environment import Environment
from kitchen.domain.kitchen import Kind, Kitchen
from kitchen.domain.layout import Layout
from kitchen.errors import InvalidInput, NotFound
from kitchen.operations.file_keys import FileKeys
from kitchen.operations.private_folders import PrivateFolder, private_folder
from kitchen.operations.shells import shell_of


class Programs(Protocol):
    """An embedded server, as far as its clients are concerned."""

    @property
    def bin_dir(self) -> Path: ...
    @property
    def tcp(self) -> tuple[str, int]: ...


class EnterServices(Protocol):
    """What the inside of a kitchen asks of its environment's services."""

    @property
    def environment(self) -> Environment: ...
    @property
    def layout(self) -> Layout: ...
    @property
    def state_dir(self) -> Path: ...
    @property
    def embedded(self) -> Programs | None: ...
    @property
    def file_keys(self) -> FileKeys: ...
    def credentials(self, kitchen: Kitchen) -> Credentials: ...


def reachable(services: EnterServices, kitchen: Kitchen) -> Credentials:
    """Return the kitchen's login as any client can use it: over TCP, where the server is embedded."""
    found = services.credentials(kitchen)
    if services.embedded is None:
        return found
    host, port = services.embedded.tcp
    return Credentials(
        host=host, port=port, database=found.database, user=found.user, password=found.password, role=found.role,
        tls="disable",
    )  # fmt: skip


def kitchen_environment(services: EnterServices, kitchen: Kitchen, private: Path) -> dict[str, str]:
    """Return the variables by which any tool finds the kitchen; the password lies in a file in ``private``.

    ``private`` is a folder that only this user enters, and that the caller removes.
    """
    login = reachable(services, kitchen)
    found = {
        **_without_password(services, kitchen, login), "PGPASSFILE": str(_password_file(login, private)),
        **services.file_keys.variables(kitchen),
    }  # fmt: skip
    if services.embedded is not None:
        found["PATH"] = os.pathsep.join([str(services.embedded.bin_dir), os.environ.get("PATH", os.defpath)])
    return found


def _without_password(services: EnterServices, kitchen: Kitchen, login: Credentials) -> dict[str, str]:
    layout = services.layout
    found = {
        "PGHOST": login.host,
        "PGPORT": str(login.port),
        "PGDATABASE": login.database,
        "PGUSER": login.user,
        "PGOPTIONS": f"-c role={login.role}",
        "PGSSLMODE": login.tls,
        **({"PGSSLROOTCERT": login.authorities} if login.authorities is not None else {}),
        "PGAPPNAME": f"kitchen {kitchen.name}",
        "KITCHEN": kitchen.name,
        "KITCHEN_ENVIRONMENT": kitchen.environment,
        "KITCHEN_SCHEMA": layout.schema(kitchen, layout.logical[0]),
        "KITCHEN_STORAGE": _storage(services, kitchen),
    }
    if kitchen.pantry is not None:
        found["KITCHEN_PANTRY"] = layout.pantry(kitchen.pantry, layout.logical[0])
    return found


def _storage(services: EnterServices, kitchen: Kitchen) -> str:
    storage = services.environment.storage
    if storage.kind == "embedded":
        return str(services.state_dir / "storage" / kitchen.storage_prefix)
    prefix = str(storage.settings.get("prefix", "")).strip("/")
    parts = [str(storage.settings.get("bucket", "")), prefix, kitchen.storage_prefix]
    return "s3://" + "/".join(part for part in parts if part)


def _password_file(login: Credentials, private: Path) -> Path:
    path = private / "pgpass"
    fields = (login.host, str(login.port), login.database, login.user, login.password.reveal())
    line = ":".join(field.replace("\\", "\\\\").replace(":", "\\:") for field in fields)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(line + "\n")
    return path


# --- a shell, or one command ------------------------------------------------------------------------------------------


def enter(services: EnterServices, kitchen: Kitchen, folder: Path, command: Sequence[str]) -> int:
    """Run a command, or the user's shell, inside a kitchen and return its exit status.

    Raises NotFound where there is no such program.
    """
    with private_folder("enter") as private:
        inside = {**_inherited(), **kitchen_environment(services, kitchen, private.path)}
        if command:
            return _run(command, folder, inside, private)
        programs = services.embedded.bin_dir if services.embedded is not None else None
        shell = shell_of(place(kitchen), folder, private.path, inside, programs)
        return _run(shell.words, folder, {**inside, **shell.variables}, private)


def place(kitchen: Kitchen) -> str:
    """Return where one is, for a prompt."""
    return kitchen.name if kitchen.name == kitchen.environment else f"{kitchen.environment}/{kitchen.name}"


def greeting(services: EnterServices, kitchen: Kitchen, folder: Path, parents: Sequence[str] = ()) -> tuple[str, ...]:
    """Return what a person should know who enters a kitchen that lies over the parents named, the nearest first."""
    layout = services.layout
    own = ", ".join(layout.schemas(kitchen))
    lines = [f"kitchen {kitchen.name} in {kitchen.environment}, branch {kitchen.branch}, in {folder}"]
    if kitchen.kind is not Kind.WORKING:
        return (*lines, f"psql reads and writes {own}: what runs here is what others see")
    below = [*(f"what {name} has" for name in parents), *_pantry(kitchen)]
    then = f", then {', then '.join(below)}" if below else ""
    lines.append(f"layers: psql reads your own tables ({own}){then}; the first that has a table is read")
    lines.append("you write to your own only; to write to one below, copy it up: kitchen hydrate TABLE")
    lines.append("kitchen show: which are your own · kitchen status: what to do next · exit: back")
    return tuple(lines)


def _pantry(kitchen: Kitchen) -> list[str]:
    return [f"version {kitchen.pantry} of the pantry"] if kitchen.pantry is not None else []


def _inherited() -> dict[str, str]:
    """Everything of the person's own shell, except what would lead its tools to another database or kitchen."""
    ours = {"KITCHEN_HOME", "KITCHEN_KEY_HOME", "KITCHEN_WORKTREES", "KITCHEN_PERSON", "KITCHEN_TRACE"}
    return {name: value for name, value in os.environ.items() if name in ours or not name.startswith(("PG", "KITCHEN"))}


def _run(words: Sequence[str], folder: Path, environment: Mapping[str, str], private: PrivateFolder) -> int:
    """Start it and wait; Ctrl-C is the child's affair (a handler, unlike SIG_IGN, is not inherited).

    It inherits the hold on the private folder: where we are killed, it still needs what lies there.
    """
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        started = subprocess.run(list(words), cwd=folder, env=dict(environment), check=False, pass_fds=(private.hold,))
        status = started.returncode
    except FileNotFoundError:
        raise NotFound(f"there is no program {words[0]!r} on the path", hint="kitchen enter, for a shell") from None
    except PermissionError:
        raise NotFound(f"{words[0]!r} is no program that can be started", hint="kitchen enter, for a shell") from None
    finally:
        signal.signal(signal.SIGINT, before)
    return status if status >= 0 else 128 - status


# --- `kitchen env` ----------------------------------------------------------------------------------------------------

_SIMPLE = re.compile(r"[A-Za-z0-9_./:@%+,-]+")


def rendered(services: EnterServices, kitchen: Kitchen, style: str) -> str:
    """Return the kitchen's address, password included, as a tool wants it; it is meant for that tool only."""
    login = reachable(services, kitchen)
    password = login.password.reveal()
    match style:
        case "shell" | "dotenv":
            found = {**_without_password(services, kitchen, login), "PGPASSWORD": password}
            if style == "dotenv":
                return "\n".join(f"{name}={_dotenv(value)}" for name, value in found.items())
            return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in found.items())
        case "url":
            options = quote(f"-c role={login.role}", safe="")
            authorities = f"&sslrootcert={quote(login.authorities, safe='')}" if login.authorities is not None else ""
            user, secret, database = (quote(text, safe="") for text in (login.user, password, login.database))
            host = f"[{login.host}]" if ":" in login.host else quote(login.host, safe="")
            return (
                f"postgresql://{user}:{secret}@{host}:{login.port}/{database}"
                f"?sslmode={login.tls}{authorities}&options={options}"
            )
        case "pgservice":
            lines = {"host": login.host, "port": str(login.port), "dbname": login.database, "user": login.user,
                     "password": password, "sslmode": login.tls, "options": f"-c role={login.role}"}  # fmt: skip
            if login.authorities is not None:
                lines["sslrootcert"] = login.authorities
            return f"[{kitchen.name}]\n" + "\n".join(f"{name}={_service(name, text)}" for name, text in lines.items())
    return _dbt_profile(services, kitchen, login, password)


def _dotenv(value: str) -> str:
    """Quote a value as the readers of .env files agree on it: as it stands, else literally, else with escapes."""
    if _SIMPLE.fullmatch(value):
        return value
    if not set(value) & set("'\\\n"):
        return f"'{value}'"
    for special in ("\\", '"', "$", "`"):
        value = value.replace(special, f"\\{special}")
    return '"' + value.replace("\n", "\\n") + '"'


def _service(name: str, value: str) -> str:
    """Return a value for a service file, which knows no quotes; raises InvalidInput where it needs some."""
    if value != value.strip() or "\n" in value:
        raise InvalidInput(f"a service file cannot hold this {name}", hint="kitchen env --format shell")
    return value


def _dbt_profile(services: EnterServices, kitchen: Kitchen, login: Credentials, password: str) -> str:
    output = {
        "type": "postgres", "host": login.host, "port": login.port, "dbname": login.database, "user": login.user,
        "password": password, "role": login.role, "schema": services.layout.schema(kitchen, services.layout.logical[0]),
        "sslmode": login.tls, **({"sslrootcert": login.authorities} if login.authorities is not None else {}),
        "threads": 4,
    }  # fmt: skip
    lines = ["kitchen:", f"  target: {kitchen.name}", "  outputs:", f"    {kitchen.name}:"]
    # every JSON text is a YAML text, whatever is in it
    return "\n".join([*lines, *(f"      {key}: {json.dumps(_untemplated(value))}" for key, value in output.items())])


def _untemplated(value: object) -> object:
    """Return what dbt, which takes every text of a profile for a Jinja template, makes this value of."""
    if isinstance(value, str) and re.search(r"\{[{%#]", value):
        return "{{ " + json.dumps(value) + " }}"
    return value


def is_inside(folder: Path, worktree: Path) -> bool:
    """Say whether a folder lies in a worktree."""
    return folder.resolve().is_relative_to(worktree.resolve())
