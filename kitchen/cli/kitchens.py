"""``kitchen list``, ``tree``, ``status`` and ``show``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from kitchen.app import App, Services
from kitchen.cli import output
from kitchen.cli.kitchen_rows import HEADINGS, cells, columns, newer_by, pantry_of, parent_of, state_of, until
from kitchen.cli.options import current_app, environment_option, json_option, kitchen_argument
from kitchen.cli.reach import is_outside, reachable
from kitchen.domain.words import counted
from kitchen.errors import KitchenError, NotPermitted, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kitchen.domain.kitchen import Kitchen
    from kitchen.domain.merge_request import MergeRequest
    from kitchen.operations.kitchens import Overview, Status, Unfinished
    from kitchen.ports import Relation


def _all(app: App, environment: str | None) -> tuple[list[Overview], list[Unfinished]]:
    """Return the kitchens, and what was left that no kitchen shows: of a pantry, of one not yet or no longer there."""
    from kitchen.operations.kitchens import overviews, unfinished

    found: list[Overview] = []
    elsewhere: list[Unfinished] = []
    asked = reachable(app, environment)
    away: list[KitchenError] = []
    for services in asked:
        try:
            left = unfinished(services)
            here = overviews(services, app.repository, worktrees=app.worktrees, left=left)
            _tell_unless_set_up(services, here)
            found += here
            elsewhere += [each for each in left if each not in [one.unfinished for one in here]]
        except (Unavailable, NotPermitted) as error:
            if environment is not None:
                raise
            if not (isinstance(error, NotPermitted) and is_outside(services)):
                output.warn(f"{services.environment.name}: {error.message}")
            away.insert(0 if services.environment.kitchens.working else len(away), error)  # first what people work in
    if len(away) == len(asked):  # nothing was learned: that is not the same as no kitchens
        raise away[0] if away else Unavailable("no environment answers", hint="kitchen up, or kitchen doctor")
    return found, elsewhere


def _tell_unless_set_up(services: Services, here: Sequence[Overview]) -> None:
    name = services.environment.name
    if not any(each.name == name for each in here):
        output.warn(f"{name}: environment {name!r} is not set up (kitchen up {name})")


@click.command("list")
@environment_option
@click.option("--mine", is_flag=True, help="Only my own.")
@json_option
def list_command(environment: str | None, mine: bool, as_json: bool) -> None:
    """Kitchens of every environment you can reach, with unfinished work."""
    app = current_app()
    everything, elsewhere = _all(app, environment)
    found = [each for each in everything if not mine or each.owner == app.services(each.environment).person]
    if as_json:
        output.emit_json([_document(each) for each in found])
        _tell_left(elsewhere)
        return
    now = datetime.now(UTC)
    if sys.stdout.isatty():
        output.fitted_table(columns(found, now, [each.name for each in found]))
    else:
        output.table(HEADINGS, [cells(each, now) for each in found])
    _tell(found, now)
    _tell_left(elsewhere)


def _document(each: Overview) -> dict[str, object]:
    from kitchen.operations.advice import next_command

    command, _ = next_command(each)
    return {**asdict(each), "newer_pantry": each.newer_pantry, "next": command}


def _rows(estimate: int) -> str | None:
    return f"{estimate:,}" if estimate >= 0 else None  # nobody has counted


def _tell(found: list[Overview], now: datetime) -> None:
    for each in found:
        if each.unfinished is not None:
            _tell_left([each.unfinished])
        elif (said := each.expiry(now)) is not None:
            output.warn(said)


def _tell_left(found: Sequence[Unfinished]) -> None:
    for left in found:
        if left.is_going_on:
            output.say(f"  {left.kind} of {left.subject} is going on, by {left.by}")
        else:
            end = f"kitchen recover {left.id[:8]}" if left.may_end else "who ends it, or an admin"
            output.warn(f"{left.kind} of {left.subject} is unfinished, by {left.by}: {end}")


@click.command("tree")
@environment_option
@json_option
def tree_command(environment: str | None, as_json: bool) -> None:
    """Kitchens below their parents."""
    found, elsewhere = _all(current_app(), environment)
    now = datetime.now(UTC)
    below: dict[tuple[str, str | None], list[Overview]] = {}
    for each in found:
        below.setdefault((each.environment, each.parent), []).append(each)

    def document(each: Overview) -> dict[str, object]:
        children = below.get((each.environment, each.name), [])
        return {**_document(each), "children": [document(child) for child in children]}

    names = {each.name for each in found}
    roots = [each for each in found if each.parent is None or each.parent not in names]
    if as_json:
        output.emit_json([document(each) for each in roots])
        return
    lines = [line for each in roots for line in _drawn(each, below, 0)]
    if sys.stdout.isatty():
        shown = [f"{'  ' * depth}{each.name}" for each, depth in lines]
        output.fitted_table(columns([each for each, _ in lines], now, shown, is_tree=True))
    else:
        for each, depth in lines:
            output.emit("   " * depth + "  ".join([each.name, *_branch_of_tree(each, now)]))
    _tell(found, now)
    _tell_left(elsewhere)


def _drawn(
    each: Overview, below: Mapping[tuple[str, str | None], Sequence[Overview]], depth: int
) -> Iterator[tuple[Overview, int]]:
    yield each, depth
    for child in below.get((each.environment, each.name), []):
        yield from _drawn(child, below, depth + 1)


def _branch_of_tree(each: Overview, now: datetime) -> Iterator[str]:
    """Yield what a line of the tree says of a kitchen besides its name."""
    from kitchen.operations.advice import next_command

    if state_of(each) != "ready":
        yield f"({state_of(each)})"
    if each.mends is not None:
        yield f"hotfix of {each.mends}"
    if each.ahead is not None:
        yield f"+{each.ahead} -{each.behind}"
    if each.tables:
        yield f"{counted(each.tables, 'table')}, {output.size(each.size)}"
    if each.last_run is not None:
        yield f"{each.last_run.recipe} {each.last_run.state.value}"
    if each.newer_pantry is not None:
        yield f"pantry v{each.newer_pantry} is there"
    yield f"{each.owner}, {output.ago(each.created_at, now)}"
    if each.expires_at is not None:
        yield f"expires {until(each.expires_at, now)}"
    command, _ = next_command(each)
    if not command.startswith("kitchen enter"):
        yield f"next: {command}"


@click.command("status")
@kitchen_argument
@environment_option
@json_option
def status_command(kitchen: str | None, kitchen_option: str | None, environment: str | None, as_json: bool) -> None:
    """Where a kitchen stands, and what to type next."""
    from kitchen.operations.kitchens import status

    app = current_app(quietly=True)
    services, found = app.find(kitchen or kitchen_option, environment)
    state = status(services, app.repository, found, worktrees=app.worktrees)
    if as_json:
        output.emit_json(state)
        return
    for label, value in _lines(state):
        output.emit(f"{label:<12} {value}")
    if (said := state.overview.expiry(datetime.now(UTC))) is not None:
        output.warn(said)
    _tell_left(state.elsewhere)
    output.say(f"next: {state.next}   ({state.because})")


def _lines(state: Status) -> list[tuple[str, object]]:
    each, now = state.overview, datetime.now(UTC)
    run = each.last_run
    changed = ", ".join(state.changes[:5]) + (" …" if len(state.changes) > 5 else "") if state.changes else "none"
    lines: list[tuple[str, object]] = [
        ("kitchen", f"{each.name} ({state_of(each)}) in {each.environment}"),
        ("asked", _asked(each.asked, now)),
        ("answer", _answer(each.answered, now)),
        ("parent", parent_of(each)),
        ("branch", each.branch),
        ("commits", f"{each.ahead} ahead, {each.behind} behind" if each.ahead is not None else None),
        ("changes", changed if each.worktree is not None else None),
        ("unresolved", ", ".join(state.unresolved) or None),
        ("worktree", each.worktree),
        ("tables", f"{each.tables} of its own, {output.size(each.size)}"),
        ("pantry", f"{pantry}{newer_by(each)}" if (pantry := pantry_of(each)) is not None else None),
        ("last run", f"{run.recipe} {run.state.value}, {output.ago(run.at, now)} ago" if run is not None else "none"),
        ("owner", each.owner),
        ("made", f"{output.ago(each.created_at, now)} ago"),
        ("expires", until(each.expires_at, now)),
    ]
    return [(label, value) for label, value in lines if value is not None]


def _asked(request: MergeRequest | None, now: datetime) -> str | None:
    if request is None:
        return None
    when = f"{output.ago(request.asked_at, now)} ago"
    state = request.said if request.state == "waiting" and request.said else request.state
    hint = f"; {request.hint}" if request.state == "waiting" and request.hint else ""
    return f"{state}{hint}: request {request.number} for {request.commit[:12]}, by {request.by}, {when}"


def _answer(request: MergeRequest | None, now: datetime) -> str | None:
    """Return how the last request ended, and why."""
    if request is None:
        return None
    ended = f", {output.ago(request.ended_at, now)} ago" if request.ended_at is not None else ""
    says = {
        "published": f"published into {request.target}",
        "refused": f"the runner refused: {request.said}",
        "withdrawn": "taken back",
    }[request.state]
    hint = f"; {request.hint}" if request.state == "refused" and request.hint else ""
    return f"{says}{hint} (request {request.number} for {request.commit[:12]}{ended})"


@click.command("show")
@kitchen_argument
@environment_option
@json_option
def show_command(kitchen: str | None, kitchen_option: str | None, environment: str | None, as_json: bool) -> None:
    """Everything about one kitchen: its names, its layers, and the tables that are its own."""
    from kitchen.cli.hiding import tell
    from kitchen.operations.kitchens import status

    app = current_app()
    services, found = app.find(kitchen or kitchen_option, environment)
    state = status(services, app.repository, found, worktrees=app.worktrees)
    layer = services.layer(found)
    own, hiding = _own(services, found) if state.overview.may_use else ((), ())
    document = {
        "status": state, "kitchen": found, "search_path": layer.path(), "schemas": services.layout.schemas(found),
        "roles": {"owner": found.owner_role, "login": found.login_role, "reader": found.reader_role},
        "secret": found.secret_path, "storage": found.storage_prefix, "tables": own,
        "hiding": [str(one.logical) for one in hiding],
    }  # fmt: skip
    if as_json:
        output.emit_json(document)
        return
    for label, value in [*_lines(state), ("reads", ", ".join(layer.path())), ("login", found.login_role)]:
        output.emit(f"{label:<12} {value}")
    if own:
        rows = [(one.logical, one.over, one.kind, _rows(one.rows), output.size(one.size)) for one in own]
        output.table(("own", "over", "kind", "rows", "size"), rows)
    if not state.overview.may_use:
        output.say(f"which tables it has is told to those who may enter it; {state.because}")
    tell(hiding)


def _own(services: Services, kitchen: Kitchen) -> tuple[Sequence[Relation], Sequence[Relation]]:
    """Return a kitchen's own tables, and those of them that are empty and hide a full one."""
    layer = services.layer(kitchen)
    with services.sessions.open(services.credentials(kitchen), application=f"kitchen {kitchen.name} show") as session:
        return services.tables.own(session, layer), services.tables.hiding(session, layer)
