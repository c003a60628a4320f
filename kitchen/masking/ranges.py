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
EMAIL_SHAPE = r"[[:alnum:]._%+-]+@[[:alnum:]-]+(\.[[:alnum:]-]+)*\.[[:alpha:]]{2,}"
OURS = "example.invalid"

# Cheap tests, for they run over every value: what passes on the source is compared by digests.
_SHAPES = {
    MaskKind.EMAIL: "right({0}, 16) = '@example.invalid'",
    MaskKind.PHONE: "({0} LIKE '+1-___-555-01%' OR {0} LIKE '___55501__' OR {0} LIKE '1___55501__')",
    MaskKind.POSTCODE: "{0} LIKE 'zz____'",
    MaskKind.CARD: "{0} LIKE '400000%'",
    MaskKind.IBAN: "{0} LIKE 'xx%'",
    MaskKind.NATIONAL_ID: "({0} LIKE '9__-00-____' OR {0} LIKE '9__00____')",
    MaskKind.IP: "({0} LIKE '203.0.113.%' OR {0} LIKE '2001:db8:%')",
    MaskKind.MAC: "{0} LIKE '00:00:5e:%'",
    MaskKind.URL: "{0} LIKE 'https://example.invalid/%'",
    MaskKind.USER_NAME: "(left({0}, 5) = 'user_' AND translate(substr({0}, 6), '0123456789abcdef', '') = '')",
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
        return f"(length({value}) = {length} AND translate({value}, '0123456789abcdef', '') = '')"
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


def email_found(value: str) -> str:
    """Return SQL that says whether text holds an e-mail address that is not ours."""
    cleaned = f"replace({value}, '@{OURS}', '')"
    return f"(strpos({value}, '@') > 0 AND {cleaned} ~* {literal(EMAIL_SHAPE)})"


def shapes(value: str) -> dict[str, str]:
    """Return, for each shape of personal data, SQL that counts values of a text which hold it and are not ours."""
    return {
        "e-mail addresses": f"count(*) FILTER (WHERE {email_found(value)})",
        "card numbers": _mostly(value, _CARD, f"{_luhn('m.d')} AND left(m.d, 6) <> '400000'"),
        "IBAN": f"count(*) FILTER (WHERE {value} ~ {literal(_IBAN)} AND {_iban_found(value)})",
        "national ids": f"count(*) FILTER (WHERE {value} LIKE '%-__-____%' AND {value} ~ {literal(_SSN)})",
    }


def card_numbers(value: str) -> str:
    """Return SQL that counts the card numbers in a column of numbers, where they are more than chance makes."""
    shown = f"trunc({value})::text"
    long = f"{value} BETWEEN 3000000000000 AND 6999999999999999999"
    valid = f"count(*) FILTER (WHERE {long} AND {_luhn(shown)} AND left({shown}, 6) <> '400000')"
    return f"CASE WHEN {valid} >= 3 AND {valid} > 0.3 * count(*) FILTER (WHERE {long}) THEN {valid} ELSE 0 END"


_CARD = r"(?<![0-9A-Za-z.])[3-6](?:[ -]?[0-9]){12,18}(?![0-9A-Za-z])"
_IBAN = r"\m[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\M"
_HALF = 2**32  # more than a table's rows that look like card numbers
_SSN = r"(?<![0-9])(?!9[0-9]{2}-00)[0-9]{3}-[0-9]{2}-[0-9]{4}(?![0-9])"


def _mostly(value: str, shape: str, test: str) -> str:
    """Return SQL that counts values with a match that passes a test, where more pass than chance lets through.

    One sum counts both, those that pass in its high half, so that each value is looked at once.
    """
    found = (
        f"FROM regexp_matches({value}, {literal(shape)}, 'g') r(r), LATERAL (SELECT translate(r.r[1], ' -', '') AS d) m"
    )
    counted = f"SELECT CASE WHEN bool_or({test}) THEN {_HALF + 1} WHEN count(*) > 0 THEN 1 ELSE 0 END {found}"
    both = f"sum(CASE WHEN {value} ~ '[3-6]([ -]?[0-9]){{12}}' THEN ({counted}) END)::bigint"
    passed, tried = f"z.s / {_HALF}", f"z.s % {_HALF}"
    return (
        f"(SELECT CASE WHEN {passed} > 0.3 * ({tried}) THEN {passed} ELSE 0 END FROM (SELECT {both} AS s OFFSET 0) z)"
    )


def _luhn(digits: str) -> str:
    return (
        "(SELECT sum(CASE WHEN y.o % 2 = 1 THEN y.d ELSE y.d * 2 - CASE WHEN y.d > 4 THEN 9 ELSE 0 END END) % 10 = 0"
        " FROM (SELECT x.c::int AS d, row_number() OVER (ORDER BY x.p DESC) AS o"
        f" FROM unnest(string_to_array({digits}, NULL)) WITH ORDINALITY x(c, p)) y)"
    )


def _iban_found(value: str) -> str:
    number = (
        "(SELECT string_agg(CASE WHEN x.c > '9' THEN (ascii(x.c) - 55)::text ELSE x.c END, '' ORDER BY x.p)::numeric"
        " FROM unnest(string_to_array(substr(m.i, 5) || left(m.i, 4), NULL)) WITH ORDINALITY x(c, p))"
    )
    return (
        f"EXISTS (SELECT FROM regexp_matches({value}, {literal(_IBAN)}, 'g') r(r),"
        f" LATERAL (SELECT translate(r.r[1], ' ', '') AS i) m"
        f" WHERE length(m.i) BETWEEN 15 AND 34 AND left(m.i, 2) <> 'XX' AND {number} % 97 = 1)"
    )


def _word(value: str, number: int) -> str:
    return f"split_part({value}, ' ', {number})"


def _listed(name: str, *, small: bool) -> str:
    entries = (entry.lower() if small else entry for entry in pool(name))
    return ", ".join(literal(text) for text in _with_substitutes(entries))


def _with_substitutes(entries: Iterable[str]) -> list[str]:
    return [text for entry in entries for text in (entry, substitute(entry))]
