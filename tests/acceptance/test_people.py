"""Many people on one server, each with a login of their own and without the provisioner's."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.adapters.postgres.control import PgControl
from kitchen.adapters.postgres.sessions import PgSessions
from kitchen.domain.connection import Credentials
from kitchen.errors import KitchenError, NotPermitted
from tests.acceptance.external import develop, places, psql
from tests.acceptance.team import Team, made_project
from tests.support import SERVERS


@pytest.fixture(scope="module", params=SERVERS)
def team(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """Return one team for all tests; each has people and kitchens of its own."""
    server = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp("team")
    with made_project(folder / "project") as project, places(server, server) as (production, dev):
        made = Team(project, production, dev, folder)
        made.install()
        yield made


def test_a_day_with_a_login_of_ones_own(team: Team) -> None:
    ann = team.admit("ann")
    told = json.loads(ann.kitchen("whoami", "-e", "dev", "--json").stdout)
    assert (told["person"], told["role"], told["login"]) == ("ann", "developer", "kitchen__dev__ann__person")
    ann.kitchen("secret", "get", "provisioner", "-e", "dev", expect=3)

    ann.kitchen("create", "profit")
    listed = json.loads(ann.kitchen("list", "--json").stdout)
    assert {each["name"]: each["owner"] for each in listed} == {"dev": "ann@example.com", "profit": "ann"}
    ann.kitchen("status", "profit")
    ann.kitchen("tree")
    ann.kitchen("show", "profit")
    assert psql(ann, "profit", "SELECT count(*) FROM orders") == "2000"
    assert psql(
        ann, "profit", "CREATE TABLE own AS SELECT 1 AS n; SELECT tableowner FROM pg_tables WHERE tablename = 'own'"
    ) == ("kitchen__dev__profit__owner")
    ann.kitchen("env", "profit", "--format", "url")
    for login in (team.login("ann"), team.lease("ann", "profit")):
        with pytest.raises(NotPermitted):  # of the same server
            connect(replace(login, database=team.production.database), application="acceptance test")
    ann.kitchen("delete", "profit", "--yes")
    with team.dev.look() as session:
        assert session.query("SELECT rolname FROM pg_roles WHERE rolname LIKE '%profit%'") == []
        assert session.query("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'profit%'") == []
        assert session.query("SELECT * FROM kitchen_control.lease") == []


STOLEN = (  # what somebody tries who has a laptop with everything on it
    "TABLE private.hers",
    "INSERT INTO private.hers VALUES (2)",
    "DROP SCHEMA private CASCADE",
    "INSERT INTO {pantry}.orders TABLE {pantry}.orders",
    "DELETE FROM {pantry}.orders",
    "SET ROLE {provisioner}",
    "SELECT rolpassword FROM pg_authid",
    "INSERT INTO kitchen_control.approval VALUES (1, 'bea', 'h', now(), false)",
    "SELECT kitchen_control.approve(1)",
    "UPDATE kitchen_control.release SET state = 'released'",
    "UPDATE kitchen_control.audit SET person = 'bea'",
    "DELETE FROM kitchen_control.audit",
    "ALTER TABLE kitchen_control.audit DISABLE TRIGGER ALL",
)


def test_everything_on_a_laptop_opens_nothing_of_others(team: Team) -> None:
    """Raw psql with each login that lies on the machine, and every file of it searched for the provisioner's."""
    bea, tom = team.admit("bea"), team.admit("tom")
    bea.kitchen("create", "private")
    psql(bea, "private", "CREATE TABLE hers AS SELECT 1 AS n")
    tom.kitchen("create", "toms")
    tom.kitchen("enter", "toms", "--", "true")
    told = team.project.kitchen("secret", "get", "provisioner", "-e", "dev", "--reveal", "--json").stdout
    provisioner = json.loads(told)["values"]
    kept = json.loads(tom.kitchen("secret", "list", "-e", "dev", "--json").stdout)
    assert not any("provisioner" in str(each) for each in kept)
    for path in [*tom.home.rglob("*"), *tom.root.rglob("*")]:
        assert not path.is_file() or provisioner["password"].encode() not in path.read_bytes(), path
    with team.dev.look() as session:
        ((pantry,),) = session.query("SELECT 'pantry_v' || max(version) FROM kitchen_control.pantry")
    before = _of_others(team)
    for login in (team.login("tom"), team.lease("tom", "toms")):
        for statement in STOLEN:
            text = statement.format(pantry=pantry, provisioner=provisioner["user"])
            said = _raw(team, replace(login, role=None), text)
            assert "ERROR:  permission denied" in said or "ERROR:  must be" in said or said == "UPDATE 0\nDELETE 0", (
                said
            )
        closed = _raw(team, replace(login, database=team.production.database), "SELECT 1")
        assert "permission denied for database" in closed
    assert _of_others(team) == before
    for person, kitchen in ((bea, "private"), (tom, "toms")):
        person.kitchen("delete", kitchen, "--yes", "--force")


def _of_others(team: Team) -> list[tuple[object, ...]]:
    with team.dev.look() as session:
        return session.query(
            "SELECT 'rows', n::text FROM private.hers UNION ALL SELECT 'approval', a::text "
            "FROM kitchen_control.approval AS a UNION ALL SELECT 'audit', a::text FROM kitchen_control.audit AS a "
            "UNION ALL SELECT 'release', r::text FROM kitchen_control.release AS r ORDER BY 1, 2"
        )


def _raw(team: Team, login: Credentials, statement: str) -> str:
    """Type a statement into psql, with nothing of kitchen's around it, and return what it says."""
    command = [str(team.dev.server.bin_dir / "psql"), "-X", "-A", "-t", "-c", statement]
    environment = {
        "PGHOST": login.host, "PGPORT": str(login.port), "PGDATABASE": login.database, "PGUSER": login.user,
        "PGPASSWORD": login.password.reveal(), "LC_ALL": "C",
    }  # fmt: skip
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    return (answer.stdout + answer.stderr).strip()


def test_an_admin_deletes_a_kitchen_with_everybodys_logins_into_it(team: Team) -> None:
    ida = team.admit("ida")
    ida.kitchen("create", "seen")
    assert psql(ida, "seen", "CREATE TABLE own AS SELECT 1 AS n; SELECT n FROM own") == "1"
    lease = team.lease("ida", "seen")
    with connect(lease, application="acceptance test") as session:
        session.execute("SET ROLE NONE; CREATE TABLE seen.of_the_lease (n int); RESET ROLE")
        team.project.kitchen("delete", "seen", "--yes", "-e", "dev", "--force")
        with pytest.raises(KitchenError):
            session.query("SELECT 1")
    with pytest.raises(NotPermitted):
        connect(lease, application="acceptance test")
    with team.dev.look() as session:
        assert session.query("SELECT rolname FROM pg_roles WHERE rolname LIKE '%seen%'") == []
        assert session.query("SELECT * FROM kitchen_control.lease") == []


def test_a_developers_work(team: Team) -> None:
    """Everything of a developer's day with a personal login; what is not a developer's is refused as a whole."""
    eve = team.admit("eve")
    worktree = develop(eve)
    assert psql(eve, "paid", "SELECT count(*) FROM segment_paid") == "2"
    eve.kitchen("hydrate", "orders", "-k", "paid")
    psql(
        eve,
        "paid",
        "DELETE FROM orders WHERE order_id > 10; CREATE VIEW few AS SELECT full_name FROM orders, customer LIMIT 1",
    )
    eve.kitchen("test", "payments", cwd=worktree)
    assert json.loads(eve.kitchen("runs", "list", "--json").stdout)[0]["by"] == "eve"
    eve.kitchen("diff", "paid")
    eve.kitchen("edit", "paid", "--ttl", "3d", "--ticket", "ABC-1")
    team.project.kitchen("pantry", "refresh", "--yes")
    eve.kitchen("update", "paid", "--data", "--yes")
    assert psql(eve, "paid", "SHOW search_path").startswith("paid, dev, pantry_v2")
    assert psql(eve, "paid", "SELECT count(*) FROM few") == "1"

    with team.dev.look() as session:
        before = session.query("SELECT * FROM kitchen_control.operation"), session.query("SELECT rolname FROM pg_roles")
    asked = eve.kitchen("merge", "paid", "--yes", "--no-wait")
    assert "eve does not publish in dev: its runner is asked" in asked.stderr
    assert "no runner has been seen in dev ever" in asked.stderr
    eve.kitchen("merge", "paid", "--withdraw")
    eve.kitchen("ci", "publish", "-e", "dev", expect=8)
    eve.kitchen("pantry", "refresh", "--yes", expect=8)
    eve.kitchen("recover")
    with team.dev.look() as session:
        after = session.query("SELECT * FROM kitchen_control.operation"), session.query("SELECT rolname FROM pg_roles")
    assert after == before

    entries = json.loads(eve.kitchen("audit", "list", "-e", "dev", "--json").stdout)
    assert {"eve"} <= {each["person"] for each in entries}
    assert all(each["login"].endswith("__person") for each in entries if each["person"] == "eve")
    eve.kitchen("audit", "verify", "-e", "dev")
    eve.kitchen("delete", "paid", "--yes", "--force")


def test_a_deputy_publishes_as_himself(team: Team) -> None:
    rel = team.admit("rel", "releaser")
    rel.kitchen("secret", "get", "provisioner", "-e", "dev", expect=3)
    develop(rel)
    rel.kitchen("merge", "paid", "--yes")
    with team.dev.look() as session:
        assert session.query('SELECT "by", state FROM kitchen_control.release') == [("rel", "released")]
        assert session.query("SELECT DISTINCT person FROM kitchen_control.audit WHERE action = 'merge'") == [("rel",)]
    rel.kitchen("delete", "paid", "--yes", "--force")


def test_shared_and_private(team: Team) -> None:
    cleo, dan = team.admit("cleo"), team.admit("dan")
    cleo.kitchen("create", "shared")
    psql(cleo, "shared", "CREATE TABLE own AS SELECT 1 AS n")
    dan.git("fetch", "-q", str(cleo.root), "shared:shared")
    for refused in (
        ("enter", "shared", "--", "true"),
        ("delete", "shared", "--yes", "--force"),
        ("hydrate", "orders", "-k", "shared"),
        ("edit", "shared", "--ttl", "9d"),
        ("hand", "shared", "dan"),
        ("create", "below", "--parent", "shared"),
        ("staff", "add", "dan", "-k", "shared"),
    ):
        assert dan.kitchen(*refused, expect=8)
    cleo.kitchen("staff", "add", "dan", "-k", "shared")
    assert json.loads(dan.kitchen("staff", "list", "-k", "shared", "--json").stdout)["staff"] == ["dan"]
    assert psql(dan, "shared", "INSERT INTO own VALUES (2); SELECT count(*) FROM own") == "2"
    dan.kitchen("hydrate", "orders", "-k", "shared")
    held = team.lease("dan", "shared")
    with connect(held, application="acceptance test") as session:
        cleo.kitchen("staff", "remove", "dan", "-k", "shared")
        with pytest.raises(KitchenError):
            session.query("SELECT 1")
    with pytest.raises(NotPermitted):
        connect(held, application="acceptance test")
    dan.kitchen("enter", "shared", "--", "true", expect=8)
    cleo.kitchen("hand", "shared", "dan")
    assert psql(dan, "shared", "SELECT count(*) FROM own") == "2"
    cleo.kitchen("enter", "shared", "--", "true", expect=8)


def test_a_leaver(team: Team) -> None:
    fay, gil = team.admit("fay"), team.admit("gil")
    fay.kitchen("create", "left")
    psql(fay, "left", "CREATE TABLE own AS SELECT 1 AS n")
    login, lease = team.login("fay"), team.lease("fay", "left")
    gil.kitchen("environment", "revoke", "fay", "-e", "dev", "--yes", expect=8)
    with connect(login, application="acceptance test") as one, connect(lease, application="acceptance test") as other:
        told = team.project.kitchen("environment", "revoke", "fay", "-e", "dev", "--yes", "--json").stdout
        assert json.loads(told)["kitchens"] == ["left"]
        for session in (one, other):
            with pytest.raises(KitchenError):
                session.query("SELECT 1")
    for credentials in (login, lease):
        with pytest.raises(NotPermitted):
            connect(credentials, application="acceptance test")
    for command, typed in ((["list", "-e", "dev"], None), (["login", "-e", "dev", "--person", "fay"], "guessed\n")):
        told = fay.kitchen(*command, typed=typed, expect=8).stderr
        assert "an admin types: kitchen environment admit fay -e dev" in told
        assert "kitchen doctor" not in told
    assert fay.kitchen("list", "--json", expect=8).stdout == "", "no kitchens and no answer are two things"
    team.project.kitchen("environment", "revoke", "fay", "-e", "dev", "--yes")  # again is success
    team.project.kitchen("hand", "left", "gil")
    gil.git("fetch", "-q", str(fay.root), "left:left")
    assert psql(gil, "left", "SELECT count(*) FROM own") == "1"
    with team.dev.look() as session:
        assert session.query("SELECT rolname FROM pg_roles WHERE rolname LIKE '%fay%'") == []


def test_quotas_are_the_servers(team: Team) -> None:
    dev = team.project.root / "environments" / "dev.yaml"
    dev.write_text(dev.read_text() + "kitchens: {per_person: 1}\n")
    team.project.commit("one each")
    team.project.git("branch", "-f", "dev", "main")
    hal = team.admit("hal")
    team.project.kitchen("environment", "align", "dev")
    local = hal.root / "environments" / "dev.yaml"
    local.write_text(local.read_text().replace("per_person: 1", "per_person: 50"))
    hal.git("branch", "-f", "dev", hal.commit("fifty, says a clone that asks nobody"))
    hal.environ["KITCHEN_REMOTE"] = ""
    hal.kitchen("create", "one")
    refused = hal.kitchen("create", "two", expect=8)
    assert "1 each" in refused.stderr
    with team.dev.look() as session:
        assert session.query("SELECT rolname FROM pg_roles WHERE rolname LIKE '%__two__%'") == []


def test_what_a_persons_login_does_not_read_is_no_fault_to_the_doctor(team: Team) -> None:
    kim = team.admit("kim")
    told = json.loads(kim.kitchen("doctor", "dev", "--json").stdout)
    (masking,) = (found for found in told["findings"] if found["part"] == "masking")
    assert (masking["level"], masking["says"]) == ("warn", "not looked at: kim's login does not read production")


def test_who_holds_no_login_of_production_hears_nothing_of_it_unless_asked(team: Team) -> None:
    ina = team.admit("ina")
    for command in ("list", "tree"):
        assert "production" not in ina.kitchen(command).stderr
        assert "not readable here" in ina.kitchen(command, "-e", "production", expect=8).stderr
    told = json.loads(ina.kitchen("doctor", "--json").stdout)
    (found,) = (each for each in told["findings"] if each["environment"] == "production")
    assert (found["part"], found["level"]) == ("login", "ok")
    assert "you hold no login of it" in found["says"]
    ina.kitchen("doctor", "production", expect=1)
    known = json.loads(ina.kitchen("environment", "people", "dev", "--json").stdout)
    assert {each["admitted_by"] for each in known if each["name"] == "ina"} == {
        "kitchen__dev__provisioner (ann@example.com)"
    }
    stranger = team.clone("stranger")
    assert "not readable here" in stranger.kitchen("list", expect=8).stderr, "nothing else answered"
    stranger.kitchen("doctor", expect=1)


def test_what_is_advised_is_not_refused(team: Team) -> None:
    """Of kitchens that one may not enter, of their leftovers, and of their end."""
    moe, lea, vic = team.admit("moe"), team.admit("lea"), team.admit("vic", "viewer")
    moe.kitchen("create", "secluded", "--ttl", "12h")
    with team.session("moe") as session:
        session.execute(
            "INSERT INTO kitchen_control.operation (id, kind, subject, arguments, state, by, host, pid, version,"
            " started_at, claim) VALUES (gen_random_uuid(), 'hydrate', 'secluded', '{}', 'running', 'moe', 'x', 1, '0',"
            " now(), 1)"
        )
    for person in (lea, vic):
        found = {each["name"]: each for each in json.loads(person.kitchen("list", "--json").stdout)}
        assert (found["secluded"]["may_use"], found["dev"]["may_use"]) == (False, False)
        assert found["secluded"]["next"] == "kitchen list"
        assert found["dev"]["next"] == "kitchen status dev"
        said = person.kitchen("list").stderr
        assert "hydrate of secluded is unfinished, by moe: who ends it, or an admin" in said
        assert "recover" not in said
        assert "edit" not in said
        assert "edit" not in person.kitchen("status", "secluded").stderr
    assert "kitchen recover" in moe.kitchen("list").stderr
    with team.session("moe") as session:
        session.execute("UPDATE kitchen_control.operation SET state = 'undone', ended_at = now() WHERE by = 'moe'")
    assert "kitchen edit secluded --ttl 14d" in moe.kitchen("list").stderr
    told = json.loads(lea.kitchen("status", "secluded", "--json").stdout)
    assert (told["next"], told["because"]) == (
        "kitchen create --help", "it is moe's, who lets others in: kitchen staff add",
    )  # fmt: skip
    assert json.loads(vic.kitchen("status", "dev", "--json").stdout)["next"] == "kitchen list"
    assert "told to those who may enter it" in vic.kitchen("show", "secluded").stderr
    locks = PgControl(
        PgSessions(lambda: team.login("lea"), lambda: team.login("lea")), environment="dev", person="lea"
    ).locks
    with (
        pytest.raises(NotPermitted, match="not permitted: secluded is moe's"),
        locks.hold("run/secluded/daily", purpose="run recipe daily"),
    ):
        pass
    moe.kitchen("staff", "add", "lea", "-k", "secluded")
    found = {each["name"]: each for each in json.loads(lea.kitchen("list", "--json").stdout)}
    assert (found["secluded"]["may_use"], found["secluded"]["next"]) == (True, "kitchen enter secluded")
    moe.kitchen("delete", "secluded", "--yes")


def test_roles_that_are_not_what_was_agreed_on_are_named(team: Team) -> None:
    dev = team.project.root / "environments" / "dev.yaml"
    dev.write_text(dev.read_text() + "roles: {developer: [everyone], releaser: [nora]}\n")
    team.project.commit("who may what")
    team.project.git("branch", "-f", "dev", "main")
    team.admit("lou", "releaser")
    said = {"lou is releaser, and the file says developer", "nora would be releaser, and was never admitted"}
    told = team.project.kitchen("environment", "align", "dev").stderr
    assert all(f"roles: {each}; " in told for each in said)
    for clone in (team.project, team.admit("ned")):
        findings = json.loads(clone.kitchen("doctor", "dev", "--json").stdout)["findings"]
        assert said <= {each["says"] for each in findings if each["part"] == "roles" and each["level"] == "warn"}
    team.project.kitchen("environment", "admit", "lou", "-e", "dev", "--role", "developer")
    assert "lou is" not in team.project.kitchen("environment", "align", "dev").stderr
