"""Options that many commands share, and the App that commands are given."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from kitchen.app import App, Services
from kitchen.cli.completion import environment_names, kitchen_names
from kitchen.cli.output import step, warn
from kitchen.domain.duration import parse_duration, said
from kitchen.domain.kitchen import Kitchen
from kitchen.domain.merge_request import AT_MOST
from kitchen.errors import InvalidInput, NotFound

Command = Callable[..., Any]


class VersionNumber(click.ParamType):  # type: ignore[type-arg]  # older ones take none
    """A version of the pantry as it is shown, v7, or its bare number."""

    name = "version"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        digits = str(value).removeprefix("v")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
            self.fail(f"{value!r} is no version of a pantry; they are called v1, v2, …", param, ctx)
        return int(digits)


def current_app(*, quietly: bool = False) -> App:
    """Return the project around the working folder; a kitchen about to expire is warned of, unless ``quietly``.

    Raises NotFound where the folder is gone.
    """
    try:
        here = Path.cwd()
    except FileNotFoundError:
        raise NotFound("the folder that you are in is gone", hint="cd to the project, then the same command") from None
    return App(here, tell=step) if quietly else App(here, tell=step, about=_warn)


def _warn(services: Services, kitchen: Kitchen) -> None:
    expiry = kitchen.expiry(datetime.now(UTC))
    if expiry is not None and services.rights.uses(kitchen):
        warn(expiry)


def json_option(command: Command) -> Command:
    """Add ``--json``: one document with stable keys on stdout."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")(command)


def environment_option(command: Command) -> Command:
    """Add ``-e ENV``."""
    return click.option(
        "-e", "--environment", metavar="ENV", help="The release environment.", shell_complete=environment_names
    )(command)


def kitchen_argument(command: Command) -> Command:
    """Add the positional K (inferred from the folder where it is left out) and ``-k K``."""
    option = click.option(
        "-k", "--kitchen", "kitchen_option", metavar="K", help="The kitchen.", shell_complete=kitchen_names
    )
    return click.argument("kitchen", required=False, metavar="[K]", shell_complete=kitchen_names)(option(command))


def kitchen_option(command: Command) -> Command:
    """Add ``-k K`` for commands whose positional arguments are something else."""
    return click.option(
        "-k", "--kitchen", metavar="K", help="The kitchen; inferred from the folder.", shell_complete=kitchen_names
    )(command)


def changing_options(command: Command) -> Command:
    """Add ``--dry-run`` (prints the very list that would run) and ``--yes``."""
    return _dry_run(click.option("--yes", "-y", is_flag=True, help="Do not ask.")(command))


def dry_run_option(command: Command) -> Command:
    """Add ``--dry-run``, for commands that never ask; ``--yes`` is taken there, too, so that scripts need not know."""
    return _dry_run(never_asks(command))


def at_most_option(command: Command) -> Command:
    """Add ``--at-most``: how long what one request runs may take."""
    return click.option(
        "--at-most", metavar="30m", default=said(AT_MOST), show_default=True, callback=_limit,
        help="How long what a request runs may take, whatever its recipes allow themselves.",
    )(command)  # fmt: skip


def _limit(ctx: click.Context, param: click.Parameter, value: str) -> timedelta:
    found = parse_duration(value)
    if not found:
        raise InvalidInput("--at-most 0s leaves no time for anything", hint=f"--at-most {said(AT_MOST)}")
    return found


def never_asks(command: Command) -> Command:
    """Add a ``--yes`` that changes nothing."""
    return click.option("--yes", "-y", is_flag=True, expose_value=False, help="Nothing is asked here.")(command)


def _dry_run(command: Command) -> Command:
    return click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing.")(command)
