"""Leak checks: what must hold before anybody sees a pantry version."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kitchen.domain.catalogue import Catalogue, SourceTable
from kitchen.domain.layout import TableName
from kitchen.domain.masking import Policy
from kitchen.domain.secret import Secret
from kitchen.errors import Refused
from kitchen.masking import leaks
from kitchen.masking.sql import qualified
from kitchen.operations.pantry_key import one_off_key
from kitchen.ports import PantryStore, Snapshot

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Checked:
    """One check with what it found."""

    name: str
    passed: bool
    measured: str
    seconds: float
    faults: tuple[str, ...] = ()

    def document(self) -> dict[str, object]:
        """Return what the manifest keeps."""
        return {
            "name": self.name, "passed": self.passed, "measured": self.measured, "seconds": round(self.seconds, 3),
            "faults": list(self.faults),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Subject:
    """What is verified: a version, against the moment of the source from which it was made."""

    store: PantryStore
    version: int
    policy: Policy
    catalogue: Catalogue  # of the source
    snapshot: Snapshot | None  # None: only what can be seen without the source
    rows: Mapping[TableName, int] | None = None
    suspects: Mapping[TableName, tuple[leaks.Masked, ...]] | None = None  # None: not looked at yet

    def place(self, table: SourceTable) -> str:
        """Return the quoted name of a table in the version."""
        return qualified(self.store.place(self.version, table.name))


def verify(subject: Subject) -> tuple[Checked, ...]:
    """Run every leak check and return all results."""
    checks: list[tuple[str, Callable[[Subject], tuple[str, list[str]]]]] = [
        ("coverage", _coverage), ("rows", _rows), ("ranges", _ranges), ("shapes", _shapes), ("keys", _keys),
    ]  # fmt: skip
    if subject.snapshot is not None:
        checks += [("pool membership", _membership), ("same-row identity", _identity)]
    return tuple(_timed(name, check, subject) for name, check in checks)


def refuse_leaks(checked: Sequence[Checked]) -> None:
    """Raise Refused where a check failed."""
    faults = [f"{check.name}: {fault}" for check in checked if not check.passed for fault in check.faults]
    if faults:
        raise Refused(
            "the leak checks refused the new pantry version:\n" + "\n".join(f"  {fault}" for fault in faults[:20]),
            hint="change these decisions in masking.yaml, then kitchen pantry refresh",
        )


def _timed(name: str, check: Callable[[Subject], tuple[str, list[str]]], subject: Subject) -> Checked:
    started = time.monotonic()
    measured, faults = check(subject)
    return Checked(name, not faults, measured, time.monotonic() - started, tuple(faults))


def _coverage(subject: Subject) -> tuple[str, list[str]]:
    """Every column of the version was decided, and is one that the source had at the moment."""
    known = {(table.name, column.name) for table in subject.catalogue.tables for column in table.columns}
    there = {(t.name, c.name) for t in subject.store.catalogue(subject.version).tables for c in t.columns}
    faults = [
        f"{table}.{column} is in the pantry and not in the source" for table, column in sorted(there - known, key=str)
    ]
    faults += [
        f"{table}.{column} is undecided"
        for table, column in sorted(there, key=str)
        if subject.policy.decided(table, column) is None
    ]
    return f"{len(there)} columns decided", faults


def _rows(subject: Subject) -> tuple[str, list[str]]:
    """Every table has as many rows as left the source."""
    if subject.rows is None:
        return "not compared: the source's moment is over", []
    faults = []
    total = 0
    for table in subject.catalogue.tables:
        found = int(subject.store.query(leaks.count_query(_whole(subject, table)))[0][0])
        total += found
        if found != subject.rows.get(table.name, 0):
            faults.append(f"{table.name} has {found} rows and {subject.rows.get(table.name, 0)} left the source")
    return f"{total} rows", faults


def _whole(subject: Subject, table: SourceTable) -> str:
    return subject.place(table) if table.partitioned else f"ONLY {subject.place(table)}"


def _ranges(subject: Subject) -> tuple[str, list[str]]:
    """Every output of a mask lies in the mask's own range; masks without one are said."""
    faults: list[str] = []
    columns = without = 0
    for table in subject.catalogue.tables:
        masked_columns = leaks.masked_columns(subject.policy, table)
        query = leaks.outside_query(_whole(subject, table), masked_columns)
        covered = len(query[1]) if query is not None else 0
        without += len(masked_columns) - covered
        if query is None or leaks.without_rows(subject.policy, table):
            continue
        columns += covered
        for masked, outside in zip(query[1], subject.store.query(query[0])[0], strict=True):
            if outside:
                faults.append(
                    f"{table.name}.{masked.column.name}: {outside} values are no {masked.decision.mask.value}"
                )
    return f"{columns} columns, {without} masked columns have no range", faults


def _shapes(subject: Subject) -> tuple[str, list[str]]:
    """No e-mail address but ours in anything that may hold text, and nothing where blank was decided."""
    faults: list[str] = []
    looked = 0
    for table in subject.catalogue.tables:
        query = leaks.scan_query(table, subject.store.place(subject.version, table.name), subject.policy)
        if query is None:
            continue
        looked += len(query[1])
        for name, found in zip(query[1], subject.store.query(query[0])[0], strict=True):
            if found:
                faults.append(f"{table.name}.{name}: {found} found")
    schemas = {subject.store.place(subject.version, table.name).schema for table in subject.catalogue.tables}
    if schemas and (found := subject.store.query(leaks.notes_query(sorted(schemas)))[0][0]):
        faults.append(f"comments and defaults hold {found} e-mail addresses")
    return f"{looked} columns, comments and defaults", faults


def _keys(subject: Subject) -> tuple[str, list[str]]:
    """Every unique and foreign key of the source holds in the version."""
    there = subject.store.catalogue(subject.version)
    missing = [
        f"foreign key {key.table}({', '.join(key.columns)}) to {key.to}"
        for key in subject.catalogue.foreign_keys
        if key not in there.foreign_keys and subject.catalogue.table(key.to) is not None
    ]
    for table in subject.catalogue.tables:
        copy = there.table(table.name)
        missing += [
            f"unique {table.name}({', '.join(unique)})"
            for unique in table.uniques
            if copy is None or unique not in copy.uniques
        ]
    return f"{len(subject.catalogue.foreign_keys)} foreign keys", [f"{name} is not in the pantry" for name in missing]


def _membership(subject: Subject) -> tuple[str, list[str]]:
    """No production value of a masked column is in the pantry: those that could be are compared by one-off digests."""
    assert subject.snapshot is not None  # noqa: S101 - verify asks only with a source
    faults: list[str] = []
    compared = 0
    settings = _one_off()
    suspects = subject.suspects
    if suspects is None:
        suspects = look_at_production(subject.snapshot, subject.catalogue, subject.policy)[1]
    for table, masked in ((t, m) for t in subject.catalogue.tables for m in suspects.get(t.name, ())):
        source = leaks.source_of(table, subject.policy)
        digests = [row[0] for row in subject.snapshot.query(leaks.digests_in_range(source, masked), settings)]
        compared += len(digests)
        if not digests:
            continue
        if len(digests) >= leaks.MAX_DIGESTS:
            faults.append(f"{table.name}.{masked.column.name}: too many of production's values look like masked ones")
        query = leaks.with_digests(_whole(subject, table), masked, digests)
        if found := subject.store.query(query, settings)[0][0]:
            faults.append(f"{table.name}.{masked.column.name}: {found} values are production's")
    return f"{compared} values could be ours and were compared by digests", faults


def look_at_production(
    snapshot: Snapshot, catalogue: Catalogue, policy: Policy
) -> tuple[Mapping[str, frozenset[str]], Mapping[TableName, tuple[leaks.Masked, ...]]]:
    """Return the entries of pools that production bears, and the columns whose values look like masked ones."""
    taken: list[Mapping[str, frozenset[str]]] = []
    suspects: dict[TableName, tuple[leaks.Masked, ...]] = {}
    for table in catalogue.tables:
        source = leaks.source_of(table, policy)
        asked = leaks.inside_query(source, leaks.masked_columns(policy, table))
        if asked is None or leaks.without_rows(policy, table):
            continue
        counts = snapshot.query(asked[0])[0]
        suspects[table.name] = tuple(masked for masked, count in zip(asked[1], counts, strict=True) if count)
        for masked in suspects[table.name]:
            if (query := leaks.taken_query(source, masked)) is not None:
                taken.append({query[0]: frozenset(row[0] for row in snapshot.query(query[1]))})
    return leaks.merged(taken), suspects


def _identity(subject: Subject) -> tuple[str, list[str]]:
    """No row of a sample has kept a value of its own."""
    assert subject.snapshot is not None  # noqa: S101 - as above
    faults: list[str] = []
    rows = 0
    settings = _one_off()
    for table in subject.catalogue.tables:
        columns = leaks.identity_columns(table, leaks.masked_columns(subject.policy, table))
        kept = [subject.policy.decided(table.name, name) for name in table.primary_key]
        known = all(key is not None and key.decision.mask.value == "keep" for key in kept)
        if not columns or not kept or not known or leaks.without_rows(subject.policy, table):
            continue
        source = leaks.source_of(table, subject.policy)
        sample = subject.snapshot.query(leaks.identity_query(table, source, columns, None), settings)
        width = len(table.primary_key)
        if not sample:
            continue
        rows += len(sample)
        query = leaks.identity_query(table, _whole(subject, table), columns, [row[:width] for row in sample])
        ours = {row[:width]: row[width:] for row in subject.store.query(query, settings)}
        for position, masked in enumerate(columns):
            same = sum(
                row[width + position] is not None and ours.get(row[:width], row)[position] == row[width + position]
                for row in sample
                if row[:width] in ours
            )
            if same:
                faults.append(f"{table.name}.{masked.column.name}: {same} of {len(sample)} rows kept their value")
    return f"{rows} rows compared by digests", faults


def _one_off() -> tuple[Secret, ...]:
    return tuple(Secret(setting) for setting in one_off_key().settings(["one-off"]))
