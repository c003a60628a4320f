"""Leak checks: what must hold before anybody sees a pantry version."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from kitchen.domain.catalogue import SourceTable
from kitchen.domain.layout import TableName
from kitchen.domain.masking import MaskKind
from kitchen.domain.words import counted
from kitchen.errors import Refused
from kitchen.masking import leaks, proofs, structure_texts
from kitchen.masking.masked import masked_columns
from kitchen.masking.shapes import Shape
from kitchen.operations.pantry_compare import constants, identity, look_at_production, membership
from kitchen.operations.pantry_rights import rights
from kitchen.operations.pantry_subject import Checked, Found, Subject

__all__ = ["Checked", "Subject", "look_at_production", "refuse_leaks", "verify"]

_AT_ONCE = 2  # checks
_PARTS = 4  # of a large table that are looked at side by side
_LARGE = 4096  # pages, 32 MB
FEWEST = 5  # rows that a group of equal quasi-identifiers should have


def verify(subject: Subject) -> tuple[Checked, ...]:
    """Run every leak check and return all results."""
    checks: list[tuple[str, str, Callable[[Subject], Found]]] = [
        ("coverage", "every column was decided, and is one that the source had", _coverage),
        ("rows", "every table has as many rows as left the source", _rows),
        ("ranges", "every masked value lies in its mask's own range, where no real value is", _ranges),
        ("shapes", "no personal shape in kept text, json, arrays, bytes; nothing where blank was decided", _shapes),
        ("structure", "no personal shape in comments, defaults, checks, labels and definitions", _structure),
        ("keys", "every unique and foreign key of the source holds", _keys),
        ("statistics", "the planner's statistics were gathered from masked rows", _statistics),
        ("canaries", "no text that was planted in production is anywhere", _canaries),
        ("rights", "no role of a kitchen reads the source, the records or the server's files", rights),
        ("small groups", "told, not refused: few rows with the same quasi-identifiers", _groups),
    ]
    if subject.snapshot is not None:
        checks += [
            ("pool membership", "no production value of a masked column is in the pantry", membership),
            ("same-row identity", "no row has kept its own value", identity),
            ("constants", "no constant of the structure is a production value of a masked column", constants),
        ]
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:  # each asks in sessions of its own
        return tuple(pool.map(lambda each: _timed(each[0], each[1], each[2], subject), checks))


def refuse_leaks(checked: Sequence[Checked]) -> None:
    """Raise Refused where a check failed."""
    faults = [f"{check.name}: {fault}" for check in checked if not check.passed for fault in check.faults]
    if faults:
        raise Refused(
            "the leak checks refused the new pantry version:\n" + "\n".join(f"  {fault}" for fault in faults[:20]),
            hint=_way_out(checked),
        )


def _way_out(checked: Sequence[Checked]) -> str:
    if all(check.passed or check.name == "structure" for check in checked):
        return "mend that text in production, or say why it may stay: `accepted: {text: why}` in masking.yaml"
    return "change these decisions in masking.yaml, then kitchen pantry refresh"


def _timed(name: str, proves: str, check: Callable[[Subject], Found], subject: Subject) -> Checked:
    started = time.monotonic()
    found = check(subject)
    seconds = time.monotonic() - started
    return Checked(name, proves, not found.faults, found.measured, seconds, found.faults, found.notes, found.looked)


def _coverage(subject: Subject) -> Found:
    """Every column of the version was decided, and is one that the source had at the moment."""
    known = {(table.name, column.name) for table in subject.catalogue.tables for column in table.columns}
    there = {(t.name, c.name) for t in subject.store.catalogue(subject.version).tables for c in t.columns}
    faults = [
        f"{table}.{column} is in the pantry and not in the source" for table, column in sorted(there - known, key=str)
    ]
    for table, column in sorted(there, key=str):
        decided = subject.policy.decided(table, column)
        if decided is None:
            faults.append(f"{table}.{column} is undecided")
        elif decided.decision.mask is MaskKind.DROP:
            faults.append(f"{table}.{column} is in the pantry, and the decision is drop")
    newer = ", ".join(subject.newer)
    notes = (f"the version does not have {newer}: left out by decision, or newer than it",) if newer else ()
    return Found(f"{counted(len(there), 'column')} decided", tuple(faults), notes)


def _rows(subject: Subject) -> Found:
    """Every table has as many rows as left the source."""
    if subject.rows is None:
        return Found("not compared: the source's moment is over", looked=False)
    faults = []
    total = 0
    for table in subject.catalogue.tables:
        found = int(subject.store.query(leaks.count_query(subject.rows_of(table)))[0][0])
        total += found
        if found != subject.rows.get(table.name, 0):
            faults.append(
                f"{table.name} has {counted(found, 'row')} and {subject.rows.get(table.name, 0)} left the source"
            )
    return Found(counted(total, "row"), tuple(faults))


def _ranges(subject: Subject) -> Found:
    """Every output of a mask lies in the mask's own range, and no json holds more than its paths."""
    faults: list[str] = []
    columns = 0
    for table in subject.catalogue.tables:
        if leaks.without_rows(subject.policy, table):
            continue
        masked = masked_columns(subject.policy, table)
        asked = [leaks.outside_query(subject.rows_of(table), masked)]
        documents = tuple(m for m in masked if m.decision.mask is MaskKind.JSON)
        asked.append((proofs.json_query(subject.rows_of(table), documents), documents) if documents else None)
        for query, looked in (found for found in asked if found is not None):
            columns += len(looked)
            for one, outside in zip(looked, subject.store.query(query)[0], strict=True):
                if outside:
                    faults.append(f"{table.name}.{one.column.name}: {outside} values are no {one.decision.mask.value}")
    return Found(counted(columns, "column"), tuple(faults))


def _shapes(subject: Subject) -> Found:
    """Nothing personal in anything that may hold text and has no range, and nothing where blank was decided."""
    faults: list[str] = []
    looked = 0
    for table in subject.catalogue.tables:
        scans = leaks.scans(table, subject.policy)
        if not scans:
            continue
        looked += len(scans)
        place = subject.store.place(subject.version, table.name)
        if not table.partitioned and not _may_hold(subject, table, scans):
            scans = {name: shape for name, shape in scans.items() if shape.text is None}
        if not scans:
            continue
        counts = dict(zip(scans, subject.store.query(leaks.quick_query(place, scans))[0], strict=True))
        unsure = {name: shape for name, shape in scans.items() if counts[name] and shape.exact is not None}
        if unsure:
            exact = subject.store.query(leaks.exact_query(place, unsure))[0]
            counts |= dict(zip(unsure, exact, strict=True))
        faults += [f"{table.name}.{name}: {count} found" for name, count in counts.items() if count]
    return Found(f"{looked} counts over columns", tuple(faults))


def _may_hold(subject: Subject, table: SourceTable, scans: Mapping[str, Shape]) -> bool:
    """Say whether any text of a plain table may hold a shape, its large parts looked at side by side."""
    parts = _PARTS if table.pages > _LARGE else 1
    queries = leaks.any_queries(subject.store.place(subject.version, table.name), scans, parts)
    with ThreadPoolExecutor(max_workers=parts) as pool:
        return any(found[0][0] for found in pool.map(subject.store.query, queries))


def _structure(subject: Subject) -> Found:
    """Nothing personal in the texts that come along with the tables."""
    texts = subject.store.query(structure_texts.query(subject.schemas()))
    faults = [
        f"{what}: holds {kind}"
        for what, text, _ in texts
        for kind in structure_texts.personal(str(text or ""), subject.policy.accepted)
    ]
    return Found(f"{len(texts)} texts", tuple(dict.fromkeys(faults)))


def _keys(subject: Subject) -> Found:
    """Every unique and foreign key of the source holds in the version, but for those of columns that are left out."""
    there = subject.store.catalogue(subject.version)
    missing = [
        f"foreign key {key.table}({', '.join(key.columns)}) to {key.to}"
        for key in subject.catalogue.foreign_keys
        if key not in there.foreign_keys
        and subject.catalogue.table(key.to) is not None
        and not _has_dropped(subject, key.table, key.columns)
    ]
    for table in subject.catalogue.tables:
        copy = there.table(table.name)
        missing += [
            f"unique {table.name}({', '.join(unique)})"
            for unique in table.uniques
            if (copy is None or unique not in copy.uniques) and not _has_dropped(subject, table.name, unique)
        ]
    faults = tuple(f"{name} is not in the pantry" for name in missing)
    return Found(f"{len(subject.catalogue.foreign_keys)} foreign keys", faults)


def _has_dropped(subject: Subject, table: TableName, columns: Sequence[str]) -> bool:
    return any(column in subject.policy.dropped(table) for column in columns)


def _statistics(subject: Subject) -> Found:
    """What the planner remembers of a column lies in its mask's range."""
    faults = []
    looked = 0
    for table in subject.catalogue.tables:
        place = subject.store.place(subject.version, table.name)
        query = proofs.statistics_query(place.schema, place.name, masked_columns(subject.policy, table))
        for column, outside in subject.store.query(query) if query is not None else ():
            looked += 1
            if outside:
                faults.append(f"{table.name}.{column}: statistics hold {outside} values that are no masked ones")
    return Found(counted(looked, "column"), tuple(faults))


def _canaries(subject: Subject) -> Found:
    """Nothing of what the policy names as planted in production is in the pantry."""
    canaries = subject.policy.canaries
    if not canaries:
        return Found("none are declared (`canaries:` in masking.yaml)", looked=False)
    faults: dict[str, None] = {}
    for table in subject.catalogue.tables:
        query = proofs.canaries_query(table, subject.rows_of(table), canaries)
        for number, found in enumerate(subject.store.query(query)[0], start=1):
            if found:
                faults[f"{table.name}: canary {number} is in {counted(found, 'row')}"] = None
    for what, text, _ in subject.store.query(structure_texts.query(subject.schemas())):
        for number, canary in enumerate(canaries, start=1):
            if canary.lower() in str(text or "").lower():
                faults[f"{what}: holds canary {number}"] = None
    return Found(f"{counted(len(canaries), 'text')} in every row and in the structure", tuple(faults))


def _groups(subject: Subject) -> Found:
    """Count, of each table with quasi-identifiers, rows in groups so small that they may single somebody out."""
    notes = []
    sets = 0
    for table in subject.catalogue.tables:
        columns = subject.policy.table(table.name).quasi_identifiers
        if not columns or leaks.without_rows(subject.policy, table):
            continue
        sets += 1
        few, rows, groups = subject.store.query(proofs.groups_query(subject.rows_of(table), columns, FEWEST))[0]
        said = f"{few} of {groups} groups have fewer than {FEWEST} rows, {counted(rows, 'row')} in all"
        notes.append(f"{table.name} ({', '.join(columns)}): {said}")
    if not sets:
        return Found("none are declared (`quasi_identifiers:` of a table in masking.yaml)", looked=False)
    return Found(f"{counted(sets, 'set')} of quasi-identifiers", notes=tuple(notes))
