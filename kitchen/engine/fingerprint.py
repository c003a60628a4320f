"""What of a recipe is new: fingerprints that layout and comments do not change, and what follows from a change."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from hashlib import sha256

from kitchen.domain.layout import TableName
from kitchen.domain.recipe import Node, NodeKind, Recipe, RecipeTest
from kitchen.engine.plan import Plan
from kitchen.engine.statements import canonical, parameters_in


def node_fingerprint(recipe: Recipe, node: Node, parameters: Mapping[str, object]) -> str:
    """Return the same text for a node that does the same: SQL by its meaning, everything else by its text.

    A node that is no SQL may use any other file of the recipe's folder, so all of them count for it.
    """
    if node.kind is NodeKind.SQL and node.source is not None:
        text = recipe.sources[node.source]
        code: object = canonical(text)
        used: object = {name: parameters.get(name) for name in parameters_in(text, shown=node.name)}
    else:
        code = {
            path: text for path, text in recipe.sources.items() if not path.endswith((".sql", ".yaml", ".yml", ".md"))
        }
        used = dict(parameters)
    return _digest(
        [node.kind, node.source, code, used, node.command, node.image, node.reads, node.writes, node.drops,
         node.uses, node.secrets, node.once, node.append]
    )  # fmt: skip


def tests_fingerprint(recipe: Recipe, tests: Collection[RecipeTest]) -> str:
    """Return the same text for tests that ask the same."""
    return _digest([[test.name, test.kind, test.severity, _with_text(recipe, test.settings)] for test in tests])


def affected(base: Plan | None, new: Plan, *, touched: Collection[TableName] = ()) -> frozenset[str]:
    """Return the nodes of ``new`` that must run: changed or added ones, and all that follows from them.

    ``base`` is the same recipe as it was (None: there was none). ``touched`` are tables that something else changed:
    nodes that read one follow too. A table that several nodes write one after another is built anew from its first
    writer, since running the later ones alone would act twice on what is there.
    """
    before = {} if base is None else _fingerprints(base)
    start = {name for name, digest in _fingerprints(new).items() if before.get(name) != digest}
    start |= {planned.name for planned in new.nodes if planned.reads & frozenset(touched)}
    found = new.downstream(start)
    while True:
        grown = new.downstream(found | _fellow_writers(new, found))
        if grown == found:
            return found
        found = grown


def changed_tests(base: Plan | None, new: Plan) -> frozenset[str]:
    """Return the nodes whose tests are not what they were."""
    if base is None:
        return frozenset(planned.name for planned in new.nodes if planned.node.before_tests or planned.node.after_tests)
    before = {planned.name: _tests_of(base, planned.node) for planned in base.nodes}
    return frozenset(planned.name for planned in new.nodes if before.get(planned.name) != _tests_of(new, planned.node))


def _tests_of(plan: Plan, node: Node) -> str:
    recipe = plan.recipe
    return tests_fingerprint(recipe, node.before_tests) + tests_fingerprint(recipe, node.after_tests)


def _fellow_writers(plan: Plan, nodes: Collection[str]) -> frozenset[str]:
    written = plan.writes(nodes)
    return frozenset(
        planned.name
        for planned in plan.nodes
        if planned.writes & written and _builds_anew(plan, planned.writes & written)
    )


def _builds_anew(plan: Plan, tables: frozenset[TableName]) -> bool:
    return any(planned.touches.rebuilds & tables for planned in plan.nodes)


def _fingerprints(plan: Plan) -> dict[str, str]:
    return {planned.name: node_fingerprint(plan.recipe, planned.node, plan.parameters) for planned in plan.nodes}


def _with_text(recipe: Recipe, settings: Mapping[str, object]) -> dict[str, object]:
    found = dict(settings)
    for key in ("file", "query"):
        text = found.get(key)
        if isinstance(text, str):
            found[key] = (
                canonical(recipe.sources[text]) if key == "file" and text in recipe.sources else canonical(text)
            )
    return found


def _digest(value: object) -> str:
    return sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
