"""Killed with a person's own login: what that login began, the same login ends, and nothing is left of it."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator

import pytest

from kitchen.app import App
from kitchen.errors import KitchenError
from kitchen.operations.create import create_working
from kitchen.operations.create_plan import Wish, plan_working
from tests.acceptance.external import places
from tests.acceptance.team import Team, made_project
from tests.faults.test_crashes import CREATE_STEPS, DELETE_STEPS, WHOLE, _delete, _signal_at, _silent
from tests.support import SERVERS, Project

CREATE = range(4 * CREATE_STEPS) if WHOLE else (2, 9, 11, 14, 19)
DELETE = range(4 * DELETE_STEPS) if WHOLE else (2, 6, 13)


@pytest.fixture(scope="module", params=SERVERS)
def team(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    server = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp("team")
    with made_project(folder / "project") as project, places(server, server) as (production, dev):
        made = Team(project, production, dev, folder)
        made.install(fills=False)
        made.admit("ann")
        yield made


def _create(app: App, name: str) -> None:
    services = app.services("dev")
    creation = plan_working(services, app.repository, app.worktrees, Wish(name), person=services.person)
    create_working(services, app.repository, creation, say=_silent)


def _killed(clone: Project, work: Callable[[App, str], None], name: str, edge: int) -> int:
    """Do the work in a process of its own on somebody's machine, killed at one edge; return its wait status."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        os.environ.clear()
        os.environ.update(clone.environ)
        os.chdir(clone.root)
        _signal_at(edge, signal.SIGKILL)
        work(App(clone.root), name)
        os._exit(0)
    except KitchenError as error:
        os._exit(error.exit_code)
    except BaseException:  # noqa: BLE001 - a forked pytest must not run on
        traceback.print_exc(file=sys.stderr)
        os._exit(70)


def _left(team: Team, name: str) -> tuple[list[str], bool]:
    """Return what the server and git have of a kitchen, and whether it is recorded as ready."""
    with team.dev.look() as session:
        roles = session.query("SELECT rolname FROM pg_roles WHERE rolname LIKE %s", [f"%\\_\\_{name}\\_\\_%"])
        schemas = session.query("SELECT nspname FROM pg_namespace WHERE nspname = %s", [name])
        leases = session.query("SELECT login FROM kitchen_control.lease WHERE login LIKE %s", [f"%\\_\\_{name}\\_\\_%"])
        states = session.query("SELECT state FROM kitchen_control.kitchen WHERE name = %s", [name])
        open_work = session.query("SELECT kind FROM kitchen_control.operation WHERE state IN ('running', 'stuck')")
    assert open_work == []
    assert states in ([], [("ready",)])
    branches = team.clones["ann"].git("branch", "--list", name).split()
    return [*(row[0] for row in (*roles, *schemas, *leases)), *branches], states == [("ready",)]


def test_killed_while_creating(team: Team) -> None:
    ann = team.clones["ann"]
    for edge in CREATE:
        name = f"made_{edge}"
        status = _killed(ann, _create, name, edge)
        assert os.WIFSIGNALED(status), f"edge {edge} was not reached"
        ann.kitchen("recover", "-e", "dev")
        left, is_ready = _left(team, name)
        assert is_ready or left == [], f"after edge {edge}: {left}"
        if is_ready:
            ann.kitchen("enter", name, "--", "psql", "-Atc", "SELECT 1")
            ann.kitchen("delete", name, "--yes", "--force")


def test_killed_while_deleting(team: Team) -> None:
    ann = team.clones["ann"]
    for edge in DELETE:
        name = f"gone_{edge}"
        ann.kitchen("create", name)
        status = _killed(ann, _delete, name, edge)
        assert os.WIFSIGNALED(status), f"edge {edge} was not reached"
        ann.kitchen("recover", "-e", "dev")
        left, is_ready = _left(team, name)
        assert is_ready or left == [], f"after edge {edge}: {left}"
        if is_ready:
            ann.kitchen("delete", name, "--yes", "--force")
