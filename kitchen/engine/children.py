"""Runs a program to its end, or to its time limit, in a process group of its own; see escaped.py for what leaves it."""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kitchen.engine.escaped import MARK, end_marked, new_mark
from kitchen.errors import KitchenError, NotFound

MOST_LOG = 1 << 20  # characters kept of one program's output
GRACE = 5.0  # seconds between asking a program to end and ending it
DRAIN = 0.5  # seconds to read what is left after the program ended


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended, and what it printed."""

    status: int
    log: str
    timed_out: bool


def run_child(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    timeout: float,
    on_line: Callable[[str], str],
    stopping: threading.Event | None = None,
) -> Ended:
    """Run a program; ``on_line`` is given each line it prints and returns what is kept of it.

    The whole process group is ended at the time limit and when ``stopping`` is set, with what left the group; raises
    NotFound where there is no such program.
    """
    if shutil.which(command[0], path=environment.get("PATH")) is None and not (folder / command[0]).is_file():
        raise NotFound(f"there is no program {command[0]!r} on the path of the node")
    mark = new_mark(GRACE)
    try:
        child = subprocess.Popen(
            [*_dying_with_us(), *command],
            cwd=folder,
            env={**environment, MARK: mark} if mark is not None else dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise NotFound(f"there is no program {command[0]!r} on the path of the node") from None
    except OSError as wrong:
        raise KitchenError(f"{command[0]!r} cannot be started: {wrong.strerror}") from None
    log = Log(on_line)
    ended_well = False
    try:
        timed_out = not _follow(child, log, time.monotonic() + timeout, stopping or threading.Event())
        ended_well = not timed_out and child.returncode == 0
    finally:
        _end_group(child)
        if mark is not None and not ended_well:  # what a program that succeeds leaves running on purpose is its own
            end_marked(mark, GRACE)
    return Ended(child.returncode, log.text(), timed_out)


@cache
def _dying_with_us() -> tuple[str, ...]:
    """Where Linux has it, the words before a command that end it when the thread that started it is killed."""
    setpriv = shutil.which("setpriv", path="/usr/bin:/bin")
    if setpriv is None:
        return ()
    told = (setpriv, "--pdeathsig", "TERM", "--")
    works = subprocess.run([*told, "true"], check=False, capture_output=True, timeout=GRACE).returncode == 0
    return told if works else ()


def _follow(child: subprocess.Popen[bytes], log: Log, deadline: float, stopping: threading.Event) -> bool:
    """Read until the program ends (true) or its time is up (false); others that hold its output are not waited for."""
    assert child.stdout is not None  # noqa: S101 - it was asked for above
    os.set_blocking(child.stdout.fileno(), False)
    ended_at: float | None = None
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            now = time.monotonic()
            if child.poll() is not None and ended_at is None:
                ended_at = now
            if ended_at is not None and now > ended_at + DRAIN:
                return True
            if ended_at is None and (now >= deadline or stopping.is_set()):
                return False
            if selector.select(timeout=min(0.05, max(deadline - now, 0.0)) if ended_at is None else DRAIN / 10):
                data = child.stdout.read(65536)
                if data == b"":
                    return _wait(child, deadline)
                log.add(data or b"")


def _wait(child: subprocess.Popen[bytes], deadline: float) -> bool:
    try:
        child.wait(max(deadline - time.monotonic(), 0.0))
    except subprocess.TimeoutExpired:
        return False
    return True


def _end_group(child: subprocess.Popen[bytes]) -> None:
    for how, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, GRACE)):
        try:
            os.killpg(child.pid, how)
        except (ProcessLookupError, PermissionError):
            break
        if child.poll() is None:
            try:
                child.wait(patience)
            except subprocess.TimeoutExpired:
                continue
    child.wait(GRACE)
    if child.stdout is not None:
        child.stdout.close()


class Log:
    """Lines as they come; the middle of a very long output is left out."""

    def __init__(self, on_line: Callable[[str], str]) -> None:
        self._on_line = on_line
        self._rest = b""
        self._lines: list[str] = []
        self._length = 0
        self._left_out = 0

    def add(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._keep(line)
        if len(self._rest) > MOST_LOG:
            self._keep(self._rest)
            self._rest = b""

    def _keep(self, line: bytes) -> None:
        kept = self._on_line(
            line.decode("utf-8", errors="replace").rstrip("\r").replace("\x00", "\N{REPLACEMENT CHARACTER}")
        )
        self._length += len(kept) + 1
        self._lines.append(kept)
        while self._length > MOST_LOG and len(self._lines) > 1:  # the end tells why it failed
            self._length -= len(self._lines.pop(0)) + 1
            self._left_out += 1

    def text(self) -> str:
        """Return what was printed."""
        if self._rest:
            self._keep(self._rest)
            self._rest = b""
        head = [f"({self._left_out} earlier lines left out)"] if self._left_out else []
        return "".join(f"{line}\n" for line in [*head, *self._lines])
