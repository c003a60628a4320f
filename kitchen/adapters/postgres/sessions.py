"""Opens sessions on one environment's PostgreSQL warehouse."""

from __future__ import annotations

from collections.abc import Callable

from kitchen.adapters.postgres.connection import PgSession, connect
from kitchen.domain.connection import Credentials


class PgSessions:
    """The Sessions port; the administrator's credentials are fetched when first needed."""

    def __init__(self, administrator: Callable[[], Credentials]) -> None:
        self._find_administrator = administrator
        self._administrator: Credentials | None = None

    def open(self, credentials: Credentials, *, application: str) -> PgSession:
        """Connect with the given credentials."""
        return connect(credentials, application=application)

    def administrator(self) -> Credentials:
        """Return the provisioner's credentials."""
        if self._administrator is None:
            self._administrator = self._find_administrator()
        return self._administrator

    def as_administrator(self, *, application: str = "kitchen") -> PgSession:
        """Connect as the provisioner, with only pg_catalog on the path: no name of a kitchen is mistaken for ours."""
        return connect(self.administrator(), application=application, options=["search_path=pg_catalog"])
