"""What samples of columns look like, counted on the source server: no value of a row leaves it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from kitchen.adapters.postgres.connection import PgSession
from kitchen.adapters.postgres.structure_text import literal, qualified, quote
from kitchen.domain.catalogue import Evidence, Evidences, SourceColumn, SourceTable

SAMPLE_ROWS = 2000
_LONGEST = 500  # characters of a value that are looked at
_SMALL = 20_000  # rows up to which a sample is simply the first rows

# Spaces and punctuation at both ends are taken off first; `v` is the value.
_TEXT_SHAPES = {
    "email": r"v ~* '[[:alnum:]._%+-]+@[[:alnum:]-]+(\.[[:alnum:]-]+)*\.[[:alpha:]]{2,}'",
    "phone": r"v ~ '^(tel[.:]? ?)?[+(]?[0-9][0-9 ()./-]{5,20}[0-9]( ?(x|ext\.?) ?[0-9]+)?$'"
    r" AND length(regexp_replace(v, '[^0-9]', '', 'g')) BETWEEN 7 AND 15 AND v !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}'"
    r" AND v !~ '^[0-9]+(\.[0-9]+)?$'",
    "digits": r"v ~ '^[0-9]+$'",
    "card": r"regexp_replace(v, '[ -]', '', 'g') ~ '^[3-6][0-9]{12,18}$' AND (SELECT sum(CASE WHEN o % 2 = 1 THEN d"
    r" ELSE d * 2 - CASE WHEN d > 4 THEN 9 ELSE 0 END END) % 10 = 0 FROM (SELECT c::int AS d, row_number() OVER"
    r" (ORDER BY p DESC) AS o FROM unnest(string_to_array(regexp_replace(v, '[^0-9]', '', 'g'), NULL))"
    r" WITH ORDINALITY x(c, p)) y)",
    "iban": r"regexp_replace(upper(v), ' ', '', 'g') ~ '^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$'",
    "national_id": r"v ~ '^[0-9]{3}-[0-9]{2}-[0-9]{4}$' OR v ~* '^[a-ceghj-pr-tw-z]{2} ?([0-9]{2} ?){3}[a-d]$'",
    "ip": r"v ~ '^([0-9]{1,3}\.){3}[0-9]{1,3}(/[0-9]+)?$' OR v ~* '^[0-9a-f]{0,4}(:[0-9a-f]{0,4}){2,7}(/[0-9]+)?$'",
    "mac": r"v ~* '^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$'",
    "url": r"v ~* '^(https?|ftp)://' OR v ~* '^www\.'",
    "street": r"v ~* '^[0-9]{1,5}[a-z]?,? +[[:alpha:]]' "
    r" OR v ~* '(stra(ss|ß)e|str\.|weg|gasse|platz|allee|street|road|lane|avenue|rue|via|calle) *[0-9]'"
    r" OR v ~* '^(rue|via|calle|avenida|p\.? ?o\.? box) '",
    "person": r"v ~ '^[[:alpha:]''\u2019.-]+,?( [[:alpha:]''\u2019.-]+){1,3}$'",
    "known_name": "lower(split_part(translate(v, ',', ' '), ' ', 1)) IN (SELECT n FROM known)"
    " OR lower(reverse(split_part(reverse(v), ' ', 1))) IN (SELECT n FROM known)",
    "date": r"v ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}' OR v ~ '^[0-9]{1,2}[./][0-9]{1,2}[./][0-9]{4}$'",
    "uuid": r"v ~* '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$'",
    "hex": r"v ~* '^[0-9a-f]{24,}$' OR v ~ '^\$2[aby]\$'",
    "sentence": r"v ~ '([^[:space:]]+[[:space:]]+){3}'",
    "code": r"v ~ '^[[:alnum:]_/+-]{1,24}$'",
}
_DATE_SHAPES = {"birth": "v::date BETWEEN current_date - 40000 AND current_date - 5000"}


@cache
def known_names() -> tuple[str, ...]:
    """Return common first and last names, by which a column of names is recognised."""
    text = files("kitchen.adapters.postgres").joinpath("known_names.txt").read_text(encoding="utf-8")
    return tuple(text.split())


def sample(session: PgSession, tables: Sequence[SourceTable]) -> Evidences:
    """Return the evidence of every column that can be looked at."""
    found: dict[tuple[object, str], Evidence] = {}
    for table in tables:
        looked = [column for column in table.columns if _shapes(column) is not None]
        if not looked:
            continue
        row = session.query(_query(table, looked))[0]
        for position, column in enumerate(looked):
            found[table.name, column.name] = _evidence(row[0], row[1 + position])
    return found  # type: ignore[return-value]


def _shapes(column: SourceColumn) -> dict[str, str] | None:
    """Return the shapes that a column may show; None where its type says everything."""
    if column.category == "D" and not column.is_array and column.base in ("date", "timestamp", "timestamptz"):
        return _DATE_SHAPES
    if column.category == "S" or column.base in ("json", "jsonb", "xml", "citext", "int8", "int4", "numeric"):
        return _TEXT_SHAPES
    return None


def _query(table: SourceTable, columns: Sequence[SourceColumn]) -> str:
    parts = [_column_query(f"c{number}", _shapes(column) or {}) for number, column in enumerate(columns)]
    chosen = ", ".join(f"{_looked_at(column)} AS c{number}" for number, column in enumerate(columns))
    source = qualified(table.physical)
    if table.rows > _SMALL:
        source += f" TABLESAMPLE SYSTEM ({min(100.0, max(300.0 * SAMPLE_ROWS / table.rows, 0.01)):.4f})"
    names = ", ".join(f"({literal(name)})" for name in known_names())
    return (
        f"WITH known(n) AS (VALUES {names}), s AS MATERIALIZED (SELECT {chosen} FROM {source} LIMIT {SAMPLE_ROWS})"
        f" SELECT (SELECT count(*) FROM s), {', '.join(parts)}"
    )


def _looked_at(column: SourceColumn) -> str:
    name = quote(column.name)
    if column.category == "D" and not column.is_array:
        return f"CASE WHEN isfinite({name}) THEN {name}::date::text END"
    return f"left({name}::text, {_LONGEST})"


def _column_query(name: str, shapes: dict[str, str]) -> str:
    counted = ", ".join(f"'{shape}', count(*) FILTER (WHERE {test})" for shape, test in shapes.items())
    return (
        f"(SELECT json_build_object('filled', count(*), 'distinct', count(DISTINCT v), 'longest', max(length(v)),"
        f" 'average', avg(length(v)), 'shapes', json_build_object({counted}))"
        f" FROM (SELECT btrim({name}) AS v FROM s OFFSET 0) x WHERE v <> '')"
    )


def _evidence(rows: int, counted: dict[str, object]) -> Evidence:
    filled = int(str(counted["filled"]))
    shapes = counted["shapes"]
    assert isinstance(shapes, dict)  # noqa: S101 - what the query above builds
    return Evidence(
        rows=rows, filled=filled, distinct=int(str(counted["distinct"])), longest=int(str(counted["longest"] or 0)),
        average=float(str(counted["average"] or 0)),
        shapes={shape: int(count) / filled for shape, count in shapes.items()} if filled else {},
    )  # fmt: skip
