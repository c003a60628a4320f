"""Shapes of personal data, and SQL that counts the values of a column which hold one that is no output of ours.

Three looks, each only where the one before it found something. All texts of a few pages at once: a regular expression
costs more to begin than to go on, so that one over many values is several times faster than one for each. Then a quick
count for each shape, which a server shares among parallel workers. Then an exact one: a check digit is reckoned in a
subquery, and a subquery that depends on the row keeps the whole scan in one process.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from kitchen.masking.sql import literal

OURS = "example.invalid"
EMAIL_SHAPE = r"[[:alnum:]._%+-]+@[[:alnum:]-]+(\.[[:alnum:]-]+)*\.[[:alpha:]]{2,}"
_CARD = r"(?<![0-9A-Za-z.])[3-6](?:[ -]?[0-9]){12,18}(?![0-9A-Za-z])"
_IBAN = r"\m[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\M"
_SSN = r"(?<![0-9])(?!9[0-9]{2}-00)[0-9]{3}-[0-9]{2}-[0-9]{4}(?![0-9])"
_LONG_NUMBER = r"[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4}|[3-6]([ -]?[0-9]){12}"  # in every IBAN and every card number
_SHORTEST = 13  # digits of a card number; an IBAN has more
_HALF = 2**32  # more than a table's rows that look like card numbers


@dataclass(frozen=True, slots=True)
class Shape:
    """How one shape is counted in one column."""

    quick: str  # an aggregate; where it is 0, there is nothing
    exact: str | None = None  # an aggregate over the values that may have it; None: the quick one is exact
    may_have: str | None = None  # a condition that every value which the exact one counts fulfils
    text: str | None = None  # what it is looked for in; None: the look at many texts at once says nothing about it


def of_text(value: str) -> dict[str, Shape]:
    """Return how each shape of personal data is counted in a text, by the shape's name."""
    numbers = f"(octet_length({value}) >= {_SHORTEST} AND {value} ~ {literal(_LONG_NUMBER)})"
    quick = f"count(*) FILTER (WHERE {numbers})"  # of both alike: the server counts it once
    found = {
        "e-mail addresses": Shape(f"count(*) FILTER (WHERE {email_found(value)})"),
        "card numbers": Shape(quick, _mostly(value, _CARD, f"{_luhn('m.d')} AND left(m.d, 6) <> '400000'"), numbers),
        "IBAN": Shape(quick, f"count(*) FILTER (WHERE {value} ~ {literal(_IBAN)} AND {_iban_found(value)})", numbers),
        "national ids": Shape(
            f"count(*) FILTER (WHERE {value} LIKE '%-__-____%' AND {value} ~ {literal(_SSN)})"
        ),
    }  # fmt: skip
    return {name: replace(shape, text=value) for name, shape in found.items()}


def in_any(texts: str) -> str:
    """Return SQL that is true of whatever holds a shape, also of many texts after each other."""
    return f"(strpos({texts}, '@') > 0 OR {texts} LIKE '%-__-____%' OR {texts} ~ {literal(_LONG_NUMBER)})"


def cards_in_numbers(value: str) -> Shape:
    """Return how card numbers are counted in a column of numbers, where they are more than chance makes."""
    shown = f"trunc({value})::text"
    long = f"{value} BETWEEN 3000000000000 AND 6999999999999999999"
    valid = f"count(*) FILTER (WHERE {long} AND {_luhn(shown)} AND left({shown}, 6) <> '400000')"
    exact = f"CASE WHEN {valid} >= 3 AND {valid} > 0.3 * count(*) FILTER (WHERE {long}) THEN {valid} ELSE 0 END"
    return Shape(f"count(*) FILTER (WHERE {long})", exact, long)


def email_found(value: str) -> str:
    """Return SQL that says whether text holds an e-mail address that is not ours."""
    cleaned = f"replace({value}, '@{OURS}', '')"
    return f"(strpos({value}, '@') > 0 AND {cleaned} ~* {literal(EMAIL_SHAPE)})"


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
