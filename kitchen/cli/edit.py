"""``kitchen edit`` and ``kitchen hand``."""

from __future__ import annotations

import click

from kitchen.cli import output
from kitchen.cli.completion import kitchen_names
from kitchen.cli.create import time_to_live
from kitchen.cli.options import current_app, dry_run_option, environment_option, json_option, kitchen_argument


@click.command("edit")
@kitchen_argument
@environment_option
@click.option("--ttl", metavar="14d", help="Let it expire so long from now.")
@click.option("--staff", multiple=True, metavar="PERSON", help="Who else may use it: the whole list; empty: nobody.")
@click.option("--ticket", metavar="ABC-1", help="What it is for; empty: nothing.")
@dry_run_option
@json_option
def edit_command(
    *, kitchen: str | None, kitchen_option: str | None, environment: str | None, ttl: str | None,
    staff: tuple[str, ...], ticket: str | None, dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Change when a kitchen expires, who may use it, or what it is for."""
    from kitchen.operations.edit import edit_kitchen

    services, found = current_app(quietly=True).find(kitchen or kitchen_option, environment)
    until = time_to_live(ttl) if ttl is not None else None
    saved = edit_kitchen(services.control, found, ttl=until, staff=staff or None, ticket=ticket, dry_run=dry_run)
    if as_json:
        output.emit_json(saved)
    if dry_run:
        until_then = f"{saved.expires_at:%Y-%m-%d %H:%M}" if saved.expires_at is not None else "never"
        output.say(f"{saved.name} would expire {until_then}, staff {', '.join(saved.staff) or 'nobody'}, "
                   f"ticket {saved.ticket or 'none'}")  # fmt: skip
        return
    output.done(f"kitchen {saved.name} is changed")


@click.command("hand")
@click.argument("kitchen", shell_complete=kitchen_names)
@click.argument("person")
@environment_option
@dry_run_option
@json_option
def hand_command(*, kitchen: str, person: str, environment: str | None, dry_run: bool, as_json: bool) -> None:
    """Give a kitchen to somebody else: it then counts as theirs."""
    from kitchen.operations.edit import hand_kitchen

    services, found = current_app().find(kitchen, environment)
    saved = hand_kitchen(services.control, found, person, dry_run=dry_run)
    if as_json:
        output.emit_json(saved)
    output.done(f"kitchen {saved.name} {'would be' if dry_run else 'is'} {saved.owner}'s")
