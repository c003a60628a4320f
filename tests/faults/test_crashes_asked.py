"""A runner that is killed while it answers: the next one ends what it left, and no request says what is not so."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator

import pytest

from kitchen.adapters.postgres.control_requests import PgRequests
from kitchen.app import App
from kitchen.errors import KitchenError
from kitchen.operations.requests import answer_all
from tests.acceptance.askers import asked, cook
from tests.acceptance.external import places
from tests.acceptance.team import Team, made_project
from tests.faults.test_crashes import WHOLE, _signal_at, _silent
from tests.faults.test_crashes_deliver import MERGE_STEPS
from tests.support import SERVERS, Project

EDGES = range(4 * MERGE_STEPS) if WHOLE else (0, 2, 21, 47, 50, 53, 55, 58, 79, 87)


@pytest.fixture(scope="module", params=SERVERS)
def team(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    server = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp("team")
    with made_project(folder / "project") as project, places(server, server) as (production, dev):
        made = Team(project, production, dev, folder)
        made.install()
        made.share()
        made.admit("ci", "runner")
        made.admit("ann").kitchen("create", "work")
        yield made


def _answer(clone: Project, prepare: Callable[[], None]) -> int:
    """Answer requests as ``_once`` does; the lock of a runner that was killed is free within a moment (exit code 4)."""
    give_up = time.monotonic() + 5
    while (status := _once(clone, prepare)) >> 8 == 4 and time.monotonic() < give_up:
        time.sleep(0.2)
    return status


def _once(clone: Project, prepare: Callable[[], None]) -> int:
    """Answer requests in a process of its own on the runner's machine; return its wait status."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        os.environ.clear()
        os.environ.update(clone.environ)
        os.chdir(clone.root)
        prepare()
        app = App(clone.root)
        for answer in answer_all(app.services("dev"), app.repository, say=_silent):
            if answer.error is not None:
                raise answer.error
        os._exit(0)
    except KitchenError as error:
        sys.stderr.write(f"{type(error).__name__}: {error.message}\n")
        os._exit(error.exit_code)
    except BaseException:  # noqa: BLE001 - a forked pytest must not run on
        traceback.print_exc(file=sys.stderr)
        os._exit(71)


def _is_true(team: Team, number: int) -> str:
    """Return a request's state; it says published where its release is in, with the very table, and nowhere else."""
    with team.dev.look() as session:
        ((state, release, is_in),) = session.query(
            "SELECT r.state, r.release, coalesce(l.state = 'released', false) FROM kitchen_control.merge_request AS r "
            "LEFT JOIN kitchen_control.release AS l ON l.number = r.release WHERE r.number = %s",
            [number],
        )
        assert (state == "published") == is_in, (state, release)
    return str(state)


def _is_whole(team: Team, number: int) -> None:
    """Check that everything of a request is there, and nothing else of it."""
    with team.dev.look() as session:
        assert session.query("SELECT DISTINCT segment FROM dev.work") == [(number,)]
        assert session.query("SELECT kind FROM kitchen_control.operation WHERE state IN ('running', 'stuck')") == []
        assert session.query("SELECT name FROM kitchen_control.kitchen WHERE kind = 'candidate'") == []
        assert session.query("SELECT nspname FROM pg_namespace WHERE nspname ~ '^c_'") == []
        assert session.query("SELECT state FROM kitchen_control.kitchen WHERE name = 'dev'") == [("ready",)]
    sql = team.project.git("--git-dir", str(team.origin), "show", "dev:recipes/work/work.sql")
    assert f"AS SELECT {number}" in sql


def test_killed_at_an_edge_of_a_step(team: Team) -> None:
    ann, ci = team.clones["ann"], team.clones["ci"]
    for number, edge in enumerate(EDGES, start=1):
        with team.dev.look() as session:  # nobody asks as often within an hour
            session.execute("UPDATE kitchen_control.merge_request SET asked_at = asked_at - interval '2 hours'")
        cook(ann, "work", number)
        request = asked(ann, "work")["number"]
        status = _answer(ci, lambda edge=edge: _signal_at(edge, signal.SIGKILL))  # type: ignore[misc]
        assert os.WIFSIGNALED(status), f"edge {edge} was not reached: {status}"
        _is_true(team, request)
        assert _answer(ci, lambda: None) == 0, f"after edge {edge}"
        assert _is_true(team, request) == "published", f"after edge {edge}"
        _is_whole(team, number)


def test_killed_before_it_planned(team: Team) -> None:
    """Taken, and nothing else: the next ones try, and give up in the end."""
    ann, ci = team.clones["ann"], team.clones["ci"]

    def dies() -> None:
        PgRequests.plan = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign, assignment]

    cook(ann, "work", 1000)
    request = asked(ann, "work")["number"]
    for _ in range(3):
        assert os.WIFSIGNALED(_answer(ci, dies))
        assert _is_true(team, request) == "proving"
    ann.kitchen("merge", "work", "--withdraw", expect=4)
    assert _answer(ci, lambda: None) >> 8 == 1
    assert _is_true(team, request) == "refused"
    cook(ann, "work", 1001)
    asked(ann, "work")
    assert os.WIFSIGNALED(_answer(ci, dies))
    assert _answer(ci, lambda: None) == 0
    _is_whole(team, 1001)


def test_undone_by_hand(team: Team) -> None:
    """``recover --undo``: the request waits for the next runner."""
    ann, ci = team.clones["ann"], team.clones["ci"]
    cook(ann, "work", 2000)
    request = asked(ann, "work")["number"]
    assert os.WIFSIGNALED(_answer(ci, lambda: _signal_at(21, signal.SIGKILL)))
    assert _is_true(team, request) == "proving"
    team.project.kitchen("recover", "-e", "dev", "--undo")
    assert _is_true(team, request) == "queued"
    ann.kitchen("merge", "work", "--withdraw")


def test_told_to_stop(team: Team) -> None:
    """SIGTERM in the middle: what was begun is undone, and the request waits for the next runner."""
    ann, ci = team.clones["ann"], team.clones["ci"]
    cook(ann, "work", 3000)
    request = asked(ann, "work")["number"]
    assert _answer(ci, lambda: _signal_at(21, signal.SIGTERM)) >> 8 == 71
    assert _is_true(team, request) == "queued"
    with team.dev.look() as session:
        assert session.query("SELECT name FROM kitchen_control.kitchen WHERE kind = 'candidate'") == []
    assert _answer(ci, lambda: None) == 0
    _is_whole(team, 3000)
