"""What each kind of test asks of the database, and how its answer is judged; nothing is run here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from kitchen.domain.layout import TableName
from kitchen.domain.recipe import Recipe, RecipeTest
from kitchen.domain.words import counted
from kitchen.engine.compile import Places, compile_reading
from kitchen.engine.control_chart import TRAINING, bounds_of
from kitchen.engine.mentions import Use
from kitchen.engine.naming import Names, is_system, parse_name
from kitchen.engine.sql_reading import read_sql
from kitchen.engine.statements import identifier, quoted, with_parameters
from kitchen.errors import InvalidInput

SAMPLE = 5
_NOTHING = "nothing"
MOST_ROWS = 100  # of a sql test: more are not counted


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a test went."""

    passed: bool
    measured: str
    expected: str


@dataclass(frozen=True, slots=True)
class Check:
    """One test's question. With ``table`` it is a list of aggregates that can share one scan; else a query."""

    test: RecipeTest
    judge: Callable[[Sequence[Any]], Verdict]
    table: str | None = None
    asks: tuple[str, ...] = ()
    query: str = ""
    sample: str | None = None  # a query of a few failing rows, each as JSON


@dataclass(frozen=True, slots=True)
class Ground:
    """What tests need to know to be put into SQL for one kitchen."""

    recipe: Recipe
    names: Names
    places: Places
    parameters: Mapping[str, object]
    where: str
    history: Callable[[str, str], Sequence[str]] = lambda node, test: ()  # what a test measured when it passed
    node: str = ""

    def table(self, settings: Mapping[str, object], key: str = "table") -> str:
        """Return the quoted physical name of a test's table."""
        return self.physical(str(settings[key]))

    def physical(self, text: str) -> str:
        """Return the quoted physical name of a table as recipes speak of it; raises InvalidInput."""
        logical = self.names.get(parse_name(text), where=self.where, said="a test asks of")
        return _quoted_table(self.places.find(logical))


def check_of(test: RecipeTest, ground: Ground) -> Check:
    """Return what a test asks; raises InvalidInput where it cannot be asked."""
    return _KINDS[test.kind](test, ground)


def tables_of(test: RecipeTest, recipe: Recipe, names: Names, parameters: Mapping[str, object]) -> frozenset[TableName]:
    """Return the tables that a test looks at; raises InvalidInput for one that nobody has."""
    where = f"recipes/{recipe.name}/recipe.yaml: test {test.name!r}"
    spoken = [str(test.settings["table"])] if "table" in test.settings else []
    if test.kind == "relationship":
        spoken.append(str(test.settings["to"]).rpartition(".")[0])
    found = {names.get(parse_name(text), where=where, said="a test asks of") for text in spoken}
    if test.kind == "sql":
        shown, text = _sql_of(test, recipe)
        for reading in read_sql(with_parameters(text, parameters, shown=shown), shown):
            for mention in reading.mentions:
                if not is_system(mention.name):
                    at = f"{shown}:{mention.line}"
                    found.add(names.get(mention.name, where=at, said=f"test {test.name!r} reads"))
    return frozenset(found)


# --- kinds that share one scan ----------------------------------------------------------------------------------------


def _row_count(test: RecipeTest, ground: Ground) -> Check:
    least, most = (bound if isinstance(bound := test.settings.get(name), int) else None for name in ("min", "max"))
    expected = _bounds(least, most)

    def judge(row: Sequence[Any]) -> Verdict:
        count = int(row[0])
        fits = (least is None or count >= least) and (most is None or count <= most)
        return Verdict(fits, counted(count, "row"), expected)

    return Check(test, judge, ground.table(test.settings), ("count(*)",))


def _bounds(least: int | None, most: int | None) -> str:
    if least is None:
        return f"at most {counted(most or 0, 'row')}"
    if most is None:
        return f"at least {counted(least, 'row')}"
    return f"exactly {counted(least, 'row')}" if least == most else f"{least:,} to {counted(most, 'row')}"


def _not_null(test: RecipeTest, ground: Ground) -> Check:
    columns = _columns(test)
    table = ground.table(test.settings)
    asks = ("count(*)", *(f"count({identifier(column)})" for column in columns))  # cheaper than a FILTER

    def judge(row: Sequence[Any]) -> Verdict:
        rows, *filled = map(int, row)
        empty = {column: rows - count for column, count in zip(columns, filled, strict=True) if count < rows}
        measured = ", ".join(f"{count:,} NULL in {column}" for column, count in empty.items())
        return Verdict(not empty, measured or "no NULL", "no NULL")

    fails = " OR ".join(f"{identifier(column)} IS NULL" for column in columns)
    return Check(test, judge, table, asks, sample=_sample(table, fails))


def _accepted_values(test: RecipeTest, ground: Ground) -> Check:
    table, column = ground.table(test.settings), identifier(str(test.settings["column"]))
    values = test.settings["values"]
    assert isinstance(values, list)  # noqa: S101 - the file's model says so
    texts = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
    fails = f"{column} NOT IN ({', '.join(quoted(text) for text in texts)})"

    def judge(row: Sequence[Any]) -> Verdict:
        return Verdict(not row[0], f"{counted(int(row[0]), 'row')} with another value", "only " + ", ".join(texts))

    return Check(test, judge, table, (f"count(*) FILTER (WHERE {fails})",), sample=_sample(table, fails))


def _freshness(test: RecipeTest, ground: Ground) -> Check:
    table, column = ground.table(test.settings), identifier(str(test.settings["column"]))
    most = float(str(test.settings["max_age"]))

    def judge(row: Sequence[Any]) -> Verdict:
        expected = f"not older than {_age(most)}"
        if row[0] is None:
            return Verdict(False, "no value at all", expected)
        return Verdict(float(row[0]) <= most, f"{_age(float(row[0]))} old ({row[1]})", expected)

    return Check(test, judge, table, (f"extract(epoch FROM now() - max({column}))", f"max({column})::text"))


# --- kinds with a query of their own ----------------------------------------------------------------------------------


def _unique(test: RecipeTest, ground: Ground) -> Check:
    table, columns = ground.table(test.settings), _columns(test)
    listed = ", ".join(identifier(column) for column in columns)
    known = " AND ".join(f"{identifier(column)} IS NOT NULL" for column in columns)
    groups = f"SELECT {listed}, count(*) AS times FROM {table} WHERE {known} GROUP BY {listed} HAVING count(*) > 1"

    def judge(row: Sequence[Any]) -> Verdict:
        return Verdict(not row[0], f"{counted(int(row[0]), 'value')} more than once", "every value once")

    query = f"SELECT count(*) FROM ({groups}) AS found"
    return Check(test, judge, query=query, sample=f"SELECT row_to_json(found) FROM ({groups} LIMIT {SAMPLE}) AS found")


def _relationship(test: RecipeTest, ground: Ground) -> Check:
    table, column = ground.table(test.settings), identifier(str(test.settings["column"]))
    other, _, key = str(test.settings["to"]).rpartition(".")
    theirs = f"SELECT FROM {ground.physical(other)} AS other WHERE other.{identifier(key)} = found.{column}"
    fails = f"found.{column} IS NOT NULL AND NOT EXISTS ({theirs})"

    def judge(row: Sequence[Any]) -> Verdict:
        measured = f"{counted(int(row[0]), 'row')} without a match"
        return Verdict(not row[0], measured, f"every value in {test.settings['to']}")

    query = f"SELECT count(*) FROM {table} AS found WHERE {fails}"
    return Check(test, judge, query=query, sample=_sample(table, fails))


def _sql(test: RecipeTest, ground: Ground) -> Check:
    shown, text = _sql_of(test, ground.recipe)
    readings = read_sql(with_parameters(text, ground.parameters, shown=shown), shown)
    if len(readings) != 1 or any(mention.use not in (Use.READ, Use.QUALIFIER) for mention in readings[0].mentions):
        raise InvalidInput(f"{shown}: a sql test is one query, and returns what is wrong")
    tables = {
        mention: ground.names.get(mention.name, where=f"{shown}:{mention.line}", said=f"test {test.name!r} reads")
        for mention in readings[0].mentions
        if not is_system(mention.name)
    }
    query = compile_reading(readings[0], tables, ground.places)

    def judge(rows: Sequence[Any]) -> Verdict:
        many = f"more than {MOST_ROWS} rows" if len(rows) > MOST_ROWS else counted(len(rows), "row")
        return Verdict(not rows, many, "no row")

    return Check(test, judge, query=f"SELECT row_to_json(found) FROM (\n{query}\n) AS found LIMIT {MOST_ROWS + 1}")


_METRICS = {
    "row_count": "count(*)",
    "null_count": "count(*) - count({})",
    "distinct_count": "count(DISTINCT {})",
    "sum": "sum({})",
    "avg": "avg({})",
    "min": "min({})",
    "max": "max({})",
    "stddev": "stddev_samp({})",
}


def _spc(test: RecipeTest, ground: Ground) -> Check:
    metric = str(test.settings["metric"])
    column = identifier(str(test.settings["column"])) if "column" in test.settings else "*"
    before = [float(text) for text in ground.history(ground.node, test.name) if text != _NOTHING]

    def judge(row: Sequence[Any]) -> Verdict:
        if row[0] is None:
            return Verdict(not before, _NOTHING, "a value")
        value = float(row[0])
        bounds = bounds_of(before, value, never_negative=metric.endswith("_count"))
        if bounds is None:
            return Verdict(True, f"{value:.10g}", f"anything: training, {len(before)} of {TRAINING} runs")
        expected = f"{bounds.low:.6g} to {bounds.high:.6g} after {bounds.runs} runs"
        if bounds.shifted is not None:
            return Verdict(False, f"{value:.10g}", f"{expected}; {bounds.shifted}")
        return Verdict(bounds.low <= value <= bounds.high, f"{value:.10g}", expected)

    return Check(test, judge, ground.table(test.settings), (_METRICS[metric].format(column),))


_KINDS: dict[str, Callable[[RecipeTest, Ground], Check]] = {
    "row_count": _row_count,
    "not_null": _not_null,
    "unique": _unique,
    "accepted_values": _accepted_values,
    "relationship": _relationship,
    "freshness": _freshness,
    "sql": _sql,
    "spc": _spc,
}


def _sql_of(test: RecipeTest, recipe: Recipe) -> tuple[str, str]:
    file = test.settings.get("file")
    if isinstance(file, str):
        return f"recipes/{recipe.name}/{file}", recipe.sources[file]
    return f"recipes/{recipe.name}/recipe.yaml: test {test.name!r}", str(test.settings["query"])


def _columns(test: RecipeTest) -> tuple[str, ...]:
    columns = test.settings["columns"]
    assert isinstance(columns, list)  # noqa: S101 - the file's model says so
    return tuple(str(column) for column in columns)


def _quoted_table(table: TableName) -> str:
    return f"{identifier(table.schema)}.{identifier(table.name)}"


def _sample(table: str, fails: str) -> str:
    return f"SELECT row_to_json(found) FROM {table} AS found WHERE {fails} LIMIT {SAMPLE}"


def _age(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
