"""``kitchen audit``."""

from __future__ import annotations

import click

from kitchen.cli import output
from kitchen.cli.options import current_app, environment_option, json_option
from kitchen.domain.words import counted
from kitchen.errors import KitchenError, Refused

COLUMNS = ("position", "at", "person", "phase", "action", "subject", "result")
FLOORS = {"at": 20, "person": 6, "action": 8, "subject": 8, "result": 6}


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
    output.table(COLUMNS, [[entry[column] for column in COLUMNS] for entry in entries], floors=FLOORS)


@audit_command.command("verify")
@environment_option
@json_option
def verify(environment: str | None, as_json: bool) -> None:
    """Check the chain of an environment's audit, or of all; exits 5 where an entry was altered or removed.

    This machine remembers where the chain ended: what was there at the last check must still be there.
    """
    from kitchen.operations.audited import verify_audit

    app = current_app()
    names = [environment] if environment else list(app.environments.environments)
    found: list[dict[str, object]] = []
    failed: KitchenError | None = None
    for name in names:
        try:
            services = app.services(name)
            count, wrong = verify_audit(services.control.audit, services.state_dir / "audit.seen")
        except KitchenError as away:
            if environment:
                raise
            output.warn(f"the audit of {name} was not checked: {away.message}")
            failed = failed or away
            continue
        found.append({"environment": name, "entries": count, "wrong": wrong})
        if wrong is not None:
            failed = Refused(f"the audit of {name!r} is not whole: {wrong}", hint=f"kitchen audit list -e {name}")
        elif not as_json:
            output.done(f"the audit of {name} is whole: {counted(count, 'entry', 'entries')}")
    if as_json:
        output.emit_json(found)
    if failed is not None:
        raise failed
