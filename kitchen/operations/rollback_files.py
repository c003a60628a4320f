"""The files of a rollback: what releases changed goes out (or comes in again), and nothing else does.

What others committed to the branch since stays. So does `environments/`: who may do what, gates and masking change
only by review, and going back is none.
"""

from __future__ import annotations

from collections.abc import Sequence

from kitchen.domain.release import Release
from kitchen.errors import Conflict
from kitchen.operations.delivery import three_way
from kitchen.ports import Repository

REVIEWED = "environments"


def files_without(
    repository: Repository, base: str, undone: Sequence[Release], redone: Sequence[Release]
) -> tuple[str, tuple[str, ...]]:
    """Return a commit on top of base with the files of then, and the paths of reviewed files that stay as they are.

    Releases are given oldest first. Raises Conflict where what came since changed the same lines.
    """
    files = base
    for release in reversed(undone):
        files = _changed(repository, files, release, back=True)
    for release in redone:
        files = _changed(repository, files, release, back=False)
    if files == base:
        return base, ()
    tree = repository.tree_keeping(files, REVIEWED, of=base)
    whole = repository.commit_tree(tree, [base], "kitchen: as it was")
    return whole, repository.changed_paths(whole, files)


def _changed(repository: Repository, files: str, release: Release, *, back: bool) -> str:
    """Return a commit on top of files with what one release changed taken out of them, or brought in again."""
    before, after = release.plan.base, str(release.commit)
    tree = three_way(repository, after, files, before) if back else three_way(repository, before, files, after)
    if tree is None:
        ours = set(repository.changed_paths(after if back else before, files))
        both = sorted(ours.intersection(repository.changed_paths(before, after)))
        raise Conflict(
            f"what came since changed the same lines of {', '.join(both)} as release {release.number}",
            hint=f"git revert -m 1 {after[:12]} in a kitchen, then merge or promote that",
        )
    return repository.commit_tree(tree, [files], "kitchen: as it was")
