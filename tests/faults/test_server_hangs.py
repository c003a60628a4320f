"""A server that takes a question and never answers is given up within a deadline, and one that only works long is not.

Servers are stopped as a whole (SIGSTOP), or a proxy swallows what they say; nothing of ours stands in for them.
"""

from __future__ import annotations

import io
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from kitchen.adapters.postgres import connection, patience
from kitchen.adapters.postgres.connection import connect
from kitchen.domain.connection import Credentials
from kitchen.domain.journal import StepState
from kitchen.errors import KitchenError, Unavailable
from kitchen.operations import journalled
from tests.bench import Bench
from tests.faults.test_crashes import WHOLE, _create, _delete, _end, _is_whole
from tests.support import Warehouse

ANSWER, CONNECT = 1.0, 2  # seconds, instead of 30 and 10


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give servers less time than a user does."""
    monkeypatch.setattr(patience, "ANSWER", ANSWER)
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT", CONNECT)


class Swallowing:
    """A proxy that hands on everything until it is told to swallow what the server says, on new lines too."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.swallows = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(self._server)
                for one, other, silent in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._hand_on, args=(one, other, silent), daemon=True).start()

    def _hand_on(self, one: socket.socket, other: socket.socket, may_swallow: bool) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if not (may_swallow and self.swallows.is_set()):
                    other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def proxy(warehouse: Warehouse) -> Iterator[tuple[Swallowing, Credentials]]:
    """Return a proxy before each kind of server, and the login that leads through it."""
    direct = warehouse.administrator
    with connect(direct, application="tests") as session:
        port = int(session.query("SHOW port")[0][0])
    made = Swallowing(("127.0.0.1", port))
    yield made, replace(direct, host="127.0.0.1", port=made.port)
    made.close()


def test_a_short_statement_is_given_up(warehouse: Warehouse) -> None:
    begun = time.monotonic()
    with connect(warehouse.administrator, application="tests", patience=ANSWER) as session:
        with pytest.raises(Unavailable, match="never answered"):
            session.execute("SELECT pg_sleep(60)")
        assert time.monotonic() - begun < ANSWER + 1
        with pytest.raises(Unavailable):
            session.query("SELECT 1")


def test_a_long_statement_lasts_as_long_as_the_server_is_there(warehouse: Warehouse) -> None:
    with connect(warehouse.administrator, application="tests") as session:
        begun = time.monotonic()
        session.execute(f"SELECT pg_sleep({3 * ANSWER})")
        assert time.monotonic() - begun >= 3 * ANSWER
        rows = io.StringIO()
        with session.connection.cursor() as cursor:
            cursor.copy_expert(f"COPY (SELECT 1 FROM pg_sleep({2 * ANSWER})) TO STDOUT", rows)
        assert rows.getvalue() == "1\n"


def test_in_a_session_of_short_statements_a_long_one_is_announced(warehouse: Warehouse) -> None:
    with connect(warehouse.administrator, application="tests", patience=ANSWER) as session:
        with session.unhurried():
            session.execute(f"SELECT pg_sleep({2 * ANSWER})")
        with pytest.raises(Unavailable, match="never answered"):
            session.execute("SELECT pg_sleep(60)")


def test_whoever_watches_keeps_no_session_open(warehouse: Warehouse) -> None:
    with connect(warehouse.administrator, application="tests: who is there") as session:
        lost = connect(warehouse.administrator, application="tests: lost")
        left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tests: lost'"
        assert session.query(left) == [(1,)]
        time.sleep(3 * patience._TICK)  # it was looked at meanwhile
        del lost
        deadline = time.monotonic() + 10
        while session.query(left) != [(0,)]:
            assert time.monotonic() < deadline, "nobody has the session any more, and it is still open"
            time.sleep(0.1)


@pytest.mark.parametrize("what", ["statement", "commit", "copy out", "copy in"])
def test_a_server_that_falls_silent_is_given_up(proxy: tuple[Swallowing, Credentials], what: str) -> None:
    swallowing, through = proxy
    with connect(through, application="tests") as session, session.connection.cursor() as cursor:
        session.execute("CREATE TEMPORARY TABLE t (id int)")
        begun = time.monotonic()
        with pytest.raises(Unavailable, match="never answered"):  # noqa: PT012 - each way ends in its own line
            if what == "statement":
                swallowing.swallows.set()
                session.query("SELECT 1")
            elif what == "commit":
                with session.transaction():
                    session.execute("INSERT INTO t VALUES (1)")
                    swallowing.swallows.set()
            else:
                swallowing.swallows.set()
                text = "COPY t TO STDOUT" if what == "copy out" else "COPY t FROM STDIN"
                with connection.translated("copying"):
                    cursor.copy_expert(text, io.StringIO("1\n" * 100_000))
        assert time.monotonic() - begun < ANSWER + CONNECT + 2


def test_no_session_is_opened_on_a_server_that_is_silent(proxy: tuple[Swallowing, Credentials]) -> None:
    swallowing, through = proxy
    swallowing.swallows.set()
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="timeout expired"):
        connect(through, application="tests")
    assert time.monotonic() - begun < CONNECT + 1


def _processes(bench: Bench) -> list[int]:
    """Return every process of the development server, the one that starts the others first."""
    embedded = bench.fresh().services("dev").embedded
    assert embedded is not None
    first = int((embedded.folder / "data" / "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    return [first, *map(int, children)]


@contextmanager
def _stopped(bench: Bench) -> Iterator[None]:
    """Stop the server, whose sockets stay open and take everything."""
    stopped = _processes(bench)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(stopped):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


STEPS = ["create record", "create branch", "create secret", "create workspace", "create worktree", "create ready"]


@pytest.mark.parametrize("step", STEPS if WHOLE else STEPS[3:4])
@pytest.mark.parametrize("state", [StepState.STARTED, StepState.DONE])
def test_create_on_a_server_that_stops_for_good_ends_and_is_recovered(
    bench: Bench, step: str, state: StepState
) -> None:
    before = bench.traces()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        original = journalled.OperationJournal.mark

        def mark(self: journalled.OperationJournal, name: str, reached: StepState) -> None:
            original(self, name, reached)
            if (name, reached) == (step, state):
                os.write(writing, b"x")
                time.sleep(0.3)  # by now it is stopped

        journalled.OperationJournal.mark = mark  # type: ignore[method-assign]
        try:
            _create(bench.fresh(), "hung")
        except KitchenError as error:
            os._exit(error.exit_code)
        except BaseException:  # noqa: BLE001 - a forked pytest must not run on
            traceback.print_exc(file=sys.stderr)
            os._exit(70)
        os._exit(0)
    os.read(reading, 1)
    begun = time.monotonic()
    with _stopped(bench):
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        taken = time.monotonic() - begun
    assert code in (6, 7), "a service is unavailable, or something is left to undo"
    assert taken < 2 * ANSWER + 6 * CONNECT, "each question that is left costs no more than its deadline"
    _end(bench)
    _is_whole(bench, before, "hung")
    assert bench.traces() == before


def test_a_command_on_a_stopped_server_says_so(bench: Bench) -> None:
    with _stopped(bench):
        begun = time.monotonic()
        app = bench.fresh()
        with pytest.raises(Unavailable, match="does not answer"):
            app.services("dev").control.kitchens.all()
        assert time.monotonic() - begun < CONNECT + 2
    _create(bench.fresh(), "after")
    _delete(bench.fresh(), "after")
