"""Runs git: fixed commands with fixed options, nothing of a project's configuration that starts programs."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from kitchen.adapters.git import process
from kitchen.adapters.git.process import Answer, shown
from kitchen.adapters.git.ways import PROTOCOLS, USERS, way
from kitchen.domain.words import quoted
from kitchen.errors import Conflict, KitchenError, NotFound, NotPermitted, Unavailable

QUICK = 60.0  # seconds; reading and moving refs
SLOW = 900.0  # writing a work tree

# Every command that kitchen may give, with every option that it may have. A user's text is never among the options:
# it comes after --end-of-options as a checked ref name, a full hash or an absolute path, or through stdin.
ALLOWED: Mapping[str, frozenset[str]] = {
    "cat-file": frozenset({"blob"}),
    "checkout-index": frozenset({"--all", "--force"}),
    "commit-tree": frozenset({"-F-", "-p"}),
    "config": frozenset({"--list", "--show-scope", "-z", "--local", "--remove-section"}),
    "diff-tree": frozenset({"-r", "-z", "--raw", "--name-only", "--no-renames", "--no-ext-diff", "--no-textconv"}),
    "for-each-ref": frozenset({"--format=%(refname) %(objecttype) %(objectname) %(*objectname)"}),
    "hash-object": frozenset({"--stdin-paths"}),
    "init": frozenset({"--quiet", "--initial-branch=main", "--template="}),
    "add": frozenset({"--all"}),
    "commit": frozenset({"--quiet", "--no-verify", "--no-gpg-sign", "-F-"}),
    "log": frozenset({"-z", "--no-show-signature", "--no-color", "--format=%H%x1f%an%x1f%ae%x1f%cI%x1f%s"}),
    "ls-files": frozenset({"--resolve-undo", "-z"}),
    "ls-tree": frozenset({"-r", "-z", "--name-only", "--full-tree"}),
    "merge": frozenset({"--abort", "--no-commit", "--no-ff", "--quiet"}),
    "merge-base": frozenset({"--is-ancestor", "--octopus"}),
    "merge-tree": frozenset({"--write-tree", "--name-only", "--no-messages", "-z"}),
    "mktree": frozenset({"-z"}),
    "read-tree": frozenset({"-m", "-u"}),
    "rev-list": frozenset({"--count", "--left-right", "--right-only", "--cherry-pick", "--parents", "--topo-order"}),
    "rev-parse": frozenset({"--verify", "--quiet"}),
    "status": frozenset({"--porcelain=v1", "-z", "--untracked-files=all", "--no-renames",
                         "--ignored=matching"}),
    "tag": frozenset({"--annotate", "--no-sign", "--cleanup=whitespace", "-F-"}),
    "update-index": frozenset({"-q", "--refresh", "-z", "--index-info"}),
    "update-ref": frozenset({"--stdin", "-z", "-m"}),
    "worktree": frozenset({"add", "list", "remove", "prune", "--porcelain", "-z", "--force", "--quiet",
                           "--no-guess-remote", "--no-checkout", "--lock", "--reason=initializing", "unlock"}),
}  # fmt: skip
_READING = frozenset({
    "cat-file", "config", "diff-tree", "for-each-ref", "log", "ls-files", "ls-tree", "merge-base", "rev-list",
    "rev-parse", "status", "worktree list",
})  # fmt: skip
# What may talk to other machines: see network.py, which alone gives these commands.
NETWORK: Mapping[str, frozenset[str]] = {
    "fetch": frozenset({"--quiet", "--no-tags", "--no-prune", "--no-recurse-submodules", "--no-auto-maintenance",
                        "--no-write-fetch-head", "--refmap=", "--upload-pack=git-upload-pack"}),
    "ls-remote": frozenset({"--quiet", "--refs", "--upload-pack=git-upload-pack"}),
    "push": frozenset({"--porcelain", "--no-verify", "--no-signed", "--no-follow-tags", "--recurse-submodules=no",
                       "--receive-pack=git-receive-pack"}),
}  # fmt: skip
_NO_END_OF_OPTIONS = frozenset({"ls-tree", "commit-tree", "cat-file", "rev-list", "merge-base", "diff-tree", "log"})

_ALWAYS = (
    "--no-pager", "--no-replace-objects", "--literal-pathspecs", "--no-optional-locks",
    "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false",
    "-c", "protocol.allow=never", "-c", "protocol.ext.allow=never", "-c", "submodule.recurse=false",
    "-c", "fetch.recurseSubmodules=false", "-c", "core.editor=false",
    "-c", "advice.detachedHead=false", "-c", "gc.auto=0",
    "-c", "maintenance.auto=false", "-c", "log.showSignature=false", "-c", "core.quotePath=false",
)  # fmt: skip
_ALONE = (
    "-c",
    "credential.helper=",
    "-c",
    "core.sshCommand=false",
    "-c",
    "core.askPass=",
)  # of commands that need nobody else
# settings of a repository (not of its user) that name a program for git to start on files of a branch
_PROGRAMS = re.compile(r"(?:filter\.(.+)\.(?:clean|smudge|process)|merge\..+\.driver)", re.DOTALL)
_LOCKED = re.compile(r"Unable to create '(.+\.lock)': File exists")
_MOVED = re.compile(r"cannot lock ref|reference already exists|is at [0-9a-f]+ but expected")


class GitCommand:
    """Starts git in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._off: dict[Path, tuple[tuple[str, str], ...]] = {}

    def run(
        self,
        command: str,
        *options: str,
        values: Sequence[str] = (),
        paths: Sequence[str] | None = None,
        typed: str | None = None,
        expect: Sequence[int] = (0,),
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        prefix: Path | None = None,
        timeout: float = QUICK,
    ) -> Answer:
        """Run one allowed command; raises an error of ours where the status is none of the expected."""
        arguments = self._arguments(command, options, values, paths)
        if prefix is not None:  # of checkout-index: the folder to write to
            arguments.insert(1, f"--prefix={prefix.absolute()}/")
        known = {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "none", **(environment or {})}
        place = folder or self.folder
        fetches = command != "config" and self._is_partial
        if fetches:
            known |= {"GIT_ALLOW_PROTOCOL": PROTOCOLS}
            known |= said_to_git([*self._disarmed(place), *way(self._configured(place), asks=False)])
        elif command != "config":
            known |= said_to_git(self._disarmed(place))
        words = ["git", *_ALWAYS, *(() if fetches else _ALONE), "-C", str(place), *arguments]
        if fetches and typed is None:
            answer = process.talk(command, words, known, SLOW, asks=False)
        elif typed is None and (command in _READING or f"{command} {' '.join(options[:1])}" in _READING):
            answer = process.read(command, words, known, timeout)
        else:
            answer = process.start(command, words, typed, known, timeout)
        if answer.status not in expect:
            raise _error(command, answer)
        return answer

    def reach(
        self, command: str, *options: str, values: Sequence[str], settings: Sequence[tuple[str, str]],
        leases: Mapping[str, str], protocols: str, timeout: float, asks: bool = False,
    ) -> Answer:  # fmt: skip
        """Run one allowed command that talks to another machine; the caller reads its status.

        ``settings`` hold in this call only and stand in no argument, because they may hold what opens a door. Where it
        ``asks``, git and ssh may ask whoever sits at this terminal.
        """
        arguments = [command, *_permitted(command, options, NETWORK)]
        arguments += [f"--force-with-lease={ref}:{old}" for ref, old in leases.items()]
        arguments += ["--end-of-options", *_no_options(command, values)]
        known = {"GIT_TERMINAL_PROMPT": "1" if asks else "0", "GIT_ALLOW_PROTOCOL": protocols}
        known |= {} if asks else {"SSH_ASKPASS_REQUIRE": "never"}
        known |= said_to_git([*self._disarmed(self.folder), *settings])
        words = ["git", *_ALWAYS, "-C", str(self.folder), *arguments]
        return process.talk(command, words, known, timeout, asks=asks)

    @cached_property
    def settings(self) -> Mapping[str, str]:
        """Return git's configuration as it holds in this folder."""
        return {key: value for _, key, value in self.scoped}

    def identity(self) -> dict[str, str]:
        """Return what a commit needs to know of its author where git has not been told."""
        found: dict[str, str] = {}
        login = login_name()
        for who in ("AUTHOR", "COMMITTER"):
            for what, value in (("NAME", login), ("EMAIL", f"{login}@localhost")):
                if f"user.{what.lower()}" not in self.settings and f"GIT_{who}_{what}" not in os.environ:
                    found[f"GIT_{who}_{what}"] = value
        return found

    @cached_property
    def scoped(self) -> tuple[tuple[str, str, str], ...]:
        """Return scope, key and value of everything that git is configured with, weakest first.

        What stands on the command line is left out: it is what kitchen itself says in every call.
        """
        return self._configured(self.folder)

    def _configured(self, folder: Path) -> tuple[tuple[str, str, str], ...]:
        fields = self.run("config", "--list", "--show-scope", "-z", folder=folder).out.split("\0")
        pairs = zip(fields[0::2], fields[1::2], strict=False)
        return tuple((scope, *_split(entry)) for scope, entry in pairs if scope != "command")

    @cached_property
    def _is_partial(self) -> bool:
        """A partial clone: in the middle of any command git may get from the remote what it left out."""
        return any(key.startswith("remote.") and key.endswith(".promisor") for _, key, _ in self.scoped)

    def _disarmed(self, folder: Path) -> tuple[tuple[str, str], ...]:
        """Return settings that switch off the programs which the repository's own configuration names in a folder.

        A worktree may have a configuration of its own, and includes of its own. A filter becomes a plain copy; a merge
        driver says "conflict", because an empty one would silently take one side.
        """
        if folder not in self._off:
            self._off[folder] = self._switches(self.scoped if folder == self.folder else self._configured(folder))
        return self._off[folder]

    @staticmethod
    def _switches(configured: Sequence[tuple[str, str, str]]) -> tuple[tuple[str, str], ...]:
        off: dict[str, str] = {}
        for scope, key, _ in configured:
            found = _PROGRAMS.fullmatch(key)
            if found and scope not in USERS:
                off[key] = "" if found[1] else "false"
                if found[1]:
                    off[f"filter.{found[1]}.required"] = "false"
        return tuple(off.items())

    def _arguments(
        self, command: str, options: Sequence[str], values: Sequence[str], paths: Sequence[str] | None
    ) -> list[str]:
        kept = _permitted(command, options, ALLOWED)
        end = ["--end-of-options"] if values and command not in _NO_END_OF_OPTIONS else []
        return [command, *kept, *end, *_no_options(command, values), *(["--", *paths] if paths is not None else [])]


def _permitted(command: str, options: Sequence[str], allowed: Mapping[str, frozenset[str]]) -> list[str]:
    """Return the options where all are on the list; raises KitchenError."""
    if command not in allowed:
        raise KitchenError(f"git {command} is not on kitchen's list of commands")
    expects_value = False
    for option in options:
        if not expects_value and option not in allowed[command]:
            raise KitchenError(f"git {command} {option[:40]!r} is not on kitchen's list of commands")
        expects_value = not expects_value and option in ("-m", "-p") and command != "read-tree"
    return list(options)


def _no_options(command: str, values: Sequence[str]) -> Sequence[str]:
    if any(value.startswith("-") for value in values):
        raise KitchenError(f"git {command} got a value that looks like an option")
    return values


def said_to_git(settings: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return settings as git takes them from the environment: a key may hold any character there."""
    if not settings:
        return {}
    said = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings):
        said |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return said


def login_name() -> str:
    """Return who is logged in, by the system's own account list."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid{os.geteuid()}"


def _split(entry: str) -> tuple[str, str]:
    key, _, value = entry.partition("\n")
    return key, value


def _error(command: str, answer: Answer) -> KitchenError:
    lines = [line.removeprefix("fatal: ").removeprefix("error: ") for line in answer.err.strip().splitlines()]
    words = shown("; ".join(lines[:5])) or f"status {answer.status}"
    if "promisor remote" in answer.err:
        return Unavailable(
            f"git {command}: this clone is partial, and what it left out does not come: {words}",
            hint="git ls-remote origin, or git fetch --refetch --no-filter origin for a whole clone",
        )
    if "dubious ownership" in answer.err:
        return NotPermitted("git does not trust this project: it belongs to another user", hint="git status")
    if locked := _LOCKED.search(answer.err):
        return Locked(Path(locked[1]))
    if _MOVED.search(answer.err):
        return Conflict(f"git: {words}", hint="look at what moved it, then the same command again")
    if "not a git repository" in answer.err or "cannot change to" in answer.err:
        return NotFound(f"git: {words}", hint="git init, or cd into a project")
    return KitchenError(f"git {command}: {words}")


class Locked(Conflict):
    """A lock file of git is in the way: a git process works there, or one was killed."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"git's lock {path} is there: a git process works in this project, or one was killed",
            hint=f"when no git runs any more: rm {quoted(path)}",
        )
        self.path = path
