"""``kitchen prune`` on real servers: what goes, what stays and why, and with which exit code."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kitchen.domain.kitchen import State
from tests.bench import Bench, opened
from tests.cli.kitchens import kitchens_of, leaving_nothing, worktree_of
from tests.support import Project


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with opened("dev") as made:
        yield made


@pytest.fixture
def shop(bench: Bench) -> Iterator[Project]:
    with leaving_nothing(bench) as project:
        yield project


def _expire(bench: Bench, name: str) -> None:
    services, kitchen = bench.fresh().find(name, "dev")
    past = replace(kitchen, expires_at=datetime.now(UTC) - timedelta(hours=1))
    services.control.kitchens.save(past, expected=State.READY)
    services.control.session.close()


def test_where_nothing_has_expired_that_is_said(shop: Project) -> None:
    shop.kitchen("create", "young")
    assert "nothing to prune: no kitchen of yours has expired" in shop.kitchen("prune", "--yes").stderr
    assert kitchens_of(shop) == ["young"]


def test_work_that_would_be_lost_stays_and_the_others_go(bench: Bench, shop: Project) -> None:
    for name in ("dirty", "idle"):
        shop.kitchen("create", name)
        _expire(bench, name)
    (worktree_of(shop, "dirty") / "new.txt").write_text("work")
    answer = shop.kitchen("prune", "--yes", expect=5)
    assert "dirty stays: deleting kitchen 'dirty' would lose uncommitted changes (new.txt)" in answer.stderr
    assert "--force" in answer.stderr
    assert "1 kitchen removed" in answer.stderr
    assert kitchens_of(shop) == ["dirty"]
    shop.kitchen("edit", "dirty", "--ttl", "14d")
    assert "nothing to prune" in shop.kitchen("prune", "--yes").stderr


def test_a_kitchen_in_which_a_recipe_runs_stays(bench: Bench, shop: Project) -> None:
    shop.kitchen("create", "busy")
    _expire(bench, "busy")
    recipe = worktree_of(shop, "busy") / "recipes" / "slow"
    recipe.mkdir(parents=True)
    (recipe / "recipe.yaml").write_text("description: slow\nnodes:\n  wait: {command: [sleep, '60']}\n")
    shop.git("-C", str(recipe), "add", "--all")
    shop.git("-C", str(recipe), "commit", "--quiet", "-m", "slow")
    command = [sys.executable, "-m", "kitchen", "run", "slow", "-k", "busy"]
    running = subprocess.Popen(command, cwd=shop.root, env=shop.environ, stderr=subprocess.PIPE)
    try:
        control = bench.fresh().services("dev").control
        give_up = time.monotonic() + 60
        while "run/busy/slow" not in control.locks.held():
            assert running.poll() is None
            assert time.monotonic() < give_up
            time.sleep(0.1)
        control.session.close()
        for words in (("prune", "--yes"), ("delete", "busy", "--yes"), ("delete", "busy", "--dry-run")):
            said = shop.kitchen(*words, expect=4).stderr
            assert "slow is running in kitchen 'busy', by ann@example.com" in said, words
        assert kitchens_of(shop) == ["busy"]
    finally:
        running.terminate()
        running.wait()
