"""``kitchen resolve``."""

from __future__ import annotations

import click

from kitchen.cli import output
from kitchen.cli.options import changing_options, current_app, environment_option, json_option, kitchen_argument
from kitchen.errors import Conflict


@click.command("resolve")
@kitchen_argument
@environment_option
@click.option("--abort", is_flag=True, help="Give up: put the files back to what they were before the merge.")
@changing_options
@json_option
def resolve_command(
    *, kitchen: str | None, kitchen_option: str | None, environment: str | None, abort: bool, dry_run: bool, yes: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Take an update on whose files conflict: first put both versions into them, then, mended, commit and go on.

    Type it as often as you like: it says what is left to do. It leaves with 4 while files are unresolved.
    """
    from kitchen.operations.resolve import begin, examine, finish, give_up
    from kitchen.operations.unfinished import halted, way_out

    app = current_app()
    services, found = app.find(kitchen or kitchen_option, environment)
    now = examine(services, app.repository, found)
    into = f"{now.parent.branch} into {found.branch}"
    if dry_run:
        plan = "give up the merge of" if abort else "begin the merge of" if now.conflicts else "commit the merge of"
        output.emit(f"{plan} {into}" if abort or now.conflicts or now.is_under_way else "nothing to resolve")
        return
    if abort:
        give_up(app.repository, now)
        output.done(f"the merge of {into} is given up; the files are as they were")
        return
    if now.conflicts:
        output.step(f"merging {into}, with both versions in the files that conflict")
        now = begin(app.repository, now)
    elif not now.is_under_way:
        output.done(f"nothing to resolve: {found.name} and {now.parent.name} do not conflict")
        if as_json:
            output.emit_json({"kitchen": found.name, "unresolved": [], "commit": None})
        return
    if now.changes.unresolved:
        if as_json:
            output.emit_json({"kitchen": found.name, "unresolved": now.changes.unresolved, "commit": None})
        else:
            for path in now.changes.unresolved:
                output.emit(str(now.worktree / path))
        raise Conflict(halted(now.worktree, now.changes), hint=way_out(now.worktree, now.changes))
    commit = finish(services, app.repository, now, say=output.step)
    if as_json:
        output.emit_json({"kitchen": found.name, "unresolved": [], "commit": commit})
        return
    output.done(f"{found.name} is up to date with {now.parent.name}: {commit[:12]}")
