"""Installing an environment on somebody else's server: what is there already stays, and what is wrong is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.domain.secret import Secret
from kitchen.errors import NotPermitted
from tests.acceptance.external import (
    MASKING,
    NODE,
    RECIPE,
    SHOP,
    SUMS,
    Place,
    as_administrator,
    catalogue,
    declare,
    develop,
    examined,
    fill,
    install,
    nobody,
    person,
    psql,
    run_script,
)
from tests.support import Project


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
    assert "nobody can look" in project.kitchen("environment", "install", "production", "--dry-run", expect=2).stderr
    as_administrator(project, place.administrator, tmp_path)
    said = project.kitchen("environment", "install", "production", "--dry-run").stdout
    nobody(project)
    assert f"the database {place.database}" in said
    assert not [role for role in place.roles() if role.startswith("kitchen__production")]
    project.kitchen("secret", "get", "provisioner", "-e", "production", expect=3)
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


def test_what_is_wrong_is_said(project: Project, place: Place, tmp_path: Path) -> None:
    declare(project, place, None)
    assert (
        "who is the server's administrator" in project.kitchen("environment", "install", "production", expect=2).stderr
    )

    wrong = project.kitchen("environment", "install", "production", "--as", "kitchen_superuser", typed="no\n", expect=8)
    assert "password authentication failed" in wrong.stderr
    login = place.administrator
    entry = f"{login.host}:{login.port}:{place.database}:kitchen_superuser"
    project.environ["PGPASSFILE"] = str(tmp_path / "passwords")
    for looked in ("there is no password file", f"has no line for {entry}"):
        missing = project.kitchen(
            "environment", "install", "production", "--as", "kitchen_superuser", typed="", expect=8
        )
        assert looked in missing.stderr
        assert f"add {entry}:PASSWORD" in missing.stderr
        (tmp_path / "passwords").write_text("elsewhere:*:*:*:x\n")
        (tmp_path / "passwords").chmod(0o600)
    nobody(project)
    common = person(Place(place.server, "postgres"), "somebody")
    wrong = project.kitchen(
        "environment", "install", "production", "--as", "somebody", typed=common.password.reveal(), expect=8
    )
    password = place.administrator.password.reveal()
    project.kitchen("environment", "install", "production", "--as", "kitchen_superuser", typed=password + "\n")
    psql(project, "production", "SELECT 1")
    as_administrator(project, place.administrator, tmp_path)
    del project.environ["PGUSER"]
    project.kitchen("environment", "install", "production", "--as", "kitchen_superuser", typed="")
    nobody(project)

    kept = project.kitchen("secret", "get", "provisioner", "password", "--reveal", "-e", "production").stdout.strip()
    project.kitchen("secret", "set", "provisioner", "password=-", "-e", "production", "--yes", typed="another")
    refused = project.kitchen("up", "production", expect=8).stderr
    assert "password authentication failed" in refused
    assert "kitchen environment install production --new-password" in refused
    assert "kitchen secret set provisioner" in examined(project, "production", expect=1)["server"]["hint"]
    project.kitchen("secret", "set", "provisioner", "password=-", "-e", "production", "--yes", typed=kept)

    file = project.root / "environments" / "production.yaml"
    right = file.read_text()
    file.write_text(right.replace(place.database, "nowhere"))
    missing = project.kitchen("up", "production", expect=3)
    assert "there is no database 'nowhere'" in missing.stderr
    assert "kitchen environment install" in missing.stderr
    file.write_text(right.replace(str(place.administrator.port), "1"))
    down = project.kitchen("up", "production", expect=6)
    assert "port 1;" in down.stderr
    assert "kitchen doctor" not in down.stderr
    found = examined(project, "production", expect=6)["server"]
    assert (found["level"], "port 1;" in found["hint"]) == ("down", True)
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
