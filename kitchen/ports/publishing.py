"""How tables of a candidate take the place of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from kitchen.domain.layout import TableName


@dataclass(frozen=True, slots=True)
class Arrival:
    """One relation that is published: where it is, and the schema that it moves into."""

    source: TableName  # physical
    to: str


@dataclass(frozen=True, slots=True)
class Publication:
    """What moves in one transaction. What is replaced or dropped moves into the archive of its schema."""

    arrivals: tuple[Arrival, ...]
    drops: tuple[TableName, ...]  # physical, in the target: they leave and nothing replaces them
    archives: Mapping[str, str]  # schema written to -> schema that keeps what was there
    owner: str  # role that owns what is new in the target
    strangers: frozenset[str] = frozenset()  # roles whose grants do not move along
    untouched: frozenset[str] = frozenset()  # schemas whose views stay on the replaced tables
    mark: str = "kitchen"  # comment by which the archives are known to be ours


@dataclass(frozen=True, slots=True)
class Exchanged:
    """One name of the target and the relations that it stood for before and after, by the server's number."""

    name: TableName  # physical
    before: int | None  # None: it is new
    after: int | None  # None: it is gone


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication did; ``left_out`` says in words what could not be carried."""

    exchanged: tuple[Exchanged, ...]
    left_out: tuple[str, ...] = ()
    attempts: int = 1
    seconds: float = 0.0  # how long the transaction held its locks


class Publisher(Protocol):
    """Swaps relations between schemas of one database, so that readers see all of it or nothing."""

    def contents(self, schemas: Sequence[str]) -> tuple[TableName, ...]:
        """Return the relations that would be published from these schemas."""
        ...

    def find(self, numbers: Sequence[int]) -> Mapping[int, TableName]:
        """Return where relations are now, by the server's number; what is gone is not among them."""
        ...

    def publish(
        self, publication: Publication, *, wait: float, record: Callable[[Published], None], rehearse: bool = False,
    ) -> Published:  # fmt: skip
        """Exchange everything in one transaction; what ``record`` writes through the same control commits with it.

        A rehearsal does all of it and rolls back. Raises Refused where something cannot be carried, and Conflict,
        naming who blocks, where the locks cannot be had within ``wait`` seconds.
        """
        ...

    def validate(self, tables: Sequence[TableName]) -> tuple[str, ...]:
        """Validate the foreign keys of and to tables that a swap left unvalidated; returns what does not hold."""
        ...

    def watch(self, tables: Sequence[TableName]) -> Mapping[str, object]:
        """Return, as JSON can hold it, how tables are now, for ``changed``."""
        ...

    def changed(self, watched: Mapping[str, object]) -> tuple[str, ...]:
        """Return the tables whose rows are no longer those that were watched, wherever the tables are now."""
        ...

    def drop_archive(self, schema: str, *, mark: str) -> tuple[str, ...]:
        """Drop what a swap kept, if it bears the mark; returns what still needs it, and then it stays."""
        ...
