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


@dataclass(frozen=True, slots=True)
class Changes:
    """What is in a worktree and in no commit."""

    paths: tuple[str, ...]  # changed or untracked, not ignored
    unresolved: tuple[str, ...]  # of those: two sides changed them, and nobody has decided
    halted: str | None  # what git is in the middle of: merge, rebase, cherry-pick, revert
    coming: str | None = None  # the commit that is being merged
    marked: tuple[str, ...] = ()  # added as resolved, though conflict markers stand in them

    @property
    def to_mend(self) -> tuple[str, ...]:
        """Return the paths that wait for a person."""
        return tuple(dict.fromkeys((*self.unresolved, *self.marked)))


@dataclass(frozen=True, slots=True)
class Distance:
    """How one commit stands against another."""

    ahead: int
    behind: int
    was_there: bool  # the other's own line came by it: what was merged into a branch, it has, but never was at


class Remote(Protocol):
    """The repository that a project's clones share. Raises Unavailable or NotPermitted where it cannot be asked."""

    @property
    def name(self) -> str:
        """Return what this clone calls it."""
        ...

    def seen(self, branch: str) -> str | None:
        """Return the commit of a branch as it was last seen there, or None; asks nobody."""
        ...

    def seen_of(self, branches: Sequence[str]) -> Mapping[str, str]:
        """Return the commits of those branches that were seen there; asks nobody."""
        ...

    def track(self, branch: str) -> None:
        """Let ``git status`` compare the branch here with the one there, unless it is told something else."""
        ...

    def heads(self, branches: Sequence[str]) -> Mapping[str, str]:
        """Return the commits of those branches that the remote has now."""
        ...

    def fetch(self, branches: Sequence[str]) -> Mapping[str, str]:
        """Bring the commits of branches here; returns where they stand. What the remote has no more is forgotten."""
        ...

    def push(self, update: RefUpdate) -> None:
        """Move a branch there, from exactly its old value.

        Raises Conflict where it stands elsewhere and Refused where the other side does not let it be moved.
        """
        ...

    def push_tag(self, name: str) -> None:
        """Bring a tag there; the same tag there is success, another is Conflict."""
        ...


class Repository(Protocol):
    """One git project. Commit ids are full hashes; branches are short names; refs are full names."""

    @property
    def remote(self) -> Remote | None:
        """Return the repository that this clone shares its branches by, or None where there is none."""
        ...

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

    def branches(self) -> tuple[str, ...]:
        """Return the names of the local branches."""
        ...

    def heads(self, branches: Sequence[str]) -> Mapping[str, str]:
        """Return the commits of those local branches that are there."""
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

    def distances(self, pairs: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Distance]:
        """Return how the first commit of each pair stands against the second."""
        ...

    def preview_merge(self, target: str, source: str) -> MergePreview:
        """Merge two commits in memory."""
        ...

    def tree_keeping(self, commit: str, folder: str, of: str) -> str:
        """Write the tree of a commit with one folder of its root as another commit has it, and return it."""
        ...

    def commit_tree(self, tree: str, parents: Sequence[str], message: str) -> str:
        """Write a commit object; no ref moves."""
        ...

    def tree_of(self, commit: str) -> str:
        """Return the tree of a commit."""
        ...

    def brings_nothing(self, target: str, source: str) -> bool:
        """Say whether the target has what source changed under other commits: squashed, rebased or picked."""
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

    def is_half_made(self, worktree: Path) -> bool:
        """Say whether whoever made a worktree was killed before its files were there."""
        ...

    def remove_worktree(self, path: Path) -> None:
        """Remove a worktree and what git knows of it, whatever is in it; absent is success."""
        ...

    def bring_along(self, folder: Path) -> tuple[Path, ...]:
        """Make worktrees in a folder known to git again, whose project was moved or copied, and return them."""
        ...

    def detached(self, worktree: Path) -> str | None:
        """Return the commit that a worktree is on where it is on no branch, else None."""
        ...

    def changes(self, worktree: Path) -> tuple[str, ...]:
        """Return changed and untracked (not ignored) paths of a worktree."""
        ...

    def ignored(self, worktree: Path) -> tuple[str, ...]:
        """Return what lies in a worktree and git is told not to see; a folder ends with a slash."""
        ...

    def working(self, worktree: Path) -> Changes:
        """Return what is in a worktree and in no commit, and what git is in the middle of there."""
        ...

    def start_merge(self, worktree: Path, commit: str) -> None:
        """Merge a commit into a clean worktree's branch, leaving conflicts in the files and the commit to be made."""
        ...

    def commit_merge(self, worktree: Path, message: str) -> str:
        """Commit a merge whose files are all resolved and return the commit."""
        ...

    def abort_merge(self, worktree: Path) -> None:
        """Put a worktree back to what it was before a merge was begun in it."""
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
