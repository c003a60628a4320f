"""The Publisher port against real servers: what arrives stands exactly where the replaced one stood."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kitchen.domain.layout import TableName
from kitchen.errors import KitchenError, Refused
from kitchen.ports import Arrival, Publication
from tests.contracts.shops import NEW_CUSTOMER, Shop
from tests.support import Warehouse


@pytest.fixture
def shop(warehouse: Warehouse) -> Iterator[Shop]:
    made = Shop(warehouse)
    yield made
    made.session.close()


def test_a_new_table_arrives_with_the_owner_and_the_default_grants_of_its_target(shop: Shop) -> None:
    shop.run("ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA shop GRANT SELECT ON TABLES TO {reader}")
    shop.run("ALTER DEFAULT PRIVILEGES FOR ROLE {builder} IN SCHEMA cand GRANT SELECT ON TABLES TO {other}")
    shop.build("CREATE TABLE cand.fresh (id int GENERATED ALWAYS AS IDENTITY, said text)")
    done = shop.publish()
    assert [(e.name, e.before) for e in done.exchanged] == [(TableName("shop", "fresh"), None)]
    assert shop.value("SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'shop.fresh'::regclass") == shop.owner
    assert shop.value(f"SELECT has_table_privilege('{shop.reader}', 'shop.fresh', 'SELECT')")
    # other had its grant in the candidate by default privileges of a role that does not come along: its own grant does
    assert shop.value("SELECT pg_get_serial_sequence('shop.fresh', 'id')") == "shop.fresh_id_seq"
    acl = str(shop.value("SELECT relacl FROM pg_class WHERE oid = 'shop.fresh'::regclass"))
    assert shop.builder not in acl


def test_a_replaced_table_is_kept_and_everything_said_of_it_is_carried(shop: Shop) -> None:
    shop.run(
        """
        GRANT SELECT ON shop.customer TO {reader} WITH GRANT OPTION; GRANT UPDATE (name) ON shop.customer TO {other};
        COMMENT ON TABLE shop.customer IS 'people''s "own"'; COMMENT ON COLUMN shop.customer.name IS 'called';
        ALTER TABLE shop.customer ENABLE ROW LEVEL SECURITY; ALTER TABLE shop.customer FORCE ROW LEVEL SECURITY;
        CREATE POLICY mine ON shop.customer AS RESTRICTIVE FOR SELECT TO {reader} USING (name <> 'x');
        CREATE POLICY "All of it" ON shop.customer USING (true) WITH CHECK (id > 0);
        CREATE FUNCTION shop.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
        CREATE TRIGGER stamped BEFORE UPDATE OF name ON shop.customer FOR EACH ROW
            WHEN (old.name IS DISTINCT FROM new.name) EXECUTE FUNCTION shop.stamp();
        ALTER TABLE shop.customer DISABLE TRIGGER stamped;
        ALTER TABLE shop.customer REPLICA IDENTITY FULL; ALTER TABLE shop.customer SET (fillfactor = 70);
        """,
        "owner",
    )
    old = shop.value("SELECT 'shop.customer'::regclass::oid::bigint")
    shop.build(NEW_CUSTOMER)
    done = shop.publish()
    exchanged = {e.name.name: e for e in done.exchanged}["customer"]
    assert exchanged.before == old
    assert shop.value("SELECT 'shop__r1.customer'::regclass::oid::bigint") == old
    assert shop.publisher.find([old]) == {old: TableName("shop__r1", "customer")}  # type: ignore[list-item]
    with shop.superuser() as session:
        assert session.query("SELECT count(*), min(segment) FROM shop.customer") == [(4, "a")]
        (row,) = session.query(
            "SELECT relrowsecurity, relforcerowsecurity, relreplident::text, reloptions, "
            "obj_description(oid, 'pg_class'), "
            "col_description(oid, 2), pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'shop.customer'::regclass"
        )
        assert row == (True, True, "f", ["fillfactor=70"], 'people\'s "own"', "called", shop.owner)
        policies = (
            "SELECT polname, polpermissive, polcmd::text, polroles::regrole[]::text, pg_get_expr(polqual, polrelid) "
        )
        both = [
            session.query(policies + f"FROM pg_policy WHERE polrelid = '{schema}.customer'::regclass ORDER BY 1")
            for schema in ("shop", "shop__r1")
        ]
        assert both[0] == both[1]
        assert len(both[0]) == 2
        assert session.query(
            "SELECT tgname, tgenabled::text, pg_get_triggerdef(oid) LIKE '%BEFORE UPDATE OF name ON shop.customer%' "
            "FROM pg_trigger WHERE tgrelid = 'shop.customer'::regclass AND NOT tgisinternal"
        ) == [("stamped", "D", True)]
        grants = "SELECT grantee::regrole::text, privilege_type, is_grantable FROM pg_class, aclexplode(relacl) "
        assert (shop.reader, "SELECT", True) in session.query(grants + "WHERE oid = 'shop.customer'::regclass")
        assert session.query(f"SELECT has_column_privilege('{shop.other}', 'shop.customer', 'name', 'UPDATE')") == [
            (True,)
        ]


def test_foreign_keys_from_and_to_a_swapped_table_follow_and_are_validated_after(shop: Shop) -> None:
    shop.build(
        "CREATE TABLE cand.orders (id int PRIMARY KEY, customer int, amount int);"
        "INSERT INTO cand.orders SELECT n, n, 20 FROM generate_series(1, 3) AS n"
    )
    shop.publish()
    keys = (
        "SELECT conname, conrelid::regclass::text, confrelid::regclass::text, convalidated FROM pg_constraint "
        "WHERE contype = 'f' ORDER BY conname"
    )
    assert shop.session.query(keys) == [
        ("line_orders", "shop.line", "shop.orders", False),
        ("orders_customer", "shop.orders", "shop.customer", False),
    ]
    assert shop.publisher.validate([TableName("shop", "orders")]) == ()
    assert {row[3] for row in shop.session.query(keys)} == {True}
    with pytest.raises(KitchenError):
        shop.run("INSERT INTO shop.orders VALUES (9, 99, 1)", "owner")


def test_a_foreign_key_that_does_not_hold_is_named(shop: Shop) -> None:
    shop.build(
        "CREATE TABLE cand.orders AS SELECT 1 AS id, 77 AS customer; ALTER TABLE cand.orders ADD PRIMARY KEY (id)"
    )
    shop.publish()
    (said,) = shop.publisher.validate([TableName("shop", "orders")])
    assert "orders_customer" in said


def test_a_rehearsal_refuses_a_foreign_key_that_would_not_hold(shop: Shop) -> None:
    shop.build(
        "CREATE TABLE cand.orders AS SELECT n AS id, 70 + n AS customer FROM generate_series(2, 4) AS n;"
        "ALTER TABLE cand.orders ADD PRIMARY KEY (id)"
    )
    with pytest.raises(Refused, match=r"orders_customer of shop\.orders would not hold: 3 rows"):
        shop.publish(rehearse=True)
    shop.session.execute("UPDATE cand.orders SET customer = 1")
    with pytest.raises(Refused, match=r"line_orders of shop\.line would not hold: 1 row with"):
        shop.publish(rehearse=True)


def test_a_table_without_the_key_that_others_refer_to_is_refused_and_nothing_moves(shop: Shop) -> None:
    shop.build("CREATE TABLE cand.orders AS SELECT 1 AS id, 1 AS customer")
    with pytest.raises(Refused, match="orders"):
        shop.publish()
    assert shop.value("SELECT amount FROM shop.orders LIMIT 1") == 10
    assert shop.publisher.contents(["cand"]) == (TableName("cand", "orders"),)


def test_views_read_the_new_table_and_keep_their_options_and_grants_but_a_childs_view_stays(shop: Shop) -> None:
    shop.run("GRANT SELECT ON shop.customer TO {other}", "owner")
    shop.run(
        """
        CREATE VIEW bi.people WITH (security_barrier, security_invoker) AS SELECT id, name FROM shop.customer;
        CREATE VIEW bi.above AS SELECT count(*) AS n FROM bi.people;
        CREATE VIEW child.own AS SELECT name FROM shop.customer;
        GRANT SELECT ON bi.people TO {reader};
        """,
        "other",
    )
    shop.run(
        """
        CREATE MATERIALIZED VIEW shop.counted AS SELECT count(*) AS n FROM shop.customer;
        CREATE UNIQUE INDEX counted_n ON shop.counted (n); COMMENT ON MATERIALIZED VIEW shop.counted IS 'how many';
        GRANT SELECT ON shop.counted TO {reader};
        CREATE FUNCTION shop.how_many() RETURNS bigint LANGUAGE sql
            BEGIN ATOMIC SELECT count(*) FROM shop.customer; END;
        CREATE VIEW shop.twice AS SELECT 2 * n AS n FROM shop.counted;
        """,
        "owner",
    )
    shop.build(NEW_CUSTOMER)
    done = shop.publish()
    with shop.superuser() as session:
        assert session.query("SELECT n FROM bi.above") == [(4,)]
        assert session.query("SELECT n FROM shop.counted") == [(4,)]
        assert session.query("SELECT n FROM shop.twice") == [(8,)]
        assert session.query("SELECT shop.how_many()") == [(4,)]
        assert session.query("SELECT count(*) FROM child.own") == [(3,)]
        assert session.query("SELECT reloptions FROM pg_class WHERE oid = 'bi.people'::regclass") == [
            (["security_barrier=true", "security_invoker=true"],)
        ]
        for relation in ("bi.people", "shop.counted"):
            assert session.query(f"SELECT has_table_privilege('{shop.reader}', '{relation}', 'SELECT')") == [(True,)]
        assert session.query("SELECT obj_description('shop.counted'::regclass)") == [("how many",)]
    assert {e.name.name for e in done.exchanged} == {"customer", "counted"}
    assert all(e.before and e.after for e in done.exchanged)


def test_back_and_forward_again_moves_the_same_relations(shop: Shop) -> None:
    shop.build(NEW_CUSTOMER + "CREATE TABLE cand.fresh (id int)")
    first = shop.publish()
    before = {e.name.name: e for e in first.exchanged}
    back = Publication(
        (Arrival(TableName("shop__r1", "customer"), "shop"),),
        (TableName("shop", "fresh"),),
        {"shop": "shop__r2"},
        shop.owner,
    )
    second = shop.publisher.publish(back, wait=5, record=lambda _: None)
    assert shop.value("SELECT count(*) FROM shop.customer") == 3
    assert shop.publisher.contents(["shop__r1"]) == ()
    assert {(e.name.name, e.before, e.after) for e in second.exchanged} == {
        ("customer", before["customer"].after, before["customer"].before),
        ("fresh", before["fresh"].after, None),
    }
    again = Publication(
        tuple(Arrival(TableName("shop__r2", name), "shop") for name in ("customer", "fresh")),
        (),
        {"shop": "shop__r3"},
        shop.owner,
    )
    shop.publisher.publish(again, wait=5, record=lambda _: None)
    assert shop.value("SELECT count(*) FROM shop.customer") == 4
    assert (
        shop.value("SELECT conrelid::regclass::text FROM pg_constraint WHERE conname = 'orders_customer'")
        == "shop.orders"
    )
    assert (
        shop.value("SELECT confrelid::regclass::text FROM pg_constraint WHERE conname = 'orders_customer'")
        == "shop.customer"
    )
    assert shop.publisher.validate([TableName("shop", "customer")]) == ()


def test_publications_follow(shop: Shop) -> None:
    with shop.superuser() as session:
        session.execute("CREATE PUBLICATION changes FOR TABLE shop.customer (id, name) WHERE (id > 1)")
        session.execute("ALTER PUBLICATION changes OWNER TO kitchen_provisioner")
    shop.build(NEW_CUSTOMER)
    shop.publish()
    assert shop.session.query("SELECT schemaname, tablename, attnames, rowfilter FROM pg_publication_tables") == [
        ("shop", "customer", ["id", "name"], "(id > 1)")
    ]


def test_partitions_move_with_their_table(shop: Shop) -> None:
    made = (
        "CREATE TABLE {{0}}.parted (id int, year int, PRIMARY KEY (id, year)) PARTITION BY LIST (year);"
        "CREATE TABLE {{0}}.{0} PARTITION OF {{0}}.parted FOR VALUES IN ({1});"
    )
    shop.run(made.format("parted_a", 1).replace("{0}", "shop"), "owner")
    shop.build(made.format("parted_b", 2).replace("{0}", "cand") + "INSERT INTO cand.parted VALUES (1, 2)")
    shop.publish()
    assert shop.value("SELECT year FROM shop.parted_b") == 2
    assert {name.name for name in shop.publisher.contents(["shop__r1"])} == {"parted", "parted_a"}


def test_extended_statistics_move_with_their_tables(shop: Shop) -> None:
    shop.run("CREATE STATISTICS shop.amounts ON customer, amount FROM shop.orders", "owner")
    shop.build(
        "CREATE TABLE cand.orders (id int PRIMARY KEY, customer int, amount int);"
        "CREATE STATISTICS cand.amounts ON customer, amount FROM cand.orders"
    )
    shop.publish()
    assert shop.session.query(
        "SELECT stxnamespace::regnamespace::text, stxrelid::regclass::text, pg_get_userbyid(stxowner) "
        "FROM pg_statistic_ext ORDER BY 1"
    ) == [("shop", "shop.orders", shop.owner), ("shop__r1", "shop__r1.orders", shop.owner)]


def test_a_shared_sequence_stays_the_targets_and_counts_on(shop: Shop) -> None:
    shop.run("CREATE SEQUENCE shop.ids; CREATE TABLE shop.item (id int DEFAULT nextval('shop.ids'))", "owner")
    shop.build(
        "CREATE SEQUENCE cand.ids; CREATE TABLE cand.item (id int DEFAULT nextval('cand.ids'), more text);"
        "INSERT INTO cand.item (more) SELECT '' FROM generate_series(1, 7)"
    )
    shop.publish()
    shop.run("INSERT INTO shop.item DEFAULT VALUES", "owner")
    assert shop.value("SELECT max(id) FROM shop.item") == 8
