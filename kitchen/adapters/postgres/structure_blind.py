"""Says what is otherwise in a copy: row security, and routines whose text names relations with their schema.

They do not find those under the names that a copy has. Parsed bodies (BEGIN ATOMIC, RETURN) are printed by the server
and follow their tables; other bodies are only text, which may build statements out of pieces, and is never rewritten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kitchen.adapters.postgres.structure_model import Structure
from kitchen.domain.layout import TableName

_WORD = r'"(?:[^"]|"")*"|[^\W\d][\w$]*'
_WORDS = re.compile(_WORD)
_QUALIFIED = re.compile(rf"({_WORD})\s*\.\s*({_WORD})")


def blind_routines(structure: Structure) -> Iterator[str]:
    """Yield, in words, the routines that will not find what their text names."""
    relations = {table.name for table in structure.tables} | {view.name for view in structure.views}
    relations |= {sequence.name for sequence in structure.sequences}
    words = {name.name for name in relations}
    for routine in structure.routines:
        text = "".join(piece for piece in routine.definition.pieces if isinstance(piece, str))
        if named := dict.fromkeys(name for name in _named(text) if name in relations):
            listed = ", ".join(map(str, named))
            yield f"function {routine.name}: its text names {listed} with the schema, where a kitchen has no such table"
        elif "\n SET search_path TO " in text and words & set(map(_identifier, _WORDS.findall(text))):
            yield f"function {routine.name}: it sets its own search_path, on which a kitchen's tables are not"


def row_security(structure: Structure) -> Iterator[str]:
    """Say of which tables the row security stays behind: who may read a copy reads all of it."""
    tables = [str(table.name) for table in structure.tables if table.row_security or table.policies]
    if tables:
        yield f"row security of {', '.join(tables)}: a pantry has none, and is read whole"


def _named(text: str) -> Iterator[TableName]:
    for match in _QUALIFIED.finditer(text):
        yield TableName(_identifier(match[1]), _identifier(match[2]))


def _identifier(word: str) -> str:
    return word[1:-1].replace('""', '"') if word.startswith('"') else word.lower()
