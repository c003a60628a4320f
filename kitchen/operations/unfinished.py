"""Refuses to build on a publication that is under way or was interrupted: branch and tables do not say the same yet."""

from __future__ import annotations

from kitchen.domain.kitchen import Kitchen, State
from kitchen.errors import Conflict
from kitchen.ports import Control


def refuse_publishing(control: Control, kitchen: Kitchen) -> None:
    """Raise Conflict, with what to type, where a kitchen's branch has moved and its tables have perhaps not."""
    if kitchen.state is not State.PUBLISHING:
        return
    known = [each for each in control.journal.unfinished() if each.subject == kitchen.name]
    what = f"a {known[0].kind} into" if known else "a publication into"
    hint = f"kitchen recover {str(known[0].id)[:8]}" if known else "kitchen recover"
    raise Conflict(f"{what} {kitchen.name!r} is under way, or was interrupted half-way", hint=hint)
