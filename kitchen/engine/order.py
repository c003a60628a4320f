"""Which node must come before which, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from kitchen.domain.layout import TableName
from kitchen.domain.recipe import Node
from kitchen.engine.touches import Touches
from kitchen.errors import InvalidInput


class Draft(Protocol):
    """A node with what it touches."""

    @property
    def node(self) -> Node: ...
    @property
    def touches(self) -> Touches: ...


@dataclass(slots=True)
class _Traffic:
    """Who does what to one table, in the order of the file."""

    rebuild: list[str] = field(default_factory=list)
    change: list[str] = field(default_factory=list)
    drop: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)


def reasons_of(drafts: Sequence[Draft]) -> dict[str, dict[str, str]]:
    """Return for each node the nodes before it and why; raises InvalidInput where two build one table from nothing."""
    reasons: dict[str, dict[str, str]] = {draft.node.name: {} for draft in drafts}
    for draft in drafts:
        for earlier in draft.node.after:
            if earlier in reasons:  # a variation may leave it out
                reasons[draft.node.name][earlier] = "after"
    told = {name: _reach(reasons, name) for name in reasons}
    for table, traffic in _traffic(drafts).items():
        _order_writers(reasons, told, table, traffic)
        for reader in traffic.read:
            for writer in traffic.rebuild + traffic.change:
                reasons[reader].setdefault(writer, f"reads {table}")
        for dropper in traffic.drop:
            for user in traffic.rebuild + traffic.change + traffic.read:
                reasons[dropper].setdefault(user, f"drops {table}")
    return reasons


def _order_writers(
    reasons: dict[str, dict[str, str]], told: Mapping[str, set[str]], table: TableName, traffic: _Traffic
) -> None:
    for at, one in enumerate(traffic.rebuild):
        for other in traffic.rebuild[at + 1 :]:
            if one not in told[other] and other not in told[one]:
                raise InvalidInput(
                    f"nodes {one!r} and {other!r} both build {str(table)!r} from nothing",
                    hint=f"say which is first: {other}: {{after: [{one}]}}",
                )
    for changer in traffic.change:
        for builder in traffic.rebuild:
            if changer not in told[builder]:
                reasons[changer].setdefault(builder, f"changes {table}")
    for at, one in enumerate(traffic.change):
        for other in traffic.change[at + 1 :]:
            if other not in told[one]:
                reasons[other].setdefault(one, f"changes {table}")


def _traffic(drafts: Sequence[Draft]) -> dict[TableName, _Traffic]:
    found: dict[TableName, _Traffic] = {}
    for draft in drafts:
        name, touches = draft.node.name, draft.touches
        for table in touches.rebuilds:
            found.setdefault(table, _Traffic()).rebuild.append(name)
        for table in touches.changes:
            found.setdefault(table, _Traffic()).change.append(name)
        for table in touches.drops - touches.writes:
            found.setdefault(table, _Traffic()).drop.append(name)
        for table in touches.reads - touches.writes - touches.drops:
            found.setdefault(table, _Traffic()).read.append(name)
    return found


def _reach(reasons: Mapping[str, Mapping[str, str]], name: str) -> set[str]:
    """Return every node that comes before a node."""
    reached: set[str] = set()
    left = list(reasons[name])
    while left:
        earlier = left.pop()
        if earlier not in reached:
            reached.add(earlier)
            left += reasons[earlier]
    return reached


def circle_in(reasons: Mapping[str, Mapping[str, str]]) -> str:
    """Return one circle among nodes that all wait for one another, in words."""
    node = next(iter(reasons))
    path: list[str] = []
    while node not in path:
        path.append(node)
        node = next(earlier for earlier in reasons[node] if earlier in reasons)
    path = path[path.index(node) :]
    steps = [
        f"{one} waits for {other} ({reasons[one][other]})" for one, other in zip(path, [*path[1:], node], strict=True)
    ]
    return ", ".join(steps)
