"""The circles of a graph: sets of nodes that all lead to each other; what is led to comes first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

Node = TypeVar("Node")


def circles(leads_to: Mapping[Node, Sequence[Node]]) -> list[list[Node]]:
    """Return the strongly connected components; every node that is led to must be a key."""
    backwards: dict[Node, list[Node]] = {node: [] for node in leads_to}
    for node, others in leads_to.items():
        for other in others:
            backwards[other].append(node)
    seen: set[Node] = set()
    order = [node for start in leads_to for node in _walk(start, leads_to, seen)]
    seen = set()
    found = [_walk(start, backwards, seen) for start in reversed(order)]
    return [circle for circle in reversed(found) if circle]


def _walk(start: Node, leads_to: Mapping[Node, Sequence[Node]], seen: set[Node]) -> list[Node]:
    """Return the nodes reached and not seen before, each after those that it led to; no recursion, however deep."""
    left: list[Node] = []
    if start in seen:
        return left
    seen.add(start)
    work = [(start, iter(leads_to[start]))]
    while work:
        node, rest = work[-1]
        following = next((other for other in rest if other not in seen), None)
        if following is None:
            left.append(node)
            work.pop()
        else:
            seen.add(following)
            work.append((following, iter(leads_to[following])))
    return left
