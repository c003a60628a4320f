"""Makes anew what is bound to relations by their ids: views, materialised views, parsed functions, defaults."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from kitchen.adapters.postgres.hydrate_names import LayerNames
from kitchen.adapters.postgres.hydrate_work import Work
from kitchen.adapters.postgres.structure_deparse import Deparser
from kitchen.adapters.postgres.structure_finish import placed_views
from kitchen.adapters.postgres.structure_model import Routine, Statement, Structure, View
from kitchen.adapters.postgres.structure_order import ordered
from kitchen.adapters.postgres.structure_read import DEFINITIONS
from kitchen.adapters.postgres.structure_text import Place, Text, qualified, quote
from kitchen.adapters.postgres.structure_types import head_is_same
from kitchen.domain.layout import TableName

_DEFAULTS = """
SELECT a.adrelid || '.' || a.adnum, n.nspname, c.relname, t.attname FROM pg_catalog.pg_attrdef a
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = a.oid
    AND d.refclassid = 'pg_proc'::regclass
JOIN pg_catalog.pg_class c ON c.oid = a.adrelid AND c.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute t ON t.attrelid = a.adrelid AND t.attnum = a.adnum AND t.attgenerated = ''
WHERE d.refobjid = ANY(%s) AND n.nspname = ANY(%s)
"""


class Bound:
    """Views and routines that must be bound anew; ``own`` are ids of those that the kitchen has already.

    Its own are replaced in place where they keep their columns or arguments: views of its children may stand on them.
    """

    def __init__(
        self, work: Work, names: LayerNames, deparser: Deparser, structure: Structure, *, own: Collection[int],
        place: Place,
    ) -> None:  # fmt: skip
        self._work = work
        self._structure = structure
        self._own = own
        self._place = place
        items: list[View | Routine] = [*structure.views, *structure.routines]
        self._items = ordered(items, structure.needs)
        self.in_place = frozenset(own) - self._replaced_whole()
        self._defaults = self._read_defaults(names, deparser)

    @property
    def anew(self) -> Structure:
        """Return the structure, in which views that stay in place have kept what was made for them."""
        views = (replace(one, triggers=()) if one.oid in self.in_place else one for one in self._structure.views)
        return replace(self._structure, views=tuple(views))

    def drop(self) -> None:
        """Drop the kitchen's own, the outermost first; raises where something else stands on them."""
        for alter, _ in self._defaults:
            self._work.quietly([Statement(f"{alter} DROP DEFAULT", "a default that calls a bound function")])
        for item in reversed(self._items):
            if item.oid in self._own and item.oid not in self.in_place:
                self._work.quietly([_drop(item)])

    def make(self) -> None:
        """Make all of them; the kitchen's own must come back, the layers' is said where it cannot be made here."""
        for item in self._items:
            views = (item,) if isinstance(item, View) else ()
            routines = (item,) if isinstance(item, Routine) else ()
            statements = list(placed_views(replace(self._structure, views=views, routines=routines), self._place))
            if item.oid in self.in_place and self._replaced(item, statements):
                continue
            (self._work.must if item.oid in self._own else self._work.each)(statements)
        for alter, text in self._defaults:
            self._work.must([Statement(f"{alter} SET DEFAULT {text.render(self._place)}", "a default bound anew")])

    def _replaced(self, item: View | Routine, statements: Sequence[Statement]) -> bool:
        """Replace one in place; where the server does not, drop it with what stands on it, to be made like the others.

        A column may have another type in the table that is read now.
        """
        if all(self._work.attempt(_over_it(statement)) is None for statement in statements):
            return True
        gone: set[int] = {item.oid}
        for other in self._items:
            if gone.intersection(self._structure.needs.get(other.oid, ())):
                gone |= {other.oid} & self.in_place
        for other in reversed(self._items):
            if other.oid in gone:
                self._work.quietly([_drop(other)])
        self.in_place -= gone
        return False

    def _replaced_whole(self) -> frozenset[int]:
        """Return those of the kitchen's own that the server does not replace, and what stands on them."""
        gone: set[int] = set()
        for item in self._items:  # what is stood on comes first
            if not self._keeps_its_form(item) or gone.intersection(self._structure.needs.get(item.oid, ())):
                gone |= {item.oid} & set(self._own)
        return frozenset(gone)

    def _keeps_its_form(self, item: View | Routine) -> bool:
        if isinstance(item, Routine):
            heads = (item.definition.shown(), item.definition.render(self._place))
            return item.kind in "fp" and head_is_same(*heads)
        columns = (column.type for column in item.columns)
        return not item.materialized and all(kind.shown() == kind.render(self._place) for kind in columns)

    def _read_defaults(self, names: LayerNames, deparser: Deparser) -> list[tuple[str, Text]]:
        routines = [routine.oid for routine in self._structure.routines]
        if not routines:
            return []
        rows = self._work.session.query(_DEFAULTS, [routines, list(names.own_schemas)])
        return list(_alterations(rows, deparser))


def _alterations(rows: list[tuple[str, str, str, str]], deparser: Deparser) -> Iterator[tuple[str, Text]]:
    tables = [int(row[0].partition(".")[0]) for row in rows]
    texts = deparser.texts({"default": DEFINITIONS["default"]}, tables)["default"] if rows else {}
    for key, schema, table, column in rows:
        yield f"ALTER TABLE ONLY {qualified(TableName(schema, table))} ALTER COLUMN {quote(column)}", texts[key]


def _over_it(statement: Statement) -> Statement:
    return replace(statement, sql=re.sub("^CREATE VIEW ", "CREATE OR REPLACE VIEW ", statement.sql))


def _drop(item: View | Routine) -> Statement:
    noun, arguments = "VIEW", ""
    if isinstance(item, Routine):
        noun, arguments = "ROUTINE", f"({item.arguments.shown()})"
    elif item.materialized:
        noun = "MATERIALIZED VIEW"
    return Statement(f"DROP {noun} {qualified(item.name)}{arguments}", f"{noun.lower()} {item.name} over the old table")
