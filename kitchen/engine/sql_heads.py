"""Statements that the parser does not know, read by their first words."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import Token, TokenType

from kitchen.engine.mentions import Mention, Name, Reading, Use
from kitchen.engine.sql_tree import mentions_in, parse
from kitchen.engine.statements import Statement


def read_head(statement: Statement, text: str) -> Reading:
    """Return what the first words of a statement say of it."""
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
    tree = parse(query, text) if query else None
    reads = () if tree is None else tuple(mention.shifted(-statement.start) for mention in mentions_in(tree))
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
