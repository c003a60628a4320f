"""One moment of a database, in which rows can be chosen."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from kitchen.domain.catalogue import Catalogue
from kitchen.domain.layout import TableName
from kitchen.domain.secret import Secret

PLACES = "'{kitchen: places of the chosen rows}'"  # in a SELECT, until the copy begins


@dataclass(frozen=True, slots=True)
class ChosenRows:
    """Rows of one table (or partition), by their places at a snapshot's moment; packed, for there may be millions."""

    table: TableName  # physical
    places: bytes
    rows: int

    @classmethod
    def packed(cls, table: TableName, places: str, rows: int) -> ChosenRows:
        """Keep places, as the server writes an array of them."""
        return cls(table, zlib.compress(places.encode("ascii"), 1), rows)

    def put_into(self, statement: str) -> str:
        """Return a statement with the places where its first condition without any leaves them open."""
        return statement.replace(PLACES, "'" + zlib.decompress(self.places).decode("ascii") + "'", 1)

    @property
    def condition(self) -> str:
        """Return a condition on ``t`` in which the places are still to be put."""
        return f"t.ctid = ANY ({PLACES}::tid[])"


class Scratch(Protocol):
    """A session at one moment that writes to its own temporary tables and to nothing else."""

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a statement."""
        ...

    def execute(self, statement: str) -> int:
        """Run a statement and return the count of rows."""
        ...


class Moment(Protocol):
    """One read-only moment of a database; ends with the block that it was opened for."""

    def catalogue(self) -> Catalogue:
        """Return the tables with their columns and keys; raises NotFound or NotPermitted."""
        ...

    def query(self, statement: str, settings: Sequence[Secret] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a statement at this moment, in a session that starts with the settings."""
        ...

    def scratch(self, tables: Sequence[str]) -> AbstractContextManager[Scratch]:
        """Open a session at this moment with temporary tables, which it makes first and alone may write to.

        Raises NotPermitted where the database grants no temporary tables, Refused on a standby server.
        """
        ...
