"""Where a kitchen's branch comes from and goes back to: its parent; of a hotfix, the environment that it mends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kitchen.domain.environment import Chain
from kitchen.domain.kitchen import Kitchen


@dataclass(frozen=True, slots=True)
class Above:
    """A kitchen or an environment, with the branch that another one is compared with and brought up to date from."""

    name: str
    branch: str | None


def above_of(kitchen: Kitchen, known: Iterable[Kitchen], chain: Chain) -> Above | None:
    """Return what a kitchen's branch came from, or None where that is not there."""
    if kitchen.mends is not None:
        mended = chain.environments.get(kitchen.mends)
        return Above(mended.name, mended.branch) if mended is not None else None
    return next((Above(each.name, each.branch) for each in known if each.name == kitchen.parent), None)
