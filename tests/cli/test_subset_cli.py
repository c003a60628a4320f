"""A sampled pantry, and sampled kitchens, as people type them."""

from __future__ import annotations

import json

import pytest

from tests.support import Project

SQL = """
CREATE TABLE public.person (id int PRIMARY KEY, email text UNIQUE, boss int REFERENCES public.person);
CREATE TABLE public.purchase (id int PRIMARY KEY, person int NOT NULL REFERENCES public.person, day date)
    PARTITION BY HASH (id);
CREATE TABLE public.purchase_a PARTITION OF public.purchase FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE public.purchase_b PARTITION OF public.purchase FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE public.kind (code text PRIMARY KEY);
CREATE TABLE public.visit (person int, page text);
INSERT INTO public.kind SELECT 'k' || n FROM generate_series(1, 7) n;
INSERT INTO public.person SELECT n, 'p' || n || '@mail.example', CASE WHEN n % 50 = 0 THEN n / 50 END
    FROM generate_series(1, 2000) n;
INSERT INTO public.purchase SELECT n, n % 2000 + 1, '2020-01-01' FROM generate_series(1, 8000) n;
INSERT INTO public.visit SELECT n % 2000 + 1, '/' || n FROM generate_series(1, 3000) n;
ANALYZE;
"""
POLICY = """
references: {visit.person: person.id}
tables:
  person:
    id: {mask: keep, why: surrogate key}
    email: {mask: email, subject: id}
    boss: {mask: keep, why: surrogate key}
  purchase:
    id: {mask: keep, why: surrogate key}
    person: {mask: keep, why: surrogate key}
    day: {mask: keep, why: says nothing about a person}
  kind: {code: {mask: keep, why: reference data}}
  visit:
    person: {mask: keep, why: surrogate key}
    page: {mask: hash}
"""
DANGLING = """
SELECT (SELECT count(*) FROM purchase c WHERE NOT EXISTS (SELECT FROM person p WHERE p.id = c.person))
    + (SELECT count(*) FROM person c WHERE boss IS NOT NULL AND NOT EXISTS (SELECT FROM person p WHERE p.id = c.boss))
    + (SELECT count(*) FROM visit c WHERE NOT EXISTS (SELECT FROM person p WHERE p.id = c.person)),
    (SELECT count(*) FROM purchase), (SELECT count(*) FROM person), (SELECT count(*) FROM kind),
    (SELECT count(*) FROM visit)
"""


@pytest.fixture
def people(project: Project) -> Project:
    """Return a project whose production holds people, and whose policy covers them."""
    (project.root / "environments" / "masking.yaml").write_text(POLICY)
    project.kitchen("up")
    project.kitchen("enter", "production", "--", "psql", "-q", "-v", "ON_ERROR_STOP=1", "-c", SQL)
    return project


def numbers(project: Project, kitchen: str, query: str = DANGLING) -> list[int]:
    seen = project.kitchen("enter", kitchen, "--", "psql", "-X", "-At", "-c", query)
    return [int(text) for text in seen.stdout.strip().split("|")]


def ask_for(project: Project, sample: str) -> None:
    path = project.root / "environments" / "dev.yaml"
    head, _, _ = path.read_text().partition("data: ")
    path.write_text(
        f"{head}data: {{from: production, masking: masking.yaml, sample: {sample}}}\n"
        "kitchens: {working: true, per_person: 50}\n"
    )


def test_a_sampled_pantry_and_a_sampled_kitchen(people: Project) -> None:
    ask_for(people, "{share: 20%, seeds: {persn: 5%}}")
    assert "did you mean 'person'?" in people.kitchen("pantry", "check", expect=2).stderr
    ask_for(people, "{seeds: {person: {where: emial LIKE 'p%'}}}")
    assert "emial" in people.kitchen("pantry", "check", expect=2).stderr
    ask_for(people, "20%")
    policy = people.root / "environments" / "masking.yaml"
    for wrong in (
        POLICY.replace("visit.person: person.id", "visit.person: persons.id"),
        POLICY.replace("page: {mask: hash}", "page: {mask: sql, sql: upper(pge), why: a test}"),
        POLICY.replace("  visit:\n", "  visit:\n    where: pages IS NOT NULL\n"),
    ):
        policy.write_text(wrong)
        refused = people.kitchen("pantry", "check", expect=5).stderr
        assert "did you mean 'person'?" in refused or "does not exist" in refused
    policy.write_text(POLICY)
    checked = people.kitchen("pantry", "check")
    assert "rows of chosen public.person (person)" in checked.stdout
    would = people.kitchen("pantry", "refresh", "--dry-run", "--json")
    planned = json.loads(would.stdout)["sample"]["tables"]
    assert json.loads(people.kitchen("pantry", "list", "--json").stdout) == []

    refreshed = people.kitchen("pantry", "refresh")
    assert "because public.person.boss refers to them" in refreshed.stderr
    shown = json.loads(people.kitchen("pantry", "show", "--json").stdout)
    assert shown["sample"]["tables"] == planned
    dangling, purchases, persons, kinds, visits = numbers(people, "dev")
    assert dangling == 0
    assert kinds == 7
    assert 1200 < purchases < 2000
    assert 300 < persons < 600
    assert 400 < visits < 800
    assert shown["rows"]["public.purchase"] == purchases
    assert "20 % by a hash of id" in people.kitchen("pantry", "show").stdout

    said = people.kitchen("create", "half", "--data", "sample:50%").stderr
    assert "rows, chosen in" in said
    assert "public.kind: 7 of 7 rows: whole: it is small" in said, said
    assert "rows: 50 % by a hash of id" in said, said
    try:
        own = "SELECT count(*) FROM pg_tables WHERE schemaname = 'half'"
        assert numbers(people, "half", own) == [6]
        again = numbers(people, "half")
        assert again[0] == 0
        assert again[3] == 7
        assert purchases / 4 < again[1] < purchases * 3 / 4
        keys = "SELECT count(*) FROM pg_constraint WHERE connamespace = 'half'::regnamespace AND contype = 'f'"
        assert numbers(people, "half", f"{keys} AND convalidated AND conparentid = 0") == [2]
        people.kitchen("enter", "half", "--", "psql", "-X", "-q", "-c", "DELETE FROM purchase")
    finally:
        people.kitchen("delete", "half", "--yes", "--force")
    assert "is no share" in people.kitchen("create", "none", "--data", "sample:0%", expect=2).stderr
    assert "is none of" in people.kitchen("create", "none", "--data", "smple:5%", expect=2).stderr
