"""Refuses to build on what is half-way: a publication under way or interrupted, a merge that git waits in."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from kitchen.domain.kitchen import Kitchen, State
from kitchen.domain.words import quoted
from kitchen.errors import Conflict
from kitchen.operations.homes import worktrees_of

if TYPE_CHECKING:
    from kitchen.ports import Changes, Control, Repository


def refuse_publishing(control: Control, kitchen: Kitchen) -> None:
    """Raise Conflict, with what to type, where a kitchen's branch has moved and its tables have perhaps not."""
    if kitchen.state is not State.PUBLISHING:
        return
    known = [each for each in control.journal.unfinished() if each.subject == kitchen.name]
    what = f"a {known[0].kind} into" if known else "a publication into"
    hint = f"kitchen recover {str(known[0].id)[:8]}" if known else "kitchen recover"
    raise Conflict(f"{what} {kitchen.name!r} is under way, or was interrupted half-way", hint=hint)


def refuse_halted(repository: Repository, branch: str) -> None:
    """Raise Conflict, naming what is unresolved, where git is in the middle of something in a branch's worktree."""
    for path, checked_out in repository.worktrees().items():
        if checked_out == branch and path.is_dir():
            changes = repository.working(path)
            if changes.halted is not None or changes.unresolved:
                raise Conflict(halted(path, changes), hint=way_out(path, changes))


def halted(worktree: Path, changes: Changes) -> str:
    """Return in which state git left a worktree."""
    during = f"{worktree} is in the middle of a git {changes.halted}" if changes.halted else f"{worktree} has conflicts"
    if changes.marked and not changes.unresolved:
        stand = "conflict markers (<<<<<<<, >>>>>>>) stand in what was added as resolved"
        return f"{during}: {stand}: {_some(changes.marked)}"
    return f"{during}: {_unresolved(changes.unresolved)}"


def git_in(worktree: Path) -> str:
    """Return how to call git there, to be typed in any folder."""
    return f"git -C {quoted(worktree)}"


def _kitchen_of(worktree: Path) -> str | None:
    """Return whose worktree it is, or None where somebody made it by hand."""
    return worktree.name if worktree.parent == worktrees_of(worktree.parent.parent.parent) else None


def way_out(worktree: Path, changes: Changes, kitchen: str | None = None) -> str:
    """Return what to type there, forward and back; a merge is ended and given up by the name of its kitchen."""
    git, what = git_in(worktree), changes.halted
    kitchen = kitchen or _kitchen_of(worktree)
    if what == "merge" and kitchen is not None:
        on, back = f"kitchen resolve {kitchen}", f"; to give up: kitchen resolve {kitchen} --abort"
    else:
        on = f"{git} commit" if what in ("merge", None) else f"{git} {what} --continue"
        back = f"; to give up: {git} {what} --abort" if what is not None else ""
    if not changes.to_mend:
        return f"{on}{back}"
    return f"mend the files, {git} add {shlex.join(changes.to_mend[:5])}, then {on}{back}"


def way_on(kitchen: str, worktree: Path, changes: Changes) -> str:
    """Return the one command that says what is left to do there, or does it."""
    git = git_in(worktree)
    if changes.halted == "merge":
        return f"kitchen resolve {kitchen}"
    return f"{git} status" if changes.to_mend else f"{git} {changes.halted} --continue"


def _unresolved(paths: tuple[str, ...]) -> str:
    if not paths:
        return "everything in it is resolved, and it is not committed yet"
    return f"unresolved {'is' if len(paths) == 1 else 'are'} {_some(paths)}"


def _some(paths: tuple[str, ...]) -> str:
    return ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
