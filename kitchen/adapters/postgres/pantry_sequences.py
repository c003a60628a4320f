"""Where sequences of a pantry stand: after the numbers that it holds itself, which may be masked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kitchen.adapters.postgres.connection import PgSession
from kitchen.adapters.postgres.structure_model import Sequence, Structure, Table
from kitchen.adapters.postgres.structure_text import literal, qualified, quote
from kitchen.domain.layout import TableName

_NUMBERS = ("smallint", "integer", "bigint", "numeric")
_ROOM = 1_000_000  # numbers that a sequence should still have before it
_FEW = 100  # of a hundred numbers of a sequence, one: fewer are said

# The widest stretch without a number, and the last number before it; what a sequence cannot give does not count.
_GAP = """
SELECT before, after - before - 1 FROM (
    SELECT v AS before, lead(v) OVER (ORDER BY v) AS after FROM (
        SELECT v FROM ({values}) x(v) WHERE v BETWEEN {minimum} AND {maximum}
        UNION ALL SELECT {minimum}::numeric - 1 UNION ALL SELECT {maximum}::numeric + 1) y
) z WHERE after IS NOT NULL ORDER BY 2 DESC, 1 LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class _Numbered:
    """A column that a sequence numbers."""

    table: Table
    column: str
    is_number: bool

    def __str__(self) -> str:
        return f"{self.table.name}.{self.column}"


def advance_sequences(
    session: PgSession, structure: Structure, place: Callable[[TableName], TableName]
) -> Iterator[str]:
    """Bring every sequence past what its columns hold, and yield what is to be said of some of them.

    Production's value is not carried: it says how much there is, and a masked number may lie beyond it.
    """
    for sequence in structure.sequences:
        columns = list(_numbered(structure, sequence))
        if columns and all(column.is_number for column in columns):
            yield from _past(session, sequence, columns, place)
        elif sequence.is_called:
            yield from _rounded(session, sequence, place)


def _numbered(structure: Structure, sequence: Sequence) -> Iterator[_Numbered]:
    """Yield the columns that own a sequence or take their default from it."""
    for table in structure.tables:
        for column in table.columns:
            named = column.default.references() if column.default is not None and not column.generated else ()
            owned = sequence.owner == (table.oid, column.number)
            if owned or any(reference.name == sequence.name for reference in named):
                kind = column.type.shown()
                yield _Numbered(table, column.name, kind.partition("(")[0] in _NUMBERS)


def _past(
    session: PgSession, sequence: Sequence, columns: list[_Numbered], place: Callable[[TableName], TableName]
) -> Iterator[str]:
    up = sequence.increment > 0
    within = f"BETWEEN {sequence.minimum} AND {sequence.maximum}"
    values = " UNION ALL ".join(
        f"SELECT {quote(column.column)}::numeric FROM {qualified(place(column.table.name))}" for column in columns
    )
    most = "max" if up else "min"
    asked = ", ".join(  # each is found at an index's end
        f"(SELECT {most}({quote(column.column)}) FROM {qualified(place(column.table.name))}"
        f" WHERE {quote(column.column)} {within})"
        for column in columns
    )
    last = session.query(f"SELECT {'greatest' if up else 'least'}({asked})")[0][0]
    if last is None:
        return  # it is new, and begins where it begins
    room = (sequence.maximum - int(last) if up else int(last) - sequence.minimum) // abs(sequence.increment)
    if room >= _ROOM or sequence.cycle:
        _set(session, sequence, place, int(last))
        return
    before, free = session.query(_GAP.format(values=values, minimum=sequence.minimum, maximum=sequence.maximum))[0]
    if free <= room * abs(sequence.increment):
        _set(session, sequence, place, int(last))
        if room * _FEW < (sequence.maximum - sequence.minimum) // abs(sequence.increment):
            yield f"sequence {sequence.name}: after the numbers of {columns[0]} only {room:,} are left"
        return
    _set(session, sequence, place, int(before) if up else int(before) + int(free) + 1)
    yield (
        f"sequence {sequence.name}: the numbers of {columns[0]} reach nearly to the end"
        f" ({sequence.maximum if up else sequence.minimum}): it goes on in the widest gap, where {int(free):,} numbers"
        " are free"
    )


def _rounded(session: PgSession, sequence: Sequence, place: Callable[[TableName], TableName]) -> Iterator[str]:
    """Move a sequence of which no column tells where it stands: past production's value, which only its size tells."""
    rounded = 10 ** len(str(abs(sequence.last_value)))
    value = rounded if sequence.increment > 0 else -rounded
    fits = sequence.minimum <= value <= sequence.maximum and sequence.last_value * sequence.increment >= 0
    _set(session, sequence, place, value if fits else sequence.last_value)
    yield (
        f"sequence {sequence.name}: no number of a column says where it stands: "
        + ("it goes on at the next power of ten" if fits else "it stands where production's does")
    )


def _set(session: PgSession, sequence: Sequence, place: Callable[[TableName], TableName], value: int) -> None:
    own = literal(qualified(place(sequence.name)))
    called = sequence.minimum <= value <= sequence.maximum
    shown = value if called else (sequence.minimum if value < sequence.minimum else sequence.maximum)
    session.query(f"SELECT pg_catalog.setval({own}::pg_catalog.regclass, {shown}, {str(called).lower()})")
