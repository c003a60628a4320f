"""``kitchen up`` killed in each of its steps: the next one gives a whole environment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.faults.test_crashes import WHOLE
from tests.support import Project

STEPS = [
    "starting PostgreSQL of production",
    "reserving the name production",
    "storing credentials of production",
    "making schema public",
    "opening production",
    "making branch dev",
]


MOMENT = 0.005  # seconds after a step was said
# git is started a good while after the branch is announced, and goes on when kitchen is dead
LATER = [(STEPS[-1], signal.SIGKILL, number / 40) for number in range(1, 21)] if WHOLE else []


@pytest.mark.parametrize(
    ("step", "death", "moment"),
    [
        *((step, signal.SIGKILL, MOMENT) for step in STEPS),
        (STEPS[0], signal.SIGINT, MOMENT), (STEPS[3], signal.SIGTERM, MOMENT), *LATER,
    ],
)  # fmt: skip
def test_killed_and_typed_again(project: Project, step: str, death: signal.Signals, moment: float) -> None:
    environment = ["production"]
    if "branch" in step:
        project.git("branch", "-D", "dev")
        environment = []
    _die_in(project, step, death, environment, moment)
    project.kitchen("up", *environment)
    report = json.loads(project.kitchen("doctor", *environment, "--json").stdout)
    assert {found["level"] for found in report["findings"] if found["part"] != "pantry"} == {"ok"}
    if "branch" in step:
        assert project.git("rev-parse", "dev") == project.git("rev-parse", "main")


def test_a_server_that_is_going_down_is_not_taken_for_a_running_one(project: Project) -> None:
    """Its own file says ready until it has read the signal: stopped, it keeps both for as long as the test likes."""
    project.kitchen("up", "production")
    (pid_file,) = project.home.glob("*/production/postgres/data/postmaster.pid")
    before = int(pid_file.read_text().split("\n", 1)[0])
    os.kill(before, signal.SIGSTOP)
    os.kill(before, signal.SIGINT)  # a fast shutdown
    up = [sys.executable, "-m", "kitchen", "up", "production"]
    with subprocess.Popen(up, cwd=project.root, env=project.environ, stderr=subprocess.PIPE, text=True) as typed:
        time.sleep(2)
        os.kill(before, signal.SIGCONT)
        _, said = typed.communicate(timeout=120)
    assert typed.returncode == 0, said
    assert int(pid_file.read_text().split("\n", 1)[0]) != before
    project.kitchen("doctor", "production")


def _die_in(project: Project, step: str, death: signal.Signals, environment: list[str], moment: float) -> None:
    """Start ``kitchen up`` and end it a moment after it says that it begins a step."""
    command = [sys.executable, "-m", "kitchen", "up", *environment]
    with subprocess.Popen(
        command, cwd=project.root, env=project.environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as dying:
        assert dying.stderr is not None
        for line in dying.stderr:
            if step in line:
                time.sleep(moment)
                os.kill(dying.pid, death)
                dying.wait(timeout=60)
                return
    pytest.fail(f"kitchen up never said {step!r}")
