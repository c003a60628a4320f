"""Production takes connections and says nothing: whoever works in dev does not wait for it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator

import pytest

from kitchen.adapters.postgres.connection import CONNECT_TIMEOUT
from tests.support import Project


@pytest.fixture
def working(project: Project) -> Project:
    """Return a project with both environments up, and a kitchen."""
    project.kitchen("up")
    project.kitchen("create", "mine")
    return project


@pytest.fixture
def halted(working: Project) -> Iterator[Project]:
    """Return a project whose production is stopped as a whole."""
    (pid_file,) = working.home.glob("*/production/postgres/data/postmaster.pid")
    pid = int(pid_file.read_text().split("\n", 1)[0])
    os.kill(pid, signal.SIGSTOP)
    try:
        yield working
    finally:
        os.kill(pid, signal.SIGCONT)


def test_nobody_in_dev_waits_for_it(halted: Project) -> None:
    for command in (["list", "--json"], ["tree"], ["prune", "--yes"]):
        begun = time.monotonic()
        answer = halted.kitchen(*command)
        assert time.monotonic() - begun < CONNECT_TIMEOUT, f"{command} waited for production"
        assert "production does not answer and is left out" in answer.stderr
        if "--json" in command:
            assert {each["name"] for each in json.loads(answer.stdout)} == {"dev", "mine"}
    for command in (["status", "mine"], ["create", "more"], ["update", "more"], ["delete", "more", "--yes"]):
        begun = time.monotonic()
        assert "production" not in halted.kitchen(*command).stderr
        assert time.monotonic() - begun < CONNECT_TIMEOUT, f"{command} waited for production"
    named = halted.kitchen("list", "-e", "production", expect=6)
    assert "does not answer" in named.stderr, "who names it waits, and is told"
