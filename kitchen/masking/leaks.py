"""SQL of the leak checks: what is counted on the source, what in the pantry, and what the counts must be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kitchen.domain.catalogue import SourceColumn, SourceTable
from kitchen.domain.layout import TableName
from kitchen.domain.masking import MaskKind, Policy
from kitchen.masking import proofs, ranges
from kitchen.masking.keys import short_digest_sql
from kitchen.masking.masked import Masked, masked_columns
from kitchen.masking.shapes import Shape, cards_in_numbers, in_any, of_text
from kitchen.masking.sql import literal, qualified, quote

__all__ = ["Masked", "masked_columns"]
MAX_DIGESTS = 250_000
PAGES_AT_ONCE = 16  # 128 kB of a table
LONG = 8_192  # bytes of a text that is not joined to others, but taken to hold something: joined they may be gigabytes


def inside_query(source: str, columns: Sequence[Masked]) -> tuple[str, tuple[Masked, ...]] | None:
    """Return SQL that counts, for each column of production, values that look like our outputs.

    Counts alone, so that the server may share the work among parallel workers.
    """
    tests = [(masked, proofs.in_element(masked, "inside")) for masked in columns]
    asked = tuple(masked for masked, test in tests if test is not None)
    parts = [f"count(*) FILTER (WHERE {test})" for _, test in tests if test is not None]
    return (f"SELECT {', '.join(parts)} FROM {source}", asked) if parts else None


def taken_query(source: str, masked: Masked) -> tuple[str, str] | None:
    """Return the pool of a column's mask, and SQL for its entries that production bears in the column."""
    source, single = proofs.elements(source, masked)
    name = ranges.POOL_OF.get(single.decision.mask)
    value = ranges.normal(quote(single.column.name))
    test = ranges.in_range(single.decision, single.column, value)
    return (name, f"SELECT DISTINCT {value} FROM {source} WHERE {test}") if name is not None and test else None


def count_query(source: str) -> str:
    """Return SQL that counts rows."""
    return f"SELECT count(*) FROM {source}"


def outside_query(place: str, columns: Sequence[Masked]) -> tuple[str, tuple[Masked, ...]] | None:
    """Return SQL that counts, for each column of the pantry with a range, values outside it."""
    tests = [(masked, proofs.in_element(masked, "outside")) for masked in columns]
    asked = tuple(masked for masked, test in tests if test is not None)
    parts = [f"count(*) FILTER (WHERE {test})" for _, test in tests if test is not None]
    return (f"SELECT {', '.join(parts)} FROM {place}", asked) if parts else None


def digests_in_range(source: str, masked: Masked) -> str:
    """Return SQL for one-off keyed digests of the production values that lie in a mask's range."""
    source, single = proofs.elements(source, masked)
    value = ranges.normal(quote(single.column.name))
    test = ranges.in_range(single.decision, single.column, value)
    return (
        f"SELECT DISTINCT {short_digest_sql(0, value)} FROM {source} WHERE {value} <> '' AND {test} LIMIT {MAX_DIGESTS}"
    )


def with_digests(source: str, masked: Masked, digests: Sequence[int]) -> str:
    """Return SQL that counts the pantry's values with one of the digests."""
    source, single = proofs.elements(source, masked)
    value = ranges.normal(quote(single.column.name))
    listed = ",".join(str(digest) for digest in digests)
    return f"SELECT count(*) FROM {source} WHERE {short_digest_sql(0, value)} = ANY ('{{{listed}}}'::bigint[])"


def constants_query(source: str, columns: Sequence[Masked], constants: Sequence[str]) -> str:
    """Return SQL that counts, for each column of production, rows whose value is one of some texts of its structure."""
    listed = ", ".join(literal(text) for text in constants)
    parts = (f"count(*) FILTER (WHERE {ranges.normal(quote(m.column.name))} IN ({listed}))" for m in columns)
    return f"SELECT {', '.join(parts)} FROM {source}"


def scans(table: SourceTable, policy: Policy) -> dict[str, Shape]:
    """Return how personal shapes are counted in columns which no range vouches for, and values that blank left.

    The reason for which a column is kept may name a shape: "e-mail addresses of our own teams".
    """
    found: dict[str, Shape] = {}
    for column in table.columns:
        decided = policy.decided(table.name, column.name)
        if decided is None or decided.decision.mask is MaskKind.DROP:
            continue
        value, why = quote(column.name), decided.decision.why or ""
        if decided.decision.mask is MaskKind.BLANK:
            found[f"{column.name}: blank"] = Shape(f"count(*) FILTER (WHERE NOT {ranges.is_blank(column, value)})")
        elif decided.decision.mask is MaskKind.HASH:
            continue  # digits that the key gives look like anything, now and then
        elif _may_hold_text(column) and proofs.in_element(Masked(column, decided.decision), "inside") is None:
            text = f"{value}::text" if column.base != "bytea" else f"encode({value}, 'escape')"
            found |= {f"{column.name}: {name}": shape for name, shape in of_text(text).items() if name not in why}
        elif _may_be_cards(column) and decided.decision.is_kept and "card numbers" not in why:
            found[f"{column.name}: card numbers"] = cards_in_numbers(value)
    return found


def any_queries(place: TableName, found: Mapping[str, Shape], parts: int) -> tuple[str, ...]:
    """Return SQL that says whether any text of a part of a plain table may hold a shape, for each part.

    Several parts at once: the server reads such pages one by one, and waits for each.
    """
    texts = dict.fromkeys(shape.text for shape in found.values() if shape.text is not None)
    if not texts:
        return ()
    table = qualified(place)
    short = (f"CASE WHEN octet_length({text}) > {LONG} THEN '@' ELSE {text} END" for text in texts)
    joined = f"string_agg(concat_ws(E'\\n', {', '.join(short)}), E'\\n')"
    pages = f"pg_relation_size({literal(table)}::regclass) / current_setting('block_size')::int"
    within = f"t.ctid >= ('(' || g.p || ',0)')::tid AND t.ctid < ('(' || g.p + {PAGES_AT_ONCE} || ',0)')::tid"
    return tuple(
        f"SELECT EXISTS (SELECT FROM generate_series({part * PAGES_AT_ONCE}, {pages}, {parts * PAGES_AT_ONCE}) g(p)"
        f" CROSS JOIN LATERAL (SELECT {joined} AS v FROM ONLY {table} t WHERE {within} OFFSET 0) c"
        f" WHERE {in_any('c.v')})"
        for part in range(parts)
    )


def quick_query(place: TableName, found: Mapping[str, Shape]) -> str:
    """Return SQL for the quick count of each shape."""
    return f"SELECT {', '.join(shape.quick for shape in found.values())} FROM {qualified(place)}"


def exact_query(place: TableName, found: Mapping[str, Shape]) -> str:
    """Return SQL for the exact count of shapes that the quick one has found something of."""
    asked = ", ".join(str(shape.exact) for shape in found.values())
    where = " OR ".join(dict.fromkeys(str(shape.may_have) for shape in found.values()))
    return f"SELECT {asked} FROM {qualified(place)} WHERE {where}"


def _may_hold_text(column: SourceColumn) -> bool:
    if column.base in ("uuid", "macaddr", "macaddr8"):
        return False
    return column.category in "SUXC" or column.is_array or column.base in ("json", "jsonb", "xml", "bytea", "hstore")


def _may_be_cards(column: SourceColumn) -> bool:
    return column.base in ("int8", "numeric") and not column.is_array


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
