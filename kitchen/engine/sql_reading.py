"""A SQL text to its statements, each with the tables it names."""

from __future__ import annotations

from difflib import get_close_matches
from functools import lru_cache

from sqlglot import TokenType, exp

from kitchen.engine.mentions import Reading, Use
from kitchen.engine.sql_heads import read_head
from kitchen.engine.sql_tree import mentions_in, parse
from kitchen.engine.statements import Statement, split
from kitchen.errors import InvalidInput

_PARSED = frozenset(
    ["SELECT", "WITH", "VALUES", "TABLE", "(", "INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "CREATE", "DROP",
     "ALTER", "COPY", "COMMENT", "GRANT", "REVOKE", "ANALYZE"]
)  # fmt: skip
_TRANSACTION = "a node is one transaction: the runner begins and commits it"
_REFUSED = {
    **dict.fromkeys(["BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE"], _TRANSACTION),
    "PREPARE": _TRANSACTION,
    "VACUUM": "VACUUM cannot run in a transaction, and a node is one",
}

_COMMANDS = _PARSED | _REFUSED.keys() | {
    "ANALYSE", "CALL", "CHECKPOINT", "CLOSE", "CLUSTER", "DEALLOCATE", "DECLARE", "DISCARD", "DO", "EXECUTE", "EXPLAIN",
    "FETCH", "IMPORT", "LISTEN", "LOAD", "LOCK", "MOVE", "NOTIFY", "REASSIGN", "REFRESH", "REINDEX", "REPACK", "RESET",
    "SECURITY", "SET", "SHOW", "UNLISTEN",
}  # fmt: skip


@lru_cache(maxsize=512)
def read_sql(text: str, shown: str) -> tuple[Reading, ...]:
    """Return every statement of a text with the tables it names; raises InvalidInput where it is no SQL at all.

    What begins as a statement does and is not understood is left to the server; what begins as none does is refused:
    which tables it would have named decides in what order nodes run.
    """
    return tuple(_reading(statement, text, shown) for statement in split(text, shown=shown))


def _reading(statement: Statement, text: str, shown: str) -> Reading:
    _refuse_unknown(statement, shown)
    try:
        return _read(statement, text)
    except RecursionError:
        raise InvalidInput(
            f"{shown}:{statement.line}: the statement is nested too deeply to be read", hint="write it in several parts"
        ) from None


def _refuse_unknown(statement: Statement, shown: str) -> None:
    first = statement.tokens[0]
    word = first.text.upper().partition(" ")[0]
    if word not in _COMMANDS or first.token_type in (TokenType.IDENTIFIER, TokenType.STRING):
        near = get_close_matches(word, _COMMANDS, n=1)
        raise InvalidInput(
            f"{shown}:{statement.line}: no SQL statement begins with {first.text[:40]!r}"
            + (f"; did you mean {near[0]}?" if near else "")
        )


def _read(statement: Statement, text: str) -> Reading:
    head = [token.text.upper() for token in statement.tokens[:2]]
    refused = _REFUSED.get(head[0])
    settings = head[0] in ("SET", "RESET", "DISCARD") and head[1:2] != ["LOCAL"]
    if refused:
        return Reading(statement, (), refused=refused)
    tree = parse(statement.tokens, text) if head[0] in _PARSED else None
    if tree is None or isinstance(tree, exp.Command):
        return read_head(statement, text)
    found = tuple(mention.shifted(-statement.start) for mention in mentions_in(tree))
    temporary = any(mention.use is Use.CREATE_TEMPORARY for mention in found)
    return Reading(statement, found, leaves_settings=settings or temporary)
