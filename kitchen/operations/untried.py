"""Which recipe a kitchen's branch has changed: what to run first in it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from kitchen.operations.sharing import here, truth

if TYPE_CHECKING:
    from kitchen.ports import Repository

_FOLDER = "recipes"


def untried(repository: Repository, branch: str | None, above: str | None) -> str | None:
    """Return a recipe that differs from the branch above or, where none does, the only one that there is."""
    head, base = here(repository, branch), truth(repository, above)
    if head is None or base is None:
        return None
    known = sorted(path.split("/")[1] for path in repository.files(head, _FOLDER) if _is_recipe(path))
    since = repository.merge_base(base, head) or base
    changed = {PurePosixPath(path).parts[1] for path in repository.changed_paths(since, head) if _is_below(path)}
    of_these = [name for name in known if name in changed] or (known if len(known) == 1 else [])
    return of_these[0] if of_these else None


def _is_recipe(path: str) -> bool:
    return _is_below(path) and path.endswith("/recipe.yaml") and path.count("/") == 2


def _is_below(path: str) -> bool:
    return path.startswith(f"{_FOLDER}/") and path.count("/") > 1
