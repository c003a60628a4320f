"""Hydrating under a kitchen's own rights: a copy like its source, bound to what is the kitchen's, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.adapters.postgres.structure_text import quote
from kitchen.adapters.postgres.workspaces import PgWorkspaces
from kitchen.domain.kitchen import pantry_reader_role
from kitchen.domain.layout import Layer, Layout, TableName
from kitchen.errors import Conflict, KitchenError, NotFound, NotPermitted, Refused
from kitchen.ports import Hydrated
from tests.contracts.catalogue import Catalogue, catalogue, contents, crossings, same
from tests.contracts.databases import load_nasty, load_pagila
from tests.contracts.layers import ENVIRONMENT, Place, make_pantry, place
from tests.support import Warehouse


@pytest.fixture
def pagila(warehouse: Warehouse) -> Iterator[Place]:
    layout = Layout(("public",), holds_production=False)
    with connect(warehouse.superuser, application="tests") as source:
        load_pagila(source)
        make_pantry(warehouse, layout, source)
    yield from place(warehouse, layout)


@pytest.fixture
def nasty(warehouse: Warehouse) -> Iterator[Place]:
    layout = Layout(("nasty_raw", "nasty_marts"), holds_production=False)
    with connect(warehouse.superuser, application="tests") as source:
        load_nasty(source)
        make_pantry(warehouse, layout, source)
    yield from place(warehouse, layout)


TYPED_BY_ROWS = ["nasty_marts.of_rows.old", "nasty_marts.of_rows.many"]


def compare(place: Place, without: Sequence[str] = ()) -> None:
    def found(schemas: dict[str, str]) -> Catalogue:
        everything = catalogue(place.administrator, schemas)
        return {
            key: facts for key, facts in everything.items()
            if not key[1].startswith("types_") and ".".join(key[1:]) not in without
        }  # fmt: skip

    own, pantry = place.schemas("own"), place.schemas("pantry")
    same(found(pantry), found(own))
    same(contents(place.administrator, pantry), contents(place.administrator, own))


def test_all_of_pagila_hydrated_is_like_the_pantry(pagila: Place) -> None:
    done = pagila.hydrate_all()
    compare(pagila)
    assert crossings(pagila.administrator, ["profit"], ["pantry_v1"]) == []
    assert {one.table.name for one in done} >= {"film", "payment", "rental"}


def test_all_of_the_nasty_database_hydrated_is_like_the_pantry(nasty: Place) -> None:
    done = nasty.hydrate_all()
    said = [line for one in done for line in one.left_out if " keeps the row type of " in line]
    assert [line.partition(" keeps ")[0] for line in said] == [f"column {name}" for name in TYPED_BY_ROWS]
    compare(nasty, without=TYPED_BY_ROWS)


def test_a_copy_is_written_and_the_pantry_is_not(pagila: Place) -> None:
    with pytest.raises(NotPermitted):
        pagila.session.execute("DELETE FROM film_actor")
    done = pagila.hydrate("actor")
    assert done is not None
    assert (done.table, done.source) == (TableName("public", "actor"), TableName("pantry_v1", "actor"))
    pagila.session.execute("INSERT INTO actor (first_name, last_name) VALUES ('NEW', 'ONE')")
    assert pagila.session.query("SELECT actor_id FROM actor WHERE first_name = 'NEW'") == [(201,)]
    pagila.session.execute("UPDATE actor SET last_name = 'X', last_update = '2000-01-01' WHERE actor_id = 1")
    assert pagila.session.query("SELECT last_update > '2020-01-01' FROM actor WHERE actor_id = 1") == [(True,)]
    assert pagila.administrator.query("SELECT count(*), max(actor_id) FROM pantry_v1.actor") == [(200, 200)]
    assert pagila.hydrate("actor") is None


def test_what_cannot_cross_a_layer_is_said_and_comes_when_it_can(pagila: Place) -> None:
    first = pagila.hydrate("film_actor")
    assert first is not None
    assert [said for said in first.left_out if "film_actor_film_id_fkey" in said]
    second = pagila.hydrate("film")
    assert second is not None
    assert "constraint film_actor_film_id_fkey of public.film_actor" in second.made
    with pytest.raises(KitchenError, match="film_actor_film_id_fkey"):
        pagila.session.execute("DELETE FROM film WHERE film_id = 1")


def test_a_key_that_rows_of_the_kitchen_break_is_not_valid_and_said(pagila: Place) -> None:
    pagila.hydrate("film_actor")
    pagila.session.execute("UPDATE film_actor SET film_id = 9999 WHERE film_id = 1 AND actor_id = 1")
    done = pagila.hydrate("film")
    assert done is not None
    assert [said for said in done.left_out if "film_actor_film_id_fkey" in said and "NOT VALID" in said]
    where = "conrelid = 'film_actor'::regclass AND conname = 'film_actor_film_id_fkey'"
    assert pagila.session.query(f"SELECT convalidated FROM pg_constraint WHERE {where}") == [(False,)]


def test_a_partition_stands_for_its_whole_table(pagila: Place) -> None:
    done = pagila.hydrate("payment_p2022_03")
    assert done is not None
    assert done.table.name == "payment"
    assert pagila.session.query("SELECT count(*) FROM profit.payment_p2022_05")[0][0] > 0
    pagila.session.execute("DELETE FROM payment")
    assert pagila.session.query("SELECT count(*) FROM payment_p2022_05") == [(0,)]


def test_views_functions_and_own_views_follow_the_copy(nasty: Place) -> None:
    session = nasty.session
    session.execute(
        "CREATE VIEW nasty_marts_view AS SELECT * FROM order_totals;"
        "CREATE MATERIALIZED VIEW mine AS SELECT count(*) AS n FROM nasty_marts_view;"
        "CREATE UNIQUE INDEX mine_n ON mine (n); COMMENT ON MATERIALIZED VIEW mine IS 'kept';"
        "CREATE VIEW over_mine AS SELECT n + 1 AS n FROM mine;"
        "CREATE FUNCTION own_count() RETURNS bigint LANGUAGE sql STABLE"
        " BEGIN ATOMIC SELECT count(*) FROM pantry_v1__nasty_raw.orders; END"
    )
    nasty.hydrate("nasty_raw.orders")
    session.execute("DELETE FROM profit__nasty_raw.orders")
    for query in ("SELECT count(*) FROM orders_view", "SELECT count_orders()", "SELECT own_count()"):
        assert session.query(query) == [(0,)], query
    assert session.query("SELECT obj_description('mine'::regclass), count(*) FROM pg_indexes WHERE indexname = 'mine_n'"
                         " GROUP BY 1") == [("kept", 1)]  # fmt: skip
    session.execute("REFRESH MATERIALIZED VIEW order_totals; REFRESH MATERIALIZED VIEW mine")
    assert session.query("SELECT n FROM over_mine") == [(1,)]
    own = ["profit__nasty_raw", "profit__nasty_marts"]
    bound = crossings(nasty.administrator, own, ["pantry_v1__nasty_raw", "pantry_v1__nasty_marts"])
    assert [one for one in bound if one.endswith("pantry_v1__nasty_raw.orders")] == []


def test_an_empty_table_that_hides_a_full_one_is_noticed(pagila: Place) -> None:
    pagila.session.execute(
        "CREATE TABLE IF NOT EXISTS film (title text); CREATE TABLE mine (i int); CREATE TABLE store (i int);"
        "INSERT INTO store VALUES (1)"
    )
    (found,) = pagila.tables.hiding(pagila.session, pagila.layer)
    assert (found.logical.name, str(found.over)) == ("film", "pantry_v1.film")


def test_the_nearest_layer_is_copied(pagila: Place) -> None:
    pagila.tables.hydrate(
        pagila.parent, Layer(pagila.layer.layout, pagila.layer.parents[0], ()), TableName("public", "category")
    )
    pagila.parent.execute("INSERT INTO category (name) VALUES ('Parents')")
    done = pagila.hydrate("category")
    assert done is not None
    assert done.source == TableName("dev", "category")
    assert pagila.session.query("SELECT max(category_id) FROM profit.category") == [(17,)]
    pagila.session.execute("INSERT INTO category (name) VALUES ('Own')")
    assert pagila.session.query("SELECT max(category_id) FROM category") == [(18,)]


def test_structure_alone_has_no_rows(pagila: Place) -> None:
    pagila.hydrate("rental", with_rows=False)
    assert pagila.session.query("SELECT count(*) FROM rental") == [(0,)]
    assert pagila.session.query(
        "SELECT count(*) FROM pg_indexes WHERE schemaname = 'profit' AND tablename = 'rental'"
    ) == [(3,)]


def test_views_and_strangers_are_refused(pagila: Place) -> None:
    with pytest.raises(Refused, match=r"is a view.* film,") as refusal:
        pagila.hydrate("film_list")
    assert refusal.value.hint is not None
    assert refusal.value.hint.startswith("kitchen hydrate actor category film")
    with pytest.raises(NotFound):
        pagila.hydrate("nobody")
    with pytest.raises(NotFound):
        pagila.hydrate("elsewhere.film")


def test_a_name_in_the_way_leaves_nothing_behind(pagila: Place) -> None:
    pagila.session.execute("CREATE TABLE in_the_way (a integer CONSTRAINT film_pkey PRIMARY KEY)")
    pagila.session.execute("CREATE VIEW titles AS SELECT title FROM film")
    before = pagila.tables.own(pagila.session, pagila.layer)
    with pytest.raises(Conflict, match="film_pkey"):
        pagila.hydrate("film")
    assert pagila.tables.own(pagila.session, pagila.layer) == before
    assert pagila.session.query("SELECT count(*) FROM titles") == [(1000,)]


def test_rows_that_a_policy_hides_are_never_left_out_silently(pagila: Place) -> None:
    pagila.administrator.execute("ALTER TABLE pantry_v1.city ENABLE ROW LEVEL SECURITY")
    with pytest.raises(NotPermitted, match="row-level security"):
        pagila.hydrate("city")


def test_a_swap_while_copying_is_noticed(pagila: Place) -> None:
    """Whoever waits for the lock copies what is there then, with its rows."""
    swap = pagila.administrator
    swap.execute("BEGIN; LOCK TABLE pantry_v1.language IN ACCESS EXCLUSIVE MODE")
    done: list[Hydrated | None] = []
    thread = threading.Thread(target=lambda: done.append(pagila.hydrate("language")))
    thread.start()
    for _ in range(200):
        waiting = swap.query("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'")
        if waiting != [(0,)]:
            break
    swap.execute(
        "CREATE SCHEMA aside; ALTER TABLE pantry_v1.language SET SCHEMA aside;"
        "CREATE TABLE pantry_v1.language (language_id integer, name text);"
        "INSERT INTO pantry_v1.language VALUES (1, 'new'), (2, 'newer');"
        f"GRANT SELECT ON pantry_v1.language TO {quote(pantry_reader_role(ENVIRONMENT, 1))}; COMMIT"
    )
    thread.join(30)
    assert done
    assert pagila.session.query("SELECT count(*) FROM profit.language") == [(2,)]


def test_what_is_seen_is_listed_in_one_round_trip(pagila: Place) -> None:
    pagila.hydrate("city")
    seen = {relation.logical.name: relation for relation in pagila.tables.visible(pagila.session, pagila.layer)}
    assert seen["city"].physical == TableName("profit", "city")
    assert seen["film"].physical == TableName("pantry_v1", "film")
    assert (seen["film"].kind, seen["payment"].kind, seen["film_list"].kind) == ("table", "partitioned table", "view")
    assert seen["film"].rows == 1000
    own = pagila.tables.own(pagila.session, pagila.layer)
    assert {relation.logical.name for relation in own} == {
        "city",
        "city_city_id_seq",
        "customer_list",
        "staff_list",
        "sales_by_store",
    }
    city = next(relation for relation in own if relation.logical.name == "city")
    assert city.size > 8192
    assert city.over == TableName("pantry_v1", "city")


def test_own_views_are_bound_to_another_pantry_and_to_a_parents_tables(pagila: Place) -> None:
    session, above = pagila.session, Layer(pagila.layer.layout, pagila.layer.parents[0], ())
    session.execute(
        "CREATE VIEW mine AS SELECT name FROM category; CREATE VIEW over_mine AS SELECT count(*) AS n FROM mine;"
        "CREATE VIEW apart AS SELECT 1 AS one"
    )
    apart = session.query("SELECT 'apart'::regclass::oid")
    pagila.tables.hydrate(pagila.parent, above, TableName("public", "category"))
    pagila.parent.execute("DELETE FROM category WHERE category_id > 10")
    assert session.query("SELECT n FROM over_mine") == [(16,)]
    assert pagila.tables.rebind(pagila.administrator, pagila.layer) == ()
    assert session.query("SELECT n FROM over_mine") == [(10,)]
    pagila.administrator.execute(
        "CREATE SCHEMA pantry_v2; CREATE TABLE pantry_v2.category AS SELECT * FROM pantry_v1.category LIMIT 3;"
        f"GRANT USAGE ON SCHEMA pantry_v2 TO {quote(pantry_reader_role(ENVIRONMENT, 1))};"
        f"GRANT SELECT ON pantry_v2.category TO {quote(pantry_reader_role(ENVIRONMENT, 1))}"
    )
    alone = Layer(pagila.layer.layout, replace(pagila.layer.kitchen, pantry=2), ())
    assert pagila.tables.rebind(pagila.administrator, alone) == ()
    assert session.query("SELECT n FROM over_mine") == [(3,)]
    assert session.query("SELECT 'apart'::regclass::oid") == apart
    pagila.administrator.execute("ALTER TABLE pantry_v2.category RENAME TO categories")
    nowhere = Layer(pagila.layer.layout, replace(pagila.layer.kitchen, pantry=3), ())
    said = pagila.tables.rebind(pagila.administrator, nowhere)
    assert [line.partition(" still ")[0] for line in said] == ["profit.mine", "profit.over_mine"]
    assert session.query("SELECT n FROM over_mine") == [(3,)]


def test_functions_that_will_not_see_the_copy_are_said(pagila: Place) -> None:
    pagila.administrator.execute(
        "CREATE FUNCTION pantry_types.pinned() RETURNS bigint LANGUAGE sql SET search_path = pantry_v1"
        " AS 'SELECT count(*) FROM pantry_v1.language';"
        "CREATE FUNCTION pantry_types.spelled_out() RETURNS bigint LANGUAGE plpgsql"
        " AS 'BEGIN RETURN (SELECT count(*) FROM public.language); END';"
        "CREATE FUNCTION pantry_types.fine() RETURNS bigint LANGUAGE plpgsql"
        " AS 'BEGIN RETURN (SELECT count(*) FROM language); END'"
    )
    done = pagila.hydrate("language")
    assert done is not None
    assert done.notes == (
        "function public.pinned sets its own search_path: it does not see the kitchen's copy",
        "function public.spelled_out names the table with its schema: it does not see the kitchen's copy",
    )
    assert not [line for line in done.left_out if "function" in line]


def test_many_hydrations_at_once_leave_no_view_between_two_layers(pagila: Place, warehouse: Warehouse) -> None:
    """They share views: whoever comes second has planned too early, and plans again."""
    tables = ["film", "actor", "film_actor", "category", "film_category", "inventory", "rental", "payment"]
    barrier = threading.Barrier(len(tables))
    failures: list[str] = []
    login = PgWorkspaces(warehouse.sessions).create(pagila.layer, "another-for-the-tests")

    def hydrate(name: str) -> None:
        with connect(login, application="tests") as session:
            session.execute("SELECT 1")
            barrier.wait()
            try:
                pagila.tables.hydrate(session, pagila.layer, TableName("public", name))
            except KitchenError as failure:
                failures.append(f"{name}: {failure}")

    threads = [threading.Thread(target=hydrate, args=(name,)) for name in tables]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    stale = [f"pantry_v1.{name}" for name in tables]
    bound = crossings(pagila.administrator, ["profit"], ["pantry_v1"])
    assert [one for one in bound if one.rpartition(" ")[2] in stale] == []
    assert "profit" in {relation.physical.schema for relation in pagila.tables.own(pagila.session, pagila.layer)}
