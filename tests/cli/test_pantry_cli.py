"""``kitchen pantry`` as people type it."""

from __future__ import annotations

import json

import pytest

from tests.support import Project

SQL = """
CREATE TABLE public.person (id int PRIMARY KEY, last_name text NOT NULL, email text UNIQUE, joined date);
INSERT INTO public.person SELECT n, 'Family' || n, 'p' || n || '@mail.example', '2020-01-01'
FROM generate_series(1, 50) n;
"""


@pytest.fixture
def people(project: Project) -> Project:
    """Return a project with people in production and no policy."""
    (project.root / "environments" / "masking.yaml").unlink()
    project.kitchen("up")
    project.kitchen("enter", "production", "--", "psql", "-q", "-v", "ON_ERROR_STOP=1", "-c", SQL)
    return project


def test_scan_check_refresh_list_show_verify(people: Project) -> None:
    missing = people.kitchen("pantry", "check", expect=3)
    assert "kitchen pantry scan --write" in missing.stderr
    printed = people.kitchen("pantry", "scan")
    assert "email: {mask: email, subject: id, proposed: true}" in printed.stdout
    assert not (people.root / "environments" / "masking.yaml").exists()
    people.kitchen("pantry", "scan", "--write")
    assert people.kitchen("pantry", "scan").stderr.strip().endswith("every column is decided")

    listed = json.loads(people.kitchen("pantry", "check", "--list", "--json").stdout)
    assert listed["ok"] is True
    assert {c["column"]: c["decision"] for c in listed["columns"]}["joined"] == "keep"

    planned = people.kitchen("pantry", "refresh", "--dry-run")
    assert len(planned.stdout.splitlines()) == 3
    assert json.loads(people.kitchen("pantry", "list", "--json").stdout) == []

    refreshed = people.kitchen("pantry", "refresh", "--json")
    assert "proposals that nobody has reviewed" in refreshed.stderr
    made = json.loads(refreshed.stdout)
    assert made["version"] == 1
    assert made["rows"] == {"public.person": 50}
    assert all(check["passed"] for check in made["checks"])
    shown = json.loads(people.kitchen("pantry", "show", "--json").stdout)
    assert shown["key_id"] == made["key_id"]
    assert shown["policy"]["file"] == "environments/masking.yaml"
    assert json.loads(people.kitchen("pantry", "verify", "--json").stdout)["passed"] is True
    people.kitchen("pantry", "verify", "--whole", "--report", "proof.html")
    page = (people.root / "proof.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "same-row identity" in page
    assert "not checked" in page, "no canary is declared: that has not passed"
    people.kitchen("pantry", "show", "--report", "kept.txt")
    assert "Pantry v1 of dev: passed" in (people.root / "kept.txt").read_text()
    wrong = people.kitchen("pantry", "verify", "--report", "proof.pdf", expect=2)
    assert "proof.pdf" in wrong.stderr
    assert "mkdir" in people.kitchen("pantry", "verify", "--report", "nowhere/proof.txt", expect=2).stderr
    people.kitchen("pantry", "show", "7", expect=3)

    seen = people.kitchen("enter", "dev", "--", "psql", "-At", "-c", "SELECT count(*), min(email) FROM person")
    count, _, email = seen.stdout.strip().partition("|")
    assert count == "50"
    assert email.endswith("@example.invalid")
    denied = people.kitchen("enter", "dev", "--", "psql", "-c", "DELETE FROM person", expect=1)
    assert "permission denied" in denied.stderr

    people.kitchen("enter", "production", "--", "psql", "-c", "ALTER TABLE public.person ADD COLUMN nick text")
    refused = people.kitchen("pantry", "refresh", expect=5)
    assert "public.person.nick: text is undecided: the column is new" in refused.stderr
    versions = json.loads(people.kitchen("pantry", "list", "--json").stdout)
    assert [(v["version"], v["state"], v["kitchens"]) for v in versions] == [(1, "ready", ["dev"])]

    policy = people.root / "environments" / "masking.yaml"
    policy.write_text(policy.read_text().replace("mask: email", "mask: emial"))
    wrong = people.kitchen("pantry", "check", expect=2)
    assert "environments/masking.yaml:" in wrong.stderr
    assert "email" in wrong.stderr


def test_a_kitchen_from_before_the_first_pantry_is_told_of_it(people: Project) -> None:
    people.kitchen("create", "early")
    people.kitchen("create", "bare", "--data", "none")
    people.kitchen("pantry", "scan", "--write")
    assert _next(people)["early"] == "kitchen enter early"
    people.kitchen("pantry", "refresh")
    assert _next(people)["early"] == "kitchen update early --data"
    assert _next(people)["bare"] == "kitchen enter bare", "it was wished to be empty"
    assert "none (v1 is there): kitchen update early --data" in people.kitchen("status", "early").stdout
    for words in (("update", "early"), ("update", "early", "--dry-run")):
        said = people.kitchen(*words).stderr
        assert "early has everything of dev already" in said, words
        assert "it reads no pantry, and v1 is there: kitchen update early --data" in said, words
    assert "--data" not in people.kitchen("update", "bare").stderr
    people.kitchen("update", "early", "--data")
    assert "--data" not in people.kitchen("update", "early").stderr
    people.kitchen("pantry", "refresh")
    assert "v1 (v2 is there): kitchen update early --data" in people.kitchen("status", "early").stdout
    assert "it reads v1 of the pantry, and v2 is there: kitchen update early --data" in (
        people.kitchen("update", "early", "--dry-run").stderr
    )
    people.kitchen("update", "early", "--data")
    assert _next(people)["early"] == "kitchen enter early"
    counted = ("enter", "early", "--", "psql", "-At", "-c", "SELECT count(*) FROM person")
    assert people.kitchen(*counted).stdout.strip() == "50"


def _next(project: Project) -> dict[str, str]:
    return {each["name"]: each["next"] for each in json.loads(project.kitchen("list", "-e", "dev", "--json").stdout)}


def test_a_standing_kitchen_gets_no_copy_unasked(people: Project) -> None:
    people.kitchen("pantry", "scan", "--write")
    people.kitchen("pantry", "refresh")
    refused = people.kitchen("hydrate", "person", "-k", "dev", expect=2)
    assert "read its copy of public.person, not a later pantry's" in " ".join(refused.stderr.split())
    assert "the same command with --yes" in refused.stderr
    assert "copying" in people.kitchen("hydrate", "person", "-k", "dev", "--dry-run").stdout, "nothing was copied"
    assert "the kitchen's own now" in people.kitchen("hydrate", "person", "-k", "dev", "--yes").stderr
    assert "already" in people.kitchen("hydrate", "person", "-k", "dev").stderr, "nothing to ask"
    people.kitchen("create", "work")
    people.kitchen("hydrate", "person", "-k", "work")


def test_what_is_newer_than_a_version_is_told_by_verify(people: Project) -> None:
    people.kitchen("pantry", "scan", "--write")
    people.kitchen("pantry", "refresh")
    people.kitchen("enter", "production", "--", "psql", "-c", "ALTER TABLE person ADD COLUMN later text")
    assert "later" in people.kitchen("pantry", "verify").stderr, "what is newer than the version is told, and no error"


def test_an_older_version_is_judged_by_what_it_was_made_under(people: Project) -> None:
    people.kitchen("pantry", "scan", "--write")
    people.kitchen("pantry", "refresh")
    policy = people.root / "environments" / "masking.yaml"
    text = policy.read_text()
    keeps = text.replace(
        "email: {mask: email, subject: id, proposed: true}", "email: {mask: keep, why: e-mail addresses}"
    )
    assert keeps != text
    policy.write_text(keeps)
    people.kitchen("pantry", "refresh")
    policy.write_text(text)
    newer = json.loads(people.kitchen("pantry", "verify", "--json").stdout)
    assert newer["passed"] is True, "it was decided that the addresses are kept, when it was made"
    assert newer["decided_otherwise_today"] == ["person.email"]
    assert newer["masks"]["public.person.email"] == "keep"
    told = people.kitchen("pantry", "verify", "1", "--report", "proof.txt")
    assert "decides otherwise" not in told.stderr
    policy.unlink()
    assert json.loads(people.kitchen("pantry", "verify", "2", "--json").stdout)["passed"] is True


def test_a_dry_run_says_how_many_rows_would_come(people: Project) -> None:
    people.kitchen("pantry", "scan", "--write")
    planned = people.kitchen("pantry", "refresh", "--dry-run")
    assert "public.person: an unknown number of rows: all rows" in planned.stderr
    people.kitchen("enter", "production", "--", "psql", "-q", "-c", "ANALYZE public.person")
    assert "public.person: about 50 rows: all rows" in people.kitchen("pantry", "refresh", "--dry-run").stderr
    told = json.loads(people.kitchen("pantry", "refresh", "--dry-run", "--json").stdout)
    assert told["tables"] == [{"table": "public.person", "rows": 50, "rule": "all rows"}]


def test_what_fits_no_mask_is_left_to_a_person_with_the_reason(people: Project) -> None:
    short = "CREATE TABLE member (code char(5) PRIMARY KEY, email text); INSERT INTO member "
    short += "SELECT 'M' || 1000 + n, n || '@mail.example' FROM generate_series(1, 99) n"
    people.kitchen("enter", "production", "--", "psql", "-q", "-c", short)
    told = people.kitchen("pantry", "scan", "--write").stderr
    assert "public.member.code is left to you: hash: a hash must have 20 characters where it is unique" in told
    policy = people.root / "environments" / "masking.yaml"
    text = policy.read_text()
    assert text.splitlines()[-1].startswith("#   public.member.code: hash: ")
    again = people.kitchen("pantry", "scan", "--write", "--json")
    assert list(json.loads(again.stdout)["undecided"]) == ["public.member.code"]
    assert policy.read_text() == text
    assert "every column is decided" not in people.kitchen("pantry", "scan").stderr
    people.kitchen("pantry", "refresh", expect=5)
    policy.write_text(text.replace("  member:\n", "  member:\n    code: {mask: keep, why: of a club}\n"))
    assert "every column is decided" in people.kitchen("pantry", "scan").stderr
    people.kitchen("pantry", "refresh")
