"""Kitchens on branches of any name that git allows, on real servers: made, worked in, listed and deleted."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.bench import Bench, opened
from tests.cli.kitchens import document, leaving_nothing, worktree_of
from tests.support import Project


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with opened("dev") as made:
        yield made


@pytest.fixture
def shop(bench: Bench) -> Iterator[Project]:
    with leaving_nothing(bench) as project:
        yield project


@pytest.mark.parametrize(
    "branch", ["féature/日本.1", "x" * 200 + "/" + "y" * 200, "2024", "@", "it's;$(id)&%p", "pg_x"], ids=range(6)
)
def test_a_branch_that_git_allows_has_a_kitchen(shop: Project, branch: str) -> None:
    subprocess.run(["git", "check-ref-format", "--branch", branch], check=True, capture_output=True)
    made = document(shop, "create", "--branch", branch)
    assert isinstance(made, dict)
    name = made["kitchen"]["name"]
    worktree = worktree_of(shop, name)
    (worktree / "new.txt").write_text(branch)
    for words in (["add", "--all"], ["commit", "--quiet", "-m", "work"]):
        subprocess.run(["git", *words], cwd=worktree, env=shop.environ, check=True)
    told = document(shop, "status", name)
    assert isinstance(told, dict)
    assert (told["overview"]["branch"], told["overview"]["ahead"]) == (branch, 1)
    again = shop.kitchen("create", "--branch", branch, expect=4).stderr
    assert f"there is a kitchen {name!r} already on branch {branch}" in again
    shop.kitchen("merge", name, "--dry-run")
    assert shop.kitchen("enter", name, "--", "git", "branch", "--show-current").stdout.strip() == branch
    shop.kitchen("delete", name, "--force", "--yes")
    assert shop.git("for-each-ref", "refs/heads", "--format=%(refname:short)").split() == ["dev", "main"]


def test_branches_that_differ_by_case_have_two_kitchens(shop: Project) -> None:
    names = {document(shop, "create", "--branch", branch)["kitchen"]["name"] for branch in ("Profit", "profit")}  # type: ignore[index, call-overload]
    assert len(names) == 2
    said = shop.kitchen("create", "profit", expect=4).stderr
    assert "there is a kitchen 'profit' already" in said
