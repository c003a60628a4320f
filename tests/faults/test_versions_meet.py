"""Different versions of kitchen on one control schema: what one does not understand it leaves, and says so."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from kitchen.errors import Refused
from kitchen.operations.create_plan import to_document
from tests.bench import Bench
from tests.faults.test_crashes import _create, _delete


def _journal(bench: Bench, kind: str, arguments: dict[str, object], *steps: str, version: str = "99.0") -> str:
    """Leave an unfinished operation that another version of kitchen began."""
    identity = str(uuid4())
    with bench.fresh().services("dev").sessions.as_administrator() as session:
        session.execute(
            "INSERT INTO kitchen_control.operation (id, kind, subject, arguments, state, by, host, pid, version, "
            "started_at) VALUES (%s, %s, 'dev', %s, 'stuck', 'ann', 'elsewhere', 1, %s, now())",
            [identity, kind, json.dumps(arguments), version],
        )
        for step in steps:
            session.execute(
                "INSERT INTO kitchen_control.step (operation, name, state) VALUES (%s, %s, 'started')", [identity, step]
            )
    return identity


def _forget(bench: Bench, identity: str) -> None:
    with bench.fresh().services("dev").sessions.as_administrator() as session:
        session.execute("DELETE FROM kitchen_control.step WHERE operation = %s", [identity])
        session.execute("DELETE FROM kitchen_control.operation WHERE id = %s", [identity])


@pytest.mark.parametrize(
    ("kind", "arguments", "steps"),
    [
        ("teleport", {}, ()),
        ("delete", {"kitchen": {"name": "x", "colour": "blue"}, "worktree": None, "branch_head": None}, ()),
        ("create", {}, ()),
        ("merge", {"release": "one", "commit": 2, "candidate": None}, ()),
        ("update", {"kitchen": "dev", "branch": "dev", "old": "0" * 40, "new": "0" * 40, "pantry": None}, ("beam",)),
    ],
    ids=["kind", "field", "no field", "other values", "step"],
)
def test_what_another_version_began_is_left_to_it(
    bench: Bench, kind: str, arguments: dict[str, object], steps: tuple[str, ...]
) -> None:
    before = bench.traces()
    identity = _journal(bench, kind, arguments, *steps)
    try:
        refused = bench.project.kitchen("recover", identity[:8], "--yes", expect=5)
        assert "begun by version 99.0" in refused.stderr
        assert "with version 99.0" in refused.stderr
        assert bench.project.kitchen("list", "--json").returncode == 0
        assert bench.traces() - before == {("unfinished", kind, "dev")}, "nothing was touched"
    finally:
        _forget(bench, identity)


def test_a_control_schema_that_a_newer_version_made_is_left_alone_by_every_command(bench: Bench) -> None:
    app = bench.fresh()
    _create(app, "waits")
    before = bench.traces()
    with bench.fresh().services("dev").sessions.as_administrator() as session:
        session.execute("INSERT INTO kitchen_control.migration (number, name) VALUES (9999, '9999_of_a_newer_one')")
    try:
        for command in (["list"], ["tree"], ["status", "waits"], ["create", "never"], ["update", "waits"],
                        ["merge", "waits", "--yes"], ["delete", "waits", "--yes"], ["enter", "waits", "--", "true"],
                        ["prune", "--yes", "-e", "dev"], ["recover", "-e", "dev"]):  # fmt: skip
            refused = bench.project.kitchen(*command, expect=5)
            assert "newer than this kitchen: it has migration 9999" in refused.stderr, command
            assert "pip install --upgrade dataops-kitchen" in refused.stderr
    finally:
        with bench.fresh().services("dev").sessions.as_administrator() as session:
            session.execute("DELETE FROM kitchen_control.migration WHERE number = 9999")
    assert bench.traces() == before
    _delete(bench.fresh(), "waits")


def test_a_file_that_a_newer_version_wrote_names_the_key_and_the_way_on(bench: Bench) -> None:
    file = bench.project.root / "environments" / "dev.yaml"
    kept = file.read_text()
    file.write_text(f"{kept}flavour: sweet\n")
    try:
        refused = bench.project.kitchen("create", "never", expect=2)
        assert "flavour: unknown key" in refused.stderr
        assert "where a newer kitchen wrote it: pip install --upgrade dataops-kitchen" in refused.stderr
    finally:
        file.write_text(kept)


def test_what_an_older_version_kept_without_newer_fields_is_recovered(bench: Bench) -> None:
    before = bench.traces()
    app = bench.fresh()
    _create(app, "older")
    services = app.services("dev")
    kitchen = services.control.kitchens.get("older")
    assert kitchen is not None
    kept = {"kitchen": to_document(kitchen), "worktree": str(app.worktrees / "older"),
            "branch_head": app.repository.head("older")}  # fmt: skip
    identity = _journal(bench, "delete", kept, "delete mark", version="0.0.9")
    with services.sessions.as_administrator() as session:
        session.execute("UPDATE kitchen_control.operation SET subject = 'older' WHERE id = %s", [identity])
        session.execute("UPDATE kitchen_control.kitchen SET state = 'deleting' WHERE name = 'older'")
    bench.project.kitchen("recover", "--yes")
    assert bench.traces() == before


def test_a_kitchen_of_a_kind_that_only_a_newer_version_knows_is_refused(bench: Bench) -> None:
    app = bench.fresh()
    _create(app, "future")
    services = app.services("dev")
    change = "UPDATE kitchen_control.kitchen SET state = %s WHERE name = 'future'"
    with services.sessions.as_administrator() as session:
        session.execute("ALTER TABLE kitchen_control.kitchen DROP CONSTRAINT IF EXISTS kitchen_state_check")
        session.execute(change, ["hovering"])
    try:
        with pytest.raises(Refused, match="does not know"):
            services.control.kitchens.all()
    finally:
        with services.sessions.as_administrator() as session:
            session.execute(change, ["ready"])
    _delete(bench.fresh(), "future")
