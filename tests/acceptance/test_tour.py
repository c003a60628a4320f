"""``kitchen demo``, end to end, in a folder that only its owner may enter; facts come from the servers and from git."""

from __future__ import annotations

import json
from pathlib import Path

from tests.acceptance.conftest import Demo, Look
from tests.support import Project

PROFIT = "SELECT segment, profit FROM {}.segment_profit ORDER BY segment"


def test_every_step_is_typed_and_timed(demo: Demo) -> None:
    for typed in (
        "kitchen up", "kitchen init --example", "kitchen pantry refresh", "kitchen create profit",
        "kitchen merge profit", "kitchen run profitability -k profit", "kitchen release plan production",
        "kitchen release approve", "kitchen release apply", "kitchen release rollback", "kitchen list",
    ):  # fmt: skip
        assert f"$ {typed}" in demo.told, typed
    assert "How long it took" in demo.told
    assert "What to type next" in demo.told
    assert "42501" in demo.told, "writing to what is below is refused by the server"


def test_the_data_is_of_believable_size_and_masked(demo: Demo, look: Look) -> None:
    with look(demo, "production") as production, look(demo, "dev") as dev:
        assert production.query("SELECT count(*) FROM order_lines")[0][0] >= 200_000
        pantry = dev.query("SELECT max(nspname) FROM pg_namespace WHERE nspname ~ '^pantry_v[0-9]+$'")[0][0]
        for table in ("customers", "products", "stores", "orders", "order_lines", "payments"):
            counted = dev.query(f'SELECT count(*) FROM "{pantry}".{table}')
            assert counted == production.query(f"SELECT count(*) FROM {table}"), table
        columns = "customer_id, first_name, last_name, email, phone, street"
        real = {row[0]: row[1:] for row in production.query(f"SELECT {columns} FROM customers")}
        seen = {row[0]: row[1:] for row in dev.query(f'SELECT {columns} FROM "{pantry}".customers')}
        assert seen.keys() == real.keys()
        assert [key for key in real if seen[key][1] == real[key][1]] == [], "nobody keeps a surname"
        for column in (2, 3):  # e-mail, phone: never anybody's
            assert {row[column] for row in seen.values()}.isdisjoint(row[column] for row in real.values())
        cards = {row[0] for row in production.query("SELECT card_number FROM payments WHERE card_number IS NOT NULL")}
        masked = {row[0] for row in dev.query(f'SELECT card_number FROM "{pantry}".payments')}
        assert masked.isdisjoint(cards)
        words = dev.query(f"SELECT string_agg(notes, ' ') FROM \"{pantry}\".customers")[0][0] or ""
        assert not [row[2] for row in real.values() if row[2] in words], "no e-mail in free text"


def test_the_change_is_in_production_and_the_mistake_is_nowhere(demo: Demo, look: Look) -> None:
    with look(demo, "production") as production:
        assert production.query(
            "SELECT count(*) FROM order_profit JOIN orders USING (order_id) WHERE status = 'returned'"
        ) == [(0,)]
        total = production.query("SELECT sum(profit) FROM order_profit")
        assert production.query("SELECT sum(profit) FROM segment_profit") == total
    for branch in ("main", "dev"):
        subjects = demo.git("log", "--format=%s", branch)
        assert "Leave out what was sent back" in subjects
        assert "Look at order lines too" not in subjects
    assert demo.git("tag", "--list"), "a release is tagged"
    assert demo.git("status", "--porcelain") == ""


def test_production_and_dev_are_two_servers(demo: Demo) -> None:
    running = {e["environment"]: e for e in json.loads(demo.kitchen("up", "--json").stdout)}
    assert running["production"]["port"] != running["dev"]["port"]
    for mine, other in (("dev", "production"), ("profit", "production"), ("production", "dev")):
        where = f"host=127.0.0.1 port={running[other]['port']} dbname={running[other]['database']}"
        knock = f'PGPASSWORD=$(cut -d: -f5 "$PGPASSFILE") psql -X -w "{where}" -c "SELECT 1"'
        refused = demo.kitchen("enter", mine, "--", "sh", "-c", knock, expect=2)
        assert "password authentication failed" in refused.stderr
        demo.kitchen("enter", mine, "--", "psql", "-X", "-w", "-c", "SELECT 1")


def test_everything_is_back_after_down_and_up(demo: Demo, look: Look) -> None:
    with look(demo, "dev") as dev:
        before = dev.query(PROFIT.format("dev"))
    kitchens = demo.kitchen("list", "--json").stdout
    demo.kitchen("down")
    assert demo.kitchen("doctor", expect=6)
    demo.kitchen("up")
    demo.kitchen("doctor")
    assert json.loads(demo.kitchen("list", "--json").stdout) == json.loads(kitchens)
    with look(demo, "dev") as dev:
        assert dev.query(PROFIT.format("dev")) == before
    assert "profit" in demo.kitchen("enter", "profit", "--", "psql", "-X", "-c", "SELECT current_schema()").stdout


def test_kitchens_come_and_go_in_the_project_that_the_tour_leaves(demo: Demo, look: Look) -> None:
    demo.kitchen("create", "mine")
    worktree = demo.root / ".kitchen" / "worktrees" / "mine"
    seen = demo.kitchen("enter", "--", "psql", "-X", "-A", "-t", "-c", "SELECT count(*) FROM order_lines", cwd=worktree)
    assert int(seen.stdout) >= 200_000
    refused = demo.kitchen(
        "enter", "mine", "--", "psql", "-X", "-v", "VERBOSITY=verbose", "-c", "DELETE FROM customers", expect=1
    )
    assert "42501" in refused.stderr
    demo.kitchen("delete", "mine", "--yes")
    assert not worktree.exists()
    with look(demo, "dev") as dev:
        assert dev.query("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'kitchen\\_\\_dev\\_\\_mine%'") == [(0,)]
        assert dev.query("SELECT count(*) FROM pg_namespace WHERE nspname = 'mine'") == [(0,)]


def test_the_demo_is_not_played_twice_over_somebodys_work(demo: Demo) -> None:
    kept = demo.root / "mine.txt"
    kept.write_text("precious")
    again = demo.kitchen("demo", str(demo.root))
    assert "was played before" in again.stderr
    assert kept.read_text() == "precious"
    kept.unlink()


def test_a_folder_of_somebody_else_is_refused(project: Project, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("x")
    for folder in (tmp_path / "full", project.root):
        before = sorted(folder.iterdir())
        refused = project.kitchen("demo", str(folder), expect=4)
        assert "try: kitchen demo" in refused.stderr
        assert sorted(folder.iterdir()) == before
