"""Constraints between a hydrated table and the kitchen's others. No foreign key crosses a layer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from kitchen.adapters.postgres import structure_read
from kitchen.adapters.postgres.hydrate_names import Found, LayerNames
from kitchen.adapters.postgres.hydrate_work import Work
from kitchen.adapters.postgres.structure_deparse import Deparser
from kitchen.adapters.postgres.structure_model import Constraint, Statement
from kitchen.adapters.postgres.structure_text import Place, qualified, quote
from kitchen.domain.layout import TableName

_THERE = "SELECT conrelid, conname FROM pg_catalog.pg_constraint WHERE conrelid = ANY(%s)"


class Keys:
    """Which tables the kitchen has itself once ``family`` (ids of the source) is copied."""

    def __init__(self, work: Work, names: LayerNames, family: Iterable[Found]) -> None:
        self._work = work
        self._names = names
        self._family = {found.oid for found in family}
        self._copied = {self._logical(names.by_oid[oid]) for oid in self._family}
        self.within = frozenset(
            found.oid
            for found in names.by_oid.values()
            if found.kind in "rp" and (self._logical(found) in self._copied or names.is_own(self._logical(found)))
        )

    def add(self, statements: Iterable[Statement]) -> None:
        """Add constraints; a foreign key that rows of the kitchen break is added NOT VALID, and said."""
        for statement in statements:
            failure = self._work.attempt(statement)
            if failure is None:
                self._work.made.append(statement.what)
                continue
            late = replace(statement, sql=f"{statement.sql} NOT VALID")
            if " FOREIGN KEY " in statement.sql and self._work.attempt(late) is None:
                failure = "rows of the kitchen break it, so it is NOT VALID"
            self._work.left_out.append(f"{statement.what}: {failure}")

    def adopt(self, deparser: Deparser, place: Place) -> None:
        """Give the kitchen's other tables their keys to the copied one, which could not cross the layers before."""
        referring = [oid for oid in self.within - self._family if self._is_source(self._names.by_oid[oid])]
        if not referring:
            return
        targets = {below.oid for logical in self._copied for below in self._names.below(logical)}
        own = [found.oid for found in self._names.by_oid.values() if found.name.schema in self._names.own_schemas]
        there = {(row[0], row[1]) for row in self._work.session.query(_THERE, [own])}
        found = structure_read.constraints(self._work.session, deparser, referring)
        for constraint in _deepest_first(found):
            own_table = self._names.first(self._logical(self._names.by_oid[constraint.table]))
            new = own_table is not None and (own_table.oid, constraint.name) not in there
            if new and own_table is not None and constraint.foreign_table in targets:
                self.add([_key(constraint, own_table.name, place)])

    def _is_source(self, found: Found) -> bool:
        """Say whether a table of a layer below is what the kitchen's own was copied from, as far as one can tell."""
        logical = self._logical(found)
        return logical not in self._copied and next(iter(self._names.below(logical)), None) == found

    def _logical(self, found: Found) -> TableName:
        return self._names.logical(found.name) or found.name


def _key(constraint: Constraint, table: TableName, place: Place) -> Statement:
    return Statement(
        f"ALTER TABLE {qualified(table)} ADD CONSTRAINT {quote(constraint.name)} {constraint.definition.render(place)}",
        f"constraint {constraint.name} of {table}",
    )


def _deepest_first(constraints: Iterable[Constraint]) -> Iterator[Constraint]:
    """Yield foreign keys, those of partitions before those of their tables, which adopt them."""
    above = {constraint.oid: constraint for constraint in constraints}
    for constraint in sorted(above.values(), key=lambda one: -_generation(one, above)):
        parent = above.get(constraint.parent or 0)
        made_by_server = parent is not None and parent.table == constraint.table  # for a partition that is referred to
        if constraint.kind == "f" and not made_by_server:
            yield constraint


def _generation(constraint: Constraint, above: Mapping[int, Constraint]) -> int:
    parent = above.get(constraint.parent or 0)
    return 0 if parent is None else 1 + _generation(parent, above)
