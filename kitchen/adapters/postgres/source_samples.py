"""What samples of columns look like, counted on the source server: no value of a row leaves it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from kitchen.adapters.postgres.connection import PgSession
from kitchen.adapters.postgres.source_shapes import YEAR, shapes
from kitchen.adapters.postgres.structure_text import literal, qualified, quote
from kitchen.domain.catalogue import ColumnName, Evidence, Evidences, SourceColumn, SourceTable

SAMPLE_ROWS = 2000
_FEWEST_ROWS = 500
_CELLS = 30_000  # values that are looked at in one table
_LONGEST = 500  # characters of a value that are looked at
_SMALL = 20_000  # rows up to which a sample is simply the first rows
_OTHERS = frozenset(["json", "jsonb", "xml", "hstore", "citext", "bytea", "int8", "int4", "numeric", "float8"])


@cache
def known_names() -> tuple[str, ...]:
    """Return common first and last names, by which a column of names is recognised."""
    text = files("kitchen.adapters.postgres").joinpath("known_names.txt").read_text(encoding="utf-8")
    return tuple(text.split())


@cache
def _names(everywhere: bool) -> str:
    """Return known names as rows of SQL; such as not every locale brings to small letters as they are written, too."""
    written = [name if name.isascii() else f"{name} {name.capitalize()}" for name in known_names()]
    names = dict.fromkeys(" ".join(written).split())
    return ", ".join(f"({literal(name)})" for name in names if everywhere or name.isascii())


def sample(session: PgSession, tables: Sequence[SourceTable], *, with_shapes: bool = True) -> Evidences:
    """Return the evidence of every column that can be looked at: by one query for a table, of bounded size."""
    everywhere = session.query("SHOW server_encoding")[0][0] == "UTF8"
    found: dict[ColumnName, Evidence] = {}
    for table in tables:
        looked = [column for column in table.columns if _is_looked_at(column)]
        if not looked:
            continue
        counted: dict[int, dict[str, int]] = defaultdict(dict)
        for number, what, count in session.query(_query(table, looked, everywhere, with_shapes=with_shapes)):
            counted[number][what] = int(count)
        for number, column in enumerate(looked):
            found[table.name, column.name] = _evidence(counted[-1]["rows"], counted[number])
    return found


def _is_looked_at(column: SourceColumn) -> bool:
    """Say whether a column's values may show more than its type."""
    if column.category == "D":
        return not column.is_array and column.base in ("date", "timestamp", "timestamptz")
    return column.category == "S" or column.base in _OTHERS


def _query(table: SourceTable, columns: Sequence[SourceColumn], everywhere: bool, *, with_shapes: bool) -> str:
    """Return the query that counts shapes over a sample, as rows: number of the column, shape, values.

    Every shape is counted in a pass of its own, because a server keeps few regular expressions ready.
    """
    rows = max(_FEWEST_ROWS, min(SAMPLE_ROWS, _CELLS // len(columns))) if with_shapes else SAMPLE_ROWS
    source = qualified(table.physical)
    if table.rows > _SMALL:
        source += f" TABLESAMPLE SYSTEM ({min(100.0, max(300.0 * rows / table.rows, 0.01)):.4f})"
    chosen = ", ".join(f"{_looked_at(column)} AS c{number}" for number, column in enumerate(columns))
    cells = ", ".join(f"({number}, c{number})" for number in range(len(columns)))
    counts = {"'filled', sum(m)": "", "'distinct', count(*)": "", "'longest', max(length(v))": "",
              "'average', avg(length(v))": ""}  # fmt: skip
    if with_shapes:
        asked = shapes(everywhere)
        counts |= {f"'{shape}', sum(m)": f" WHERE {test}" for shape, test in asked.items()}
        late, early = (f"percentile_disc({part}) WITHIN GROUP (ORDER BY {YEAR})" for part in (0.95, 0.05))
        counts[f"'years', {late} - {early}"] = f" WHERE {asked['date']}"
    passes = " UNION ALL ".join(f"SELECT k, {count} FROM v{where} GROUP BY k" for count, where in counts.items())
    return (
        f"WITH known(n) AS MATERIALIZED (VALUES {_names(everywhere) if with_shapes else '(NULL)'}),"
        f" s AS MATERIALIZED (SELECT {chosen} FROM {source} LIMIT {rows}),"
        " v AS MATERIALIZED (SELECT k, btrim(c) AS v, count(*) AS m FROM s CROSS JOIN LATERAL"
        f" (VALUES {cells}) x(k, c) WHERE btrim(c) <> '' GROUP BY 1, 2)"
        f" SELECT k, shape, coalesce(n, 0)::bigint FROM (SELECT -1, 'rows', count(*) FROM s UNION ALL {passes})"
        " q(k, shape, n)"
    )


def _looked_at(column: SourceColumn) -> str:
    """Return how a value is shown: of an array one element, of bytes their letters."""
    name = quote(column.name)
    if column.category == "D":
        return f"CASE WHEN isfinite({name}) THEN {name}::date::text END"
    if column.is_array:
        first = f"({name}::text[])[array_lower({name}::text[], 1)]"
        return f"left(coalesce({first}, {name}::text), {_LONGEST})"
    if column.base == "bytea":
        return f"encode(substr({name}, 1, {_LONGEST}), 'escape')"
    return f"left({name}::text, {_LONGEST})"


def _evidence(rows: int, counted: Mapping[str, int]) -> Evidence:
    filled = counted.get("filled", 0)
    known = {"filled", "distinct", "longest", "average", "years"}
    return Evidence(
        rows=rows, filled=filled, distinct=counted.get("distinct", 0), longest=counted.get("longest", 0),
        average=counted.get("average", 0), years=counted.get("years", 0),
        shapes={shape: count / filled for shape, count in counted.items() if shape not in known},
    )  # fmt: skip
