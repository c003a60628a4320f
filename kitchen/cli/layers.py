"""A kitchen and what lies below it: hydrate, update, diff."""

from __future__ import annotations

import click

from kitchen.cli import output
from kitchen.cli.options import changing_options, current_app, json_option, kitchen_option

# --- hydrate ----------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("tables", nargs=-1, required=True, metavar="TABLE…")
@kitchen_option
@changing_options
@json_option
def hydrate_command(tables: tuple[str, ...], kitchen: str | None, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Copy tables into the kitchen to write to them.

    A kitchen reads through to its parents and the pantry; a table is copied, with its partitions, sequences, indexes
    and whatever depends on it, when it is to be written. TABLE is a name like orders or marts.orders.
    """
    from kitchen.operations.hydrate import hydrate, preview

    services, found = current_app().find(kitchen)
    if dry_run:
        planned = preview(services, found, tables)
        if as_json:
            output.emit_json({"kitchen": found.name, "would_copy": planned})
            return
        output.table(
            ["table", "from", "kind", "size"],
            [(one.logical, one.physical, one.kind, output.size(one.size)) for one in planned],
        )
        return
    results = hydrate(services, found, tables, say=output.step)
    if as_json:
        output.emit_json({"kitchen": found.name, "tables": results})
        return
    for result in results:
        if result.done is None:
            output.say(f"  {result.table} is the kitchen's already")
            continue
        output.done(f"{result.table} is the kitchen's own now, a copy of {result.done.source}")
        for left in result.done.left_out:
            output.warn(f"left out: {left}")
    output.say("  open sessions keep reading the old table in prepared statements: reconnect, or DISCARD PLANS")
