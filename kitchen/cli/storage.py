"""``kitchen files``: the files of a kitchen in its environment's object store."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from kitchen.cli import output
from kitchen.cli.options import changing_options, current_app, environment_option, json_option, kitchen_option
from kitchen.errors import InvalidInput


@click.group("files")
def files_command() -> None:
    """Files of a kitchen in the object store.

    KEY is a name like out/profit.csv within the kitchen's own folder; nodes find the folder in KITCHEN_STORAGE.
    """


@files_command.command("ls")
@click.argument("below", required=False, default="", metavar="[FOLDER]")
@environment_option
@kitchen_option
@json_option
def ls(below: str, environment: str | None, kitchen: str | None, as_json: bool) -> None:
    """List the kitchen's files."""
    from kitchen.operations.files import list_files

    services, found = current_app().find(kitchen, environment)
    keys = list_files(services, found, below)
    if as_json:
        output.emit_json({"kitchen": found.name, "environment": found.environment, "files": keys})
        return
    output.table(["file"], [(key,) for key in keys])


@files_command.command("get")
@click.argument("key")
@click.argument("to", required=False, metavar="[FILE]", type=click.Path(dir_okay=False, path_type=Path))
@environment_option
@kitchen_option
def get(key: str, to: Path | None, environment: str | None, kitchen: str | None) -> None:
    """Write a file of the kitchen to FILE, or to standard output."""
    from kitchen.operations.files import get_file

    services, found = current_app().find(kitchen, environment)
    data = get_file(services, found, key)
    if to is None or str(to) == "-":
        sys.stdout.buffer.write(data)
        return
    try:
        to.write_bytes(data)
    except OSError as wrong:
        raise InvalidInput(f"{to} cannot be written: {wrong.strerror}", hint=f"kitchen files get {key} -") from None
    output.done(f"{key} -> {to} ({output.size(len(data))})")


@files_command.command("put")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.argument("key", required=False)
@click.option("--new", is_flag=True, help="Fail where the file is there already.")
@environment_option
@kitchen_option
@changing_options
def put(
    *, file: Path, key: str | None, new: bool, environment: str | None, kitchen: str | None, dry_run: bool, yes: bool
) -> None:
    """Store FILE (- is standard input) as KEY, by default under its own name."""
    from kitchen.operations.files import put_file

    if key is None and str(file) == "-":
        raise InvalidInput("what comes from standard input needs a name", hint="kitchen files put - KEY")
    name = key or file.name
    services, found = current_app().find(kitchen, environment)
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as wrong:
        raise InvalidInput(f"{file} cannot be read: {wrong.strerror}", hint="kitchen files put FILE [KEY]") from None
    if dry_run:
        output.say(f"would store {name} ({output.size(len(data))}) in the kitchen {found.name!r}")
        return
    put_file(services, found, name, data, create_only=new)
    output.done(f"{file} -> {name} ({output.size(len(data))})")


@files_command.command("rm")
@click.argument("keys", nargs=-1, required=True, metavar="KEY…")
@environment_option
@kitchen_option
@changing_options
def rm(keys: tuple[str, ...], environment: str | None, kitchen: str | None, dry_run: bool, yes: bool) -> None:
    """Delete files of the kitchen."""
    from kitchen.operations.files import get_file, remove_file

    services, found = current_app().find(kitchen, environment)
    for key in keys:
        get_file(services, found, key)  # all are there, or nothing is deleted
    if dry_run:
        for key in keys:
            output.say(f"would delete {key} of the kitchen {found.name!r}")
        return
    output.confirm(f"Delete {', '.join(keys)} of the kitchen {found.name!r}?", yes=yes)
    for key in keys:
        remove_file(services, found, key)
        output.done(f"deleted {key}")
