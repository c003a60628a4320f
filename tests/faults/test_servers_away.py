"""The server goes away in the middle, or answers are lost: no half state, and the next command ends what was left.

On every change a few rounds are run; ``KITCHEN_FAULTS=all`` runs two hundred.
"""

from __future__ import annotations

import os
import random
import select
import signal
import socket
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from kitchen.adapters.postgres.sessions import PgSessions
from kitchen.adapters.postgres.workspaces import PgWorkspaces
from kitchen.errors import KitchenError
from tests.bench import Bench
from tests.faults.test_crashes import _create, _delete, _end, _is_whole, _process

WHOLE = os.environ.get("KITCHEN_FAULTS") == "all"
ROUNDS = 200 if WHOLE else 6


def test_the_server_is_stopped_in_the_middle(bench: Bench) -> None:
    """Killed at once, sometimes stopped in good order: what was being made is whole or gone after ``recover``."""
    chosen = random.Random(7)  # noqa: S311 - the same moments every time
    before = bench.traces()
    for number in range(ROUNDS):
        name, moment, hard = f"away{number}", chosen.uniform(0.0, 0.35), chosen.random() < 0.5
        child = os.fork()
        if not child:
            try:
                _create(bench.fresh(), name)
            except KitchenError as error:
                os._exit(error.exit_code)
            except BaseException:  # noqa: BLE001 - a forked pytest must not run on
                traceback.print_exc(file=sys.stderr)
                os._exit(70)
            os._exit(0)
        time.sleep(moment)
        embedded = bench.fresh().services("dev").embedded
        assert embedded is not None
        if hard:
            pid = int((embedded.folder / "data" / "postmaster.pid").read_text().split()[0])
            os.kill(pid, signal.SIGQUIT)  # as a crash: no session is let end
            _wait_for_end(pid)
        else:
            embedded.stop()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in (0, 1, 6, 7), "an error with a name, or done"
        embedded.start()
        _end(bench)
        assert _is_whole(bench, before, name) or code != 0
        assert bench.traces() == before


# --- operations go on while the server comes and goes -----------------------------------------------------------------

OPERATIONS = 200 if WHOLE else 10
AWAY, UP = ((0.0, 5.0), (5.0, 20.0)) if WHOLE else ((0.0, 1.0), (0.5, 2.0))  # seconds, by chance between these


def test_operations_while_the_server_comes_and_goes(bench: Bench) -> None:
    """Whoever is hit is told so; one ``recover`` later nothing is half there, and what was said to be done is."""
    before = bench.traces()
    over, end = os.pipe()
    away = os.fork()  # no thread: the processes below would inherit its locks
    if not away:
        os.close(end)
        try:
            _come_and_go(bench, over)
        except BaseException:  # noqa: BLE001 - a forked pytest must not run on
            traceback.print_exc(file=sys.stderr)
            os._exit(70)
        os._exit(0)
    there: set[str] = set()
    hit = 0
    try:
        for number in range(OPERATIONS):
            name = f"soak{number // 2}"
            work = _create if number % 2 == 0 else _delete
            if work is _delete and name not in there:
                continue  # it could not be made
            code = os.waitstatus_to_exitcode(_process(bench, work, name, edge=None, number=0))
            assert code in (0, 1, 6, 7), "an error with a name, or done"
            if code:
                hit += 1
                _recovered(bench)
            known = _names(bench)
            assert code or (name in known) == (work is _create), "what was said to be done is done"
            there = {each for each in known if each.startswith("soak")}
    finally:
        os.write(end, b"x")
        assert os.waitstatus_to_exitcode(os.waitpid(away, 0)[1]) == 0
    assert hit or not WHOLE, "the server was never away at the wrong moment"
    _recovered(bench)
    for name in there:
        _delete(bench.fresh(), name)
    assert bench.traces() == before


def _come_and_go(bench: Bench, over: int) -> None:
    server = bench.fresh().services("dev").embedded
    assert server is not None
    chosen = random.Random(11)  # noqa: S311 - the same moments every time
    while not select.select([over], [], [], chosen.uniform(*UP))[0]:
        if chosen.random() < 0.5:
            pid = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
            os.kill(pid, signal.SIGQUIT)  # as a crash: no session is let end
            _wait_for_end(pid)
        else:
            server.stop()
        time.sleep(chosen.uniform(*AWAY))
        server.start()


def _recovered(bench: Bench) -> None:
    """Recover until the server is there long enough."""
    for _ in range(100):
        if _process(bench, lambda app, _: _recover(app), "", edge=None, number=0) == 0:
            return
        time.sleep(0.2)
    pytest.fail("the server did not come back")


def _names(bench: Bench) -> set[str]:
    for _ in range(100):
        services = bench.fresh().services("dev")
        with suppress(KitchenError):
            return {kitchen.name for kitchen in services.control.kitchens.all()}
        time.sleep(0.2)
    pytest.fail("the server did not come back")


def _wait_for_end(pid: int) -> None:
    """A server that goes down still looks ready from outside, and start would find nothing to do."""
    give_up = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and time.monotonic() < give_up:
        time.sleep(0.01)


class Cutting:
    """A proxy that hands on everything until the answer that follows a word, and then cuts the line."""

    def __init__(self, host: str, port: int, word: bytes) -> None:
        self._server = (host, port)
        self._word = word
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.cut = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            asked = threading.Event()
            threading.Thread(target=self._up, args=(client, server, asked), daemon=True).start()
            threading.Thread(target=self._down, args=(client, server, asked), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket, asked: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if self._word in data and not self.cut.is_set():
                    asked.set()
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _down(self, client: socket.socket, server: socket.socket, asked: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if asked.is_set():
                    self.cut.set()
                    client.shutdown(socket.SHUT_RDWR)  # the effect is there; its answer never arrives
                    return
                client.sendall(data)

    def close(self) -> None:
        self._listening.close()


def test_an_answer_lost_after_the_effect_is_found_by_looking(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The workspace is made, the answer is cut off: it is undone, or found, and never made twice."""
    before = bench.traces()
    app = bench.fresh()
    services = app.services("dev")
    direct = services.sessions.administrator()
    assert services.embedded is not None
    proxy = Cutting(*services.embedded.tcp, word=b"CREATE ROLE")
    through = replace(direct, host="127.0.0.1", port=proxy.port)
    services.__dict__["workspaces"] = PgWorkspaces(PgSessions(lambda: through))
    try:
        with pytest.raises(KitchenError):
            _create(app, "cut")
        assert proxy.cut.is_set()
    finally:
        proxy.close()
        services.control.session.close()
    _end(bench)
    assert not _is_whole(bench, before, "cut")


@pytest.mark.parametrize(
    "step", ["create record", "create branch", "create secret", "create workspace", "create worktree"]
)
@pytest.mark.parametrize("said", [False, True], ids=["before it said so", "after it said so"])
def test_a_paused_holder_that_wakes_up_is_refused(bench: Bench, step: str, *, said: bool) -> None:
    """Its lock's session is ended while it sleeps; another recovers; what it then says is not taken."""
    before = bench.traces()
    child = os.fork()
    if not child:
        from kitchen.domain.journal import StepState
        from kitchen.operations import journalled

        original = journalled.OperationJournal.mark

        def mark(self: journalled.OperationJournal, marked: str, state: StepState) -> None:
            for when in (False, True):
                if when:
                    original(self, marked, state)
                if (marked, state, when) == (step, StepState.STARTED, said):
                    os.kill(os.getpid(), signal.SIGSTOP)

        journalled.OperationJournal.mark = mark  # type: ignore[method-assign]
        try:
            _create(bench.fresh(), "paused")
        except KitchenError as error:
            os._exit(error.exit_code)
        except BaseException:  # noqa: BLE001 - a forked pytest must not run on
            os._exit(70)
        os._exit(0)
    os.waitpid(child, os.WUNTRACED)
    services = bench.fresh().services("dev")
    with services.sessions.as_administrator() as session:
        ended = session.query(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'kitchen lock%'"
        )
    assert ended == [(True,)]
    services.control.session.close()
    assert _process(bench, lambda app, _: _recover(app), "", edge=None, number=0) == 0
    assert bench.traces() == before
    os.kill(child, signal.SIGCONT)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) in (3, 4, 7), "refused: it was taken over"
    assert bench.traces() == before, "and it did nothing more"


def _recover(app: object) -> None:
    from tests.faults.test_crashes import _recover as recover

    recover(app)  # type: ignore[arg-type]


@pytest.mark.skipif(not WHOLE, reason="20,000 relations take a minute: KITCHEN_FAULTS=all")
def test_a_kitchen_of_many_relations_is_deleted_and_resumed(bench: Bench) -> None:
    before = bench.traces()
    _create(bench.fresh(), "large")
    services, kitchen = bench.fresh().find("large", "dev")
    with services.sessions.open(services.credentials(kitchen), application="tests") as session:
        for first in range(0, 6700, 100):  # with its index and its TOAST table each makes three and more
            session.execute(
                "".join(f"CREATE TABLE t{n} (id int PRIMARY KEY, v text);" for n in range(first, first + 100))
            )
        count = session.query("SELECT count(*) FROM pg_class WHERE relname ~ '^(t[0-9]+|pg_toast_)'")[0][0]
        assert count >= 20_000
    services.control.session.close()
    child = os.fork()
    if not child:
        _delete(bench.fresh(), "large")
        os._exit(0)
    time.sleep(4)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    begun = time.monotonic()
    _end(bench)
    assert time.monotonic() - begun < 120
    assert bench.traces() == before
