"""Workspaces for a person who may not act as the provisioner: functions of the server's make and drop them.

The functions take a kitchen's uuid and derive everything else from its record, which only they and its policies write.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from psycopg2 import sql

from kitchen.adapters.postgres.connection import PgSession
from kitchen.adapters.postgres.sessions import PgSessions
from kitchen.adapters.postgres.workspaces import PgWorkspaces, run_together
from kitchen.domain.connection import Credentials
from kitchen.domain.kitchen import Kitchen, lease_role
from kitchen.domain.layout import Layer
from kitchen.domain.secret import Secret
from kitchen.errors import Conflict, NotPermitted

_ATTEMPTS = 4  # where a reader is in the way


class PersonWorkspaces(PgWorkspaces):
    """The Workspaces port; ``suffix`` tells this clone's logins from those of others."""

    def __init__(self, sessions: PgSessions, suffix: str) -> None:
        super().__init__(sessions)
        self._suffix = suffix

    def login(self, kitchen: Kitchen, password: Secret) -> Credentials:
        """Return the login that ``create`` will make."""
        user = lease_role(kitchen, self._suffix)
        return self._sessions.recorder().named(user=user, password=password, role=kitchen.owner_role)

    def create(self, layer: Layer, password: str) -> Credentials:
        """Make roles and schemas of a kitchen in one transaction, then this clone's login into it."""
        self._call(layer.kitchen, "create", "make_workspace")
        return self.lease(layer.kitchen, self._suffix, Secret(password))

    def open_production(self, layer: Layer) -> None:
        """Refuse: what production's own roles made is the provisioner's to open."""
        raise NotPermitted(f"{layer.kitchen.name!r} is opened by whoever may publish there")

    def rebind(self, layer: Layer, *, closes: bool = True) -> None:
        """Open what the kitchen's record says to it, close other things, and set its logins' search paths anew."""
        self._call(layer.kitchen, "rebind", "rebind_workspace" if closes else "open_workspace")

    def drop(self, kitchen: Kitchen, schemas: Sequence[str]) -> None:
        """Close the logins, end their sessions, drop in batches everything that bears the kitchen's mark."""
        with self._sessions.as_recorder(application=f"kitchen {kitchen.name} delete") as session:
            _run(session, kitchen, "delete", "close_workspace")
            while _batch(session, kitchen):
                pass

    def _call(self, kitchen: Kitchen, doing: str, function: str) -> None:
        with self._sessions.as_recorder(application=f"kitchen {kitchen.name} {doing}") as session:
            _run(session, kitchen, doing, function)


def _run(session: PgSession, kitchen: Kitchen, doing: str, function: str) -> None:
    call = sql.SQL("SELECT kitchen_control.{}({})").format(sql.Identifier(function), sql.Literal(str(kitchen.id)))
    run_together(session, f"{doing} of the workspace of {kitchen.name!r}", [call])


def _batch(session: PgSession, kitchen: Kitchen) -> bool:
    """Drop one batch; a reader in the way is waited for a few times, and then named by the server."""
    for attempt in range(_ATTEMPTS):
        try:
            return bool(session.query("SELECT kitchen_control.drop_some(%s)", [str(kitchen.id)])[0][0])
        except Conflict:
            if attempt == _ATTEMPTS - 1:
                raise
        time.sleep(0.05 * 2**attempt)
    return False
