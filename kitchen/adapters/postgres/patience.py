"""Gives up a server that takes a statement and never answers.

No setting of the server can do that, for it is the server that hangs: ``statement_timeout`` never fires in a process
that is stopped, and the kernel of its machine goes on acknowledging keep-alives. So one thread watches the statements
of this process. A session with ``patience`` is given up when that is over; of any other the server is asked, by a
new connection, whether it is there, and only where it says nothing at all the statement is given up. To give up is
to shut the socket down: whoever waits on it wakes with an error, in the middle of a COPY, too, and what the server did
is found by looking.

Nor does Ctrl-C reach a process that waits inside libpq: Python's handlers run when the statement is over. The same
thread hears of the signal at once, and has the server cancel what the main thread waits for.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg2
from psycopg2.extensions import connection, cursor

ANSWER = 30.0  # seconds within which a server does a short statement, or else shows that it is there at all
_TICK = 0.25

_ENDING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})

_watched: weakref.WeakSet[PatientConnection] = weakref.WeakSet()
_adding = threading.Lock()
_watcher: threading.Thread | None = None
_signals: tuple[int, int] | None = None  # a pipe into which the kernel's side of a signal writes its number


class PatientConnection(connection):
    """A connection whose every exchange with the server has an end."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.cursor_factory = PatientCursor
        self._guard = threading.Lock()  # held while the socket is shut, so that it is still this statement's
        self._due: float | None = None  # None: nothing is asked
        self._patience: float | None = None
        self._is_there: Callable[[], bool] = lambda: True
        self._given_up = False
        self._number = 0  # of statements
        self._is_main = False  # the main thread waits, which alone is interrupted
        self.is_discreet = False  # its rows are not masked: errors are told without values

    def watch(self, patience: float | None, is_there: Callable[[], bool]) -> None:
        """Give every statement from now on ``patience`` seconds, or, with None, as long as the server is there."""
        self._patience, self._is_there = patience, is_there
        with _adding:
            _watched.add(self)
            _start()

    @contextmanager
    def unhurried(self) -> Iterator[None]:
        """Let statements in the block last as long as the server is there."""
        before, self._patience = self._patience, None
        try:
            yield
        finally:
            self._patience = before

    def commit(self) -> None:
        """Commit, waiting for the answer as long as for any other."""
        self.waiting(super().commit)

    def rollback(self) -> None:
        """Roll back, waiting for the answer as long as for any other."""
        self.waiting(super().rollback)

    def waiting(self, ask: Callable[..., Any], *arguments: Any) -> Any:
        """Ask the server something; raises OperationalError where it is given up."""
        self._number += 1
        self._is_main = threading.current_thread() is threading.main_thread()
        self._due = time.monotonic() + (self._patience or ANSWER)
        try:
            return ask(*arguments)
        except psycopg2.Error:
            if self._given_up:
                raise psycopg2.OperationalError("the server took it and never answered") from None
            raise
        finally:
            with self._guard:
                self._due = None

    @property
    def under_way(self) -> int | None:
        """Return the number of the statement that the main thread waits for."""
        return self._number if self._due is not None and self._is_main else None

    def end(self, number: int) -> bool:
        """Have the server cancel a statement; says whether it was still under way."""
        if self.under_way != number:
            return False
        threading.Thread(target=self._cancelled, name="patience: cancel", daemon=True).start()  # it may wait, too
        return True

    def _cancelled(self) -> None:
        with suppress(psycopg2.Error):
            self.cancel()

    def look(self, now: float) -> None:
        """Give the statement under way up, where its time is over and the server is not known to be there."""
        due = self._due
        if due is None or now < due:
            return
        if self._patience is None and self._is_there():
            with self._guard:
                if self._due == due:
                    self._due = time.monotonic() + ANSWER
            return
        with self._guard:
            if self._due == due:
                self._given_up = True
                with suppress(OSError, psycopg2.Error), socket.socket(fileno=os.dup(self.fileno())) as line:
                    line.shutdown(socket.SHUT_RDWR)


class PatientCursor(cursor):
    """A cursor whose statements have an end."""

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002 - psycopg2's own name
        """Run a statement."""
        self._patient().waiting(super().execute, query, vars)

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        """Run a COPY."""
        self._patient().waiting(super().copy_expert, sql, file, size)

    def _patient(self) -> PatientConnection:
        assert isinstance(self.connection, PatientConnection)  # noqa: S101 - which made this cursor
        return self.connection


def _forked() -> None:
    """Begin anew in a child: the watching thread stayed with the parent, and perhaps held the lock."""
    global _adding, _signals  # noqa: PLW0603 - there is one in a process
    _adding = threading.Lock()
    _watched.clear()
    if _signals is not None:
        signal.set_wakeup_fd(-1)  # the pipe is the parent's
        _signals = None


os.register_at_fork(after_in_child=_forked)


def _start() -> None:
    """Start the thread that watches; a forked child has none and starts its own."""
    global _watcher, _signals  # noqa: PLW0603 - there is one in a process
    if _signals is None and threading.current_thread() is threading.main_thread():
        _signals = os.pipe()
        for end in _signals:
            os.set_blocking(end, False)
        signal.set_wakeup_fd(_signals[1], warn_on_full_buffer=False)
    if _watcher is None or not _watcher.is_alive():
        _watcher = threading.Thread(target=_watch, name="patience", daemon=True)
        _watcher.start()


def _watch() -> None:
    ending: list[tuple[weakref.ref[PatientConnection], int]] = []
    while True:
        if _is_interrupted():
            ending = _under_way()
            time.sleep(_TICK)  # a main thread that did not wait has raised by now, and cleans up: that is left alone
        ending = [(one, number) for one, number in ending if (known := one()) is not None and known.end(number)]
        _look_at_all()  # whose names end with it: a watcher that slept on them would keep every session alive


def _is_interrupted() -> bool:
    """Wait for a tick; say whether a signal came that is to end this process's work."""
    if _signals is None:
        time.sleep(_TICK)
        return False
    if not select.select([_signals[0]], [], [], _TICK)[0]:
        return False
    return not _ENDING.isdisjoint(os.read(_signals[0], 512))


def _under_way() -> list[tuple[weakref.ref[PatientConnection], int]]:
    with _adding:
        return [(weakref.ref(one), number) for one in _watched if (number := one.under_way) is not None]


def _look_at_all() -> None:
    with _adding:
        watched = list(_watched)
    now = time.monotonic()
    for one in watched:
        one.look(now)
