"""Machines whose clocks are wrong: what expires, and when, is decided by the environment's own clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests import report
from tests.bench import Bench, opened
from tests.report import TOTALS, commit, create, psql

AHEAD = """
import datetime
class Ahead(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        real = super().now(tz) + datetime.timedelta(hours={hours})
        return real
datetime.datetime = Ahead
"""


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with opened("dev") as made:
        yield made


@contextmanager
def _clock(bench: Bench, folder: Path, hours: int) -> Iterator[None]:
    """Let the commands in the block be those of a machine whose clock is wrong."""
    right = dict(bench.project.environ)
    try:
        _with_clock(bench, folder, hours)
        yield
    finally:
        bench.project.environ.clear()
        bench.project.environ.update(right)


def _with_clock(bench: Bench, folder: Path, hours: int) -> None:
    """Let the next commands be those of a machine whose clock is wrong."""
    (folder / "sitecustomize.py").write_text(AHEAD.format(hours=hours))
    bench.project.environ["PYTHONPATH"] = f"{folder}:{bench.project.environ['PYTHONPATH']}"


def _named(bench: Bench, name: str) -> dict[str, Any]:
    listed = json.loads(bench.project.kitchen("list", "--json").stdout)
    return {each["name"]: each for each in listed}[name]  # type: ignore[no-any-return]


@pytest.mark.parametrize("hours", [2, -2, 24 * 400])
def test_a_wrong_clock_prunes_nothing_early_and_makes_nothing_that_others_prune(
    bench: Bench, tmp_path: Path, hours: int
) -> None:
    project = bench.project
    project.kitchen("create", "short", "--ttl", "1h")
    with _clock(bench, tmp_path, hours):
        assert "short" not in project.kitchen("prune", "--yes", "-e", "dev").stderr
        project.kitchen("create", "made", "--ttl", "2d")
        project.kitchen("edit", "short", "--ttl", "2d")
    for name in ("short", "made"):
        left = datetime.fromisoformat(_named(bench, name)["expires_at"]) - datetime.now(UTC)
        assert timedelta(hours=47) < left < timedelta(hours=49)
        project.kitchen("delete", name, "--yes")


@pytest.mark.parametrize("hours", [-1, 1])
def test_what_a_machine_with_a_wrong_clock_ran_is_told_with_the_servers_time(
    bench: Bench, tmp_path: Path, hours: int
) -> None:
    project, name = bench.project, "late" if hours < 0 else "early"
    if not (project.root / "recipes" / "report").exists():
        report.ground(bench, "dev")
    worktree = create(bench, name)
    report.write(worktree, totals=TOTALS.replace("sum(amount)", "sum(amount) * 2"))
    commit(bench, worktree)
    project.kitchen("run", "report", "-k", name)
    with _clock(bench, tmp_path, hours):
        project.kitchen("run", "report", "-k", name)
        there = _runs(bench, name)
    project.kitchen("run", "report", "-k", name)
    runs = _runs(bench, name)
    assert [run["id"] for run in runs[1:]] == [run["id"] for run in there], "the newest is first"
    for run in runs:
        whole = json.loads(project.kitchen("runs", "show", run["id"], "--json").stdout)
        begun, ended = _moment(whole["started_at"]), _moment(whole["ended_at"])
        assert timedelta() <= ended - begun < timedelta(minutes=2)
        assert abs(datetime.now(UTC) - begun) < timedelta(minutes=5)
        for node in whole["nodes"]:
            assert begun - timedelta(seconds=1) <= _moment(node["started_at"]) <= _moment(node["ended_at"])
            assert _moment(node["ended_at"]) <= ended + timedelta(seconds=1)
    project.kitchen("delete", name, "--yes", "--force")


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_day_on_a_machine_with_a_wrong_clock(bench: Bench, tmp_path: Path, hours: int) -> None:
    project, name = bench.project, "slow" if hours < 0 else "fast"
    if not (project.root / "recipes" / "report").exists():
        report.ground(bench, "dev")
    old = psql(bench, "dev", "SELECT max(total) FROM best")
    with _clock(bench, tmp_path, hours):
        worktree = create(bench, name)
        report.write(worktree, totals=TOTALS.replace("sum(amount)", f"sum(amount) * {hours + 5}"))
        commit(bench, worktree)
        project.kitchen("run", "report", "-k", name)
        assert _named(bench, name)["last_run"] is not None, "it is of this kitchen, and of no earlier one"
        project.kitchen("merge", name, "--yes")
        assert psql(bench, "dev", "SELECT max(total) FROM best") == str(50500 * (hours + 5))
        project.kitchen("release", "rollback", "-e", "dev", "--yes")
        assert psql(bench, "dev", "SELECT max(total) FROM best") == old
        project.kitchen("audit", "verify", "-e", "dev")
        project.kitchen("delete", name, "--yes", "--force")
        project.kitchen("recover", "-e", "dev")


def _runs(bench: Bench, name: str) -> list[dict[str, Any]]:
    return json.loads(bench.project.kitchen("runs", "list", "-k", name, "--json").stdout)  # type: ignore[no-any-return]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
