"""Migrations: nodes that run once in a standing kitchen, and once as they stand in a working one."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from kitchen.domain.kitchen import Kind
from kitchen.domain.layout import Layer
from kitchen.engine.fingerprint import node_fingerprint
from kitchen.engine.plan import Plan, PlannedNode
from kitchen.ports import RunRecords


def done_already(records: RunRecords, layer: Layer, plan: Plan, named: Collection[str] | None) -> frozenset[str]:
    """Return the once-nodes that need not run: done in the standing kitchen below, or unchanged in this one.

    One that is named is run again in a working kitchen.
    """
    once = [planned for planned in plan.nodes if planned.node.once]
    if not once:
        return frozenset()
    standing = layer.parents[-1].name if layer.parents else layer.kitchen.name
    below, own = records.once_done(standing), frozenset[str]()
    if layer.kitchen.kind is Kind.WORKING:
        own = records.once_done(str(layer.kitchen.id))  # the id: a later kitchen of that name begins anew
        once = [planned for planned in once if planned.name not in (named or ())]
    return frozenset(
        planned.name
        for planned in once
        if f"{plan.recipe.name}/{planned.name}" in below or _as_it_stands(plan, planned) in own
    )


def record(records: RunRecords, layer: Layer, plan: Plan, planned: PlannedNode, *, run: UUID) -> None:
    """Record that a node passed, if it is one that runs once; a candidate's are recorded when it is published."""
    if not planned.node.once:
        return
    if layer.kitchen.kind is Kind.STANDING:
        records.record_once(layer.kitchen.name, f"{plan.recipe.name}/{planned.name}", run)
    elif layer.kitchen.kind is Kind.WORKING:
        records.record_once(str(layer.kitchen.id), _as_it_stands(plan, planned), run)


def _as_it_stands(plan: Plan, planned: PlannedNode) -> str:
    digest = node_fingerprint(plan.recipe, planned.node, plan.parameters)[:16]
    return f"{plan.recipe.name}/{planned.name}@{digest}"
