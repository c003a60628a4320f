"""Changes what is recorded of a kitchen: when it expires, who may use it, what it is for, whose it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from kitchen.domain.kitchen import Kind, Kitchen
from kitchen.domain.people import somebody, staff_of
from kitchen.errors import InvalidInput, Refused
from kitchen.ports import Control


def edit_kitchen(
    control: Control,
    kitchen: Kitchen,
    *,
    ttl: timedelta | None = None,
    staff: tuple[str, ...] | None = None,
    ticket: str | None = None,
    dry_run: bool = False,
) -> Kitchen:
    """Record a new expiry (from now), staff or ticket; what is None stays. Raises InvalidInput where nothing is new."""
    _refuse_standing(kitchen)
    new: dict[str, object] = {}
    if ttl is not None:
        new["expires_at"] = control.now() + ttl
    if staff is not None:
        named = [person for person in staff if person]  # an empty one: nobody
        new["staff"] = staff_of(named, f"kitchen edit {kitchen.name} --staff ann")
    if ticket is not None:
        new["ticket"] = ticket or None
    if not new:
        raise InvalidInput("what shall be changed?", hint=f"kitchen edit {kitchen.name} --ttl 14d")
    return _saved(control, "edit", kitchen, new, dry_run=dry_run)


def change_staff(
    control: Control, kitchen: Kitchen, *, add: str | None = None, remove: str | None = None, dry_run: bool = False
) -> Kitchen:
    """Add somebody to a kitchen's staff or take somebody off it; done already is success."""
    _refuse_standing(kitchen)
    staff = [person for person in kitchen.staff if person not in (add, remove)]
    if add is not None and add.strip() != kitchen.owner:
        staff.append(somebody(add, f"kitchen staff add ann -k {kitchen.name}"))
    if tuple(staff) == kitchen.staff:
        return kitchen
    return _saved(control, "staff", kitchen, {"staff": tuple(staff)}, dry_run=dry_run)


def hand_kitchen(control: Control, kitchen: Kitchen, person: str, *, dry_run: bool = False) -> Kitchen:
    """Make somebody else the owner; raises InvalidInput for an empty name."""
    _refuse_standing(kitchen)
    heir = somebody(person, f"kitchen hand {kitchen.name} ann@example.com")
    staff = tuple(person for person in kitchen.staff if person != heir)
    return _saved(control, "hand", kitchen, {"owner": heir, "staff": staff}, dry_run=dry_run)


def _refuse_standing(kitchen: Kitchen) -> None:
    if kitchen.kind is Kind.STANDING:
        raise Refused(
            f"{kitchen.name!r} is the standing kitchen of its environment: it belongs to nobody and does not expire",
            hint=f"environments/{kitchen.environment}.yaml says what holds for it",
        )


def _saved(control: Control, action: str, kitchen: Kitchen, new: Mapping[str, object], *, dry_run: bool) -> Kitchen:
    """Record what is new and return the kitchen as it is, or in a dry run would be, then."""
    if dry_run:
        return replace(kitchen, **new)  # type: ignore[arg-type]  # as below
    detail = {name: str(value) for name, value in new.items()}
    with control.locks.hold(kitchen.name, purpose=action):
        control.audit.intent(action, kitchen.name, detail)
        saved = replace(kitchen, **new)  # type: ignore[arg-type]  # the names are those of fields above
        control.kitchens.save(saved, expected=kitchen.state)
        control.audit.outcome(action, kitchen.name, "done", {})
    return saved
