"""Finds the project around a folder, as git does, without starting git."""

from __future__ import annotations

from pathlib import Path

from kitchen.adapters.git.moved import leads_to, project_above
from kitchen.adapters.git.repository import GitRepository
from kitchen.errors import NotFound


def open_repository(start: Path) -> GitRepository:
    """Return the git project around a folder; raises NotFound."""
    here = start.resolve()
    for folder in (here, *here.parents):
        marker = folder / ".git"
        if (marker / "HEAD").is_file():
            return GitRepository(folder, marker.resolve())
        if marker.is_file() and (found := _through(marker, folder)) is not None:
            return found
    raise NotFound(f"there is no git project in {start} or above it", hint="kitchen init DIR, or kitchen demo DIR")


def _through(marker: Path, folder: Path) -> GitRepository | None:
    """Return the project of a folder whose .git is a file: a linked worktree, or a repository kept elsewhere."""
    led = leads_to(marker)
    if led is None:
        return None
    if (moved := project_above(marker)) is not None:
        return GitRepository(moved, moved / ".git")
    own = led.resolve()
    if not own.is_dir():
        raise NotFound(
            f"{marker} points to {own}, which is gone; was the project moved?",
            hint="kitchen list, in the project's main folder: it makes its worktrees known to git again",
        )
    shared = own / "commondir"
    if not shared.is_file():
        return GitRepository(folder, own)
    common = (own / shared.read_text().strip()).resolve()
    if common.name == ".git":
        return GitRepository(common.parent, common)
    main = next(iter(GitRepository(folder, common).worktrees()))
    return GitRepository(main, common)
