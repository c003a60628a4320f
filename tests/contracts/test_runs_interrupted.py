"""Runs that are interrupted, ended or killed: what they started ends too, and their records say so."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kitchen.adapters.postgres.control import PgControl
from kitchen.domain.run import RunState
from tests.contracts.line import Line
from tests.support import Warehouse


@pytest.fixture
def line(warehouse: Warehouse, tmp_path: Path) -> Iterator[Line]:
    made = Line(warehouse, tmp_path)
    yield made
    made.control.session.close()


def _elsewhere(line: Line) -> int:
    """Run the recipe in a process of its own and return that process."""
    child = os.fork()
    if child:
        return child
    status = 70
    try:
        line.control = PgControl(line.warehouse.sessions, environment="dev", person=line.person)
        line.run()
        status = 0
    except KeyboardInterrupt:
        status = 130
    finally:
        os._exit(status)


def _until(true: Callable[[], bool], *, seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def _busy(line: Line) -> list[tuple[object, ...]]:
    with line.superuser() as session:
        return session.query(
            "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'kitchen profit r/%' AND state = 'active'"
        )


def _alive(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    try:
        return state.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_statement_ends_at_once(line: Line, how: signal.Signals) -> None:
    line.recipe(
        "nodes:\n  a: {sql: a.sql}\n  b: {sql: b.sql, after: [a]}\n",
        a_sql="CREATE TABLE made (i int); SELECT pg_sleep(60)",
        b_sql="SELECT 1",
    )
    child = _elsewhere(line)
    _until(lambda: bool(_busy(line)))
    begun = time.monotonic()
    os.kill(child, how)
    _, status = os.waitpid(child, 0)
    assert time.monotonic() - begun < 5
    assert os.waitstatus_to_exitcode(status) == 130
    run = line.control.runs.get(str(line.control.runs.all()[0].id))
    assert run is not None
    assert (run.state, run.message) == (RunState.CANCELLED, "interrupted")
    assert [(node.node, node.state) for node in run.nodes] == [("a", RunState.CANCELLED), ("b", RunState.SKIPPED)]
    assert line.query("SELECT to_regclass('made')") == [(None,)]
    assert not _busy(line)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_program_does_not_outlive_its_run(line: Line, how: signal.Signals) -> None:
    line.recipe(
        "nodes:\n  a: {python: a.py}\n",
        a_py="import os, pathlib, time\npathlib.Path('pid.new').write_text(str(os.getpid()))\n"
        "os.rename('pid.new', 'pid')\ntime.sleep(60)",
    )
    child = _elsewhere(line)
    told = line.root / "recipes" / "r" / "pid"
    _until(told.exists)
    program = int(told.read_text())
    assert _alive(program)
    os.kill(child, how)
    os.waitpid(child, 0)
    _until(lambda: not _alive(program), seconds=10)
    state = RunState.CANCELLED if how is signal.SIGINT else RunState.ERRORED
    _until(lambda: line.control.runs.all()[0].state is state, seconds=5)


def _leaving(line: Line, then: str) -> Callable[[], int]:
    """Let a node start something that leaves its session, and do more; return what gives that process's number."""
    line.recipe(
        "nodes:\n  a: {python: a.py, timeout: 3s}\n" if then == "late" else "nodes:\n  a: {python: a.py}\n",
        a_py="import subprocess, sys, time\n"
        "subprocess.Popen(['sh', '-c', 'echo $$ > pid.new; mv pid.new pid; trap : TERM; while :; do sleep 1; done'],"
        " start_new_session=True, stdout=subprocess.DEVNULL)\n"
        + {"fails": "time.sleep(1); sys.exit(1)", "late": "time.sleep(60)", "waits": "time.sleep(60)"}[then],
    )
    told = line.root / "recipes" / "r" / "pid"

    def number() -> int:
        _until(told.exists)
        return int(told.read_text())

    return number


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="nobody but Linux tells whose child it was")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_what_leaves_a_nodes_session_does_not_outlive_a_killed_run(line: Line, how: signal.Signals) -> None:
    number = _leaving(line, "waits")
    child = _elsewhere(line)
    left = number()
    assert os.getsid(left) == left
    os.kill(child, how)
    os.waitpid(child, 0)
    _until(lambda: not _alive(left), seconds=15)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="nobody but Linux tells whose child it was")
@pytest.mark.parametrize("then", ["fails", "late"])
def test_what_leaves_a_nodes_session_ends_with_a_node_that_fails(line: Line, then: str) -> None:
    number = _leaving(line, then)
    assert line.run().state is RunState.ERRORED
    assert not _alive(number())


def test_a_killed_runs_statement_is_ended_by_the_server(line: Line) -> None:
    line.recipe("nodes:\n  a: {sql: a.sql}\n", a_sql="UPDATE orders SET amount = 0; SELECT pg_sleep(60)")
    child = _elsewhere(line)
    _until(lambda: bool(_busy(line)))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    _until(lambda: not _busy(line), seconds=10)
    assert line.query("SELECT count(*) FROM orders WHERE amount = 0") == [(0,)]
    lost = line.control.runs.all()[0]
    assert (lost.state, lost.message) == (RunState.ERRORED, "the process that ran it is gone")
    line.recipe("nodes:\n  a: {sql: a.sql}\n", a_sql="UPDATE orders SET amount = 0")
    assert line.run().state is RunState.PASSED  # nothing that was left stands in the way


def test_a_node_whose_session_the_server_ended_runs_again_on_another(line: Line) -> None:
    with line.superuser() as session:
        session.execute("CREATE TABLE pantry_v1.open (i int); GRANT SELECT ON pantry_v1.open TO PUBLIC")
    line.recipe(
        "nodes:\n  a: {sql: a.sql, retries: 1}\n  b: {sql: b.sql, after: [a]}\n",
        a_sql="SELECT pg_sleep(60) WHERE NOT EXISTS (SELECT FROM open)",
        b_sql="SELECT count(*) FROM customer",
    )
    child = _elsewhere(line)
    _until(lambda: bool(_busy(line)))
    with line.superuser() as session:
        session.execute("INSERT INTO pantry_v1.open VALUES (1)")
        session.execute(f"SELECT pg_terminate_backend({_busy(line)[0][0]})")
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    run = line.control.runs.get(str(line.control.runs.all()[0].id))
    assert run is not None
    assert run.state is RunState.PASSED
    assert [(node.node, node.attempt, node.state) for node in run.nodes] == [
        ("a", 1, RunState.ERRORED), ("a", 2, RunState.PASSED), ("b", 1, RunState.PASSED),
    ]  # fmt: skip
    assert "server closed the connection unexpectedly (try: kitchen doctor)" in str(run.nodes[0].message)
