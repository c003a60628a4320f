"""``kitchen staff``: who may use a kitchen besides its owner; without any it is private."""

from __future__ import annotations

import click

from kitchen.cli import output
from kitchen.cli.completion import staff_names
from kitchen.cli.options import current_app, dry_run_option, environment_option, json_option, kitchen_option
from kitchen.domain.kitchen import Kitchen


@click.group("staff")
def staff_command() -> None:
    """Who may use a kitchen besides its owner."""


@staff_command.command("list")
@kitchen_option
@environment_option
@json_option
def list_command(kitchen: str | None, environment: str | None, *, as_json: bool) -> None:
    """Show a kitchen's owner and staff."""
    _, found = current_app().find(kitchen, environment)
    _tell(found, as_json=as_json)


@staff_command.command("add")
@click.argument("person")
@kitchen_option
@environment_option
@dry_run_option
@json_option
def add(person: str, kitchen: str | None, environment: str | None, *, dry_run: bool, as_json: bool) -> None:
    """Let somebody else work in a kitchen."""
    from kitchen.operations.edit import change_staff

    services, found = current_app().find(kitchen, environment)
    saved = change_staff(services.control, found, add=person, dry_run=dry_run)
    _tell(saved, as_json=as_json)


@staff_command.command("remove")
@click.argument("person", shell_complete=staff_names)
@kitchen_option
@environment_option
@dry_run_option
@json_option
def remove(person: str, kitchen: str | None, environment: str | None, *, dry_run: bool, as_json: bool) -> None:
    """Close a kitchen to somebody: on shared servers their logins into it end, with their sessions."""
    from kitchen.operations.edit import change_staff

    services, found = current_app().find(kitchen, environment)
    saved = change_staff(services.control, found, remove=person, dry_run=dry_run)
    _tell(saved, as_json=as_json)


def _tell(kitchen: Kitchen, *, as_json: bool) -> None:
    if as_json:
        output.emit_json({"kitchen": kitchen.name, "owner": kitchen.owner, "staff": list(kitchen.staff)})
        return
    output.table(("person", "is"), [(kitchen.owner, "owner"), *((person, "staff") for person in kitchen.staff)])
