"""What the tables of a source look like, as far as masking must know it, and what samples of their columns gave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from kitchen.domain.layout import TableName

PARTITION_KEY = "the partition key"
ColumnName = tuple[TableName, str]


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """One column; ``base`` is the type below domains and arrays, as the catalogue names it (``int4``, ``varchar``)."""

    name: str
    type: str  # as the server writes it: character varying(40), public.year, text[]
    base: str
    category: str  # the catalogue's category of base: S text, N number, D date or time, B boolean, E enum, …
    is_array: bool = False
    max_length: int | None = None  # characters that varchar(n) or char(n) holds
    not_null: bool = False
    generated: bool = False
    domain_checks: bool = False  # a domain with a CHECK stands between the column and its base type
    tsvector_of: tuple[str, ...] = ()  # columns from which a trigger of the table computes it
    tsvector_config: str | None = None
    dependants: tuple[str, ...] = ()  # what is made of it, in the server's words: index …, view …, generated column …

    @property
    def is_number(self) -> bool:
        """Say whether one can reckon with the column; the catalogue counts object names and money among numbers."""
        return not self.is_array and self.base in ("int2", "int4", "int8", "numeric", "float4", "float8")

    @property
    def is_text(self) -> bool:
        """Say whether any text can stand in the column."""
        return not self.is_array and (self.category == "S" or self.base == "citext")


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns that refer to columns of another table, pairwise."""

    table: TableName
    columns: tuple[str, ...]
    to: TableName
    to_columns: tuple[str, ...]
    operators: tuple[str, ...] = field(default=(), compare=False)  # to.column ? column; default: the server's own =


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition that holds rows of its own."""

    physical: TableName
    pages: int


@dataclass(frozen=True, slots=True)
class SourceTable:
    """One table that holds rows of its own, or a partitioned table standing for all its partitions."""

    name: TableName  # logical
    physical: TableName
    columns: tuple[SourceColumn, ...]
    partitioned: bool = False
    primary_key: tuple[str, ...] = ()
    uniques: tuple[tuple[str, ...], ...] = ()  # the primary key is one of them
    checks: Mapping[str, str] = field(default_factory=dict)  # name -> definition
    rows: int = 0  # the planner's estimate
    pages: int = 0  # of a partitioned table: of all its partitions
    parts: tuple[Partition, ...] = ()  # where each may be read alone

    def needs(self, column: str) -> str | None:
        """Return what of the table cannot be without a column, or None."""
        if column in self.primary_key:
            return "the primary key"
        found = self.column(column)
        names = found.dependants if found is not None else ()
        return next((name for name in names if name == PARTITION_KEY or name.startswith("generated column ")), None)

    def column(self, name: str) -> SourceColumn | None:
        """Return a column, or None."""
        return next((column for column in self.columns if column.name == name), None)

    def is_unique(self, column: str) -> bool:
        """Say whether the column alone must be unique."""
        return (column,) in self.uniques

    def in_unique(self, column: str) -> bool:
        """Say whether the column takes part in anything unique."""
        return any(column in unique for unique in self.uniques)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The tables of a source at one moment."""

    tables: tuple[SourceTable, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    left_out: tuple[str, ...] = ()  # what holds rows but cannot be copied, said in words

    def table(self, name: TableName) -> SourceTable | None:
        """Return a table by its logical name, or None."""
        return next((table for table in self.tables if table.name == name), None)

    def within(self, other: Catalogue) -> tuple[Catalogue, tuple[str, ...]]:
        """Return what of this the other has, too, with the names of what it has not."""
        there = {table.name: {column.name for column in table.columns} for table in other.tables}
        missing = [str(table.name) for table in self.tables if table.name not in there]
        tables = []
        for table in (table for table in self.tables if table.name in there):
            names = there[table.name]
            missing += [f"{table.name}.{column.name}" for column in table.columns if column.name not in names]
            tables.append(
                replace(
                    table,
                    columns=tuple(column for column in table.columns if column.name in names),
                    primary_key=table.primary_key if names.issuperset(table.primary_key) else (),
                    uniques=tuple(unique for unique in table.uniques if names.issuperset(unique)),
                )
            )
        keys = tuple(key for key in self.foreign_keys if _holds(there, key.table, key.columns)
                     and _holds(there, key.to, key.to_columns))  # fmt: skip
        return replace(self, tables=tuple(tables), foreign_keys=keys), tuple(missing)

    def refers(self, table: TableName, column: str) -> bool:
        """Say whether a column is part of a foreign key."""
        return any(key.table == table and column in key.columns for key in self.foreign_keys)

    def referred(self, table: TableName, column: str) -> bool:
        """Say whether foreign keys point at a column."""
        return any(key.to == table and column in key.to_columns for key in self.foreign_keys)


def _holds(there: Mapping[TableName, set[str]], table: TableName, columns: Iterable[str]) -> bool:
    return table in there and there[table].issuperset(columns)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Counts over a sample of one column; no value is in it."""

    rows: int = 0
    filled: int = 0  # not NULL and not empty
    distinct: int = 0
    longest: int = 0
    average: float = 0.0
    shapes: Mapping[str, float] = field(default_factory=dict)  # email, phone, card … -> share of filled values
    years: int = 0  # between the early and the late ones of its dates

    def share(self, shape: str) -> float:
        """Return the share of values of a shape."""
        return self.shapes.get(shape, 0.0)


NO_EVIDENCE = Evidence()
Evidences = Mapping[ColumnName, Evidence]
