"""Fits masked SELECTs to the tables that take their rows: casts where types differ, binary rows where both sides agree.

Rows in binary cost a third less on both servers than rows as text. They travel so only in types whose form on the wire
is the same on every server and names no type of a user.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from kitchen.adapters.postgres.connection import PgSession
from kitchen.adapters.postgres.structure_text import quote
from kitchen.domain.layout import TableName
from kitchen.errors import KitchenError

_TEXTS = frozenset({25, 1042, 1043})  # text, bpchar, varchar
# bool, bytea, integers, json, floats, cidr, macaddr, inet, dates and times, numeric, uuid, jsonb; and arrays of them
_PORTABLE = _TEXTS | {
    16, 17, 20, 21, 23, 114, 650, 700, 701, 829, 869, 1082, 1083, 1114, 1184, 1186, 1266, 1700, 2950, 3802,
    199, 651, 1000, 1001, 1005, 1007, 1009, 1014, 1015, 1016, 1021, 1022, 1040, 1041, 1115, 1182, 1183, 1185, 1187,
    1231, 1270, 2951, 3807,
}  # fmt: skip

_COLUMNS = """
WITH RECURSIVE below (oid, first) AS (
    SELECT t.oid, t.oid FROM pg_type t
    UNION ALL
    SELECT t.typbasetype, b.first FROM below b JOIN pg_type t ON t.oid = b.oid WHERE t.typtype = 'd'
)
SELECT n.nspname, c.relname, c.relkind = 'r', a.attname, t.oid, t.typtype = 'e', format_type(t.oid, NULL)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
JOIN below b ON b.first = a.atttypid JOIN pg_type t ON t.oid = b.oid AND t.typtype <> 'd'
WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
"""


@dataclass(frozen=True, slots=True)
class ColumnType:
    """The type below all domains that a column of a target takes."""

    oid: int
    is_enum: bool
    name: str


@dataclass(frozen=True, slots=True)
class Target:
    """A table that takes rows."""

    name: TableName
    is_plain: bool  # not partitioned
    types: Mapping[str, ColumnType]


@dataclass(frozen=True, slots=True)
class Fit:
    """What each column of a SELECT is cast to, and how its rows travel."""

    casts: Mapping[str, str]
    binary: bool

    def statement(self, select: str, columns: Sequence[str]) -> str:
        """Return the SELECT with the casts."""
        if not self.casts:
            return select
        return f"SELECT {', '.join(_cast(column, self.casts.get(column)) for column in columns)} FROM ({select}) q"


def _cast(column: str, to: str | None) -> str:
    return f"q.{quote(column)}" if to is None else f"q.{quote(column)}::pg_catalog.text::{to} AS {quote(column)}"


def read_targets(session: PgSession, schemas: Collection[str]) -> Mapping[TableName, Target]:
    """Return the tables of some schemas with the types that they take."""
    types: dict[TableName, dict[str, ColumnType]] = defaultdict(dict)
    plain: dict[TableName, bool] = {}
    for schema, table, is_plain, column, oid, is_enum, name in session.query(_COLUMNS, [list(schemas)]):
        found = TableName(schema, table)
        plain[found] = is_plain
        types[found][column] = ColumnType(oid, is_enum, name)
    return {name: Target(name, plain[name], of) for name, of in types.items()}


def fit_relay(source: PgSession, select: str, columns: Sequence[str], target: Target) -> Fit:
    """Return how rows travel between two servers: in binary where every column may, else as text."""
    given = _types_of(source, select)
    enums = _enums(source, given)
    casts: dict[str, str] = {}
    for column, oid in zip(columns, given, strict=True):
        taken = target.types[column]
        if taken.oid in _PORTABLE:
            if oid != taken.oid and not (oid in _TEXTS and taken.oid in _TEXTS):
                casts[column] = taken.name
        elif not (taken.is_enum and (oid in _TEXTS or oid in enums)):  # on the wire a label is text
            return Fit({}, binary=False)
    return Fit(casts, binary=True)


def fit_insert(session: PgSession, select: str, columns: Sequence[str], target: Target) -> Fit:
    """Return what INSERT needs cast within one database; text is not, for a cast would cut it silently."""
    casts: dict[str, str] = {}
    for column, oid in zip(columns, _types_of(session, select), strict=True):
        taken = target.types[column]
        if oid != taken.oid and not (oid in _TEXTS and taken.oid in _TEXTS):
            casts[column] = taken.name
    return Fit(casts, binary=False)


def _types_of(session: PgSession, select: str) -> list[int]:
    with session.connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM ({select}) q LIMIT 0")
        if cursor.description is None:
            raise KitchenError("the source described no columns")
        return [column.type_code for column in cursor.description]


def _enums(session: PgSession, oids: Sequence[int]) -> frozenset[int]:
    own = [oid for oid in oids if oid not in _PORTABLE]
    if not own:
        return frozenset()
    rows = session.query("SELECT oid FROM pg_catalog.pg_type WHERE oid = ANY(%s::oid[]) AND typtype = 'e'", [own])
    return frozenset(row[0] for row in rows)
