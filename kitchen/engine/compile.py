"""SQL as recipes speak it to SQL for one kitchen: only table names change, the rest stays as it was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from kitchen.domain.layout import Layer, TableName
from kitchen.engine.mentions import Mention, Reading, Use
from kitchen.engine.plan import PlannedNode
from kitchen.engine.statements import identifier
from kitchen.ports import Relation

_STAY = (Use.READ, Use.QUALIFIER)
_HYDRATED_KINDS = ("table", "partitioned table", "foreign table", "materialized view")


@dataclass(slots=True)
class Places:
    """Where each table of the kitchen's layer is now: nearest first hit, kept up while nodes write."""

    layer: Layer
    relations: dict[TableName, Relation] = field(default_factory=dict)

    def own(self, table: TableName) -> TableName:
        """Return where the kitchen's own table is, or would be."""
        return TableName(self.layer.own(table.schema), table.name)

    def find(self, table: TableName) -> TableName:
        """Return where a table is read: where it is first seen, else where the kitchen would make it."""
        relation = self.relations.get(table)
        return self.own(table) if relation is None else relation.physical

    def is_below(self, table: TableName) -> bool:
        """Say whether a table is seen, but is not the kitchen's own."""
        relation = self.relations.get(table)
        return relation is not None and relation.physical != self.own(table)

    def must_hydrate(self, table: TableName) -> bool:
        """Say whether a table must be copied into the kitchen before it can be written."""
        return self.is_below(table) and self.relations[table].kind in _HYDRATED_KINDS

    def now_own(self, table: TableName, kind: str = "table") -> None:
        """Note that the kitchen now has the table itself."""
        before = self.relations.get(table)
        kind = kind if before is None else before.kind
        self.relations[table] = Relation(table, self.own(table), kind, -1, 0)


def places_of(layer: Layer, visible: tuple[Relation, ...]) -> Places:
    """Return the places of everything that a kitchen sees."""
    return Places(layer, {relation.logical: relation for relation in visible})


def compiled(planned: PlannedNode, places: Places) -> Iterator[str]:
    """Return each statement of a SQL node as this kitchen runs it.

    What is written is qualified with the kitchen's own schema, so that no name ever resolves to a table below.
    """
    for reading in planned.readings:
        yield compile_reading(reading, planned.tables, places)


def compile_reading(reading: Reading, tables: Mapping[Mention, TableName], places: Places) -> str:
    """Return one statement with its table names put into the kitchen's layer."""
    text, made, done = reading.statement.text, [], 0
    written = {tables[mention] for mention in reading.mentions if mention in tables and mention.use not in _STAY}
    for mention in sorted(reading.mentions, key=lambda mention: mention.start):
        table = tables.get(mention)
        if table is None or mention.use is Use.RENAME_TO:
            continue
        if mention.use in _STAY and mention.name.schema is None:
            continue  # the search path finds it
        place = places.own(table) if mention.use not in _STAY or table in written else places.find(table)
        made += [text[done : mention.start], f"{identifier(place.schema)}.{identifier(place.name)}"]
        done = mention.end
    return "".join([*made, text[done:]])
