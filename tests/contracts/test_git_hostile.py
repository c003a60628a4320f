"""The Repository port on git: hostile names, and traps that must not spring."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitchen.adapters.git import GitRepository, branch_name, create_repository, first_commit, open_repository
from kitchen.adapters.git.command import ALLOWED, GitCommand
from kitchen.errors import InvalidInput, KitchenError
from kitchen.ports import RefUpdate
from tests.contracts.repositories import change, git, head, make_root


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return make_root(tmp_path / "project", monkeypatch)


@pytest.fixture
def repository(root: Path) -> GitRepository:
    return open_repository(root)


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


def test_nothing_that_a_worktree_configures_runs(root: Path) -> None:
    """A worktree's own configuration, and what is included for its branch only, name programs as well."""
    git(root, "switch", "-q", "dev")
    (root / ".gitattributes").write_text("*.sql filter=own merge=own\n*.txt filter=included\n")
    (root / "note.txt").write_text("text\n")
    (root / "a.sql").write_text("theirs\n")
    git(root, "add", "--all")
    git(root, "commit", "-q", "-m", "attributes")
    git(root, "switch", "-q", "main")
    ours = change(root, "ours\n")
    sprung, script, included = root.parent / "sprung", root.parent / "trap.sh", root.parent / "included"
    sprung.mkdir()
    script.write_text(f'#!/bin/sh\ntouch "{sprung}/$1"; cat\n')
    script.chmod(0o755)
    included.write_text(f'[filter "included"]\n\tsmudge = {script} included\n\tclean = {script} included\n')
    git(root, "config", "includeIf.onbranch:dev.path", str(included))
    git(root, "config", "extensions.worktreeConfig", "true")
    path = root / ".kitchen" / "worktrees" / "dev"
    open_repository(root).add_worktree(path, "dev")
    assert (path / "note.txt").read_text() == "text\n"
    for key in ("filter.own.clean", "filter.own.smudge", "merge.own.driver"):
        git(path, "config", "--worktree", key, f"{script} own")
    git(path, "config", "--worktree", "core.fsmonitor", f"{script} fsmonitor")

    repository = open_repository(root)
    repository.working(path)
    for name in ("a.sql", "note.txt"):
        (path / name).write_text("edited\n")
    assert repository.changes(path) == ("a.sql", "note.txt")
    before = repository.head("dev")
    assert before is not None
    (path / "a.sql").write_text("theirs\n")
    (path / "note.txt").write_text("text\n")
    merged = repository.commit_tree(repository.tree_of(ours), [before, ours], "merge")
    repository.update_refs([RefUpdate("refs/heads/dev", merged, before)], reason="x")
    repository.follow(path, before, merged)
    repository.remove_worktree(path)
    repository.add_worktree(path, "dev")
    assert list(sprung.iterdir()) == []
    (path / "a.sql").write_text("edited\n")
    subprocess.run(["git", "status"], cwd=path, capture_output=True, check=False)
    subprocess.run(["git", "checkout", "-f", "HEAD~1"], cwd=path, capture_output=True, check=False)
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
