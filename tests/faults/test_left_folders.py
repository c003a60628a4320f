"""Killed, ``enter`` and a node leave a folder with a password: the next command removes it, and never a living one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import report
from tests.bench import Bench
from tests.report import commit, create

SLEEPER = "import os, time\nprint(os.environ['PGPASSFILE'], flush=True)\ntime.sleep(300)\n"


@pytest.fixture
def temporary(bench: Bench, tmp_path: Path) -> Iterator[Path]:
    """Return the folder in which the commands of a test make theirs."""
    bench.project.environ["TMPDIR"] = str(tmp_path)
    yield tmp_path
    del bench.project.environ["TMPDIR"]


@pytest.fixture(scope="module")
def work(bench: Bench) -> Path:
    """Return a kitchen's files."""
    report.ground(bench, "dev")
    return create(bench, "work")


@contextmanager
def _started(bench: Bench, *words: str) -> Iterator[subprocess.Popen[str]]:
    project = bench.project
    process = subprocess.Popen(
        [sys.executable, "-m", "kitchen", *words], cwd=project.root, env=project.environ, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _passwords(temporary: Path) -> list[Path]:
    return sorted(path.parent for path in temporary.glob("*/pgpass"))


def _wait(what: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until
        time.sleep(0.05)


def _next(bench: Bench) -> None:
    bench.project.kitchen("enter", "work", "--", "true")


@pytest.mark.usefixtures("work")
def test_what_a_killed_enter_left_goes_with_the_next_command(bench: Bench, temporary: Path) -> None:
    asleep = "import os, time; print(os.getpid(), flush=True); time.sleep(300)"
    with _started(bench, "enter", "work", "--", sys.executable, "-c", asleep) as entered:
        assert entered.stdout is not None
        child = int(entered.stdout.readline())
        try:
            (left,) = _passwords(temporary)
            _next(bench)
            assert _passwords(temporary) == [left], "whoever is inside still needs it"
            os.kill(entered.pid, signal.SIGKILL)
            entered.wait()
            _next(bench)
            assert _passwords(temporary) == [left], "its shell lives on, and may open another connection"
        finally:
            os.kill(child, signal.SIGKILL)
    _wait(lambda: _next(bench) or not _passwords(temporary))
    assert list(temporary.glob("kitchen*")) == []


def test_what_a_killed_run_left_goes_with_the_next_command(bench: Bench, temporary: Path, work: Path) -> None:
    folder = work / "recipes" / "sleepy"
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text("description: x\nnodes:\n  sleep: {python: sleep.py}\n")
    (folder / "sleep.py").write_text(SLEEPER)
    commit(bench, work)
    with _started(bench, "run", "sleepy", "-k", "work") as run:
        _wait(lambda: _passwords(temporary))
        (left,) = _passwords(temporary)
        _next(bench)
        assert _passwords(temporary) == [left]
        os.kill(run.pid, signal.SIGKILL)
    assert left.exists(), "nobody was there to remove it"
    _next(bench)
    assert list(temporary.glob("kitchen*")) == []


@pytest.mark.usefixtures("work")
def test_what_is_not_ours_is_left_alone(bench: Bench, temporary: Path) -> None:
    elsewhere = temporary / "elsewhere"
    (elsewhere / "kept").mkdir(parents=True)
    elsewhere.chmod(0o700)
    (temporary / "kitchen.enter.link").symlink_to(elsewhere)
    (temporary / "kitchen.enter.file").write_text("mine")
    (temporary / "kitchen.enter.open").mkdir(mode=0o755)
    (temporary / "kitchen-enter-older").mkdir(mode=0o700)
    before = sorted(temporary.rglob("*"))
    _next(bench)
    assert sorted(temporary.rglob("*")) == before
