"""Clones that are not whole: the story of a change goes through, or says what is missing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.external import psql
from tests.acceptance.test_two_machines import cook, folder
from tests.conftest import _home
from tests.support import Project

CLONES = {
    "single branch": ["--single-branch", "--branch", "main"],
    "without blobs": ["--filter=blob:none"],
    "without trees": ["--filter=tree:0"],
    "other name": ["--origin", "upstream"],
    "ends of lines": ["--config", "core.autocrlf=true"],
}


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[tuple[Project, Path]]:
    """Return a project that is not cloned yet, and the bare repository to clone it from."""
    home = _home()
    made = Project(tmp_path / "clone", home)
    source, bare = Project(tmp_path / "source", home), tmp_path / "shared.git"
    (source.root / "environments").mkdir(parents=True)
    config = tmp_path / "gitconfig"
    config.write_text("[user]\n\tname = Ann\n\temail = ann@example.com\n")
    for each in (made, source):
        each.environ["GIT_CONFIG_GLOBAL"] = str(config)
    for name, text in (("production", "branch: main\n"), ("dev", "parent: production\nbranch: dev\n")):
        (source.root / "environments" / f"{name}.yaml").write_text(text)
    source.git("init", "-q", "-b", "main")
    for number in range(3):
        (source.root / "notes.txt").write_text(f"{number}\n" * 3)
        source.commit(f"note {number}")
    source.git("checkout", "-q", "-b", "dev")
    for number in range(3, 6):  # what no clone of main alone has
        (source.root / "notes.txt").write_text(f"{number}\n" * 3)
        source.commit(f"note {number}")
    source.git("init", "-q", "--bare", "-b", "main", str(bare))
    for key in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        source.git("--git-dir", str(bare), "config", key, "true")
    source.git("remote", "add", "origin", str(bare))
    source.git("push", "-q", "origin", "main", "dev")
    try:
        yield made, bare
    finally:
        made.stop()
        shutil.rmtree(home, ignore_errors=True)


def _clone(project: Project, bare: Path, *options: str) -> None:
    project._run(["git", "clone", "-q", *options, f"file://{bare}", str(project.root)], bare, None, 60, 0)


def _there(project: Project, bare: Path, branch: str) -> str:
    return project.git("--git-dir", str(bare), "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")


@pytest.mark.parametrize("kind", CLONES)
def test_a_change_goes_through(shared: tuple[Project, Path], kind: str) -> None:
    project, bare = shared
    _clone(project, bare, *CLONES[kind])
    if kind == "other name":
        project.git("config", "kitchen.remote", "upstream")
        project.git("remote", "add", "origin", f"{os.devnull}/nothing")
    project.kitchen("up", "dev")
    project.kitchen("create", "profit")
    assert _there(project, bare, "profit"), "pushed"
    assert (folder(project, "profit") / "notes.txt").read_text() == "5\n" * 3
    commit = cook(project, "profit", 7)
    project.kitchen("run", "counting", cwd=folder(project, "profit"))
    project.kitchen("update", "profit")
    assert _there(project, bare, "profit") == commit
    assert project.git("-C", str(folder(project, "profit")), "status", "--porcelain") == ""
    project.kitchen("diff", "profit")
    project.kitchen("merge", "profit", "--yes")
    assert psql(project, "dev", "SELECT number FROM counted") == "7"
    project.kitchen("release", "rollback", "-e", "dev", "--yes")
    project.kitchen("delete", "profit", "--yes", "--force")
    assert _there(project, bare, "profit") == ""


def test_a_shallow_clone_says_what_it_lacks(shared: tuple[Project, Path]) -> None:
    project, bare = shared
    _clone(project, bare, "--depth", "1")
    project.kitchen("up", "dev")
    project.kitchen("create", "profit")
    cook(project, "profit", 7)
    project.kitchen("update", "profit")
    for command in (["merge", "profit", "--yes"],):
        project.kitchen(*command)
    project.kitchen("delete", "profit", "--yes")
