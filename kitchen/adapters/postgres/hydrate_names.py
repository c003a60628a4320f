"""What is where in a kitchen's layer, read in one round trip."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kitchen.adapters.postgres.connection import PgSession
from kitchen.domain.layout import Layer, TableName

_RELATIONS = """
SELECT n.nspname, c.relname, c.oid, c.relkind FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
"""
_ROUTINES = """
SELECT n.nspname, p.proname, p.oid, ARRAY(
    SELECT t.typname::text FROM unnest(p.proargtypes) WITH ORDINALITY a (oid, place)
    JOIN pg_catalog.pg_type t ON t.oid = a.oid ORDER BY a.place)
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = ANY(%s)
"""
_SCHEMAS = "SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname = ANY(%s)"


@dataclass(frozen=True, slots=True)
class Found:
    """One relation of the layer."""

    oid: int
    name: TableName
    kind: str


class LayerNames:
    """Every relation of a layer by its logical name, nearest first."""

    def __init__(self, session: PgSession, layer: Layer) -> None:
        self.layer = layer
        self._logical = {schema: logical for logical in layer.layout.logical for schema in layer.schemas_of(logical)}
        self._types = {layer.layout.types(logical): logical for logical in layer.layout.logical}
        self.own_schemas = frozenset(layer.own(logical) for logical in layer.layout.logical)
        self.schemas = tuple(row[0] for row in session.query(_SCHEMAS, [list(layer.path())]))
        self._by_name = {
            TableName(row[0], row[1]): Found(row[2], TableName(row[0], row[1]), row[3])
            for row in session.query(_RELATIONS, [list(self._logical)])
        }
        self._routines: dict[TableName, dict[tuple[str, ...], int]] = {}
        for schema, name, oid, arguments in session.query(_ROUTINES, [list(self._logical)]):
            self._routines.setdefault(TableName(schema, name), {})[tuple(arguments)] = oid
        self.by_oid = {found.oid: found for found in self._by_name.values()}

    @property
    def below_schemas(self) -> frozenset[str]:
        """Return the schemas of the layers below the kitchen."""
        return frozenset(self._logical) - self.own_schemas

    @property
    def own_ids(self) -> frozenset[int]:
        """Return the ids of the kitchen's own relations."""
        return frozenset(found.oid for found in self.by_oid.values() if found.name.schema in self.own_schemas)

    def learn(self, former: Mapping[str, str]) -> None:
        """Take schemas that once were in the layer for what they were; nothing is found in them any more."""
        self._logical = {**former, **self._logical}

    def logical(self, physical: TableName) -> TableName | None:
        """Return the logical name of a relation, or None outside the layer."""
        schema = self._logical.get(physical.schema)
        return None if schema is None else TableName(schema, physical.name)

    def spoken(self, text: str) -> str:
        """Return words for people in which physical schemas are the logical ones."""
        known = self._types | self._logical
        schemas = "|".join(re.escape(schema) for schema in sorted(known, key=len, reverse=True))
        return re.sub(rf"\b({schemas})\.", lambda match: f"{known[match[1]]}.", text)

    def own(self, logical: TableName) -> TableName:
        """Return where the kitchen's own relation of that name is, or would be."""
        return TableName(self.layer.own(logical.schema), logical.name)

    def is_own(self, logical: TableName) -> bool:
        """Say whether the kitchen has it itself."""
        return self.own(logical) in self._by_name

    def first(self, logical: TableName) -> Found | None:
        """Return what the kitchen reads under a logical name."""
        return next(self._places(logical), None)

    def below(self, logical: TableName) -> tuple[Found, ...]:
        """Return every relation of that name in the layers below the kitchen, nearest first."""
        return tuple(found for found in self._places(logical) if found.name.schema not in self.own_schemas)

    def depth(self, physical: TableName) -> int:
        """Return how far below the kitchen's own the layer of a relation is."""
        return self.layer.schemas_of(self._logical[physical.schema]).index(physical.schema)

    def beside(self, found: Found, logical: TableName) -> bool:
        """Say whether the layer of a relation has another relation itself."""
        schemas = self.layer.schemas_of(logical.schema) if logical.schema in self.layer.layout.logical else ()
        return len(schemas) > (depth := self.depth(found.name)) and (
            TableName(schemas[depth], logical.name) in self._by_name
        )

    def routine(self, physical: TableName) -> TableName:
        """Return the nearest routines of a name that can stand in for all those of that name in one schema."""
        logical = self.logical(physical)
        if logical is None:
            return physical
        places = (TableName(schema, physical.name) for schema in self.layer.schemas_of(logical.schema))
        wanted = self._routines.get(physical, {}).keys()
        return next((place for place in places if wanted and wanted <= self._routines.get(place, {}).keys()), physical)

    def is_hidden(self, physical: TableName, oid: int) -> bool:
        """Say whether a nearer layer has a routine of the same name and arguments."""
        logical = self.logical(physical)
        there = self._routines.get(physical, {})
        arguments = next((arguments for arguments, one in there.items() if one == oid), None)
        nearer = self.layer.schemas_of(logical.schema) if logical is not None else ()
        nearer = nearer[: nearer.index(physical.schema)] if physical.schema in nearer else ()
        return any(arguments in self._routines.get(TableName(schema, physical.name), {}) for schema in nearer)

    def _places(self, logical: TableName) -> Iterator[Found]:
        if logical.schema not in self.layer.layout.logical:
            return
        for schema in self.layer.schemas_of(logical.schema):
            found = self._by_name.get(TableName(schema, logical.name))
            if found is not None:
                yield found
