"""Which tables a SQL statement names, and what it does to each. Names of CTEs are not tables."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from sqlglot import Token, TokenType, exp
from sqlglot.errors import ParseError

from kitchen.engine.statements import POSTGRES, Statement, split

# sqlglot says in the log what it reads as an opaque command; we read those by their heads, below
logging.getLogger("sqlglot").setLevel(logging.ERROR)


class Use(StrEnum):
    """What a statement does to a table."""

    READ = "read"
    CREATE = "create"
    CREATE_IF_MISSING = "create if missing"
    CREATE_TEMPORARY = "create temporary"
    REPLACE = "replace"  # CREATE OR REPLACE VIEW
    EMPTY = "empty"  # TRUNCATE, DELETE without WHERE
    CHANGE = "change"
    DROP = "drop"
    DROP_IF_THERE = "drop if there"
    RENAME_TO = "rename to"
    QUALIFIER = "qualifier"  # marts.orders.amount: no use by itself, but it must follow its table


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A table as a statement speaks of it."""

    schema: str | None
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True, slots=True)
class Mention:
    """One place where a statement names a table; ``start`` and ``end`` are offsets in the statement's text."""

    name: Name
    use: Use
    line: int
    start: int
    end: int
    is_view: bool = False
    source: Name | None = None  # of a renaming: the table that gets this name


@dataclass(frozen=True, slots=True)
class Reading:
    """A statement with the tables it names. ``opaque``: it may touch tables that its text does not show."""

    statement: Statement
    mentions: tuple[Mention, ...]
    opaque: str | None = None  # DO, CALL, …
    refused: str | None = None  # why it cannot stand in a node
    leaves_settings: bool = False  # SET, temporary tables: the session must be cleaned after the node


@lru_cache(maxsize=512)
def read_sql(text: str, shown: str) -> tuple[Reading, ...]:
    """Return every statement of a text with the tables it names; raises InvalidInput where it is no SQL at all."""
    return tuple(_read(statement, text) for statement in split(text, shown=shown))


def _read(statement: Statement, text: str) -> Reading:
    head = [token.text.upper() for token in statement.tokens[:2]]
    refused = _REFUSED.get(head[0])
    settings = head[0] in ("SET", "RESET", "DISCARD") and head[1:2] != ["LOCAL"]
    if refused:
        return Reading(statement, (), refused=refused)
    tree = _parse(statement.tokens, text) if head[0] in _PARSED else None
    if tree is None or isinstance(tree, exp.Command):
        return _read_head(statement, text)
    found = tuple(_shifted(mention, -statement.start) for mention in _mentions(tree))
    temporary = any(mention.use is Use.CREATE_TEMPORARY for mention in found)
    return Reading(statement, found, leaves_settings=settings or temporary)


_PARSED = frozenset(
    ["SELECT", "WITH", "VALUES", "TABLE", "(", "INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "CREATE", "DROP",
     "ALTER", "COPY", "COMMENT", "GRANT", "REVOKE", "ANALYZE"]
)  # fmt: skip
_WITH_TABLES = frozenset(["TABLE", "VIEW", "MATERIALIZED VIEW", "SEQUENCE", "FOREIGN TABLE", "INDEX", "TRIGGER"])
_TRANSACTION = "a node is one transaction: the runner begins and commits it"
_REFUSED = {
    **dict.fromkeys(["BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE"], _TRANSACTION),
    "PREPARE": _TRANSACTION,
    "VACUUM": "VACUUM cannot run in a transaction, and a node is one",
}


def _parse(tokens: Sequence[Token], text: str) -> exp.Expr | None:
    try:
        found = POSTGRES.parser().parse(list(tokens), sql=text)
    except (ParseError, RecursionError, ValueError):
        return None  # the server may know more than the parser
    return found[0] if len(found) == 1 else None


def _shifted(mention: Mention, by: int) -> Mention:
    return Mention(
        mention.name, mention.use, mention.line, mention.start + by, mention.end + by, mention.is_view, mention.source
    )


# --- parsed statements ------------------------------------------------------------------------------------------------


def _mentions(tree: exp.Expr) -> Iterator[Mention]:
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


# --- statements that the parser does not know, by their heads ---------------------------------------------------------


def _read_head(statement: Statement, text: str) -> Reading:
    head = _Head(statement)
    first = head.word()
    match first:
        case "CREATE":
            return _read_create(head, text)
        case "ALTER":
            return _read_alter(head)
        case "REFRESH":
            head.skip("MATERIALIZED", "VIEW", "CONCURRENTLY")
            return Reading(statement, head.names(Use.CHANGE))
        case "CLUSTER":
            head.skip("VERBOSE")
            return Reading(statement, head.names(Use.CHANGE))
        case "LOCK":
            head.skip("TABLE", "ONLY")
            return Reading(statement, head.names(Use.READ))
        case "SET" | "RESET" | "DISCARD":
            return Reading(statement, (), leaves_settings=True)
        case "EXPLAIN" | "SHOW" | "COMMENT" | "NOTIFY" | "GRANT" | "REVOKE" | "DROP":
            return Reading(statement, ())
    return Reading(statement, (), opaque=first)


def _read_create(head: _Head, text: str) -> Reading:
    statement = head.statement
    skipped = head.skip("OR", "REPLACE", "GLOBAL", "LOCAL", "TEMP", "TEMPORARY", "UNLOGGED", "RECURSIVE", "FOREIGN",
                        "MATERIALIZED")  # fmt: skip
    kind = head.word()
    if kind not in ("TABLE", "VIEW"):
        return Reading(statement, ())  # functions, types, rules …: they read when they are used
    use = Use.CREATE_IF_MISSING if head.skip("IF", "NOT", "EXISTS") else Use.CREATE
    use = Use.REPLACE if "REPLACE" in skipped else use
    temporary = bool(skipped & {"TEMP", "TEMPORARY"})
    if temporary:
        use = Use.CREATE_TEMPORARY
    made = head.names(use, is_view=kind == "VIEW" and "MATERIALIZED" not in skipped)
    query = head.after("AS")
    tree = _parse(query, text) if query else None
    reads = () if tree is None else tuple(_shifted(mention, -statement.start) for mention in _mentions(tree))
    return Reading(statement, made + reads, leaves_settings=temporary)


def _read_alter(head: _Head) -> Reading:
    skipped = head.skip("FOREIGN", "MATERIALIZED")
    kind = head.word()
    if kind not in ("TABLE", "VIEW", "SEQUENCE"):
        return Reading(head.statement, ())
    head.skip("IF", "EXISTS", "ONLY")
    changed = head.names(Use.CHANGE, is_view=kind == "VIEW" and "MATERIALIZED" not in skipped)
    return Reading(head.statement, changed)


class _Head:
    """Reads words and names from the front of a statement."""

    def __init__(self, statement: Statement) -> None:
        self.statement = statement
        self._next = 0

    def _text(self, ahead: int = 0) -> str:
        tokens = self.statement.tokens
        return tokens[self._next + ahead].text if self._next + ahead < len(tokens) else ""

    def word(self) -> str:
        """Return the next word in upper case and step over it."""
        self._next += 1
        return self._text(-1).upper()

    def skip(self, *words: str) -> set[str]:
        """Step over any of these words and return those that were there."""
        there: set[str] = set()
        while self._text().upper() in words:
            there.add(self.word())
        return there

    def names(self, use: Use, *, is_view: bool = False) -> tuple[Mention, ...]:
        """Return the table names, separated by commas, that stand here."""
        found: list[Mention] = []
        while self._text():
            first = self.statement.tokens[self._next]
            parts = [self._part()]
            while self._text() == ".":
                self._next += 1
                parts.append(self._part())
            last = self.statement.tokens[self._next - 1]
            name = Name(parts[-2] if len(parts) > 1 else None, parts[-1])
            begin, end = first.start - self.statement.start, last.end + 1 - self.statement.start
            found.append(Mention(name, use, first.line, begin, end, is_view))
            if self._text() != ",":
                break
            self._next += 1
        return tuple(found)

    def after(self, word: str) -> Sequence[Token]:
        """Return the tokens behind the next such word."""
        tokens = self.statement.tokens
        for position in range(self._next, len(tokens)):
            if tokens[position].text.upper() == word:
                return tokens[position + 1 :]
        return ()

    def _part(self) -> str:
        if not self._text():
            return ""
        token = self.statement.tokens[self._next]
        self._next += 1
        return token.text if token.token_type is TokenType.IDENTIFIER else token.text.lower()
