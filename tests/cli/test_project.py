"""``kitchen init`` and ``kitchen environment show``, as they are typed."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kitchen.adapters.git import open_repository
from kitchen.operations.project import EXAMPLE, project_id
from tests.support import REPOSITORY, Project


@pytest.fixture
def empty(tmp_path: Path) -> Project:
    """Return a project that is not made yet."""
    return Project(tmp_path / "shop", tmp_path / "home")


def test_init_makes_a_project_where_nothing_was(empty: Project, tmp_path: Path) -> None:
    shown = empty.kitchen("init", str(empty.root), "--dry-run", cwd=tmp_path)
    assert "would add environments/dev.yaml" in shown.stderr
    assert not empty.root.exists()
    empty.kitchen("init", str(empty.root), cwd=tmp_path)
    assert sorted(path.name for path in empty.root.iterdir()) == [".git", "environments"]
    assert empty.git("log", "--format=%s") == "Begin the project"
    assert empty.git("status", "--porcelain") == ""
    assert "tables: {}\n" in (empty.root / "environments" / "masking.yaml").read_text()
    assert "/.kitchen/" in (empty.root / ".git" / "info" / "exclude").read_text().splitlines()


def test_init_with_the_example_carries_the_repositorys_own_files(empty: Project, tmp_path: Path) -> None:
    empty.kitchen("init", str(empty.root), "--example", cwd=tmp_path)
    for folder in ("environments", "recipes"):
        theirs = {
            p.relative_to(REPOSITORY) for p in (REPOSITORY / folder).rglob("*") if p.is_file() and p.suffix != ".pyc"
        }
        ours = {p.relative_to(empty.root) for p in (empty.root / folder).rglob("*") if p.is_file()}
        assert ours == theirs
        assert all((empty.root / path).read_bytes() == (REPOSITORY / path).read_bytes() for path in ours)
    assert (EXAMPLE / "retail.sql").is_file()


def test_init_only_adds(empty: Project) -> None:
    (empty.root / "environments").mkdir(parents=True)
    (empty.root / "environments" / "dev.yaml").write_text("mine: 1\n")
    refused = empty.kitchen("init", expect=2)
    assert "--yes" in refused.stderr
    assert not (empty.root / ".git").exists()
    empty.kitchen("init", "--yes")
    assert (empty.root / "environments" / "dev.yaml").read_text() == "mine: 1\n"
    assert (empty.root / "environments" / "production.yaml").exists()
    answer = subprocess.run(["git", "log"], cwd=empty.root, capture_output=True, text=True, check=False)
    assert "does not have any commits" in answer.stderr, "what was there is not committed unasked"
    assert "added" not in empty.kitchen("init").stderr


def test_init_refuses_links_and_folders_inside_a_project(empty: Project, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    empty.root.mkdir()
    (empty.root / "environments").symlink_to(tmp_path / "elsewhere")
    empty.kitchen("init", "--yes", expect=4)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    (empty.root / "environments").unlink()
    empty.kitchen("init", "--yes")
    inside = empty.kitchen("init", "environments", expect=2)
    assert str(empty.root) in inside.stderr


def test_two_commands_at_once_agree_on_the_project(empty: Project) -> None:
    empty.kitchen("init", str(empty.root), cwd=empty.root.parent)
    code = "from pathlib import Path; from kitchen.app import App; print(App(Path.cwd()).project_id)"

    def ask(_: int) -> str:
        return subprocess.run(
            [sys.executable, "-c", code], cwd=empty.root, env=empty.environ, capture_output=True, text=True, check=True
        ).stdout.strip()

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(ask, range(8)))
    assert found == {project_id(open_repository(empty.root))}


def test_the_chain_is_shown(empty: Project) -> None:
    empty.kitchen("init", str(empty.root), cwd=empty.root.parent)
    chain = json.loads(empty.kitchen("environment", "show", "--json").stdout)
    assert [(e["name"], e["parent"], e["branch"]) for e in chain] == [
        ("production", None, "main"),
        ("dev", "production", "dev"),
    ]
    dev = json.loads(empty.kitchen("environment", "show", "dev", "--json").stdout)
    assert dev == chain[1]
    assert "branch: dev" in empty.kitchen("environment", "show", "dev").stdout
    empty.kitchen("environment", "show", "nowhere", expect=3)
    embedded = empty.kitchen("environment", "install", "dev", expect=2)
    assert "kitchen up dev" in embedded.stderr
