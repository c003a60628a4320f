"""Refuses to build on what is half-way: a publication under way or interrupted, a merge that git waits in."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from kitchen.domain.kitchen import Kitchen, State
from kitchen.errors import Conflict

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
    return f"{during}: {_unresolved(changes.unresolved)}"


def way_out(worktree: Path, changes: Changes) -> str:
    """Return what to type there, forward and back."""
    git, what = f"git -C {worktree}", changes.halted
    on = {"merge": "kitchen resolve", None: f"{git} commit"}.get(what, f"{git} {what} --continue")
    back = f"; to give up: {git} {what} --abort" if what is not None else ""
    if not changes.unresolved:
        return f"{on}{back}"
    return f"mend the files, {git} add {shlex.join(changes.unresolved[:5])}, then {on}{back}"


def way_on(kitchen: str, worktree: Path, changes: Changes) -> str:
    """Return the one command that says what is left to do there, or does it."""
    git = f"git -C {shlex.quote(str(worktree))}"
    if changes.halted == "merge":
        return f"kitchen resolve {kitchen}"
    return f"{git} status" if changes.unresolved else f"{git} {changes.halted} --continue"


def _unresolved(paths: tuple[str, ...]) -> str:
    if not paths:
        return "everything in it is resolved, and it is not committed yet"
    more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
    return f"unresolved {'is' if len(paths) == 1 else 'are'} {', '.join(paths[:5])}{more}"
