"""What the core asks of the source of masked data and of the pantry it goes into."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from kitchen.domain.catalogue import Catalogue, Evidences
from kitchen.domain.layout import TableName
from kitchen.domain.secret import Secret
from kitchen.ports.moment import ChosenRows, Moment
from kitchen.ports.warehouse import Row


@dataclass(frozen=True, slots=True)
class CopyJob:
    """One masked SELECT over a table or a range of it; ``settings`` start its session and hold sub-keys."""

    table: TableName  # logical
    source: TableName  # physical, on the source
    select: str
    columns: tuple[str, ...]
    settings: tuple[Secret, ...]
    weight: int  # about how much it is, for the order
    chosen: tuple[ChosenRows, ...] = ()  # whose places the SELECT names, in this order
    part: TableName | None = None  # the one partition that it reads
    is_ours: bool = True  # no expression of the policy is in it, which only a read-only session may run

    def statement(self) -> str:
        """Return the SELECT as it is sent: unpacked only when its turn comes."""
        text = self.select
        for rows in self.chosen:
            text = rows.put_into(text)
        return text


class Snapshot(Moment, Protocol):
    """One read-only moment of a source; ends with the block that it was opened for."""

    @property
    def schemas(self) -> tuple[str, ...]: ...
    @property
    def id(self) -> str: ...
    @property
    def taken_at(self) -> datetime: ...
    @property
    def server(self) -> str: ...
    @property
    def masked(self) -> bool:
        """Say whether the source is masked itself, by its own pantry: what looks masked there is nobody's."""
        ...

    def evidence(
        self, catalogue: Catalogue, tables: Collection[TableName] | None = None, *, with_shapes: bool = True
    ) -> Evidences:
        """Return what samples of columns look like, or only how many values they have: counts."""
        ...

    def refuse_changes(self) -> None:
        """Raise Conflict where a table was rewritten or replaced since: to this moment it looks empty."""
        ...


class Source(Protocol):
    """An environment whose data other environments receive masked."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Hold one moment for the block; rows hidden by row security are an error."""
        ...


class PantryStore(Protocol):
    """Schemas and the reader role of pantry versions, on the server that receives them."""

    def make(
        self, version: int, snapshot: Any, dropped: Mapping[TableName, Collection[str]] | None = None
    ) -> tuple[Any, tuple[str, ...]]:
        """Make role, types and bare tables without some columns, and what is made of these.

        Return the source's structure and, in words, what is left out.
        """
        ...

    def copy(
        self, version: int, snapshot: Any, jobs: Sequence[CopyJob], *, workers: int,
        report: Callable[[int, int], None],
    ) -> Mapping[TableName, int]:  # fmt: skip
        """Stream the jobs' rows over and return the rows of each logical table."""
        ...

    def finish(self, version: int, structure: Any) -> tuple[str, ...]:
        """Add indexes, constraints and views, gather statistics, open it to its readers; return what is to be said."""
        ...

    def query(self, statement: str, settings: Sequence[Secret] = ()) -> list[Row]:
        """Return the rows of a read-only statement, in a session that starts with the settings."""
        ...

    def catalogue(self, version: int) -> Catalogue:
        """Return a version's tables under their logical names."""
        ...

    def place(self, version: int, table: TableName) -> TableName:
        """Return where a logical table is in a version."""
        ...

    def exists(self, version: int) -> bool:
        """Say whether a version's schemas are there."""
        ...

    def drop(self, version: int) -> None:
        """Drop a version whole; absent is success. Raises Conflict while anything else reads it."""
        ...
