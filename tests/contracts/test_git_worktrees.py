"""The Repository port on git: worktrees that come, go, follow their branch and are made whole."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from kitchen.adapters.git import GitRepository, open_repository
from kitchen.errors import Conflict, InvalidInput, NotFound
from kitchen.operations.delivery import refuse_dirty
from kitchen.operations.unfinished import way_out
from kitchen.ports import Changes, RefUpdate
from tests.contracts.repositories import change, git, head, make_root


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return make_root(tmp_path / "project", monkeypatch)


@pytest.fixture
def repository(root: Path) -> GitRepository:
    return open_repository(root)


def test_a_worktree_comes_and_goes(repository: GitRepository, root: Path) -> None:
    path = root / ".kitchen" / "worktrees" / "dev"
    repository.add_worktree(path, "dev")
    repository.add_worktree(path, "dev")
    assert repository.worktrees() == {root: "main", path: "dev"}
    assert repository.changes(root) == (), "the folder of worktrees is ignored"
    (path / "new.sql").write_text("x")
    (path / "a.sql").write_text("changed")
    assert set(repository.changes(path)) == {"new.sql", "a.sql"}
    repository.remove_worktree(path)
    repository.remove_worktree(path)
    assert repository.worktrees() == {root: "main"}
    assert not path.exists()
    assert repository.head("dev") is not None


def test_a_branch_checked_out_elsewhere_or_a_full_folder_conflict(repository: GitRepository, root: Path) -> None:
    with pytest.raises(Conflict):
        repository.add_worktree(root / ".kitchen" / "worktrees" / "m", "main")
    taken = root / ".kitchen" / "worktrees" / "dev"
    taken.mkdir(parents=True)
    (taken / "mine.txt").write_text("precious")
    with pytest.raises(Conflict):
        repository.add_worktree(taken, "dev")
    with pytest.raises(Conflict):
        repository.remove_worktree(taken)
    assert (taken / "mine.txt").read_text() == "precious"
    with pytest.raises(InvalidInput):
        repository.remove_worktree(root)
    assert (root / "a.sql").exists()
    with pytest.raises(NotFound):
        repository.add_worktree(root / ".kitchen" / "worktrees" / "x", "nobody")


@pytest.mark.parametrize("damage", ["folder gone", "git forgot", "never finished"])
def test_half_a_worktree_is_made_whole(repository: GitRepository, root: Path, damage: str) -> None:
    path = root / ".kitchen" / "worktrees" / "dev"
    repository.add_worktree(path, "dev")
    remembered = root / ".git" / "worktrees" / "dev"
    if damage == "folder gone":
        subprocess.run(["rm", "-rf", str(path)], check=True)
    elif damage == "git forgot":
        subprocess.run(["rm", "-rf", str(remembered)], check=True)
    else:
        (remembered / "locked").write_text("initializing")
        (path / "a.sql").unlink()
        (remembered / "index").unlink()
        assert repository.is_half_made(path), "not to be worked in"
    repository.add_worktree(path, "dev")
    assert not repository.is_half_made(path)
    assert repository.changes(path) == ()
    assert (path / "a.sql").read_text() == "one\n"
    repository.remove_worktree(path)
    assert list(repository.worktrees()) == [root]


def test_a_clean_worktree_follows_its_branch(repository: GitRepository, root: Path) -> None:
    old = head(repository)
    git(root, "switch", "-q", "dev")
    (root / "gone.sql").write_text("x")
    middle = change(root, "two\n")
    (root / "gone.sql").unlink()
    (root / "new.sql").write_text("new\n")
    new = change(root, "three\n")
    git(root, "switch", "-q", "main")
    for before, after in ((old, middle), (middle, new)):
        repository.update_refs([RefUpdate("refs/heads/main", after, before)], reason="merge")
        os.utime(root / "recipes" / "b.sql")  # touched, not changed
        repository.follow(root, before, after)
        repository.follow(root, before, after)
        assert repository.changes(root) == ()
    assert ((root / "a.sql").read_text(), (root / "new.sql").exists()) == ("three\n", True)
    assert not (root / "gone.sql").exists()


def test_following_goes_on_where_a_process_was_killed(repository: GitRepository, root: Path) -> None:
    old = head(repository)
    git(root, "switch", "-q", "dev")
    (root / "new.sql").write_text("new\n")
    new = change(root, "two\n")
    git(root, "switch", "-q", "main")
    repository.update_refs([RefUpdate("refs/heads/main", new, old)], reason="merge")
    (root / "new.sql").write_text("new\n")  # this much had been written, and the index had not
    repository.follow(root, old, new)
    assert repository.changes(root) == ()
    assert (root / "a.sql").read_text() == "two\n"


def test_following_never_overwrites_edits(repository: GitRepository, root: Path) -> None:
    old = head(repository)
    git(root, "switch", "-q", "dev")
    new = change(root, "two\n")
    git(root, "switch", "-q", "main")
    repository.update_refs([RefUpdate("refs/heads/main", new, old)], reason="merge")
    (root / "a.sql").write_text("edited\n")
    with pytest.raises(Conflict, match=r"a\.sql"):
        repository.follow(root, old, new)
    assert (root / "a.sql").read_text() == "edited\n"


def test_a_lock_left_by_a_killed_git_is_removed_and_a_living_one_is_not(repository: GitRepository, root: Path) -> None:
    old = head(repository)
    lock = root / ".git" / "refs" / "heads" / "dev.lock"
    lock.touch()
    os.utime(lock, (time.time() - 3600,) * 2)
    new = repository.commit_tree(repository.tree_of(old), [old], "next")
    worker = subprocess.Popen(["git", "cat-file", "--batch"], cwd=root, stdin=subprocess.PIPE)  # some git at work here
    try:
        with pytest.raises(Conflict):
            repository.update_refs([RefUpdate("refs/heads/dev", new, old)], reason="blocked")
        assert lock.exists()
    finally:
        worker.communicate(timeout=10)
    repository.update_refs([RefUpdate("refs/heads/dev", new, old)], reason="free")
    assert (repository.head("dev"), lock.exists()) == (new, False)


def test_what_is_advised_there_can_be_typed_though_a_folder_has_a_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_root(tmp_path / "my shop", monkeypatch)
    repository = open_repository(root)
    path = root / ".kitchen" / "worktrees" / "dev"
    repository.add_worktree(path, "dev")
    (path / "a file.sql").write_text("new\n")
    with pytest.raises(Conflict) as refused:
        refuse_dirty(repository, "dev", any_change=True)
    assert refused.value.hint is not None
    command = refused.value.hint.partition(", or")[0].removesuffix("commit") + "commit -m work"
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True)
    assert repository.changes(path) == ()
    for what in ("merge", "rebase", None):
        said = way_out(root, Changes(("a file.sql",), ("a file.sql",), what))
        assert f"git -C '{root}' add 'a file.sql', then git -C '{root}' " in said
