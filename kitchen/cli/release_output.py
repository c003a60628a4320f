"""How releases and their plans are shown, and how people are asked about them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime

import click

from kitchen.cli import output
from kitchen.domain.release import Release, ReleaseKind, ReleasePlan, ReleaseState
from kitchen.errors import InvalidInput
from kitchen.operations.archives import rollback_until

_SHOWN = 10  # commits and files; the rest is counted


def confirm(question: str, *, yes: bool) -> None:
    """Ask, unless told not to; raises InvalidInput where nobody can answer."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise InvalidInput("this asks before it changes anything, and nobody can answer here", hint="add --yes")
    click.confirm(question, abort=True, err=True)


def tell_plan(plan: ReleasePlan, left: Iterable[str] = ()) -> None:
    """Print what a plan does, for people."""
    output.say(f"from {plan.source} ({plan.head[:12]}) into branch {plan.branch} ({plan.base[:12]})")
    _some("commits", [f"{commit['id'][:12]} {commit['subject']} ({commit['author']})" for commit in plan.commits])
    _some("files", list(plan.files))
    for recipe, nodes in plan.nodes.items():
        output.say(f"  runs {recipe}: {', '.join(nodes)}")
    if plan.tables:
        output.say(f"  tables: {', '.join(plan.tables)}")
    if plan.drops:
        output.say(f"  drops: {', '.join(plan.drops)}")
    if not plan.nodes:
        output.say("  no node has to run, no table changes")
    asked = "all tests" if plan.tests == "all" else "the tests that see what changes"
    output.say(f"  gates: {asked}, {plan.approvals} approval(s)")
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
            {"by": one.by, "at": one.at, "of_this_plan": one in release.agreed, "own": one.own}
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
        release.number, release.kind, release.kitchen, release.state, release.plan.source,
        f"{output.ago(when, datetime.now(UTC))} ago", release.by, tables, (release.commit or release.plan.head)[:12],
    )  # fmt: skip


HEADINGS = ("release", "kind", "into", "state", "from", "when", "by", "tables", "commit")


def next_command(release: Release) -> str:
    """Return what to type next."""
    name, number = release.environment, release.number
    match release.state:
        case ReleaseState.PLANNED | ReleaseState.FAILED if release.missing_approvals:
            return f"kitchen release approve {number} -e {name}"
        case ReleaseState.PLANNED | ReleaseState.FAILED:
            return f"kitchen release apply {number} -e {name}"
        case ReleaseState.RELEASED if release.kind is not ReleaseKind.ROLLBACK:
            return f"kitchen release rollback {number} -e {name}, should it be wrong"
        case ReleaseState.ROLLED_BACK:
            return f"kitchen release apply {number} -e {name}, to go forward again"
    return f"kitchen release show {number} -e {name}"
