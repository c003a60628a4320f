"""Worktrees whose project was moved or copied: git keeps whole paths on both sides, and finds neither then."""

from __future__ import annotations

import os
from pathlib import Path


def leads_to(marker: Path) -> Path | None:
    """Return the folder in .git that a worktree's own .git file names, there or not."""
    text = marker.read_text(errors="surrogateescape").strip() if marker.is_file() else ""
    return _plain(marker.parent / text.removeprefix("gitdir: ")) if text.startswith("gitdir: ") else None


def brought_along(common_dir: Path, folder: Path) -> tuple[Path, ...]:
    """Return the worktrees in a folder that belong to this project, and that git looks for elsewhere.

    One that another project answers for stays out: a folder that somebody put there.
    """
    return tuple(
        marker.parent
        for entry in sorted((common_dir / "worktrees").glob("*"))
        if (known := _known(entry)) is not None
        and (marker := _marker(known, folder)) is not None
        and (led := leads_to(marker)) is not None
        and led.name == entry.name
        and not (led == entry and known == marker)
        and not (led != entry and _known(led) == marker)
    )


def make_known(common_dir: Path, worktree: Path) -> None:
    """Let a worktree and git's memory of it name each other; one that was killed in between is found again.

    ``git worktree repair`` would write to another project that is where a copied worktree still leads to.
    """
    marker = worktree / ".git"
    led = leads_to(marker)
    if led is not None:
        entry = common_dir / "worktrees" / led.name
        _replace(marker, f"gitdir: {entry}\n")
        _replace(entry / "gitdir", f"{marker}\n")


def project_above(marker: Path) -> Path | None:
    """Return the folder above a worktree that remembers it, where its own .git file leads to nobody who does."""
    led = leads_to(marker)
    if led is None or _known(led) == marker:
        return None
    above = marker.parent.parents
    return next((folder for folder in above if (folder / ".git" / "worktrees" / led.name / "gitdir").is_file()), None)


def _known(entry: Path) -> Path | None:
    """Return the .git file that git remembers for a worktree."""
    pointer = entry / "gitdir"
    return _plain(entry / pointer.read_text(errors="surrogateescape").strip()) if pointer.is_file() else None


def _marker(known: Path, folder: Path) -> Path | None:
    """Return the worktree's .git file where it is now: in the folder of this project's, else where it was."""
    found = (folder / known.parent.name / ".git", known)
    return next((marker for marker in found if marker.is_file()), None)


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.kitchen")
    draft.write_text(text, errors="surrogateescape")
    draft.replace(path)


def _plain(path: Path) -> Path:
    """Return a path without dots, as it stands: what it leads to may be gone."""
    return Path(os.path.normpath(path))
