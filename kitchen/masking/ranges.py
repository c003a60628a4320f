"""The range of every mask: what its outputs look like, and no real value should.

Every output lies in its range and no production value does: then no production value is in the pantry. Both halves
are counted where the values are, so that none moves.
"""

from __future__ import annotations

from collections.abc import Iterable

from kitchen.domain.catalogue import SourceColumn
from kitchen.domain.masking import Decision, MaskKind
from kitchen.masking.masks import EMPTY, HASH_LENGTH
from kitchen.masking.pools import pool, substitute
from kitchen.masking.sql import literal

POOL_OF = {
    MaskKind.FIRST_NAME: "first_names", MaskKind.LAST_NAME: "last_names", MaskKind.CITY: "cities",
    MaskKind.REGION: "regions", MaskKind.COUNTRY: "countries", MaskKind.COMPANY: "companies",
}  # fmt: skip
EMAIL_SHAPE = r"[[:alnum:]._%+-]+@[[:alnum:]-]+(\.[[:alnum:]-]+)*\.[[:alpha:]]{2,}"
OURS = "example.invalid"

_SHAPES = {
    MaskKind.EMAIL: r"@example\.invalid$",
    MaskKind.PHONE: r"^(\+?1-?)?[2-9][0-9]{2}-?555-?01[0-9]{2}(x[0-9]{12})?$",
    MaskKind.POSTCODE: r"^(zz[0-9]{4}|[0-9]{1,2})$",
    MaskKind.CARD: r"^400000[0-9]{10}$",
    MaskKind.IBAN: r"^xx[0-9]{20}$",
    MaskKind.NATIONAL_ID: r"^9[0-9]{2}-?00-?[0-9]{4}$",
    MaskKind.IP: r"^(203\.0\.113\.[0-9]{1,3}|2001:db8:)",
    MaskKind.MAC: r"^00:00:5e:(ff:fe:)?00:53:",
    MaskKind.URL: r"^https://example\.invalid/[0-9a-f]{8,16}$",
    MaskKind.USER_NAME: r"^user_[0-9a-f]{8,16}$",
}


def normal(value: str) -> str:
    """Return a value as it is compared: in small letters, without spaces around it."""
    return f"lower(btrim({value}::text))"


def in_range(decision: Decision, column: SourceColumn, value: str) -> str | None:
    """Return SQL that says whether a value (in its normal form) could be an output; None where a mask has no range."""
    mask = decision.mask
    if mask in POOL_OF:
        if mask is MaskKind.COUNTRY and column.max_length is not None and column.max_length < 8:
            return None
        return f"{value} IN ({_listed(POOL_OF[mask])})"
    if mask is MaskKind.FULL_NAME:
        first, last = _word(value, 1), _word(value, 2)
        return f"({first} IN ({_listed('first_names')}) AND {last} IN ({_listed('last_names')}))"
    if mask is MaskKind.STREET:
        return f"({value} ~ '^[0-9]{{1,3}} ' AND substr({value}, strpos({value}, ' ') + 1) IN ({_listed('streets')}))"
    if mask is MaskKind.ADDRESS:
        return f"split_part({value}, ', ', 2) IN ({_listed('cities')})"
    if mask is MaskKind.HASH and column.is_text:
        length = min(decision.length or HASH_LENGTH, column.max_length or 64, 64)
        return f"{value} ~ '^[0-9a-f]{{{length}}}$'"
    if mask is MaskKind.TEXT and (column.max_length is None or column.max_length >= 24):
        return f"({_word(value, 1)} IN ({_listed('adjectives')}) AND {_word(value, 2)} <> '')"
    if mask in _SHAPES and not (mask is MaskKind.POSTCODE and column.category == "N"):
        return f"{value} ~ {literal(_SHAPES[mask])}"
    return None


def is_blank(column: SourceColumn, value: str) -> str:
    """Return SQL that says whether a value is what blank leaves."""
    if column.is_array:
        return f"({value} IS NULL OR {value}::text = '{{}}')"
    empty = EMPTY.get(column.base, "''")
    empty = "'empty'" if column.category == "R" else empty
    return f"({value} IS NULL OR {value}::text = {empty})"


def email_found(value: str) -> str:
    """Return SQL that says whether text holds an e-mail address that is not ours."""
    cleaned = f"replace({value}, '@{OURS}', '')"
    return f"(strpos({value}, '@') > 0 AND {cleaned} ~* {literal(EMAIL_SHAPE)})"


def _word(value: str, number: int) -> str:
    return f"split_part({value}, ' ', {number})"


def _listed(name: str) -> str:
    entries = (entry.lower() for entry in pool(name))
    return ", ".join(literal(text) for text in _with_substitutes(entries))


def _with_substitutes(entries: Iterable[str]) -> list[str]:
    return [text for entry in entries for text in (entry, substitute(entry))]
