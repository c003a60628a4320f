"""SQL of the proofs that compare a pantry with production by one-off keyed digests: no raw value moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt

from kitchen.domain.catalogue import SourceTable
from kitchen.domain.masking import Decision, MaskKind
from kitchen.masking import ranges
from kitchen.masking.keys import short_digest_sql
from kitchen.masking.masked import Masked
from kitchen.masking.masks import INTEGER_BITS
from kitchen.masking.sql import literal, quote

SLICE = 20_000  # rows or values of a column that one comparison holds in memory
_SEPARATOR = literal(chr(31))
_COARSE = ("year", "month")


def elements(source: str, masked: Masked) -> tuple[str, Masked]:
    """Return FROM text for the single values of a column, and the column as those values have it."""
    if not masked.column.is_array or masked.decision.of is None:
        return source, masked
    name = quote(masked.column.name)
    single = replace(masked.column, type=masked.column.type.removesuffix("[]"), is_array=False, max_length=None)
    lateral = f"{source} CROSS JOIN LATERAL unnest({name}) kitchen_u(kitchen_e)"
    return f"(SELECT kitchen_u.kitchen_e AS {name} FROM {lateral}) kitchen_elements", Masked(single, masked.decision.of)


def in_element(masked: Masked, wanted: str) -> str | None:
    """Return SQL that says whether a column, or an element of an array, is in (or outside) its mask's range."""
    column, decision, value = masked.column, masked.decision, quote(masked.column.name)
    if column.is_array:
        if decision.of is None:
            return None
        column = replace(column, is_array=False, max_length=None, type=column.type.removesuffix("[]"))
        decision, value = decision.of, "kitchen_u.kitchen_e"
    shown = ranges.normal(value) if wanted == "inside" else f'({value}::text COLLATE "C")'
    test = ranges.in_range(decision, column, shown, ours=wanted == "outside")
    if test is None:
        return None
    outside = f"{value}::text <> '' AND NOT {test}"
    test = outside if wanted == "outside" else ranges.hinted(decision.mask, value, test)
    if not masked.column.is_array:
        return test
    name = quote(masked.column.name)
    return f"EXISTS (SELECT FROM unnest({name}) kitchen_u(kitchen_e) WHERE {test})"


# --- pool membership of masks without a range -------------------------------------------------------------------------


def is_wide(masked: Masked) -> bool:
    """Say whether outputs without a range are so many that none can be production's by chance."""
    decision = masked.decision.of or masked.decision
    base = masked.column.base
    if decision.mask is MaskKind.HASH:
        return base in ("uuid", "bytea", "int8")
    short = masked.column.max_length is not None and masked.column.max_length < 24
    return decision.mask is MaskKind.TEXT and short and not masked.column.is_array


def values_query(source: str, masked: Masked, share: int) -> str:
    """Return SQL for the digests of a column's different values: all, or those whose first byte is below the share."""
    source, single = elements(source, masked)
    value = ranges.normal(quote(single.column.name))
    digests = f"SELECT DISTINCT {short_digest_sql(0, value)} AS d FROM {source} WHERE {value} <> ''"
    return f"SELECT d FROM ({digests}) x" + ("" if share >= 256 else f" WHERE d >> 48 < {share}")


# --- same-row identity ------------------------------------------------------------------------------------------------


def is_strict(decision: Decision) -> bool:
    """Say whether no row may keep its own value; of the others the number of such rows is told."""
    if decision.mask is MaskKind.EACH and decision.of is not None:
        return is_strict(decision.of)
    if decision.mask is MaskKind.DATE:
        return decision.to not in _COARSE
    return decision.mask not in (MaskKind.CONST, MaskKind.NUMBER, MaskKind.JSON, MaskKind.SQL, MaskKind.COUNTRY)


def by_chance(masked: Masked, rows: int) -> int:
    """Return how many of so many rows may keep their value by chance: whole numbers are masked within their type."""
    bits = INTEGER_BITS.get(masked.column.base)
    if bits is None or masked.decision.mask not in (MaskKind.PERMUTE, MaskKind.HASH):
        return 0
    expected = rows / 2**bits
    return 0 if expected < 1e-9 else int(expected + 6 * sqrt(expected) + 1)


def row_query(table: SourceTable, source: str, columns: Sequence[Masked], part: int, parts: int) -> str:
    """Return SQL for a digest of each row's key, and for each column of key and value; of one part of the rows.

    The parts are told apart by a hash that every server computes alike; it protects nothing and need not.
    """
    key = _key(table)
    digests = [short_digest_sql(0, key), *(_of_row(masked, key) for masked in columns)]
    return f"SELECT {', '.join(digests)} FROM {source}{_in_part(table, part, parts)}"


def keys_query(table: SourceTable, source: str, part: int, parts: int) -> str:
    """Return SQL for the primary keys, as text, of one part of the rows."""
    key = ", ".join(f"{quote(name)}::text" for name in table.primary_key)
    return f"SELECT {key} FROM {source}{_in_part(table, part, parts)}"


def narrowed(table: SourceTable, source: str, keys: Sequence[Sequence[str]]) -> str:
    """Return FROM text of the rows with these primary keys: of a sample, production has many times as many rows."""
    types = [column.type for name in table.primary_key for column in table.columns if column.name == name]
    values = (", ".join(f"{literal(text)}::{kind}" for text, kind in zip(key, types, strict=True)) for key in keys)
    listed = ", ".join(f"({value})" for value in values)
    named = ", ".join(quote(name) for name in table.primary_key)
    return f"(SELECT * FROM {source} WHERE ({named}) IN (VALUES {listed})) t"


def _key(table: SourceTable) -> str:
    return f" || {_SEPARATOR} || ".join(f"{quote(name)}::text" for name in table.primary_key)


def _in_part(table: SourceTable, part: int, parts: int) -> str:
    whole = [c.name for c in table.columns if (c.name,) == table.primary_key and c.base in INTEGER_BITS]
    hashed = f"hashint8extended({quote(whole[0])}, 0)" if whole else f'hashtextextended(({_key(table)}) COLLATE "C", 0)'
    return f" WHERE ({hashed} & {2**63 - 1}) % {parts} = {part}" if parts > 1 else ""


def _of_row(masked: Masked, key: str) -> str:
    name = quote(masked.column.name)
    message = f"{literal(masked.column.name)} || {_SEPARATOR} || {key} || {_SEPARATOR} || {name}::text"
    filled = f"btrim({name}::text) <> ''"
    if masked.column.is_array:
        filled = f"EXISTS (SELECT FROM unnest({name}) kitchen_u(kitchen_e) WHERE kitchen_u.kitchen_e::text <> '')"
    elif masked.column.category == "D":
        filled = f"{name}::text NOT IN ('infinity', '-infinity')"  # no day is said, and none is moved
    return f"CASE WHEN {filled} THEN {short_digest_sql(0, message)} END"


# --- what is told of the pantry itself --------------------------------------------------------------------------------


def groups_query(place: str, columns: Sequence[str], fewest: int) -> str:
    """Return SQL that counts groups of equal quasi-identifiers that are too small, their rows, and all groups."""
    listed = ", ".join(quote(column) for column in columns)
    return (
        f"SELECT count(*) FILTER (WHERE n < {fewest}), coalesce(sum(n) FILTER (WHERE n < {fewest}), 0)::bigint,"
        f" count(*) FROM (SELECT count(*) AS n FROM {place} GROUP BY {listed}) g"
    )


def json_query(place: str, columns: Sequence[Masked]) -> str:
    """Return SQL that counts, for each json column, documents that hold anything off the allowed paths."""
    parts = []
    for masked in columns:
        rest = f"{quote(masked.column.name)}::jsonb"
        for path in masked.decision.paths:
            rest += f" #- {literal(_array(path.split('.')))}::text[]"
        test = f"""jsonb_path_exists({rest}, '$.** ? (@.type() != "object")')"""
        parts.append(f"count(*) FILTER (WHERE {quote(masked.column.name)} IS NOT NULL AND {test})")
    return f"SELECT {', '.join(parts)} FROM {place}"


def _array(parts: Sequence[str]) -> str:
    quoted = ('"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"' for part in parts)
    return "{" + ",".join(quoted) + "}"


def statistics_query(schema: str, table: str, columns: Sequence[Masked]) -> str | None:
    """Return SQL that counts, for each column with a range, values outside it that the planner's statistics hold."""
    parts = []
    for masked in columns:
        test = None if masked.column.is_array else ranges.in_range(masked.decision, masked.column, "v.v")
        if test is None:
            continue
        parts.append(
            f"SELECT {literal(masked.column.name)}, count(*) FROM pg_stats s CROSS JOIN LATERAL"
            " (SELECT lower(u.u COLLATE \"C\") AS v FROM unnest(coalesce(s.most_common_vals::text::text[], '{}')"
            " || coalesce(s.histogram_bounds::text::text[], '{}')) u(u)) v"
            f" WHERE s.schemaname = {literal(schema)} AND s.tablename = {literal(table)}"
            f" AND s.attname = {literal(masked.column.name)} AND v.v <> '' AND NOT {test}"
        )
    return " UNION ALL ".join(parts) if parts else None


def canaries_query(table: SourceTable, place: str, canaries: Sequence[str]) -> str:
    """Return SQL that counts rows which hold one of some texts, in whatever column, plain or as bytes."""
    parts = []
    for canary in canaries:
        small = canary.lower()
        plain, escaped = literal(small), literal(small.encode("unicode_escape").decode("ascii"))
        hexadecimal = literal(canary.encode().hex())
        parts.append(
            f"count(*) FILTER (WHERE strpos(t.v, {plain}) > 0 OR strpos(t.v, {escaped}) > 0"
            f" OR strpos(t.v, {hexadecimal}) > 0)"
        )
    return f"SELECT {', '.join(parts)} FROM (SELECT lower(t::text) AS v FROM {place} t) t"
