"""Ctrl-C, SIGTERM and a closed terminal at moments that are no edges: while a server or git works for kitchen.

Commands are real ones in a session of their own, and a terminal's signal goes to all of its processes, git's too. On
every change a few moments are tried; ``KITCHEN_FAULTS=all`` tries many.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from itertools import count

import pytest

from tests.bench import Bench
from tests.faults.test_crashes import WHOLE, _create, _delete, _end

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AT_ONCE = 5.0  # seconds; the lock that is waited for here is given up after twice as many

_numbers = count(1)


def _typed(bench: Bench, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "kitchen", *words]
    return subprocess.Popen(
        command, cwd=bench.project.root, env=bench.project.environ, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def _waits(bench: Bench, table: str) -> bool:
    services = bench.fresh().services("dev")
    with services.sessions.as_administrator() as session:
        found = session.query("SELECT FROM pg_locks WHERE NOT granted AND relation = %s::regclass", [table])
    services.control.session.close()
    return bool(found)


@pytest.mark.parametrize("number", [*ENDING, "twice"])
def test_a_statement_that_waits_is_interrupted(bench: Bench, number: signal.Signals | str) -> None:
    name = f"w{next(_numbers)}"
    _create(bench.fresh(), name)
    before = bench.traces()
    services, standing = bench.fresh().find("dev", "dev")
    with services.sessions.open(services.credentials(standing), application="tests") as session:
        session.execute("CREATE TABLE IF NOT EXISTS held (id int)")
        before |= {("relation", "dev", "held")}
        with session.transaction():
            session.execute("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
            with _typed(bench, "hydrate", "held", "-k", name) as typed:
                give_up = time.monotonic() + 30
                while not _waits(bench, "dev.held") and time.monotonic() < give_up:
                    time.sleep(0.05)
                begun = time.monotonic()
                os.killpg(typed.pid, signal.SIGINT if number == "twice" else number)  # type: ignore[arg-type]
                if number == "twice":
                    time.sleep(0.3)
                    os.killpg(typed.pid, signal.SIGINT)
                _, said = typed.communicate(timeout=60)
            assert time.monotonic() - begun < AT_ONCE
            assert not _waits(bench, "dev.held"), "nor does the server go on with it"
    assert typed.returncode == 130, said
    if number != "twice":
        assert "is undone: everything is as it was before" in said
    _end(bench)
    assert bench.traces() == before
    _delete(bench.fresh(), name)


def _moments() -> list[object]:
    """Return commands, signals and moments: by chance, but always the same."""
    chosen = random.Random(20261121)  # noqa: S311 - the same sample every time
    found = []
    for number in range(200 if WHOLE else 8):
        verb = ("create", "delete")[number % 2]
        death = (*ENDING, signal.SIGKILL)[number // 2 % 4]
        moment = chosen.uniform(0.15, 0.9)
        found.append(pytest.param(verb, death, moment, id=f"{verb} {death.name} after {moment:.3f}"))
    return found


@pytest.mark.parametrize(("verb", "death", "moment"), _moments())
def test_ended_at_any_moment(bench: Bench, verb: str, death: signal.Signals, moment: float) -> None:
    name = f"m{next(_numbers)}"
    before = bench.traces()
    if verb == "delete":
        _create(bench.fresh(), name)
    with _typed(bench, verb, name, *(["--yes", "--force"] if verb == "delete" else [])) as typed:
        time.sleep(moment)
        if typed.poll() is None:
            os.killpg(typed.pid, death)
        _, said = typed.communicate(timeout=60)
    # a shell says 130 as well where Python ends itself by SIGINT: it was interrupted in an exec() of its own
    assert typed.returncode in (0, 130, -signal.SIGINT, -death), said
    assert "Traceback" not in said or typed.returncode == -death, said
    _end(bench)
    services = bench.fresh().services("dev")
    kept = services.control.kitchens.get(name)
    services.control.session.close()
    if kept is not None:
        assert kept.state == "ready"
        bench.project.kitchen("enter", name, "--", "psql", "-X", "-c", "SELECT 1")
        _delete(bench.fresh(), name)
    assert bench.traces() == before
