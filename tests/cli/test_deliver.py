"""``merge``, ``promote``, ``release``, ``update`` and ``diff`` as a person types them, on two real servers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests import report
from tests.bench import Bench, opened
from tests.report import BEST, commit, create, psql

_numbers = count(1)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """Return a project with both environments up, where the report has run."""
    with opened("production", "dev") as made:
        report.ground(made, "production", "dev")
        yield made


@pytest.fixture
def worktree(bench: Bench) -> Path:
    """Return the worktree of a fresh kitchen."""
    return create(bench, f"k{next(_numbers)}")


def said(bench: Bench, *words: str) -> Any:
    return json.loads(bench.project.kitchen(*words, "--json").stdout)


def _times(worktree: Path, factor: int) -> None:
    text = (worktree / "recipes" / "report" / "totals.sql").read_text()
    head = text.split("sum(amount)")[0]
    (worktree / "recipes" / "report" / "totals.sql").write_text(
        f"{head}sum(amount) * {factor} AS total FROM orders GROUP BY customer;\n"
    )


def _most(bench: Bench, kitchen: str) -> int:
    return int(psql(bench, kitchen, "SELECT max(total) FROM best"))


def _left_of_candidates(bench: Bench) -> list[tuple[str, ...]]:
    return [trace for trace in bench.traces() if any("c_" in part for part in trace)]


def test_merge_moves_branch_and_tables_and_leaves_the_kitchen(bench: Bench, worktree: Path) -> None:
    name = worktree.name
    _times(worktree, 2)
    refused = bench.project.kitchen("merge", name, "--yes", expect=4)
    assert "recipes/report/totals.sql" in refused.stderr
    head = commit(bench, worktree)
    before = bench.project.git("rev-parse", "dev")
    steps = bench.project.kitchen("merge", name, "--dry-run").stdout
    assert "moving branch dev" in steps
    assert bench.project.git("rev-parse", "dev") == before
    merged = said(bench, "merge", name, "--yes")
    assert merged["into"] == "dev"
    assert bench.project.git("rev-parse", "dev^1", "dev^2").split() == [before, head]
    assert _most(bench, "dev") == 2 * 50500
    assert {(table["name"], table["new"]) for table in merged["release"]["tables"]} == {
        ("best", False),
        ("totals", False),
    }
    assert _left_of_candidates(bench) == []
    assert not list((bench.project.root / ".git" / "kitchen" / "candidates").glob("*"))
    assert name in [kitchen["name"] for kitchen in said(bench, "list")]
    assert said(bench, "merge", name, "--yes")["release"] is None, "everything is there already"


def test_a_merge_whose_test_fails_is_refused_and_nothing_has_moved(bench: Bench, worktree: Path) -> None:
    (worktree / "recipes" / "report" / "best.sql").write_text(BEST.replace("LIMIT 3", "LIMIT 0"))
    commit(bench, worktree)
    before, most = bench.traces(), _most(bench, "dev")
    refused = bench.project.kitchen("merge", worktree.name, "--yes", expect=5)
    assert "row_count" in refused.stderr
    assert "kitchen runs show" in refused.stderr
    assert bench.traces() == before
    assert _most(bench, "dev") == most
    newest = said(bench, "release", "list", "-e", "dev")[0]
    assert newest["state"] == "failed"
    assert "row_count" in newest["message"]


def test_a_node_that_breaks_is_refused_and_nothing_has_moved(bench: Bench, worktree: Path) -> None:
    (worktree / "recipes" / "report" / "best.sql").write_text(
        BEST.replace("SELECT customer", "SELECT 1 / 0 AS x, customer")
    )
    commit(bench, worktree)
    before = bench.traces()
    refused = bench.project.kitchen("merge", worktree.name, "--yes", expect=5)
    assert "division by zero" in refused.stderr
    assert bench.traces() == before


def test_branches_that_conflict_are_left_alone_and_the_way_out_is_told(bench: Bench, worktree: Path) -> None:
    other = create(bench, f"k{next(_numbers)}")
    for place, factor in ((other, 3), (worktree, 4)):
        _times(place, factor)
        commit(bench, place)
    bench.project.kitchen("merge", other.name, "--yes")
    before = bench.traces()
    for command in ("merge", "update"):
        refused = bench.project.kitchen(command, worktree.name, "--yes", expect=4)
        assert "recipes/report/totals.sql" in refused.stderr
    assert f"kitchen resolve {worktree.name}" in refused.stderr
    assert bench.traces() == before
    assert bench.project.git("-C", str(worktree), "status", "--porcelain") == ""


def test_a_change_without_recipes_moves_only_the_branch(bench: Bench, worktree: Path) -> None:
    (worktree / "NOTES").write_text("nothing that runs\n")
    commit(bench, worktree)
    merged = said(bench, "merge", worktree.name, "--yes")
    assert merged["release"]["tables"] == []
    assert bench.project.git("show", "dev:NOTES") == "nothing that runs"


def test_a_kitchen_merges_into_the_kitchen_it_was_made_from(bench: Bench, worktree: Path) -> None:
    child = create(bench, f"k{next(_numbers)}", "--parent", worktree.name)
    (child / "recipes" / "report" / "best.sql").write_text(BEST.replace("LIMIT 3", "LIMIT 5"))
    commit(bench, child)
    rows = psql(bench, "dev", "SELECT count(*) FROM best")
    bench.project.kitchen("merge", child.name, "--yes")
    assert psql(bench, worktree.name, "SELECT count(*) FROM best") == "5"
    assert psql(bench, "dev", "SELECT count(*) FROM best") == rows
    assert "LIMIT 5" in (worktree / "recipes" / "report" / "best.sql").read_text(), "its worktree came along"


def test_what_stands_on_a_merged_kitchen_stands_on_its_parent_afterwards(bench: Bench, worktree: Path) -> None:
    child = create(bench, f"k{next(_numbers)}", "--parent", worktree.name)
    (worktree / "recipes" / "report" / "best.sql").write_text(BEST.replace("LIMIT 3", "LIMIT 4"))
    commit(bench, worktree)
    bench.project.kitchen("run", "report", cwd=worktree)
    below = create(bench, f"k{next(_numbers)}", "--parent", child.name)
    psql(bench, child.name, "CREATE VIEW seen AS SELECT * FROM best")
    psql(bench, below.name, "CREATE VIEW seen_below AS SELECT best.* FROM best JOIN seen ON true")
    bench.project.kitchen("merge", worktree.name, "--yes")
    assert said(bench, "show", child.name)["kitchen"]["parent"] == "dev"
    assert worktree.name not in said(bench, "show", below.name)["search_path"]
    assert psql(bench, child.name, "SELECT count(*) FROM best") == "4"
    assert psql(bench, child.name, "SELECT count(*) FROM seen") == "4"
    assert psql(bench, below.name, "SELECT count(*) FROM seen_below") == "16"
    bench.project.kitchen("delete", worktree.name, "--yes")
    assert psql(bench, below.name, "SELECT count(*) FROM seen_below") == "16"
    assert "moving branch main" in bench.project.kitchen("promote", "--dry-run").stdout


def test_a_migration_runs_once_in_a_standing_kitchen(bench: Bench, worktree: Path) -> None:
    for standing in ("dev", "production"):
        psql(bench, standing, "CREATE TABLE ledger AS SELECT 1 AS amount")
    folder = worktree / "recipes" / "moving"
    folder.mkdir()
    (folder / "recipe.yaml").write_text("description: x\nnodes:\n  pay: {sql: pay.sql, once: true}\n")
    (folder / "pay.sql").write_text("INSERT INTO ledger VALUES (2);\n")
    commit(bench, worktree)
    bench.project.kitchen("merge", worktree.name, "--yes")
    assert psql(bench, "dev", "SELECT sum(amount) FROM ledger") == "3"
    (folder / "pay.sql").write_text("INSERT INTO ledger VALUES (2); -- again\n")
    (folder / "recipe.yaml").write_text("description: y\nnodes:\n  pay: {sql: pay.sql, once: true, retries: 1}\n")
    commit(bench, worktree)
    bench.project.kitchen("merge", worktree.name, "--yes")
    assert psql(bench, "dev", "SELECT sum(amount) FROM ledger") == "3"


def test_a_migration_that_was_rolled_back_runs_again(bench: Bench, worktree: Path) -> None:
    for standing in ("dev", "production"):
        psql(bench, standing, "CREATE TABLE book AS SELECT 1 AS amount")
    folder = worktree / "recipes" / "adding"
    folder.mkdir()
    (folder / "recipe.yaml").write_text("description: x\nnodes:\n  add: {sql: add.sql, once: true}\n")
    (folder / "add.sql").write_text("ALTER TABLE book ADD COLUMN note text DEFAULT 'old';\n")
    commit(bench, worktree)
    columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'book' AND table_schema = 'dev'"
    number = str(said(bench, "merge", worktree.name, "--yes")["release"]["number"])
    assert psql(bench, "dev", columns) == "2"
    bench.project.kitchen("release", "rollback", number, "-e", "dev", "--yes")
    assert psql(bench, "dev", columns) == "1"
    bench.project.kitchen("release", "apply", number, "-e", "dev", "--yes")
    assert psql(bench, "dev", columns) == "2"
    (worktree / "ON").write_text("1\n")
    commit(bench, worktree)
    bench.project.kitchen("merge", worktree.name, "--yes")
    assert psql(bench, "dev", columns) == "2", "once"
    bench.project.kitchen("release", "rollback", number, "-e", "dev", "--yes")
    (folder / "add.sql").write_text("ALTER TABLE book ADD COLUMN note text DEFAULT 'mended';\n")
    commit(bench, worktree)
    bench.project.kitchen("merge", worktree.name, "--yes")
    assert psql(bench, "dev", "SELECT note FROM book") == "mended"


def test_rows_that_come_in_while_a_table_is_changed_are_not_lost(bench: Bench, worktree: Path) -> None:
    for standing in ("dev", "production"):
        psql(bench, standing, "CREATE TABLE stock AS SELECT 1 AS amount")
    folder = worktree / "recipes" / "slow"
    folder.mkdir()
    (folder / "recipe.yaml").write_text("description: x\nnodes:\n  change: {sql: change.sql}\n")
    (folder / "change.sql").write_text("UPDATE stock SET amount = amount + 1;\nSELECT pg_sleep(4);\n")
    commit(bench, worktree)
    late = threading.Timer(3, lambda: psql(bench, "dev", "INSERT INTO stock VALUES (100)"))
    late.start()
    refused = bench.project.kitchen("merge", worktree.name, "--yes", expect=4)
    late.join()
    assert "rows came into dev.stock" in refused.stderr
    assert psql(bench, "dev", "SELECT sum(amount) FROM stock") == "101"
    (folder / "change.sql").write_text("UPDATE stock SET amount = amount + 1;\n")
    commit(bench, worktree)
    bench.project.kitchen("merge", worktree.name, "--yes")
    assert psql(bench, "dev", "SELECT sum(amount) FROM stock") == "103"


def test_update_and_diff(bench: Bench, worktree: Path) -> None:
    other = create(bench, f"k{next(_numbers)}")
    (other / "recipes" / "report" / "best.sql").write_text(BEST.replace("LIMIT 3", "LIMIT 6"))
    commit(bench, other)
    bench.project.kitchen("merge", other.name, "--yes")
    assert said(bench, "diff", worktree.name)["behind"] == 2
    (worktree / "mine.txt").write_text("not committed, and not in the way\n")
    assert said(bench, "update", worktree.name)["files"] == ["recipes/report/best.sql"]
    assert "LIMIT 6" in (worktree / "recipes" / "report" / "best.sql").read_text()
    assert (worktree / "mine.txt").exists()
    (worktree / "mine.txt").unlink()
    bench.project.kitchen("diff", worktree.name, "--exit-code")
    (worktree / "recipes" / "report" / "best.sql").write_text(BEST.replace("LIMIT 3", "LIMIT 7"))
    bench.project.kitchen("run", "report", "-k", worktree.name, cwd=worktree)
    seen = said(bench, "diff", worktree.name, "--data")
    assert seen["uncommitted"] == ["recipes/report/best.sql"]
    assert seen["nodes"] == {"report": ["best"]}
    tables = {table["table"]["name"]: table for table in seen["tables"]}
    assert (tables["best"]["rows"], tables["best"]["rows_below"]) == (7, 6)
    assert tables["best"]["data"] == {"by": [], "added": 1, "removed": 0, "changed": 0}
    bench.project.kitchen("diff", worktree.name, "--exit-code", expect=1)


def test_promotion_is_planned_approved_applied_rolled_back_and_brought_in_again(bench: Bench, worktree: Path) -> None:
    _times(worktree, 10)
    commit(bench, worktree)
    bench.project.kitchen("merge", worktree.name, "--yes")
    was = _most(bench, "production")
    planned = said(bench, "release", "plan", "production")
    number = str(planned["number"])
    assert planned["plan"]["nodes"]["report"] == ["totals", "best"]
    assert said(bench, "release", "plan", "production")["number"] == planned["number"], "the same plan"
    refused = bench.project.kitchen("release", "apply", number, "--yes", expect=5)
    assert f"kitchen release approve {number}" in refused.stderr
    approved = said(bench, "release", "approve", number)
    assert approved["missing_approvals"] == 0
    assert approved["approvals"][0]["own"]
    applied = said(bench, "release", "apply", number, "--yes")
    assert applied["state"] == "released"
    assert _most(bench, "production") == 505000
    assert bench.project.git("rev-parse", f"{applied['tag']}^{{commit}}") == bench.project.git("rev-parse", "main")
    assert bench.project.git("status", "--porcelain") == "", "the files of main came along"
    bench.project.kitchen("release", "apply", number, "--yes", expect=4)

    back = said(bench, "release", "rollback", number, "--yes")
    assert _most(bench, "production") == was
    assert "sum(amount) * 10" not in (bench.project.root / "recipes/report/totals.sql").read_text()
    assert bench.project.git("rev-parse", f"{back['commit']}^1") == applied["commit"], "history goes forward"
    listed = bench.project.kitchen("release", "list", "-e", "production").stdout.splitlines()
    assert "rollback\tproduction\treleased\tbefore the first release" in listed[1] or "as kept" in listed[1]
    refused = bench.project.kitchen("release", "rollback", "--to", str(back["number"]), "--yes", expect=4).stderr
    assert "is a rollback itself" in refused
    assert said(bench, "release", "show", number)["state"] == "rolled back"
    bench.project.kitchen("release", "rollback", number, "--yes", expect=4)
    assert said(bench, "release", "apply", number, "--yes")["state"] == "released"
    assert _most(bench, "production") == 505000
    assert "sum(amount) * 10" in (bench.project.root / "recipes/report/totals.sql").read_text()
    assert bench.project.git("status", "--porcelain") == ""


def test_what_was_rolled_back_comes_in_again_with_what_mends_it(bench: Bench, worktree: Path) -> None:
    (worktree / "recipes" / "report" / "best.sql").write_text(BEST.replace("LIMIT 3", "LIMIT 8"))
    commit(bench, worktree)
    bench.project.kitchen("merge", worktree.name, "--yes")
    number = str(said(bench, "promote", "production", "--yes")["release"]["number"])
    bench.project.kitchen("release", "rollback", "--yes")
    assert psql(bench, "production", "SELECT count(*) FROM best") != "8"
    for words in (("promote", "production", "--yes"), ("release", "plan", "production")):
        assert f"release {number} was rolled back" in bench.project.kitchen(*words).stderr
    (worktree / "MENDED").write_text("yes\n")
    commit(bench, worktree)
    bench.project.kitchen("merge", worktree.name, "--yes")
    planned = bench.project.kitchen("release", "plan", "production").stderr
    assert f"release {number} was rolled back: what it changed comes in again" in planned
    newest = str(said(bench, "promote", "production", "--yes")["release"]["number"])
    assert psql(bench, "production", "SELECT count(*) FROM best") == "8"
    assert bench.project.git("show", "main:MENDED") == "yes"
    planned = bench.project.kitchen("release", "rollback", "--dry-run").stderr
    assert f"release {newest} goes out" in planned
    assert "comes in again" not in planned, "what was out before it stays out"
    assert "stands there already" in bench.project.kitchen("release", "rollback", "--to", newest, expect=4).stderr
    refused = bench.project.kitchen("release", "apply", number, "--yes", expect=4)
    assert "came in since" in refused.stderr


def test_a_rollback_takes_out_what_its_release_changed_and_nothing_else(bench: Bench, worktree: Path) -> None:
    root = bench.project.root
    (worktree / "recipes" / "report" / "best.sql").write_text(BEST.replace("LIMIT 3", "LIMIT 6"))
    masking = worktree / "environments" / "masking.yaml"
    masking.write_text(masking.read_text() + "# released with the rest\n")
    commit(bench, worktree)
    bench.project.kitchen("merge", worktree.name, "--yes")
    number = str(said(bench, "promote", "production", "--yes")["release"]["number"])
    (root / "LATER").write_text("by somebody else\n")
    bench.project.commit("later")
    told = bench.project.kitchen("release", "rollback", number, "--yes").stderr
    assert "stays as it is, for it changes only by review: environments/masking.yaml" in told
    assert psql(bench, "production", "SELECT count(*) FROM best") != "6"
    assert "LIMIT 6" not in (root / "recipes/report/best.sql").read_text()
    assert (root / "LATER").read_text() == "by somebody else\n"
    assert "released with the rest" in (root / "environments/masking.yaml").read_text()
    assert bench.project.git("status", "--porcelain") == ""
    again = bench.project.kitchen("release", "rollback", "--yes", expect=4).stderr
    assert f"release {number}, the newest of 'production', is rolled back already" in again or "nothing was" in again
    bench.project.kitchen("release", "apply", number, "--yes")
    assert "LIMIT 6" in (root / "recipes/report/best.sql").read_text()
    assert (root / "LATER").exists()
    (root / "recipes/report/best.sql").write_text(BEST.replace("LIMIT 3", "LIMIT 10"))
    bench.project.commit("by hand")
    refused = bench.project.kitchen("release", "rollback", number, "--yes", expect=4).stderr
    assert f"changed the same lines of recipes/report/best.sql as release {number}" in refused
    assert psql(bench, "production", "SELECT count(*) FROM best") == "6"
    (root / "recipes/report/best.sql").write_text(BEST.replace("LIMIT 3", "LIMIT 6"))
    bench.project.commit("as it was")


def test_a_release_is_stale_when_a_branch_has_moved_since(bench: Bench, worktree: Path) -> None:
    (worktree / "STALE").write_text("1\n")
    commit(bench, worktree)
    bench.project.kitchen("merge", worktree.name, "--yes")
    number = str(said(bench, "release", "plan", "production")["number"])
    bench.project.kitchen("release", "approve", number)
    (worktree / "STALE").write_text("2\n")
    commit(bench, worktree)
    bench.project.kitchen("merge", worktree.name, "--yes")
    assert "stale" in bench.project.kitchen("release", "apply", number, "--yes", expect=4).stderr


def test_a_checked_out_branch_with_changes_stops_a_release_before_anything(bench: Bench, worktree: Path) -> None:
    (worktree / "recipes" / "report" / "best.sql").write_text(BEST.replace("LIMIT 3", "LIMIT 9"))
    commit(bench, worktree)
    bench.project.kitchen("merge", worktree.name, "--yes")
    mine = bench.project.root / "recipes" / "report" / "recipe.yaml"
    kept = mine.read_text()
    try:
        mine.write_text(kept + "# mine\n")
        before = bench.traces()
        refused = bench.project.kitchen("promote", "production", "--yes", expect=4)
        assert "recipes/report/recipe.yaml" in refused.stderr
        assert bench.traces() == before
    finally:
        mine.write_text(kept)


def test_nobody_is_asked_where_nobody_can_answer(bench: Bench, worktree: Path) -> None:
    (worktree / "ASKED").write_text("1\n")
    commit(bench, worktree)
    assert "--yes" in bench.project.kitchen("merge", worktree.name, expect=2).stderr


def test_what_there_is_not(bench: Bench, worktree: Path) -> None:
    bench.project.kitchen("release", "show", "999", expect=3)
    bench.project.kitchen("release", "approve", "999", expect=3)
    bench.project.kitchen("release", "rollback", "999", "--yes", expect=3)
    bench.project.kitchen("merge", "dev", expect=2)
    bench.project.kitchen("promote", "nowhere", expect=3)
