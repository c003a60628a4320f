"""An environment that is itself made of layers, read as one: under production's names, the nearest of each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from kitchen.adapters.postgres.connection import PgSession
from kitchen.adapters.postgres.structure_model import Constraint, Routine, Sequence, Structure, Table, UserType, View
from kitchen.adapters.postgres.structure_text import Reference, Sort, Text
from kitchen.domain.catalogue import Catalogue
from kitchen.domain.layout import Layer, TableName
from kitchen.errors import Refused

_RELATIONS = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
"""

_Whole = TypeVar("_Whole")


class Layers:
    """The schemas in which a standing kitchen looks for its tables, and what each is called in production."""

    def __init__(self, layer: Layer) -> None:
        self.tables: dict[str, str] = {}  # physical -> logical, the nearest first
        self.types: dict[str, str] = {}
        for logical in layer.layout.logical:
            self.tables |= dict.fromkeys(layer.schemas_of(logical), logical)
            if layer.kitchen.pantry is not None:
                self.types[layer.layout.types(logical)] = logical
        self._rank = {schema: rank for rank, schema in enumerate(self.tables)}

    @property
    def schemas(self) -> tuple[str, ...]:
        """Return the schemas that hold tables."""
        return tuple(self.tables)

    @property
    def all(self) -> tuple[str, ...]:
        """Return the schemas that hold anything."""
        return (*self.tables, *self.types)

    def named(self, name: TableName) -> TableName:
        """Return what something is called in production."""
        return TableName(self.tables.get(name.schema) or self.types.get(name.schema) or name.schema, name.name)

    def rank(self, name: TableName) -> int:
        """Return how far away the schema of something is."""
        return self._rank.get(name.schema, len(self._rank))

    def hidden(self, names: Iterable[TableName]) -> frozenset[TableName]:
        """Return what is not seen, for something nearer has its name."""
        names = set(names)
        nearest: dict[TableName, int] = {}
        for name in names:
            nearest[self.named(name)] = min(self.rank(name), nearest.get(self.named(name), self.rank(name)))
        return frozenset(name for name in names if self.rank(name) > nearest[self.named(name)])

    def catalogue(self, session: PgSession, found: Catalogue) -> Catalogue:
        """Return the tables that are seen, under production's names; where they lie stays with them."""
        hidden = self.hidden(TableName(*row) for row in session.query(_RELATIONS, [list(self.schemas)]))
        return Catalogue(
            tuple(replace(t, name=self.named(t.name)) for t in found.tables if t.name not in hidden),
            tuple(
                replace(key, table=self.named(key.table), to=self.named(key.to))
                for key in found.foreign_keys
                if not {key.table, key.to} & hidden
            ),
            found.left_out,
        )

    def structure(self, found: Structure) -> Structure:
        """Return what is seen, under production's names, with what was left out of it in words."""
        return _under(_Seen(self, found).cut(), self)


class _Seen:
    """What remains of a structure without what nearer layers hide, and without what is made of that."""

    def __init__(self, layers: Layers, found: Structure) -> None:
        self._layers, self._found = layers, found
        relations: list[Table | View | Sequence] = [*found.tables, *found.views, *found.sequences]
        hidden = layers.hidden(item.name for item in relations)
        self._gone = {item.oid for item in relations if item.name in hidden} | self._routines_hidden()
        self._said: list[str] = []
        self._with_parents()
        self._sequences()
        self._dependants()
        self._refuse_types()

    def cut(self) -> Structure:
        found, gone = self._found, self._gone
        routines = {item.name for item in found.routines if item.oid not in gone}
        lost = {item.name for item in found.routines if item.oid in gone} - routines
        return replace(
            found,
            tables=tuple(_without_triggers(table, lost) for table in found.tables if table.oid not in gone),
            sequences=tuple(item for item in found.sequences if item.oid not in gone),
            indexes=tuple(index for index in found.indexes if index.table not in gone),
            constraints=tuple(each for each in found.constraints if each.table not in gone and not self._cut_key(each)),
            statistics=tuple(each for each in found.statistics if each.table not in gone),
            views=tuple(item for item in found.views if item.oid not in gone),
            routines=tuple(item for item in found.routines if item.oid not in gone),
            types=tuple(item for item in found.types if item.oid not in gone),
            left_out=(*found.left_out, *dict.fromkeys(self._said)),
        )

    def _routines_hidden(self) -> set[int]:
        seen: set[tuple[TableName, str]] = set()
        gone: set[int] = set()
        for routine in sorted(self._found.routines, key=lambda item: self._layers.rank(item.name)):
            key = (self._layers.named(routine.name), _under(routine.arguments, self._layers).shown())
            if key in seen:
                gone.add(routine.oid)
            seen.add(key)
        return gone

    def _with_parents(self) -> None:
        """Partitions go with their table."""
        grows = True
        while grows:
            more = {
                table.oid for table in self._found.tables if table.bound is not None and self._gone & set(table.parents)
            } - self._gone
            self._gone |= more
            grows = bool(more)

    def _sequences(self) -> None:
        """A sequence goes with the table that it numbers, unless another that stays is numbered by it, too."""
        needed = {
            reference.name
            for table in self._found.tables
            if table.oid not in self._gone
            for column in table.columns
            if column.default is not None
            for reference in column.default.references()
        }
        self._gone |= {
            item.oid
            for item in self._found.sequences
            if item.owner is not None and item.owner[0] in self._gone and item.name not in needed
        }

    def _dependants(self) -> None:
        made: list[View | Routine | UserType] = [*self._found.views, *self._found.routines, *self._found.types]
        hidden = set(self._gone)
        grows = True
        while grows:
            more = {oid for oid, needed in self._found.needs.items() if hidden.intersection(needed)} - hidden
            hidden |= more
            grows = bool(more)
            self._said += [
                f"{item.name}: it is made of a table that {self._layers.schemas[0]} has anew" for item in made
                if item.oid in more - self._gone
            ]  # fmt: skip
            self._gone |= more

    def _refuse_types(self) -> None:
        seen: dict[tuple[TableName, bool], TableName] = {}
        for kind in self._found.types:
            if kind.oid in self._gone:
                continue
            other = seen.setdefault((self._layers.named(kind.name), kind.kind == "l"), kind.name)
            if other != kind.name:
                raise Refused(
                    f"the source has two types of one name, {other} and {kind.name}: columns of both cannot come along",
                    hint=f"drop one of them, or let the data come from above {self._layers.schemas[0]}",
                )

    def _cut_key(self, constraint: Constraint) -> bool:
        if constraint.foreign_table is None or constraint.foreign_table not in self._gone:
            return False
        table = next(each.name for each in self._found.tables if each.oid == constraint.table)
        self._said.append(f"foreign key {constraint.name} of {table}: the table that it refers to is a nearer one")
        return True


def _without_triggers(table: Table, lost: Collection[TableName]) -> Table:
    kept = tuple(
        trigger for trigger in table.triggers
        if not any(reference.name in lost for reference in trigger.definition.references())
    )  # fmt: skip
    return table if len(kept) == len(table.triggers) else replace(table, triggers=kept)


def _under(whole: _Whole, layers: Layers) -> _Whole:
    """Return a structure, or a part of one, whose names are production's."""
    return _renamed(whole, layers)  # type: ignore[no-any-return]


def _renamed(value: Any, layers: Layers) -> Any:
    match value:
        case Reference():
            kept = value.sort in (Sort.OTHER, Sort.EXTENSION)  # never copied: they are where they are
            return value if kept else replace(value, name=layers.named(value.name))
        case TableName():
            return layers.named(value)
        case Structure():
            parts: Mapping[str, Any] = {
                each.name: _renamed(getattr(value, each.name), layers) for each in fields(value)
                if each.name not in ("needs", "members", "installed", "stands_on", "left_out", "schemas")
            }  # fmt: skip
            return replace(value, **parts, schemas=tuple(dict.fromkeys(layers.tables.values())))
        case Text() | tuple():
            if isinstance(value, Text):
                return Text(_renamed(value.pieces, layers))
            return tuple(_renamed(each, layers) for each in value)
        case _ if is_dataclass(value) and not isinstance(value, type):
            return replace(value, **{each.name: _renamed(getattr(value, each.name), layers) for each in fields(value)})
    return value
