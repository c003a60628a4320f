"""Brings back what stood in a kitchen before (or after) a release: the same swap, with what was kept, and no run.

The branch goes forward: a new commit that takes out what the releases changed, so that nothing that happened is
forgotten and nothing of others is lost (see ``rollback_files``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from kitchen.domain.journal import Operation
from kitchen.domain.kitchen import Kitchen
from kitchen.domain.layout import TableName
from kitchen.domain.release import Release, ReleaseKind, ReleasePlan, ReleaseState
from kitchen.domain.words import counted
from kitchen.errors import Conflict, Incomplete, NotFound, Refused
from kitchen.operations.apply import target_of
from kitchen.operations.create_plan import from_document, to_document
from kitchen.operations.delivery import refuse_dirty, target_head_of
from kitchen.operations.delivery_build import Delivery
from kitchen.operations.delivery_services import DeliveryServices
from kitchen.operations.delivery_steps import (
    WAIT,
    branch_step,
    follow_step,
    note_failure,
    open_again,
    others_schemas,
    publishing_step,
    validate_step,
)
from kitchen.operations.journalled import perform
from kitchen.operations.rollback_files import files_without
from kitchen.operations.sharing import fetch
from kitchen.operations.unfinished import refuse_publishing
from kitchen.ports import Arrival, Publication, Published, Repository
from kitchen.saga import Step

Say = Callable[[str], None]

_DONE = (ReleaseState.RELEASED, ReleaseState.ROLLED_BACK)


@dataclass(frozen=True, slots=True)
class Restoration:
    """What going back (or forward again) to a state means."""

    target: Kitchen
    plan: ReleasePlan
    arrivals: tuple[Arrival, ...]
    drops: tuple[TableName, ...]
    undone: tuple[Release, ...]  # releases that are no longer in afterwards
    redone: tuple[Release, ...]  # releases that are in again
    kept: tuple[str, ...] = ()  # files that releases changed and that change only by review


def plan_rollback(services: DeliveryServices, repository: Repository, release: Release) -> Restoration:
    """Return what bringing back the state before a release means; every release since goes with it.

    Raises Conflict where the release is not in, and Refused where a table of then is no longer kept.
    """
    if release.state is not ReleaseState.RELEASED or release.kind is ReleaseKind.ROLLBACK:
        raise _not_in(release)
    return _plan(services, repository, release, release.number - 1)


def plan_forward(services: DeliveryServices, repository: Repository, release: Release) -> Restoration:
    """Return what bringing back the state after a release means.

    Raises Conflict where the release was never in, or another came in since it was rolled back.
    """
    if release.state not in _DONE or release.commit is None or release.kind is ReleaseKind.ROLLBACK:
        raise _not_in(release)
    if release.state is ReleaseState.ROLLED_BACK:
        since = [r for r in _history(services, release.kitchen) if r.number > release.number]
        newer = [r for r in since if r.kind is not ReleaseKind.ROLLBACK and r.state is ReleaseState.RELEASED]
        if newer:
            raise Conflict(
                f"release {newer[0].number} came in since release {release.number} was rolled back",
                hint="kitchen release plan",
            )
    return _plan(services, repository, release, release.number)


def _not_in(release: Release) -> Conflict:
    if release.kind is not ReleaseKind.ROLLBACK:
        return Conflict(f"release {release.number} is {release.state}", hint="kitchen release list")
    to = release.plan.restores
    hint = f"kitchen release rollback --to {to} -e {release.environment}" if to else "kitchen release list"
    return Conflict(f"release {release.number} is a rollback itself: name what was promoted", hint=hint)


def _plan(services: DeliveryServices, repository: Repository, release: Release, after: int) -> Restoration:
    """Plan the state as it was when release ``after`` and nothing later was in."""
    target = target_of(services, release)
    refuse_publishing(services.control, target)  # what is half-way in is neither before nor after any release
    history = _history(services, target.name)
    arrivals, drops = _moves(services, history, after)
    then = _in_after(history, after)
    promoted = [r for r in history if r.kind is not ReleaseKind.ROLLBACK]
    undone = tuple(r for r in promoted if r.state is ReleaseState.RELEASED and r.number not in then)
    redone = tuple(r for r in promoted if r.state is ReleaseState.ROLLED_BACK and r.number in then)
    fetch(repository, [target.branch])
    base = target_head_of(repository, target)
    assert target.branch is not None  # noqa: S101 - its head was read
    head, kept = files_without(repository, base, undone, redone)
    files = repository.changed_paths(base, head)
    refuse_dirty(repository, target.branch, any_change=False, incoming=files)
    if not (arrivals or drops or files):
        raise _nothing_to_move(target, release, kept)
    names = {arrival.source.name for arrival in arrivals} | {table.name for table in drops}
    plan = ReleasePlan(
        source=target.name, source_branch=target.branch, branch=target.branch, base=base, head=head, nodes={},
        tables=tuple(sorted(names)), drops=tuple(sorted(map(str, drops))),
        commits=tuple(commit for r in reversed(undone) for commit in r.plan.commits), files=files, restores=after,
    )  # fmt: skip
    return Restoration(target, plan, arrivals, drops, undone, redone, kept)


def _nothing_to_move(target: Kitchen, release: Release, kept: Sequence[str]) -> Conflict:
    if kept:
        return Conflict(
            f"release {release.number} changed only {', '.join(kept)}, which change only by review",
            hint="change them in a kitchen, then merge or promote that",
        )
    return Conflict(f"{target.name} stands there already", hint="kitchen release list")


def _history(services: DeliveryServices, kitchen: str) -> tuple[Release, ...]:
    """Return what ever was in, oldest first."""
    return tuple(r for r in reversed(services.control.releases.all(kitchen=kitchen)) if r.state in _DONE)


def _in_after(history: Sequence[Release], after: int) -> frozenset[int]:
    """Return the numbers of the releases that were in when ``after`` and nothing later had happened."""
    states: dict[int, frozenset[int]] = {0: frozenset()}

    def at(number: int) -> frozenset[int]:
        return states[max(known for known in states if known <= number)]

    for release in history:
        if release.number > after:
            break
        if release.kind is ReleaseKind.ROLLBACK:
            states[release.number] = at(release.plan.restores or 0)
        else:
            states[release.number] = at(release.number) | {release.number}
    return at(after)


def _moves(
    services: DeliveryServices, history: Sequence[Release], after: int
) -> tuple[tuple[Arrival, ...], tuple[TableName, ...]]:
    """Return what has to move so that every table is the relation that it was then."""
    then: dict[TableName, int | None] = {}
    now: dict[TableName, int | None] = {}
    for release in history:
        for swapped in release.swapped:
            if release.number > after:
                then.setdefault(swapped.table, swapped.before)
            now[swapped.table] = swapped.after
    wanted = {table: number for table, number in then.items() if number != now[table]}
    places = services.publisher.find([number for number in wanted.values() if number is not None])
    lost = [
        str(table) for table, number in wanted.items()
        if number is not None and (number not in places or places[number].name != table.name)
    ]  # fmt: skip
    if lost:
        raise Refused(
            f"what stood there then is no longer kept: {', '.join(sorted(lost))}",
            hint="promote a commit that brings it back",
        )
    arrivals = tuple(Arrival(places[number], table.schema) for table, number in wanted.items() if number is not None)
    return arrivals, tuple(table for table, number in wanted.items() if number is None)


def restore(
    services: DeliveryServices, repository: Repository, restoration: Restoration, *, why: str, say: Say
) -> Release:
    """Move tables and branch back (or forward) together and return the release that records it."""
    services.sessions.administrator()  # whoever may not publish is told so, before anything is made
    target, plan = restoration.target, restoration.plan
    release = services.control.releases.add(
        ReleaseKind.ROLLBACK, services.environment.name, target.name, plan, by=services.person
    )
    commit = _commit(repository, plan, release.number, why)
    steps = restore_steps(services, repository, restoration, release, commit, say=say)
    arguments: dict[str, object] = {
        "release": release.number, "commit": commit, "target": to_document(target),
        "arrivals": [[a.source.schema, a.source.name, a.to] for a in restoration.arrivals],
        "drops": [[table.schema, table.name] for table in restoration.drops],
        "undone": [r.number for r in restoration.undone], "redone": [r.number for r in restoration.redone],
    }  # fmt: skip
    try:
        perform(services.control, "rollback", target.name, arguments, steps, say)
    except BaseException as cause:
        if not isinstance(cause, Incomplete):  # nothing is left of it, also where it never began: the kitchen is locked
            with suppress(Conflict):
                services.control.releases.move(
                    release.number, ReleaseState.FAILED, expected=(ReleaseState.PLANNED, ReleaseState.FAILED)
                )
        note_failure(services, release.number, cause)
        raise
    return services.control.releases.get(release.number) or release


def preview_steps(services: DeliveryServices, repository: Repository, restoration: Restoration) -> tuple[str, ...]:
    """Return, in words, the very steps that restoring takes."""
    target, plan, now = restoration.target, restoration.plan, datetime.now(UTC)
    release = Release(
        0, ReleaseKind.ROLLBACK, target.environment, target.name, plan, ReleaseState.PLANNED, services.person, now
    )
    steps = restore_steps(services, repository, restoration, release, plan.head, say=lambda _: None)
    return tuple(step.says for step in steps)


def _commit(repository: Repository, plan: ReleasePlan, number: int, why: str) -> str:
    """Write the commit that has the files of then on top of what is now; none where nothing differs."""
    tree = repository.tree_of(plan.head)
    if tree == repository.tree_of(plan.base):
        return plan.base
    return repository.commit_tree(tree, [plan.base], f"{why}\n\nKitchen-Release: {number}\n")


def restore_steps(
    services: DeliveryServices, repository: Repository, restoration: Restoration, release: Release, commit: str, *,
    say: Say,
) -> list[Step]:  # fmt: skip
    """Return the steps of a rollback."""
    target, plan = restoration.target, restoration.plan
    delivery = Delivery(services, repository, release, commit, target, None, say)
    releases = services.control.releases
    archives = {arrival.to for arrival in restoration.arrivals} | {table.schema for table in restoration.drops}
    publication = Publication(
        restoration.arrivals, restoration.drops,
        {schema: services.layout.archive(schema, release.number) for schema in sorted(archives)},
        target.owner_role, untouched=others_schemas(services, target), mark=target.mark,
    )  # fmt: skip

    def is_in() -> bool:
        found = releases.get(release.number)
        return found is not None and found.state is ReleaseState.RELEASED

    def record(done: Published) -> None:
        releases.released(release.number, commit=commit, tag=None, exchanged=done.exchanged)
        for undone in reversed(restoration.undone):
            releases.move(undone.number, ReleaseState.ROLLED_BACK, expected=_DONE)
            services.control.runs.set_once_aside(target.name, str(undone.commit))
        for redone in restoration.redone:
            releases.move(redone.number, ReleaseState.RELEASED, expected=_DONE)
            services.control.runs.bring_once_back(target.name, str(redone.commit))
        open_again(services, target)
        detail = {"release": release.number, "restores": plan.restores, "commit": commit}
        services.control.audit.outcome("publish", target.name, "restored", detail)

    def swap() -> None:
        if not is_in():
            done = services.publisher.publish(publication, wait=WAIT, record=record)
            say(f"  {counted(len(done.exchanged), 'table')} in {done.seconds * 1000:.0f} ms")

    def fail() -> None:
        if not is_in():
            releases.move(release.number, ReleaseState.FAILED, expected=(ReleaseState.PLANNED, ReleaseState.FAILED))

    def rehearse() -> None:
        try:
            services.publisher.publish(publication, wait=WAIT, record=lambda _: None, rehearse=True)
        except Refused as refused:  # no node builds what comes back: what stands there now is in its way
            raise Refused(
                refused.message, hint="mend the rows that came in since, or promote a commit that goes back instead"
            ) from refused

    tables = ", ".join(plan.tables) or "no tables"
    return [
        Step("rehearsal", "rehearsing the swap", do=rehearse, look=lambda: False, undo=fail),
        publishing_step(services, target),
        branch_step(delivery),
        Step("swap", f"moving {tables} back into {target.name}", do=swap, look=is_in),
        follow_step(repository, plan.branch, delivery),
        validate_step(delivery),
    ]


def rebuild(services: DeliveryServices, repository: Repository, operation: Operation) -> list[Step]:
    """Return the steps of an interrupted rollback."""
    kept = operation.arguments
    number, commit = kept["release"], kept["commit"]
    assert isinstance(number, int)  # noqa: S101 - our own writing
    assert isinstance(commit, str)  # noqa: S101 - our own writing
    release = services.control.releases.get(number)
    if release is None:
        raise NotFound(f"release {number} is not recorded any more", hint="kitchen release list")
    restoration = Restoration(
        from_document(kept["target"]), release.plan,  # type: ignore[arg-type]  # our own writing
        tuple(Arrival(TableName(schema, name), to) for schema, name, to in _rows(kept["arrivals"])),
        tuple(TableName(schema, name) for schema, name in _rows(kept["drops"])),
        _releases(services, kept["undone"]), _releases(services, kept["redone"]),
    )  # fmt: skip
    return restore_steps(services, repository, restoration, release, commit, say=lambda _: None)


def _rows(kept: object) -> list[list[str]]:
    assert isinstance(kept, list)  # noqa: S101 - our own writing
    return kept


def _releases(services: DeliveryServices, numbers: object) -> tuple[Release, ...]:
    assert isinstance(numbers, list)  # noqa: S101 - our own writing
    return tuple(found for number in numbers if (found := services.control.releases.get(number)) is not None)
