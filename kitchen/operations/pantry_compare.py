"""Leak checks that compare a version with production, by digests under a key that is forgotten afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kitchen.domain.catalogue import Catalogue, SourceTable
from kitchen.domain.layout import TableName
from kitchen.domain.masking import MaskKind, Policy
from kitchen.domain.secret import Secret
from kitchen.domain.words import counted
from kitchen.masking import leaks, proofs, structure_texts
from kitchen.masking.masked import Masked, masked_columns
from kitchen.operations.pantry_key import one_off_key
from kitchen.operations.pantry_subject import Found, Subject
from kitchen.ports import Snapshot

_SMALLEST_POOL = 8  # entries, by far: a mask that did nothing keeps every row
_FEW_ROWS = 6


def look_at_production(
    snapshot: Snapshot, catalogue: Catalogue, policy: Policy
) -> tuple[Mapping[str, frozenset[str]], Mapping[TableName, tuple[Masked, ...]]]:
    """Return the entries of pools that production bears, and the columns whose values look like masked ones.

    In a source that is masked itself all of them do, and are nobody's: nothing is looked for.
    """
    if snapshot.masked:
        return {}, {}
    taken: list[Mapping[str, frozenset[str]]] = []
    suspects: dict[TableName, tuple[Masked, ...]] = {}
    for table in catalogue.tables:
        source = leaks.source_of(table, policy)
        asked = leaks.inside_query(source, masked_columns(policy, table))
        if asked is None or leaks.without_rows(policy, table):
            continue
        counts = snapshot.query(asked[0])[0]
        suspects[table.name] = tuple(masked for masked, count in zip(asked[1], counts, strict=True) if count)
        for masked in suspects[table.name]:
            if (query := leaks.taken_query(source, masked)) is not None:
                taken.append({query[0]: frozenset(row[0] for row in snapshot.query(query[1]))})
    return leaks.merged(taken), suspects


def membership(subject: Subject) -> Found:
    """No production value of a masked column is in the pantry.

    Where a mask has a range of its own, outputs lie inside it (see ``ranges``) and production's values outside; those
    of production that lie inside are compared. Where it has none, all values are.
    """
    assert subject.snapshot is not None  # noqa: S101 - verify asks only with a source
    faults: list[str] = []
    compared = columns = 0
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
        query = leaks.with_digests(subject.rows_of(table), masked, digests)
        if found := subject.store.query(query, settings)[0][0]:
            faults.append(f"{table.name}.{masked.column.name}: {found} values are production's")
    small: list[str] = []
    for table in _filled(subject):
        for masked in masked_columns(subject.policy, table):
            name = f"{table.name}.{masked.column.name}"
            if proofs.in_element(masked, "inside") is not None:
                columns += 1
            elif proofs.is_wide(masked):
                columns += 1
                both, count = _in_both(subject, table, masked, settings)
                compared += count
                if both:
                    faults.append(f"{name}: {both} values are production's")
            elif masked.decision.mask not in (MaskKind.CONST, MaskKind.JSON):
                small.append(f"{name} ({masked.decision.mask.value})")
    notes = ["values of a small range, which production and pantry share by chance; compared row by row: "
             + ", ".join(small)] if small else []  # fmt: skip
    if subject.snapshot.masked:
        notes.append("the source is masked itself: its values that lie in the range of a mask are nobody's")
    return Found(
        f"{counted(columns, 'column')}; {counted(compared, 'value')} compared by digests", tuple(faults), tuple(notes)
    )


def _in_both(subject: Subject, table: SourceTable, masked: Masked, settings: Sequence[Secret]) -> tuple[int, int]:
    """Return how many values of a column both have, and how many were compared."""
    assert subject.snapshot is not None  # noqa: S101 - as above
    rows = int(subject.store.query(leaks.count_query(subject.rows_of(table)))[0][0])
    rows = max(rows, table.rows)  # of a sample, production has many more
    share = 256 if rows <= leaks.MAX_DIGESTS else max(1, 256 * leaks.MAX_DIGESTS // rows)
    source = leaks.source_of(table, subject.policy)
    theirs = {row[0] for row in subject.snapshot.query(proofs.values_query(source, masked, share), settings)}
    ours = subject.store.query(proofs.values_query(subject.rows_of(table), masked, share), settings)
    return sum(row[0] in theirs for row in ours), len(theirs)


def identity(subject: Subject) -> Found:
    """No row has kept a value of its own."""
    faults: list[str] = []
    notes: list[str] = []
    apart: list[str] = []
    rows = parts_left = 0
    settings = _one_off()
    for table in _filled(subject):
        columns = masked_columns(subject.policy, table, reviewed=True)
        columns = tuple(m for m in columns if m.column.name not in table.primary_key)
        kept = [subject.policy.decided(table.name, name) for name in table.primary_key]
        if not columns:
            continue
        if not kept or not all(key is not None and key.decision.mask is MaskKind.KEEP for key in kept):
            apart.append(str(table.name))
            continue
        count = int(subject.store.query(leaks.count_query(subject.rows_of(table)))[0][0])
        parts = -(-count // proofs.SLICE) or 1
        looked = parts if subject.whole else 1
        parts_left += parts - looked
        same = [0] * len(columns)
        paired = 0
        for part in range(looked):
            sample = table.rows > 2 * count
            found = _same(subject, table, columns, (part, parts), settings=settings, sample=sample)
            paired += found[0]
            same = [a + b for a, b in zip(same, found[1:], strict=True)]
        rows += paired
        if count and not paired:
            notes.append(f"{table.name}: no row of it is in the source any more")
        for masked, number in zip(columns, same, strict=True):
            if not number:
                continue
            said = f"{table.name}.{masked.column.name}: {number} of {paired} rows kept their value"
            if proofs.is_strict(masked.decision) and number > _by_chance(subject, masked, paired):
                faults.append(said)
            else:
                notes.append(f"{said} by chance or decision ({masked.decision.mask.value})")
    if apart:
        notes.append(f"rows of {', '.join(apart)} cannot be paired: their key is masked, or they have none")
    share = "" if not parts_left else ", of large tables one part (all: --whole)"
    return Found(f"{counted(rows, 'row')} compared by digests{share}", tuple(faults), tuple(notes))


def _by_chance(subject: Subject, masked: Masked, rows: int) -> int:
    """Return how many rows may keep their value: more where both values come out of one pool, the source's and ours."""
    assert subject.snapshot is not None  # noqa: S101 - as above
    if subject.snapshot.masked and proofs.in_element(masked, "inside") is not None:
        return max(_FEW_ROWS, rows // _SMALLEST_POOL)
    return proofs.by_chance(masked, rows)


def _same(
    subject: Subject, table: SourceTable, columns: Sequence[Masked], part: tuple[int, int], *,
    settings: Sequence[Secret], sample: bool,
) -> list[int]:  # fmt: skip
    """Return how many rows of one part both have, and for each column in how many of them the value is the same."""
    assert subject.snapshot is not None  # noqa: S101 - as above
    source = leaks.source_of(table, subject.policy)
    if sample and (keys := subject.store.query(proofs.keys_query(table, subject.rows_of(table), *part))):
        source = proofs.narrowed(table, source, keys)
    ours = subject.store.query(proofs.row_query(table, subject.rows_of(table), columns, *part), settings)
    theirs = subject.snapshot.query(proofs.row_query(table, source, columns, *part), settings)
    counted = []
    for position in range(len(columns) + 1):
        known = {row[position] for row in theirs if row[position] is not None}
        counted.append(sum(row[position] in known for row in ours))
    return counted


def constants(subject: Subject) -> Found:
    """No constant in the structure (defaults, checks, labels, definitions) is a value of a masked column."""
    assert subject.snapshot is not None  # noqa: S101 - as above
    texts = subject.store.query(structure_texts.query(subject.schemas()))
    listed = sorted(structure_texts.constants((row[1] for row in texts if row[2] and row[1]), subject.policy.accepted))
    faults = []
    for table in _filled(subject):
        columns = [m for m in masked_columns(subject.policy, table, reviewed=True) if m.column.is_text]
        if not columns or not listed:
            continue
        query = leaks.constants_query(leaks.source_of(table, subject.policy), columns, listed)
        for masked, found in zip(columns, subject.snapshot.query(query)[0], strict=True):
            if found:
                faults.append(
                    f"{table.name}.{masked.column.name}: the structure (a default, check, index, view …) names a value"
                    f" that {found} rows have; list it below `accepted:` with a reason, or change the structure"
                )
    return Found(f"{counted(len(listed), 'constant')} in {counted(len(texts), 'text')}", tuple(faults))


def _filled(subject: Subject) -> list[SourceTable]:
    return [table for table in subject.catalogue.tables if not leaks.without_rows(subject.policy, table)]


def _one_off() -> tuple[Secret, ...]:
    return tuple(Secret(setting) for setting in one_off_key().settings(["one-off"]))
