"""Which tables a statement meant to write when the server refused it: 42501 carries no name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from kitchen.domain.layout import TableName
from kitchen.engine.compile import Places
from kitchen.engine.mentions import Name
from kitchen.engine.naming import Names
from kitchen.engine.statements import quoted
from kitchen.errors import InvalidInput
from kitchen.ports import Session

_NAME = r'((?:"[^"]+"|\w+)(?:\s*\.\s*(?:"[^"]+"|\w+))?)'
_WRITES = re.compile(
    r"\b(?:insert\s+into|update(?:\s+only)?|delete\s+from(?:\s+only)?|truncate(?:\s+table)?(?:\s+only)?|merge\s+into"
    r"|alter\s+table(?:\s+if\s+exists)?(?:\s+only)?|lock\s+table(?:\s+only)?|copy|cluster"
    r"|refresh\s+materialized\s+view(?:\s+concurrently)?|drop\s+table(?:\s+if\s+exists)?)\s+" + _NAME,
    re.IGNORECASE,
)
_LOCKS_ROWS = re.compile(r"\bfor\s+(?:no\s+key\s+update|update|key\s+share|share)\b", re.IGNORECASE)
_READS = re.compile(r"\b(?:from|join)\s+(?:only\s+)?" + _NAME, re.IGNORECASE)
_ANY = re.IGNORECASE | re.DOTALL
_CALLED = re.compile(r"\b(\w+)\s*\(")


_REFUSED = re.compile(r"(?:permission denied for|must be owner of) (?:table|materialized view) (.+)")


def tables_meant(
    session: Session, statements: Sequence[str], said: str, names: Names, places: Places
) -> tuple[TableName, ...]:
    """Return the tables below the kitchen that a refused statement (the last), or a function it calls, writes.

    ``said`` are the server's words: in English they name the table, though not its schema.
    """
    made = [text for text in statements[:-1] if re.match(r"\s*create\b.*?\b(function|procedure|rule)\b", text, _ANY)]
    texts = [statements[-1], *made, *_bodies(session, _CALLED.findall(statements[-1]))]
    spoken: list[str] = []
    for text in texts:
        spoken += _WRITES.findall(text)
        if _LOCKS_ROWS.search(text):
            spoken += _READS.findall(text)
    tables = [table for text in spoken if (table := _table(text, names, places)) is not None]
    if named := _REFUSED.search(said):
        tables += [table for table in places.relations if table.name == named[1].strip().strip('"')]
    return tuple(dict.fromkeys(table for table in tables if places.must_hydrate(table)))


def is_about_a_table(said: str) -> bool:
    """Say whether the server's words are about writing a relation, and not about a function or a setting."""
    return (
        re.search(r"(permission denied for|must be owner of) (table|view|materialized|sequence|index)", said)
        is not None
    )


def _bodies(session: Session, called: Iterable[str]) -> list[str]:
    folded = {name.lower() for name in called}
    if not folded:
        return []
    listed = ", ".join(quoted(name) for name in sorted(folded))
    rows = session.query(
        "SELECT coalesce(prosrc, '') FROM pg_catalog.pg_proc AS f"
        " JOIN pg_catalog.pg_language AS l ON l.oid = f.prolang AND l.lanname NOT IN ('c', 'internal')"
        f" WHERE f.proname IN ({listed})"
    )
    return [str(row[0]) for row in rows]


def _table(text: str, names: Names, places: Places) -> TableName | None:
    parts = [part.strip() for part in re.findall(r'"[^"]+"|\w+', text)]
    folded = [part.strip('"') if part.startswith('"') else part.lower() for part in parts]
    name = Name(folded[0] if len(folded) > 1 else None, folded[-1])
    if name.schema is not None and name.schema not in names.schemas:
        return next((table for table in places.relations if str(places.find(table)) == str(name)), None)
    try:
        return names.find(name, where="")
    except InvalidInput:  # in several schemas: any of them may be meant
        return None
