"""Options that many commands share, and the App that commands are given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from kitchen.app import App

Command = Callable[..., Any]


def current_app() -> App:
    """Return the project around the working folder."""
    return App(Path.cwd())


def json_option(command: Command) -> Command:
    """Add ``--json``: one document with stable keys on stdout."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")(command)


def environment_option(command: Command) -> Command:
    """Add ``-e ENV``."""
    return click.option("-e", "--environment", metavar="ENV", help="The release environment.")(command)


def kitchen_argument(command: Command) -> Command:
    """Add the positional K (inferred from the folder where it is left out) and ``-k K``."""
    command = click.option("-k", "--kitchen", "kitchen_option", metavar="K", help="The kitchen.")(command)
    return click.argument("kitchen", required=False, metavar="[K]")(command)


def kitchen_option(command: Command) -> Command:
    """Add ``-k K`` for commands whose positional arguments are something else."""
    return click.option("-k", "--kitchen", metavar="K", help="The kitchen; inferred from the folder.")(command)


def changing_options(command: Command) -> Command:
    """Add ``--dry-run`` (prints the very list that would run) and ``--yes``."""
    command = click.option("--yes", "-y", is_flag=True, help="Do not ask.")(command)
    return click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing.")(command)
