"""Worktrees: made, found half-made, brought along and removed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from kitchen.adapters.git.command import SLOW, GitCommand
from kitchen.adapters.git.process import Answer
from kitchen.domain.conflict_markers import first_marker
from kitchen.domain.words import quoted
from kitchen.errors import Conflict, InvalidInput, KitchenError, NotFound

IGNORED = "/.kitchen/"
_HALF_MADE = "initializing"


@dataclass(frozen=True, slots=True)
class Worktree:
    """One worktree as git knows it."""

    path: Path
    branch: str | None
    locked: str | None  # why; git itself says so until the files are there


def all_of(git: GitCommand) -> tuple[Worktree, ...]:
    """Return every worktree, the main one first."""
    found: list[Worktree] = []
    for block in git.run("worktree", "list", "--porcelain", "-z").out.split("\0\0"):
        fields = dict(line.partition(" ")[::2] for line in block.split("\0") if line)
        if "worktree" in fields:
            branch = fields.get("branch")
            found.append(
                Worktree(
                    Path(fields["worktree"]),
                    branch.removeprefix("refs/heads/") if branch else None,
                    fields.get("locked"),
                )
            )
    return tuple(found)


_MARKS = {"MERGE_HEAD": "merge", "rebase-merge": "rebase", "rebase-apply": "rebase", "CHERRY_PICK_HEAD": "cherry-pick",
          "REVERT_HEAD": "revert"}  # fmt: skip


def halted(worktree: Path) -> str | None:
    """Return what git is in the middle of in a worktree, by the marks that it leaves itself there."""
    own = _git_folder(worktree)
    return next((what for mark, what in _MARKS.items() if (own / mark).exists()), None)


def coming(worktree: Path) -> str | None:
    """Return the commit that is being merged in a worktree, or None."""
    mark = _git_folder(worktree) / "MERGE_HEAD"
    return next(iter(mark.read_text(errors="replace").split()), None) if mark.exists() else None


def marked(git: GitCommand, worktree: Path) -> tuple[str, ...]:
    """Return the paths that conflicted, were added as resolved, and still hold conflict markers."""
    told = git.run("ls-files", "--resolve-undo", "-z", folder=worktree).out.split("\0")
    paths = dict.fromkeys(entry.partition("\t")[2] for entry in told if entry)  # one entry for each version
    return tuple(path for path in paths if first_marker(_added(git, worktree, path)) is not None)


def _added(git: GitCommand, worktree: Path, path: str) -> str:
    return git.run("cat-file", "blob", values=[f":0:{path}"], expect=(0, 128), folder=worktree).out


def _git_folder(worktree: Path) -> Path:
    marker = worktree / ".git"
    return marker if marker.is_dir() else worktree / marker.read_text(errors="replace").strip().removeprefix("gitdir: ")


def ignore(common_dir: Path) -> None:
    """Have git ignore the folder of worktrees, in this clone only."""
    exclude = common_dir / "info" / "exclude"
    before = exclude.read_text() if exclude.exists() else ""
    if IGNORED not in before.splitlines():
        exclude.parent.mkdir(exist_ok=True)
        with exclude.open("a") as kept:
            kept.write(("" if not before or before.endswith("\n") else "\n") + f"{IGNORED}\n")


def add(git: GitCommand, common_dir: Path, path: Path, branch: str) -> None:
    """Check a branch out in a new folder; raises Conflict where the folder or the branch is taken."""
    path = path.absolute()
    if path.exists() or _remembers(common_dir, path):
        for known in all_of(git):
            if known.path != path:
                continue
            if known.branch == branch and known.locked != _HALF_MADE and (path / ".git").exists():
                return
            if known.branch not in (branch, None) and known.locked != _HALF_MADE and path.exists():
                raise Conflict(f"{path} holds the branch {known.branch!r}, not {branch!r}", hint="git worktree list")
            remove(git, common_dir, path)  # half-made, or its folder is gone
    if _is_half(common_dir, path):
        shutil.rmtree(path)
    if path.exists() and any(path.iterdir()):
        raise Conflict(
            f"{path} is in the way: it holds files that are no worktree",
            hint=f"move {quoted(path)} elsewhere",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    # of what the folder's own configuration would start nothing may run, and that is known only where the folder is;
    # meanwhile it is marked as git itself marks it
    words = ("add", "--quiet", "--no-guess-remote", "--no-checkout", "--lock", f"--reason={_HALF_MADE}")
    try:
        git.run("worktree", *words, values=[str(path), branch], timeout=SLOW)
    except KitchenError as error:
        raise _sharper(error, path, branch) from error
    git.run("read-tree", "-m", "-u", values=["HEAD"], folder=path, timeout=SLOW)
    git.run("worktree", "unlock", values=[str(path)])


def is_half_made(worktree: Path) -> bool:
    """Say whether whoever made a worktree was killed before its files were there."""
    mark = _git_folder(worktree) / "locked"
    return mark.exists() and mark.read_text(errors="replace").strip() == _HALF_MADE


def remove(git: GitCommand, common_dir: Path, path: Path) -> None:
    """Remove a worktree; only folders that belong to this repository, never the main one."""
    path = path.absolute()
    if (path / ".git").is_dir():
        raise InvalidInput(f"{path} is a project of its own, no worktree of a kitchen")
    mine = any(known.path == path for known in all_of(git)) if path.exists() or _remembers(common_dir, path) else False
    if not mine and not _is_half(common_dir, path):
        if path.exists() and any(path.iterdir()):
            raise Conflict(f"{path} is no worktree of this project; it was left alone", hint=f"ls {quoted(path)}")
        return
    if mine:
        answer = git.run("worktree", "remove", "--force", "--force", values=[str(path)], expect=range(256))
        if answer.status == 0:
            return
    if path.exists():
        shutil.rmtree(path)
    for entry in _entries(common_dir, path):
        shutil.rmtree(entry)


def follow(
    git: GitCommand,
    unlocked: Callable[..., Answer],
    worktree: Path,
    commits: tuple[str, str],
    raw: Sequence[str],
) -> None:
    """Move index and files from one commit to another, keeping what is edited elsewhere; raises Conflict."""
    try:
        unlocked("read-tree", "-m", "-u", values=commits, folder=worktree)
        return
    except KitchenError as error:
        if not (arrived := _arrived(git, worktree, raw)):
            raise _blocked(worktree, error) from error
    # a process was killed between writing files and the index: tell the index what has arrived, and go on
    unlocked("update-index", "-z", "--index-info", typed="".join(arrived), folder=worktree)
    unlocked("update-index", "-q", "--refresh", folder=worktree)
    try:
        unlocked("read-tree", "-m", "-u", values=commits, folder=worktree)
    except KitchenError as error:
        raise _blocked(worktree, error) from error


def export(git: GitCommand, commit: str, to: Path) -> None:
    """Write a commit's files below a new folder; raises InvalidInput where a link leads out of it."""
    if to.exists() and any(to.iterdir()):
        raise Conflict(f"{to} is not empty")
    to.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="kitchen-index-") as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        git.run("read-tree", values=[commit], environment=index)
        # not git archive: it leaves out what .gitattributes marks export-ignore
        git.run("checkout-index", "--all", "--force", prefix=to, environment=index, timeout=SLOW)
    inside = to.resolve()
    for found, folders, files in os.walk(to):
        for name in (*folders, *files):
            link = Path(found) / name
            if link.is_symlink() and not link.resolve().is_relative_to(inside):
                shutil.rmtree(to)
                raise InvalidInput(f"{link.relative_to(to)} in commit {commit[:12]} is a link that leaves the project")


def _arrived(git: GitCommand, worktree: Path, raw: Sequence[str]) -> list[str]:
    """Return index lines of those changed paths whose file is already what the new commit has."""
    lines: list[str] = []
    for head, path in zip(raw[0::2], raw[1::2], strict=False):
        _, mode, _, blob, status = head.removeprefix(":").split(" ")
        file = worktree / path
        if status == "D":
            if not os.path.lexists(file):
                lines.append(f"0 {'0' * len(blob)}\t{path}\0")
        elif file.is_file() and not file.is_symlink() and "\n" not in path:
            now = git.run("hash-object", "--stdin-paths", typed=f"{path}\n", folder=worktree).out.strip()
            if now == blob:
                lines.append(f"{mode} {blob}\t{path}\0")
    return lines


def _blocked(worktree: Path, error: KitchenError) -> KitchenError:
    if isinstance(error, Conflict):
        return error
    return Conflict(
        f"the files of {worktree} cannot follow their branch: {error.message}",
        hint="commit or move the files named, then the same command again",
    )


def _sharper(error: KitchenError, path: Path, branch: str) -> KitchenError:
    if "is already checked out" in error.message or "is already used by worktree" in error.message:
        return Conflict(f"the branch {branch!r} is checked out elsewhere", hint="git worktree list")
    if "already exists" in error.message:
        return Conflict(f"{path} is in the way", hint=f"move {quoted(path)} elsewhere")
    if "invalid reference" in error.message:
        return NotFound(f"there is no branch {branch!r}", hint="git branch --list")
    return error


def _entries(common_dir: Path, path: Path) -> list[Path]:
    """Return what git remembers of a worktree at a path."""
    found = []
    for pointer in (common_dir / "worktrees").glob("*/gitdir"):
        if Path(pointer.read_text(errors="replace").strip()) == path / ".git":
            found.append(pointer.parent)
    return found


def _remembers(common_dir: Path, path: Path) -> bool:
    return bool(_entries(common_dir, path))


def _is_half(common_dir: Path, path: Path) -> bool:
    """Say whether a folder is a worktree of this repository of which git knows nothing any more."""
    marker = path / ".git"
    if not marker.is_file():
        return False
    target = Path(marker.read_text(errors="replace").strip().removeprefix("gitdir: "))
    return target.parent == common_dir / "worktrees" and not (target / "gitdir").is_file()
