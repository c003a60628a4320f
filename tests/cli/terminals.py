"""A terminal that tests type into: real shells show their prompts and complete words on one only."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_PATIENCE = 60.0  # seconds; a machine may be busy
_ESCAPES = re.compile(
    r"\x1b\[[0-9;?>=]*[a-zA-Z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][AB012]|\x1b[=>78cM]|[\r\x07]"
)


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, pid: int, master: int) -> None:
        self._pid = pid
        self._master = master
        self._ended: int | None = None
        self.shown = ""  # since the last ``sees``

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def sees(self, text: str) -> str:
        """Wait until a text is shown and return what was shown up to its end."""
        give_up = time.monotonic() + _PATIENCE
        while text not in _ESCAPES.sub("", self.shown):
            assert time.monotonic() < give_up, f"{text!r} is not in {_ESCAPES.sub('', self.shown)!r}"
            assert self._read(), f"ended; {text!r} is not in {_ESCAPES.sub('', self.shown)!r}"
        plain = _ESCAPES.sub("", self.shown)
        end = plain.index(text) + len(text)
        self.shown = plain[end:]
        return plain[:end]

    def left(self) -> int:
        """Wait for the end of the program and return its exit code."""
        while self._read():
            pass
        _, status = os.waitpid(self._pid, 0)
        self._ended = os.waitstatus_to_exitcode(status)
        return self._ended

    def close(self) -> None:
        if self._ended is None:
            os.kill(self._pid, 9)
            os.waitpid(self._pid, 0)
        os.close(self._master)

    def _read(self) -> bool:
        """Take what is shown now; False where nobody shows anything any more."""
        ready, _, _ = select.select([self._master], [], [], _PATIENCE)
        try:
            data = os.read(self._master, 65536) if ready else b""
        except OSError:  # the other end is closed
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)


@contextmanager
def terminal(words: list[str], *, folder: Path, environ: Mapping[str, str], columns: int = 200) -> Iterator[Terminal]:
    """Start a program on a terminal; it is gone at the end."""
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execvpe(words[0], words, {**environ, "TERM": "xterm"})  # noqa: S606 - no shell between
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    made = Terminal(pid, master)
    try:
        yield made
    finally:
        made.close()
