"""What is known of a database's relations: frozen values, with every name in a definition kept as a reference."""

from __future__ import annotations

from dataclasses import dataclass, field

from kitchen.adapters.postgres.structure_text import Text
from kitchen.domain.layout import TableName


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement and, in words, the object that it makes."""

    sql: str
    what: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table, view or composite type."""

    number: int
    name: str
    type: Text
    collation: Text | None
    not_null: bool
    not_null_name: str | None  # servers from 18 on name these constraints
    not_null_valid: bool
    not_inherited: bool  # NOT NULL … NO INHERIT
    default: Text | None
    generated: str  # "" | s(tored) | v(irtual)
    identity: str  # "" | a(lways) | d (by default)
    is_local: bool
    storage: str | None  # where it is not the type's own
    compression: str | None
    statistics: int | None
    options: tuple[str, ...]
    comment: str | None


@dataclass(frozen=True, slots=True)
class Policy:
    """One row security policy."""

    name: str
    permissive: bool
    command: str
    roles: tuple[str, ...]
    using: Text | None
    check: Text | None
    comment: str | None


@dataclass(frozen=True, slots=True)
class Trigger:
    """One trigger that a user made."""

    name: str
    definition: Text
    enabled: str
    comment: str | None


@dataclass(frozen=True, slots=True)
class Table:
    """One table, partitioned table or partition."""

    oid: int
    name: TableName
    kind: str  # r | p
    persistence: str
    columns: tuple[Column, ...]
    parents: tuple[int, ...]
    partition_key: Text | None
    bound: Text | None
    options: tuple[str, ...]
    access_method: str | None  # where it is not heap
    of_type: Text | None
    replica_identity: str
    row_security: bool
    force_row_security: bool
    comment: str | None
    rows: int
    triggers: tuple[Trigger, ...] = ()
    policies: tuple[Policy, ...] = ()
    otherwise_enabled: tuple[tuple[str, str], ...] = ()  # triggers that a partition has from above, differently enabled


@dataclass(frozen=True, slots=True)
class Sequence:
    """One sequence with where it stands."""

    oid: int
    name: TableName
    type: str
    start: int
    increment: int
    minimum: int
    maximum: int
    cache: int
    cycle: bool
    persistence: str
    owner: tuple[int, int] | None  # table, column number
    is_identity: bool
    comment: str | None
    last_value: int
    is_called: bool


@dataclass(frozen=True, slots=True)
class Index:
    """One index; ``tail`` is its definition from USING on."""

    oid: int
    name: str
    table: int
    tail: Text
    unique: bool
    partitioned: bool
    parent: int | None
    constraint: int | None
    clustered: bool
    replica_identity: bool
    valid: bool
    options: tuple[str, ...]  # in ``tail`` too; a primary key's or unique constraint's definition lacks them
    statistics: tuple[tuple[int, int], ...]
    comment: str | None


@dataclass(frozen=True, slots=True)
class Constraint:
    """One constraint of a table, except NOT NULL, which belongs to the column."""

    oid: int
    name: str
    table: int
    kind: str  # c | f | p | u | x
    definition: Text
    is_local: bool
    parent: int | None
    foreign_table: int | None
    validated: bool
    comment: str | None


@dataclass(frozen=True, slots=True)
class Statistics:
    """One extended statistics object."""

    oid: int
    name: TableName
    table: int
    kinds: tuple[str, ...]
    columns: Text
    target: int | None
    comment: str | None


@dataclass(frozen=True, slots=True)
class View:
    """One view or materialised view."""

    oid: int
    name: TableName
    materialized: bool
    definition: Text
    columns: tuple[Column, ...]
    options: tuple[str, ...]
    populated: bool
    comment: str | None
    triggers: tuple[Trigger, ...] = ()


@dataclass(frozen=True, slots=True)
class Routine:
    """One function, procedure or aggregate; ``definition`` is what follows its name."""

    oid: int
    name: TableName
    kind: str  # f | p | a | w
    arguments: Text  # as DROP and COMMENT name it
    definition: Text
    security_definer: bool
    bound: bool  # to tables, by a row type or a parsed body: it goes where the tables go
    comment: str | None


@dataclass(frozen=True, slots=True)
class UserType:
    """One enum, domain, composite or range type, or collation; ``definition`` is what follows CREATE … name."""

    oid: int
    name: TableName
    kind: str  # e | d | c | r | l: a collation
    definition: Text
    labels: tuple[str, ...]
    comment: str | None
    bound: bool = False


@dataclass(frozen=True, slots=True)
class Structure:
    """Everything that was read, and what is there but cannot be carried, said in words."""

    schemas: tuple[str, ...]
    server_version: int
    tables: tuple[Table, ...] = ()
    sequences: tuple[Sequence, ...] = ()
    indexes: tuple[Index, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    statistics: tuple[Statistics, ...] = ()
    views: tuple[View, ...] = ()
    routines: tuple[Routine, ...] = ()
    types: tuple[UserType, ...] = ()
    needs: dict[int, tuple[int, ...]] = field(default_factory=dict)  # views, routines, types: what must be there first
    left_out: tuple[str, ...] = ()
    members: dict[TableName, str] = field(default_factory=dict)  # what belongs to an extension, and to which
    stands_on: dict[str, str] = field(default_factory=dict)  # extensions that no definition names, and their schemas
    installed: dict[str, str] = field(default_factory=dict)  # extensions of the target, and where they are there

    def table(self, name: TableName) -> Table | None:
        """Return a table by its name where it was read."""
        return next((table for table in self.tables if table.name == name), None)
