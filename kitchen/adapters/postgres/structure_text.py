"""SQL text of the server's own deparser, with every schema-qualified name in it found for certain.

A name is never searched for in the text: `raw.orders` may be a table, a column of an alias, or part of a string.
Instead the server prints a definition twice, once with nothing on its search path and once with one schema on it;
what the second print lacks are exactly the qualifiers of that schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from kitchen.domain.layout import TableName
from kitchen.errors import KitchenError

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<text>[eE]'(?:[^'\\]|\\.|'')*' | (?:[bBxX]|[uU]&)?'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")*")
  | (?P<dollar>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
  | (?P<name>[^\W\d][\w$]*)
  | (?P<number>\d[\w.]*)
  | (?P<operator>::|[-+*/<>=~!@\#%^&|`?]+)
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


class Sort(StrEnum):
    """What a qualified name names."""

    RELATION = "relation"
    TYPE = "type"
    ROUTINE = "routine"
    COLLATION = "collation"
    EXTENSION = "extension"  # whatever belongs to an extension: it is where the extension is
    OTHER = "other"  # operators, text search objects: never copied


@dataclass(frozen=True, slots=True)
class Reference:
    """One object of a watched schema, named in a definition."""

    name: TableName
    sort: Sort
    in_text: bool = False  # inside a string such as 'raw.orders_id_seq'::regclass


Place = Callable[[Reference], TableName]


@dataclass(frozen=True, slots=True)
class Text:
    """A definition: SQL text with references in between."""

    pieces: tuple[str | Reference, ...]

    def render(self, place: Place) -> str:
        """Return the SQL with each reference where ``place`` puts it."""
        return "".join(piece if isinstance(piece, str) else _named(piece, place) for piece in self.pieces)

    def shown(self) -> str:
        """Return the SQL as it was read, for people."""
        return self.render(lambda reference: reference.name)

    def references(self) -> tuple[Reference, ...]:
        """Return what the definition names."""
        return tuple(piece for piece in self.pieces if isinstance(piece, Reference))


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


_Mark = tuple[int, ...]  # offset of a qualifier; inside a string: offset of the string, offset in its content


def quote(name: str) -> str:
    """Return an identifier quoted, whether it needs it or not."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a string constant that no server setting reads otherwise."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'" if "\\" not in text else " E'" + escaped.replace("\\", "\\\\") + "'"


def qualified(name: TableName) -> str:
    """Return a schema-qualified name, quoted."""
    return f"{quote(name.schema)}.{quote(name.name)}"


def without_words(text: str, *words: str) -> str:
    """Return SQL without the first place where these bare words follow each other (never inside a string)."""
    tokens = _tokens(text)
    for at in range(len(tokens) - len(words) + 1):
        if [token.text for token in tokens[at : at + len(words)]] == list(words):
            return text[: tokens[at].start] + text[tokens[at + len(words) - 1].end :]
    return text


def same_sql(one: str, other: str) -> bool:
    """Say whether two texts are the same but for white space between words."""
    return [token.text for token in _tokens(one)] == [token.text for token in _tokens(other)]


def plain(text: str) -> Text:
    """Return text that names nothing of a watched schema."""
    return Text((text,) if text else ())


def understood(full: str, short: Mapping[str, str], sort: Callable[[TableName, str, str], Sort]) -> Text:
    """Find the references in ``full``, the print with nothing on the path; ``short`` has the prints by schema.

    ``sort(name, before, after)`` tells what a name is from its neighbours. Raises KitchenError where the prints differ
    otherwise than by qualifiers.
    """
    if not short:
        return plain(full)
    marks = {mark for schema, text in short.items() for mark in _marks(full, text, schema)}
    return Text(tuple(_merged(_pieces(full, marks, (), sort, ""))))


def _tokens(text: str) -> list[_Token]:
    return [
        _Token(match.lastgroup or "other", match.group(), match.start(), match.end())
        for match in _TOKEN.finditer(text)
        if match.lastgroup != "space"
    ]


def _is_qualifier(tokens: list[_Token], at: int, schema: str) -> bool:
    return at + 2 < len(tokens) and _identifier(tokens[at]) == schema and tokens[at + 1].text == "."


def _identifier(token: _Token) -> str | None:
    if token.kind == "quoted":
        return token.text[1:-1].replace('""', '"')
    return token.text if token.kind == "name" else None


def _operator_of(tokens: list[_Token], at: int, schema: str) -> bool:
    return (
        at + 5 < len(tokens)
        and tokens[at].text == "OPERATOR"
        and tokens[at + 1].text == "("
        and _is_qualifier(tokens, at + 2, schema)
    )


def _is_call(tokens: list[_Token], at: int, schema: str) -> bool:
    """A column of an alias is never followed by a parenthesis."""
    return _is_qualifier(tokens, at, schema) and at + 3 < len(tokens) and tokens[at + 3].text == "("


def _marks(full: str, short: str, schema: str) -> set[_Mark]:
    """Return where ``full`` has a qualifier that ``short`` lacks, walking both token by token."""
    left, right = _tokens(full), _tokens(short)
    marks: set[_Mark] = set()
    i = j = 0
    while i < len(left):
        if _is_qualifier(left, i, schema) and not _is_qualifier(right, j, schema):
            marks.add((left[i].start,))
            i += 2
        elif _is_call(left, i, schema):  # printed qualified on any path because its name is ambiguous
            marks.add((left[i].start,))
            i, j = i + 2, j + 2
        elif _operator_of(left, i, schema) and right[j].text != "OPERATOR":
            marks.add((left[i + 2].start,))
            _expect(left[i + 4], right, j, full)
            i, j = i + 6, j + 1
            continue
        elif _is_qualifier(right, j, "pg_catalog") and not _is_qualifier(left, i, "pg_catalog"):
            j += 2  # the watched schema hides a name of the system's
        elif _operator_of(right, j, "pg_catalog") and left[i].text != "OPERATOR":
            _expect(left[i], right, j + 4, full)
            i, j = i + 1, j + 6
            continue
        if i < len(left) and left[i].kind == "text" and j < len(right) and right[j].text != left[i].text:
            inner = _marks(_content(left[i]), _content(right[j]), schema)
            marks |= {(left[i].start, *mark) for mark in inner}
        else:
            _expect(left[i], right, j, full)
        i, j = i + 1, j + 1
    if j != len(right):
        raise _unreadable(full)
    return marks


def _expect(token: _Token, tokens: list[_Token], at: int, full: str) -> None:
    if at >= len(tokens) or tokens[at].text != token.text:
        raise _unreadable(full)


def _unreadable(full: str) -> KitchenError:
    return KitchenError(f"cannot tell which schemas this definition names: {full[:200]}")


def _content(token: _Token) -> str:
    opening = token.text.index("'") + 1
    content = token.text[opening:-1].replace("''", "'")
    return content.replace("\\\\", "\\") if token.text[0] in "eE" else content


def _pieces(
    full: str, marks: set[_Mark], above: _Mark, sort: Callable[[TableName, str, str], Sort], cast: str
) -> Iterable[str | Reference]:
    tokens = _tokens(full)
    done = 0
    for at, token in enumerate(tokens):
        position = (*above, token.start)
        if position in marks:
            yield full[done : token.start]
            before = tokens[at - 1].text if at else ""
            after = cast or (tokens[at + 3].text if at + 3 < len(tokens) else "")
            name = TableName(_identifier(token) or "", _identifier(tokens[at + 2]) or tokens[at + 2].text)
            yield Reference(name, sort(name, before, after), in_text=bool(above))
            done = tokens[at + 2].end
        elif not above and any(mark[:1] == position and len(mark) > 1 for mark in marks):
            yield full[done : token.start]
            kind = tokens[at + 2].text if at + 2 < len(tokens) and tokens[at + 1].text == "::" else ""
            opening = "E'" if token.text[0] in "eE" else "'"
            yield opening
            for piece in _pieces(_content(token), marks, position, sort, kind):
                yield _escaped(piece, opening) if isinstance(piece, str) else piece
            yield "'"
            done = token.end
    yield full[done:]


def _escaped(text: str, opening: str) -> str:
    doubled = text.replace("'", "''")
    return doubled.replace("\\", "\\\\") if opening == "E'" else doubled


def _merged(pieces: Iterable[str | Reference]) -> Iterable[str | Reference]:
    text = ""
    for piece in pieces:
        if isinstance(piece, str):
            text += piece
            continue
        if text:
            yield text
        yield piece
        text = ""
    if text:
        yield text


def _named(reference: Reference, place: Place) -> str:
    name = place(reference)
    if reference.sort in (Sort.OTHER, Sort.EXTENSION) and not name.name.replace("_", "a").isalnum():
        return f"{quote(name.schema)}.{name.name}"  # an operator's symbol is never quoted
    shown = qualified(name)
    return shown.replace("'", "''") if reference.in_text else shown
