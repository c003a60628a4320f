"""Constraints between a hydrated table and the kitchen's others. No foreign key crosses a layer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import takewhile

from kitchen.adapters.postgres import structure_read
from kitchen.adapters.postgres.hydrate_names import Found, LayerNames
from kitchen.adapters.postgres.hydrate_work import Work
from kitchen.adapters.postgres.structure_deparse import Deparser
from kitchen.adapters.postgres.structure_model import Constraint, Statement
from kitchen.adapters.postgres.structure_text import Place, literal, qualified, quote
from kitchen.domain.layout import TableName

_THERE = """
SELECT n.nspname, c.relname, k.conname FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%s)
"""


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
        """Add the keys of older versions, from and to the copied tables, that a layer in between could not hold.

        A key that such a layer has not, though it has both tables, was dropped there and stays away.
        """
        own = {self._logical(found) for found in self._names.by_oid.values() if self._is_own_table(found)}
        here = own | self._copied
        versions = [below.oid for logical in here for below in self._names.below(logical)]
        older = [oid for oid in versions if oid not in self._family]
        there = set(self._work.session.query(_THERE, [list(self._names.own_schemas)]))
        for constraint in self._nearest_first(structure_read.constraints(self._work.session, deparser, older)):
            child = self._names.by_oid[constraint.table]
            parent = self._names.by_oid.get(constraint.foreign_table or 0)
            if parent is None or self._was_dropped(child, self._logical(parent)):
                continue
            table, referred = self._names.own(self._logical(child)), self._logical(parent)
            key = (table.schema, table.name, constraint.name)
            if key in there or not self._copied & {self._logical(child), referred}:
                continue
            there.add(key)
            if referred in here:
                self.add(_key(constraint, table, place))
            elif constraint.parent is None:
                self._work.left_out.append(crossing(constraint, self._logical(child), self._names))

    def _is_own_table(self, found: Found) -> bool:
        return found.kind in "rp" and found.name.schema in self._names.own_schemas

    def _was_dropped(self, child: Found, referred: TableName) -> bool:
        """Say whether a nearer layer has both tables, and so could have the key."""
        nearer = takewhile(lambda version: version != child, self._names.below(self._logical(child)))
        return any(self._names.beside(version, referred) for version in nearer)

    def _nearest_first(self, constraints: Iterable[Constraint]) -> Iterator[Constraint]:
        """Yield foreign keys by layer; in each those of partitions before those of their tables, which adopt them."""
        above = {constraint.oid: constraint for constraint in constraints}

        def rank(one: Constraint) -> tuple[int, int]:
            return self._names.depth(self._names.by_oid[one.table].name), -_generation(one, above)

        for constraint in sorted(above.values(), key=rank):
            parent = above.get(constraint.parent or 0)
            made_by_server = parent is not None and parent.table == constraint.table  # for a partition referred to
            if constraint.kind == "f" and not made_by_server:
                yield constraint

    def _logical(self, found: Found) -> TableName:
        return self._names.logical(found.name) or found.name


def crossing(constraint: Constraint, table: TableName, names: LayerNames) -> str:
    """Say of a key that the table it refers to is not the kitchen's."""
    definition = constraint.definition.render(lambda reference: names.logical(reference.name) or reference.name)
    return f"foreign key {constraint.name} of {table}: no key crosses a layer ({definition})"


def _key(constraint: Constraint, table: TableName, place: Place) -> Iterator[Statement]:
    yield Statement(
        f"ALTER TABLE {qualified(table)} ADD CONSTRAINT {quote(constraint.name)} {constraint.definition.render(place)}",
        f"constraint {constraint.name} of {table}",
    )
    if constraint.comment is not None:
        where = f"CONSTRAINT {quote(constraint.name)} ON {qualified(table)}"
        yield Statement(f"COMMENT ON {where} IS {literal(constraint.comment)}", f"comment on {constraint.name}")


def _generation(constraint: Constraint, above: Mapping[int, Constraint]) -> int:
    parent = above.get(constraint.parent or 0)
    return 0 if parent is None else 1 + _generation(parent, above)
