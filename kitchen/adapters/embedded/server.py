"""The server's process: starting it so that it outlives us, waiting for it, stopping it."""

from __future__ import annotations

import os
import secrets as randomness
import subprocess
import time
from pathlib import Path
from typing import Any

from kitchen.adapters.embedded.account import Account
from kitchen.adapters.embedded.binaries import Binaries
from kitchen.adapters.embedded.cluster import ClusterFolder, Remembered
from kitchen.adapters.embedded.settings import ACCESS, configuration
from kitchen.errors import Unavailable

_START_WAIT = 60.0  # seconds; crash recovery replays at most max_wal_size
_STOP_WAIT = 30
_ATTEMPTS = 12  # a port taken in this moment, or processes of a killed server that are not gone yet
_PASSING = ("could not create any TCP/IP sockets", "is still in use", "already exists")
_LOG_WAIT = 1.0  # the collector of a server that gave up writes its last words a moment later

# Runs in the background and says its number: the server is then nobody's child that would have to be waited for.
_DETACH = '{ exec "$@"; } </dev/null >&2 & echo $!'


class Server:
    """The server of one cluster, as one user, from one installation; the caller holds the cluster's lock."""

    def __init__(self, name: str, cluster: ClusterFolder, account: Account, binaries: Binaries) -> None:
        self.name = name
        self._cluster = cluster
        self._account = account
        self._binaries = binaries

    def run(self, program: str, *arguments: str, timeout: float) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs as the server's user."""
        return subprocess.run(
            [str(self._binaries.bin_dir / program), *arguments], check=False, timeout=timeout, text=True,
            errors="replace", capture_output=True, stdin=subprocess.DEVNULL,
            **self._child_options(),
        )  # fmt: skip

    def launch(self) -> None:
        """Start the process and return when it takes connections; raises Unavailable with the server's reason."""
        reason = ""
        for attempt in range(_ATTEMPTS):
            if self._cluster.server() is not None:  # launched by a command that was killed before it could wait
                self.wait_until_ready()
                return
            self._configure()
            self._cluster.bury()
            written = _size(self._newest_log())
            if self._comes_up(self._spawn()):
                return
            reason = self._reason(*written)
            if not any(words in reason for words in _PASSING):
                break
            time.sleep(min(0.05 * 2**attempt, 1.0))
        raise Unavailable(
            f"the server of {self.name!r} does not start: {last_line(reason)}",
            hint=f"see {self._cluster.start_log} and {self._cluster.data / 'log'}",
        )

    def wait_until_ready(self) -> None:
        """Wait for a server that somebody started; raises Unavailable."""
        give_up = time.monotonic() + _START_WAIT
        while not self._cluster.is_ready():
            if time.monotonic() > give_up or self._cluster.server() is None:
                raise Unavailable(
                    f"the server of {self.name!r} runs but takes no connections",
                    hint=f"see {self._cluster.data / 'log'}, then kitchen up {self.name}",
                )
            time.sleep(0.005)

    def stop(self) -> None:
        """Stop it, ending its sessions; raises Unavailable where it stays."""
        said = ""
        for mode in ("fast", "immediate"):
            arguments = ["stop", "-s", "-w", "-D", str(self._cluster.data), "-m", mode, "-t", str(_STOP_WAIT)]
            said = self.run("pg_ctl", *arguments, timeout=_STOP_WAIT + 10).stderr
            if self._cluster.server() is None:
                return
        raise Unavailable(f"the server of {self.name!r} does not stop: {last_line(said)}")

    def _configure(self) -> None:
        known = self._cluster.remembered()
        socket_folder = self._cluster.socket_folder(self._account, known)
        port = self._cluster.port(known)
        text = configuration(name=self.name, port=port, socket_folder=socket_folder)
        self._write_in_data("postgresql.conf", text)
        self._write_in_data("pg_hba.conf", ACCESS)
        prepared = known is not None and known.prepared
        self._cluster.remember(Remembered(port, str(socket_folder), self._account.uid, prepared))

    def _write_in_data(self, name: str, content: str) -> None:
        """Replace a file in the server's folder, trusting no path that the server's user could have changed."""
        work = self._cluster.data / f".{name}.{randomness.token_hex(4)}"
        handle = os.open(work, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(content)
            if self._account.is_other:
                os.fchown(handle, self._account.uid, self._account.gid)
        work.replace(work.with_name(name))

    def _spawn(self) -> int:
        server = [str(self._binaries.bin_dir / "postgres"), "-D", str(self._cluster.data)]
        handle = os.open(self._cluster.start_log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as log:
            shell = subprocess.run(
                ["/bin/sh", "-c", _DETACH, "sh", *server], check=False, timeout=30, stdout=subprocess.PIPE, stderr=log,
                **self._child_options(),
            )  # fmt: skip
        return int(shell.stdout or 0)

    def _comes_up(self, pid: int) -> bool:
        """Wait until the new server takes connections, or is gone."""
        give_up = time.monotonic() + _START_WAIT
        while time.monotonic() < give_up:
            if self._cluster.server() == pid and self._cluster.is_ready():
                return True
            if not _is_alive(pid):
                return False
            time.sleep(0.005)
        return False

    def _newest_log(self) -> Path | None:
        logs = (self._cluster.data / "log").glob("*.log")
        return max(logs, key=lambda path: path.lstat().st_mtime, default=None)

    def _reason(self, log: Path | None, size: int) -> str:
        """Return what the server said since it was launched: early words in one file, later ones in its own log."""
        give_up = time.monotonic() + _LOG_WAIT
        while True:
            said = self._cluster.start_log.read_text(errors="replace")
            newest = self._newest_log()
            if newest is not None:
                said += _text_from(newest, size if newest == log else 0)
            telling = [line for line in said.splitlines() if any(word in line for word in ("FATAL:", "PANIC:"))]
            if telling or time.monotonic() > give_up:
                return "\n".join(telling) or said
            time.sleep(0.02)

    def _child_options(self) -> dict[str, Any]:
        """A session of its own (no terminal's Ctrl-C), a folder it may be in, and nothing of our environment."""
        clean = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
        account = self._account.popen_options()
        return {"start_new_session": True, "umask": 0o077, "cwd": self._cluster.folder, "env": clean, **account}


def last_line(text: str) -> str:
    """Return the last words of a program."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it gave no reason"


def _size(log: Path | None) -> tuple[Path | None, int]:
    return log, log.lstat().st_size if log is not None else 0


def _text_from(log: Path, offset: int) -> str:
    with os.fdopen(os.open(log, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        file.seek(min(offset, file.seek(0, os.SEEK_END)))
        return file.read(16_000).decode(errors="replace")


def _is_alive(pid: int) -> bool:
    """Say whether a process runs; one that ended and was not waited for (containers without init) does not."""
    if Path("/proc/self/stat").exists():
        try:
            state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1]
        except OSError:
            return False
        return state not in (b"Z", b"X")
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0
