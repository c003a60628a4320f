"""Environments on somebody else's PostgreSQL, the whole way: on 15 and on 18, on two servers and on one."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.domain.connection import Credentials
from kitchen.domain.secret import Secret
from kitchen.errors import NotPermitted
from tests.acceptance.external import SHOP, Place, as_administrator, nobody, person, places
from tests.support import Project, Server

DEV = "parent: production\nbranch: dev\nwarehouse: {warehouse}\ndata: {{from: production, masking: masking.yaml}}\n"
PRODUCTION = "branch: main\nwarehouse: {warehouse}\ngates: {{approvals: 0}}\n"
RECIPE = """
description: What each segment pays
nodes:
  segment_paid: {sql: segment_paid.sql}
tests:
  segment_paid:
    after:
      - unique: {table: segment_paid, columns: [segment]}
"""
NODE = """
DROP TABLE IF EXISTS segment_paid;
CREATE TABLE segment_paid AS
SELECT segment, sum(paid) AS paid FROM orders JOIN customer USING (customer_id) GROUP BY segment;
"""
MASKING = """
tables:
  customer:
    customer_id: {mask: keep, why: surrogate key}
    full_name: {mask: full_name, subject: customer_id}
    email: {mask: email, subject: customer_id}
    segment: {mask: keep, why: two of them}
  orders:
    order_id: {mask: keep, why: surrogate key}
    customer_id: {mask: keep, why: surrogate key}
    paid: {mask: keep, why: says nothing about anybody}
"""
# by a kitchen of dev, on the roles and sessions of a production that is another database of the same server
TRIED_ON_A_NEIGHBOUR = (
    "SET ROLE kitchen__production__production__owner",
    "SET ROLE kitchen__production__provisioner",
    "GRANT kitchen__production__production__owner TO kitchen__dev__dev__login",
    "GRANT kitchen__production__production__reader TO kitchen__dev__dev__owner",
    "GRANT kitchen__production__provisioner TO kitchen__dev__dev__owner",
    "ALTER ROLE kitchen__production__production__login PASSWORD 'stolen'",
    "ALTER ROLE kitchen__production__provisioner NOLOGIN",
    "ALTER ROLE kitchen__production__production__login SET search_path = nowhere",
    "DROP ROLE kitchen__production__production__reader",
    "COMMENT ON ROLE kitchen__production__provisioner IS 'mine'",
    "REASSIGN OWNED BY kitchen__production__production__owner TO kitchen__dev__dev__owner",
    "ALTER ROLE kitchen__dev__dev__login SUPERUSER",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT pg_ls_dir('.')",
    "COPY (SELECT 1) TO PROGRAM 'true'",
)
SUMS = """
  segment_paid:
    segment: {mask: keep, why: two of them}
    paid: {mask: keep, why: sums}
"""
PAIRS = {
    "production 15, dev 18": ("postgres15", "postgres18"),
    "production 18, dev 15": ("postgres18", "postgres15"),
    "both on one 15": ("postgres15", "postgres15"),
    "both on one 18": ("postgres18", "postgres18"),
}


@pytest.fixture(params=PAIRS.values(), ids=PAIRS.keys())
def pair(request: pytest.FixtureRequest) -> Iterator[list[Place]]:
    """Return a place for production and one for dev."""
    servers: list[Server] = [request.getfixturevalue(name) for name in request.param]
    with places(*servers) as found:
        yield found


@pytest.fixture(params=["postgres15", "postgres18"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Return a place for production on each kind of server in turn."""
    with places(request.getfixturevalue(request.param)) as found:
        yield found[0]


def declare(project: Project, production: Place, dev: Place | None) -> None:
    """Write the environments' files; without a place, dev is embedded."""
    folder = project.root / "environments"
    (folder / "production.yaml").write_text(PRODUCTION.format(warehouse=production.warehouse()))
    embedded = '{"kind": "embedded"}'
    (folder / "dev.yaml").write_text(DEV.format(warehouse=dev.warehouse() if dev is not None else embedded))
    (folder / "masking.yaml").write_text("tables: {}\n")
    shutil.rmtree(project.root / "recipes")
    (project.root / "recipes").mkdir()
    project.commit("somebody else's servers")
    project.git("branch", "-f", "dev", "main")


def install(project: Project, name: str, place: Place, folder: Path) -> dict[str, object]:
    as_administrator(project, place.administrator, folder)
    answer = json.loads(project.kitchen("environment", "install", name, "--json").stdout)
    nobody(project)
    assert isinstance(answer, dict)
    return answer


def examined(project: Project, name: str, expect: int = 0) -> dict[str, dict[str, str]]:
    answer = json.loads(project.kitchen("doctor", name, "--json", expect=expect).stdout)
    return {finding["part"]: finding for finding in answer["findings"] if finding["environment"] == name}


def fill(project: Project, masking: str = MASKING) -> None:
    """Decide every column and fill the pantry."""
    (project.root / "environments" / "masking.yaml").write_text(masking)
    project.commit("decide every column")
    project.git("branch", "-f", "dev", "main")
    project.kitchen("pantry", "refresh", "--yes")


def develop(project: Project, node: str = NODE, recipe_file: str = RECIPE) -> Path:
    """Make a kitchen and run a new recipe in it."""
    project.kitchen("create", "paid")
    worktree = project.root / ".kitchen" / "worktrees" / "paid"
    recipe = worktree / "recipes" / "payments"
    recipe.mkdir(parents=True)
    (recipe / "recipe.yaml").write_text(recipe_file)
    (recipe / "segment_paid.sql").write_text(node)
    project.kitchen("run", "payments", cwd=worktree)
    project.git("-C", str(worktree), "add", "-A")
    project.git("-C", str(worktree), "commit", "-q", "-m", "What each segment pays")
    return worktree


def psql(project: Project, kitchen: str, statement: str, expect: int = 0) -> str:
    command = ("psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-c", statement)
    return project.kitchen("enter", kitchen, "--", *command, expect=expect).stdout.strip()


def login_of(project: Project, kitchen: str, place: Place) -> Credentials:
    """Return a standing kitchen's login, tried on some place."""
    secret = json.loads(
        project.kitchen("secret", "get", f"kitchens/{kitchen}", "-e", kitchen, "--reveal", "--json").stdout
    )["values"]
    return place.administrator.named(user=secret["user"], password=Secret(secret["password"]))


def provisioner_of(project: Project, environment: str) -> dict[str, Any]:
    """Return user and password of an environment's provisioner."""
    told = project.kitchen("secret", "get", "provisioner", "-e", environment, "--reveal", "--json").stdout
    values = json.loads(told)["values"]
    return {"user": values["user"], "password": Secret(values["password"])}


def tables(place: Place, schema: str) -> set[str]:
    with place.look() as session:
        return {row[0] for row in session.query("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema])}


def test_the_whole_way(project: Project, pair: list[Place], tmp_path: Path) -> None:
    production, dev = pair
    declare(project, production, dev)
    assert "kitchen environment install dev" in project.kitchen("up", "dev", expect=8).stderr
    for name, place in (("production", production), ("dev", dev)):
        answer = install(project, name, place, tmp_path)
        assert answer["provisioner"] == f"kitchen__{name}__provisioner"
    for name in ("production", "dev"):
        project.kitchen("up", name)
    fifteen = {place.server.version for place in pair if place.server.version == 15}
    for name, place in (("production", production), ("dev", dev)):
        found = examined(project, name)
        assert [part for part in found.values() if part["level"] == "fail"] == [], found
        assert ("nearly a superuser" in found["provisioner"]["says"]) is (place.server.version in fifteen)

    psql(project, "production", SHOP)
    fill(project)
    develop(project)
    assert psql(project, "paid", "SELECT count(*), sum(paid) FROM segment_paid") == "2|2001000"
    assert psql(project, "paid", "SELECT count(*) FROM customer WHERE email LIKE '%real.example'") == "0"
    assert "segment_paid" not in tables(dev, "dev")

    project.kitchen("merge", "paid", "--yes")
    assert "segment_paid" in tables(dev, "dev")
    project.kitchen("promote", "production", "--yes")
    assert "segment_paid" in tables(production, "public")
    assert psql(project, "production", "SELECT sum(paid) FROM segment_paid") == "2001000"
    project.kitchen("release", "rollback", "--yes")
    assert tables(production, "public") == {"customer", "orders"}
    project.kitchen("delete", "paid", "--yes")
    assert "segment_paid" in tables(dev, "dev")

    left = {role for role in dev.roles() if role.startswith("kitchen__dev__")}
    assert left == {f"kitchen__dev__{what}" for what in (
        "provisioner", "dev__owner", "dev__login", "dev__reader", "pantry_v1"
    )}  # fmt: skip
    assert not [role for role in production.roles() if "__c_" in role], "no candidate is left"


def test_environments_of_one_server_are_apart(project: Project, postgres18: Server, tmp_path: Path) -> None:
    with places(postgres18, postgres18) as (production, dev):
        declare(project, production, dev)
        for name, place in (("production", production), ("dev", dev)):
            install(project, name, place, tmp_path)
        psql(project, "production", "CREATE TABLE plan (id int); INSERT INTO plan VALUES (1)")
        for kitchen, other in (("dev", production), ("production", dev)):
            with pytest.raises(NotPermitted, match="permission denied for database"):
                connect(login_of(project, kitchen, other), application="acceptance test")
        with dev.look() as session:
            names = session.query("SELECT rolname FROM pg_roles WHERE rolname ~ '^kitchen__(dev|production)__'")
            members = session.query(
                "SELECT 1 FROM pg_auth_members m WHERE m.member::regrole::text ~ '^\"?kitchen__dev__'"
                " AND m.roleid::regrole::text ~ '^\"?kitchen__production__'"
            )
        assert len(names) == 8
        assert members == []
        before = catalogue(production)
        with connect(login_of(project, "dev", dev), application="acceptance test") as session:
            for state in ("", "RESET ROLE;", "SET ROLE NONE;"):
                for statement in TRIED_ON_A_NEIGHBOUR:
                    with pytest.raises(NotPermitted):
                        session.execute(f"{state} {statement}")
        with connect(
            dev.administrator.named(**provisioner_of(project, "dev")), application="acceptance test"
        ) as session:
            for statement in TRIED_ON_A_NEIGHBOUR:  # nor may the one that makes dev's kitchens, from 16 on
                with pytest.raises(NotPermitted):
                    session.execute(statement)
        assert catalogue(production) == before
        assert psql(project, "production", "SELECT count(*) FROM plan") == "1"


def test_installing_again_changes_nothing(project: Project, place: Place, tmp_path: Path) -> None:
    place.make()
    declare(project, place, None)
    install(project, "production", place, tmp_path)
    before = catalogue(place)
    password = project.kitchen("secret", "get", "provisioner", "password", "--reveal", "-e", "production").stdout
    install(project, "production", place, tmp_path)
    assert catalogue(place) == before
    again = project.kitchen("secret", "get", "provisioner", "password", "--reveal", "-e", "production").stdout
    assert again == password
    psql(project, "production", "SELECT 1")


def test_a_second_clone_does_not_shut_the_first_out(project: Project, place: Place, tmp_path: Path) -> None:
    declare(project, place, None)
    install(project, "production", place, tmp_path)
    user, password = (
        project.kitchen("secret", "get", "provisioner", key, "--reveal", "-e", "production").stdout.strip()
        for key in ("user", "password")
    )
    project.kitchen("secret", "delete", "provisioner", "-e", "production", "--yes")  # as in another clone
    as_administrator(project, place.administrator, tmp_path)
    refused = project.kitchen("environment", "install", "production", expect=4)
    assert "--new-password" in refused.stderr
    project.kitchen("secret", "get", "provisioner", "-e", "production", expect=3)
    connect(place.administrator.named(user=user, password=Secret(password)), application="acceptance test").close()
    project.kitchen("environment", "install", "production", "--new-password")
    nobody(project)
    psql(project, "production", "SELECT 1")
    project.kitchen("list", "-e", "production")
    with pytest.raises(NotPermitted):
        connect(place.administrator.named(user=user, password=Secret(password)), application="acceptance test")


def catalogue(place: Place) -> dict[str, object]:
    """Return every right on the server and in the database."""
    queries = {
        "roles": "SELECT rolname, rolsuper, rolcreaterole, rolcanlogin FROM pg_roles ORDER BY 1",
        "members": "SELECT roleid::regrole::text, member::regrole::text FROM pg_auth_members ORDER BY 1, 2",
        "schemas": "SELECT nspname, nspacl::text FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1",
        "tables": "SELECT oid::regclass::text, relacl::text FROM pg_class WHERE oid >= 16384 ORDER BY 1",
        "database": "SELECT datacl::text FROM pg_database WHERE datname = current_database()",
        "defaults": "SELECT defaclrole::regrole::text, defaclacl::text FROM pg_default_acl ORDER BY 1, 2",
    }
    with place.look() as session:
        return {what: session.query(query) for what, query in queries.items()}


def test_production_of_somebody_else(project: Project, place: Place, tmp_path: Path) -> None:
    """Tables were there before kitchen, with an owner, readers and grants of their own; they stay theirs."""
    place.make()
    owner, reader = person(place, "shop_owner"), person(place, "bi_reader")
    try:
        with place.look() as session:
            session.execute("GRANT CREATE ON SCHEMA public TO shop_owner")
        with connect(owner, application="acceptance test") as session:
            session.execute(SHOP + NODE)
            session.execute("GRANT SELECT ON segment_paid, orders TO bi_reader; COMMENT ON TABLE segment_paid IS 'old'")
        declare(project, place, None)
        answer = install(project, "production", place, tmp_path)
        assert any("shop_owner" in action["says"] for action in answer["actions"])  # type: ignore[attr-defined]
        found = examined(project, "production")
        assert (found["tables"]["level"], found["ownership"]["level"]) == ("ok", "ok"), found
        for login in (owner, reader):  # they could connect through PUBLIC
            with connect(login, application="acceptance test") as session:
                assert session.query("SELECT count(*) FROM orders") == [(2000,)]
        assert psql(project, "production", "SELECT count(*) FROM orders") == "2000"
        psql(project, "production", "DELETE FROM orders", expect=1)

        project.kitchen("up")
        fill(project, MASKING + SUMS)
        develop(project, NODE.replace("sum(paid)", "sum(paid) + 1"))
        project.kitchen("merge", "paid", "--yes")
        project.kitchen("promote", "production", "--yes")
        with connect(reader, application="acceptance test") as session:
            assert session.query("SELECT sum(paid) FROM segment_paid") == [(2001002,)]
        with place.look() as session:
            assert session.query("SELECT tableowner FROM pg_tables WHERE schemaname = 'public' GROUP BY 1") == [
                ("shop_owner",)
            ]
        with connect(owner, application="acceptance test") as session:
            session.execute("CREATE TABLE later (id int); DROP TABLE IF EXISTS unheard_of")
        assert psql(project, "production", "SELECT count(*) FROM later") == "0"
        project.kitchen("release", "rollback", "--yes")
        with connect(reader, application="acceptance test") as session:
            assert session.query("SELECT sum(paid) FROM segment_paid") == [(2001000,)]
    finally:
        nobody(project)


def test_several_schemas_and_what_others_built_on_them(project: Project, place: Place, tmp_path: Path) -> None:
    """A view of somebody else's stands in a release's way, which moves nothing, until its owner's role is given."""
    place.make()
    owners = {name: person(place, f"{name}_owner") for name in ("raw", "marts", "bi")}
    with place.look() as session:
        for name in owners:
            session.execute(
                f"CREATE SCHEMA {name} AUTHORIZATION {name}_owner; GRANT USAGE ON SCHEMA {name} TO bi_owner"
            )
        session.execute("GRANT raw_owner TO marts_owner")
    for name, script in (
        ("raw", SHOP),
        ("marts", NODE + "GRANT SELECT ON segment_paid TO bi_owner"),
        ("bi", "CREATE VIEW dashboard AS SELECT sum(paid) AS paid FROM marts.segment_paid"),
    ):
        with connect(owners[name], application="acceptance test") as session:
            session.execute(f"SET search_path = {name}, raw; {script}")
    declare(project, place, None)
    file = project.root / "environments" / "production.yaml"
    file.write_text(file.read_text().replace('"tls"', '"schemas": ["raw", "marts"], "tls"'))
    project.commit("two schemas")
    project.git("branch", "-f", "dev", "main")
    answer = install(project, "production", place, tmp_path)
    (caution,) = (c for c in answer["cautions"] if "bi.dashboard" in c["says"])  # type: ignore[attr-defined]
    found = examined(project, "production")["ownership"]
    assert (found["level"], "bi.dashboard of bi_owner" in found["says"]) == ("warn", True)

    project.kitchen("up")
    masking = (MASKING + SUMS).replace("  customer:", "  raw.customer:").replace("  orders:", "  raw.orders:")
    fill(project, masking.replace("  segment_paid:", "  marts.segment_paid:"))
    node = NODE.replace("segment_paid", "marts.segment_paid").replace("sum(paid)", "sum(paid) + 1")
    develop(project, node, RECIPE.replace("table: segment_paid", "table: marts.segment_paid"))
    project.kitchen("merge", "paid", "--yes")
    main = project.git("rev-parse", "main")
    refused = project.kitchen("promote", "production", "--yes", expect=8)
    assert "kitchen doctor" in refused.stderr
    assert project.git("rev-parse", "main") == main
    with connect(owners["bi"], application="acceptance test") as session:
        assert session.query("SELECT paid FROM bi.dashboard") == [(2001000,)]

    with place.look() as session:
        for statement in caution["suggestion"]:
            session.execute(statement)
    assert examined(project, "production")["ownership"]["level"] == "ok"
    project.kitchen("promote", "production", "--yes")
    with connect(owners["bi"], application="acceptance test") as session:
        assert session.query("SELECT paid FROM bi.dashboard") == [(2001002,)]
    with place.look() as session:
        assert session.query("SELECT viewowner FROM pg_views WHERE viewname = 'dashboard'") == [("bi_owner",)]


def test_production_of_a_superuser_is_read_and_never_taken(project: Project, place: Place, tmp_path: Path) -> None:
    place.make()
    with place.look() as session:
        session.execute(SHOP)
    declare(project, place, None)
    answer = install(project, "production", place, tmp_path)
    (caution,) = (c for c in answer["cautions"] if "belong to" in c["says"])  # type: ignore[attr-defined]
    assert 'ALTER TABLE public.customer OWNER TO "kitchen__production__provisioner"' in caution["suggestion"]
    with place.look() as session:
        strong = session.query(
            "SELECT rolname FROM pg_roles WHERE NOT rolsuper AND rolname ~ '^kitchen_'"
            " AND (pg_has_role(oid, 'pg_execute_server_program', 'MEMBER') OR rolreplication OR rolbypassrls)"
        )
    assert strong == []
    found = examined(project, "production")
    assert (found["tables"]["level"], found["ownership"]["level"]) == ("ok", "warn")
    assert "public.customer, public.orders belong to kitchen_superuser" in found["ownership"]["says"]
    project.kitchen("up")
    fill(project)
    with place.look() as session:
        session.execute("CREATE TABLE made_later (id int)")
    assert examined(project, "production")["tables"]["level"] == "warn"
    psql(project, "production", "SELECT * FROM made_later", expect=1)
    install(project, "production", place, tmp_path)
    assert psql(project, "production", "SELECT count(*) FROM made_later") == "0"


def test_the_printed_script_does_the_same(project: Project, place: Place, tmp_path: Path) -> None:
    """One person prints, without any right on the server; an administrator runs it; ``up`` does the rest."""
    declare(project, place, None)
    printed = project.kitchen("environment", "install", "production", "--print")
    password = project.kitchen("secret", "get", "provisioner", "password", "--reveal", "-e", "production").stdout
    assert password.strip() not in printed.stdout + printed.stderr
    assert "SCRAM-SHA-256$" in printed.stdout
    run_script(place, printed.stdout)
    project.kitchen("up", "production")
    psql(project, "production", SHOP)

    as_administrator(project, place.administrator, tmp_path)
    again = project.kitchen("environment", "install", "production", "--print").stdout
    nobody(project)
    before = catalogue(place)
    run_script(place, again)
    assert catalogue(place) == before
    as_provisioner = json.loads(project.kitchen("environment", "install", "production", "--print", "--json").stdout)
    assert as_provisioner["server"].startswith(str(place.server.version))
    assert as_provisioner["installed"] is False


def run_script(place: Place, script: str) -> None:
    login = place.administrator
    environ = {"PGHOST": login.host, "PGPORT": str(login.port), "PGUSER": login.user, "PGDATABASE": "postgres",
               "PGPASSWORD": login.password.reveal(), "PGSSLMODE": "disable"}  # fmt: skip
    command = [str(place.server.bin_dir / "psql"), "-X", "-q"]
    answer = subprocess.run(command, env=environ, input=script, text=True, capture_output=True, timeout=60, check=False)
    assert answer.returncode == 0, answer.stderr


def test_what_is_wrong_is_said(project: Project, place: Place, tmp_path: Path) -> None:
    declare(project, place, None)
    assert (
        "who is the server's administrator" in project.kitchen("environment", "install", "production", expect=2).stderr
    )

    wrong = project.kitchen("environment", "install", "production", "--as", "kitchen_superuser", typed="no\n", expect=8)
    assert "password authentication failed" in wrong.stderr
    common = person(Place(place.server, "postgres"), "somebody")
    wrong = project.kitchen(
        "environment", "install", "production", "--as", "somebody", typed=common.password.reveal(), expect=8
    )
    password = place.administrator.password.reveal()
    project.kitchen("environment", "install", "production", "--as", "kitchen_superuser", typed=password + "\n")
    psql(project, "production", "SELECT 1")

    kept = project.kitchen("secret", "get", "provisioner", "password", "--reveal", "-e", "production").stdout.strip()
    project.kitchen("secret", "set", "provisioner", "password=-", "-e", "production", "--yes", typed="another")
    assert "password authentication failed" in project.kitchen("up", "production", expect=8).stderr
    project.kitchen("secret", "set", "provisioner", "password=-", "-e", "production", "--yes", typed=kept)

    file = project.root / "environments" / "production.yaml"
    right = file.read_text()
    file.write_text(right.replace(place.database, "nowhere"))
    missing = project.kitchen("up", "production", expect=3)
    assert "there is no database 'nowhere'" in missing.stderr
    assert "kitchen environment install" in missing.stderr
    file.write_text(right.replace(str(place.administrator.port), "1"))
    down = project.kitchen("up", "production", expect=6)
    assert "kitchen doctor" in down.stderr
    assert examined(project, "production", expect=6)["server"]["level"] == "down"
    file.write_text(right.replace('"tls": "disable"', '"tls": "require"'))
    untrusted = project.kitchen("up", "production", expect=6)
    assert "warehouse.tls" in untrusted.stderr
    file.write_text(right.replace(', "tls": "disable"', ""))
    assert "tls: verify-full" in project.kitchen("up", "production", expect=6).stderr


def test_an_administrator_who_is_no_superuser(project: Project, place: Place, tmp_path: Path) -> None:
    """As clouds give one: makes roles and databases, and is the owner of nothing that it did not make."""
    admin = person(Place(place.server, "postgres"), "cloud_admin", options="LOGIN CREATEROLE CREATEDB")
    with Place(place.server, "postgres").look() as session:
        session.execute("GRANT CONNECT ON DATABASE postgres TO cloud_admin")
    try:
        declare(project, place, None)
        as_administrator(project, admin, tmp_path)
        project.kitchen("environment", "install", "production")
        project.kitchen("environment", "install", "production")
        nobody(project)
        psql(project, "production", SHOP)
        found = examined(project, "production")
        assert [part for part in found.values() if part["level"] == "fail"] == [], found
        assert found["ownership"]["level"] == "ok"
        project.kitchen("up")
        fill(project)
        develop(project)
        project.kitchen("merge", "paid", "--yes")
        project.kitchen("promote", "production", "--yes")
        assert psql(project, "production", "SELECT sum(paid) FROM segment_paid") == "2001000"
    finally:
        nobody(project)
        place.forget()
        with Place(place.server, "postgres").look() as session:
            session.execute("REVOKE ALL ON DATABASE postgres FROM cloud_admin")


def test_a_role_of_another_purpose_is_left_alone(project: Project, place: Place, tmp_path: Path) -> None:
    declare(project, place, None)
    with Place(place.server, "postgres").look() as session:
        session.execute("CREATE ROLE kitchen__production__provisioner; "
                        "COMMENT ON ROLE kitchen__production__provisioner IS 'of another project'")  # fmt: skip
    as_administrator(project, place.administrator, tmp_path)
    refused = project.kitchen("environment", "install", "production", expect=4)
    assert "of another project" in refused.stderr
    project.kitchen("secret", "set", "provisioner", "user=-", "-e", "production", "--yes", typed="kitchen_of_ours")
    project.kitchen("environment", "install", "production")
    nobody(project)
    psql(project, "production", "SELECT 1")
