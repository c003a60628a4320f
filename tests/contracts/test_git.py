"""The Repository port on git: projects, refs and history of real repositories."""

from __future__ import annotations

from pathlib import Path

import pytest

from kitchen.adapters.git import GitRepository, open_repository
from kitchen.errors import Conflict, InvalidInput, NotFound
from kitchen.ports import RefUpdate
from tests.contracts.repositories import ABSENT, change, git, head, make_root


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return make_root(tmp_path / "project", monkeypatch)


@pytest.fixture
def repository(root: Path) -> GitRepository:
    return open_repository(root)


def test_a_project_is_found_from_any_folder_and_from_its_worktrees(root: Path, repository: GitRepository) -> None:
    repository.add_worktree(root / ".kitchen" / "worktrees" / "dev", "dev")
    for start in (root, root / "recipes", root / ".kitchen" / "worktrees" / "dev" / "recipes"):
        found = open_repository(start)
        assert (found.root, found.common_dir) == (root, root / ".git")


def test_no_project_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        open_repository(tmp_path)
    assert caught.value.hint is not None
    assert "kitchen init" in caught.value.hint


def test_a_repository_kept_elsewhere_is_found(tmp_path: Path, root: Path) -> None:
    git(tmp_path, "clone", "-q", "--separate-git-dir", str(tmp_path / "kept"), str(root), str(tmp_path / "work"))
    found = open_repository(tmp_path / "work" / "recipes")
    assert (found.root, found.common_dir) == (tmp_path / "work", tmp_path / "kept")
    assert found.head("main") == open_repository(root).head("main")


def test_refs_are_read_by_name_and_hash(root: Path, repository: GitRepository) -> None:
    commit = head(repository)
    repository.tag("v1", commit, "first")
    assert repository.head("nobody") is None
    assert [repository.resolve(name) for name in ("main", "v1", "refs/heads/dev", commit, commit[:10], "HEAD")] == [
        commit
    ] * 6
    assert repository.resolve("nobody") is None
    assert repository.resolve(ABSENT) is None
    git(root, "branch", "abcdef1")
    assert repository.resolve("abcdef1") == commit, "a branch that looks like a hash is a branch"


def test_refs_move_all_or_none(repository: GitRepository, root: Path) -> None:
    old = head(repository)
    new = change(root, "two\n")
    repository.update_refs([RefUpdate("refs/heads/dev", new, old), RefUpdate("refs/tags/t", new, None)], reason="both")
    assert (repository.head("dev"), repository.resolve("t")) == (new, new)
    with pytest.raises(Conflict):
        repository.update_refs(
            [RefUpdate("refs/heads/fresh", new, None), RefUpdate("refs/heads/dev", old, old)], reason="one is wrong"
        )
    assert (repository.head("fresh"), repository.head("dev")) == (None, new)
    with pytest.raises(Conflict):
        repository.update_refs([RefUpdate("refs/heads/dev", old, None)], reason="it must not exist")
    repository.update_refs([RefUpdate("refs/heads/dev", None, new)], reason="delete")
    assert repository.head("dev") is None


def test_a_folder_of_branches_and_a_branch_of_that_name_conflict(repository: GitRepository) -> None:
    commit = head(repository)
    repository.update_refs([RefUpdate("refs/heads/feature", commit, None)], reason="one")
    with pytest.raises(Conflict):
        repository.update_refs([RefUpdate("refs/heads/feature/x", commit, None)], reason="two")


def test_tags_are_idempotent_and_never_move(repository: GitRepository, root: Path) -> None:
    first = head(repository)
    repository.tag("release-1", first, "# not a comment\n\nbody")
    repository.tag("release-1", first, "again")
    assert git(root, "cat-file", "-t", "release-1") == "tag"
    assert git(root, "tag", "-l", "--format=%(contents:subject)") == "# not a comment"
    second = change(root, "two\n")
    with pytest.raises(Conflict):
        repository.tag("release-1", second, "another")
    repository.delete_tag("release-1")
    repository.delete_tag("release-1")
    assert repository.resolve("release-1") is None


def test_merges_are_previewed_without_moving_anything(repository: GitRepository, root: Path) -> None:
    base = head(repository)
    ours = change(root, "ours\n")
    git(root, "switch", "-q", "dev")
    theirs = change(root, "more\n", "c.sql")
    clash = change(root, "theirs\n")
    before = git(root, "for-each-ref")

    clean = repository.preview_merge(ours, theirs)
    assert (clean.base, clean.conflicts, clean.is_up_to_date) == (base, (), False)
    assert clean.tree is not None
    commit = repository.commit_tree(clean.tree, [ours, theirs], "merge\n\n# kept")
    assert git(root, "show", f"{commit}:a.sql") == "ours"
    assert git(root, "show", f"{commit}:c.sql") == "more"
    assert git(root, "log", "-1", "--format=%P", commit).split() == [ours, theirs]

    dirty = repository.preview_merge(ours, clash)
    assert (dirty.tree, dirty.conflicts) == (None, ("a.sql",))
    assert repository.preview_merge(clash, theirs).is_up_to_date
    assert git(root, "for-each-ref") == before
    assert git(root, "status", "--porcelain") == ""


def test_branches_without_common_history_conflict(repository: GitRepository) -> None:
    commit = head(repository)
    stranger = repository.commit_tree(repository.tree_of(commit), [], "alone")
    assert repository.merge_base(commit, stranger) is None
    with pytest.raises(Conflict):
        repository.preview_merge(commit, stranger)


def test_history_is_told(repository: GitRepository, root: Path) -> None:
    old = head(repository)
    new = change(root, "zwei\n", "ü \t.sql")
    assert repository.is_ancestor(old, new)
    assert not repository.is_ancestor(new, old)
    assert repository.ahead_behind(new, old) == (1, 0)
    assert repository.changed_paths(old, new) == ("ü \t.sql",)
    (entry,) = repository.log(old, new)
    assert (entry["id"], entry["author"], entry["email"]) == (new, "Ann", "ann@example.com")
    assert entry["subject"] == "write ü \t.sql"
    assert len(repository.log(None, new)) == 2
    assert repository.user() == "ann@example.com"


def test_files_of_a_commit_are_read(repository: GitRepository, root: Path) -> None:
    (root / "raw").write_bytes(b"\xff\xfe")
    (root / "--output=x").write_text("odd\n")
    commit = change(root, "two\n")
    assert repository.read(commit, "a.sql") == "two\n"
    assert repository.read(commit, "recipes/b.sql") == "SELECT 1\n"
    assert repository.read(commit, "--output=x") == "odd\n"
    assert repository.read(commit, "nobody.sql") is None
    assert repository.read(commit, "recipes") is None
    assert repository.files(commit, "recipes") == ("recipes/b.sql",)
    assert repository.files(commit, "nobody") == ()
    assert set(repository.files(commit, "")) == {"--output=x", "a.sql", "raw", "recipes/b.sql"}
    with pytest.raises(InvalidInput):
        repository.read(commit, "raw")
    with pytest.raises(NotFound):
        repository.read(ABSENT, "a.sql")
    for outside in ("../a.sql", "/etc/passwd", "recipes/../../x"):
        with pytest.raises(InvalidInput):
            repository.read(commit, outside)


def test_an_export_holds_every_file_and_no_git(repository: GitRepository, root: Path, tmp_path: Path) -> None:
    (root / ".gitattributes").write_text("recipes export-ignore\n")
    commit = change(root, "two\n")
    repository.export(commit, tmp_path / "out")
    found = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*"))
    assert found == [".gitattributes", "a.sql", "recipes", "recipes/b.sql"]
    assert git(root, "status", "--porcelain") == ""
    with pytest.raises(Conflict):
        repository.export(commit, tmp_path / "out")


def test_an_export_refuses_links_that_leave_it(repository: GitRepository, root: Path, tmp_path: Path) -> None:
    (root / "recipes" / "leak.sql").symlink_to("/etc/passwd")
    commit = change(root, "two\n")
    with pytest.raises(InvalidInput, match=r"leak\.sql"):
        repository.export(commit, tmp_path / "out")
    assert not (tmp_path / "out").exists()
