"""What the core asks of git."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """Move one ref from ``old`` (None: it must not exist) to ``new`` (None: delete it)."""

    ref: str
    new: str | None
    old: str | None


@dataclass(frozen=True, slots=True)
class MergePreview:
    """The tree that merging source into target gives, or the paths that conflict. Nothing has moved."""

    target: str
    source: str
    base: str
    tree: str | None
    conflicts: tuple[str, ...]

    @property
    def is_up_to_date(self) -> bool:
        """The target already contains the source."""
        return self.base == self.source


class Repository(Protocol):
    """One git project. Commit ids are full hashes; branches are short names; refs are full names."""

    @property
    def root(self) -> Path:
        """Return the main worktree."""
        ...

    @property
    def common_dir(self) -> Path:
        """Return the .git folder that all worktrees share."""
        ...

    def head(self, branch: str) -> str | None:
        """Return the commit of a local branch, or None."""
        ...

    def resolve(self, revision: str) -> str | None:
        """Return the commit that a branch, tag or hash names, or None."""
        ...

    def update_refs(self, updates: Sequence[RefUpdate], *, reason: str) -> None:
        """Move all refs or none; raises Conflict where one is not at its old value."""
        ...

    def merge_base(self, one: str, other: str) -> str | None:
        """Return the best common ancestor."""
        ...

    def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        """Say whether descendant contains ancestor."""
        ...

    def ahead_behind(self, one: str, other: str) -> tuple[int, int]:
        """Return how many commits one has that other has not, and the reverse."""
        ...

    def preview_merge(self, target: str, source: str) -> MergePreview:
        """Merge two commits in memory."""
        ...

    def commit_tree(self, tree: str, parents: Sequence[str], message: str) -> str:
        """Write a commit object; no ref moves."""
        ...

    def tree_of(self, commit: str) -> str:
        """Return the tree of a commit."""
        ...

    def changed_paths(self, base: str, commit: str) -> tuple[str, ...]:
        """Return the paths that differ between two commits."""
        ...

    def log(self, base: str | None, commit: str) -> tuple[Mapping[str, str], ...]:
        """Return commits in base..commit, newest first, each with id, author, time (ISO 8601) and subject."""
        ...

    def read(self, commit: str, path: str) -> str | None:
        """Return the text of a file in a commit, or None."""
        ...

    def files(self, commit: str, folder: str) -> tuple[str, ...]:
        """Return the paths below a folder in a commit."""
        ...

    def export(self, commit: str, to: Path) -> None:
        """Write the files of a commit below a new folder, without any .git."""
        ...

    def worktrees(self) -> Mapping[Path, str | None]:
        """Return every worktree with its branch (None: detached)."""
        ...

    def add_worktree(self, path: Path, branch: str) -> None:
        """Check a branch out in a new folder; a worktree of that branch already there is success."""
        ...

    def remove_worktree(self, path: Path) -> None:
        """Remove a worktree and what git knows of it, whatever is in it; absent is success."""
        ...

    def changes(self, worktree: Path) -> tuple[str, ...]:
        """Return changed and untracked (not ignored) paths of a worktree."""
        ...

    def follow(self, worktree: Path, old: str, new: str) -> None:
        """Bring a clean worktree's files from commit old to new after its branch moved; done already is success."""
        ...

    def tag(self, name: str, commit: str, message: str) -> None:
        """Make an annotated tag; the same tag there is success, another is Conflict."""
        ...

    def delete_tag(self, name: str) -> None:
        """Delete a tag; absent is success."""
        ...

    def user(self) -> str:
        """Return the name under which people work here: git's user.email, else the login name."""
        ...
