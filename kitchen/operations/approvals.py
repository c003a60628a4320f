"""Whose approvals a release needs, has, and which of those count at the moment they are used."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from kitchen.domain.release import Release
from kitchen.errors import Refused
from kitchen.ports import People

_MAY_APPROVE = ("releaser", "admin")


class Services(Protocol):
    """What this asks of an environment."""

    @property
    def people(self) -> People: ...


def may_approve(services: Services, *, but: Collection[str] = ()) -> tuple[str, ...]:
    """Return whose approval counts in an environment that many share, but for some."""
    return tuple(
        each.name
        for each in services.people.all()
        if each.revoked_at is None and each.role in _MAY_APPROVE and each.name not in but
    )


def refuse_unapproved(release: Release) -> None:
    """Raise Refused where approvals are missing, and say which of those that were given do not count."""
    if not release.missing_approvals:
        return
    void = [f"{one.by}'s does not count: {one.void}" for one in release.approvals if one.void is not None]
    raise Refused(
        f"release {release.number} needs {release.missing_approvals} more approval(s)"
        + (f" ({'; '.join(void)})" if void else ""),
        hint=f"kitchen release approve {release.number} -e {release.environment}",
    )


def who_agreed(release: Release) -> dict[str, object]:
    """Return, for the audit, whose approvals let a release in, and what nobody else could agree to."""
    approved = [{"by": one.by, "own": one.own} for one in release.agreed]
    return {
        **({"approved_by": approved} if approved else {}),
        **({"nobody_else_for": list(release.plan.alone)} if release.plan.alone else {}),
    }
