"""Changes what is recorded of a kitchen: when it expires, who may use it, what it is for, whose it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from kitchen.domain.kitchen import Kind, Kitchen
from kitchen.errors import InvalidInput, Refused
from kitchen.ports import Control


def edit_kitchen(
    control: Control,
    kitchen: Kitchen,
    *,
    ttl: timedelta | None = None,
    staff: tuple[str, ...] | None = None,
    ticket: str | None = None,
) -> Kitchen:
    """Record a new expiry (from now), staff or ticket; what is None stays. Raises InvalidInput where nothing is new."""
    _refuse_standing(kitchen)
    new: dict[str, object] = {}
    if ttl is not None:
        new["expires_at"] = datetime.now(UTC) + ttl
    if staff is not None:
        new["staff"] = staff
    if ticket is not None:
        new["ticket"] = ticket or None
    if not new:
        raise InvalidInput("what shall be changed?", hint=f"kitchen edit {kitchen.name} --ttl 14d")
    return _saved(control, "edit", kitchen, new)


def hand_kitchen(control: Control, kitchen: Kitchen, person: str) -> Kitchen:
    """Make somebody else the owner; raises InvalidInput for an empty name."""
    _refuse_standing(kitchen)
    if not person.strip() or not person.isprintable():
        raise InvalidInput(f"{person[:40]!a} names nobody", hint=f"kitchen hand {kitchen.name} ann@example.com")
    return _saved(control, "hand", kitchen, {"owner": person.strip()})


def _refuse_standing(kitchen: Kitchen) -> None:
    if kitchen.kind is Kind.STANDING:
        raise Refused(
            f"{kitchen.name!r} is the standing kitchen of its environment: it belongs to nobody and does not expire",
            hint=f"environments/{kitchen.environment}.yaml says what holds for it",
        )


def _saved(control: Control, action: str, kitchen: Kitchen, new: Mapping[str, object]) -> Kitchen:
    detail = {name: str(value) for name, value in new.items()}
    with control.locks.hold(kitchen.name, purpose=action):
        control.audit.intent(action, kitchen.name, detail)
        saved = replace(kitchen, **new)  # type: ignore[arg-type]  # the names are those of fields above
        control.kitchens.save(saved, expected=kitchen.state)
        control.audit.outcome(action, kitchen.name, "done", {})
    return saved
