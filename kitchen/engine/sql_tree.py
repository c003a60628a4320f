"""The tables in a statement that the parser understands. Names of CTEs are not tables."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence

from sqlglot import Token, exp
from sqlglot.errors import ParseError

from kitchen.engine.mentions import Mention, Name, Use
from kitchen.engine.statements import POSTGRES

# sqlglot says in the log what it reads as an opaque command; sql_heads.py reads those
logging.getLogger("sqlglot").setLevel(logging.ERROR)

_WITH_TABLES = frozenset(["TABLE", "VIEW", "MATERIALIZED VIEW", "SEQUENCE", "FOREIGN TABLE", "INDEX", "TRIGGER"])


def parse(tokens: Sequence[Token], text: str) -> exp.Expr | None:
    """Return the tree of one statement's tokens, or None where the parser does not know it."""
    try:
        found = POSTGRES.parser().parse(list(tokens), sql=text)
    except (ParseError, RecursionError, ValueError, AttributeError, TypeError, LookupError):  # it stumbles over some
        return None  # the server may know more than the parser
    return found[0] if len(found) == 1 else None


def mentions_in(tree: exp.Expr) -> Iterator[Mention]:
    """Return every table that a parsed statement names; places count from the start of the text it was parsed from."""
    yield from _walk(tree, frozenset())


def _walk(node: exp.Expr, ctes: frozenset[str]) -> Iterator[Mention]:
    """Go down with the names of the CTEs in force: a name is a CTE only where SQL says so."""
    if isinstance(node, exp.Create | exp.Drop) and str(node.args.get("kind")).upper() not in _WITH_TABLES:
        return  # functions, types, schemas: what stands in them is no use of a table
    if isinstance(node, exp.Drop) and str(node.args.get("kind")).upper() in ("INDEX", "TRIGGER"):
        return
    targets = list(_targets(node))
    for table, use, is_view in targets:
        if not (use is Use.READ and _is_cte(table, ctes)):
            yield from _mention(table, use, is_view, _renamed_from(table))
    taken = {id(table) for table, _, _ in targets}
    inner = ctes
    with_ = node.args.get("with_")
    if isinstance(with_, exp.With):
        names = [cte.alias_or_name for cte in with_.expressions]
        for position, cte in enumerate(with_.expressions):
            yield from _walk(cte.this, ctes | frozenset(names if with_.recursive else names[:position]))
        inner = ctes | frozenset(names)
    if isinstance(node, exp.Table) and id(node) not in taken and not _is_cte(node, ctes):
        yield from _mention(node, Use.READ)
    if isinstance(node, exp.Column) and isinstance(node.args.get("db"), exp.Identifier):
        yield from _qualifier(node)
    for child in _children(node):
        if child is with_ or id(child) in taken:
            continue
        yield from _walk_target_parts(child, taken, inner)


def _walk_target_parts(node: exp.Expr, taken: set[int], ctes: frozenset[str]) -> Iterator[Mention]:
    """Walk a child; a Schema around a target (``INSERT INTO t (a, b)``) still has columns and references inside."""
    if isinstance(node, exp.Schema) and id(node.this) in taken:
        for child in node.expressions:
            yield from _walk(child, ctes)
    elif not isinstance(node, exp.Index | exp.AlterRename):
        yield from _walk(node, ctes)


def _children(node: exp.Expr) -> Iterator[exp.Expr]:
    for value in node.args.values():
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, exp.Expr):
                yield child


def _targets(node: exp.Expr) -> Iterator[tuple[exp.Table, Use, bool]]:
    """Return the tables that this very node acts on, with what it does to them."""
    match node:
        case exp.Insert() | exp.Merge() | exp.Update():
            yield from _tables([node.this], Use.CHANGE)
        case exp.Delete():
            all_rows = not node.args.get("where") and not node.args.get("using")
            yield from _tables([node.this], Use.EMPTY if all_rows else Use.CHANGE)
        case exp.TruncateTable():
            yield from _tables(node.expressions, Use.EMPTY)
        case exp.Copy():
            yield from _tables([node.this], Use.CHANGE if node.args.get("kind") else Use.READ)
        case exp.Into():
            yield from _tables([node.this], Use.CREATE_TEMPORARY if node.args.get("temporary") else Use.CREATE)
        case exp.Drop():
            yield from _dropped(node)
        case exp.Create():
            yield from _created(node)
        case exp.Alter():
            yield from _altered(node)
        case exp.Comment():
            yield from _tables([node.this], Use.CHANGE)
        case exp.Grant() | exp.Revoke() | exp.TriggerProperties():
            yield from _tables([node.args.get("securable"), node.args.get("table")], Use.CHANGE)


def _altered(node: exp.Alter) -> Iterator[tuple[exp.Table, Use, bool]]:
    yield from _tables([node.this], Use.CHANGE, is_view=str(node.args.get("kind")).upper() == "VIEW")
    for action in node.args.get("actions") or []:
        if isinstance(action, exp.AlterRename):
            yield from _tables([action.this], Use.RENAME_TO)


def _dropped(node: exp.Drop) -> Iterator[tuple[exp.Table, Use, bool]]:
    kind = str(node.args.get("kind")).upper()
    if kind in ("TABLE", "VIEW", "MATERIALIZED VIEW", "SEQUENCE", "FOREIGN TABLE"):
        use = Use.DROP_IF_THERE if node.args.get("exists") else Use.DROP
        yield from _tables(node.args.get("tables") or [node.this], use, is_view=kind == "VIEW")


def _created(node: exp.Create) -> Iterator[tuple[exp.Table, Use, bool]]:
    kind = str(node.args.get("kind")).upper()
    if kind == "INDEX" and isinstance(node.this, exp.Index):
        yield from _tables([node.this.args.get("table")], Use.CHANGE)
        return
    if kind not in ("TABLE", "VIEW", "SEQUENCE"):
        return
    properties = node.args.get("properties")
    kinds = {type(one) for one in properties.expressions} if properties is not None else set()
    if exp.TemporaryProperty in kinds:
        use = Use.CREATE_TEMPORARY
    elif node.args.get("replace"):
        use = Use.REPLACE
    else:
        use = Use.CREATE_IF_MISSING if node.args.get("exists") else Use.CREATE
    is_view = kind == "VIEW" and exp.MaterializedProperty not in kinds
    yield from _tables([node.this], use, is_view=is_view)


def _tables(nodes: Iterable[object], use: Use, *, is_view: bool = False) -> Iterator[tuple[exp.Table, Use, bool]]:
    for node in nodes:
        table = node.this if isinstance(node, exp.Schema) else node
        if isinstance(table, exp.Table) and isinstance(table.this, exp.Identifier):
            yield table, use, is_view


def _renamed_from(table: exp.Table) -> Name | None:
    if not isinstance(table.parent, exp.AlterRename):
        return None
    alter = table.find_ancestor(exp.Alter)
    return _name(alter.this) if alter is not None and isinstance(alter.this, exp.Table) else None


def _is_cte(table: exp.Table, ctes: frozenset[str]) -> bool:
    return not table.args.get("db") and _fold(table.this) in ctes


def _mention(table: exp.Table, use: Use, is_view: bool = False, source: Name | None = None) -> Iterator[Mention]:
    if not isinstance(table.this, exp.Identifier) or "start" not in table.this.meta:
        return  # a function in FROM
    first = table.args.get("db") or table.this
    yield Mention(
        _name(table), use, table.this.meta["line"], first.meta["start"], table.this.meta["end"] + 1, is_view, source
    )


def _qualifier(column: exp.Column) -> Iterator[Mention]:
    schema, table = column.args["db"], column.args.get("table")
    if isinstance(table, exp.Identifier) and "start" in schema.meta and "end" in table.meta:
        name = Name(_fold(schema), _fold(table))
        yield Mention(name, Use.QUALIFIER, table.meta["line"], schema.meta["start"], table.meta["end"] + 1)


def _name(table: exp.Table) -> Name:
    schema = table.args.get("db")
    return Name(_fold(schema) if isinstance(schema, exp.Identifier) else None, _fold(table.this))


def _fold(identifier: exp.Expr) -> str:
    return str(identifier.this) if identifier.args.get("quoted") else str(identifier.this).lower()
