"""Finds kitchens that nobody uses any more: expired ones, and candidates whose command ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kitchen.domain.kitchen import Kind, Kitchen
from kitchen.ports import Control


@dataclass(frozen=True, slots=True)
class Prunable:
    """A kitchen that may go, and why."""

    kitchen: Kitchen
    why: str


def prunable(control: Control, now: datetime) -> tuple[Prunable, ...]:
    """Return what ``kitchen prune`` removes, children before their parents.

    What an unfinished operation works on is left to ``kitchen recover``.
    """
    known = control.kitchens.all()
    busy = {operation.subject for operation in control.journal.unfinished()}
    found = [Prunable(kitchen, why) for kitchen in known if (why := _reason(kitchen, now)) and kitchen.name not in busy]
    going = {each.kitchen.name for each in found}
    kept = {kitchen.parent for kitchen in known if kitchen.name not in going}
    return tuple(
        sorted(
            (each for each in found if each.kitchen.name not in kept),
            key=lambda each: -_depth(each.kitchen, {kitchen.name: kitchen for kitchen in known}),
        )
    )


def _reason(kitchen: Kitchen, now: datetime) -> str:
    if kitchen.kind is Kind.WORKING and kitchen.expires_at is not None and kitchen.expires_at < now:
        return f"expired {kitchen.expires_at:%Y-%m-%d}"
    # a candidate lives as long as its command; one of yesterday has lost it
    if kitchen.kind is Kind.CANDIDATE and (now - kitchen.created_at).days >= 1:
        return "left by a merge or promotion that ended"
    return ""


def _depth(kitchen: Kitchen, known: dict[str, Kitchen]) -> int:
    depth, above = 0, kitchen.parent
    while above is not None and above in known and depth <= len(known):
        depth, above = depth + 1, known[above].parent
    return depth
