"""Opens sessions on one environment's PostgreSQL warehouse."""

from __future__ import annotations

from collections.abc import Callable

from kitchen.adapters.postgres.connection import PgSession, connect
from kitchen.domain.connection import Credentials

# No name of a kitchen is mistaken for ours, and no policy of a kitchen's is evaluated: that is an error instead.
_RECORDING = ("search_path=pg_catalog", "idle_session_timeout=0")  # records wait while tables are copied
PRIVILEGED = (*_RECORDING, "row_security=off")


class PgSessions:
    """The Sessions port; logins are fetched when first needed.

    ``own`` gives the login of a person who may not act as the provisioner, or None: what the environment records is
    read and written with it, and the server decides. ``discreet``: rows are not masked, and no error quotes one.
    ``upgrades`` says whether records that an older kitchen made are brought up to date, which stops older kitchens.
    """

    def __init__(
        self, administrator: Callable[[], Credentials], own: Callable[[], Credentials | None] = lambda: None, *,
        discreet: bool = False, upgrades: bool = True,
    ) -> None:  # fmt: skip
        self.upgrades = upgrades
        self._find_administrator = administrator
        self._find_own = own
        self._discreet = discreet
        self._administrator: Credentials | None = None

    def open(self, credentials: Credentials, *, application: str) -> PgSession:
        """Connect with the given credentials."""
        return connect(credentials, application=application, discreet=self._discreet)

    def administrator(self) -> Credentials:
        """Return the provisioner's credentials, or those of somebody who acts as the provisioner."""
        if self._administrator is None:
            self._administrator = self._find_administrator()
        return self._administrator

    def recorder(self) -> Credentials:
        """Return the login that reads and writes records: a person's own, else the provisioner's."""
        return self._find_own() or self.administrator()

    @property
    def may_migrate(self) -> bool:
        """Say whether this login may bring the control schema up to date."""
        return self._find_own() is None

    def as_recorder(self, *, application: str = "kitchen", patience: float | None = None) -> PgSession:
        """Connect as whoever records, safe from names of kitchens; to a person the records' own policies apply."""
        options = PRIVILEGED if self._find_own() is None else _RECORDING
        return connect(
            self.recorder(), application=application, options=options, patience=patience, discreet=self._discreet
        )

    def as_administrator(self, *, application: str = "kitchen") -> PgSession:
        """Connect as the provisioner, so that nothing of a kitchen runs with the provisioner's rights by itself."""
        return connect(self.administrator(), application=application, options=PRIVILEGED, discreet=self._discreet)
