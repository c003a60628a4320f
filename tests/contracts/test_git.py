"""The Repository port on git: real repositories, hostile names, and traps that must not spring."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitchen.adapters.git import GitRepository, branch_name, create_repository, first_commit, open_repository
from kitchen.adapters.git.command import ALLOWED, GitCommand
from kitchen.errors import Conflict, InvalidInput, KitchenError, NotFound
from kitchen.ports import RefUpdate

ABSENT = "0" * 39 + "1"


def git(folder: Path, *arguments: str) -> str:
    answer = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True, timeout=30)
    return answer.stdout.strip()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.email", "ann@example.com")
    git(folder, "config", "user.name", "Ann")
    (folder / "a.sql").write_text("one\n")
    (folder / "recipes").mkdir()
    (folder / "recipes" / "b.sql").write_text("SELECT 1\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "start")
    git(folder, "branch", "dev")
    return folder


@pytest.fixture
def repository(root: Path) -> GitRepository:
    return open_repository(root)


def head(repository: GitRepository, branch: str = "main") -> str:
    found = repository.head(branch)
    assert found is not None
    return found


def change(folder: Path, text: str, file: str = "a.sql") -> str:
    (folder / file).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", f"write {file}")
    return git(folder, "rev-parse", "HEAD")


# --- finding ----------------------------------------------------------------------------------------------------------


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


# --- refs -------------------------------------------------------------------------------------------------------------


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


# --- history ----------------------------------------------------------------------------------------------------------


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


# --- worktrees --------------------------------------------------------------------------------------------------------


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
    repository.add_worktree(path, "dev")
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


# --- names ------------------------------------------------------------------------------------------------------------

HOSTILE = [
    "--help", "-D", "-u/path", "--upload-pack=touch x", "--output=x", "--template=x", "--separate-git-dir=x", "../x",
    "a b", "a..b", "a~1", "a^", "a:b", "@{-1}", "HEAD", "a//b", ".a", "a/.b", "a.lock", "a/b.lock/c", "a.", "/a", "a/",
    "", "a\nb", "a\0b", "a\x7f", "a*", "a?", "a[b", "a\\b", "x" * 300, "refs/heads/x", "ext::sh -c id",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_never_reach_git(repository: GitRepository, root: Path, tmp_path: Path, name: str) -> None:
    commit = head(repository)
    before = git(root, "for-each-ref")
    with pytest.raises(InvalidInput):
        branch_name(name)
    with pytest.raises(InvalidInput):
        repository.head(name)
    with pytest.raises(InvalidInput):
        repository.update_refs([RefUpdate(f"refs/heads/{name}", commit, None)], reason=name)
    with pytest.raises(InvalidInput):
        repository.add_worktree(tmp_path / "w", name)
    for value in (name, f"{name}{commit}", commit + name):
        if value == commit:
            continue
        for call in (repository.tree_of, lambda bad: repository.merge_base(bad, commit)):
            with pytest.raises(InvalidInput):
                call(value)
    if name not in ("HEAD", "refs/heads/x"):
        with pytest.raises(InvalidInput):
            repository.tag(name, commit, "m")
        with pytest.raises(InvalidInput):
            repository.resolve(name)
    assert git(root, "for-each-ref") == before
    assert sorted(path.name for path in root.iterdir()) == [".git", "a.sql", "recipes"]


@pytest.mark.parametrize("name", ["é", "x;y", "x$(id)", "x'y", "@x", "feature/profit", "A" * 100, "x--upload-pack"])
def test_odd_names_that_git_allows_stay_text(repository: GitRepository, root: Path, name: str) -> None:
    commit = head(repository)
    repository.update_refs([RefUpdate(f"refs/heads/{name}", commit, None)], reason=f"{name}; $(touch x) --help\n-m")
    assert repository.head(name) == commit
    repository.add_worktree(root / ".kitchen" / "worktrees" / "odd", name)
    assert name in repository.worktrees().values()
    assert sorted(path.name for path in root.iterdir()) == [".git", ".kitchen", "a.sql", "recipes"]


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab-./@{}~^:?*[\\ é;'$\x01\x7fHEADlock", max_size=12))
def test_our_rule_is_gits_rule(name: str) -> None:
    answer = subprocess.run(["git", "check-ref-format", "--branch", name], capture_output=True, check=False)
    taken = answer.returncode == 0 and answer.stdout.decode().strip("\n") == name and not name.startswith("refs/")
    try:
        branch_name(name)
        ours = True
    except InvalidInput:
        ours = False
    assert ours == taken, name


# --- traps ------------------------------------------------------------------------------------------------------------


def traps(root: Path) -> Path:
    """Set every trap that a repository's own configuration offers; each leaves a file in the folder returned."""
    sprung = root.parent / "sprung"
    sprung.mkdir()
    script = root.parent / "trap.sh"
    script.write_text(f'#!/bin/sh\ntouch "{sprung}/$(basename "$0")"; cat\n')
    script.chmod(0o755)
    hooks = root / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in (
        "post-checkout",
        "reference-transaction",
        "pre-commit",
        "commit-msg",
        "post-index-change",
        "post-merge",
    ):
        (hooks / hook).symlink_to(script)
    for number, key in enumerate(
        [
            "core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "core.askPass", "core.gitProxy",
            "alias.status", "alias.worktree", "diff.external",
            "filter.trap.clean", "filter.trap.smudge", "filter.trap.process",
            "filter.a=b.smudge", "filter.a=b.clean", "merge.trap.driver", "diff.trap.textconv", "diff.trap.command",
            "gpg.program", "credential.helper", "pager.log", "pager.status", "uploadpack.packObjectsHook",
            "sequence.editor",
        ]
    ):  # fmt: skip
        link = root.parent / f"trap-{number}-{key.replace('=', '_')}"
        link.symlink_to(script)
        git(root, "config", key, f"!{link}" if key.startswith("alias") else str(link))
    for key in ("filter.trap.required", "tag.gpgSign", "commit.gpgSign", "log.showSignature"):
        git(root, "config", key, "true")
    (root / ".gitattributes").write_text("*.sql filter=trap merge=trap diff=trap\n*.txt filter=a=b\n")
    return sprung


def test_nothing_that_a_repository_configures_runs(root: Path, tmp_path: Path) -> None:
    base = open_repository(root)
    old = head(base)
    git(root, "switch", "-q", "dev")
    (root / "note.txt").write_text("text\n")
    theirs = change(root, "theirs\n")
    git(root, "switch", "-q", "main")
    ours = change(root, "ours\n")
    sprung = traps(root)

    repository = open_repository(root)
    path = root / ".kitchen" / "worktrees" / "dev"
    repository.add_worktree(path, "dev")
    assert (path / "note.txt").read_text() == "text\n"
    (path / "a.sql").write_text("edited\n")
    assert "a.sql" in repository.changes(path)
    assert repository.preview_merge(ours, theirs).conflicts == ("a.sql",), "an unknown merge driver takes no side"
    tree = repository.tree_of(ours)
    commit = repository.commit_tree(tree, [ours, theirs], "merge")
    repository.update_refs([RefUpdate("refs/heads/x", commit, None)], reason="x")
    repository.tag("v1", commit, "signed? no")
    repository.log(None, commit), repository.changed_paths(old, commit), repository.read(commit, "a.sql")
    repository.files(commit, ""), repository.export(commit, tmp_path / "out"), repository.ahead_behind(ours, theirs)
    repository.worktrees(), repository.user(), repository.delete_tag("v1")
    (path / "a.sql").write_text("theirs\n")
    repository.update_refs([RefUpdate("refs/heads/dev", commit, theirs)], reason="x")
    repository.follow(path, theirs, commit)
    repository.remove_worktree(path)
    assert list(sprung.iterdir()) == []
    subprocess.run(["git", "status"], cwd=root, capture_output=True, check=False)
    assert list(sprung.iterdir()), "the traps are live: plain git springs them"


def test_a_new_project_runs_no_template_hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    template = tmp_path / "template" / "hooks"
    template.mkdir(parents=True)
    (template / "pre-commit").write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    (template / "pre-commit").chmod(0o755)
    config = tmp_path / "config"
    config.write_text(f"[init]\n\ttemplateDir = {template.parent}\n")  # and no identity at all
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(template.parent))
    repository = create_repository(tmp_path / "new")
    (tmp_path / "new" / "file").write_text("x")
    commit = first_commit(tmp_path / "new", "begin")
    assert repository.head("main") == commit
    assert not (tmp_path / "sprung").exists()
    assert not (tmp_path / "new" / ".git" / "hooks").exists()


def test_the_callers_environment_does_not_turn_git_elsewhere(
    root: Path, repository: GitRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = head(repository)
    for name in (
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_COMMON_DIR",
        "GIT_NAMESPACE",
    ):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.bare")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    again = open_repository(root)
    assert again.head("main") == commit
    assert again.changes(root) == ()
    assert not (tmp_path / "elsewhere").exists()
    assert not (tmp_path / "trace").exists()


# One line for each published fault of GitPython: the very call that sprang it cannot be made through our wrapper.
ADVISORIES = [
    ("CVE-2022-24439, CVE-2023-40267", "clone", ("ext::sh -c touch% x",)),
    ("CVE-2023-41040", "symbolic-ref", ("../../etc/passwd",)),
    ("multi_options", "clone", ("--upload-pack=touch x",)),
    ("GHSA-v396-v7q4-x2qj", "fetch", ("-utouch x",)),
    ("GHSA-r9mr-m37c-5fr3", "ls-remote", ("--upload-pack=touch x",)),
    ("GHSA-6p8h-3wgx-97gf", "init", ("--template=hooks",)),
    ("GHSA-fjr4-x663-mwxc", "diff-tree", ("--output=x",)),
    ("GHSA-8mcc-hrx5-hvxc", "init", ("--separate-git-dir=x",)),
    ("log --output", "log", ("--output=x",)),
    ("merge-base as a door", "merge-base", ("--octopus",)),
    ("archive --exec", "archive", ("--exec=touch x",)),
    ("config as a door", "config", ("--global",)),
]


@pytest.mark.parametrize(("advisory", "command", "options"), ADVISORIES, ids=[row[0] for row in ADVISORIES])
def test_published_faults_have_no_way_in(root: Path, advisory: str, command: str, options: tuple[str, ...]) -> None:
    runner = GitCommand(root)
    with pytest.raises(KitchenError):
        runner.run(command, *options)
    if command in ALLOWED:
        with pytest.raises(KitchenError):
            runner.run(command, values=options)
    assert sorted(path.name for path in root.iterdir()) == [".git", "a.sql", "recipes"], advisory
