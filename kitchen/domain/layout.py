"""Where tables are: from production's schema names to the schemas of one environment, and what a kitchen sees."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kitchen.domain.kitchen import Kind, Kitchen
from kitchen.domain.names import LOGICAL_SCHEMA_BYTES
from kitchen.errors import InvalidInput

_ARCHIVED = re.compile(r"r[0-9]+")


@dataclass(frozen=True, slots=True)
class TableName:
    """A relation, by logical or physical schema; which one, the parameter's name says."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Layout:
    """How production's schemas (the logical ones, which recipes speak) lie in one environment."""

    logical: tuple[str, ...]
    holds_production: bool  # true where the standing kitchen's tables are production itself

    def __post_init__(self) -> None:
        for schema in self.logical:
            if len(schema.encode()) > LOGICAL_SCHEMA_BYTES:
                raise InvalidInput(f"the schema name {schema!r} is longer than {LOGICAL_SCHEMA_BYTES} bytes")
            if "__" in schema or _ARCHIVED.fullmatch(schema):  # it would be taken for a derived name
                raise InvalidInput(f"the schema name {schema!r} is reserved")

    def schema(self, kitchen: Kitchen, logical: str) -> str:
        """Return the kitchen's own schema for a logical schema."""
        if kitchen.kind is Kind.STANDING and self.holds_production:
            return logical
        derived = self._derived(kitchen.name, logical)
        if self.holds_production and derived in self.logical:
            raise InvalidInput(
                f"the kitchen name {kitchen.name!r} is that of a schema of {kitchen.environment!r}",
                hint="choose another name",
            )
        return derived

    def schemas(self, kitchen: Kitchen) -> tuple[str, ...]:
        """Return the kitchen's own schemas, one for each logical schema, in the same order."""
        return tuple(self.schema(kitchen, logical) for logical in self.logical)

    def pantry(self, version: int, logical: str) -> str:
        """Return the schema of one pantry version for a logical schema."""
        return self._derived(f"pantry_v{version}", logical)

    def types(self, logical: str) -> str:
        """Return the unversioned schema of an environment that holds a logical schema's types and functions."""
        return self._derived("pantry_types", logical)

    def archive(self, schema: str, release: int) -> str:
        """Return the schema that keeps what release replaced in schema."""
        return f"{schema}__r{release}"

    def _derived(self, head: str, logical: str) -> str:
        return head if len(self.logical) == 1 else f"{head}__{logical}"


@dataclass(frozen=True, slots=True)
class Layer:
    """What one kitchen reads, nearest first: its own tables, its parents', the pantry version."""

    layout: Layout
    kitchen: Kitchen
    parents: tuple[Kitchen, ...]  # nearest first, up to the standing kitchen; empty where isolated or standing

    def schemas_of(self, logical: str) -> tuple[str, ...]:
        """Return the schemas in which a table of one logical schema is looked for, nearest first."""
        found = [self.layout.schema(kitchen, logical) for kitchen in (self.kitchen, *self.parents)]
        if self.kitchen.pantry is not None:
            found.append(self.layout.pantry(self.kitchen.pantry, logical))
        return tuple(found)

    def path(self) -> tuple[str, ...]:
        """Return the search path: logical schemas in order, each with its layers, then the types."""
        path = [schema for logical in self.layout.logical for schema in self.schemas_of(logical)]
        if self.kitchen.pantry is not None:
            path += [self.layout.types(logical) for logical in self.layout.logical]
        return tuple(dict.fromkeys(path))

    def own(self, logical: str) -> str:
        """Return the kitchen's own schema for a logical schema."""
        return self.layout.schema(self.kitchen, logical)


def layer_of(layout: Layout, kitchen: Kitchen, known: Sequence[Kitchen]) -> Layer:
    """Return the layer of a kitchen among the known kitchens of its environment."""
    by_name = {other.name: other for other in known}
    parents: list[Kitchen] = []
    above = None if kitchen.isolated else kitchen.parent
    while above is not None and above in by_name and by_name[above] not in parents:
        parents.append(by_name[above])
        above = None if by_name[above].isolated else by_name[above].parent
    return Layer(layout, kitchen, tuple(parents))
