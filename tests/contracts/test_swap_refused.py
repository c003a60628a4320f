"""The Publisher port against real servers: what is refused, waited for, noticed, and kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.domain.layout import TableName
from kitchen.errors import Conflict, KitchenError, NotPermitted, Refused
from tests.contracts.shops import NEW_CUSTOMER, Shop
from tests.support import Warehouse


@pytest.fixture
def shop(warehouse: Warehouse) -> Iterator[Shop]:
    made = Shop(warehouse)
    yield made
    made.session.close()


def test_what_needs_something_of_the_candidate_is_refused(shop: Shop) -> None:
    shop.build("CREATE TYPE cand.mood AS ENUM ('good'); CREATE TABLE cand.fresh (mood cand.mood)")
    with pytest.raises(Refused, match="mood"):
        shop.publish()


def test_functions_of_the_row_type_are_made_anew(shop: Shop) -> None:
    shop.run(
        """
        CREATE FUNCTION shop.them(a int DEFAULT 1) RETURNS SETOF shop.customer LANGUAGE sql STABLE SECURITY DEFINER
            SET search_path = shop AS 'SELECT * FROM customer WHERE id >= a';
        CREATE FUNCTION shop.called(c shop.customer) RETURNS text LANGUAGE sql AS 'SELECT c.name';
        COMMENT ON FUNCTION shop.them(int) IS 'all of them'; REVOKE ALL ON FUNCTION shop.them(int) FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION shop.them(int) TO {reader};
        """,
        "owner",
    )
    shop.build(NEW_CUSTOMER)
    shop.publish()
    with shop.superuser() as session:
        assert session.query("SELECT name, segment FROM shop.them(4)") == [("new", "a")]
        assert session.query("SELECT shop.called(c) FROM shop.customer AS c LIMIT 1") == [("new",)]
        assert session.query(
            "SELECT obj_description(oid), prosecdef, pg_get_userbyid(proowner) FROM pg_proc "
            "WHERE oid = 'shop.them(int)'::regprocedure"
        ) == [("all of them", True, shop.owner)]
        allowed = "SELECT has_function_privilege('{}', 'shop.them(int)', 'EXECUTE')"
        assert session.query(allowed.format(shop.reader)) == [(True,)]
        assert session.query(allowed.format(shop.other)) == [(False,)]


def test_what_cannot_be_bound_anew_is_refused_by_name(shop: Shop) -> None:
    shop.run("CREATE TABLE shop.kept (who shop.customer)", "owner")
    shop.build(NEW_CUSTOMER)
    with pytest.raises(Refused, match=r"column who of table shop\.kept"):
        shop.publish()


def test_a_rehearsal_does_everything_and_leaves_everything(shop: Shop) -> None:
    shop.build(NEW_CUSTOMER)
    done = shop.publish(rehearse=True)
    assert len(done.exchanged) == 1
    assert shop.value("SELECT count(*) FROM shop.customer") == 3
    assert shop.publish().exchanged == done.exchanged
    assert shop.value("SELECT count(*) FROM shop.customer") == 4


def test_tables_of_a_role_that_the_provisioner_is_no_member_of_are_refused(shop: Shop) -> None:
    with shop.superuser() as session:
        session.execute(f"CREATE ROLE stranger_{shop.owner}; ALTER TABLE shop.notes OWNER TO stranger_{shop.owner}")
    shop.build("CREATE TABLE cand.notes (said text, more text)")
    with pytest.raises(NotPermitted, match=f"tables of stranger_{shop.owner}"):
        shop.publish()
    with shop.superuser() as session:
        session.execute(f"DROP OWNED BY stranger_{shop.owner}; DROP ROLE stranger_{shop.owner}")


def test_a_reader_that_stays_is_named_and_the_old_tables_remain(shop: Shop) -> None:
    shop.build(NEW_CUSTOMER)
    with connect(replace(shop.warehouse.administrator), application="report") as reader:
        reader.connection.autocommit = False
        reader.query("SELECT * FROM shop.customer")
        with pytest.raises(Conflict, match=f"process {reader.connection.get_backend_pid()} of kitchen_provisioner"):
            shop.publish(wait=0.5)
        reader.connection.rollback()
    assert shop.value("SELECT count(*) FROM shop.customer") == 3


def test_an_older_snapshot_is_waited_for(shop: Shop) -> None:
    with connect(shop.warehouse.administrator, application="report") as reader:
        reader.connection.set_session(isolation_level="REPEATABLE READ", autocommit=False)
        reader.query("SELECT 1 FROM shop.notes")  # its snapshot is older than the rows of the new customer
        shop.build(NEW_CUSTOMER)
        with pytest.raises(Conflict, match="older transactions"):
            shop.publish(wait=0.3)
        assert reader.query("SELECT count(*) FROM shop.customer") == [(3,)]
        threading.Timer(0.3, reader.connection.rollback).start()
        shop.publish(wait=5)
    assert shop.value("SELECT count(*) FROM shop.customer") == 4


def test_rows_that_come_go_or_change_are_noticed(shop: Shop) -> None:
    orders = TableName("shop", "orders")
    for statement in ("INSERT INTO shop.orders VALUES (8, 1, 1)", "UPDATE shop.orders SET amount = amount WHERE id = 2",
                      "DELETE FROM shop.orders WHERE id = 3"):  # fmt: skip
        watched = shop.publisher.watch([orders])
        assert shop.publisher.changed(watched) == ()
        shop.run(statement, "owner")
        assert shop.publisher.changed(watched) == ("shop.orders",)
    with shop.warehouse.sessions.as_administrator() as other, other.transaction():
        other.execute("INSERT INTO shop.orders VALUES (9, 1, 1)")
        watched = shop.publisher.watch([orders])  # this one does not see the row yet
    assert shop.publisher.changed(watched) == ("shop.orders",)


def test_an_archive_is_dropped_unless_somebody_needs_it_or_it_is_not_ours(shop: Shop) -> None:
    shop.run("GRANT SELECT ON shop.customer TO {other}", "owner")
    shop.run("CREATE VIEW child.own AS SELECT name FROM shop.customer", "other")
    shop.build(NEW_CUSTOMER)
    shop.publish()
    (needed,) = shop.publisher.drop_archive("shop__r1", mark="kitchen")
    assert "child.own" in needed
    with pytest.raises(Conflict):
        shop.publisher.drop_archive("bi", mark="kitchen")
    shop.run("DROP VIEW child.own", "other")
    assert shop.publisher.drop_archive("shop__r1", mark="kitchen") == ()
    assert shop.publisher.drop_archive("shop__r1", mark="kitchen") == ()
    assert shop.value("SELECT count(*) FROM shop.customer") == 4


def test_readers_see_all_of_it_or_nothing(shop: Shop) -> None:
    shop.run("CREATE TABLE shop.a AS SELECT 0 AS version; CREATE TABLE shop.b AS SELECT 0 AS version", "owner")
    stop, failed, mixed, reads = threading.Event(), [], [], [0] * 8

    def read(number: int) -> None:
        with connect(shop.warehouse.administrator, application=f"reader {number}") as session:
            while not stop.is_set():
                try:
                    ((a, b),) = session.query("SELECT a.version, b.version FROM shop.a, shop.b")
                except (KitchenError, ValueError) as error:
                    failed.append(str(error))
                else:
                    reads[number] += 1
                    if a != b:
                        mixed.append((a, b))
                time.sleep(0.002)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    try:
        for version in range(1, 9):
            shop.build(
                f"CREATE TABLE cand.a AS SELECT {version} AS version;CREATE TABLE cand.b AS SELECT {version} AS version"
            )
            shop.publish(release=version, wait=10)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert (failed, mixed) == ([], [])
    assert min(reads) > 0
    assert shop.value("SELECT version FROM shop.a") == 8
