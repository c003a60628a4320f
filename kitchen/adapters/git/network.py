"""The Remote port on git: fetch, push and ls-remote, over protocols that start nothing but git itself.

What the repository's own configuration could turn this to is left out: programs at the other end, helpers for
passwords, ssh commands, hooks, refspecs. What the person has set for all repositories (helpers, ssh) stays.
"""

from __future__ import annotations

import os
import random
import re
import sys
import time
from collections.abc import Mapping, Sequence

from kitchen.adapters.git.command import GitCommand
from kitchen.adapters.git.names import REF_FORMAT, branch_name, commit_id, ref_name, tag_name
from kitchen.adapters.git.process import Answer, Late, shown
from kitchen.adapters.git.ways import PROTOCOLS, way
from kitchen.errors import Conflict, InvalidInput, KitchenError, NotFound, NotPermitted, Refused, Unavailable
from kitchen.ports import RefUpdate

_ASK, _CARRY = 30.0, 600.0  # seconds: for a list of branches, for commits
_TYPING = 120.0  # seconds more for somebody who types a passphrase
_FETCH = ("--quiet", "--no-tags", "--no-prune", "--no-recurse-submodules", "--no-auto-maintenance",
          "--no-write-fetch-head", "--refmap=", "--upload-pack=git-upload-pack")  # fmt: skip
_PUSH = ("--porcelain", "--no-verify", "--no-signed", "--no-follow-tags", "--recurse-submodules=no",
         "--receive-pack=git-receive-pack")  # fmt: skip
_LOCKED_CONFIG = 255  # git's status where another process writes its settings
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")
_NOT_LET_IN = re.compile(
    r"Permission denied|Authentication failed|terminal prompts disabled|could not read (?:Username|Password)"
    r"|The requested URL returned error: 40[13]|dubious ownership", re.IGNORECASE,
)  # fmt: skip
_NO_STRANGER = re.compile(r"Host key verification failed")
_NOT_TRUSTED = re.compile(r"certificate verification failed|SSL certificate problem|certificate subject name")
_NO_PROTOCOL = re.compile(r"transport '[^']*' not allowed|protocol '[^']*' (?:is )?not (?:allowed|supported)")
_STALE = re.compile(
    r"stale info|fetch first|\[rejected\] \(non-fast-forward\)|cannot lock ref|failed to update ref|already exists"
)


class GitRemote:
    """One remote of a project, by the name under which this clone knows it."""

    def __init__(self, git: GitCommand, name: str) -> None:
        self._git = git
        self.name = name

    def seen(self, branch: str) -> str | None:
        """Return the commit of a branch as it was last seen there, or None; asks nobody.

        Not by rev-parse: that takes a tag of that very name (refs/tags/refs/remotes/…) where the branch is gone.
        """
        return self.seen_of([branch]).get(branch)

    def seen_of(self, branches: Sequence[str]) -> Mapping[str, str]:
        """Return the commits of those branches that were seen there; asks nobody."""
        refs = {self._tracking(branch): branch for branch in branches}
        if not refs:
            return {}
        lines = self._git.run("for-each-ref", REF_FORMAT, values=list(refs)).out.splitlines()
        found = dict(line.split(" ")[0:3:2] for line in lines)
        return {branch: found[ref] for ref, branch in refs.items() if ref in found}

    def track(self, branch: str) -> None:
        """Let ``git status`` compare the branch here with the one there, unless it is told something else."""
        if f"branch.{branch}.remote" in self._git.settings:
            return
        for key, value in (("merge", f"refs/heads/{branch_name(branch)}"), ("remote", self.name)):
            self._configure(values=[f"branch.{branch}.{key}", value])

    def heads(self, branches: Sequence[str]) -> Mapping[str, str]:
        """Return the commits of those branches that the remote has now."""
        found = self._refs([f"refs/heads/{branch_name(branch)}" for branch in branches])
        return {ref.removeprefix("refs/heads/"): commit for ref, commit in found.items()}

    def fetch(self, branches: Sequence[str]) -> Mapping[str, str]:
        """Bring the commits of branches here; returns where they stand. What the remote has no more is forgotten."""
        heads = self.heads(branches)
        news = [branch for branch, commit in heads.items() if self.seen(branch) != commit]
        if news:
            specs = [f"+refs/heads/{branch}:{self._tracking(branch)}" for branch in news]
            answer = self._reach("fetch", *_FETCH, values=[self.name, *specs], timeout=_CARRY)
            if answer.status != 0:
                raise self._error("fetch", answer)
        self._forget([branch for branch in branches if branch not in heads and self.seen(branch) is not None])
        return {branch: self.seen(branch) or heads[branch] for branch in heads}  # it may have moved since we asked

    def push(self, update: RefUpdate) -> None:
        """Move a branch there, from exactly its old value.

        Raises Conflict where it stands elsewhere and Refused where the other side does not let it be moved.
        """
        branch = branch_name(update.ref.removeprefix("refs/heads/"))
        ref = ref_name(f"refs/heads/{branch}")
        new, old = (commit_id(each) if each else "" for each in (update.new, update.old))
        answer = self._reach("push", *_PUSH, values=[self.name, f"{new}:{ref}"], leases={ref: old}, timeout=_CARRY)
        if answer.status != 0:
            raise self._push_error(answer)
        self._remember(branch, update.new)
        if update.new is not None:
            self.track(branch)
        elif self._git.settings.get(f"branch.{branch}.remote") == self.name:
            self._configure("--remove-section", values=[f"branch.{branch}"])

    def push_tag(self, name: str) -> None:
        """Bring a tag there; the same tag there is success. Raises Conflict where it names another commit there."""
        ref = f"refs/tags/{tag_name(name)}"
        there = self._refs([ref]).get(ref)
        here = self._git.run("rev-parse", "--verify", "--quiet", values=[ref]).out.split()[-1]
        if there == here:
            return
        if there is not None:
            raise Conflict(f"the tag {name!r} is on another commit in {self.name}", hint=f"git ls-remote {self.name}")
        answer = self._reach("push", *_PUSH, values=[self.name, f"{ref}:{ref}"], leases={ref: ""}, timeout=_CARRY)
        if answer.status != 0:
            raise self._push_error(answer)

    # --- inside

    def _refs(self, refs: Sequence[str]) -> dict[str, str]:
        options = ("--quiet", "--refs", "--upload-pack=git-upload-pack")
        answer = self._reach("ls-remote", *options, values=[self.name, *refs], timeout=_ASK)
        if answer.status != 0:
            raise self._error("ls-remote", answer)
        found = dict(line.split("\t", 1)[::-1] for line in answer.out.splitlines() if "\t" in line)
        return {ref: commit_id(found[ref]) for ref in refs if ref in found}  # git matches the ends of names, too

    def _configure(self, *options: str, values: Sequence[str]) -> None:
        """Write one of git's settings; many at once take turns, and it is only a comfort: in the end it is left out."""
        for wait in (0.02, 0.05, 0.1, 0.2, 0.0):
            answer = self._git.run("config", "--local", *options, values=values, expect=range(256))
            if answer.status != _LOCKED_CONFIG:
                return
            time.sleep(wait * random.random())  # noqa: S311 - nobody gains by guessing it

    def _tracking(self, branch: str) -> str:
        return f"refs/remotes/{self.name}/{branch_name(branch)}"

    def _remember(self, branch: str, commit: str | None) -> None:
        """Note where a branch stands there; git does so itself only where its refspecs say so."""
        if commit is None:
            self._forget([branch] if self.seen(branch) is not None else [])
        elif self.seen(branch) != commit:
            self._git.run("update-ref", "--stdin", "-z", typed=f"update {self._tracking(branch)}\0{commit}\0\0")

    def _forget(self, branches: Sequence[str]) -> None:
        if branches:
            typed = "".join(f"delete {self._tracking(branch)}\0\0" for branch in branches)
            self._git.run("update-ref", "--stdin", "-z", typed=typed)

    def _reach(
        self,
        command: str,
        *options: str,
        values: Sequence[str],
        timeout: float,
        leases: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask without asking anybody; where that is not let in and somebody sits there, let git and ssh ask them."""

        def attempt(*, asks: bool) -> Answer:
            within = timeout + (_TYPING if asks else 0)
            try:
                return self._git.reach(
                    command, *options, values=values, settings=way(self._git.scoped, asks=asks), leases=leases or {},
                    protocols=PROTOCOLS, timeout=within, asks=asks,
                )  # fmt: skip
            except Late:
                raise Unavailable(
                    f"the git remote {self.name!r} does not answer ({command}: not within {within:.0f} seconds)",
                    hint=f"git ls-remote {self.name}",
                ) from None

        answer = attempt(asks=False)
        asking = _NOT_LET_IN.search(answer.err) or _NO_STRANGER.search(answer.err)
        return attempt(asks=True) if answer.status != 0 and asking and _somebody_is_there() else answer

    def _error(self, command: str, answer: Answer) -> KitchenError:
        words = _words(answer.err) or f"status {answer.status}"
        if _NO_PROTOCOL.search(answer.err):
            return InvalidInput(
                f"the address of the git remote {self.name!r} is none that kitchen goes to: {words}",
                hint=f"git remote set-url {self.name} with ssh, https or a path",
            )
        there, look = f"the git remote {self.name!r}", f"git ls-remote {self.name}"
        if _NO_STRANGER.search(answer.err):
            return Unavailable(
                f"{there} is a host that ssh does not know, or that has another key now: {words}",
                hint=f"{look}, which shows the key and asks",
            )
        if _NOT_LET_IN.search(answer.err):
            return NotPermitted(f"{there} does not let you in: {words}", hint=look)
        if _NOT_TRUSTED.search(answer.err):
            return Unavailable(
                f"{there} does not prove who it is: {words}",
                hint="git config --global http.sslCAInfo FILE, with the authority that signed its certificate",
            )
        return Unavailable(f"{there} does not answer ({command}: {words})", hint=look)

    def _push_error(self, answer: Answer) -> KitchenError:
        refused = [line.split("\t") for line in answer.out.splitlines() if line.startswith("!")]
        if not refused:
            return self._error("push", answer)
        branch = refused[0][1].rpartition(":")[2].removeprefix("refs/heads/")
        why = refused[0][-1]
        if _STALE.search(why):
            return Conflict(f"branch {branch} of {self.name} has moved meanwhile: {why}", hint="the same command again")
        said = [line.removeprefix("remote: ").strip() for line in answer.err.splitlines() if line.startswith("remote:")]
        more = f" ({'; '.join(each for each in said if each)})" if any(said) else ""
        return Refused(
            f"{self.name} does not let you push to {branch}: {shown(why)}{shown(more)[:400]}",
            hint="where it takes pull requests only: open one and let it be merged there",
        )


def remote_of(git: GitCommand) -> GitRemote | None:
    """Return the remote that the project is shared by, or None where it is not shared.

    KITCHEN_REMOTE, then git's ``kitchen.remote``, name it; an empty name means none, no name means ``origin``.
    """
    told = os.environ.get("KITCHEN_REMOTE", git.settings.get("kitchen.remote"))
    name = "origin" if told is None else told
    if not name:
        return None
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"{name[:80]!a} cannot name a git remote", hint="git remote --verbose")
    if f"remote.{name}.url" in git.settings:
        return GitRemote(git, name)
    if told is not None:
        raise NotFound(f"there is no git remote {name!r} here", hint=f"git remote add {name} URL")
    return None


def _somebody_is_there() -> bool:
    """Say whether a person may be asked for a passphrase, or whether a host is the right one."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _words(text: str) -> str:
    lines = [line.removeprefix("fatal: ").removeprefix("error: ") for line in text.strip().splitlines() if line.strip()]
    return shown("; ".join(lines[:4]))
