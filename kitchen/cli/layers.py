"""A kitchen and what lies below it: hydrate, update, diff."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kitchen.cli import output
from kitchen.cli.completion import table_names
from kitchen.cli.options import (
    changing_options,
    current_app,
    environment_option,
    json_option,
    kitchen_argument,
    kitchen_option,
)
from kitchen.domain.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kitchen.app import Services
    from kitchen.domain.kitchen import Kitchen
    from kitchen.operations.diff import Diff, TableDiff
    from kitchen.ports import Relation

# --- hydrate ----------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("tables", nargs=-1, required=True, metavar="TABLE…", shell_complete=table_names)
@kitchen_option
@changing_options
@json_option
def hydrate_command(tables: tuple[str, ...], kitchen: str | None, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Copy tables into the kitchen to write to them.

    A kitchen reads through to its parents and the pantry; a table is copied, with its partitions, sequences, indexes
    and whatever depends on it, when it is to be written. TABLE is a name like orders or marts.orders. A standing
    kitchen's copy is read by everybody, instead of later pantries: there you are asked first.
    """
    from kitchen.cli.hiding import hiding, tell
    from kitchen.operations.hydrate import hydrate, preview

    services, found = current_app().find(kitchen)
    if dry_run:
        steps, planned = preview(services, found, tables)
        if as_json:
            output.emit_json({"kitchen": found.name, "steps": [step.says for step in steps], "would_copy": planned})
            return
        for step, one in zip(steps, planned, strict=True):
            output.emit(step.says)
            output.say(f"  {one.kind} {one.physical}, {output.size(one.size)}")
        if not planned:
            output.say("  nothing to copy: what was named is the kitchen's own already")
        return
    _confirm_standing(found, lambda: preview(services, found, tables)[1], yes=yes)
    results = hydrate(services, found, tables, say=output.step)
    if as_json:
        output.emit_json({"kitchen": found.name, "tables": results})
        return
    for result in results:
        if result.done is None:
            output.done(f"{result.table} is the kitchen's already")
            continue
        output.done(f"{result.table} is the kitchen's own now, a copy of {result.done.source}")
        for left in result.done.left_out:
            output.warn(f"left out: {left}")
        for note in result.done.notes:
            output.warn(note)
    already = {result.table for result in results if result.done is None}
    if already:
        tell(one for one in hiding(services, found) if one.logical in already)
    if any(result.done is not None for result in results):
        output.say("  open sessions keep reading the old table in prepared statements: reconnect, or DISCARD PLANS")


def _confirm_standing(kitchen: Kitchen, planned: Callable[[], Sequence[Relation]], *, yes: bool) -> None:
    """Ask before a copy comes between everybody's kitchens and the pantry."""
    from kitchen.domain.kitchen import Kind

    if yes or kitchen.kind is not Kind.STANDING or not (copied := planned()):
        return
    names = ", ".join(str(one.logical) for one in copied)
    output.confirm(
        f"{kitchen.name} is a standing kitchen: the kitchens layered over it then all read its copy of {names}, "
        "not a later pantry's. Copy into it?",
        yes=yes,
    )


# --- update and diff --------------------------------------------------------------------------------------------------


@click.command("update")
@kitchen_argument
@environment_option
@click.option("--data", is_flag=True, help="Read the newest pantry version, too.")
@changing_options
@json_option
def update_command(
    *, kitchen: str | None, kitchen_option: str | None, environment: str | None, data: bool, dry_run: bool, yes: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Merge the parent's branch down into the kitchen's; with --data move it to the newest pantry version.

    Where both changed the same lines nothing is touched: kitchen resolve takes you on. A standing kitchen,
    such as dev, gets what went into the environment above past it: a hotfix; proven like any merge. A hotfix itself
    is brought up to date with the environment that it mends.
    """
    from kitchen.domain.kitchen import Kind
    from kitchen.operations.update import plan_update, update, update_steps

    app = current_app()
    services, found = app.find(kitchen or kitchen_option, environment)
    if found.kind is Kind.STANDING and services.environment.parent is not None and not data:
        from kitchen.cli.deliver import merge_down

        merge_down(app, services, found, dry_run=dry_run, yes=yes, as_json=as_json)
        return
    planned = plan_update(services, app.repository, found, data=data, say=output.warn)
    if dry_run:
        says = [step.says for step in update_steps(services, app.repository, planned)]
        output.steps(says, as_json=as_json)
        if not says:
            output.done(_nothing(found))
            _tell_newer(services, found)
        return
    if not planned.is_nothing:
        update(services, app.repository, planned, say=output.step)
    if as_json:
        output.emit_json({"kitchen": found.name, "commit": planned.new, "files": planned.files,
                          "commits": planned.commits, "pantry": planned.pantry or found.pantry})  # fmt: skip
        return
    if planned.is_nothing:
        output.done(_nothing(found))
        _tell_newer(services, found)
        return
    output.done(
        f"{found.name} is up to date with {found.mends or found.parent}: {counted(planned.commits, 'commit')}, "
        f"{counted(len(planned.files), 'file')}"
    )
    if planned.pantry is not None:
        output.say("  tables of its own are still copies of the older data: drop one to read the new below it")
    else:
        _tell_newer(services, found)


def _nothing(kitchen: Kitchen) -> str:
    return f"{kitchen.name} has everything of {kitchen.mends or kitchen.parent} already"


def _tell_newer(services: Services, kitchen: Kitchen) -> None:
    """Say that there is newer data, which a plain update leaves alone."""
    newest = services.control.pantries.newest()
    is_older = kitchen.data != "none" if kitchen.pantry is None else True
    if newest is not None and newest.version != kitchen.pantry and is_older:
        has = f"v{kitchen.pantry} of the pantry" if kitchen.pantry is not None else "no pantry"
        output.say(f"  it reads {has}, and v{newest.version} is there: kitchen update {kitchen.name} --data")


@click.command("diff")
@kitchen_argument
@environment_option
@click.option("--data", is_flag=True, help="Compare tables row by row.")
@click.option("--exit-code", is_flag=True, help="Leave with 1 where there is a difference.")
@json_option
@click.pass_context
def diff_command(
    ctx: click.Context, *, kitchen: str | None, kitchen_option: str | None, environment: str | None, data: bool,
    exit_code: bool, as_json: bool,
) -> None:  # fmt: skip
    """What a kitchen changed against its parent: files, nodes that a merge would run, tables."""
    from kitchen.operations.diff import diff

    app = current_app()
    services, found = app.find(kitchen or kitchen_option, environment)
    seen = diff(services, app.repository, found, data=data)
    if as_json:
        output.emit_json(seen)
    else:
        _tell_diff(seen)
    if exit_code and not seen.is_empty:
        ctx.exit(1)


def _tell_diff(seen: Diff) -> None:
    output.emit(f"{seen.kitchen} against {seen.parent}: {counted(seen.ahead, 'commit')} ahead, {seen.behind} behind")
    for path in seen.files:
        output.emit(f"  file   {path}")
    for path in seen.uncommitted:
        output.emit(f"  file   {path} (not committed)")
    for recipe, nodes in seen.nodes.items():
        output.emit(f"  runs   {recipe}: {', '.join(nodes)}")
    if seen.problem is not None:
        output.warn(seen.problem)
    for table in seen.tables:
        output.emit(f"  table  {table.table}: {_tell_table(table)}")
    if seen.is_empty:
        output.emit("  no difference")


def _tell_table(table: TableDiff) -> str:
    if table.below is None:
        return f"new, {counted(table.rows, 'row')}"
    parts = [f"{counted(table.rows, 'row')}, {table.rows_below:,} in {table.below}"]
    for what, columns in (
        ("added", table.columns_added),
        ("without", table.columns_removed),
        ("other type", table.columns_changed),
    ):
        if columns:
            parts.append(f"{what}: {', '.join(columns)}")
    if table.data is not None:
        parts.append(f"+{table.data.added} -{table.data.removed} ~{table.data.changed} rows")
    return "; ".join(parts)
