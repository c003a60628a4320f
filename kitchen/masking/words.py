"""What the names of tables and columns say, in the words of several languages."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from kitchen.domain.catalogue import SourceTable
from kitchen.domain.masking import MaskKind

# Kinds that belong to one person, so that the person's key may decide them together.
OF_A_PERSON = frozenset(
    {MaskKind.FIRST_NAME, MaskKind.LAST_NAME, MaskKind.FULL_NAME, MaskKind.EMAIL, MaskKind.PHONE, MaskKind.STREET,
     MaskKind.ADDRESS, MaskKind.POSTCODE, MaskKind.CITY, MaskKind.REGION, MaskKind.USER_NAME, MaskKind.DATE}
)  # fmt: skip
NUMERIC_KINDS = frozenset(
    {
        MaskKind.CARD,
        MaskKind.PHONE,
        MaskKind.NATIONAL_ID,
        MaskKind.POSTCODE,
        MaskKind.NUMBER,
        MaskKind.HASH,
        MaskKind.BLANK,
    }
)

_AFTER = "(?:_[0-9]+)?(?:_(?:enc|old|new|hash|hashed|raw|home|work|private|primary|secondary))?"
_MEASURES = (
    ("@amount", "an amount"),
    ("@count", "a count"),
    ("@measure", "a measure"),
    ("@flag", "a flag"),
    ("@period", "a period of time"),
)


def normal(name: str) -> str:
    """Return a name as words in small letters between underscores."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    spaced = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", spaced)
    return re.sub(r"[^a-z0-9\u00df-\u024f]+", "_", spaced.lower()).strip("_")


@cache
def _lines() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return names_of_columns.txt: what a name means, and the pattern of such names."""
    text = files("kitchen.masking").joinpath("names_of_columns.txt").read_text(encoding="utf-8")
    lines = (line.partition(": ") for line in text.splitlines() if line and not line.startswith("#"))
    return tuple(
        (what, re.compile(f"(?:.*_)?(?:{'|'.join(names.split())}){'' if what[0] == '@' else _AFTER}"))
        for what, _, names in lines
    )


def _is(what: str, name: str) -> bool:
    return any(pattern.fullmatch(normal(name)) for known, pattern in _lines() if known == what)


def kind_of(table: str, column: str) -> MaskKind | None:
    """Return the kind of personal data that a name says, or None; the first line that matches decides."""
    name = normal(column)
    for what, pattern in _lines():
        if what[0] != "@" and pattern.fullmatch(name):
            return MaskKind(what)
    if _is("@name", name) or name == f"{normal(table).rstrip('s')}_name":
        if _is("@people", table):
            return MaskKind.FULL_NAME
        if _is("@firms", table):
            return MaskKind.COMPANY
    return None


def key_of(table: SourceTable) -> tuple[str, ...]:
    """Return the key of a table's rows where it is one column that may say whose they are."""
    key = table.column(table.primary_key[0]) if len(table.primary_key) == 1 else None
    return (key.name,) if key is not None and key.not_null and not key.generated else ()


def is_of_people(table: str) -> bool:
    """Say whether a name is one of a table of people."""
    return _is("@people", table)


def is_name(column: str) -> bool:
    """Say whether a name is one of a name."""
    return _is("@name", column)


def is_of_things(column: str) -> bool:
    """Say whether a name is one of what things are called."""
    return is_name(column) or _is("@thing", column)


def is_key(column: str) -> bool:
    """Say whether a name is one of a key."""
    return _is("@key", column)


def is_event(column: str) -> bool:
    """Say whether a name is one of the moment of an event."""
    return _is("@event", column)


def is_code(column: str) -> bool:
    """Say whether a name is one of a code."""
    return _is("@code", column)


def is_country(column: str) -> bool:
    """Say whether a name is one of a country."""
    return _is("@country", column)


def measure(column: str) -> str | None:
    """Return what is measured where a name says so."""
    return next((said for what, said in _MEASURES if _is(what, column)), None)
