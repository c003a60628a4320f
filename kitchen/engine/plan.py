"""The order of a recipe's nodes, from what they read and write plus ``after``; pure, before anything runs."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import pairwise

from kitchen.domain.layout import Layout, TableName
from kitchen.domain.recipe import Node, NodeKind, Recipe
from kitchen.engine.mentions import Mention, Name, Reading, Use
from kitchen.engine.naming import Names, is_system, parse_name
from kitchen.engine.order import circle_in, reasons_of
from kitchen.engine.sql_reading import read_sql
from kitchen.engine.statements import parameters_in, with_parameters
from kitchen.engine.touches import Seen, Touches, fold, in_order
from kitchen.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """A node with what it does to which tables (full logical names), and the nodes that come directly before it."""

    node: Node
    touches: Touches
    follows: Mapping[str, str]  # node -> why
    readings: tuple[Reading, ...] = ()  # of SQL nodes, with parameters put in
    tables: Mapping[Mention, TableName] = field(default_factory=dict)  # full names; none for temporary tables
    parameters: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """Return the node's name."""
        return self.node.name

    @property
    def reads(self) -> frozenset[TableName]:
        """Return the tables whose content decides what the node gives."""
        return self.touches.reads | self.touches.changes

    @property
    def writes(self) -> frozenset[TableName]:
        """Return the tables that the node leaves written."""
        return self.touches.writes


@dataclass(frozen=True, slots=True)
class Plan:
    """A recipe's nodes in the order in which they run."""

    recipe: Recipe
    nodes: tuple[PlannedNode, ...]
    parameters: Mapping[str, object]
    names: Names
    warnings: tuple[str, ...] = ()

    def node(self, name: str) -> PlannedNode:
        """Return a planned node; raises InvalidInput."""
        for planned in self.nodes:
            if planned.name == name:
                return planned
        near = get_close_matches(name, [planned.name for planned in self.nodes], n=1)
        raise InvalidInput(
            f"recipe {self.recipe.name!r} has no node {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
            hint=f"kitchen recipe show {self.recipe.name}",
        )

    def writes(self, nodes: Collection[str] | None = None) -> frozenset[TableName]:
        """Return the tables that the named nodes (None: all) leave written."""
        return frozenset(
            table for planned in self.nodes if nodes is None or planned.name in nodes for table in planned.writes
        )

    def downstream(self, nodes: Collection[str]) -> frozenset[str]:
        """Return the named nodes and every node that comes after one of them for a reason."""
        reached = set(nodes)
        for planned in self.nodes:  # in order: all that a node follows stand before it
            if reached & planned.follows.keys():
                reached.add(planned.name)
        return frozenset(reached)


def plan(
    recipe: Recipe,
    layout: Layout,
    known: Collection[TableName],
    *,
    variation: str | None = None,
    overrides: Mapping[str, object] | None = None,
    promised: Collection[TableName] = (),
) -> Plan:
    """Return the nodes of a recipe in order, with the tables of each by full logical name.

    ``known`` are the logical names of all that the kitchen sees (``Tables.visible``); ``promised`` are tables that
    other recipes will have made by then (``promises``). Raises InvalidInput, with file and line, for a cycle, a table
    that nobody has, an ambiguous name, an unknown parameter or variation.
    """
    parameters = parameters_of(recipe, variation, overrides or {})
    chosen = _chosen(recipe, variation)
    names = Names(layout.logical, known, promised)
    readings = {node.name: _readings(recipe, node, parameters) for node in chosen}
    for node in chosen:
        _remember_made(recipe, node, readings[node.name], names)
    ordered = _with_order(recipe, [_draft(recipe, node, readings[node.name], names) for node in chosen])
    _refuse_creating_what_is_there(ordered, names.known)
    return Plan(recipe, ordered, parameters, names, tuple(_warnings(recipe, ordered, names.known)))


def promises(recipes: Iterable[Recipe], layout: Layout, known: Collection[TableName]) -> frozenset[TableName]:
    """Return every table that a node of the recipes makes, there already or not."""
    made: set[TableName] = set()
    names = Names(layout.logical, known)
    for recipe in recipes:
        for node in recipe.nodes:
            made |= _remember_made(recipe, node, _readings(recipe, node, parameters_of(recipe, None, {})), names)
    return frozenset(made)


def _refuse_creating_what_is_there(nodes: Sequence[PlannedNode], known: frozenset[TableName]) -> None:
    """A CREATE in the kitchen would hide the table below without a word, and fail in production: say so now."""
    dropped: set[TableName] = set()
    for planned in nodes:
        clashing = frozenset() if planned.node.once else (planned.touches.creates & known) - dropped
        for table in sorted(clashing, key=str):  # a once-node may have made it, and will not run again
            raise InvalidInput(
                f"{planned.touches.where[table]}: node {planned.name!r} creates {str(table)!r}, which is there already",
                hint=f"begin the node with: DROP TABLE IF EXISTS {table.name};",
            )
        dropped |= planned.touches.drops


def parameters_of(recipe: Recipe, variation: str | None, overrides: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters in force: recipe, then variation, then overrides; raises InvalidInput for unknown ones."""
    if variation is not None and variation not in recipe.variations:
        near = get_close_matches(variation, recipe.variations, n=1)
        raise InvalidInput(
            f"recipe {recipe.name!r} has no variation {variation!r}"
            + (f"; did you mean {near[0]!r}?" if near else f" (it has: {', '.join(recipe.variations) or 'none'})"),
            hint=f"kitchen recipe show {recipe.name}",
        )
    declared = {**recipe.parameters, **(recipe.variations[variation].parameters if variation else {})}
    for name in overrides:
        if name not in declared:
            near = get_close_matches(name, declared, n=1)
            raise InvalidInput(
                f"recipe {recipe.name!r} has no parameter {name!r}"
                + (f"; did you mean {near[0]!r}?" if near else f" (it has: {', '.join(declared) or 'none'})"),
                hint=f"kitchen recipe show {recipe.name}",
            )
    return {**declared, **overrides}


def shown(recipe: Recipe, path: str) -> str:
    """Return a file of a recipe as messages name it."""
    return f"recipes/{recipe.name}/{path}"


def _chosen(recipe: Recipe, variation: str | None) -> tuple[Node, ...]:
    only = recipe.variations[variation].nodes if variation else ()
    return tuple(node for node in recipe.nodes if not only or node.name in only)


# --- what each node touches -------------------------------------------------------------------------------------------


def _readings(recipe: Recipe, node: Node, parameters: Mapping[str, object]) -> tuple[Reading, ...]:
    if node.kind is not NodeKind.SQL or node.source is None:
        return ()
    file = shown(recipe, node.source)
    readings = read_sql(with_parameters(recipe.sources[node.source], parameters, shown=file), file)
    for reading in readings:
        if reading.refused:
            words = " ".join(token.text.upper() for token in reading.statement.tokens[:1])
            raise InvalidInput(f"{file}:{reading.statement.line}: {words} cannot stand in a node: {reading.refused}")
    return readings


_MAKES = (Use.CREATE, Use.CREATE_IF_MISSING, Use.REPLACE, Use.RENAME_TO)


def _remember_made(recipe: Recipe, node: Node, readings: Sequence[Reading], names: Names) -> set[TableName]:
    made = {names.make(parse_name(text), where=_declared(recipe, node)) for text in node.writes}
    for mention in _ours(readings):
        if mention.use in _MAKES:
            made.add(names.make(_full(mention), where=_at(recipe, node, mention)))
    return made


def _ours(readings: Sequence[Reading]) -> Iterator[Mention]:
    """Return the mentions of tables in their order, without temporary ones and the server's own."""
    temporary: set[str] = set()
    for reading in readings:
        for mention in in_order(reading.mentions):
            if mention.use is Use.CREATE_TEMPORARY:
                temporary.add(mention.name.name)
            is_temporary = mention.name.schema is None and mention.name.name in temporary
            if not is_temporary and not is_system(mention.name):
                yield mention


def _full(mention: Mention) -> Name:
    """Return the name; what a table is renamed to stays in that table's schema."""
    if mention.source is not None and mention.name.schema is None:
        return Name(mention.source.schema, mention.name.name)
    return mention.name


def _draft(recipe: Recipe, node: Node, readings: Sequence[Reading], names: Names) -> PlannedNode:
    tables: dict[Mention, TableName] = {}
    seen: list[Seen] = []
    for mention in _ours(readings):
        where = _at(recipe, node, mention)
        verb = "reads" if mention.use in (Use.READ, Use.QUALIFIER) else "writes"
        if mention.use is Use.DROP_IF_THERE:
            table = names.place(mention.name, where=where)
        else:
            table = names.get(_full(mention), where=where, said=f"node {node.name!r} {verb}")
        tables[mention] = table
        if mention.use is Use.QUALIFIER:
            continue
        source = None if mention.source is None else names.find(mention.source, where=where)
        seen.append(Seen(table, mention.use, where, mention.is_view, source))
    seen += _declared_uses(recipe, node, names)
    source_text = recipe.sources.get(node.source or "", "") if node.kind is NodeKind.SQL else ""
    used = frozenset(parameters_in(source_text, shown=node.name)) if source_text else frozenset(recipe.parameters)
    return PlannedNode(node, fold(seen), {}, tuple(readings), tables, used)


def _declared_uses(recipe: Recipe, node: Node, names: Names) -> Iterator[Seen]:
    """Return what a node says of itself: what it drops and writes is built anew, what it only writes is changed."""
    where = _declared(recipe, node)
    for text in node.reads:
        yield Seen(names.get(parse_name(text), where=where, said="reads:"), Use.READ, where)
    dropped = {names.place(parse_name(text), where=where) for text in node.drops}
    written = {names.place(parse_name(text), where=where) for text in node.writes}
    for table in sorted(dropped, key=str):
        yield Seen(table, Use.DROP_IF_THERE, where)
    for table in sorted(written, key=str):
        yield Seen(table, Use.CREATE if table in dropped else Use.CREATE_IF_MISSING, where)


def _declared(recipe: Recipe, node: Node) -> str:
    return f"{shown(recipe, 'recipe.yaml')}: node {node.name!r}"


def _at(recipe: Recipe, node: Node, mention: Mention) -> str:
    return f"{shown(recipe, node.source or 'recipe.yaml')}:{mention.line}"


# --- order ------------------------------------------------------------------------------------------------------------


def _with_order(recipe: Recipe, drafts: Sequence[PlannedNode]) -> tuple[PlannedNode, ...]:
    """Return the nodes in order; where several could come next, the one that the file names first."""
    reasons = reasons_of(drafts)
    position = {draft.name: at for at, draft in enumerate(drafts)}
    waiting = {name: set(before) for name, before in reasons.items()}
    ready = [position[name] for name, before in waiting.items() if not before]
    heapq.heapify(ready)
    ordered: list[PlannedNode] = []
    while ready:
        draft = drafts[heapq.heappop(ready)]
        ordered.append(replace(draft, follows=reasons[draft.name]))
        for name, before in waiting.items():
            if draft.name in before:
                before.discard(draft.name)
                if not before:
                    heapq.heappush(ready, position[name])
    if len(ordered) < len(drafts):
        done = {planned.name for planned in ordered}
        left = {name: before for name, before in reasons.items() if name not in done}
        raise InvalidInput(
            f"{shown(recipe, 'recipe.yaml')}: the nodes form a circle: {circle_in(left)}",
            hint=f"kitchen recipe show {recipe.name}",
        )
    return tuple(ordered)


def _warnings(recipe: Recipe, nodes: Sequence[PlannedNode], known: frozenset[TableName]) -> Iterator[str]:
    for planned in nodes:
        node, touches = planned.node, planned.touches
        for reading in planned.readings:
            where = f"{shown(recipe, node.source or '')}:{reading.statement.line}"
            if reading.opaque and not node.writes:
                yield (
                    f"{where}: what {reading.opaque} writes cannot be seen;"
                    f" if it writes tables, say so: {node.name}: {{writes: [...]}}"
                )
            if _takes_all(reading):
                yield (
                    f"{where}: INSERT … SELECT * takes whatever columns the table below has by then, in their order:"
                    " name the columns"
                )
            if _sets_path(reading):
                yield f"{where}: a function with a search path of its own does not follow the kitchen's layer"
        for table in sorted(touches.drops & known, key=str):
            yield f"{touches.where[table]}: a {table} further down the layer will still be seen after it is dropped"


def _takes_all(reading: Reading) -> bool:
    """Say whether rows go into a table that stays by SELECT *: a parent that gains a column breaks it, or shifts it."""
    words = [token.text.upper() for token in reading.statement.tokens]
    return words[:2] == ["INSERT", "INTO"] and any(pair == ("SELECT", "*") for pair in pairwise(words))


def _sets_path(reading: Reading) -> bool:
    words = [token.text.upper() for token in reading.statement.tokens]
    return words[:1] == ["CREATE"] and {"FUNCTION", "PROCEDURE"} & set(words[:4]) != set() and "SEARCH_PATH" in words
