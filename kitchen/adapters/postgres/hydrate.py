"""Copies one table, with what depends on it, into a kitchen: one transaction, under the kitchen's own rights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from kitchen.adapters.postgres.connection import PgSession
from kitchen.adapters.postgres.hydrate_bound import Bound
from kitchen.adapters.postgres.hydrate_keys import Keys, crossing
from kitchen.adapters.postgres.hydrate_names import Found, LayerNames
from kitchen.adapters.postgres.hydrate_plan import blind_routines, placing, plan
from kitchen.adapters.postgres.hydrate_work import Raced, Work
from kitchen.adapters.postgres.structure import read_objects
from kitchen.adapters.postgres.structure_deparse import Deparser
from kitchen.adapters.postgres.structure_finish import placed_constraints, placed_indexes
from kitchen.adapters.postgres.structure_model import Statement, Structure, Table
from kitchen.adapters.postgres.structure_notes import comments, settings
from kitchen.adapters.postgres.structure_tables import advance, ownership, placed_tables
from kitchen.adapters.postgres.structure_text import Sort, plain, qualified, quote
from kitchen.domain.layout import TableName
from kitchen.errors import Conflict
from kitchen.ports import ChosenRows, Hydrated

Chosen = Mapping[TableName, tuple[ChosenRows, ...]]  # of physical tables; what is not here comes whole


class Hydration:
    """One table on its way into a kitchen; needs an open transaction in which its source is locked."""

    def __init__(self, session: PgSession, names: LayerNames, source: Found, *, over_taken_names: bool = False) -> None:
        self._names = names
        self._work = Work(session, over_taken_names=over_taken_names)
        self._plan = taken = plan(session, names, source)
        self._deparser = Deparser(session, names.schemas)
        relations = [found.oid for found in (*taken.family, *taken.sequences)] + [*taken.views, *taken.own_views]
        self._structure = read_objects(session, self._deparser, relations, [*taken.routines, *taken.own_routines])
        self._new_sequences = {found.oid for found in taken.sequences if not names.is_own(self._logical(found.name))}
        made = [self._logical(found.name) for found in (*taken.family, *taken.sequences)]
        made += [self._logical(view.name) for view in self._structure.views]
        self._place = placing(names, made, [routine.name for routine in self._structure.routines])

    def run(self, *, with_rows: bool, chosen: Chosen | None = None) -> Hydrated:
        """Make everything and say what was made and what was left out; of chosen tables only those rows."""
        work, structure, place, taken = self._work, self._structure, self._place, self._plan
        bound = Bound(
            work, self._names, self._deparser, structure, own={*taken.own_views, *taken.own_routines}, place=place
        )
        keys = Keys(work, self._names, taken.family)
        bare = self._bare()
        bound.drop()
        work.must(placed_tables(bare, place))
        work.quietly(self._late_ownerships())
        if with_rows:
            work.quietly(self._rows(bare, chosen or {}))
            self._refuse_missing(bare, chosen or {})
        work.must(placed_indexes(structure, place))
        bound.make()
        keys.add(placed_constraints(structure, place, keys.within))
        keys.adopt(self._deparser, place)
        work.each(settings(bound.anew, place, triggers=True, policies=True))
        work.each(comments(structure, place, keys.within))
        work.quietly(self._values())
        if with_rows:
            work.each(self._analyses(bare))
        self._refuse_late()
        work.left_out += [*self._not_carried(keys), *structure.left_out]
        notes = tuple(blind_routines(work.session, self._names, (*taken.family, *taken.sequences)))
        table, source = self._logical(taken.source.name), taken.source.name
        return Hydrated(table, source, self._told(work.made), self._told(work.left_out), self._told(notes))

    def _refuse_late(self) -> None:
        """Raise Raced where a view was just bound to a table below that has become the kitchen's own meanwhile.

        to_regclass looks at the catalogue of now, where this transaction's queries look at that of its beginning.
        """
        bound = [*(view.definition for view in self._structure.views)]
        bound += [routine.definition for routine in self._structure.routines]
        named = {reference for text in bound for reference in text.references() if reference.sort is Sort.RELATION}
        below = {self._own(one.name) for one in named if self._place(one).schema in self._names.below_schemas}
        late = "SELECT name FROM unnest(%s::text[]) AS name WHERE pg_catalog.to_regclass(name) IS NOT NULL"
        if found := self._work.session.query(late, [sorted(below)]):
            raise Raced(f"{found[0][0]} was made meanwhile", hint="the same command again")

    def _logical(self, physical: TableName) -> TableName:
        return self._names.logical(physical) or physical

    def _told(self, said: Sequence[str]) -> tuple[str, ...]:
        """Return what was said, once each, in the names that people use."""
        return tuple(dict.fromkeys(self._names.spoken(line) for line in said))

    def _own(self, physical: TableName) -> str:
        return qualified(self._names.own(self._logical(physical)))

    def _bare(self) -> Structure:
        """Return the tables alone, columns typed as their source is: rows of one row type do not fit another."""
        return replace(
            self._structure,
            tables=tuple(_typed_as_source(table) for table in self._structure.tables),
            sequences=tuple(
                one for one in self._structure.sequences if one.oid in self._new_sequences or one.is_identity
            ),
            views=(),
        )

    def _late_ownerships(self) -> Iterator[Statement]:
        """Yield what ties sequences that the kitchen had before to their columns, which it has only now."""
        tables = {table.oid: table for table in self._structure.tables}
        for sequence in self._structure.sequences:
            if sequence.oid not in self._new_sequences:
                yield from ownership(sequence, tables, self._place)

    def _rows(self, bare: Structure, chosen: Chosen) -> Iterator[Statement]:
        tables = {table.oid: table for table in bare.tables}
        for table in bare.tables:
            if table.kind == "p":
                continue
            columns = ", ".join(quote(column.name) for column in table.columns if not column.generated)
            named = f" ({columns})" if columns else ""
            copied = f"SELECT {columns} FROM ONLY {qualified(table.name)}"
            insert = f"INSERT INTO {self._own(table.name)}{named} OVERRIDING SYSTEM VALUE {copied}"
            pieces = _chosen_of(table, tables, chosen)
            if pieces is None:
                yield Statement(insert, f"rows of {table.name}")
            for piece in pieces or ():
                some = piece.put_into(f"{insert} t WHERE {piece.condition}")
                yield Statement(some, f"rows of {table.name}")

    def _refuse_missing(self, bare: Structure, chosen: Chosen) -> None:
        """Raise Conflict where chosen rows have changed since: their old places are empty."""
        for table in bare.tables:
            wanted = chosen.get(table.name)
            if wanted and table.kind != "p":
                count = self._work.session.query(f"SELECT count(*) FROM ONLY {self._own(table.name)}")[0][0]
                if count != sum(piece.rows for piece in wanted):
                    raise Conflict(
                        f"rows of {self._logical(table.name)} changed while a sample of them was copied",
                        hint="kitchen recover",
                    )

    def _values(self) -> Iterator[Statement]:
        """Yield what brings sequences to their source's value; one that the kitchen had before never goes back."""
        for sequence in self._structure.sequences:
            if sequence.oid not in self._new_sequences and not sequence.is_identity:
                last, called = self._work.session.query(
                    f"SELECT last_value, is_called FROM {self._own(sequence.name)}"
                )[0]
                ahead = (sequence.last_value - last) * sequence.increment
                if ahead < 0 or (ahead == 0 and called):
                    continue
            yield advance(sequence, self._place)

    def _analyses(self, bare: Structure) -> Iterator[Statement]:
        filled = [table.name for table in bare.tables if table.bound is None]  # a root's partitions come with it
        filled += [view.name for view in self._structure.views if view.materialized and view.populated]
        for name in filled:
            yield Statement(f"ANALYZE {self._own(name)}", f"planner's statistics of {name}")

    def _not_carried(self, keys: Keys) -> Iterator[str]:
        tables = {table.oid: self._logical(table.name) for table in self._structure.tables}
        for key in self._structure.constraints:
            if key.kind == "f" and key.foreign_table not in keys.within and key.parent is None:
                yield crossing(key, tables[key.table], self._names)
        for table in self._structure.tables:
            for column in table.columns:
                if any(reference.sort is Sort.RELATION for reference in column.type.references()):
                    where = f"column {self._logical(table.name)}.{column.name}"
                    yield f"{where} keeps the row type of {column.type.shown()}"


def _chosen_of(table: Table, tables: Mapping[int, Table], chosen: Chosen) -> tuple[ChosenRows, ...] | None:
    """Return the chosen rows of a table; none of a partition that has none, None for a table that comes whole."""
    if table.name in chosen:
        return chosen[table.name]
    above = [tables[oid] for oid in table.parents if oid in tables] if table.bound is not None else []
    return () if any(_chosen_of(parent, tables, chosen) is not None for parent in above) else None


def locked(session: PgSession, family: Sequence[Found]) -> None:
    """Lock tables against being swapped or changed while they are copied; reading them goes on."""
    tables = ", ".join(f"ONLY {qualified(found.name)}" for found in family if found.kind in "rp")
    if tables:
        session.execute(f"LOCK TABLE {tables} IN ACCESS SHARE MODE")


def _typed_as_source(table: Table) -> Table:
    columns = tuple(
        replace(column, type=plain(column.type.shown()))
        if any(reference.sort is Sort.RELATION for reference in column.type.references())
        else column
        for column in table.columns
    )
    return replace(table, columns=columns)
