"""What the core asks of a warehouse: sessions, workspaces, tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from kitchen.domain.connection import Credentials
from kitchen.domain.installation import Installation
from kitchen.domain.kitchen import Kitchen
from kitchen.domain.layout import Layer, TableName
from kitchen.domain.secret import Secret
from kitchen.ports.moment import ChosenRows, Moment

Row = tuple[Any, ...]


class Session(Protocol):
    """One open database session. Outside ``transaction`` every statement commits by itself."""

    def query(self, statement: str, parameters: Sequence[object] | None = None) -> list[Row]:
        """Return the rows of a statement; without parameters the text is sent as it stands."""
        ...

    def execute(self, statement: str, parameters: Sequence[object] | None = None) -> int:
        """Run a statement (or several) and return the last count of rows."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Commit at the end of the block, roll back where it raises."""
        ...

    def cancel(self) -> None:
        """Ask the server to end the statement that another thread runs in this session; none is success."""
        ...

    def close(self) -> None:
        """End the session; twice is success."""
        ...


class Installer(Protocol):
    """Prepares somebody else's server for one environment."""

    def plan(self, provisioner: str, password: Secret, *, takes_over: bool) -> Installation:
        """Return what an administrator has to do; nothing is changed.

        Raises Conflict for a role of another purpose, and unless ``takes_over`` for one that is installed already.
        """
        ...

    def carry_out(self, installation: Installation) -> None:
        """Do it as the administrator; every action may be repeated. Raises NotPermitted where that one may not."""
        ...


class Sessions(Protocol):
    """Opens sessions on one environment's warehouse."""

    def open(self, credentials: Credentials, *, application: str) -> Session:
        """Connect; raises Unavailable (no answer) or NotPermitted (login refused)."""
        ...

    def as_administrator(self, *, application: str = "kitchen") -> Session:
        """Connect as the provisioner, safe from names and policies of kitchens."""
        ...

    def recorder(self) -> Credentials:
        """Return the login that reads and writes records: a person's own, else the provisioner's."""
        ...

    def administrator(self) -> Credentials:
        """Return the provisioner's credentials; raises NotPermitted for whoever may not read them."""
        ...


@dataclass(frozen=True, slots=True)
class MarkedWorkspace:
    """A workspace as its own marks describe it, without any record."""

    name: str
    id: UUID
    parents: frozenset[str]  # kitchens that it reads; empty where isolated or standing
    pantry: int | None


class Workspaces(Protocol):
    """Schemas and roles of kitchens. Everything made carries the kitchen's mark; nothing without it is dropped."""

    def create(self, layer: Layer, password: str) -> Credentials:
        """Make roles and schemas of a kitchen in one transaction and return its login; its own is success."""
        ...

    def login(self, kitchen: Kitchen, password: Secret) -> Credentials:
        """Return the login that ``create`` will make; nothing is made."""
        ...

    def lease(self, kitchen: Kitchen, suffix: str, password: Secret) -> Credentials:
        """Make a login of one person's clone into a kitchen, or give it this password; raises NotPermitted."""
        ...

    def exists(self, kitchen: Kitchen) -> bool:
        """Say whether the kitchen's login role is there and bears its mark."""
        ...

    def marked(self, environment: str) -> tuple[MarkedWorkspace, ...]:
        """Return every workspace of this database that bears a kitchen's mark, by name."""
        ...

    def rebind(self, layer: Layer, *, closes: bool = True) -> None:
        """Open the layer's parents and pantry to a kitchen, close others (later, where its views still read those), and
        set its search path anew.
        """
        ...

    def open_production(self, layer: Layer) -> None:
        """Let the top's standing kitchen, and its candidates, read what other roles made in production's schemas."""
        ...

    def seal(self, kitchen: Kitchen) -> None:
        """Close a kitchen's login and end its sessions: what is in it stays as it is. Absent is success."""
        ...

    def drop(self, kitchen: Kitchen, schemas: Sequence[str]) -> None:
        """Close the login, end its sessions, drop schemas in batches and then the roles; absent is success."""
        ...


@dataclass(frozen=True, slots=True)
class Relation:
    """One relation that a kitchen sees."""

    logical: TableName
    physical: TableName
    kind: str  # table | view | materialized view | partitioned table | foreign table | sequence
    rows: int  # planner's estimate; -1 unknown
    size: int  # bytes
    over: TableName | None = None  # of the kitchen's own: what it hides in the layers below, where it was copied from


@dataclass(frozen=True, slots=True)
class Hydrated:
    """What hydrating one table did: the objects made, and in words what was not carried or goes on as it was."""

    table: TableName
    source: TableName
    made: tuple[str, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...] = ()


class Tables(Protocol):
    """Reads and copies tables of a kitchen's layer, with that kitchen's own rights."""

    def visible(self, session: Session, layer: Layer) -> tuple[Relation, ...]:
        """Return what the kitchen sees, nearest layer first hit."""
        ...

    def own(self, session: Session, layer: Layer) -> tuple[Relation, ...]:
        """Return the relations in the kitchen's own schemas."""
        ...

    def filtered(self, session: Session, tables: Collection[TableName]) -> tuple[TableName, ...]:
        """Return those tables, by physical name, of which row security shows the session only a part."""
        ...

    def hiding(self, session: Session, layer: Layer) -> tuple[Relation, ...]:
        """Return the kitchen's own tables that are empty and hide one below that is not."""
        ...

    def below(self, credentials: Credentials, layer: Layer) -> AbstractContextManager[Moment]:
        """Hold one moment of the layers below the kitchen for the block, with that kitchen's own rights."""
        ...

    def rebind(self, session: Session, layer: Layer) -> tuple[str, ...]:
        """Bind the kitchen's own views and functions to what its layer holds now; return what could not be, in words.

        The session is the administrator's: a kitchen may no longer look into what its views still stand on.
        """
        ...

    def hydrate(
        self, session: Session, layer: Layer, table: TableName, *, with_rows: bool = True,
        chosen: Mapping[TableName, tuple[ChosenRows, ...]] | None = None,
    ) -> Hydrated | None:  # fmt: skip
        """Copy the first hit of a logical table into the kitchen, faithfully; None where it is the kitchen's already.

        Only the ``chosen`` rows of the physical tables named there. Runs in one transaction. Raises NotFound where
        nobody in the layer has the table, Conflict where chosen rows have changed since.
        """
        ...
