"""The doctor's judgement, on facts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kitchen.domain import login_advice
from kitchen.domain.connection import Credentials
from kitchen.domain.environment import Environment, Service, Toolchain
from kitchen.domain.secret import Secret
from kitchen.errors import Conflict, Unavailable
from kitchen.operations.doctor_server import ServerFacts, judge
from kitchen.operations.findings import Chart, Finding, Level, exit_code

WELL = ServerFacts(
    version="18.6", provisioner="provisioner", is_superuser=False, may_create_roles=True, may_bypass=False,
    may_create_schemas=True, public_may_connect=False, is_encrypted=True, is_local=False,
)  # fmt: skip


def environment(*, tls: str | None = "verify-full", postgres: str | None = None, kind: str = "postgres") -> Environment:
    embedded = Service("embedded")
    settings = {"host": "db.example"} | ({"tls": tls} if tls else {})
    return Environment(
        "dev", "dev", None, Service(kind, settings), embedded, embedded, Service("none"),
        toolchain=Toolchain(postgres=postgres),
    )  # fmt: skip


def judged(facts: ServerFacts, of: Environment | None = None) -> dict[str, Finding]:
    chart = Chart("dev")
    judge(chart, facts, of or environment())
    return {finding.part: finding for finding in chart.findings}


def test_all_is_well() -> None:
    assert {finding.level for finding in judged(WELL).values()} == {Level.OK}


def test_a_superuser_is_ill_even_where_it_lacks_nothing() -> None:
    assert judged(replace(WELL, is_superuser=True))["provisioner"].level is Level.FAIL


@pytest.mark.parametrize("lacking", ["may_create_roles", "may_create_schemas"])
def test_what_the_provisioner_lacks_is_named(lacking: str) -> None:
    found = judged(replace(WELL, **{lacking: False}))["provisioner"]
    assert found.level is Level.FAIL
    assert {"may_create_roles": "CREATEROLE", "may_create_schemas": "CREATE on the database"}[lacking] in found.says


def test_more_than_it_needs_is_a_warning() -> None:
    assert judged(replace(WELL, may_bypass=True))["provisioner"].level is Level.WARN


def test_createrole_on_15_is_said_to_be_nearly_superuser() -> None:
    found = judged(replace(WELL, version="15.18 (Debian 15.18-0+deb12u1)"))["provisioner"]
    assert found.level is Level.WARN
    assert "nearly a superuser" in found.says
    assert judged(replace(WELL, version="16.0"))["provisioner"].level is Level.OK


def test_the_version_is_held_against_the_toolchain() -> None:
    assert judged(WELL, environment(postgres=">=15"))["version"].level is Level.OK
    found = judged(WELL, environment(postgres=">=19"))["version"]
    assert found.level is Level.FAIL
    assert ">=19" in found.says


def test_transport() -> None:
    assert judged(replace(WELL, is_encrypted=False))["transport"].level is Level.FAIL
    assert judged(WELL, environment(tls="require"))["transport"].level is Level.WARN
    assert judged(replace(WELL, is_encrypted=False, is_local=True))["transport"].level is Level.OK
    assert judged(replace(WELL, is_encrypted=False), environment(kind="embedded"))["transport"].level is Level.OK
    here = environment()
    here = replace(here, warehouse=Service("postgres", {"host": "127.0.0.1", "tls": "disable"}))
    assert judged(replace(WELL, is_encrypted=False), here)["transport"].level is Level.OK


def test_a_database_open_to_every_role_is_a_warning() -> None:
    assert judged(replace(WELL, public_may_connect=True))["database"].level is Level.WARN


def test_an_error_becomes_a_finding_and_hides_nothing() -> None:
    chart = Chart("dev")
    with chart.examining("vault"):
        raise Unavailable("no answer", hint="kitchen up")
    with chart.examining("storage"):
        raise Conflict("it is taken")
    with chart.examining("disk"):
        raise PermissionError(13, "Permission denied", "/somewhere")
    assert [(found.part, found.level) for found in chart.findings] == [
        ("vault", Level.DOWN), ("storage", Level.FAIL), ("disk", Level.FAIL),
    ]  # fmt: skip
    assert chart.findings[0].hint == "kitchen up"
    assert "/somewhere" in chart.findings[2].says


@pytest.mark.parametrize("hint", ["kitchen doctor", "kitchen doctor dev"])
def test_no_finding_sends_its_reader_to_where_it_was_found(hint: str) -> None:
    chart = Chart("dev")
    with chart.examining("server"):
        raise Unavailable("no answer", hint=hint)
    with chart.examining("masking"):
        raise Unavailable("no answer", hint="kitchen doctor production")
    assert [found.hint for found in chart.findings] == [None, "kitchen doctor production"]


@pytest.mark.parametrize(
    ("user", "advised"),
    [
        ("kitchen__dev__ann_miller__person", "kitchen login -e dev --person ann_miller"),
        ("kitchen__dev__ann_miller__person", "kitchen environment admit ann_miller -e dev --new-password"),
        ("kitchen__dev__provisioner", "kitchen environment install dev --new-password"),
        ("kitchen__dev__profit", "kitchen doctor dev"),
    ],
)
def test_whose_login_is_refused_is_told_what_to_type(user: str, advised: str) -> None:
    login = Credentials("db.example", 5432, "shop", user, Secret(""), environment="dev")
    assert advised in login_advice.refused(login)


def test_only_a_server_of_ours_is_started_with_up() -> None:
    login = Credentials("db.example", 5433, "shop", "kitchen__dev__provisioner", Secret(""), environment="dev")
    assert "db.example, port 5433" in login_advice.silent(login)
    assert "kitchen up" not in login_advice.silent(login)
    assert login_advice.silent(replace(login, is_embedded=True)) == "kitchen up dev"


@pytest.mark.parametrize(
    ("levels", "code"),
    [
        ([], 0),
        ([Level.OK, Level.WARN], 0),
        ([Level.OK, Level.FAIL], 1),
        ([Level.FAIL, Level.DOWN, Level.WARN], 6),
    ],
)
def test_exit_codes(levels: list[Level], code: int) -> None:
    assert exit_code([Finding("dev", "x", level, "said") for level in levels]) == code
