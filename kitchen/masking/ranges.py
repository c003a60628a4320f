"""The range of every mask: what its outputs look like, and no real value should.

Every output lies in its range and no production value does: then no production value is in the pantry. Both halves
are counted where the values are, so that none moves.
"""

from __future__ import annotations

from collections.abc import Iterable

from kitchen.domain.catalogue import SourceColumn
from kitchen.domain.masking import Decision, MaskKind
from kitchen.masking.masks import EMPTY, EMPTY_MULTIRANGE, HASH_LENGTH, is_multirange
from kitchen.masking.pools import pool, substitute
from kitchen.masking.sql import literal

POOL_OF = {
    MaskKind.FIRST_NAME: "first_names", MaskKind.LAST_NAME: "last_names", MaskKind.CITY: "cities",
    MaskKind.REGION: "regions", MaskKind.COUNTRY: "countries", MaskKind.COMPANY: "companies",
}  # fmt: skip

# Cheap tests, for they run over every value: what passes on the source is compared by digests.
_SHAPES = {
    MaskKind.EMAIL: "{0} LIKE '%@example.invalid'",
    MaskKind.PHONE: "({0} LIKE '+1-___-555-01%' OR {0} LIKE '___55501__' OR {0} LIKE '1___55501__')",
    MaskKind.POSTCODE: "{0} LIKE 'zz____'",
    MaskKind.CARD: "{0} LIKE '400000%'",
    MaskKind.IBAN: "{0} LIKE 'xx%'",
    MaskKind.NATIONAL_ID: "({0} LIKE '9__-00-____' OR {0} LIKE '9__00____')",
    MaskKind.IP: "({0} LIKE '203.0.113.%' OR {0} LIKE '2001:db8:%')",
    MaskKind.MAC: "{0} LIKE '00:00:5e:%'",
    MaskKind.URL: "{0} LIKE 'https://example.invalid/%'",
}
_WITH_LETTERS = (MaskKind.POSTCODE, MaskKind.IBAN)  # whose outputs have capital letters

# What every value of a shape has in it, in small letters: most of production's have not, and are done with at once.
_HINTS = {
    MaskKind.EMAIL: "%@example.invalid%",
    MaskKind.PHONE: "%555%01%",
    MaskKind.CARD: "%400000%",
    MaskKind.MAC: "%00:00:5e:%",
    MaskKind.URL: "%https://example.invalid/%",
    MaskKind.USER_NAME: "%user_%",
}  # fmt: skip


def hinted(mask: MaskKind, column: str, test: str) -> str:
    """Return a test of a column of production, with a cheaper one before it where there is one."""
    hint = _HINTS.get(mask)
    return test if hint is None else f'(lower({column}::text COLLATE "C") LIKE {literal(hint)} AND {test})'


def normal(value: str) -> str:
    """Return a value as it is compared: in small letters, without spaces around it.

    Our outputs are ASCII, so that the C collation tells as much as any other, several times faster.
    """
    return f'lower(btrim({value}::text) COLLATE "C")'


def in_range(decision: Decision, column: SourceColumn, value: str, *, ours: bool = False) -> str | None:
    """Return SQL that says whether a value (in its normal form) could be an output; None where a mask has no range.

    With ``ours`` the value is taken as the mask left it: nothing of ours needs its letters made small.
    """
    mask = decision.mask

    def listed(name: str) -> str:
        return _listed(name, small=not ours)

    if mask in POOL_OF:
        return None if _is_constant_country(decision, column) else f"{value} IN ({listed(POOL_OF[mask])})"
    if mask is MaskKind.FULL_NAME:
        first, last = _word(value, 1), _word(value, 2)
        return f"({first} IN ({listed('first_names')}) AND {last} IN ({listed('last_names')}))"
    if mask is MaskKind.STREET:
        return f"substr({value}, strpos({value}, ' ') + 1) IN ({listed('streets')})"
    if mask is MaskKind.ADDRESS:
        return f"split_part({value}, ', ', 2) IN ({listed('cities')})"
    if mask is MaskKind.HASH and column.is_text:
        length = min(decision.length or HASH_LENGTH, column.max_length or 64, 64)
        return f"(length({value}) = {length} AND {value} !~ '[^0-9a-f]')"
    if mask is MaskKind.USER_NAME:  # of its digits only the number: a test of each would cost more than the masking
        digits = max(min((column.max_length or 21) - 5, 16), 0)
        return f"{value} LIKE {literal('user' + chr(92) + '_' + '_' * digits)}"
    if mask is MaskKind.TEXT and (column.max_length is None or column.max_length >= 24):
        return f"({_word(value, 1)} IN ({listed('adjectives')}) AND {_word(value, 2)} <> '')"
    if mask is MaskKind.POSTCODE and column.category == "N":
        return f"length({value}) <= 2"
    if mask not in _SHAPES:
        return None
    return _SHAPES[mask].format(f"lower({value})" if ours and mask in _WITH_LETTERS else value)


def _is_constant_country(decision: Decision, column: SourceColumn) -> bool:
    return decision.mask is MaskKind.COUNTRY and column.max_length is not None and column.max_length < 8


def is_blank(column: SourceColumn, value: str) -> str:
    """Return SQL that says whether a value is what blank leaves."""
    if column.is_array:
        return f"({value} IS NULL OR {value}::text IN ('{{}}', ''))"
    empty = EMPTY.get(column.base, "''")
    if column.category == "R":
        empty = EMPTY_MULTIRANGE if is_multirange(column) else "'empty'"
    return f"({value} IS NULL OR {value}::text = {empty})"


def _word(value: str, number: int) -> str:
    return f"split_part({value}, ' ', {number})"


def _listed(name: str, *, small: bool) -> str:
    entries = (entry.lower() if small else entry for entry in pool(name))
    return ", ".join(literal(text) for text in _with_substitutes(entries))


def _with_substitutes(entries: Iterable[str]) -> list[str]:
    return [text for entry in entries for text in (entry, substitute(entry))]
