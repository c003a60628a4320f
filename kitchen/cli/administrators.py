"""The login of a server's administrator: named on the command line, its password typed or in a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from kitchen.domain.connection import Credentials
from kitchen.domain.environment import Environment
from kitchen.domain.secret import Secret
from kitchen.errors import NotPermitted


def administrator_of(environment: Environment, user: str | None) -> Credentials | None:
    """Return the login of the administrator whom the command line or libpq's variables name; its password too."""
    from kitchen.operations.install import administrator_login

    name = user or os.environ.get("PGUSER")
    if name is None:
        administrator_login(environment, "", Secret(""))  # an embedded one is refused all the same
        return None
    login = administrator_login(environment, name, Secret(""))
    return replace(login, password=_password(login, asked=user is not None))


@contextmanager
def told_where_looked(login: Credentials | None) -> Iterator[None]:
    """Say, where the server asks for a password and none was found, what was looked for, and where."""
    file = _file()  # now: a session takes libpq's variables away
    try:
        yield
    except NotPermitted as refused:
        if login is None or login.password.reveal() or "no password supplied" not in refused.message:
            raise
        entry = f"{login.host}:{login.port}:{login.database}:{login.user}"
        looked = f"{file} has no line for {entry}" if file.is_file() else f"there is no password file {file}"
        hint = f"add {entry}:PASSWORD to the file that PGPASSFILE names, or set PGPASSWORD, or type it at a terminal"
        raise NotPermitted(f"{refused.message}; nothing was typed, and {looked}", hint=hint) from None


def _password(login: Credentials, *, asked: bool) -> Secret:
    """Return what is typed where ``asked`` for by name, else what lies where psql looks; nothing typed is as not asked.

    Without a password the server may know who we are all the same.
    """
    if asked and (typed := _typed(login)):
        return Secret(typed)
    if (found := _kept(login)) is not None:
        return found
    return Secret("" if asked or not sys.stdin.isatty() else _typed(login))


def _kept(login: Credentials) -> Secret | None:
    from kitchen.files.passfile import password_of

    if "PGPASSWORD" in os.environ:
        return Secret(os.environ["PGPASSWORD"])
    return password_of(login, _file())


def _typed(login: Credentials) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    answer: str = click.prompt(f"password of {login.user}", hide_input=True, default="", show_default=False, err=True)
    return answer


def _file() -> Path:
    return Path(os.environ.get("PGPASSFILE") or Path.home() / ".pgpass")
