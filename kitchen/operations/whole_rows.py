"""What is published is built from whole tables: one of which row security shows only a part is refused before."""

from __future__ import annotations

from collections.abc import Collection

from kitchen.domain.kitchen import Kind
from kitchen.domain.layout import Layer, TableName
from kitchen.engine.checks import tables_of
from kitchen.engine.compile import places_of
from kitchen.engine.plan import Plan
from kitchen.errors import Refused
from kitchen.ports import Session, Tables


def refuse_parts(tables: Tables, session: Session, layer: Layer, planned: Plan, nodes: Collection[str] | None) -> None:
    """Raise Refused where nodes (None: all), or their tests, read tables whose rows this kitchen sees only in part.

    A working kitchen may build from what its person may see; nobody else's tables come of it.
    """
    if layer.kitchen.kind is Kind.WORKING:
        return
    places = places_of(layer, tables.visible(session, layer))
    read = {places.find(table) for table in _read(planned, nodes)}
    parts = tables.filtered(session, read)
    if not parts:
        return
    role = layer.parents[0].reader_role if layer.parents else layer.kitchen.owner_role
    raise Refused(
        f"row security hides rows of {', '.join(map(str, parts))} from {layer.kitchen.name}: what recipe"
        f" {planned.recipe.name} builds would be built from a part",
        hint=f"as the owner of {parts[0]}: CREATE POLICY kitchen_reads_all ON {parts[0]} FOR SELECT TO {role}"
        " USING (true)",
    )


def _read(planned: Plan, nodes: Collection[str] | None) -> frozenset[TableName]:
    chosen = [one for one in planned.nodes if nodes is None or one.name in nodes]
    asked = [test for one in chosen for test in (*one.node.before_tests, *one.node.after_tests)]
    found = {table for one in chosen for table in one.reads}
    for test in asked:
        found |= tables_of(test, planned.recipe, planned.names, planned.parameters)
    return frozenset(found)
