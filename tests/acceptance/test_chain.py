"""Three environments in a row: merged in dev, promoted step by step, rolled back at each; a hotfix past the queue."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.acceptance.external import psql
from tests.support import Project

PRODUCTION = "branch: main\ngates: {approvals: 1}\n"
STAGE = "branch: stage\nparent: production\nkitchens: {working: false}\n"
DEV = "branch: dev\nparent: stage\n"
RECIPE = "description: Counts\nnodes:\n  counted: {sql: counted.sql}\n"
NODE = "DROP TABLE IF EXISTS counted;\nCREATE TABLE counted AS SELECT {number} AS number;\n"


@pytest.fixture
def chain(project: Project) -> Project:
    folder = project.root / "environments"
    for name, text in (("production", PRODUCTION), ("stage", STAGE), ("dev", DEV)):
        (folder / f"{name}.yaml").write_text(text)
    (folder / "masking.yaml").write_text("tables: {}\n")
    shutil.rmtree(project.root / "recipes")
    recipe = project.root / "recipes" / "counting"
    recipe.mkdir(parents=True)
    (recipe / "recipe.yaml").write_text(RECIPE)
    (recipe / "counted.sql").write_text(NODE.format(number=1))
    project.commit("three environments")
    project.git("branch", "-D", "dev")
    for name in ("production", "stage", "dev"):
        project.kitchen("up", name)
    return project


def work(project: Project, kitchen: str, number: int) -> Path:
    """Let a kitchen count to another number, and commit it."""
    worktree = project.root / ".kitchen" / "worktrees" / kitchen
    (worktree / "recipes" / "counting" / "counted.sql").write_text(NODE.format(number=number))
    project.git("-C", str(worktree), "commit", "-q", "-a", "-m", f"count to {number}")
    project.kitchen("run", "counting", cwd=worktree)
    return worktree


def counts(project: Project) -> list[str]:
    return [psql(project, name, "SELECT number FROM counted") for name in ("dev", "stage", "production")]


def test_what_is_merged_goes_up_step_by_step_back_again_and_a_hotfix_past_it(chain: Project) -> None:
    chain.kitchen("create", "ten")
    work(chain, "ten", 10)
    chain.kitchen("merge", "ten", "--yes")
    assert "nothing is promoted" in chain.kitchen("promote", "dev", "--yes", expect=2).stderr
    chain.kitchen("promote", "production", "--yes")
    chain.kitchen("promote", "stage", "--yes")
    assert psql(chain, "stage", "SELECT number FROM counted") == "10"
    chain.kitchen("promote", "production", "--yes")
    assert counts(chain) == ["10", "10", "10"]

    work(chain, "ten", 20)
    chain.kitchen("merge", "ten", "--yes")
    chain.kitchen("promote", "stage", "--yes")
    chain.kitchen("promote", "production", "--yes")
    assert counts(chain) == ["20", "20", "20"]
    chain.kitchen("release", "rollback", "-e", "production", "--yes")
    assert counts(chain) == ["20", "20", "10"]
    chain.kitchen("release", "rollback", "-e", "stage", "--yes")
    assert counts(chain) == ["20", "10", "10"]
    chain.kitchen("release", "rollback", "-e", "dev", "--yes")
    assert counts(chain) == ["10", "10", "10"]

    # dev goes on, and something in production is wrong
    chain.kitchen("create", "later")
    work(chain, "later", 99)
    chain.kitchen("merge", "later", "--yes")
    chain.kitchen("create", "fix", "--parent", "production")
    assert chain.git("rev-parse", "fix") == chain.git("rev-parse", "main")
    shown = json.loads(chain.kitchen("show", "fix", "--json").stdout)
    assert shown["kitchen"]["environment"] == "dev", "the nearest environment that takes working kitchens"
    assert "dev" not in shown["search_path"], "nothing that waits to be promoted is read"
    work(chain, "fix", 11)
    refused = chain.kitchen("promote", "production", "--from", "later", "--yes", expect=5)
    assert "kitchen create NAME --parent production" in refused.stderr
    planned = json.loads(chain.kitchen("release", "plan", "production", "--from", "fix", "--json").stdout)
    assert (
        "approval"
        in chain.kitchen("release", "apply", str(planned["number"]), "-e", "production", "--yes", expect=5).stderr
    )
    chain.kitchen("promote", "production", "--from", "fix", "--yes")
    assert counts(chain) == ["99", "10", "11"]

    chain.kitchen("update", "stage", "--yes")
    assert counts(chain) == ["99", "11", "11"]
    conflict = chain.kitchen("update", "dev", "--yes", expect=4)
    assert "counted.sql" in conflict.stderr
    worktree = chain.root / ".kitchen" / "worktrees" / "later"
    chain._run(["git", "merge", "-q", "-X", "ours", "-m", "with the fix", "stage"], worktree, None, 60, 0)
    chain.kitchen("merge", "later", "--yes")
    assert "already" in chain.kitchen("update", "dev", "--yes").stderr
    assert counts(chain) == ["99", "11", "11"]
    chain.kitchen("delete", "fix", "--yes")
    chain.kitchen("promote", "stage", "--yes")
    assert counts(chain) == ["99", "99", "11"]
