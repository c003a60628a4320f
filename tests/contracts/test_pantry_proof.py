"""The proof: each check fails on what it is there for, and its report can be kept."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.errors import Refused
from kitchen.operations.pantry_report import as_html, as_text, document
from kitchen.operations.pantry_verify import Checked, Subject, verify
from tests.contracts.pantries import Place, Production, fill, policy
from tests.support import Server, Warehouse

TABLES = """
CREATE TABLE public.staff (
    id int PRIMARY KEY, name text NOT NULL, mail text, token uuid, badge bigint, nick text[], extra jsonb, age int,
    town text DEFAULT 'nowhere', note text, code varchar(10), postcode int, pay numeric(8, 2)
);
COMMENT ON TABLE public.staff IS 'people';
INSERT INTO public.staff SELECT n, 'Surname' || n, 'm' || n || '@corp.example', md5(n::text)::uuid, n * 7919,
    ARRAY['Nick' || n, 'Nock' || n], jsonb_build_object('level', n % 3, 'mail', 'j' || n || '@x.example'), 20 + n % 40,
    'Town' || n, 'kept ' || n, 'c' || n, 10000 + n, n FROM generate_series(1, 300) n;
ANALYZE public.staff;
"""
POLICY = """
tables:
  staff:
    quasi_identifiers: [age, pay]
    id: {mask: keep, why: surrogate key}
    name: {mask: last_name}
    mail: {mask: email, subject: id}
    token: {mask: hash}
    badge: {mask: permute}
    nick: {mask: each, of: {mask: first_name}}
    extra: {mask: json, paths: [level]}
    age: {mask: number, noise: 0.2}
    town: {mask: city}
    note: {mask: keep, why: machine made}
    code: {mask: text}
    postcode: {mask: postcode}
    pay: {mask: number, bucket: 100}
canaries: [Surname77]
"""


@pytest.fixture(scope="module")
def production(postgres: Server) -> Iterator[Production]:
    """Return a database with staff."""
    made = postgres.make()
    planted = Production(made)
    planted.execute(TABLES)
    yield planted
    postgres.drop(made)


@pytest.fixture(scope="module")
def place(postgres: Server) -> Iterator[Place]:
    """Return an environment for one pantry, which the tests spoil one after the other."""
    made = postgres.make()
    yield Place(made)
    postgres.drop(made)


@pytest.fixture(scope="module")
def version(place: Place, production: Production) -> int:
    """Return a version that passes."""
    return fill(place, production, POLICY)


def _checks(place: Place, production: Production, version: int, *, whole: bool = False) -> dict[str, Checked]:
    with production.source.snapshot() as snapshot:
        subject = Subject(
            place.pantry_store, version, policy(POLICY), snapshot.catalogue(), snapshot, {}, whole=whole
        )  # fmt: skip
        return {check.name: check for check in verify(subject) if check.name != "rows"}


def test_what_passes_is_told_with_its_measure(place: Place, production: Production, version: int) -> None:
    found = _checks(place, production, version, whole=True)
    assert {name: check.faults for name, check in found.items() if not check.passed} == {}
    assert found["same-row identity"].measured.startswith("300 rows")
    assert found["ranges"].measured == "6 columns"
    assert any("staff.pay: 3 of 300 rows" in note for note in found["same-row identity"].notes)
    (groups,) = found["small groups"].notes
    assert "public.staff (age, pay)" in groups
    assert found["canaries"].measured.startswith("1 text ")
    assert found["rights"].measured != "0 roles"


# the look at many texts at once begins with the first page and ends with the last
MANY_PAGES = "INSERT INTO {}.staff (id, name, note) SELECT n, '', repeat('a ', 250) FROM generate_series(1000, 3000) n;"
SPOILT = [
    ("same-row identity", "UPDATE {}.staff SET badge = 9 * 7919 WHERE id = 9", "staff.badge"),
    ("same-row identity", "UPDATE {}.staff SET nick = ARRAY['Nick4', 'Nock4'] WHERE id = 4", "staff.nick"),
    ("pool membership", "UPDATE {}.staff SET token = md5('5')::uuid WHERE id = 8", "staff.token"),
    ("pool membership", "UPDATE {}.staff SET code = 'c5' WHERE id = 8", "staff.code"),
    ("ranges", "UPDATE {}.staff SET nick = ARRAY['Aloysius', NULL] WHERE id = 5", "staff.nick"),
    ("ranges", 'UPDATE {}.staff SET extra = \'{{"level": 1, "x": {{"y": [2]}}}}\' WHERE id = 5', "staff.extra"),
    ("ranges", "UPDATE {}.staff SET postcode = 10005 WHERE id = 5", "staff.postcode"),
    ("shapes", "UPDATE {}.staff SET note = 'paid with 4539 5787 6362 1486' WHERE id = 5", "card numbers"),
    ("shapes", "UPDATE {}.staff SET note = 'to DE89 3704 0044 0532 0130 00' WHERE id = 5", "IBAN"),
    ("shapes", "UPDATE {}.staff SET note = 'ssn 123-45-6789' WHERE id = 5", "national ids"),
    ("shapes", "UPDATE {}.staff SET note = 'ask ann@corp.example' WHERE id = 5", "e-mail addresses"),
    ("shapes", "UPDATE {}.staff SET note = repeat('a ', 9000) || 'DE89370400440532013000' WHERE id = 5", "IBAN"),
    ("shapes", MANY_PAGES + "UPDATE {}.staff SET note = 'ssn 123-45-6789' WHERE id = 1000", "national ids"),
    ("shapes", MANY_PAGES + "UPDATE {}.staff SET note = 'ssn 123-45-6789' WHERE id = 3000", "national ids"),
    ("canaries", "UPDATE {}.staff SET note = 'for SURNAME77' WHERE id = 5", "canary 1"),
    ("structure", "COMMENT ON COLUMN {}.staff.note IS 'ask ann@corp.example'", "comment on staff.note"),
    ("structure", "CREATE INDEX odd_index ON {}.staff (id) WHERE note <> '+49 30 1234567'", "index odd_index"),
    ("constants", "ALTER TABLE {}.staff ADD CONSTRAINT odd CHECK (name <> 'surname9')", "staff.name"),
    ("constants", "CREATE VIEW {}.odd AS SELECT id FROM {}.staff WHERE town = 'Town9'", "staff.town"),
    ("statistics", "UPDATE {}.staff SET name = 'Surname1' WHERE id < 90; ANALYZE {}.staff", "staff.name"),
    ("rights", "GRANT pg_read_all_data TO {role}", "powers over the whole server"),
]


@pytest.mark.parametrize("spoilt", SPOILT, ids=[f"{n}: {s[0]}, {s[2]}" for n, s in enumerate(SPOILT)])
def test_every_check_can_fail(place: Place, production: Production, version: int, spoilt: tuple[str, str, str]) -> None:
    name, spoil, said = spoilt
    schema = f"pantry_v{version}"
    role = f"kitchen__{place.name}__pantry_v{version}"
    statement = spoil.format(schema, schema, role=role) if "{role}" not in spoil else spoil.format(role=role)
    with connect(place.warehouse.superuser, application="tests") as session:
        session.execute(f"CREATE SCHEMA kept; CREATE TABLE kept.staff AS TABLE {schema}.staff")
        session.execute(statement)
    try:
        found = _checks(place, production, version)[name]
    finally:
        with connect(place.warehouse.superuser, application="tests") as session:
            session.execute(
                f"DROP VIEW IF EXISTS {schema}.odd; DROP INDEX IF EXISTS {schema}.odd_index;"
                f"ALTER TABLE {schema}.staff DROP CONSTRAINT IF EXISTS odd;"
                f"COMMENT ON COLUMN {schema}.staff.note IS NULL; REVOKE pg_read_all_data FROM {role};"
                f"TRUNCATE {schema}.staff; INSERT INTO {schema}.staff TABLE kept.staff; DROP SCHEMA kept CASCADE"
            )
            session.execute(f"ANALYZE {schema}.staff")
    assert not found.passed
    assert any(said in fault for fault in found.faults), found.faults


@pytest.mark.parametrize(
    ("statement", "accepted"),
    [
        ("ALTER TABLE public.staff ALTER town SET DEFAULT 'Town3'", "Town3"),
        ("COMMENT ON COLUMN public.staff.note IS 'questions to data@corp.example'", "data@corp.example"),
    ],
)
def test_what_the_structure_says_stops_a_refresh_until_it_is_accepted_with_a_reason(
    postgres: Server, new_warehouse: Warehouse, statement: str, accepted: str
) -> None:
    made = postgres.make()
    production, place = Production(made), Place(new_warehouse)
    production.execute(TABLES, statement)
    with pytest.raises(Refused, match="structure"):
        fill(place, production, POLICY)
    assert place.control.pantries.newest() is None
    fill(place, production, POLICY + f"accepted: {{{accepted}: nobody in particular}}\n")
    postgres.drop(made)


def test_the_report_is_kept_escaped_and_holds_no_value_of_production(
    place: Place, production: Production, version: int
) -> None:
    newest = place.control.pantries.newest()
    assert newest is not None
    report = document(version, "<b>dev</b>", newest.manifest)
    page, text = as_html(report), as_text(report)
    assert "<b>dev</b>" not in page
    assert "&lt;b&gt;dev&lt;/b&gt;" in page
    assert "src=" not in page
    assert "href=" not in page
    for shown in (page, text, json.dumps(report, default=str)):
        assert "pool membership" in shown
        assert "public.staff.mail" in shown
        assert "pseudonymised" in shown
        assert "anonym" not in shown.lower()
        for row in production.query("SELECT name, mail, token::text, town, nick[1], code FROM public.staff"):
            assert [value for value in row if f" {value} " in shown or f">{value}<" in shown] == []
