"""The Remote port on git: two clones of one shared repository, and everything that must not run on the way."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kitchen.adapters.git import open_repository
from kitchen.adapters.git.command import NETWORK, GitCommand
from kitchen.adapters.git.network import GitRemote
from kitchen.errors import Conflict, InvalidInput, KitchenError, NotFound, Refused, Unavailable
from kitchen.operations.sharing import truth
from kitchen.ports import RefUpdate


def git(folder: Path, *arguments: str) -> str:
    answer = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True, timeout=30)
    return answer.stdout.strip()


def commit(folder: Path, text: str, file: str = "a.sql") -> str:
    (folder / file).write_text(text)
    git(folder, "add", "-A")
    git(folder, "-c", "user.name=Ann", "-c", "user.email=ann@example.com", "commit", "-q", "-m", f"write {file}")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def clones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path, Path]:
    """Return a shared repository, and two clones of it."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    shared = tmp_path / "shared.git"
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(shared))
    found = []
    for name in ("ann", "bob"):
        git(tmp_path, "clone", "-q", str(shared), name)
        found.append(tmp_path / name)
    git(found[0], "checkout", "-q", "-b", "main")
    commit(found[0], "one\n")
    git(found[0], "push", "-q", "origin", "main", "main:dev")
    git(found[1], "pull", "-q", "origin", "main")
    return shared, found[0], found[1]


def remote(folder: Path) -> GitRemote:
    found = open_repository(folder).remote
    assert found is not None
    return found


def test_branches_go_out_and_come_in(clones: tuple[Path, Path, Path]) -> None:
    _, ann, bob = clones
    new = commit(ann, "two\n")
    remote(ann).push(RefUpdate("refs/heads/feature/profit", new, None))
    assert remote(ann).seen("feature/profit") == new
    theirs = remote(bob)
    assert theirs.seen("feature/profit") is None
    assert theirs.fetch(["feature/profit", "dev", "never"]) == {"feature/profit": new, "dev": theirs.seen("dev")}
    assert open_repository(bob).read(new, "a.sql") == "two\n"
    theirs.push(RefUpdate("refs/heads/feature/profit", None, new))
    assert theirs.seen("feature/profit") is None
    remote(ann).fetch(["feature/profit"])
    assert remote(ann).seen("feature/profit") is None, "what is gone there is forgotten here"


def test_a_tag_that_is_named_as_a_branch_of_the_remote_is_none(clones: tuple[Path, Path, Path]) -> None:
    _, ann, bob = clones
    forged = commit(ann, "forged\n")
    for name in ("refs/remotes/origin/dev", "remotes/origin/dev", "origin/dev", "dev"):
        git(ann, "update-ref", f"refs/tags/{name}", forged)
        git(ann, "push", "-q", "origin", f"refs/tags/{name}")
    git(ann, "push", "-q", "origin", ":refs/heads/dev")
    git(bob, "fetch", "-q", "--prune", "--tags")
    theirs = remote(bob)
    assert theirs.seen("dev") is None
    assert theirs.fetch(["dev"]) == {}
    assert truth(open_repository(bob), "dev") is None
    assert open_repository(bob).head("dev") is None


def test_git_status_tells_how_a_pushed_branch_stands(clones: tuple[Path, Path, Path]) -> None:
    _, ann, bob = clones
    base = git(ann, "rev-parse", "main")
    for name in ("profit", "own"):
        git(ann, "branch", name)
    git(ann, "config", "branch.own.remote", ".")
    git(ann, "config", "branch.own.merge", "refs/heads/main")
    remote(ann).push(RefUpdate("refs/heads/profit", base, None))
    remote(ann).push(RefUpdate("refs/heads/own", base, None))
    git(ann, "checkout", "-q", "profit")
    commit(ann, "two\n")
    assert git(ann, "status", "--short", "--branch") == "## profit...origin/profit [ahead 1]"
    assert git(ann, "rev-parse", "--abbrev-ref", "own@{upstream}") == "main", "what a person chose stays"
    theirs = remote(bob)
    theirs.fetch(["profit"])
    git(bob, "branch", "--no-track", "profit", "origin/profit")
    theirs.track("profit")
    assert git(bob, "rev-parse", "--abbrev-ref", "profit@{upstream}") == "origin/profit"
    remote(ann).push(RefUpdate("refs/heads/profit", None, base))
    assert "branch.profit" not in git(ann, "config", "--list"), "no setting of a branch that is gone"


def test_many_pushes_at_once_write_all_their_settings(clones: tuple[Path, Path, Path]) -> None:
    _, ann, _ = clones
    names = [f"many/{number}" for number in range(8)]
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: remote(ann).track(name), names))
    settings = git(ann, "config", "--list").splitlines()
    assert {f"branch.{name}.remote=origin" for name in names} <= set(settings)
    assert {f"branch.{name}.merge=refs/heads/{name}" for name in names} <= set(settings)


def test_a_branch_moves_from_its_old_value_only(clones: tuple[Path, Path, Path]) -> None:
    shared, ann, bob = clones
    base = git(ann, "rev-parse", "main")
    first, second = commit(ann, "of ann\n"), commit(bob, "of bob\n")
    remote(bob).push(RefUpdate("refs/heads/dev", second, base))
    for old in (base, None, first):
        with pytest.raises(Conflict, match="dev of origin has moved"):
            remote(ann).push(RefUpdate("refs/heads/dev", first, old))
    with pytest.raises(Conflict):
        remote(ann).push(RefUpdate("refs/heads/dev", None, base))
    assert git(shared, "rev-parse", "dev") == second


def test_what_the_other_side_refuses_is_said_in_its_words(clones: tuple[Path, Path, Path]) -> None:
    shared, ann, _ = clones
    hook = shared / "hooks" / "update"
    hook.write_text('#!/bin/sh\n[ "$1" = refs/heads/dev ] && echo "pull requests only" >&2 && exit 1\nexit 0\n')
    hook.chmod(0o755)
    base, new = git(ann, "rev-parse", "main"), commit(ann, "two\n")
    with pytest.raises(Refused, match="pull requests only") as caught:
        remote(ann).push(RefUpdate("refs/heads/dev", new, base))
    assert "pull request" in str(caught.value.hint)
    assert git(shared, "rev-parse", "dev") == base


def test_tags_go_out_once(clones: tuple[Path, Path, Path]) -> None:
    shared, ann, bob = clones
    repository = open_repository(ann)
    repository.tag("release-1", git(ann, "rev-parse", "main"), "the first")
    for _ in range(2):
        remote(ann).push_tag("release-1")
    assert git(shared, "cat-file", "-t", "release-1") == "tag"
    open_repository(bob).tag("release-1", git(bob, "rev-parse", "main"), "another")
    with pytest.raises(Conflict):
        remote(bob).push_tag("release-1")


def test_a_remote_that_is_away_is_said(clones: tuple[Path, Path, Path]) -> None:
    shared, ann, _ = clones
    shared.rename(shared.with_name("elsewhere"))
    for ask in (lambda: remote(ann).heads(["dev"]), lambda: remote(ann).fetch(["dev"])):
        with pytest.raises(Unavailable, match="'origin' does not answer"):
            ask()
    with pytest.raises(Unavailable):
        remote(ann).push(RefUpdate("refs/heads/x", git(ann, "rev-parse", "main"), None))


def test_the_remote_is_the_one_that_is_named(clones: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    _, ann, _ = clones
    assert remote(ann).name == "origin"
    git(ann, "remote", "rename", "origin", "upstream")
    assert open_repository(ann).remote is None, "no remote is no error: the project is not shared"
    git(ann, "config", "kitchen.remote", "upstream")
    assert remote(ann).name == "upstream"
    monkeypatch.setenv("KITCHEN_REMOTE", "")
    assert open_repository(ann).remote is None
    monkeypatch.setenv("KITCHEN_REMOTE", "nobody")
    with pytest.raises(NotFound):
        _ = open_repository(ann).remote
    for hostile in ("--upload-pack=x", "../x", "ext::sh -c id", "a b"):
        monkeypatch.setenv("KITCHEN_REMOTE", hostile)
        with pytest.raises(InvalidInput):
            _ = open_repository(ann).remote


def test_nothing_that_a_repository_configures_runs_on_the_way(clones: tuple[Path, Path, Path], tmp_path: Path) -> None:
    shared, ann, _ = clones
    base, new = git(ann, "rev-parse", "main"), commit(ann, "two\n")
    canary = tmp_path / "canary"
    trap = tmp_path / "trap"
    trap.write_text(f'#!/bin/sh\ntouch {canary}\nexec "$@"\n')
    trap.chmod(0o755)
    for hook in ("pre-push", "reference-transaction", "post-checkout"):
        (ann / ".git" / "hooks" / hook).write_text(trap.read_text())
        (ann / ".git" / "hooks" / hook).chmod(0o755)
    for key, value in {
        "remote.origin.uploadpack": f"{trap} git-upload-pack", "remote.origin.receivepack": f"{trap} git-receive-pack",
        "core.sshCommand": str(trap), "credential.helper": f"!{trap}", "core.askPass": str(trap),
        "core.fsmonitor": str(trap), "core.alternateRefsCommand": str(trap), "push.gpgSign": "true",
        "gpg.program": str(trap), "protocol.ext.allow": "always", "fetch.recurseSubmodules": "true",
        "remote.origin.fetch": "+refs/heads/*:refs/heads/*", "remote.origin.prune": "true", "push.followTags": "true",
    }.items():  # fmt: skip
        git(ann, "config", "--replace-all", key, value)
    alternate = ann / ".git" / "objects" / "info" / "alternates"
    alternate.write_text(f"{shared / 'objects'}\n")
    ours = remote(ann)
    ours.push(RefUpdate("refs/heads/dev", new, base))
    git(shared, "branch", "-f", "news", base)
    ours.fetch(["dev", "news"])
    assert not canary.exists()
    assert open_repository(ann).head("news") is None, "refspecs of the repository move no branch of ours"


@pytest.mark.parametrize(
    "address", ["ext::sh -c 'touch {canary}'", "fd::7", "http://127.0.0.1:9/x", "git://127.0.0.1:9/x", "rce::x"]
)
def test_other_protocols_are_refused(clones: tuple[Path, Path, Path], tmp_path: Path, address: str) -> None:
    _, ann, _ = clones
    canary = tmp_path / "canary"
    git(ann, "config", "remote.origin.url", address.format(canary=canary))
    for protocol in ("ext", "fd", "http", "git", "rce"):
        git(ann, "config", f"protocol.{protocol}.allow", "always")
    with pytest.raises(InvalidInput, match="none that kitchen goes to"):
        remote(ann).heads(["dev"])
    assert not canary.exists()


def test_an_address_that_looks_like_an_option_is_none(clones: tuple[Path, Path, Path], tmp_path: Path) -> None:
    _, ann, _ = clones
    canary = tmp_path / "canary"
    git(ann, "config", "remote.origin.url", f"ssh://-oProxyCommand=touch%20{canary}/x")
    with pytest.raises(KitchenError):
        remote(ann).heads(["dev"])
    git(ann, "config", "remote.origin.url", f"--upload-pack=touch {canary}")
    with pytest.raises(KitchenError):
        remote(ann).heads(["dev"])
    assert not canary.exists()


def test_a_password_in_an_address_is_not_said(clones: tuple[Path, Path, Path]) -> None:
    _, ann, _ = clones
    git(ann, "config", "remote.origin.url", "https://ann:hunter2@127.0.0.1:9/x.git")
    with pytest.raises(Unavailable) as caught:
        remote(ann).heads(["dev"])
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize("command", sorted(NETWORK))
@pytest.mark.parametrize("option", ["--upload-pack=x", "--receive-pack=x", "--exec=x", "--force", "-u", "--mirror"])
def test_no_other_option_goes_along(clones: tuple[Path, Path, Path], command: str, option: str) -> None:
    with pytest.raises(KitchenError, match="not on kitchen's list"):
        GitCommand(clones[1]).reach(
            command, option, values=["origin"], settings=[], leases={}, protocols="file", timeout=5
        )
    with pytest.raises(KitchenError, match="looks like an option"):
        GitCommand(clones[1]).reach(command, values=[option], settings=[], leases={}, protocols="file", timeout=5)


def test_a_shallow_clone_says_that_it_is_one(clones: tuple[Path, Path, Path], tmp_path: Path) -> None:
    shared, ann, _ = clones
    commit(ann, "two\n", "b.sql")
    git(ann, "push", "-q", "origin", "main")
    git(ann, "checkout", "-q", "-b", "side", "origin/dev")
    commit(ann, "three\n", "c.sql")
    git(ann, "push", "-q", "origin", "side:dev")
    git(tmp_path, "clone", "-q", "--depth", "1", "--no-single-branch", f"file://{shared}", "shallow")
    repository = open_repository(tmp_path / "shallow")
    seen = remote(tmp_path / "shallow").fetch(["main", "dev"])
    with pytest.raises(Conflict, match="this clone is shallow") as caught:
        repository.preview_merge(seen["main"], seen["dev"])
    git(tmp_path / "shallow", *str(caught.value.hint).split()[1:])
    assert repository.preview_merge(seen["main"], seen["dev"]).tree is not None


def test_a_branch_that_somebody_forced_is_fetched_as_it_is_now_and_never_overwritten(
    clones: tuple[Path, Path, Path],
) -> None:
    shared, ann, bob = clones
    base = git(ann, "rev-parse", "main")
    ours = commit(ann, "of ann\n")
    remote(ann).push(RefUpdate("refs/heads/dev", ours, base))
    theirs = commit(bob, "of bob\n")
    git(bob, "push", "-q", "--force", "origin", "main:dev")
    with pytest.raises(Conflict, match="has moved"):
        remote(ann).push(RefUpdate("refs/heads/dev", commit(ann, "more\n"), ours))
    assert remote(ann).fetch(["dev"]) == {"dev": theirs}
    assert git(shared, "rev-parse", "dev") == theirs
    assert git(ann, "rev-parse", "main~1") == ours, "what was here before is here"


def test_a_host_that_keeps_every_branch_says_so(clones: tuple[Path, Path, Path]) -> None:
    shared, ann, _ = clones
    for key in ("receive.denyDeletes", "receive.denyNonFastForwards"):
        git(shared, "config", key, "true")
    base, new = git(ann, "rev-parse", "main"), commit(ann, "two\n")
    remote(ann).push(RefUpdate("refs/heads/dev", new, base))
    with pytest.raises(Refused, match="does not let you push to dev"):
        remote(ann).push(RefUpdate("refs/heads/dev", None, new))
    with pytest.raises(Refused):
        remote(ann).push(RefUpdate("refs/heads/dev", base, new))
    assert git(shared, "rev-parse", "dev") == new == remote(ann).seen("dev")


# --- merged under other commits ---------------------------------------------------------------------------------------


def _branch(folder: Path) -> str:
    git(folder, "checkout", "-q", "-b", "work")
    commit(folder, "one\ntwo\n")
    return commit(folder, "new\n", "b.sql")


def test_squashed_and_rebased_work_is_merged_work(clones: tuple[Path, Path, Path]) -> None:
    _, ann, _ = clones
    repository = open_repository(ann)
    work = _branch(ann)
    main = git(ann, "rev-parse", "main")
    assert not repository.brings_nothing(main, work)
    git(ann, "checkout", "-q", "-b", "squashed", "main")
    git(ann, "merge", "-q", "--squash", "work")
    squashed = commit(ann, "more\n", "c.sql")
    assert repository.brings_nothing(squashed, work)
    git(ann, "checkout", "-q", "work")
    assert not repository.brings_nothing(squashed, commit(ann, "not in it\n", "d.sql"))


def test_merged_work_stays_merged_when_the_target_goes_on(clones: tuple[Path, Path, Path]) -> None:
    _, ann, _ = clones
    repository = open_repository(ann)
    work = _branch(ann)
    git(ann, "checkout", "-q", "-b", "squashed", "main")
    git(ann, "merge", "-q", "--squash", "work")
    git(ann, "-c", "user.name=A", "-c", "user.email=a@b", "commit", "-q", "-m", "squashed")
    assert repository.brings_nothing(commit(ann, "other lines\n", "b.sql"), work)
    git(ann, "checkout", "-q", "-b", "picked", "main")
    commit(ann, "unrelated\n", "z.sql")
    git(ann, "-c", "user.name=A", "-c", "user.email=a@b", "cherry-pick", "main..work")
    assert repository.brings_nothing(commit(ann, "other lines\n", "b.sql"), work)


def test_work_that_came_and_went_is_nowhere_else(clones: tuple[Path, Path, Path]) -> None:
    _, ann, _ = clones
    repository = open_repository(ann)
    main = git(ann, "rev-parse", "main")
    git(ann, "checkout", "-q", "-b", "work")
    commit(ann, "an experiment\n")
    assert not repository.brings_nothing(main, commit(ann, "one\n"))
