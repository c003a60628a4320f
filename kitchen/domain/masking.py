"""The masking policy: one decision for every column that leaves the parent environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from kitchen.domain.layout import TableName


class MaskKind(StrEnum):
    """What a column's values become."""

    KEEP = "keep"
    BLANK = "blank"
    CONST = "const"
    HASH = "hash"
    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"
    FULL_NAME = "full_name"
    EMAIL = "email"
    PHONE = "phone"
    STREET = "street"
    CITY = "city"
    POSTCODE = "postcode"
    REGION = "region"
    COUNTRY = "country"
    ADDRESS = "address"
    COMPANY = "company"
    CARD = "card"
    IBAN = "iban"
    NATIONAL_ID = "national_id"
    IP = "ip"
    MAC = "mac"
    URL = "url"
    USER_NAME = "user_name"
    DATE = "date"
    NUMBER = "number"
    PERMUTE = "permute"
    TEXT = "text"
    JSON = "json"
    EACH = "each"
    SHUFFLE = "shuffle"
    SQL = "sql"
    RECOMPUTE = "recompute"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Decision:
    """One column's mask with its settings; a setting that the mask does not know is refused when the file is read."""

    mask: MaskKind
    why: str | None = None
    subject: str | None = None  # column of the same table that says whose value it is
    proposed: bool = False  # by scan, not yet reviewed
    type: str | None = None  # the type for which the decision was made
    domain: str | None = None  # columns of one domain mask equal values equally
    value: str | int | float | bool | None = None  # const
    length: int | None = None  # hash: characters
    to: str | None = None  # date: year | month | shift
    days: int | None = None  # date: the furthest shift
    round: float | None = None  # number: to multiples of
    bucket: float | None = None  # number: down to multiples of
    noise: float | None = None  # number: share of the value
    paths: tuple[str, ...] = ()  # json: what is kept
    of: Decision | None = None  # each: mask of one element
    sql: str | None = None

    @property
    def is_kept(self) -> bool:
        """Say whether production's own values remain in the column, on their row or on another."""
        return self.mask in (MaskKind.KEEP, MaskKind.SHUFFLE)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A decision for every column whose ``table.column`` (or ``schema.table.column``) matches."""

    pattern: str
    decision: Decision

    def matches(self, table: TableName, column: str) -> bool:
        """Say whether the pattern decides a column."""
        parts = 2 if self.pattern.count(".") < 2 else 3
        name = f"{table.name}.{column}" if parts == 2 else f"{table.schema}.{table.name}.{column}"
        return fnmatchcase(name, self.pattern)


@dataclass(frozen=True, slots=True)
class TablePolicy:
    """The decisions of one table, and which of its rows come along."""

    columns: Mapping[str, Decision] = field(default_factory=dict)
    rows: str = "all"  # all | none: structure only
    where: str | None = None
    quasi_identifiers: tuple[str, ...] = ()  # columns that together may single somebody out


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key that the database does not declare: ``orders.customer_no`` refers to ``customers.number``."""

    table: str
    columns: tuple[str, ...]
    to_table: str
    to_columns: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.table}.{', '.join(self.columns)}"


@dataclass(frozen=True, slots=True)
class Decided:
    """What decides a column, and where that was written."""

    decision: Decision
    by: str  # column | pattern "…"


@dataclass(frozen=True, slots=True)
class Policy:
    """The whole policy, by the names that its file uses: ``customer`` or ``marts.customer``."""

    tables: Mapping[str, TablePolicy] = field(default_factory=dict)
    patterns: tuple[Pattern, ...] = ()
    references: tuple[Reference, ...] = ()
    canaries: tuple[str, ...] = ()  # planted in production: found in a pantry, they prove a leak
    accepted: Mapping[str, str] = field(default_factory=dict)  # texts of the structure that are nobody's -> why
    name: str = "masking.yaml"
    lines: Mapping[tuple[str, ...], int] = field(default_factory=dict)  # (table,) or (table, column) -> line
    digest: str = ""  # SHA-256 of the file

    def key(self, table: TableName) -> str | None:
        """Return the name under which the file speaks of a table: with its schema before without."""
        return next((name for name in (str(table), table.name) if name in self.tables), None)

    def table(self, table: TableName) -> TablePolicy:
        """Return the part about one table; nothing decided where the file does not name it."""
        key = self.key(table)
        return self.tables[key] if key is not None else TablePolicy()

    def decided(self, table: TableName, column: str) -> Decided | None:
        """Return what decides a column: its own line, else the first pattern that matches, else nothing."""
        own = self.table(table).columns.get(column)
        if own is not None:
            return Decided(own, "column")
        for pattern in self.patterns:
            if pattern.matches(table, column):
                return Decided(pattern.decision, f'pattern "{pattern.pattern}"')
        return None

    def dropped(self, table: TableName) -> frozenset[str]:
        """Return the columns that a table's own lines leave out."""
        columns = self.table(table).columns.items()
        return frozenset(name for name, decision in columns if decision.mask is MaskKind.DROP)

    def where(self, *path: str) -> str:
        """Return ``file:line`` of a table or column, as near as it is known."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.name}:{self.lines[path]}" if path else self.name
