"""A SQL file as statements: split by the lexer (never by a regular expression), with parameters put in as literals."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from itertools import pairwise

from sqlglot import Token, TokenType
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import TokenError

from kitchen.errors import InvalidInput


class _Dialect(Postgres):
    """PostgreSQL, with statements such as CALL and REFRESH read word by word (else their rest is one token)."""

    class Tokenizer(Postgres.Tokenizer):
        COMMANDS = set()  # noqa: RUF012 - sqlglot's own convention


POSTGRES = _Dialect()
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CLOSES_A_VALUE = re.compile(r"[\w\])\"']")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: its text as written (parameters put in), where it starts, and its tokens."""

    text: str
    line: int
    start: int  # offset of the first character in the whole text; token positions count from there too
    tokens: tuple[Token, ...]


def tokens_of(text: str, *, shown: str) -> list[Token]:
    """Return the tokens of a SQL text; raises InvalidInput where it cannot even be read (an open quote)."""
    try:
        return list(POSTGRES.tokenize(text))
    except TokenError as wrong:
        raise InvalidInput(f"{shown}: cannot be read as SQL: {_first_line(str(wrong))}") from None


def split(text: str, *, shown: str) -> tuple[Statement, ...]:
    """Return the statements of a text; semicolons inside quotes and ``BEGIN ATOMIC`` bodies do not split."""
    return tuple(
        Statement(text[part[0].start : part[-1].end + 1], part[0].line, part[0].start, tuple(part))
        for part in _parts(tokens_of(text, shown=shown))
    )


def _parts(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    part: list[Token] = []
    depth = 0
    for position, token in enumerate(tokens):
        if token.token_type is TokenType.SEMICOLON and depth == 0:
            if part:
                yield part
            part = []
            continue
        if token.token_type is TokenType.BEGIN and _upper(tokens, position + 1) == "ATOMIC":
            depth = 1
        elif depth and token.token_type is TokenType.CASE:
            depth += 1
        elif depth and token.token_type is TokenType.END:
            depth -= 1
        part.append(token)
    if part:
        yield part


def _upper(tokens: Sequence[Token], position: int) -> str:
    return tokens[position].text.upper() if position < len(tokens) else ""


# --- parameters -------------------------------------------------------------------------------------------------------


def parameters_in(text: str, *, shown: str) -> dict[str, int]:
    """Return the names written ``:name`` with the line where each stands first."""
    found: dict[str, int] = {}
    for _, _, name, line in _placeholders(text, shown):
        found.setdefault(name, line)
    return found


def with_parameters(text: str, parameters: Mapping[str, object], *, shown: str) -> str:
    """Put parameters in for ``:name`` as quoted literals; raises InvalidInput for one that is not declared.

    Only whole tokens are replaced, so nothing inside a string, a comment or a quoted name ever is.
    """
    made: list[str] = []
    done = 0
    for start, end, name, line in _placeholders(text, shown):
        if name not in parameters:
            near = get_close_matches(name, parameters, n=1)
            raise InvalidInput(
                f"{shown}:{line}: there is no parameter {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
                hint="declare it in recipe.yaml: parameters: {" + name + ": ...}",
            )
        made += [text[done:start], literal(parameters[name])]
        done = end
    return "".join([*made, text[done:]])


def _placeholders(text: str, shown: str) -> Iterator[tuple[int, int, str, int]]:
    if ":" not in text:
        return
    tokens = tokens_of(text, shown=shown)
    for colon, name in pairwise(tokens):
        if colon.token_type is not TokenType.COLON or name.start != colon.end + 1 or not _WORD.fullmatch(name.text):
            continue
        before = text[colon.start - 1] if colon.start else " "
        if text[name.start] in "\"'" or _CLOSES_A_VALUE.match(before):  # a[1:n] is a slice
            continue
        yield colon.start, name.end + 1, name.text, colon.line


def literal(value: object) -> str:
    """Return a SQL literal of a parameter's value; raises InvalidInput for what has none."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | Decimal():
            return f"({value})" if value < 0 else str(value)
        case float() if math.isfinite(value):
            return f"({value!r})" if value < 0 else repr(value)
        case datetime():
            return f"TIMESTAMP{'TZ' if value.tzinfo else ''} {quoted(value.isoformat(sep=' '))}"
        case date():
            return f"DATE {quoted(value.isoformat())}"
        case str():
            return quoted(value)
        case list() | tuple() if value:
            return f"ARRAY[{', '.join(literal(item) for item in value)}]"
    raise InvalidInput(f"a parameter cannot be {ascii(value)[:60]}: use text, a number, a date or a list of those")


def quoted(text: str) -> str:
    """Return text as a SQL string constant, safe whatever standard_conforming_strings says."""
    if "\x00" in text:
        raise InvalidInput("text for the database cannot contain a null character")
    doubled = text.replace("'", "''")
    return f" E'{doubled.replace(chr(92), chr(92) * 2)}'" if "\\" in text else f"'{doubled}'"


def identifier(name: str) -> str:
    """Return a name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


# --- canonical form ---------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def canonical(text: str) -> str:
    """Return a text that is the same for the same SQL, however it is laid out and commented.

    It is made from the lexer's tokens, not from a parsed tree: what the parser does not know cannot be lost.
    """
    try:
        tokens = list(POSTGRES.tokenize(text))
    except TokenError:
        return text
    words = [_canonical_token(token) for token in tokens]
    while words and words[-1] == "SEMICOLON":
        words.pop()
    return "\n".join(words)


def _canonical_token(token: Token) -> str:
    kind = token.token_type
    if kind in (TokenType.SEMICOLON, TokenType.L_PAREN, TokenType.R_PAREN, TokenType.COMMA):
        return str(kind.name)
    if kind is TokenType.IDENTIFIER:
        return f"NAME {token.text!r}"
    if kind.name.endswith("STRING") or kind is TokenType.NUMBER:
        return f"{kind.name} {token.text!r}"
    if kind is TokenType.VAR:  # an unquoted name and the same name in quotes are one
        return f"NAME {token.text.lower()!r}"
    return f"{kind.name} {token.text.lower()!r}"


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "unreadable"
