"""Workspaces on every supported server: what is made, what it may do, and that dropping leaves nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from kitchen.adapters.postgres.connection import PgSession, connect
from kitchen.adapters.postgres.control import PgControl
from kitchen.adapters.postgres.workspaces import PgWorkspaces
from kitchen.domain.connection import Credentials
from kitchen.domain.kitchen import Kind, Kitchen, State
from kitchen.domain.layout import Layer, Layout, layer_of
from kitchen.errors import Conflict, NotFound, NotPermitted
from tests.support import Warehouse

PASSWORD = "not-a-secret-0123456789"


def kitchen_of(name: str, environment: str = "dev", *, parent: str | None = None) -> Kitchen:
    kind = Kind.WORKING if parent else Kind.STANDING
    return Kitchen(
        id=uuid4(), name=name, environment=environment, kind=kind, state=State.READY, branch=name,
        base_commit=None, parent=parent, pantry=None, owner="ann", created_at=datetime.now(UTC),
    )  # fmt: skip


class Place:
    """An environment's workspaces with the kitchens that a test makes in it."""

    def __init__(self, warehouse: Warehouse, layout: Layout) -> None:
        self.warehouse = warehouse
        self.layout = layout
        self.workspaces = PgWorkspaces(warehouse.sessions)
        self.kitchens: list[Kitchen] = []

    def layer(self, kitchen: Kitchen) -> Layer:
        return layer_of(self.layout, kitchen, self.kitchens)

    def make(self, kitchen: Kitchen) -> Credentials:
        self.kitchens.append(kitchen)
        return self.workspaces.create(self.layer(kitchen), PASSWORD)

    def drop(self, kitchen: Kitchen) -> None:
        self.workspaces.drop(kitchen, self.layout.schemas(kitchen))


@pytest.fixture
def dev(warehouse: Warehouse) -> Place:
    return Place(warehouse, Layout(("public",), holds_production=False))


@pytest.fixture
def production(warehouse: Warehouse) -> Place:
    return Place(warehouse, Layout(("public",), holds_production=True))


def session_of(credentials: Credentials) -> PgSession:
    return connect(credentials, application="tests")


def catalogue(warehouse: Warehouse) -> dict[str, list[str]]:
    """Return everything that a workspace could leave behind."""
    with connect(warehouse.superuser, application="tests") as session:
        return {
            what: [str(row) for row in session.query(query)]
            for what, query in {
                "roles": "SELECT rolname FROM pg_roles ORDER BY 1",
                "schemas": "SELECT nspname, nspacl::text FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1",
                "defaults": "SELECT defaclrole::regrole::text, defaclacl::text FROM pg_default_acl ORDER BY 1",
                "settings": "SELECT setrole::regrole::text FROM pg_db_role_setting WHERE setdatabase <> 0 ORDER BY 1",
                "members": "SELECT member::regrole::text, roleid::regrole::text FROM pg_auth_members ORDER BY 1, 2",
                "large objects": "SELECT oid FROM pg_largeobject_metadata",
            }.items()
        }


def test_a_workspace_is_there_with_its_path_and_owner(dev: Place) -> None:
    standing, profit = kitchen_of("dev"), kitchen_of("profit", parent="dev")
    dev.make(standing)
    with session_of(dev.make(profit)) as session:
        assert session.query("SELECT session_user, current_user, current_setting('search_path')") == [
            (profit.login_role, profit.owner_role, "profit, dev")
        ]
        session.execute("CREATE TABLE orders (id int)")
        session.execute("CREATE TEMPORARY TABLE scratch (id int)")
        assert session.query("SELECT tableowner, schemaname FROM pg_tables WHERE tablename = 'orders'") == [
            (profit.owner_role, "profit")
        ]
    assert dev.workspaces.exists(profit)
    assert not dev.workspaces.exists(replace(profit, id=uuid4()))


def test_the_role_stays_whatever_a_session_resets(dev: Place) -> None:
    dev.make(kitchen_of("dev"))
    profit = kitchen_of("profit", parent="dev")
    with session_of(dev.make(profit)) as session:
        for statement in ("RESET ROLE", "DISCARD ALL", "RESET ALL"):
            session.execute(statement)
            assert session.query("SELECT current_user") == [(profit.owner_role,)]
    plain = replace(dev.workspaces.create(dev.layer(profit), PASSWORD), role=None)
    with session_of(plain) as session:  # a client that does not ask for the role
        assert session.query("SELECT current_user") == [(profit.owner_role,)]


def test_making_the_same_workspace_again_only_sets_its_password(dev: Place) -> None:
    dev.make(kitchen_of("dev"))
    profit = kitchen_of("profit", parent="dev")
    dev.make(profit)
    again = dev.workspaces.create(dev.layer(profit), PASSWORD + "new")
    with session_of(again) as session:
        assert session.query("SELECT 1") == [(1,)]
    with pytest.raises(NotPermitted):
        session_of(replace(again, password=type(again.password)(PASSWORD)))


def test_children_read_parents_and_write_nothing_there(dev: Place) -> None:
    standing, parent, child = (
        kitchen_of("dev"),
        kitchen_of("parent", parent="dev"),
        kitchen_of("child", parent="parent"),
    )
    made = {kitchen.name: dev.make(kitchen) for kitchen in (standing, parent, child)}
    for name in ("dev", "parent"):
        with session_of(made[name]) as session:
            session.execute(
                f"CREATE TABLE of_{name} (id int GENERATED ALWAYS AS IDENTITY, v int);"
                f"INSERT INTO of_{name} (v) VALUES (1);"
                f"CREATE FUNCTION f_{name}() RETURNS int LANGUAGE sql AS 'SELECT 7';"
                f"CREATE VIEW v_{name} AS SELECT f_{name}() AS seven FROM of_{name}"
            )
    with session_of(made["child"]) as session:
        for name in ("dev", "parent"):
            assert session.query(f"SELECT v FROM of_{name}") == [(1,)]
            assert session.query(f"SELECT seven FROM v_{name}") == [(7,)]
            for statement in (
                f"INSERT INTO of_{name} (v) VALUES (2)",
                f"UPDATE of_{name} SET v = 2",
                f"DELETE FROM of_{name}",
                f"TRUNCATE of_{name}",
                f"DROP TABLE of_{name}",
                f"ALTER TABLE of_{name} ADD COLUMN x int",
                f"CREATE TABLE {name}.mine (id int)",
                f"SELECT nextval('{name}.of_{name}_id_seq')",
                f"CREATE OR REPLACE FUNCTION {name}.f_{name}() RETURNS int LANGUAGE sql AS 'SELECT 8'",
            ):
                with pytest.raises(NotPermitted):
                    session.execute(statement)
    with session_of(made["parent"]) as session, pytest.raises(NotPermitted):
        session.execute("CREATE TABLE child.mine (id int)")


def test_an_isolated_kitchen_and_a_stranger_read_nothing(dev: Place) -> None:
    standing = kitchen_of("dev")
    alone = replace(kitchen_of("alone", parent="dev"), isolated=True)
    one, other = kitchen_of("one", parent="dev"), kitchen_of("other", parent="dev")
    made = {kitchen.name: dev.make(kitchen) for kitchen in (standing, alone, one, other)}
    for name in ("dev", "one"):
        with session_of(made[name]) as session:
            session.execute("CREATE TABLE secret_plan (id int)")
    for name, schema in (("alone", "dev"), ("alone", "one"), ("other", "one")):
        with session_of(made[name]) as session, pytest.raises(NotPermitted):
            session.query(f"SELECT * FROM {schema}.secret_plan")


def test_rebinding_opens_and_closes_and_sets_the_path(dev: Place) -> None:
    one, other = kitchen_of("one"), kitchen_of("other")
    child = kitchen_of("child", parent="one")
    made = {kitchen.name: dev.make(kitchen) for kitchen in (one, other, child)}
    for name in ("one", "other"):
        with session_of(made[name]) as session:
            session.execute(f"CREATE TABLE t_{name} (id int)")
    moved = replace(child, parent="other")
    dev.workspaces.rebind(dev.layer(moved))
    dev.workspaces.rebind(dev.layer(moved))
    with session_of(made["child"]) as session:
        assert session.query("SELECT current_setting('search_path')") == [("child, other",)]
        assert session.query("SELECT * FROM t_other") == []
        session.execute("CREATE TEMPORARY TABLE still_connects (id int)")
        with pytest.raises(NotPermitted):
            session.query("SELECT * FROM one.t_one")


def test_a_missing_reader_is_said(dev: Place) -> None:
    with pytest.raises(NotFound, match="pantry_v3"):
        dev.make(replace(kitchen_of("dev"), pantry=3))


def test_dropping_leaves_nothing_and_ends_sessions(dev: Place) -> None:
    dev.make(kitchen_of("dev"))
    before = catalogue(dev.warehouse)
    profit = kitchen_of("profit", parent="dev")
    credentials = dev.make(profit)
    session = session_of(credentials)
    session.execute(
        "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE DOMAIN small AS int CHECK (VALUE < 10);"
        "CREATE TABLE t (id serial PRIMARY KEY, m mood, s small, big text);"
        "CREATE TABLE u (id int GENERATED ALWAYS AS IDENTITY, t int REFERENCES t);"
        "CREATE TABLE parts (id int, at date) PARTITION BY RANGE (at);"
        "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');"
        "CREATE TABLE above (id int); CREATE TABLE below () INHERITS (above);"
        "CREATE VIEW v AS SELECT * FROM t; CREATE MATERIALIZED VIEW mv AS SELECT * FROM v;"
        "CREATE FUNCTION f(t) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE SEQUENCE seq;"
        "CREATE AGGREGATE g(int) (SFUNC = int4pl, STYPE = int); SELECT lo_create(0);"
        "SET ROLE NONE; CREATE TABLE of_login (id int); RESET ROLE"
    )
    dev.drop(profit)
    assert catalogue(dev.warehouse) == before
    with pytest.raises(Exception, match=r"terminat|closed|EOF"):
        session.query("SELECT 1")
    with pytest.raises(NotPermitted):
        session_of(credentials)
    dev.drop(profit)


def test_a_sealed_kitchen_keeps_what_it_has_and_lets_nobody_write(dev: Place) -> None:
    dev.make(kitchen_of("dev"))
    profit = kitchen_of("profit", parent="dev")
    credentials = dev.make(profit)
    session = session_of(credentials)
    session.execute("CREATE TABLE t AS SELECT 1 AS n")
    for _ in range(2):
        dev.workspaces.seal(profit)
    with pytest.raises(Exception, match=r"terminat|closed|EOF"):
        session.execute("INSERT INTO t VALUES (2)")
    with pytest.raises(NotPermitted):
        session_of(credentials)
    with dev.warehouse.sessions.as_administrator() as administrator:
        assert administrator.query("SELECT n FROM profit.t") == [(1,)]
    with session_of(dev.make(profit)) as again:  # as building once more does
        assert again.query("SELECT n FROM t") == [(1,)]
    dev.workspaces.seal(kitchen_of("never_made", parent="dev"))


def test_dropping_in_batches(dev: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    dev.make(kitchen_of("dev"))
    before = catalogue(dev.warehouse)
    profit = kitchen_of("profit", parent="dev")
    with session_of(dev.make(profit)) as session:
        session.execute("".join(f"CREATE TABLE t{n} (id int PRIMARY KEY, v text);" for n in range(250)))
        session.execute("CREATE TABLE p (id int) PARTITION BY LIST (id);")
        session.execute("".join(f"CREATE TABLE p{n} PARTITION OF p FOR VALUES IN ({n});" for n in range(120)))
    dev.drop(profit)
    assert catalogue(dev.warehouse) == before


def test_look_alikes_stay(dev: Place) -> None:
    dev.make(kitchen_of("dev"))
    real, strange = kitchen_of("profit", parent="dev"), kitchen_of("profit", parent="dev")
    with session_of(dev.make(real)) as session:
        session.execute("CREATE TABLE t (id int)")
    before = catalogue(dev.warehouse)
    with pytest.raises(Conflict, match="does not belong"):
        dev.drop(strange)
    with pytest.raises(Conflict, match="does not belong"):
        dev.workspaces.create(dev.layer(strange), PASSWORD)
    assert catalogue(dev.warehouse) == before
    with connect(dev.warehouse.superuser, application="tests") as session:
        session.execute("CREATE SCHEMA planted")
    with pytest.raises(Conflict, match="schema 'planted'"):
        dev.make(kitchen_of("planted", parent="dev"))


def test_what_others_hang_on_is_not_dropped(dev: Place) -> None:
    one, other = kitchen_of("one"), kitchen_of("other", parent="one")
    made = {kitchen.name: dev.make(kitchen) for kitchen in (one, other)}
    with session_of(made["one"]) as session:
        session.execute("CREATE TABLE base (id int)")
    with session_of(made["other"]) as session:
        session.execute("CREATE VIEW mine AS SELECT * FROM one.base")
    with pytest.raises(Conflict, match=r"other\.mine"):
        dev.drop(replace(one, kind=Kind.WORKING))
    with session_of(made["other"]) as session:
        assert session.query("SELECT * FROM mine") == []


def test_the_standing_kitchen_at_the_top_holds_production_itself(production: Place) -> None:
    top = kitchen_of("production", "production")
    with production.warehouse.sessions.as_administrator() as session:
        session.execute("CREATE TABLE public.old (id int); INSERT INTO public.old VALUES (1)")
    with session_of(production.make(top)) as session:
        assert session.query("SELECT current_setting('search_path')") == [("public",)]
        session.execute(
            "CREATE TYPE public.mood AS ENUM ('a'); CREATE TABLE public.fresh (id int, m public.mood);"
            "INSERT INTO public.fresh VALUES (1, 'a');"
            "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'"
        )
    with production.warehouse.sessions.as_administrator() as session:  # what a refresh reads with
        assert session.query("SELECT id FROM public.fresh") == [(1,)]
    candidate = replace(kitchen_of("c_0123456789ab", "production", parent="production"), kind=Kind.CANDIDATE)
    with session_of(production.make(candidate)) as session:
        assert session.query("SELECT o.id, f.id, public.f() FROM old AS o, fresh AS f") == [(1, 1, 1)]
        for statement in ("INSERT INTO fresh VALUES (2)", "DROP TABLE old", "CREATE TABLE public.mine (id int)"):
            with pytest.raises(NotPermitted):
                session.execute(statement)
    production.drop(candidate)
    with pytest.raises(Conflict, match="owns 1 table, not"):
        production.drop(top)
    with production.warehouse.sessions.as_administrator() as session:
        assert session.query("SELECT id FROM public.fresh") == [(1,)]


def test_several_schemas_are_made_and_dropped(warehouse: Warehouse) -> None:
    place = Place(warehouse, Layout(("raw", "Marts x"), holds_production=False))
    place.make(kitchen_of("dev"))
    before = catalogue(warehouse)
    profit = kitchen_of("profit", parent="dev")
    with session_of(place.make(profit)) as session:
        path = 'profit__raw, dev__raw, "profit__Marts x", "dev__Marts x"'
        assert session.query("SELECT current_setting('search_path')") == [(path,)]
        session.execute('CREATE TABLE "profit__Marts x".t (id int)')
    place.drop(profit)
    assert catalogue(warehouse) == before


def test_no_role_has_more_than_it_needs(dev: Place) -> None:
    dev.make(kitchen_of("dev"))
    dev.make(kitchen_of("profit", parent="dev"))
    with connect(dev.warehouse.superuser, application="tests") as session:
        strong = session.query(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'kitchen\\_\\_%' AND (rolsuper OR rolcreaterole OR "
            "rolcreatedb OR rolreplication OR rolbypassrls OR pg_has_role(oid, 'pg_read_all_data', 'MEMBER'))"
        )
        assert strong == []
        logins = session.query(
            "SELECT rolname, rolconnlimit FROM pg_roles WHERE rolcanlogin AND rolname ~ '^kitchen__'"
        )
        assert sorted(logins) == [("kitchen__dev__dev__login", 20), ("kitchen__dev__profit__login", 20)]


def test_sizes_do_not_wait_for_whoever_holds_a_table(dev: Place) -> None:
    standing = kitchen_of("dev")
    with session_of(dev.make(standing)) as session:
        session.execute("CREATE TABLE t AS SELECT n FROM generate_series(1, 10000) AS n; ANALYZE t; CREATE TABLE u ()")
        records = PgControl(dev.warehouse.sessions, environment="dev", person="alice").kitchens
        exact = records.sizes(["dev", "absent"])
        assert set(exact) == {"dev"}
        tables, size = exact["dev"]
        assert tables == 2
        assert size > 300_000
        with session.transaction():
            session.execute("LOCK TABLE t")
            assert records.sizes(["dev"])["dev"][0] == 2
            assert records.sizes(["dev"])["dev"][1] > 300_000
