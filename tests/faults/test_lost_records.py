"""Rows of the control schema are lost: what exists is named from its marks and adopted, look-alikes stay."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from kitchen.domain.kitchen import State
from tests.bench import Bench

LOOK_ALIKES = 1000 if os.environ.get("KITCHEN_FAULTS") == "all" else 60


def test_kitchens_without_records_are_adopted(bench: Bench) -> None:
    project = bench.project
    before = bench.traces()
    project.kitchen("create", "parent")
    project.kitchen("create", "child", "--parent", "parent")
    project.kitchen("create", "alone", "--isolated", "--branch", "Feature/x")
    services = bench.fresh().services("dev")
    known = {kitchen.name: kitchen for kitchen in services.control.kitchens.all()}
    services.control.session.execute("DELETE FROM kitchen_control.kitchen")  # type: ignore[attr-defined]
    services.control.session.close()
    assert "child exists in dev without a record" in project.kitchen("recover", "--dry-run").stdout
    told = json.loads(project.kitchen("recover", "--json").stdout)
    assert [each["subject"] for each in told] == ["dev", "alone", "parent", "child"], "parents first"
    services = bench.fresh().services("dev")
    found = {kitchen.name: kitchen for kitchen in services.control.kitchens.all()}
    services.control.session.close()
    for name, kitchen in known.items():
        same = {"created_at": kitchen.created_at, "expires_at": kitchen.expires_at, "owner": kitchen.owner,
                "base_commit": kitchen.base_commit}  # fmt: skip
        assert replace(found[name], **same) == kitchen  # type: ignore[arg-type]
    assert "nothing to recover" in project.kitchen("recover").stderr
    assert project.kitchen("enter", "child", "--", "psql", "-X", "-A", "-t", "-c", "SELECT 1").stdout.strip() == "1"
    for name in ("child", "parent", "alone"):
        project.kitchen("delete", name, "--yes")
    assert bench.traces() == before


def test_a_kitchen_of_another_mark_keeps_its_name(bench: Bench) -> None:
    bench.project.kitchen("create", "profit")
    services, kitchen = bench.fresh().find("profit", "dev")
    services.control.session.execute(  # type: ignore[attr-defined]
        "UPDATE kitchen_control.kitchen SET id = gen_random_uuid() WHERE name = 'profit'"
    )
    assert "another kitchen has its name" in bench.project.kitchen("recover").stderr
    services.control.session.execute(  # type: ignore[attr-defined]
        "UPDATE kitchen_control.kitchen SET id = %s WHERE name = 'profit'", [str(kitchen.id)]
    )
    services.control.session.close()
    bench.project.kitchen("delete", "profit", "--yes")


@pytest.fixture
def look_alikes(bench: Bench) -> list[str]:
    """Plant roles and schemas that are called as ours are, with comments that are nearly ours."""
    services = bench.fresh().services("dev")
    embedded = services.embedded
    assert embedded is not None
    marks = ["NULL", "'kitchen'", "'kitchen 1234'", "'KITCHEN 8a0f0b9e-0000-4000-8000-000000000000'", "'mine'"]
    names = []
    with services.sessions.open(embedded.superuser(), application="tests") as session:
        for number in range(LOOK_ALIKES):
            name, mark = f"like{number}", marks[number % len(marks)]
            for part in ("login", "owner", "reader"):
                session.execute(f"CREATE ROLE kitchen__dev__{name}__{part}")
                session.execute(f"COMMENT ON ROLE kitchen__dev__{name}__{part} IS {mark}")
            session.execute(f"CREATE SCHEMA {name}; COMMENT ON SCHEMA {name} IS {mark}")
            names.append(name)
    return names


def test_look_alikes_are_never_dropped_or_adopted(bench: Bench, look_alikes: list[str]) -> None:
    before = bench.traces()
    assert "nothing to recover" in bench.project.kitchen("recover").stderr
    bench.project.kitchen("prune", "--yes")
    for name in look_alikes[:5]:
        assert "does not belong" in bench.project.kitchen("create", name, expect=4).stderr
    app = bench.fresh()
    services = app.services("dev")
    assert services.workspaces.marked("dev") == tuple(
        each for each in services.workspaces.marked("dev") if not each.name.startswith("like")
    )
    for kitchen in services.control.kitchens.all():
        assert kitchen.state is State.READY
    services.control.session.close()
    assert bench.traces() == before
