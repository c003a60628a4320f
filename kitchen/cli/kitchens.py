"""``kitchen create``, ``list``, ``tree``, ``status``, ``show``, ``delete`` and ``prune``."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kitchen.app import App, Services
from kitchen.cli import output
from kitchen.cli.options import changing_options, current_app, environment_option, json_option, kitchen_argument
from kitchen.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from kitchen.domain.kitchen import Kitchen
    from kitchen.operations.kitchens import Overview, Status

_TTL = re.compile(r"([1-9][0-9]{0,3})([hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def duration(text: str) -> timedelta:
    """Return the meaning of 12h, 14d or 2w; raises InvalidInput."""
    found = _TTL.fullmatch(text)
    if found is None:
        raise InvalidInput(f"{text[:20]!a} is no duration", hint="14d, 12h or 2w")
    return int(found[1]) * _UNITS[found[2]]


@click.command("create")
@click.argument("name", required=False)
@click.option("--parent", metavar="K", help="The kitchen to layer over; else the environment's standing kitchen.")
@click.option("--branch", metavar="B", help="An existing branch to work on, or what to call the new one.")
@click.option("--data", default="layer", show_default=True, help="layer, copy, sample:10% or none.")
@click.option("--isolated", is_flag=True, help="Leave the parents' tables out; only the pantry is read through.")
@click.option("--ttl", metavar="14d", help="When it expires.")
@click.option("--staff", multiple=True, metavar="PERSON", help="Who else may use it.")
@click.option("--ticket", metavar="ABC-1", help="What it is for.")
@environment_option
@changing_options
@json_option
def create_command(
    *, name: str | None, parent: str | None, branch: str | None, data: str, isolated: bool, ttl: str | None,
    staff: tuple[str, ...], ticket: str | None, environment: str | None, dry_run: bool, yes: bool, as_json: bool,
) -> None:  # fmt: skip
    """Make a kitchen: a branch in its own folder, a schema over the pantry, credentials that open nothing else."""
    from kitchen.operations.create import create_steps, create_working
    from kitchen.operations.create_plan import Wish, plan_working

    if data not in ("layer", "copy", "none"):
        raise InvalidInput(f"--data {data[:20]} is not there yet: layer, copy and none are", hint="kitchen create NAME")
    wish = Wish(name, parent, branch, isolated or data == "none", duration(ttl) if ttl else None, staff, ticket, data)
    app = current_app()
    services = app.workbench(environment)
    creation = plan_working(
        services, app.repository, app.worktrees, wish, person=app.person, environments=app.environments.environments
    )
    if dry_run:
        for step in create_steps(services, creation, repository=app.repository):
            output.emit(step.says)
        return
    made = create_working(services, app.repository, creation, say=output.step)
    if as_json:
        output.emit_json({"kitchen": made, "worktree": creation.worktree, "schemas": services.layout.schemas(made)})
        return
    output.done(f"kitchen {made.name} is ready in {made.environment}, on branch {made.branch}")
    output.emit(str(creation.worktree))
    output.say(f"next: kitchen enter {made.name}")


def _reachable(app: App, environment: str | None) -> list[Services]:
    """Return the environments that answer; those that do not are named on stderr, not started."""
    names = [environment] if environment else list(app.environments.environments)
    found: list[Services] = []
    for name in names:
        services = app.services(name)
        if services.embedded is not None and not services.embedded.is_running():
            output.warn(f"{name} is not running (kitchen up {name})")
        else:
            found.append(services)
    if not found and environment:
        raise Unavailable(f"environment {environment!r} is not running", hint=f"kitchen up {environment}")
    return found


def _all(app: App, environment: str | None) -> list[Overview]:
    from kitchen.operations.kitchens import overviews

    found: list[Overview] = []
    for services in _reachable(app, environment):
        try:
            found += overviews(services, app.repository, worktrees=app.worktrees)
        except Unavailable as error:
            output.warn(f"{services.environment.name}: {error.message}")
    return found


@click.command("list")
@environment_option
@click.option("--mine", is_flag=True, help="Only my own.")
@json_option
def list_command(environment: str | None, mine: bool, as_json: bool) -> None:
    """Kitchens of every environment you can reach, with unfinished work."""
    app = current_app()
    found = [each for each in _all(app, environment) if not mine or each.owner == app.person]
    if as_json:
        output.emit_json([asdict(each) for each in found])
        return
    now = datetime.now(UTC)
    headings = ("kitchen", "environment", "state", "parent", "owner", "age", "expires", "commits", "tables", "size",
                "last run")  # fmt: skip
    output.table(headings, [_cells(each, now) for each in found])
    _tell(found)


def _cells(each: Overview, now: datetime) -> tuple[object, ...]:
    moved = f"+{each.ahead} -{each.behind}" if each.ahead is not None else None
    run = f"{each.last_run.recipe} {each.last_run.state.value}" if each.last_run is not None else None
    return (
        each.name, each.environment, each.state.value, each.parent, each.owner, output.ago(each.created_at, now),
        _until(each.expires_at, now), moved, each.tables, output.size(each.size), run,
    )  # fmt: skip


def _until(moment: datetime | None, now: datetime) -> str | None:
    if moment is None:
        return None
    return "expired" if moment < now else "in " + output.ago(now, moment)


def _tell(found: list[Overview]) -> None:
    for each in found:
        if each.unfinished is not None:
            left = each.unfinished
            output.warn(f"{left.kind} of {each.name} is unfinished: kitchen recover {left.id[:8]}")
        elif each.is_expiring:
            output.warn(f"{each.name} expires {each.expires_at:%Y-%m-%d %H:%M}: kitchen prune removes it then")


@click.command("tree")
@environment_option
@json_option
def tree_command(environment: str | None, as_json: bool) -> None:
    """Kitchens below their parents."""
    found = _all(current_app(), environment)
    below: dict[tuple[str, str | None], list[Overview]] = {}
    for each in found:
        below.setdefault((each.environment, each.parent), []).append(each)

    def document(each: Overview) -> dict[str, object]:
        return {**asdict(each), "children": [document(child) for child in below.get((each.environment, each.name), [])]}

    def draw(each: Overview, depth: int) -> None:
        moved = f"  +{each.ahead} -{each.behind}" if each.ahead is not None else ""
        state = "" if each.state.value == "ready" else f"  ({each.state.value})"
        output.emit(f"{'   ' * depth}{each.name}{moved}{state}")
        for child in below.get((each.environment, each.name), []):
            draw(child, depth + 1)

    roots = [each for each in found if each.parent is None]
    if as_json:
        output.emit_json([document(each) for each in roots])
        return
    for each in roots:
        draw(each, 0)
    _tell(found)


@click.command("status")
@kitchen_argument
@environment_option
@json_option
def status_command(kitchen: str | None, kitchen_option: str | None, environment: str | None, as_json: bool) -> None:
    """Where a kitchen stands, and what to type next."""
    from kitchen.operations.kitchens import status

    app = current_app()
    services, found = app.find(kitchen or kitchen_option, environment)
    state = status(services, app.repository, found, worktrees=app.worktrees)
    if as_json:
        output.emit_json(state)
        return
    for label, value in _lines(state):
        output.emit(f"{label:<12} {value}")
    output.say(f"next: {state.next}   ({state.because})")


def _lines(state: Status) -> list[tuple[str, object]]:
    each, now = state.overview, datetime.now(UTC)
    run = each.last_run
    changed = ", ".join(state.changes[:5]) + (" …" if len(state.changes) > 5 else "") if state.changes else "none"
    lines: list[tuple[str, object]] = [
        ("kitchen", f"{each.name} ({each.state.value}) in {each.environment}"),
        ("parent", each.parent),
        ("branch", each.branch),
        ("commits", f"{each.ahead} ahead, {each.behind} behind" if each.ahead is not None else None),
        ("changes", changed if each.worktree is not None else None),
        ("worktree", each.worktree),
        ("tables", f"{each.tables} of its own, {output.size(each.size)}"),
        ("pantry", f"version {each.pantry}" if each.pantry is not None else None),
        ("last run", f"{run.recipe} {run.state.value}, {output.ago(run.at, now)} ago" if run is not None else "none"),
        ("owner", each.owner),
        ("expires", _until(each.expires_at, now)),
    ]
    return [(label, value) for label, value in lines if value is not None]


@click.command("show")
@kitchen_argument
@environment_option
@json_option
def show_command(kitchen: str | None, kitchen_option: str | None, environment: str | None, as_json: bool) -> None:
    """Everything about one kitchen: its names, its layers, and the tables that are its own."""
    from kitchen.operations.kitchens import status

    app = current_app()
    services, found = app.find(kitchen or kitchen_option, environment)
    state = status(services, app.repository, found, worktrees=app.worktrees)
    layer = services.layer(found)
    with services.sessions.open(services.credentials(found), application=f"kitchen {found.name} show") as session:
        own = services.tables.own(session, layer)
    document = {
        "status": state, "kitchen": found, "search_path": layer.path(), "schemas": services.layout.schemas(found),
        "roles": {"owner": found.owner_role, "login": found.login_role, "reader": found.reader_role},
        "secret": found.secret_path, "storage": found.storage_prefix, "tables": own,
    }  # fmt: skip
    if as_json:
        output.emit_json(document)
        return
    for label, value in [*_lines(state), ("reads", ", ".join(layer.path())), ("login", found.login_role)]:
        output.emit(f"{label:<12} {value}")
    if own:
        rows = [(one.logical, one.over, one.kind, one.rows, output.size(one.size)) for one in own]
        output.table(("own", "over", "kind", "rows", "size"), rows)


@click.command("delete")
@kitchen_argument
@environment_option
@click.option("--force", is_flag=True, help="Also where uncommitted or unmerged work is lost.")
@click.option("--keep-branch", is_flag=True, help="Leave the branch.")
@changing_options
def delete_command(
    *, kitchen: str | None, kitchen_option: str | None, environment: str | None, force: bool, keep_branch: bool,
    dry_run: bool, yes: bool,
) -> None:  # fmt: skip
    """Remove a kitchen and everything it has: sessions, data, credentials, files, worktree, branch."""
    app = current_app()
    services, found = app.find(kitchen or kitchen_option, environment)
    _delete(app, services, found, force=force, keep_branch=keep_branch, dry_run=dry_run, yes=yes)


def _delete(
    app: App, services: Services, found: Kitchen, *, force: bool, keep_branch: bool, dry_run: bool, yes: bool
) -> None:
    from kitchen.operations.delete import delete_kitchen, delete_steps, plan_deletion

    deletion = plan_deletion(
        services, app.repository, app.worktrees, found, force=force, keep_branch=keep_branch,
        recipes=services.environment.kitchens.on_delete,
    )  # fmt: skip
    if dry_run:
        for step in delete_steps(services, deletion, repository=app.repository):
            output.emit(step.says)
        return
    output.confirm(f"Delete kitchen {found.name} with its {_what(deletion.worktree)}tables and credentials?", yes=yes)
    delete_kitchen(services, app.repository, deletion, say=output.step)
    output.done(f"kitchen {found.name} is gone")


def _what(worktree: Path | None) -> str:
    return "worktree, " if worktree is not None else ""


def _prune_archives(services: Services, *, dry_run: bool) -> None:
    """Drop what old releases replaced; what is gone already costs a query each."""
    from kitchen.operations.archives import drop, prunable_archives

    for archive in prunable_archives(services, datetime.now(UTC)):
        if dry_run:
            output.say(f"{archive.schema}: kept by release {archive.release.number}")
            continue
        for needed in drop(services, archive):
            output.warn(f"{archive.schema} stays: {needed}")


@click.command("prune")
@environment_option
@click.option("--force", is_flag=True, help="Also where uncommitted or unmerged work is lost.")
@changing_options
def prune_command(environment: str | None, force: bool, dry_run: bool, yes: bool) -> None:
    """Remove kitchens that have expired and candidates that nobody uses any more."""
    from kitchen.errors import KitchenError
    from kitchen.operations.prune import prunable

    app = current_app()
    failed: list[KitchenError] = []
    count = 0
    for services in _reachable(app, environment):
        for each in prunable(services.control, datetime.now(UTC)):
            output.say(f"{each.kitchen.name}: {each.why}")
            try:
                _delete(app, services, each.kitchen, force=force, keep_branch=False, dry_run=dry_run, yes=yes)
                count += 1
            except KitchenError as error:  # the others go on
                output.warn(error.message)
                failed.append(error)
        _prune_archives(services, dry_run=dry_run)
    output.done(f"{count} kitchens {'would be ' if dry_run else ''}removed")
    if failed:
        raise failed[0]
