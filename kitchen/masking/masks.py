"""One SQL expression for each mask: from a value and a digest to an invented value outside the range of real ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from kitchen.domain.catalogue import SourceColumn
from kitchen.domain.masking import Decision, MaskKind
from kitchen.errors import Refused
from kitchen.masking.pools import LINE_LENGTH
from kitchen.masking.sql import digits, hexadecimal, literal, number

INTEGER_BITS = {"int2": 15, "int4": 31, "int8": 63}
_NATIVE = (*INTEGER_BITS, "date", "timestamp", "timestamptz", "numeric", "uuid")
HASH_LENGTH = 32
UNIQUE_HEX = 20  # 80 bits: among ten million values two meet with a probability of 4e-11
_SHORTEST_TEXT = 16
_LONGEST_TEXT = 2000

# Bytes of the digest that each mask reads: the masks of one subject are independent of each other.
_FIRST, _LAST, _MAIL, _PHONE, _STREET, _HOUSE, _CITY, _COMPANY, _REGION, _COUNTRY, _REST = (
    0, 2, 4, 14, 18, 20, 22, 24, 26, 27, 28,
)  # fmt: skip


class Lookup(Protocol):
    """Finds entries of pools by number."""

    def entry(self, pool: str, index: str, length: int | None) -> tuple[str, str]:
        """Return SQL for the entry with a number (taken modulo the size of the pool) and for the one after it."""
        ...


@dataclass(frozen=True, slots=True)
class Value:
    """What one expression works on."""

    column: SourceColumn
    sql: str  # the value itself
    digest: str  # 32 keyed bytes, already computed
    unique: bool
    lookup: Lookup

    @property
    def length(self) -> int | None:
        """Return how many characters the column holds; None where there is no limit."""
        return self.column.max_length

    def fits(self, characters: int) -> bool:
        """Say whether so many characters fit."""
        return self.length is None or self.length >= characters


def expression(decision: Decision, value: Value) -> str:
    """Return the SQL of a decision; NULL stays NULL and empty text stays empty. Raises Refused where nothing fits."""
    if decision.mask is MaskKind.KEEP:
        return value.sql
    if decision.mask is MaskKind.BLANK:
        return blank(value.column)
    made = _MASKS[decision.mask](decision, value)
    empty = f" OR {value.sql} = ''" if value.column.is_text else ""
    kind = f"pg_catalog.{value.column.base}" if _is_native(value.column) else "text"
    return f"CASE WHEN {value.sql} IS NULL{empty} THEN {value.sql}::{kind} ELSE ({made})::{kind} END"


def _is_native(column: SourceColumn) -> bool:
    """Say whether a masked value stays what it is, without a way through text."""
    return not column.is_array and column.base in _NATIVE


def keyed(decision: Decision) -> bool:
    """Say whether a mask reads a digest."""
    return decision.mask in _MASKS and decision.mask not in (MaskKind.CONST, MaskKind.JSON) and not (
        (decision.mask is MaskKind.DATE and decision.to in ("year", "month"))
        or (decision.mask is MaskKind.NUMBER and decision.noise is None)
    )  # fmt: skip


EMPTY: Mapping[str, str] = {
    "bytea": "'\\x'", "json": "'{}'", "jsonb": "'{}'", "tsvector": "''", "tsquery": "''", "hstore": "''", "xml": "''",
}  # fmt: skip


EMPTY_MULTIRANGE = "'{}'"


def is_multirange(column: SourceColumn) -> bool:
    """Say whether a column holds sets of ranges; the server names such types so."""
    return column.category == "R" and "multirange" in column.base


def blank(column: SourceColumn) -> str:
    """Return NULL, or where the column takes none what is empty in its type; raises Refused."""
    if not column.not_null:
        return "NULL"
    if column.is_array:
        return "''" if column.type in ("oidvector", "int2vector") else "'{}'"
    if column.is_text:
        return "''"
    if column.base in EMPTY:
        return EMPTY[column.base]
    if column.category == "R":
        return EMPTY_MULTIRANGE if is_multirange(column) else "'empty'"
    raise Refused(f"{column.type} has no empty value and the column takes no NULL: use const")


def _dictionary(pool: str, offset: int) -> Callable[[Decision, Value], str]:
    def mask(_: Decision, value: Value) -> str:
        entry, following = value.lookup.entry(pool, number(value.digest, offset), value.length)
        return f'coalesce(nullif({entry} COLLATE "C", {value.sql}::text), {following})'  # computes the entry once

    return mask


def _name(value: Value, pool: str, offset: int) -> str:
    return value.lookup.entry(pool, number(value.digest, offset), None)[0]


def _full_name(_: Decision, value: Value) -> str:
    needed = 23
    if not value.fits(needed):
        raise Refused(f"a full name needs {needed} characters: use hash or blank")
    return f"{_name(value, 'first_names', _FIRST)} || ' ' || {_name(value, 'last_names', _LAST)}"


def _email(_: Decision, value: Value) -> str:
    host = "'@example.invalid'"
    if value.fits(54):
        names = f"{_name(value, 'first_names/small', _FIRST)} || '.' || {_name(value, 'last_names/small', _LAST)}"
        return f"{names} || '.' || {hexadecimal(value.digest, _MAIL, 12)} || {host}"
    room = min((value.length or 0) - 17, UNIQUE_HEX)
    if room < (UNIQUE_HEX if value.unique else 8):
        raise Refused("an e-mail address needs 37 characters where it is unique, else 25: use hash or blank")
    return f"'p' || {hexadecimal(value.digest, _MAIL, room)} || {host}"


def _phone(_: Decision, value: Value) -> str:
    area = f"(200 + {number(value.digest, _PHONE)} % 800)::text"
    line = digits(number(value.digest, _PHONE + 2), 2)
    if value.column.base in ("int8", "numeric"):
        return f"'1' || {area} || '55501' || {line}"
    if value.unique:
        if not value.fits(28):
            raise Refused("a unique telephone number needs 28 characters: use hash")
        extension = digits(number(value.digest, _PHONE + 3, 7), 12)
        return f"'+1-' || {area} || '-555-01' || {line} || 'x' || {extension}"
    if value.fits(15):
        return f"'+1-' || {area} || '-555-01' || {line}"
    if value.fits(10) and value.column.is_text:
        return f"{area} || '55501' || {line}"
    raise Refused(f"a telephone number does not fit {value.column.type}: use hash or blank")


def _street(_: Decision, value: Value) -> str:
    room = None if value.length is None else value.length - 4
    entry, _following = value.lookup.entry("streets", number(value.digest, _STREET), room)
    return f"(1 + {number(value.digest, _HOUSE)} % 999)::text || ' ' || {entry}"


def _address(_: Decision, value: Value) -> str:
    if not value.fits(42):
        raise Refused("an address needs 42 characters: use street, hash or blank")
    street = value.lookup.entry("streets", number(value.digest, _STREET), None)[0]
    city = value.lookup.entry("cities", number(value.digest, _CITY), None)[0]
    return f"(1 + {number(value.digest, _HOUSE)} % 999)::text || ' ' || {street} || ', ' || {city}"


def _postcode(_: Decision, value: Value) -> str:
    if value.column.is_number:
        return f"{number(value.digest, _REST)} % 100"  # no postal code is that small
    if not value.fits(6):
        raise Refused("a postal code needs 6 characters: use hash or blank")
    return f"'ZZ' || {digits(number(value.digest, _REST), 4)}"


def _country(decision: Decision, value: Value) -> str:
    if not value.fits(8):
        return literal("Z" * min(value.length or 2, 3))  # ISO 3166 leaves ZZ and ZZZ to users
    return _dictionary("countries", _COUNTRY)(decision, value)


def _card(_: Decision, value: Value) -> str:
    if not value.fits(16) or value.column.base in ("int2", "int4"):
        raise Refused("a card number needs 16 digits: use hash or blank")
    places = [f"(n / {10 ** (8 - place)} % 10)" for place in range(9)]
    summed = [
        f"({digit} * 2 - CASE WHEN {digit} > 4 THEN 9 ELSE 0 END)" if place % 2 == 0 else digit
        for place, digit in enumerate(places)
    ]
    check = f"((10 - (8 + {' + '.join(summed)}) % 10) % 10)::text"
    n = f"{number(value.digest, _MAIL, 6)} % 1000000000"
    return f"(SELECT '400000' || lpad(n::text, 9, '0') || {check} FROM (SELECT {n} AS n OFFSET 0) q)"


def _iban(_: Decision, value: Value) -> str:
    if not value.fits(22):
        raise Refused("an IBAN needs 22 characters: use hash or blank")
    n = f"{digits(number(value.digest, _MAIL, 7), 9)} || {digits(number(value.digest, _PHONE, 7), 9)}"
    check = "lpad((98 - (n || '333300')::numeric % 97)::text, 2, '0')"  # 33 33 is XX, a country that nobody has
    return f"(SELECT 'XX' || {check} || n FROM (SELECT {n} AS n OFFSET 0) q)"


def _national_id(_: Decision, value: Value) -> str:
    head, tail = digits(number(value.digest, _MAIL), 2), digits(number(value.digest, _MAIL + 2), 4)
    if value.column.is_number and value.column.base != "int2":
        return f"'9' || {head} || '00' || {tail}"
    if value.fits(11):
        return f"'9' || {head} || '-00-' || {tail}"  # no number has the group 00
    if value.fits(9):
        return f"'9' || {head} || '00' || {tail}"
    raise Refused("a national id needs 9 characters: use hash or blank")


def _ip(_: Decision, value: Value) -> str:
    if value.column.is_text and not value.fits(19):
        raise Refused("an IP address needs 19 characters: use hash or blank")
    six = f"strpos({value.sql}::text, ':') > 0"
    documented = f"'2001:db8::' || {hexadecimal(value.digest, _MAIL, 4)} || ':' || {hexadecimal(value.digest, 6, 4)}"
    return f"CASE WHEN {six} THEN {documented} ELSE '203.0.113.' || {number(value.digest, _MAIL, 1)} END"


def _mac(_: Decision, value: Value) -> str:
    if value.column.is_text and not value.fits(17):
        raise Refused("a MAC address needs 17 characters: use hash or blank")
    return f"'00:00:5e:00:53:' || {hexadecimal(value.digest, _MAIL, 2)}"


def _url(_: Decision, value: Value) -> str:
    room = 16 if value.length is None else min(value.length - 24, 16)
    if room < (16 if value.unique else 8):
        raise Refused("a URL needs 40 characters where it is unique, else 32: use hash or blank")
    return f"'https://example.invalid/' || {hexadecimal(value.digest, _MAIL, room)}"


def _user_name(_: Decision, value: Value) -> str:
    room = 16 if value.length is None else min(value.length - 5, 16)
    if room < (16 if value.unique else 8):
        raise Refused("a user name needs 21 characters where it is unique, else 13: use hash or blank")
    return f"'user_' || {hexadecimal(value.digest, _MAIL, room)}"


def _hash(decision: Decision, value: Value) -> str:
    column = value.column
    if column.base == "uuid":
        return f"encode(substr({value.digest}, 1, 16), 'hex')::uuid"
    if column.base == "bytea":
        return value.digest
    if column.base in INTEGER_BITS:
        size = 2 ** INTEGER_BITS[column.base]
        return f"{number(value.digest, 0, 7)} % {size}"
    if not column.is_text:
        raise Refused(f"hash does not fit {column.type}")
    room = min(decision.length or HASH_LENGTH, value.length or 64, 64)
    if value.unique and room < UNIQUE_HEX:
        raise Refused(f"a hash must have {UNIQUE_HEX} characters where it is unique")
    if room < 8:
        raise Refused("a hash needs 8 characters: use blank or const")
    return hexadecimal(value.digest, 0, room)


def _date(decision: Decision, value: Value) -> str:
    if value.column.category != "D" or value.column.base in ("time", "timetz", "interval"):
        raise Refused(f"date does not fit {value.column.type}")
    if decision.to in ("year", "month"):
        start = f"date_trunc('{decision.to}', {value.sql}::timestamp)"
        return f"{start}::date" if value.column.base == "date" else start
    days = decision.days or 365
    k = f"{number(value.digest, _REST)} % {2 * days}"
    shift = f"(({k}) - {days} + CASE WHEN ({k}) >= {days} THEN 1 ELSE 0 END)"  # never 0
    moved = f"{value.sql} + {shift}" if value.column.base == "date" else f"{value.sql} + make_interval(days => {shift})"
    return f"CASE WHEN isfinite({value.sql}) THEN {moved} ELSE {value.sql} END"


def _number(decision: Decision, value: Value) -> str:
    if not value.column.is_number:
        raise Refused(f"number does not fit {value.column.type}")
    x = f"{value.sql}::numeric"
    if decision.round is not None:
        return _within(value.column, f"round({x} / {decision.round}) * {decision.round}")
    if decision.bucket is not None:
        return _within(value.column, f"floor({x} / {decision.bucket}) * {decision.bucket}")
    share = decision.noise or 0.1
    moved = f"{x} * (1 + {share} * ({number(value.digest, _REST)}::numeric / 32767.5 - 1))"
    if value.column.base in INTEGER_BITS:
        return _within(value.column, f"round({moved})")
    return (
        _within(value.column, f"round({moved}, greatest(scale({x}), 0))") if value.column.base == "numeric" else moved
    )


def _within(column: SourceColumn, made: str) -> str:
    """Return a number that the type holds: what is near its end is not moved over it."""
    if column.base in INTEGER_BITS:
        largest = 2 ** INTEGER_BITS[column.base] - 1
        return f"greatest(least({made}, {largest}), {-largest - 1})"
    limits = re.fullmatch(r"numeric\((\d+),(-?\d+)\)", column.type)
    if limits is None:
        return made
    digits_before = int(limits[1]) - int(limits[2])
    largest_numeric = f"(10::numeric ^ {digits_before} - 10::numeric ^ {-int(limits[2])})"
    return f"greatest(least({made}, {largest_numeric}), -{largest_numeric})"


def _text(_: Decision, value: Value) -> str:
    if value.column.category != "S":
        raise Refused(f"text does not fit {value.column.type}")
    if not value.fits(8):
        raise Refused("text needs 8 characters: use blank or const")
    first = value.lookup.entry("adjectives", number(value.digest, 0), None)
    line = value.lookup.entry("lines", number(value.digest, 2), None)[0]
    limit = (
        f"least({min(value.length or _LONGEST_TEXT, _LONGEST_TEXT)}, greatest(length({value.sql}), {_SHORTEST_TEXT}))"
    )

    def made(word: str) -> str:
        filler = f"repeat({line} || ' ', 1 + least(length({value.sql}), {_LONGEST_TEXT}) / {LINE_LENGTH})"
        return f"rtrim(left({word} || ' ' || {filler}, {limit}))"

    return f"CASE WHEN {made(first[0])} = {value.sql} THEN {made(first[1])} ELSE {made(first[0])} END"


def _const(decision: Decision, value: Value) -> str:
    constant = decision.value
    shown = str(constant).lower() if isinstance(constant, bool) else str(constant)
    if value.length is not None and len(shown) > value.length:
        raise Refused(f"the constant is longer than {value.column.type}")
    return literal(shown)


def _json(decision: Decision, value: Value) -> str:
    if value.column.base not in ("json", "jsonb"):
        raise Refused(f"json does not fit {value.column.type}")
    tree: dict[str, object] = {}
    for path in decision.paths:
        node = tree
        parts = path.split(".")
        for part in parts[:-1]:
            below = node.setdefault(part, {})
            if not isinstance(below, dict):
                break
            node = below
        node.setdefault(parts[-1], None)
    return f"jsonb_strip_nulls({_allowed(tree, f'{value.sql}::jsonb')})"


def _allowed(tree: Mapping[str, object], source: str) -> str:
    """Return an object of the allowed paths; only scalars are let through, so that nothing hides below a path."""
    parts = []
    for name, below in tree.items():
        inner = f"({source} -> {literal(name)})"
        if isinstance(below, dict):
            parts.append(f"{literal(name)}, {_allowed(below, inner)}")
        else:
            scalar = f"CASE WHEN jsonb_typeof({inner}) IN ('string', 'number', 'boolean') THEN {inner} END"
            parts.append(f"{literal(name)}, {scalar}")
    return f"jsonb_build_object({', '.join(parts)})"


def vector(column: SourceColumn, sources: Mapping[str, str]) -> str:
    """Return a text search vector computed from what its columns became."""
    texts = " || ' ' || ".join(f"coalesce(({sources[name]})::text, '')" for name in column.tsvector_of)
    return f"to_tsvector({literal(column.tsvector_config or 'pg_catalog.simple')}::regconfig, {texts})"


_MASKS: Mapping[MaskKind, Callable[[Decision, Value], str]] = {
    MaskKind.CONST: _const,
    MaskKind.HASH: _hash,
    MaskKind.FIRST_NAME: _dictionary("first_names", _FIRST),
    MaskKind.LAST_NAME: _dictionary("last_names", _LAST),
    MaskKind.FULL_NAME: _full_name,
    MaskKind.EMAIL: _email,
    MaskKind.PHONE: _phone,
    MaskKind.STREET: _street,
    MaskKind.CITY: _dictionary("cities", _CITY),
    MaskKind.POSTCODE: _postcode,
    MaskKind.REGION: _dictionary("regions", _REGION),
    MaskKind.COUNTRY: _country,
    MaskKind.ADDRESS: _address,
    MaskKind.COMPANY: _dictionary("companies", _COMPANY),
    MaskKind.CARD: _card,
    MaskKind.IBAN: _iban,
    MaskKind.NATIONAL_ID: _national_id,
    MaskKind.IP: _ip,
    MaskKind.MAC: _mac,
    MaskKind.URL: _url,
    MaskKind.USER_NAME: _user_name,
    MaskKind.DATE: _date,
    MaskKind.NUMBER: _number,
    MaskKind.TEXT: _text,
    MaskKind.JSON: _json,
}
