"""A kitchen's life on the command line, on real servers: what is printed, what is there afterwards, what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.domain.kitchen import State
from tests.bench import Bench, opened
from tests.cli.kitchens import document, kitchens_of, leaving_nothing, worktree_of
from tests.support import Project


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with opened("production", "dev") as made:
        yield made


@pytest.fixture
def shop(bench: Bench) -> Iterator[Project]:
    """Return the project; whatever a test leaves in it fails the test."""
    with leaving_nothing(bench) as project:
        yield project


def test_create_prints_the_folder_and_makes_everything(shop: Project) -> None:
    made = shop.kitchen("create", "profit", "--ticket", "ABC-1", "--staff", "bob")
    assert made.stdout.strip() == str(worktree_of(shop, "profit"))
    assert "kitchen enter profit" in made.stderr
    assert shop.git("rev-parse", "profit") == shop.git("rev-parse", "dev")
    assert (worktree_of(shop, "profit") / "environments" / "dev.yaml").exists()
    assert shop.git("status", "--porcelain") == ""
    shown = document(shop, "show", "profit")
    assert isinstance(shown, dict)
    assert (shown["kitchen"]["ticket"], shown["kitchen"]["staff"]) == ("ABC-1", ["bob"])
    assert shown["search_path"] == ["profit", "dev"]
    assert shown["status"]["next"] == "kitchen enter profit"
    assert set(shown) == {
        "status",
        "kitchen",
        "search_path",
        "schemas",
        "roles",
        "secret",
        "storage",
        "tables",
        "hiding",
    }


def test_a_dry_run_names_the_steps_and_changes_nothing(bench: Bench, shop: Project) -> None:
    before = bench.traces()
    told = shop.kitchen("create", "profit", "--dry-run").stdout.splitlines()
    assert bench.traces() == before
    done = shop.kitchen("create", "profit").stderr
    assert [line.removeprefix("· ") for line in done.splitlines()[: len(told)]] == told
    assert len(told) == 6
    before = bench.traces()
    told = shop.kitchen("delete", "profit", "--dry-run").stdout.splitlines()
    assert bench.traces() == before
    done = shop.kitchen("delete", "profit", "--yes").stderr
    assert [line.removeprefix("· ") for line in done.splitlines()[: len(told)]] == told


HOSTILE = (
    "../x",
    "a;b",
    "é",
    "A",
    "a b",
    "a__b",
    "_a",
    "a_",
    "1a",
    "a" * 25,
    "a\nb",
    "$(id)",
    "a'b",
    'a"b',
    "a/b",
    ".",
)


RESERVED = ("public", "kitchen_control", "pg_catalog", "pantry_v7", "c_0123456789ab", "main", "head")


@pytest.mark.parametrize("name", [*HOSTILE, *RESERVED])
def test_a_name_that_cannot_be_is_2_and_changes_nothing(bench: Bench, shop: Project, name: str) -> None:
    before = bench.traces()
    wrong = shop.kitchen("create", name, expect=2)
    assert wrong.stderr.startswith("error: ")
    assert bench.traces() == before


def test_names_that_look_like_options(bench: Bench, shop: Project) -> None:
    before = bench.traces()
    assert "kitchen create [OPTIONS] [NAME]" in shop.kitchen("create", "--help").stdout
    shop.kitchen("create", "--", "--help", expect=2)
    shop.kitchen("create", "--", "-f", expect=2)
    shop.kitchen("create", "--branch", "--upload-pack=x", expect=2)
    shop.kitchen("create", "profit", "--branch", "a..b", expect=2)
    assert bench.traces() == before


def test_what_is_taken_is_4(bench: Bench, shop: Project) -> None:
    shop.kitchen("create", "profit")
    before = bench.traces()
    assert "profit" in shop.kitchen("create", "profit", expect=4).stderr
    for name in ("dev", "production"):
        assert "environment's name" in shop.kitchen("create", name, expect=4).stderr
    assert "belongs to another kitchen" in shop.kitchen("create", "other", "--branch", "profit", expect=4).stderr
    assert bench.traces() == before
    shop.git("branch", "loose")
    there = shop.kitchen("create", "loose", expect=4)
    assert "kitchen create loose --branch loose" in there.stderr
    shop.kitchen("create", "loose", "--branch", "loose")
    shop.kitchen("delete", "loose", "--yes")
    assert shop.git("branch", "--list", "loose") == ""
    for branch, owner in (("main", "production"), ("dev", "dev")):
        refused = shop.kitchen("create", "other", "--branch", branch, expect=4)
        assert f"'{branch}' is the branch of environment '{owner}'" in refused.stderr
    assert "no kitchen 'nobody'" in shop.kitchen("create", "child", "--parent", "nobody", expect=3).stderr


def test_a_name_follows_from_any_branch(shop: Project) -> None:
    shop.kitchen("create", "--branch", "Feature/ABC-12_Größe")
    (name,) = kitchens_of(shop)
    assert name.startswith("feature_abc_12_gr_")
    assert shop.git("rev-parse", "--abbrev-ref", "HEAD") == "main"
    assert "Feature/ABC-12_Größe" in shop.git("branch", "--format=%(refname:short)")


def test_outside_of_a_project_and_without_a_kitchen(shop: Project, tmp_path: Path) -> None:
    lost = shop.kitchen("create", "profit", cwd=tmp_path, expect=3)
    assert "kitchen init" in lost.stderr
    assert "kitchen create nothing" in shop.kitchen("status", "nothing", expect=3).stderr
    assert "kitchen list" in shop.kitchen("status", expect=2).stderr


def test_delete_refuses_to_lose_work(bench: Bench, shop: Project) -> None:
    shop.kitchen("create", "profit")
    (worktree_of(shop, "profit") / "notes.txt").write_text("mine")
    before = bench.traces()
    refused = shop.kitchen("delete", "profit", "--yes", expect=5)
    assert "uncommitted changes (notes.txt)" in refused.stderr
    assert bench.traces() == before
    inside = Project(worktree_of(shop, "profit"), shop.home)
    inside.commit("work")
    refused = shop.kitchen("delete", "profit", "--yes", expect=5)
    assert "commits of branch profit" in refused.stderr
    assert "kitchen merge profit" in refused.stderr
    shop.kitchen("delete", "profit", "--yes", "--keep-branch")
    assert shop.git("branch", "--list", "profit") == "profit"
    shop.git("branch", "-D", "profit")


def test_delete_names_the_ignored_files_that_go(shop: Project) -> None:
    shop.kitchen("create", "profit")
    worktree = worktree_of(shop, "profit")
    (worktree / ".gitignore").write_text(".env\nexports/\n__pycache__/\n*.pyc\n")
    Project(worktree, shop.home).commit("what git does not see")
    for file in ("__pycache__/a.pyc", "recipes/b.pyc"):
        (worktree / file).parent.mkdir(parents=True, exist_ok=True)
        (worktree / file).write_text("made again")
    told = shop.kitchen("delete", "profit", "--dry-run", "--force").stderr
    assert "git ignores" not in told, "caches are nobody's work"
    (worktree / ".env").write_text("TOKEN=mine")
    (worktree / "exports").mkdir()
    (worktree / "exports" / "result.csv").write_text("1,2\n")
    told = shop.kitchen("delete", "profit", "--force", expect=2).stderr
    assert "with its worktree go files that git ignores: .env, exports/\n" in told, "said before it asks"
    assert (worktree / ".env").exists()
    assert "git ignores: .env, exports/" in shop.kitchen("delete", "profit", "--force", "--yes").stderr
    assert not worktree.exists()


def test_delete_sees_commits_that_are_on_no_branch(shop: Project) -> None:
    shop.kitchen("create", "profit")
    worktree = worktree_of(shop, "profit")
    shop.git("-C", str(worktree), "checkout", "--quiet", "--detach")
    shop.kitchen("delete", "profit", "--dry-run")  # where everything is on a branch nothing is lost
    (worktree / "new.txt").write_text("work")
    shop.git("-C", str(worktree), "add", "--all")
    shop.git("-C", str(worktree), "commit", "--quiet", "-m", "work")
    commit = shop.git("-C", str(worktree), "rev-parse", "HEAD")
    refused = shop.kitchen("delete", "profit", "--yes", expect=5).stderr
    assert f"commit {commit[:12]} of its worktree, which is on no branch" in refused
    assert worktree.exists()


def test_work_that_was_done_while_delete_asked_is_not_lost(shop: Project) -> None:
    shop.kitchen("create", "profit")
    file = worktree_of(shop, "profit") / "new.txt"
    keyboard, terminal = os.openpty()
    command = [sys.executable, "-m", "kitchen", "delete", "profit"]
    asking = subprocess.Popen(
        command, cwd=shop.root, env=shop.environ, stdin=terminal, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    os.close(terminal)
    assert asking.stderr is not None
    said = ""
    while "Delete kitchen profit" not in said and asking.poll() is None:
        said += asking.stderr.read(1)
    file.write_text("work")
    os.write(keyboard, b"y\n")
    said += asking.stderr.read()
    os.close(keyboard)
    assert asking.wait(60) == 5, said
    assert "would lose uncommitted changes (new.txt)" in said
    assert file.read_text() == "work"
    assert "ready" in shop.kitchen("status", "profit").stdout


def test_merged_work_is_not_lost_work(shop: Project) -> None:
    shop.kitchen("create", "profit")
    inside = Project(worktree_of(shop, "profit"), shop.home)
    (inside.root / "notes.txt").write_text("mine")
    commit = inside.commit("work")
    before = shop.git("rev-parse", "dev")
    shop.git("branch", "-f", "dev", commit)
    try:
        shop.kitchen("delete", "profit", "--yes")
    finally:
        shop.git("branch", "-f", "dev", before)


def test_a_name_with_a_slip_is_told_the_one_that_was_meant(shop: Project) -> None:
    shop.kitchen("create", "third")
    for words in (("create", "fourth", "--parent", "thrid"), ("enter", "thrid"), ("status", "thrid"),
                  ("delete", "thrid", "--yes")):  # fmt: skip
        assert "did you mean 'third'?" in shop.kitchen(*words, expect=3).stderr, words
    said = shop.kitchen("delete", "third", "-e", "production", "--yes", expect=3).stderr
    assert "kitchen 'third' is in dev, and not in production" in said
    assert "the same command with -e dev" in said
    assert "did you mean" not in shop.kitchen("status", "quite_another", expect=3).stderr


def test_what_is_not_deleted(shop: Project) -> None:
    shop.kitchen("create", "parent")
    shop.kitchen("create", "child", "--parent", "parent")
    assert "child" in shop.kitchen("delete", "parent", "--force", "--yes", expect=4).stderr
    assert "standing" in shop.kitchen("delete", "dev", "--force", "--yes", expect=5).stderr
    assert "--yes" in shop.kitchen("delete", "child", expect=2).stderr, "nobody can answer here"
    shop.kitchen("delete", "child", "--yes")
    shop.kitchen("delete", "parent", "--yes")


def test_delete_ends_connections_and_works_without_a_worktree(bench: Bench, shop: Project) -> None:
    shop.kitchen("create", "profit")
    services, kitchen = bench.fresh().find("profit", "dev")
    credentials = services.credentials(kitchen)
    session = connect(credentials, application="tests")
    session.execute("CREATE TABLE held (id int)")
    session.connection.autocommit = False
    session.query("SELECT * FROM held")  # an open transaction that would block dropping the table
    subprocess.run(["rm", "-r", str(worktree_of(shop, "profit"))], check=True)
    shop.kitchen("delete", "profit", "--yes")
    with pytest.raises(Exception, match=r"terminat|closed|EOF"):
        session.query("SELECT 1")
    assert "no kitchen 'profit'" in shop.kitchen("delete", "profit", "--yes", expect=3).stderr


def test_a_child_reads_its_parent_and_an_isolated_one_does_not(shop: Project) -> None:
    shop.kitchen("create", "parent")
    shop.kitchen("create", "child", "--parent", "parent")
    shop.kitchen("create", "alone", "--parent", "parent", "--isolated")
    shop.kitchen("enter", "parent", "--", "psql", "-X", "-q", "-c", "CREATE TABLE t AS SELECT 5 AS five")
    ask = ("--", "psql", "-X", "-A", "-t", "-c")
    assert shop.kitchen("enter", "child", *ask, "SELECT five FROM t").stdout.strip() == "5"
    shop.kitchen("enter", "child", *ask, "UPDATE t SET five = 6", expect=1)
    shop.kitchen("enter", "alone", *ask, "SELECT five FROM parent.t", expect=1)
    shop.kitchen("create", "below", "--parent", "alone")
    path = shop.kitchen("enter", "below", *ask, "SHOW search_path").stdout
    assert "alone" in path
    assert "parent" not in path, "a child of an isolated kitchen reads what that reads"
    shop.kitchen("delete", "below", "--yes")
    tree = shop.kitchen("tree").stdout.splitlines()
    mine = [line for line in tree if line.strip().startswith(("parent", "child", "alone"))]
    assert [line[: line.index("-0") + 2] for line in mine] == [
        "   parent  +0 -0", "      alone  +0 -0", "      child  +0 -0",
    ]  # fmt: skip
    assert "1 table, 8.0 kB  ann@example.com" in mine[0]


def test_quotas_and_ttl(bench: Bench, shop: Project) -> None:
    settings = shop.root / "environments" / "dev.yaml"
    before = settings.read_text()
    settings.write_text(before.replace("per_person: 500", "per_person: 1"))
    try:
        shop.kitchen("create", "one", "--ttl", "12h")
        assert "allows 1 each" in shop.kitchen("create", "two", expect=5).stderr
        assert "no duration" in shop.kitchen("create", "two", "--ttl", "soon", expect=2).stderr
    finally:
        settings.write_text(before)
    (one,) = [each for each in document(shop, "list") if each["name"] == "one"]  # type: ignore[union-attr, attr-defined]
    left = datetime.fromisoformat(one["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=11) < left < timedelta(hours=12)
    assert "one expires" in shop.kitchen("list").stderr
    app = bench.fresh()
    services, kitchen = app.find("one", "dev")
    expired = replace(kitchen, expires_at=datetime.now(UTC) - timedelta(hours=1))
    services.control.kitchens.save(expired, expected=State.READY)
    services.control.session.close()
    assert "one: expired" in shop.kitchen("prune", "--dry-run").stderr
    assert kitchens_of(shop) == ["one"]
    shop.kitchen("prune", "--yes")
    assert kitchens_of(shop) == []


def test_edit_and_hand(shop: Project) -> None:
    for nobody in ("", " ", "a\nb"):
        assert "names nobody" in shop.kitchen("create", "profit", "--staff", nobody, expect=2).stderr
    shop.kitchen("create", "profit", "--staff", "bob", "--staff", "bob")
    cleared = document(shop, "edit", "profit", "--staff", "")
    assert isinstance(cleared, dict)
    assert cleared["staff"] == []
    edited = document(shop, "edit", "profit", "--ttl", "1h", "--ticket", "ABC-2", "--staff", "bob", "--staff", "eve")
    assert isinstance(edited, dict)
    assert (edited["ticket"], edited["staff"]) == ("ABC-2", ["bob", "eve"])
    handed = document(shop, "hand", "profit", "bob@example.com")
    assert isinstance(handed, dict)
    assert handed["owner"] == "bob@example.com"
    assert handed["expires_at"] == edited["expires_at"]
    shop.kitchen("edit", "profit", expect=2)
    shop.kitchen("edit", "dev", "--ttl", "1h", expect=5)
    assert "profit" not in shop.kitchen("list", "--mine").stdout
    again = document(shop, "staff", "add", "bob@example.com", "-k", "profit")
    assert isinstance(again, dict)
    assert "bob@example.com" not in again["staff"], "whose it is needs not be let in"
    given = document(shop, "hand", "profit", "eve")
    assert isinstance(given, dict)
    assert given["staff"] == ["bob"]


def test_the_audit_tells_who_did_what(shop: Project) -> None:
    shop.kitchen("create", "profit")
    newest = document(shop, "audit", "list", "--limit", "2")
    assert [(each["phase"], each["action"], each["subject"], each["person"]) for each in newest] == [  # type: ignore[attr-defined, union-attr]
        ("outcome", "create", "profit", "ann@example.com"),
        ("intent", "create", "profit", "ann@example.com"),
    ]
    whole = shop.kitchen("audit", "verify").stderr
    assert "the audit of dev is whole" in whole
    assert "the audit of production is whole" in whole
    assert "nothing to recover" in shop.kitchen("recover").stderr


RECIPE = """
description: Begin and end
owner: tests
nodes:
  note: {sql: note.sql}
"""


def test_recipes_are_run_when_a_kitchen_is_made_and_before_it_goes(bench: Bench, shop: Project) -> None:
    settings = shop.root / "environments" / "dev.yaml"
    before, head = settings.read_text(), shop.git("rev-parse", "dev")
    folder = shop.root / "recipes" / "seed"
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "note.sql").write_text("CREATE TABLE seeded AS SELECT 1 AS id;\n")
    main = shop.git("rev-parse", "main")
    shop.commit("a recipe")
    shop.git("branch", "-f", "dev", "main")
    settings.write_text(before.replace("per_person: 500", "per_person: 500, on_create: [seed]"))
    try:
        shop.kitchen("create", "profit")
        assert (
            shop.kitchen("enter", "profit", "--", "psql", "-X", "-A", "-t", "-c", "TABLE seeded").stdout.strip() == "1"
        )
        settings.write_text(before.replace("per_person: 500", "per_person: 500, on_delete: [missing]"))
        shop.kitchen("delete", "profit", "--yes", expect=3)
        assert kitchens_of(shop) == ["profit"], "before it is marked, a recipe that cannot run keeps it"
        settings.write_text(before)
        shop.kitchen("delete", "profit", "--yes")
        (folder / "note.sql").write_text("SELECT 1 / 0 AS wrong;\n")
        shop.commit("a recipe that breaks")
        shop.git("branch", "-f", "dev", "main")
        settings.write_text(before.replace("per_person: 500", "per_person: 500, on_create: [seed]"))
        broken = shop.kitchen("create", "loss", expect=7)
        assert "recipe 'seed'" in broken.stderr
        assert "kitchen recover" in broken.stderr
        (worktree_of(shop, "loss") / "recipes" / "seed" / "note.sql").write_text(
            "CREATE TABLE seeded AS SELECT 2 AS id;\n"
        )
        shop.kitchen("recover")
        assert shop.kitchen("enter", "loss", "--", "psql", "-X", "-A", "-t", "-c", "TABLE seeded").stdout.strip() == "2"
        settings.write_text(before)
        shop.kitchen("delete", "loss", "--yes", "--force")
    finally:
        settings.write_text(before)
        shop.git("reset", "-q", "--hard", main)
        shop.git("branch", "-f", "dev", head)


def test_a_copy_of_everything_is_ones_own(shop: Project) -> None:
    shop.kitchen("create", "parent")
    shop.kitchen("enter", "parent", "--", "psql", "-X", "-q", "-c", "CREATE TABLE t AS SELECT 5 AS five")
    try:
        shop.kitchen("create", "copied", "--parent", "parent", "--data", "copy")
        shop.kitchen("enter", "copied", "--", "psql", "-X", "-q", "-c", "UPDATE t SET five = 6")
        shop.kitchen("enter", "parent", "--", "psql", "-X", "-q", "-c", "UPDATE t SET five = 7")
        assert shop.kitchen("enter", "copied", "--", "psql", "-X", "-A", "-t", "-c", "TABLE t").stdout.strip() == "6"
        assert "is no share" in shop.kitchen("create", "some", "--data", "sample:ten", expect=2).stderr
    finally:
        shop.kitchen("delete", "copied", "--yes")
