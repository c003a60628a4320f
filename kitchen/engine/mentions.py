"""Which tables a SQL statement names, and what it does to each: the words of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from kitchen.engine.statements import Statement


class Use(StrEnum):
    """What a statement does to a table."""

    READ = "read"
    CREATE = "create"
    CREATE_IF_MISSING = "create if missing"
    CREATE_TEMPORARY = "create temporary"
    REPLACE = "replace"  # CREATE OR REPLACE VIEW
    EMPTY = "empty"  # TRUNCATE, DELETE without WHERE
    CHANGE = "change"
    DROP = "drop"
    DROP_IF_THERE = "drop if there"
    RENAME_TO = "rename to"
    QUALIFIER = "qualifier"  # marts.orders.amount: no use by itself, but it must follow its table


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A table as a statement speaks of it."""

    schema: str | None
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True, slots=True)
class Mention:
    """One place where a statement names a table; ``start`` and ``end`` are offsets in the statement's text."""

    name: Name
    use: Use
    line: int
    start: int
    end: int
    is_view: bool = False
    source: Name | None = None  # of a renaming: the table that gets this name

    def shifted(self, by: int) -> Mention:
        """Return the same mention with its place counted from elsewhere."""
        return replace(self, start=self.start + by, end=self.end + by)


@dataclass(frozen=True, slots=True)
class Reading:
    """A statement with the tables it names. ``opaque``: it may touch tables that its text does not show."""

    statement: Statement
    mentions: tuple[Mention, ...]
    opaque: str | None = None  # DO, CALL, …
    refused: str | None = None  # why it cannot stand in a node
    leaves_settings: bool = False  # SET, temporary tables: the session must be cleaned after the node
