"""How releases and their plans are shown."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from kitchen.cli import output
from kitchen.domain.release import Release, ReleaseKind, ReleasePlan, ReleaseState
from kitchen.domain.words import counted
from kitchen.operations.archives import rollback_until

_SHOWN = 10  # commits and files; the rest is counted


def tell_plan(plan: ReleasePlan, left: Iterable[str] = ()) -> None:
    """Print what a plan does, for people."""
    output.say(f"from {plan.source} ({plan.head[:12]}) into branch {plan.branch} ({plan.base[:12]})")
    _some("commits", [f"{commit['id'][:12]} {commit['subject']} ({commit['author']})" for commit in plan.commits])
    _some("files", list(plan.files))
    for number in plan.again:
        output.warn(f"release {number} was rolled back: what it changed comes in again with this")
    for recipe, nodes in plan.nodes.items():
        output.say(f"  runs {recipe}: {', '.join(nodes)}")
    if plan.tables:
        output.say(f"  tables: {', '.join(plan.tables)}")
    if plan.drops:
        output.say(f"  drops: {', '.join(plan.drops)}")
    if not plan.nodes:
        output.say("  no node has to run, no table changes")
    asked = "all tests" if plan.tests == "all" else "the tests that see what changes"
    output.say(f"  gates: {asked}, {counted(plan.approvals, 'approval')}")
    for what in plan.loosens:
        output.warn(f"somebody else must agree: {what}")
    for what in plan.alone:
        output.warn(f"nobody else may approve here, so nobody else agrees: {what}")
    for path in plan.guarded:
        output.warn(f"changes who may do what, what is masked, or what guards: {path}")
    for said in left:
        output.warn(said)


def _some(what: str, lines: list[str]) -> None:
    for line in lines[:_SHOWN]:
        output.say(f"  {line}")
    if len(lines) > _SHOWN:
        output.say(f"  … and {len(lines) - _SHOWN} more {what}")


def described(release: Release) -> dict[str, object]:
    """Return a release as ``--json`` prints it."""
    return {
        "number": release.number,
        "kind": release.kind,
        "environment": release.environment,
        "kitchen": release.kitchen,
        "state": release.state,
        "by": release.by,
        "planned_at": release.planned_at,
        "released_at": release.released_at,
        "rollback_until": rollback_until(release),
        "commit": release.commit,
        "tag": release.tag,
        "message": release.message,
        "plan_hash": release.plan.hash,
        "plan": release.plan.to_document(),
        "approvals": [
            {
                "by": one.by,
                "at": one.at,
                "of_this_plan": one.plan_hash == release.plan.hash,
                "own": one.own,
                "counts": one in release.agreed,
                "void": one.void,
            }
            for one in release.approvals
        ],
        "missing_approvals": release.missing_approvals,
        "tables": [
            {"schema": one.table.schema, "name": one.table.name, "new": one.before is None, "gone": one.after is None}
            for one in release.swapped
        ],
    }


def row(release: Release) -> tuple[object, ...]:
    """Return a release as one line of a list."""
    when = release.released_at or release.planned_at
    tables = len(release.swapped) if release.swapped else len(release.plan.tables)
    return (
        release.number, release.kind, release.kitchen, _state(release), _source(release),
        f"{output.ago(when, datetime.now(UTC))} ago", release.by, tables, (release.commit or release.plan.head)[:12],
    )  # fmt: skip


def _state(release: Release) -> str:
    """A rollback waits for nobody: one that is only planned was cut off, or is going on."""
    is_cut_off = release.kind is ReleaseKind.ROLLBACK and release.state is ReleaseState.PLANNED
    return "unfinished" if is_cut_off else str(release.state)


def _source(release: Release) -> str:
    """Return the kitchen that a release brought in, or what a rollback went to."""
    if release.kind is not ReleaseKind.ROLLBACK:
        return release.plan.source
    return f"release {release.plan.restores}, as kept" if release.plan.restores else "before the first release"


HEADINGS = ("release", "kind", "into", "state", "from", "when", "by", "tables", "commit")
FLOORS = {"kind": 5, "into": 5, "state": 7, "from": 5, "by": 5, "commit": 8}


def next_command(release: Release) -> str:
    """Return what to type next."""
    name, number = release.environment, release.number
    match release.state:
        case ReleaseState.PLANNED if release.kind is ReleaseKind.ROLLBACK:
            return "kitchen recover"  # it was cut off: a rollback that is planned is done at once
        case ReleaseState.PLANNED | ReleaseState.FAILED if release.missing_approvals:
            return f"kitchen release approve {number} -e {name}"
        case ReleaseState.PLANNED | ReleaseState.FAILED:
            return f"kitchen release apply {number} -e {name}"
        case ReleaseState.RELEASED if release.kind is not ReleaseKind.ROLLBACK:
            return f"kitchen release rollback {number} -e {name}, should it be wrong"
        case ReleaseState.ROLLED_BACK:
            return f"kitchen release apply {number} -e {name}, to go forward again"
    return f"kitchen release show {number} -e {name}"
