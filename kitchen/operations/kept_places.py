"""How the journal keeps where a worktree is: below its project, so that who moves the project is followed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kitchen.operations.project import project_id
from kitchen.ports import Repository

_WORKTREES = (".kitchen", "worktrees")


def kept_place(repository: Repository | None, worktree: Path | None) -> dict[str, object]:
    """Return what the journal keeps of a worktree."""
    if worktree is None:
        return {"worktree": None}
    if repository is None or not worktree.is_relative_to(repository.root):
        return {"worktree": str(worktree)}
    return {"worktree": str(worktree.relative_to(repository.root)), "clone": project_id(repository)}


def place_of(repository: Repository | None, kept: Mapping[str, Any], *, is_embedded: bool) -> Path | None:
    """Return where a worktree of the journal is now; None where there is none, or it is another clone's.

    What one person began in two clones is told apart: a ``delete`` of one takes no worktree of the other.
    """
    if not kept["worktree"]:
        return None
    path = Path(kept["worktree"])
    if repository is None:
        return path if path.is_absolute() else None
    if not path.is_absolute():
        return repository.root / path if kept.get("clone") == project_id(repository) else None
    return _followed(repository.root, path) if is_embedded else path


def _followed(root: Path, path: Path) -> Path:
    """Return where a path of an earlier version is, whose project may have moved: an embedded one has no clones."""
    is_usual = path.parts[-3:-1] == _WORKTREES
    return root.joinpath(*path.parts[-3:]) if is_usual and not path.parents[2].exists() else path
