"""The whole job on a database that nobody here made: Pagila, with partitions, domains, triggers and a key cycle."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from kitchen.adapters.postgres.connection import PgSession
from tests.acceptance.conftest import Look, dump, pagila
from tests.support import Project

RECIPE = Path(__file__).parent / "pagila" / "rentals"
BUILT = ("film_revenue", "customer_rank", "store_summary")


def tables(session: PgSession, schema: str) -> set[str]:
    rows = session.query(
        "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind IN ('r', 'p')", [schema]
    )
    return {row[0] for row in rows}


def pantry_schema(session: PgSession) -> str:
    rows = session.query("SELECT nspname FROM pg_namespace WHERE nspname ~ '^pantry_v[0-9]+$'")
    assert len(rows) == 1, rows
    return str(rows[0][0])


def pairs_of(session: PgSession, schema: str) -> dict[tuple[str, int], tuple[str, str]]:
    return {
        (table, row[0]): (row[1].lower(), row[2].lower())
        for table in ("customer", "staff")
        for row in session.query(f'SELECT {table}_id, first_name, last_name FROM "{schema}".{table}')
    }


def assert_nobody_is_there(project: Project, look: Look) -> None:
    """Search the whole dev server for the people of production."""
    with look(project, "production") as production, look(project, "dev") as dev:
        people = pairs_of(production, "public")
        secret: dict[str, set[str]] = {
            "email": {r[0] for t in ("customer", "staff") for r in production.query(f"SELECT email FROM {t}") if r[0]},
            "phone": {r[0] for r in production.query("SELECT phone FROM address") if r[0]},
            "street": {r[0] for r in production.query("SELECT address FROM address") if r[0]},
            "password": {r[0] for r in production.query("SELECT password FROM staff") if r[0]},
        }
        assert {what: len(found) for what, found in secret.items()} == {
            "email": 601, "phone": 601, "street": 603, "password": 1
        }  # fmt: skip
        text = dump(project, "dev").lower()
        assert f"copy {pantry_schema(dev)}.customer " in text, "the dump holds the pantry"
        assert len(text) > 1_000_000
        for what, values in secret.items():
            found = [value for value in values if value.lower() in text]
            left = [value for value in found if re.search(rf"(?<!\w){re.escape(value.lower())}(?!\w)", text)]
            assert left == [], (what, left[:5])
        for first, last in people.values():
            for written in (
                f"{first} {last}",
                f"{first}\t{last}",
                f"{last}, {first}",
                f"{first},{last}",
                f"{first}.{last}",
            ):
                assert written not in text, written
        masked = pairs_of(dev, pantry_schema(dev))
    assert masked.keys() == people.keys()
    assert [key for key, (_, last) in people.items() if masked[key][1] == last] == [], "nobody keeps a surname"
    assert set(masked.values()).isdisjoint(people.values())


def assert_pantry_is_whole(project: Project, look: Look) -> None:
    """Every table is there with all its rows, and every foreign key of production holds."""
    with look(project, "production") as production, look(project, "dev") as dev:
        schema = pantry_schema(dev)
        names = tables(production, "public")
        assert len(names) == 22
        assert tables(dev, schema) == names
        for name in names:
            count = f'SELECT count(*) FROM "{{}}"."{name}"'
            assert dev.query(count.format(schema)) == production.query(count.format("public")), name
        declared = (
            "SELECT conrelid::regclass::text, pg_get_constraintdef(oid), convalidated FROM pg_constraint"
            " WHERE contype = 'f' AND connamespace = to_regnamespace(%s) AND conparentid = 0"
        )
        keys = dev.query(declared, [schema])
        assert len(keys) == len(production.query(declared, ["public"]))
        assert all(validated for _, _, validated in keys)
        for table, definition, _ in keys:
            found = re.match(r"FOREIGN KEY \((\w+)\) REFERENCES ([\w.\"]+)\((\w+)\)", definition)
            assert found is not None, definition
            column, other, key = found.groups()
            lost = dev.query(
                f"SELECT count(*) FROM {table} AS t WHERE t.{column} IS NOT NULL"
                f" AND NOT EXISTS (SELECT FROM {other} AS o WHERE o.{key} = t.{column})"
            )
            assert lost == [(0,)], (table, definition)


def test_pagila_goes_the_whole_way(bare: Project, look: Look) -> None:
    project = bare
    script = pagila()
    if script is None:
        pytest.skip("pagila.sql is not beside the repository (../shared/data/pagila.sql)")
    project.kitchen("up")
    psql = ("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1")
    project.kitchen("enter", "production", "--", *psql, "-f", str(script))

    refused = project.kitchen("pantry", "refresh", "--yes", expect=5)
    assert "undecided" in refused.stderr
    project.kitchen("pantry", "scan", "--write")
    project.commit("decide every column")
    project.git("branch", "-f", "dev", "main")
    project.kitchen("pantry", "check")
    project.kitchen("pantry", "refresh", "--yes", timeout=300)
    assert_nobody_is_there(project, look)
    assert_pantry_is_whole(project, look)

    project.kitchen("create", "rentals")
    worktree = project.root / ".kitchen" / "worktrees" / "rentals"
    shutil.copytree(RECIPE, worktree / "recipes" / "rentals", ignore=shutil.ignore_patterns("__pycache__"))
    project.kitchen("recipe", "check", "rentals", cwd=worktree)
    project.kitchen("run", "rentals", cwd=worktree)
    project.git("-C", str(worktree), "add", "-A")
    project.git("-C", str(worktree), "commit", "-q", "-m", "What films and customers bring")
    with look(project, "dev") as dev:
        assert set(BUILT) <= tables(dev, "rentals")
        assert tables(dev, "dev").isdisjoint(BUILT)

    project.kitchen("merge", "rentals", "--yes", timeout=300)
    with look(project, "dev") as dev:
        assert set(BUILT) <= tables(dev, "dev")
    assert "What films and customers bring" in project.git("log", "--format=%s", "dev")

    project.kitchen("promote", "production", "--yes", timeout=300)
    with look(project, "production") as production:
        assert set(BUILT) <= tables(production, "public")
        assert production.query("SELECT sum(paid) FROM store_summary") == production.query(
            "SELECT sum(amount) FROM payment"
        )
        (before,) = production.query("SELECT sum(revenue) FROM film_revenue")
    assert "What films and customers bring" in project.git("log", "--format=%s", "main")

    number = json.loads(project.kitchen("release", "list", "--json").stdout)[0]["number"]
    project.kitchen("release", "rollback", str(number), "--yes")
    with look(project, "production") as production:
        assert tables(production, "public").isdisjoint(BUILT), "rolled back"
        assert len(tables(production, "public")) == 22
        assert before[0] > 0
    assert_nobody_is_there(project, look)
