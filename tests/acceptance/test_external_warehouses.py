"""Environments on somebody else's PostgreSQL, the whole way: on 15 and on 18, on two servers and on one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.errors import NotPermitted
from tests.acceptance.external import (
    SHOP,
    Place,
    catalogue,
    declare,
    develop,
    examined,
    fill,
    install,
    login_of,
    places,
    provisioner_of,
    psql,
    tables,
)
from tests.support import FURTHER, Project, Server

# by a kitchen of dev, on the roles and sessions of a production that is another database of the same server
OF_PEOPLE = ("viewer", "developer", "releaser", "admin", "runner", "deputy", "registrar")
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
PAIRS = {
    "production 15, dev 18": ("postgres15", "postgres18"),
    "production 18, dev 15": ("postgres18", "postgres15"),
    "both on one 15": ("postgres15", "postgres15"),
    "both on one 18": ("postgres18", "postgres18"),
    **{f"both on one {version}": (f"postgres{version}", f"postgres{version}") for version in FURTHER},
    **{f"production 15, dev {version}": ("postgres15", f"postgres{version}") for version in FURTHER},
    **{f"production {version}, dev 18": (f"postgres{version}", "postgres18") for version in FURTHER},
}


@pytest.fixture(params=PAIRS.values(), ids=PAIRS.keys())
def pair(request: pytest.FixtureRequest) -> Iterator[list[Place]]:
    """Return a place for production and one for dev."""
    servers: list[Server] = [request.getfixturevalue(name) for name in request.param]
    with places(*servers) as found:
        yield found


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
        *OF_PEOPLE, "provisioner", "dev__owner", "dev__login", "dev__reader", "pantry_v1"
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
        assert len(names) == 2 * (4 + len(OF_PEOPLE))
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
