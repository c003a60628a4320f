"""Make a new pantry version: mask on the source, stream over, check for leaks, and only then show it to anybody."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from kitchen import __version__
from kitchen.domain.catalogue import ColumnName, SourceTable
from kitchen.domain.environment import Environment
from kitchen.domain.journal import Operation
from kitchen.domain.kitchen import Kitchen, State
from kitchen.domain.layout import Layer, TableName
from kitchen.domain.masking import Policy
from kitchen.domain.masking_document import to_document
from kitchen.domain.sample import Sample
from kitchen.domain.secret import Secret
from kitchen.domain.words import counted
from kitchen.errors import Conflict, KitchenError, Refused
from kitchen.masking import trial
from kitchen.masking.domains import components
from kitchen.masking.keys import MaskingKey
from kitchen.masking.select import MaskedSelect, masked_select
from kitchen.operations import journalled
from kitchen.operations.governing import Governed
from kitchen.operations.pantry_check import Examined, examine, refuse
from kitchen.operations.pantry_key import masking_key
from kitchen.operations.pantry_verify import Checked, Subject, look_at_production, refuse_leaks, verify
from kitchen.operations.rebind import rebind
from kitchen.operations.subset import Subset, check_subset, choose, jobs_of
from kitchen.ports import (
    Control,
    CopyJob,
    PantryStore,
    SecretStore,
    Session,
    Sessions,
    Snapshot,
    Source,
    Tables,
    Workspaces,
)
from kitchen.saga import Step

KIND = "pantry refresh"
LOCK = "pantry"
KEEP = 2  # newest versions that stay although nobody uses them
_RANGE_PAGES = 4096  # 32 MB: larger tables are read in ranges, several at a time
_MANY_PARTS = 200
_LOCK_WAIT = 20.0

Say = Callable[[str], None]
Report = Callable[[int, int, int], None]  # rows so far, bytes so far, rows expected


class Services(Protocol):
    """What a refresh asks of the environment that receives the pantry."""

    @property
    def environment(self) -> Environment: ...
    @property
    def control(self) -> Control: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def tables(self) -> Tables: ...
    @property
    def workspaces(self) -> Workspaces: ...
    @property
    def pantry_store(self) -> PantryStore: ...
    def binder(self, kitchen: Kitchen, *, application: str) -> Session: ...
    def layer(self, kitchen: Kitchen) -> Layer: ...
    def standing(self) -> Kitchen: ...


@dataclass(frozen=True, slots=True)
class Refresh:
    """What a refresh reads: the source, its secrets, the policy; and how it reports."""

    source: Source
    source_name: str
    secrets: SecretStore  # of the source environment
    policy: Policy
    sample: Sample | None = None
    governed: Governed | None = None  # the commit that policy and sample are from; None: one person's folder
    report: Report = lambda _rows, _bytes, _expected: None
    workers: int = field(default_factory=lambda: min(4, os.cpu_count() or 1))


@dataclass(slots=True)
class _Work:
    """What the steps of one process hand on to each other; a process that recovers builds anew or goes forward."""

    manifest: dict[str, object] = field(default_factory=dict)


def refresh(services: Services, wish: Refresh, *, say: Say) -> int:
    """Make, check and publish a new version and return its number.

    Raises Refused where the policy does not cover the source or a leak check fails; the old version stands.
    """
    finish_interrupted(services, say=say)
    services.standing()  # an environment that is not set up is said before anything is read
    version = services.control.pantries.begin({"source": wish.source_name, "policy": wish.policy.digest})
    try:
        steps = refresh_steps(services, version, wish=wish, say=say)
        commit = wish.governed.commit if wish.governed is not None else None
        journalled.perform(services.control, KIND, LOCK, {"version": version, "commit": commit}, steps, say)
    except BaseException:
        with suppress(KitchenError):  # the record alone hurts nobody, and the next refresh drops it
            _forget_unbuilt(services, version)
        raise
    prune(services, say=say)
    return version


def refresh_steps(services: Services, version: int, *, wish: Refresh | None, say: Say) -> tuple[Step, ...]:
    """Return the steps of a refresh; without a wish only those that undo it or go on past its pivot can run."""
    work = _Work()
    store = services.pantry_store
    records = services.control.pantries

    def build() -> None:
        if wish is None:
            raise Refused("a refresh is begun anew, not resumed", hint="kitchen pantry refresh")
        store.drop(version)
        work.manifest = dict(_built(services, wish, version, say))

    def publish() -> None:
        records.publish(version, work.manifest)

    def published() -> bool:
        return any(found.version == version and found.state == "ready" for found in records.all())

    def forget() -> None:
        store.drop(version)
        records.drop(version)

    return (
        Step("build", f"masking {services.environment.data.source if services.environment.data else 'the source'}"
             f" into pantry v{version}", build, lambda: False, forget),
        Step("publish", f"publishing pantry v{version}", publish, published, pivot=True),
        Step("rebind", f"opening pantry v{version} to {services.environment.name}",
             lambda: _rebind(services, version), lambda: _is_rebound(services, version)),
    )  # fmt: skip


def rebuild(services: Services, repository: object, operation: Operation) -> Sequence[Step]:
    """Return the steps of a refresh that a process left (see ``operations.recover``)."""
    version = int(str(operation.arguments["version"]))
    return refresh_steps(services, version, wish=None, say=_silence)


def _silence(_: str) -> None:
    """Say nothing: who recovers says it."""


def finish_interrupted(services: Services, *, say: Say) -> None:
    """End refreshes that were killed, and drop versions that were never published."""
    for operation in services.control.journal.unfinished():
        if operation.kind == KIND:
            steps = rebuild(services, None, operation)
            journalled.recover(services.control, operation, steps, say)
    with services.control.locks.hold(LOCK, purpose="prune"):
        for found in services.control.pantries.all():
            if found.state == "building" and found.version in _used(services):  # a prune was killed
                services.control.pantries.publish(found.version, found.manifest)
            elif found.state == "building":
                with suppress(Conflict):  # something still reads it
                    _forget_unbuilt(services, found.version)


def _forget_unbuilt(services: Services, version: int) -> None:
    for found in services.control.pantries.all():
        if found.version == version and found.state == "building":
            services.pantry_store.drop(version)
            services.control.pantries.drop(version)


def prune(services: Services, *, say: Say) -> tuple[int, ...]:
    """Drop versions that no kitchen uses, except the newest; what is still read stays, and is said."""
    pantries = services.control.pantries
    ready = [found for found in pantries.all() if found.state == "ready"]
    dropped = []
    for found in ready[KEEP:]:
        if found.version in _used(services):
            continue
        pantries.withdraw(found.version)
        # Whoever moves to a version records that and then looks whether it is still ready; here it is the other way
        # round: one of the two sees the other.
        if found.version in _used(services):
            pantries.publish(found.version, found.manifest)
            continue
        try:
            services.pantry_store.drop(found.version)
            pantries.drop(found.version)
            dropped.append(found.version)
        except Conflict as kept:
            pantries.publish(found.version, found.manifest)
            say(f"pantry v{found.version} stays: {kept.message}")
    return tuple(dropped)


def _used(services: Services) -> frozenset[int | None]:
    return frozenset(kitchen.pantry for kitchen in services.control.kitchens.all())


def _rebind(services: Services, version: int) -> None:
    """Let the standing kitchen see the version. Working kitchens keep theirs until they update."""
    give_up = time.monotonic() + _LOCK_WAIT
    while True:
        try:
            with services.control.locks.hold(services.environment.name, purpose=KIND):
                standing = services.standing()
                moved = replace(standing, pantry=version)
                if (standing.pantry or 0) > version:
                    return
                rebind(services, services.layer(moved))
                if standing.pantry != version:  # last, so that who looks at the record knows that all is done
                    services.control.kitchens.save(moved, expected=State.READY)
                return
        except Conflict:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.2)


def _is_rebound(services: Services, version: int) -> bool:
    return (services.standing().pantry or 0) >= version


def _built(services: Services, wish: Refresh, version: int, say: Say) -> Mapping[str, object]:
    """Build and check a version in one moment of the source, and return its manifest."""
    started = time.monotonic()
    newest = services.control.pantries.newest()
    with wish.source.snapshot() as snapshot:
        examined = examine(snapshot, wish.policy, newest=newest, allow_proposed=services.environment.is_embedded)
        if examined.stopping:
            raise refuse(examined.stopping)
        moved = newest is not None and newest.manifest.get("source") != wish.source_name  # another has a key of its own
        key = masking_key(wish.secrets, newest=None if moved else newest)
        subset = choose(snapshot, examined.catalogue, wish.policy, wish.sample, say=say)
        taken, suspects = look_at_production(snapshot, examined.catalogue, wish.policy)
        jobs = copy_jobs(wish, snapshot, examined, key, taken, subset=subset)
        structure, left_out = services.pantry_store.make(
            version, snapshot, {table.name: wish.policy.dropped(table.name) for table in examined.catalogue.tables}
        )
        expected = subset.rows if subset is not None else sum(table.rows for table in examined.catalogue.tables)
        copying = time.monotonic()
        rows = services.pantry_store.copy(
            version, snapshot, jobs, workers=wish.workers,
            report=lambda done, size: wish.report(done, size, max(expected, done)),
        )  # fmt: skip
        copied = time.monotonic() - copying
        say(f"copied {counted(sum(rows.values()), 'row')} in {copied:.1f} s; building keys and indexes")
        finishing = time.monotonic()
        notes = services.pantry_store.finish(version, structure)
        finished = time.monotonic() - finishing
        say("checking for leaks")
        subject = Subject(services.pantry_store, version, wish.policy, examined.catalogue, snapshot, rows, suspects)
        checked = verify(subject)
        if subset is not None:
            checked += (check_subset(services.pantry_store, version, subset, rows),)
        refuse_leaks(checked)
        snapshot.refuse_changes()
        seconds = {"copy": round(copied, 3), "finish": round(finished, 3), "all": round(time.monotonic() - started, 3)}
        return _manifest(
            wish, snapshot, examined, subset, key=key, rows=rows, left_out=left_out, notes=notes, checked=checked,
            seconds=seconds,
        )  # fmt: skip


def copy_jobs(
    wish: Refresh, snapshot: Snapshot, examined: Examined, key: MaskingKey, taken: Mapping[str, frozenset[str]],
    *, subset: Subset | None = None,
) -> list[CopyJob]:  # fmt: skip
    """Return the masked SELECT of every table, tried on a few rows, in ranges where a table is large."""
    catalogue, policy = examined.catalogue, wish.policy
    joined: Mapping[ColumnName, str] = components(catalogue, policy)
    jobs: list[CopyJob] = []
    for table in catalogue.tables:
        select = masked_select(policy, table, joined, taken=taken)
        if not select.columns:
            continue
        settings = tuple(Secret(setting) for setting in key.settings(select.domains))
        _try(snapshot, policy, select, settings)
        if subset is not None and (pieces := subset.pieces.get(table.name)) is not None:
            jobs += jobs_of(select, pieces, settings)
            continue
        jobs += [
            CopyJob(table.name, table.physical, select.sql(piece.condition, part=piece.part), select.columns, settings,
                    max(piece.pages, 1), part=piece.part, is_ours=select.is_ours)
            for piece in _pieces(select)
        ]  # fmt: skip
    return jobs


def _try(snapshot: Snapshot, policy: Policy, select: MaskedSelect, settings: tuple[Secret, ...]) -> None:
    """Mask a few rows and ask whether the table would take them; raises Refused with the constraint's name."""
    asked = trial.query(policy, select)
    if asked is None:
        return
    statement, names = asked
    table = select.table.name
    try:
        counted = snapshot.query(statement, settings)[0]
    except Refused as refused:
        raise Refused(f"{table}: masked values do not fit a domain of the table ({refused.message})") from None
    wrong = [name for name, count in zip(names, counted, strict=False) if count]  # one count more: all rows
    if wrong:
        raise Refused(
            f"{table}: masked values violate {', '.join(wrong)}",
            hint="keep the column with a reason, blank it, or write an expression: mask: sql",
        )


@dataclass(frozen=True, slots=True)
class _Piece:
    """What one job reads of a table: a partition, or all; a range of its pages, or all."""

    part: TableName | None
    condition: str | None
    pages: int


def _pieces(select: MaskedSelect) -> list[_Piece]:
    """Cut a large table into what is read apart; many partitions too, for one statement would lock them all."""
    table: SourceTable = select.table
    large = table.pages > _RANGE_PAGES or len(table.parts) > _MANY_PARTS
    if not select.splittable or not large or (table.partitioned and not table.parts):
        return [_Piece(None, None, table.pages)]
    if not table.partitioned:
        return _ranges(None, table.pages)
    return [piece for part in table.parts for piece in _ranges(part.physical, part.pages)]


def _ranges(part: TableName | None, pages: int) -> list[_Piece]:
    if pages <= _RANGE_PAGES:
        return [_Piece(part, None, pages)]
    starts = range(0, pages, _RANGE_PAGES)
    return [
        _Piece(
            part,
            f"t.ctid >= '({start},0)'::tid"
            + (f" AND t.ctid < '({start + _RANGE_PAGES},0)'::tid" if start + _RANGE_PAGES < pages else ""),
            min(_RANGE_PAGES, pages - start),
        )
        for start in starts
    ]


def _manifest(
    wish: Refresh, snapshot: Snapshot, examined: Examined, subset: Subset | None, *, key: MaskingKey,
    rows: Mapping[TableName, int], left_out: tuple[str, ...], notes: tuple[str, ...], checked: tuple[Checked, ...],
    seconds: Mapping[str, float],
) -> dict[str, object]:  # fmt: skip
    """Return what a version says of itself: no value of any row, and of the key only its id."""
    tables = examined.catalogue.tables
    masks: dict[str, str] = {}
    for table in tables:
        for column in table.columns:
            if (decided := wish.policy.decided(table.name, column.name)) is not None:
                masks[f"{table.name}.{column.name}"] = decided.decision.mask.value
    return {
        "source": wish.source_name,
        "source_is_masked": snapshot.masked,
        "server": snapshot.server,
        "snapshot": {"id": snapshot.id, "taken_at": snapshot.taken_at.isoformat()},
        "made_at": datetime.now(UTC).isoformat(),
        "kitchen": __version__,
        "policy": {
            "file": wish.policy.name,
            "sha256": wish.policy.digest,
            "branch": wish.governed.branch if wish.governed is not None else None,
            "commit": wish.governed.commit if wish.governed is not None else None,
            "decisions": to_document(wish.policy),
        },
        "key_id": key.id,
        "rows": {str(table): count for table, count in sorted(rows.items(), key=lambda item: str(item[0]))},
        "columns": {f"{table.name}.{column.name}": column.type for table in tables for column in table.columns},
        "masks": masks,
        "sample": subset.document() if subset is not None else None,
        "references": [
            [each.table, list(each.columns), each.to_table, list(each.to_columns)] for each in wish.policy.references
        ],
        "left_out": [*examined.catalogue.left_out, *left_out],
        "notes": list(notes),
        "checks": [check.document() for check in checked],
        "seconds": dict(seconds),
        "words": "masked and pseudonymised with a key; whoever holds the key and the source can link it back",
    }
