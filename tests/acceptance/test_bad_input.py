"""What bad input gets: the right exit code, words that name file, line and next command, and nothing changed."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import Look
from tests.conftest import _home
from tests.support import REPOSITORY, Project

RECIPE = """\
description: something
nodes:
  one: {sql: one.sql}
  two: {sql: two.sql}
tests: {}
"""
SQL = {
    "one.sql": "DROP TABLE IF EXISTS one;\nCREATE TABLE one AS SELECT 1 AS a;\n",
    "two.sql": "DROP TABLE IF EXISTS two;\nCREATE TABLE two AS SELECT a FROM one;\n",
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Return a project whose environments are up, with one kitchen and a small table behind it."""
    home = _home()
    made = Project(tmp_path_factory.mktemp("bad") / "project", home)
    made.root.mkdir()
    try:
        made.git("init", "-q", "-b", "main")
        made.git("config", "user.name", "Ann Tester")
        made.git("config", "user.email", "ann@example.com")
        shutil.copytree(REPOSITORY / "environments", made.root / "environments")
        (made.root / "environments" / "masking.yaml").write_text("tables: {t: {a: {mask: keep, why: a number}}}\n")
        (made.root / "recipes").mkdir()
        made.commit("start")
        made.kitchen("up")
        made.kitchen("enter", "production", "--", "psql", "-X", "-q", "-c", "CREATE TABLE t AS SELECT 1 AS a")
        made.kitchen("pantry", "refresh", "--yes")
        made.kitchen("create", "taken")
        yield made
    finally:
        made.stop()
        shutil.rmtree(home, ignore_errors=True)


def state(project: Project, look: Look) -> tuple[object, ...]:
    """Return everything that a refused command must leave as it was."""
    with look(project, "dev") as dev:
        return (
            project.git("for-each-ref"),
            project.git("worktree", "list"),
            dev.query("SELECT nspname FROM pg_namespace ORDER BY 1"),
            dev.query("SELECT rolname FROM pg_roles ORDER BY 1"),
            dev.query("SELECT relname FROM pg_class WHERE relkind IN ('r', 'v') AND oid > 16384 ORDER BY 1"),
            [kitchen["name"] for kitchen in json.loads(project.kitchen("list", "--json").stdout)],
        )


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("taken", 4, ("taken", "try:")),
        ("main", 2, ("reserved", "try:")),
        ("pantry_v3", 2, ("reserved",)),
        ("a" * 25, 2, ("too long", "24")),
        ("../x", 2, ("cannot be the name of a kitchen", "try:")),
        ("a;b", 2, ("cannot be the name of a kitchen", "try:")),
        ("é", 2, ("cannot be the name of a kitchen", "try:")),
        ("", 2, ("cannot be the name of a kitchen",)),
        ("a__b", 2, ("cannot be the name of a kitchen",)),
        ("A", 2, ("cannot be the name of a kitchen",)),
    ],
)
def test_names(running: Project, look: Look, name: str, code: int, words: tuple[str, ...]) -> None:
    before = state(running, look)
    refused = running.kitchen("create", name, expect=code)
    assert all(word in refused.stderr for word in words), refused.stderr
    assert "Traceback" not in refused.stderr
    assert state(running, look) == before


@pytest.mark.parametrize("arguments", [("create", "--", "--help"), ("create", "--", "-x")])
def test_names_that_look_like_options(running: Project, look: Look, arguments: tuple[str, ...]) -> None:
    before = state(running, look)
    running.kitchen(*arguments, expect=2)
    assert state(running, look) == before


@pytest.mark.parametrize("branch", ["--upload-pack=x", "a..b", "-D", "a b", "refs/heads/x"])
def test_branches(running: Project, look: Look, branch: str) -> None:
    before = state(running, look)
    running.kitchen("create", "fresh", f"--branch={branch}", expect=2)
    assert state(running, look) == before


def written(project: Project, recipe: str = RECIPE, files: dict[str, str] | None = None) -> Path:
    worktree = project.root / ".kitchen" / "worktrees" / "taken"
    folder = worktree / "recipes" / "bad"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(recipe)
    for name, text in (SQL if files is None else files).items():
        (folder / name).write_text(text)
    return worktree


@pytest.mark.parametrize(
    ("recipe", "files", "words"),
    [
        (
            RECIPE.replace("one: {sql: one.sql}", "one: {sql: one.sql, after: [two]}"),
            None,
            ("one", "two", "recipe.yaml"),
        ),
        (RECIPE.replace("nodes:", "nodez:"), None, ("recipe.yaml:2", "nodez", "nodes")),
        (RECIPE.replace("{sql: two.sql}", "{sql: two.sql, retrys: 2}"), None, ("recipe.yaml:4", "retrys", "retries")),
        (RECIPE, {"one.sql": SQL["one.sql"]}, ("two.sql", "recipe.yaml:4")),
        (RECIPE + "nodes: {}\n", None, ("recipe.yaml:6", "nodes")),
        (RECIPE.replace("something", "&a x"), None, ("recipe.yaml:1",)),
    ],
    ids=["cycle", "unknown key", "unknown key of a node", "missing file", "key twice", "anchor"],
)
def test_recipes_that_cannot_be_read(
    running: Project, look: Look, recipe: str, files: dict[str, str] | None, words: tuple[str, ...]
) -> None:
    worktree = written(running, recipe, files)
    before = state(running, look)
    for command in (("recipe", "check", "bad"), ("run", "bad")):
        refused = running.kitchen(*command, cwd=worktree, expect=2)
        assert all(word in refused.stderr for word in words), refused.stderr
    assert state(running, look) == before


def test_a_table_that_nobody_has(running: Project, look: Look) -> None:
    worktree = written(running, files=SQL | {"one.sql": "CREATE TABLE one AS SELECT a FROM nowhere;\n"})
    before = state(running, look)
    for command in (("recipe", "check", "bad"), ("run", "bad")):
        refused = running.kitchen(*command, cwd=worktree, expect=2)
        assert "one.sql:1" in refused.stderr
        assert "nowhere" in refused.stderr
    assert state(running, look) == before


def test_no_project(running: Project, tmp_path: Path) -> None:
    for command in (("list",), ("create", "x"), ("up",), ("run", "x"), ("merge",), ("doctor",)):
        refused = running.kitchen(*command, cwd=tmp_path, expect=3)
        assert "kitchen init" in refused.stderr


@pytest.mark.parametrize(
    "command", [("show", "nobody"), ("enter", "nobody", "--", "true"), ("delete", "nobody", "--yes"), ("run", "nobody"),
                ("merge", "nobody", "--yes"), ("up", "nowhere"), ("promote", "nowhere"),
                ("hydrate", "nothing", "-k", "taken")]
)  # fmt: skip
def test_what_nobody_has(running: Project, look: Look, command: tuple[str, ...]) -> None:
    before = state(running, look)
    worktree = running.root / ".kitchen" / "worktrees" / "taken"
    refused = running.kitchen(*command, expect=3, cwd=worktree)
    assert "error:" in refused.stderr
    assert state(running, look) == before


def test_a_dirty_worktree_is_not_merged_and_not_lost(running: Project, look: Look) -> None:
    worktree = written(running)
    before = state(running, look)
    refused = running.kitchen("merge", "taken", "--yes", expect=4)
    assert "recipes/bad" in refused.stderr
    kept = running.kitchen("delete", "taken", "--yes", expect=5)
    assert "recipes/bad" in kept.stderr
    assert (worktree / "recipes" / "bad" / "one.sql").exists()
    assert state(running, look) == before


def test_an_environment_file_with_a_mistake(running: Project) -> None:
    file = running.root / "environments" / "dev.yaml"
    before = file.read_text()
    try:
        file.write_text(before.replace("kitchens:", "kitchen:"))
        refused = running.kitchen("list", expect=2)
        assert "environments/dev.yaml:" in refused.stderr
        assert "did you mean" in refused.stderr
    finally:
        file.write_text(before)


def test_a_server_that_is_down(running: Project) -> None:
    """A stopped embedded server is started on demand; one that cannot start is exit 6 and says what to type."""
    identity = (running.root / ".git" / "kitchen" / "id").read_text().strip()
    settings = running.home / identity / "dev" / "postgres" / "data" / "postgresql.auto.conf"
    running.kitchen("down")
    kept = settings.read_text()
    try:
        settings.write_text("shared_preload_libraries = 'nowhere'\n")
        refused = running.kitchen("create", "later", expect=6)
        assert "try:" in refused.stderr
    finally:
        settings.write_text(kept)
    running.kitchen("create", "later")
    running.kitchen("delete", "later", "--yes")


def test_a_server_of_somebody_else_that_is_down(running: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    file = running.root / "environments" / "dev.yaml"
    before = file.read_text()
    warehouse = f"{{kind: postgres, host: 127.0.0.1, port: {port}, database: w, tls: disable}}"
    try:
        file.write_text(before.replace("warehouse: {kind: embedded}", f"warehouse: {warehouse}"))
        refused = running.kitchen("create", "later", expect=6)
        assert str(port) in refused.stderr
        assert "ask whoever runs the server on 127.0.0.1" in refused.stderr.split("try:")[1]
    finally:
        file.write_text(before)


def test_usage(running: Project) -> None:
    refused = running.kitchen("crate", "x", expect=2)
    assert "create" in refused.stderr
    running.kitchen("create", expect=2)
    running.kitchen("list", "--nonsense", expect=2)
