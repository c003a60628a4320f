"""``kitchen audit``."""

from __future__ import annotations

import click

from kitchen.cli import output
from kitchen.cli.options import current_app, environment_option, json_option
from kitchen.errors import Refused


@click.group("audit")
def audit_command() -> None:
    """Who did what, and whether the record is whole."""


@audit_command.command("list")
@environment_option
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many, newest first.")
@json_option
def list_entries(environment: str | None, limit: int, as_json: bool) -> None:
    """The newest entries of an environment's audit."""
    entries = current_app().workbench(environment).control.audit.entries(limit)
    if as_json:
        output.emit_json(entries)
        return
    columns = ("position", "at", "person", "phase", "action", "subject", "result")
    output.table(columns, [[entry[column] for column in columns] for entry in entries])


@audit_command.command("verify")
@environment_option
@json_option
def verify(environment: str | None, as_json: bool) -> None:
    """Check the chain of an environment's audit; exits 5 where an entry was altered or removed."""
    services = current_app().workbench(environment)
    count, wrong = services.control.audit.verify()
    if as_json:
        output.emit_json({"environment": services.environment.name, "entries": count, "wrong": wrong})
    if wrong is not None:
        raise Refused(f"the audit of {services.environment.name!r} is not whole: {wrong}", hint="kitchen audit list")
    if not as_json:
        output.done(f"the audit of {services.environment.name} is whole: {count} entries")
