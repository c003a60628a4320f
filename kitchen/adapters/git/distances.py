"""How many branches stand against those that they go into, told by two git processes however many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from kitchen.adapters.git.command import GitCommand
from kitchen.ports import Distance

Pair = tuple[str, str]


def distances(git: GitCommand, pairs: Sequence[Pair]) -> dict[Pair, Distance]:
    """Return how the first commit of each pair stands against the second."""
    heads = sorted({commit for one, other in pairs if one != other for commit in (one, other)})
    above = _above_all(git, heads)
    reached = Counter(_reached(heads, above).values())
    bits = {head: 1 << number for number, head in enumerate(heads)}

    def alone(one: str, other: str) -> int:
        return sum(count for mask, count in reached.items() if mask & bits[one] and not mask & bits[other])

    return {
        (one, other): Distance(0, 0, was_there=True)
        if one == other
        else Distance(alone(one, other), alone(other, one), was_there=_was_at(other, one, above))
        for one, other in pairs
    }


def _above_all(git: GitCommand, heads: Sequence[str]) -> dict[str, list[str]]:
    """Return the parents of every commit that not all heads have, each commit before its parents."""
    if not heads:
        return {}
    base = git.run("merge-base", "--octopus", values=heads, expect=(0, 1)).out.split()
    lines = git.run("rev-list", "--parents", "--topo-order", values=[*heads, *(f"^{commit}" for commit in base[:1])])
    return {commit: parents for commit, *parents in (line.split() for line in lines.out.splitlines())}


def _reached(heads: Sequence[str], above: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return for each commit the heads that have it, a bit for each."""
    found = dict.fromkeys(above, 0)
    for number, head in enumerate(heads):
        if head in found:  # not where it is the common ancestor itself
            found[head] |= 1 << number
    for commit, parents in above.items():
        for parent in parents:
            if parent in found:
                found[parent] |= found[commit]
    return found


def _was_at(head: str, commit: str, above: Mapping[str, Sequence[str]]) -> bool:
    """Say whether a branch itself was once at a commit; one that was merged into it, it has, but never was."""
    here: str | None = head
    while here is not None and here != commit:
        here = next(iter(above.get(here, ())), None)
    return here == commit
