"""What a file recipes/<name>/recipe.yaml may say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, field

from kitchen.files.loader import Model

Value = Any  # text, number, date, true, false, nothing, or a list of those: msgspec cannot say it; recipe.py checks
Severity = Literal["stop", "warn", "log"]
Count = Annotated[int, Meta(ge=0)]


class Test(Model, frozen=True, kw_only=True):
    """What every test may say: what its failure does (stop the run, warn, or only log) and a name of its own."""

    severity: Severity = "stop"
    name: str | None = None


class RowCount(Test, frozen=True, kw_only=True):
    """The number of rows lies within bounds."""

    table: str
    min: Count | None = None
    max: Count | None = None


class NotNull(Test, frozen=True, kw_only=True):
    """No row has NULL in any of the columns."""

    table: str
    columns: Annotated[list[str], Meta(min_length=1)]


class Unique(Test, frozen=True, kw_only=True):
    """No two rows have the same values in all of the columns; rows with NULL in one are left out, as in SQL."""

    table: str
    columns: Annotated[list[str], Meta(min_length=1)]


class AcceptedValues(Test, frozen=True, kw_only=True):
    """The column has these values only, or NULL."""

    table: str
    column: str
    values: Annotated[list[Value], Meta(min_length=1)]


class Relationship(Test, frozen=True, kw_only=True):
    """Every value of the column is in another table's column, written table.column; NULL refers to nothing."""

    table: str
    column: str
    to: str


class Freshness(Test, frozen=True, kw_only=True):
    """The newest value of a time column is at most so old."""

    table: str
    column: str
    max_age: str


class SqlTest(Test, frozen=True, kw_only=True):
    """A query that returns what is wrong: passes when it returns no row."""

    file: str | None = None
    query: str | None = None


class Spc(Test, frozen=True, kw_only=True):
    """A metric stays within what its own history leads one to expect."""

    table: str
    metric: Literal["row_count", "null_count", "distinct_count", "sum", "avg", "min", "max", "stddev"] = "row_count"
    column: str | None = None


class OneTest(Model, frozen=True, kw_only=True):
    """One test: exactly one of these kinds."""

    row_count: RowCount | None = None
    not_null: NotNull | None = None
    unique: Unique | None = None
    accepted_values: AcceptedValues | None = None
    relationship: Relationship | None = None
    freshness: Freshness | None = None
    sql: SqlTest | None = None
    spc: Spc | None = None


class NodeTests(Model, frozen=True, kw_only=True):
    """Tests that run before and after a node."""

    before: list[OneTest] = field(default_factory=list)
    after: list[OneTest] = field(default_factory=list)


class Container(Model, frozen=True, kw_only=True):
    """An image, by digest, and the command to run in it."""

    image: str
    command: list[str] = field(default_factory=list)


class Append(Model, frozen=True, kw_only=True):
    """A table that accumulates: rows beyond the cursor are caught up when it is published."""

    cursor: str


class NodeFile(Model, frozen=True, kw_only=True):
    """One step: exactly one of sql, python, command, container."""

    sql: str | None = None
    python: str | None = None
    command: list[str] | None = None
    container: Container | None = None
    after: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    drops: list[str] = field(default_factory=list)
    uses: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    once: bool = False
    retries: Annotated[int, Meta(ge=0, le=10)] = 0
    timeout: str | None = None
    append: Append | None = None


class VariationFile(Model, frozen=True, kw_only=True):
    """A named set of parameters and nodes."""

    parameters: Mapping[str, Value] = field(default_factory=dict)
    nodes: list[str] = field(default_factory=list)


class RecipeFile(Model, frozen=True, kw_only=True):
    """A pipeline: a graph of nodes, each with tests."""

    nodes: Mapping[str, NodeFile]
    description: str = ""
    owner: str | None = None
    schedule: Mapping[str, Any] | None = None
    parameters: Mapping[str, Value] = field(default_factory=dict)
    variations: Mapping[str, VariationFile] = field(default_factory=dict)
    tests: Mapping[str, NodeTests] = field(default_factory=dict)
    units: str | None = None
    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    slo: Mapping[str, Any] = field(default_factory=dict)
