"""The order of nodes, what each touches, and what follows from a change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kitchen.domain.layout import Layout, TableName
from kitchen.domain.recipe import Node, NodeKind, Recipe, RecipeTest, Variation
from kitchen.engine.fingerprint import affected, changed_tests
from kitchen.engine.plan import Plan, plan, promises
from kitchen.errors import InvalidInput

ONE = Layout(("public",), holds_production=False)
TWO = Layout(("raw", "marts"), holds_production=False)


def _table(name: str) -> TableName:
    schema, _, rest = name.rpartition(".")
    return TableName(schema or "public", rest)


def _recipe(*nodes: Node, parameters: dict[str, object] | None = None, **sql: str) -> Recipe:
    told = {node.name for node in nodes}
    made = [Node(name, NodeKind.SQL, source=f"{name}.sql") for name in sql if name not in told]
    return Recipe("r", "", None, (*nodes, *made), parameters=parameters or {},
                  sources={f"{name}.sql": text for name, text in sql.items()})  # fmt: skip


def _plan(recipe: Recipe, *known: str, layout: Layout = ONE, variation: str | None = None) -> Plan:
    return plan(recipe, layout, [_table(name) for name in known], variation=variation)


def _order(planned: Plan) -> list[str]:
    return [node.name for node in planned.nodes]


def _names(tables: frozenset[TableName]) -> set[str]:
    return {str(table).removeprefix("public.") for table in tables}


BUILD = "DROP TABLE IF EXISTS {0}; CREATE TABLE {0} AS SELECT * FROM {1}"


def test_the_sequence_follows_from_reads_and_writes() -> None:
    planned = _plan(
        _recipe(c=BUILD.format("t3", "t2"), b=BUILD.format("t2", "t1"), a=BUILD.format("t1", "orders")), "orders"
    )
    assert _order(planned) == ["a", "b", "c"]
    assert planned.node("b").follows == {"a": "reads public.t1"}


def test_after_adds_to_it_and_the_file_breaks_ties() -> None:
    first, last = Node("first", NodeKind.COMMAND, command=("x",)), Node("z", NodeKind.SQL, "z.sql", after=("first",))
    assert _order(_plan(_recipe(last, first, z="SELECT 1", a="SELECT 2"))) == ["first", "z", "a"]


def test_a_table_is_built_then_changed_then_read_then_dropped() -> None:
    recipe = _recipe(
        drop="DROP TABLE work",
        read="SELECT * FROM work",
        add="INSERT INTO work VALUES (1)",
        index="CREATE INDEX ON work (i)",
        make="DROP TABLE IF EXISTS work; CREATE TABLE work (i int)",
    )
    assert _order(_plan(recipe)) == ["make", "add", "index", "read", "drop"]


def test_a_circle_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"circle: a waits for b \(reads public.t2\), b waits for a"):
        _plan(_recipe(a=BUILD.format("t1", "t2"), b=BUILD.format("t2", "t1")), "t1", "t2")


def test_two_nodes_that_build_one_table_need_an_order() -> None:
    sql = {"a": "TRUNCATE t", "b": "TRUNCATE t"}
    with pytest.raises(InvalidInput, match=r"'a' and 'b' both build 'public.t' from nothing"):
        _plan(_recipe(**sql), "t")
    told = Node("a", NodeKind.SQL, "a.sql", after=("b",))
    assert _order(_plan(_recipe(told, **sql), "t")) == ["b", "a"]


@pytest.mark.parametrize(
    ("sql", "reads", "rebuilds", "changes", "drops"),
    [
        ("UPDATE t SET a = 1 WHERE b = 2", "", "", "t", ""),
        ("TRUNCATE t; INSERT INTO t SELECT * FROM s", "s", "t", "", ""),
        ("INSERT INTO t SELECT * FROM s", "s", "", "t", ""),
        ("DROP TABLE IF EXISTS n; CREATE TABLE n AS SELECT * FROM t; SELECT * FROM n", "t", "n", "", ""),
        ("CREATE TABLE n AS SELECT * FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t", "t", "", "t", ""),
        ("CREATE TABLE n AS SELECT * FROM s; DROP TABLE t; ALTER TABLE n RENAME TO t", "s", "t", "", ""),
        ("CREATE TABLE work AS SELECT * FROM s; INSERT INTO t SELECT * FROM work; DROP TABLE work", "s", "", "t", ""),
        ("DROP TABLE s", "", "", "", "s"),
        ("CREATE TEMP TABLE s AS SELECT * FROM t; INSERT INTO t SELECT * FROM s", "t", "", "t", ""),
        ("CREATE TABLE IF NOT EXISTS t (i int)", "", "", "t", ""),
        ("SELECT * FROM pg_class, pg_catalog.pg_namespace, information_schema.tables", "", "", "", ""),
    ],
)
def test_what_a_node_reads_builds_changes_and_drops(
    sql: str, reads: str, rebuilds: str, changes: str, drops: str
) -> None:
    touches = _plan(_recipe(a=sql), "t", "s").node("a").touches
    assert _names(touches.reads) == set(reads.split())
    assert _names(touches.rebuilds) == set(rebuilds.split())
    assert _names(touches.changes) == set(changes.split())
    assert _names(touches.drops - touches.writes) - {"n", "work"} == set(drops.split())


def test_names_of_several_schemas() -> None:
    recipe = _recipe(a="INSERT INTO marts.orders SELECT marts.orders.i FROM raw.orders, marts.orders, lonely")
    node = _plan(recipe, "raw.orders", "marts.orders", "marts.lonely", layout=TWO).node("a")
    assert node.touches.changes == {_table("marts.orders")}
    assert node.touches.reads == {_table("raw.orders"), _table("marts.orders"), _table("marts.lonely")}
    with pytest.raises(InvalidInput, match=r"a.sql:1: 'orders' is in several schemas \(marts, raw\)"):
        _plan(_recipe(a="SELECT * FROM orders"), "raw.orders", "marts.orders", layout=TWO)
    with pytest.raises(InvalidInput, match=r"pantry_v7.orders is in no schema of the environment"):
        _plan(_recipe(a="SELECT * FROM pantry_v7.orders"), "raw.orders", layout=TWO)


def test_nodes_that_say_what_they_do() -> None:
    tool = Node("load", NodeKind.PYTHON, "load.py", reads=("orders",), writes=("scores", "t"), drops=("scores",))
    recipe = replace(_recipe(tool, a="SELECT * FROM scores"), sources={"load.py": "", "a.sql": "SELECT * FROM scores"})
    planned = _plan(recipe, "orders", "t")
    assert _order(planned) == ["load", "a"]
    assert _names(planned.node("load").touches.rebuilds) == {"scores"}
    assert _names(planned.node("load").touches.changes) == {"t"}


def test_a_variation_may_leave_nodes_out() -> None:
    late = Node("b", NodeKind.SQL, "b.sql", after=("a",))
    recipe = replace(_recipe(late, a="SELECT 1", b="SELECT 2"), variations={"v": Variation("v", nodes=("b",))})
    assert _order(_plan(recipe, variation="v")) == ["b"]


def test_what_other_recipes_make_can_be_spoken_of() -> None:
    first = _recipe(a=BUILD.format("t1", "orders"))
    second = _recipe(b="CREATE TABLE t2 AS SELECT * FROM t1")
    known = [_table("orders")]
    with pytest.raises(InvalidInput, match="reads 't1'"):
        plan(second, ONE, known)
    promised = promises([first, second], ONE, known)
    assert _names(promised) == {"t1", "t2"}
    assert _names(plan(second, ONE, known, promised=promised).node("b").reads) == {"t1"}


def test_warnings_name_what_cannot_be_seen() -> None:
    recipe = _recipe(
        a="DO $$ BEGIN END $$;\nCREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = x AS 'SELECT 1'",
        b="DROP TABLE t",
        c="INSERT INTO u SELECT * FROM s;\nINSERT INTO u (i) SELECT i, 'SELECT *' FROM s",
    )
    told = _plan(recipe, "t", "s", "u").warnings
    assert [text.split(": ")[0] for text in told] == [
        "recipes/r/a.sql:1", "recipes/r/a.sql:2", "recipes/r/b.sql:1", "recipes/r/c.sql:1",
    ]  # fmt: skip


def test_a_table_that_is_made_only_where_it_is_missing_is_copied_first() -> None:
    """Else CREATE TABLE IF NOT EXISTS, which looks into the kitchen's schema only, would hide the one below, empty."""
    recipe = _recipe(a="CREATE TABLE IF NOT EXISTS t (i int); INSERT INTO t VALUES (1)")
    touches = _plan(recipe, "t").node("a").touches
    assert (_names(touches.changes), _names(touches.rebuilds)) == ({"t"}, set())


# --- what follows from a change ---------------------------------------------------------------------------------------

CHAIN = {
    "a": BUILD.format("t1", "orders"),
    "b": BUILD.format("t2", "t1"),
    "c": BUILD.format("t3", "t2"),
    "other": BUILD.format("t9", "orders") + " WHERE d > :as_of",
}


def _changed(**changes: str) -> set[str]:
    base = _plan(_recipe(**CHAIN, parameters={"as_of": 1, "free": 1}), "orders")
    new = _plan(_recipe(**{**CHAIN, **changes}, parameters={"as_of": 1, "free": 2}), "orders")
    return set(affected(base, new))


def test_only_what_changed_and_what_follows_is_affected() -> None:
    assert _changed() == set()
    assert _changed(b=BUILD.format("t2", "t1").replace(" ", "\n  ") + " -- the same") == set()
    assert _changed(b=BUILD.format("t2", "t1") + " WHERE true") == {"b", "c"}
    assert _changed(new="SELECT 1") == {"new"}
    base = _plan(_recipe(**CHAIN, parameters={"as_of": 1}), "orders")
    new = _plan(_recipe(**CHAIN, parameters={"as_of": 2}), "orders")
    assert affected(base, new) == {"other"}
    assert affected(None, new) == set(CHAIN)
    assert affected(new, new, touched=[_table("t1")]) == {"b", "c"}


def test_a_later_writer_never_acts_twice_on_what_is_there() -> None:
    sql = {"make": BUILD.format("t", "orders"), "add": "UPDATE t SET i = i + 1", "use": "SELECT * FROM t"}
    base = _plan(_recipe(**sql), "orders")
    new = _plan(_recipe(**{**sql, "add": "UPDATE t SET i = i + 2"}), "orders")
    assert affected(base, new) == {"make", "add", "use"}


def test_any_file_counts_for_a_program() -> None:
    recipe = Recipe("r", "", None, (Node("a", NodeKind.PYTHON, "a.py"),), sources={"a.py": "", "help.py": "1"})
    new = replace(recipe, sources={"a.py": "", "help.py": "2"})
    assert affected(_plan(recipe), _plan(new)) == {"a"}
    assert affected(_plan(recipe), _plan(replace(recipe, sources={**recipe.sources, "notes.md": ""}))) == set()


def test_changed_tests_are_found_without_their_node() -> None:
    test = RecipeTest("n", "row_count", {"table": "t", "min": 1})
    node = Node("a", NodeKind.SQL, "a.sql", after_tests=(test,))
    base = _plan(_recipe(node, a="SELECT 1"))
    new = _plan(_recipe(replace(node, after_tests=(replace(test, settings={"table": "t", "min": 2}),)), a="SELECT 1"))
    assert changed_tests(base, new) == {"a"}
    assert changed_tests(base, base) == set()
    assert affected(base, new) == set()
