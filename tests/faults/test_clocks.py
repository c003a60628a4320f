"""Machines whose clocks are wrong: what expires, and when, is decided by the environment's own clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.bench import Bench, opened

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
    project, right = bench.project, dict(bench.project.environ)
    project.kitchen("create", "short", "--ttl", "1h")
    try:
        _with_clock(bench, tmp_path, hours)
        assert "short" not in project.kitchen("prune", "--yes", "-e", "dev").stderr
        project.kitchen("create", "made", "--ttl", "2d")
        project.kitchen("edit", "short", "--ttl", "2d")
    finally:
        project.environ.clear()
        project.environ.update(right)
    for name in ("short", "made"):
        left = datetime.fromisoformat(_named(bench, name)["expires_at"]) - datetime.now(UTC)
        assert timedelta(hours=47) < left < timedelta(hours=49)
        project.kitchen("delete", name, "--yes")
