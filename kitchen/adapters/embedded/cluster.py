"""One cluster's folder: what it remembers, whether its server lives, and where its socket may be."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from zlib import crc32

from kitchen.adapters.embedded.account import Account, closed_to
from kitchen.domain.words import quoted
from kitchen.errors import Unavailable

SOCKET_PATH_BYTES = 107  # what a sockaddr_un holds
_SHORT_PLACE = Path("/tmp")  # noqa: S108 - only for a folder of unguessable name that is ours and closed
_FIRST_PORT, _PORTS = 20_000, 10_000  # below the range that outgoing connections are given
_LOCK_WAIT = 120.0  # seconds; somebody else's start-up, at worst with crash recovery


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is known of a cluster without asking its server."""

    port: int
    socket_folder: str
    owner: int  # uid of the server
    prepared: bool  # roles and database are there


class ClusterFolder:
    """The folder of one cluster: data, lock, memory, and the socket where its path is short enough."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.start_log = folder / "start.log"
        self._memory = folder / "cluster.json"

    def make(self, account: Account) -> None:
        """Make the folder so that its server's user may reach it; raises Unavailable naming the folder that is shut."""
        mode = 0o711 if account.is_other else 0o700
        for folder in reversed([self.folder, *self.folder.parents]):
            if not folder.exists():
                folder.mkdir(exist_ok=True)
                folder.chmod(mode)
        shut = closed_to(account, self.folder)
        if shut is not None:
            raise Unavailable(
                f"the server runs as user {account.name!r}, who may not pass through the folder {shut}",
                hint=f"chmod o+x {quoted(shut)}, or set KITCHEN_HOME to a folder that others may pass through",
            )

    def remembered(self) -> Remembered | None:
        """Return what the folder remembers, or None."""
        try:
            kept = json.loads(self._memory.read_bytes())
            return Remembered(**kept)
        except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
            return None

    def remember(self, facts: Remembered) -> None:
        """Write what is to be known, whole or not at all."""
        work = self._memory.with_suffix(".new")
        work.write_text(json.dumps(asdict(facts)))
        work.chmod(0o600)
        work.replace(self._memory)

    def forget(self) -> None:
        """Remember nothing: a new cluster is made."""
        self._memory.unlink(missing_ok=True)

    def recalled(self, account: Account) -> Remembered:
        """Return what the live server's own file says, where the memory was lost."""
        lines = (self.data / "postmaster.pid").read_text().splitlines()
        return Remembered(int(lines[3]), lines[4].split(",")[0].strip(), account.uid, prepared=False)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one command at a time start or stop this server; raises Unavailable after a long wait."""
        handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            give_up = time.monotonic() + _LOCK_WAIT
            while not _taken(handle):
                if time.monotonic() > give_up:
                    raise Unavailable(
                        f"another command has been starting or stopping the server in {self.folder} for too long",
                        hint="kitchen doctor",
                    )
                time.sleep(0.02)
            yield
        finally:
            os.close(handle)

    def server(self) -> int | None:
        """Return the pid of the live server of this cluster, ready or not, or None."""
        try:
            pid = int((self.data / "postmaster.pid").read_bytes().split(b"\n", 1)[0])
        except (OSError, ValueError):
            return None
        return pid if self._is_server(pid) else None

    def is_ready(self) -> bool:
        """Say whether the live server takes connections."""
        try:
            lines = (self.data / "postmaster.pid").read_bytes().split(b"\n")
            return lines[7].strip() == b"ready" and self._is_server(int(lines[0]))
        except (OSError, ValueError, IndexError):
            return False

    def _is_server(self, pid: int) -> bool:
        """A number outlives its process: after a reboot it may be anybody's."""
        if pid <= 0:
            return False
        try:
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return not Path("/proc/self/cmdline").exists() and _exists(pid)
        return os.fsencode(self.data) in arguments

    def bury(self) -> None:
        """Remove the numbers that a dead server left, which PostgreSQL would take for live ones.

        They may be anybody's by now. Processes that still use the data are found by their shared memory all the same.
        """
        known = self.remembered()
        sockets = Path(known.socket_folder).glob(".s.PGSQL.*") if known is not None else ()
        for left in (self.data / "postmaster.pid", *sockets):
            left.unlink(missing_ok=True)

    def socket_folder(self, account: Account, known: Remembered | None) -> Path:
        """Return a folder for the socket that nobody else can have made, for paths of any length."""
        near = self.folder / "socket"
        if len(os.fsencode(near / ".s.PGSQL.65535")) <= SOCKET_PATH_BYTES:
            near.mkdir(mode=0o700, exist_ok=True)
            account.give(near)  # also one that a killed command made and did not come to give
            return near
        if known is not None and is_private(Path(known.socket_folder), account.uid):
            return Path(known.socket_folder)
        import tempfile  # noqa: PLC0415 - for few paths only

        far = Path(tempfile.mkdtemp(prefix="kitchen-", dir=_SHORT_PLACE))
        account.give(far)
        return far

    def port(self, known: Remembered | None) -> int:
        """Return the remembered port, or another where that is taken."""
        first = known.port if known is not None else _FIRST_PORT + crc32(os.fsencode(self.folder)) % _PORTS
        return free_port(first)


def is_private(folder: Path, uid: int) -> bool:
    """Say whether this is a folder (no link) of that user that nobody else may write to."""
    try:
        info = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(info.st_mode) and info.st_uid == uid and not info.st_mode & 0o022


def free_port(first: int) -> int:
    """Return the first port from ``first`` on that nobody listens on; raises Unavailable."""
    for offset in range(_PORTS):
        port = _FIRST_PORT + (first - _FIRST_PORT + offset) % _PORTS
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of before do not count
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Unavailable(f"every TCP port from {_FIRST_PORT} to {_FIRST_PORT + _PORTS} is taken")


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
