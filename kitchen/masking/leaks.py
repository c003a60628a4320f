"""SQL of the leak checks: what is counted on the source, what in the pantry, and what the counts must be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kitchen.domain.catalogue import SourceColumn, SourceTable
from kitchen.domain.layout import TableName
from kitchen.domain.masking import Decision, MaskKind, Policy
from kitchen.masking import ranges
from kitchen.masking.keys import digest_sql
from kitchen.masking.sql import literal, qualified, quote

IDENTITY_ROWS = 500
MAX_DIGESTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Masked:
    """One column that must not hold what production holds."""

    column: SourceColumn
    decision: Decision


def masked_columns(policy: Policy, table: SourceTable) -> tuple[Masked, ...]:
    """Return the columns of a table whose values are replaced."""
    found = []
    for column in table.columns:
        decided = policy.decided(table.name, column.name)
        if decided is None or decided.decision.is_kept or column.generated:
            continue
        if decided.decision.mask not in (MaskKind.SQL, MaskKind.RECOMPUTE, MaskKind.DROP, MaskKind.BLANK):
            found.append(Masked(column, decided.decision))
    return tuple(found)


def inside_query(source: str, columns: Sequence[Masked]) -> tuple[str, tuple[Masked, ...]] | None:
    """Return SQL that counts, for each column of production, values that look like our outputs.

    Counts alone, so that the server may share the work among parallel workers.
    """
    asked: list[Masked] = []
    parts: list[str] = []
    for masked in columns:
        test = ranges.in_range(masked.decision, masked.column, ranges.normal(quote(masked.column.name)))
        if test is not None and not masked.column.is_array:
            asked.append(masked)
            parts.append(f"count(*) FILTER (WHERE {test})")
    return (f"SELECT {', '.join(parts)} FROM {source}", tuple(asked)) if parts else None


def taken_query(source: str, masked: Masked) -> tuple[str, str] | None:
    """Return the pool of a column's mask, and SQL for its entries that production bears in the column."""
    name = ranges.POOL_OF.get(masked.decision.mask)
    value = ranges.normal(quote(masked.column.name))
    test = ranges.in_range(masked.decision, masked.column, value)
    return (name, f"SELECT DISTINCT {value} FROM {source} WHERE {test}") if name is not None and test else None


def count_query(source: str) -> str:
    """Return SQL that counts rows."""
    return f"SELECT count(*) FROM {source}"


def outside_query(place: str, columns: Sequence[Masked]) -> tuple[str, tuple[Masked, ...]] | None:
    """Return SQL that counts, for each column of the pantry with a range, values outside it."""
    asked: list[Masked] = []
    parts: list[str] = []
    for masked in columns:
        value = f'lower({quote(masked.column.name)}::text COLLATE "C")'
        test = ranges.in_range(masked.decision, masked.column, value)
        if test is not None and not masked.column.is_array:
            parts.append(f"count(*) FILTER (WHERE {quote(masked.column.name)}::text <> '' AND NOT {test})")
            asked.append(masked)
    return (f"SELECT {', '.join(parts)} FROM {place}", tuple(asked)) if parts else None


def digests_in_range(source: str, masked: Masked) -> str:
    """Return SQL for one-off keyed digests of the production values that lie in a mask's range."""
    value = ranges.normal(quote(masked.column.name))
    test = ranges.in_range(masked.decision, masked.column, value)
    digest = f"encode({digest_sql(0, value)}, 'hex')"
    return f"SELECT DISTINCT {digest} FROM {source} WHERE {value} <> '' AND {test} LIMIT {MAX_DIGESTS}"


def with_digests(source: str, masked: Masked, digests: Sequence[str]) -> str:
    """Return SQL that counts the pantry's values with one of the digests."""
    value = ranges.normal(quote(masked.column.name))
    listed = ", ".join(literal(digest) for digest in digests)
    return f"SELECT count(*) FROM {source} WHERE encode({digest_sql(0, value)}, 'hex') IN ({listed})"


def identity_columns(table: SourceTable, columns: Sequence[Masked]) -> tuple[Masked, ...]:
    """Return the columns that a row must not share with itself in production; chance decides for small types."""
    skipped = (MaskKind.CONST, MaskKind.NUMBER, MaskKind.JSON, MaskKind.EACH, MaskKind.POSTCODE, MaskKind.COUNTRY)
    return tuple(
        masked
        for masked in columns
        if masked.decision.mask not in skipped
        and masked.column.name not in table.primary_key
        and not (masked.decision.mask is MaskKind.DATE and masked.decision.to in ("year", "month"))
    )


def identity_query(
    table: SourceTable, source: str, columns: Sequence[Masked], keys: Sequence[Sequence[str]] | None
) -> str:
    """Return SQL for the keys of a sample of rows with a one-off digest of key and value for each column."""
    key = [f"{quote(name)}::text" for name in table.primary_key]
    joined = f" || {literal(chr(31))} || ".join(key)
    digests = [_digest_of_row(masked.column.name, joined) for masked in columns]
    condition = f" LIMIT {IDENTITY_ROWS}"
    if keys is not None:
        rows = ", ".join(f"({', '.join(literal(value) for value in values)})" for values in keys)
        condition = f" WHERE ({', '.join(key)}) IN (VALUES {rows})"
    return f"SELECT {', '.join([*key, *digests])} FROM {source}{condition}"


def _digest_of_row(column: str, key: str) -> str:
    separator = literal(chr(31))
    message = f"{literal(column)} || {separator} || {key} || {separator} || {quote(column)}::text"
    return f"CASE WHEN {ranges.normal(quote(column))} <> '' THEN encode({digest_sql(0, message)}, 'hex') END"


def scan_query(table: SourceTable, place: TableName, policy: Policy) -> tuple[str, tuple[str, ...]] | None:
    """Return SQL that counts e-mail addresses in columns which no range vouches for, and values that blank left."""
    names: list[str] = []
    parts: list[str] = []
    for column in table.columns:
        decided = policy.decided(table.name, column.name)
        if decided is None:
            continue
        value = quote(column.name)
        if decided.decision.mask is MaskKind.BLANK:
            parts.append(f"count(*) FILTER (WHERE NOT {ranges.is_blank(column, value)})")
            names.append(f"{column.name}: blank")
        elif _may_hold_text(column) and ranges.in_range(decided.decision, column, value) is None:
            if "e-mail" in (decided.decision.why or ""):
                continue
            text = f"{value}::text" if column.base != "bytea" else f"encode({value}, 'escape')"
            parts.append(f"count(*) FILTER (WHERE {ranges.email_found(text)})")
            names.append(f"{column.name}: e-mail addresses")
    return (f"SELECT {', '.join(parts)} FROM {qualified(place)}", tuple(names)) if parts else None


def notes_query(schemas: Sequence[str]) -> str:
    """Return SQL that counts e-mail addresses in comments, defaults and checks of some schemas."""
    listed = ", ".join(literal(schema) for schema in schemas)
    return (
        "SELECT (SELECT count(*) FROM pg_description d JOIN pg_class c ON c.oid = d.objoid"
        " AND d.classoid = 'pg_class'::regclass JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname IN ({listed}) AND {ranges.email_found('d.description')})"
        " + (SELECT count(*) FROM pg_attrdef a JOIN pg_class c ON c.oid = a.adrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname IN ({listed}) AND {ranges.email_found('pg_get_expr(a.adbin, a.adrelid)')})"
    )


def _may_hold_text(column: SourceColumn) -> bool:
    return column.category in "SUXC" or column.is_array or column.base in ("json", "jsonb", "xml", "bytea", "hstore")


def _source(table: SourceTable) -> str:
    return qualified(table.physical) if table.partitioned else f"ONLY {qualified(table.physical)}"


def source_of(table: SourceTable, policy: Policy) -> str:
    """Return FROM text of the rows of production that come along."""
    where = policy.table(table.name).where
    return f"(SELECT * FROM {_source(table)} t WHERE ({where})) t" if where else _source(table)


def without_rows(policy: Policy, table: SourceTable) -> bool:
    """Say whether only the structure of a table comes along."""
    return policy.table(table.name).rows == "none"


def merged(found: Sequence[Mapping[str, frozenset[str]]]) -> dict[str, frozenset[str]]:
    """Return, for each pool, the entries that production bears anywhere."""
    taken: dict[str, set[str]] = {}
    for part in found:
        for name, entries in part.items():
            taken.setdefault(name, set()).update(entries)
    return {name: frozenset(entries) for name, entries in taken.items()}
