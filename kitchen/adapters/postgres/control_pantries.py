"""Versions of the pantry, in the control schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kitchen.adapters.postgres.connection import PgSession
from kitchen.errors import Conflict
from kitchen.ports import PantryVersion

if TYPE_CHECKING:
    from psycopg2.extras import Json

_SELECT = "SELECT version, state, created_at, manifest FROM kitchen_control.pantry"


class PgPantries:
    """The PantryRecords port."""

    def __init__(self, session: PgSession) -> None:
        self._session = session

    def begin(self, manifest: Mapping[str, object]) -> int:
        """Record a version that is being built and return its number."""
        rows = self._session.query(
            "INSERT INTO kitchen_control.pantry (version, state, manifest)"
            " SELECT coalesce(max(version), 0) + 1, 'building', %s FROM kitchen_control.pantry RETURNING version",
            [_json(manifest)],
        )
        return int(rows[0][0])

    def publish(self, version: int, manifest: Mapping[str, object]) -> None:
        """Make a built version the newest one; published already is success. Raises Conflict where it is gone."""
        changed = self._session.execute(
            "UPDATE kitchen_control.pantry SET state = 'ready', manifest = %s,"
            " published_at = coalesce(published_at, now()) WHERE version = %s AND state IN ('building', 'ready')",
            [_json(manifest), version],
        )
        if changed != 1:
            raise Conflict(f"pantry version {version} is not there any more", hint="kitchen pantry list")

    def withdraw(self, version: int) -> None:
        """Let nobody begin to read a ready version, which is about to be dropped; ``publish`` gives it back."""
        self._session.execute(
            "UPDATE kitchen_control.pantry SET state = 'building' WHERE version = %s AND state = 'ready'", [version]
        )

    def drop(self, version: int) -> None:
        """Record that a version is gone."""
        self._session.execute(
            "UPDATE kitchen_control.pantry SET state = 'dropped' WHERE version = %s AND state <> 'dropped'", [version]
        )

    def newest(self) -> PantryVersion | None:
        """Return the newest ready version, or None."""
        rows = self._session.query(f"{_SELECT} WHERE state = 'ready' ORDER BY version DESC LIMIT 1")
        return PantryVersion(*rows[0]) if rows else None

    def all(self) -> tuple[PantryVersion, ...]:
        """Return every version, newest first."""
        return tuple(PantryVersion(*row) for row in self._session.query(f"{_SELECT} ORDER BY version DESC"))


def _json(manifest: Mapping[str, object]) -> Json:
    from psycopg2.extras import Json  # noqa: PLC0415 - what only reads needs none of it

    return Json(dict(manifest))
