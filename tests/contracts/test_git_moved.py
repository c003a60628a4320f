"""The Repository port on git: a project that was moved or copied keeps its worktrees and what is in them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kitchen.adapters.git import open_repository
from kitchen.errors import NotFound
from tests.contracts.repositories import git, make_root


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with a worktree in which something is staged, edited and new."""
    made = make_root(tmp_path / "project", monkeypatch)
    tree = _trees(made) / "dev"
    open_repository(made).add_worktree(tree, "dev")
    (tree / "a.sql").write_text("staged\n")
    git(tree, "add", "a.sql")
    (tree / "recipes" / "b.sql").write_text("edited\n")
    (tree / "new.sql").write_text("new\n")
    return made


def _trees(root: Path) -> Path:
    return root / ".kitchen" / "worktrees"


def _is_whole(root: Path) -> bool:
    tree = _trees(root) / "dev"
    states = set(git(tree, "status", "--porcelain").splitlines())
    return (
        states == {"M  a.sql", " M recipes/b.sql", "?? new.sql"}
        and open_repository(root).worktrees() == {root: "main", tree: "dev"}
        and open_repository(tree).root == root
    )


def test_nothing_is_done_where_nothing_moved(root: Path) -> None:
    assert open_repository(root).bring_along(_trees(root)) == ()


@pytest.mark.parametrize("times", [1, 2])
def test_a_moved_project_keeps_its_worktrees(root: Path, tmp_path: Path, times: int) -> None:
    for number in range(times):
        root = root.rename(tmp_path / f"moved it's {number}")
    assert open_repository(root).bring_along(_trees(root)) == (_trees(root) / "dev",)
    assert _is_whole(root)
    assert open_repository(root).bring_along(_trees(root)) == ()


def test_it_is_found_from_inside_a_worktree(root: Path, tmp_path: Path) -> None:
    moved = root.rename(tmp_path / "moved")
    found = open_repository(_trees(moved) / "dev" / "recipes")
    assert found.root == moved
    found.bring_along(_trees(moved))
    assert _is_whole(moved)


def test_another_project_in_the_old_place_is_left_alone(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = root.rename(tmp_path / "moved")
    other = make_root(root, monkeypatch)
    open_repository(other).add_worktree(_trees(other) / "dev", "dev")
    before = git(other, "worktree", "list")
    assert open_repository(_trees(moved) / "dev").root == moved
    assert open_repository(moved).bring_along(_trees(moved)) == (_trees(moved) / "dev",)
    assert _is_whole(moved)
    assert git(other, "worktree", "list") == before
    assert git(_trees(other) / "dev", "status", "--porcelain") == ""
    assert open_repository(other).bring_along(_trees(other)) == ()


def test_a_copy_gets_worktrees_of_its_own(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(root, copy, symlinks=True)
    assert open_repository(copy).bring_along(_trees(copy)) == (_trees(copy) / "dev",)
    assert _is_whole(copy)
    assert _is_whole(root)


def test_a_killed_repair_is_done_again(root: Path, tmp_path: Path) -> None:
    moved = root.rename(tmp_path / "moved")
    (moved / ".git" / "worktrees" / "dev" / "gitdir").write_text(f"{_trees(moved) / 'dev' / '.git'}\n")
    assert open_repository(moved).bring_along(_trees(moved)) == (_trees(moved) / "dev",)
    assert _is_whole(moved)


def test_worktrees_outside_the_project_come_along(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    open_repository(root).remove_worktree(_trees(root) / "dev")
    open_repository(root).add_worktree(outside / "dev", "dev")
    moved = root.rename(tmp_path / "moved")
    with pytest.raises(NotFound, match="was the project moved") as told:
        open_repository(outside / "dev")
    assert "kitchen list, in the project's main folder" in str(told.value.hint)
    assert open_repository(moved).bring_along(outside) == (outside / "dev",)
    assert open_repository(outside / "dev").root == moved


def test_a_folder_that_another_project_answers_for_stays_there(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_root(tmp_path / "other", monkeypatch)
    shutil.rmtree(_trees(root) / "dev")
    open_repository(other).add_worktree(_trees(root) / "dev", "dev")
    assert open_repository(root).bring_along(_trees(root)) == ()
    assert open_repository(_trees(root) / "dev").root == other
