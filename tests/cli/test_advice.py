"""What ``list``, ``tree`` and ``status`` say is next is a command: it is typed here just as it stands there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.bench import Bench, opened
from tests.cli.kitchens import document, leaving_nothing, worktree_of
from tests.support import Project

_RECIPE = "description: Numbers\nnodes:\n  numbers: {sql: numbers.sql}\n"
_WAITS = ("enter",)  # for somebody who types
_DRY = ("create", "delete", "merge", "promote", "recover", "run", "update")  # would change what the next look is at


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with opened("dev") as made:
        yield made


@pytest.fixture
def shop(bench: Bench) -> Iterator[Project]:
    with leaving_nothing(bench) as project:
        yield project


def told(project: Project, name: str) -> dict[str, str]:
    """Return what each of the three says is next in a kitchen."""

    def flat(found: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for each in found:
            yield each
            yield from flat(each["children"])

    listed = {each["name"]: each["next"] for each in document(project, "list")}  # type: ignore[attr-defined]
    drawn = {each["name"]: each["next"] for each in flat(document(project, "tree"))}  # type: ignore[arg-type]
    status = document(project, "status", name)
    assert isinstance(status, dict)
    return {"list": listed[name], "tree": drawn[name], "status": status["next"]}


def paste(project: Project, command: str) -> subprocess.CompletedProcess[str]:
    """Type a command in the project's folder, into a shell, with nothing put in but what keeps it from going on."""
    verb = command.split()[1]
    if command.startswith("kitchen "):
        command += " -- true" if verb in _WAITS else " --dry-run" if verb in _DRY and "--help" not in command else ""
    shell = f'kitchen() {{ "{sys.executable}" -m kitchen "$@"; }}\n{command}\n'
    return subprocess.run(
        ["bash", "-c", shell], cwd=project.root, env=project.environ | {"GIT_EDITOR": "echo work >"}, check=False,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def all_work(project: Project, name: str, *, expect: int = 0) -> dict[str, str]:
    """Return what is next in a kitchen, after each of the three was typed."""
    found = told(project, name)
    for command in dict.fromkeys(found.values()):
        answer = paste(project, command)
        assert answer.returncode == expect, f"{command}\n{answer.stdout}{answer.stderr}"
    return found


def git(tree: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=tree, check=True, capture_output=True)


def written(tree: Path, sql: str) -> None:
    folder = tree / "recipes" / "numbers"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.yaml").write_text(_RECIPE)
    (folder / "numbers.sql").write_text(sql)


def test_from_the_first_day_of_a_kitchen_to_its_merge(shop: Project) -> None:
    shop.kitchen("create", "profit")
    tree = worktree_of(shop, "profit")
    assert all_work(shop, "dev")["list"] == "kitchen enter dev"
    assert set(all_work(shop, "profit").values()) == {"kitchen enter profit"}
    (tree / "environments" / "notes.md").write_text("something\n")
    assert all_work(shop, "profit")["status"] == f"git -C {tree} add --all && git -C {tree} commit"
    assert shop.git("log", "-1", "--format=%s", "profit") == "work", "and not whatever lies in the project's folder"
    assert all_work(shop, "profit") == {
        "list": "kitchen status profit", "tree": "kitchen status profit", "status": "kitchen recipe list -k profit",
    }  # fmt: skip
    written(tree, "CREATE TABLE numbers AS SELECT 1 / 0 AS n")
    git(tree, "add", "--all")
    git(tree, "commit", "-q", "-m", "a recipe")
    assert all_work(shop, "profit")["status"] == "kitchen run numbers -k profit"
    shop.kitchen("run", "numbers", "-k", "profit", expect=None)
    runs = document(shop, "runs", "list", "-k", "profit")
    assert isinstance(runs, list)
    assert set(all_work(shop, "profit").values()) == {f"kitchen runs show {runs[0]['id'][:8]}"}
    written(tree, "CREATE TABLE numbers AS SELECT 1 AS n")
    git(tree, "commit", "-q", "-a", "-m", "a better recipe")
    shop.kitchen("run", "numbers", "-k", "profit")
    assert set(all_work(shop, "profit").values()) == {"kitchen merge profit"}


def test_behind_and_in_conflict(shop: Project) -> None:
    shop.kitchen("create", "above")
    shop.kitchen("create", "below", "--parent", "above")
    for name in ("above", "below"):
        (worktree_of(shop, name) / "environments" / "notes.md").write_text(f"{name}\n")
        git(worktree_of(shop, name), "add", "--all")
        git(worktree_of(shop, name), "commit", "-q", "-m", name)
    assert set(told(shop, "below").values()) == {"kitchen update below"}
    assert paste(shop, "kitchen update below").returncode == 4, "understood, and in conflict"
    shop.kitchen("resolve", "below", expect=4)
    tree = worktree_of(shop, "below")
    assert told(shop, "below")["status"] == "kitchen resolve below"
    assert "environments/notes.md" in paste(shop, "kitchen resolve below").stdout
    git(tree, "checkout", "--ours", "environments/notes.md")
    git(tree, "add", "--all")
    assert told(shop, "below")["status"] == "kitchen resolve below"
    assert paste(shop, "kitchen resolve below").returncode == 0
    git(tree, "reset", "-q", "--hard", "HEAD^")
    subprocess.run(["git", "cherry-pick", "above"], cwd=tree, check=False, capture_output=True)
    assert "both " in paste(shop, told(shop, "below")["status"]).stdout
    (tree / "environments" / "notes.md").write_text("both\n")
    git(tree, "add", "--all")
    status = told(shop, "below")["status"]
    assert status == f"git -C {tree} cherry-pick --continue"
    assert paste(shop, status).returncode == 0
    assert not json.loads(shop.kitchen("status", "below", "--json").stdout)["changes"]


def test_what_was_interrupted(shop: Project) -> None:
    shop.kitchen("create", "profit")
    dies = "import os, sys; from kitchen.adapters.git.repository import GitRepository as git; "
    dies += (
        "git.remove_worktree = lambda *_: os._exit(9); sys.argv[0] = 'kitchen'; from kitchen.cli import main; main()"
    )
    killed = subprocess.run(
        [sys.executable, "-c", dies, "delete", "profit", "--yes"], cwd=shop.root, env=shop.environ, check=False
    )
    assert killed.returncode == 9
    found = all_work(shop, "profit")
    assert set(found.values()) == {found["list"]}
    assert found["list"].startswith("kitchen recover ")
    shop.kitchen("recover")
