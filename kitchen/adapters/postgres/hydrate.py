"""Copies one table, with what depends on it, into a kitchen: one transaction, under the kitchen's own rights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import psycopg2
from psycopg2 import errors

from kitchen.adapters.postgres import structure_read
from kitchen.adapters.postgres.connection import PgSession, message_of, translated
from kitchen.adapters.postgres.hydrate_names import Found, LayerNames
from kitchen.adapters.postgres.hydrate_plan import Plan, placing, plan
from kitchen.adapters.postgres.structure import read_objects
from kitchen.adapters.postgres.structure_deparse import Deparser
from kitchen.adapters.postgres.structure_finish import placed_constraints, placed_indexes, placed_views
from kitchen.adapters.postgres.structure_model import Constraint, Routine, Statement, Structure, Table, View
from kitchen.adapters.postgres.structure_notes import comments, settings
from kitchen.adapters.postgres.structure_order import ordered
from kitchen.adapters.postgres.structure_tables import advance, placed_tables
from kitchen.adapters.postgres.structure_text import Place, Sort, plain, qualified, quote
from kitchen.domain.layout import TableName
from kitchen.errors import Conflict
from kitchen.ports import Hydrated


class Hydration:
    """One table on its way into a kitchen; must run inside a transaction that has its source locked."""

    def __init__(self, session: PgSession, names: LayerNames, source: Found) -> None:
        self._session = session
        self._names = names
        self._plan: Plan = plan(session, names, source)
        self._left_out: list[str] = []
        self._made: list[str] = []
        self._deparser = Deparser(session, names.schemas)
        self._structure = self._read()
        self._new_sequences = [found for found in self._plan.sequences if not names.is_own(self._logical(found.name))]
        self._place = self._placing()

    def run(self, *, with_rows: bool) -> Hydrated:
        """Make everything and say what was made and what was left out."""
        family = {found.oid for found in self._plan.family}
        bare = self._bare(family)
        self._drop_own_bound()
        self._all(placed_tables(bare, self._place))
        if with_rows:
            self._fill(bare)
        self._all(placed_indexes(self._structure, self._place))
        self._make_bound()
        within = self._kept_tables()
        self._constraints(placed_constraints(self._structure, self._place, within))
        self._adopt(within)
        self._each(settings(self._structure, self._place, triggers=True, policies=True))
        self._each(comments(self._structure, self._place, within))
        self._advance()
        if with_rows:
            self._analyze(bare)
        self._say_left_out(within)
        logical = self._logical(self._plan.source.name)
        return Hydrated(logical, self._plan.source.name, tuple(self._made), tuple(self._left_out))

    def _logical(self, physical: TableName) -> TableName:
        return self._names.logical(physical) or physical

    def _read(self) -> Structure:
        taken = self._plan
        relations = [found.oid for found in (*taken.family, *taken.sequences)] + [*taken.views, *taken.own_views]
        return read_objects(self._session, self._deparser, relations, [*taken.routines, *taken.own_routines])

    def _placing(self) -> Place:
        made = [self._logical(found.name) for found in (*self._plan.family, *self._plan.sequences)]
        made += [self._logical(view.name) for view in self._structure.views]
        routines = [routine.name for routine in self._structure.routines]
        return placing(self._names, made, routines)

    def _bare(self, family: set[int]) -> Structure:
        """Return the tables alone, columns typed as their source is: rows of one row type do not fit another."""
        new = {found.oid for found in self._new_sequences}
        return replace(
            self._structure,
            tables=tuple(_typed_as_source(table) for table in self._structure.tables if table.oid in family),
            sequences=tuple(
                sequence for sequence in self._structure.sequences if sequence.oid in new or sequence.is_identity
            ),
            views=(),
        )

    # --- the kitchen's own views and functions over what is being replaced ---

    def _bound(self) -> list[View | Routine]:
        items: list[View | Routine] = [*self._structure.views, *self._structure.routines]
        return ordered(items, self._structure.needs)

    def _is_own(self, item: View | Routine) -> bool:
        return item.oid in self._plan.own_views or item.oid in self._plan.own_routines

    def _drop_own_bound(self) -> None:
        for item in reversed(self._bound()):
            if not self._is_own(item):
                continue
            name, noun, arguments = qualified(item.name), "VIEW", ""
            if isinstance(item, Routine):
                noun, arguments = "ROUTINE", f"({item.arguments.shown()})"
            elif item.materialized:
                noun = "MATERIALIZED VIEW"
            self._do(Statement(f"DROP {noun} {name}{arguments}", f"{noun.lower()} {item.name} over the old table"))

    def _make_bound(self) -> None:
        """Make what is bound to the table; the kitchen's own must come back, the layers' is said where it cannot."""
        for item in self._bound():
            views = (item,) if isinstance(item, View) else ()
            routines = (item,) if isinstance(item, Routine) else ()
            statements = placed_views(replace(self._structure, views=views, routines=routines), self._place)
            if self._is_own(item):
                self._all(statements)
            else:
                self._each(statements)

    # --- rows ---

    def _fill(self, bare: Structure) -> None:
        for table in bare.tables:
            columns = ", ".join(quote(column.name) for column in table.columns if not column.generated)
            if table.kind == "p":
                continue
            named = f" ({columns})" if columns else ""
            own = qualified(self._names.own(self._logical(table.name)))
            source = qualified(table.name)
            self._do(
                Statement(
                    f"INSERT INTO {own}{named} OVERRIDING SYSTEM VALUE SELECT {columns} FROM ONLY {source}",
                    f"rows of {table.name}",
                )
            )

    def _analyze(self, bare: Structure) -> None:
        filled = [table.name for table in bare.tables if table.bound is None]  # a root's partitions come with it
        filled += [view.name for view in self._structure.views if view.materialized and view.populated]
        for name in filled:
            own = qualified(self._names.own(self._logical(name)))
            self._each([Statement(f"ANALYZE {own}", f"planner's statistics of {name}")])

    def _advance(self) -> None:
        new = {found.oid for found in self._new_sequences}
        for sequence in self._structure.sequences:
            if sequence.oid in new or sequence.is_identity:
                self._do(advance(sequence, self._place))
                continue
            own = qualified(self._names.own(self._logical(sequence.name)))
            last, called = self._session.query(f"SELECT last_value, is_called FROM {own}")[0]
            if (sequence.last_value - last) * sequence.increment > 0 or (sequence.last_value == last and not called):
                self._do(advance(sequence, self._place))

    # --- constraints across tables ---

    def _kept_tables(self) -> set[int]:
        """Return ids, in every layer, of tables that the kitchen has itself now."""
        made = {self._logical(found.name) for found in self._plan.family}
        kept = set()
        for found in self._names.by_oid.values():
            logical = self._logical(found.name)
            if found.kind in "rp" and (logical in made or self._names.is_own(logical)):
                kept.add(found.oid)
        return kept

    def _constraints(self, statements: Iterable[Statement]) -> None:
        for statement in statements:
            if self._try(statement) is None:
                self._made.append(statement.what)
                continue
            late = replace(statement, sql=f"{statement.sql} NOT VALID")
            failure = self._try(late) if " FOREIGN KEY " in statement.sql else "refused"
            words = "rows of the kitchen break it, so it is NOT VALID" if failure is None else failure
            self._left_out.append(f"{statement.what}: {words}")

    def _adopt(self, within: set[int]) -> None:
        """Give the kitchen's other tables their foreign keys to this one, which could not cross the layers before."""
        family = {found.oid for found in self._plan.family}
        logical = {self._logical(found.name) for found in self._plan.family}
        referring = [
            oid for oid in within - family
            if self._names.by_oid[oid].name.schema not in self._names.own_schemas
            and self._logical(self._names.by_oid[oid].name) not in logical
        ]  # fmt: skip
        if not referring:
            return
        targets = {below.oid for name in logical for below in self._names.below(name)}
        there = {
            (row[0], row[1])
            for row in self._session.query(
                "SELECT conrelid, conname FROM pg_catalog.pg_constraint WHERE conrelid = ANY(%s)",
                [[found.oid for found in self._names.by_oid.values() if found.name.schema in self._names.own_schemas]],
            )
        }
        for constraint in structure_read.constraints(self._session, self._deparser, referring):
            if constraint.kind == "f" and constraint.foreign_table in targets and constraint.parent is None:
                self._adopt_one(constraint, there)

    def _adopt_one(self, constraint: Constraint, there: set[tuple[int, str]]) -> None:
        source = self._names.by_oid[constraint.table]
        logical = self._logical(source.name)
        own = self._names.first(logical)
        nearest = next(iter(self._names.below(logical)), None)
        if own is None or nearest != source or (own.oid, constraint.name) in there:
            return
        self._constraints(
            [
                Statement(
                    f"ALTER TABLE {qualified(own.name)} ADD CONSTRAINT {quote(constraint.name)}"
                    f" {constraint.definition.render(self._place)}",
                    f"constraint {constraint.name} of {logical}",
                )
            ]
        )

    def _say_left_out(self, within: set[int]) -> None:
        tables = {table.oid: table.name for table in self._structure.tables}
        for constraint in self._structure.constraints:
            if constraint.kind == "f" and constraint.foreign_table not in within and constraint.parent is None:
                self._left_out.append(
                    f"foreign key {constraint.name} of {self._logical(tables[constraint.table])}:"
                    f" no key crosses a layer ({constraint.definition.shown()})"
                )
        self._left_out += self._structure.left_out

    # --- statements ---

    def _all(self, statements: Iterable[Statement]) -> None:
        for statement in statements:
            self._do(statement)
            self._made.append(statement.what)

    def _each(self, statements: Iterable[Statement]) -> None:
        """Make what the table can live without; what fails is said."""
        for statement in statements:
            failure = self._try(statement)
            if failure is None:
                self._made.append(statement.what)
            else:
                self._left_out.append(f"{statement.what}: {failure}")

    def _do(self, statement: Statement) -> None:
        try:
            with translated(statement.what), self._session.connection.cursor() as cursor:
                cursor.execute(statement.sql)
        except Exception as failure:
            if isinstance(failure.__cause__, errors.DuplicateTable | errors.DuplicateObject):
                raise Conflict(
                    f"{statement.what}: {message_of(failure.__cause__)} in the kitchen",
                    hint="rename or drop what has that name, then hydrate again",
                ) from failure
            raise

    def _try(self, statement: Statement) -> str | None:
        with self._session.connection.cursor() as cursor:
            cursor.execute("SAVEPOINT one")
            try:
                cursor.execute(statement.sql)
            except psycopg2.Error as error:
                cursor.execute("ROLLBACK TO SAVEPOINT one")
                return message_of(error)
            cursor.execute("RELEASE SAVEPOINT one")
            return None


def _typed_as_source(table: Table) -> Table:
    columns = tuple(
        replace(column, type=plain(column.type.shown()))
        if any(reference.sort is Sort.RELATION for reference in column.type.references())
        else column
        for column in table.columns
    )
    return replace(table, columns=columns)


def locked(session: PgSession, family: Sequence[Found]) -> None:
    """Lock tables against being swapped or changed while they are copied; reading them goes on."""
    tables = ", ".join(f"ONLY {qualified(found.name)}" for found in family if found.kind in "rp")
    if tables:
        session.execute(f"LOCK TABLE {tables} IN ACCESS SHARE MODE")
