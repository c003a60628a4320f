"""A hotfix from its first command to its last: what it is, is recorded, and every command knows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Look
from tests.acceptance.external import psql
from tests.support import Project

RECIPE = "description: Counts\nnodes:\n  counted: {sql: counted.sql}\n"
NODE = "DROP TABLE IF EXISTS counted;\nCREATE TABLE counted AS SELECT {number} AS number;\n"


@pytest.fixture
def shop(bare: Project) -> Project:
    """Return a project whose production counts to one, and whose dev holds what is not promoted yet."""
    folder = bare.root / "recipes" / "counting"
    folder.mkdir()
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "counted.sql").write_text(NODE.format(number=1))
    bare.commit("count")
    bare.git("branch", "-f", "dev", "main")
    for name in ("production", "dev"):
        bare.kitchen("up", name)
    bare.kitchen("create", "later")
    _commit(bare, "later", "later.txt", "waits in dev\n")
    bare.kitchen("merge", "later", "--yes")
    return bare


def _worktree(project: Project, kitchen: str) -> Path:
    return project.root / ".kitchen" / "worktrees" / kitchen


def _commit(project: Project, kitchen: str, file: str, text: str) -> None:
    worktree = _worktree(project, kitchen)
    (worktree / file).write_text(text)
    project.git("-C", str(worktree), "add", "-A")
    project.git("-C", str(worktree), "commit", "-q", "-m", f"{file} in {kitchen}")


def _seen(project: Project, kitchen: str) -> dict[str, Any]:
    """Return what ``list`` says of a kitchen, having seen that ``status`` says the same."""
    (found,) = (each for each in json.loads(project.kitchen("list", "--json").stdout) if each["name"] == kitchen)
    status = json.loads(project.kitchen("status", kitchen, "--json").stdout)
    assert status["next"] == found["next"]
    assert [status["overview"][key] for key in ("mends", "ahead", "behind")] == [
        found[key] for key in ("mends", "ahead", "behind")
    ]
    assert isinstance(found, dict)
    return found


def test_a_hotfix_is_known_as_one_from_create_to_delete(shop: Project) -> None:
    shop.kitchen("create", "fix", "--parent", "production")
    seen = _seen(shop, "fix")
    assert (seen["mends"], seen["parent"], seen["ahead"], seen["behind"]) == ("production", "dev", 0, 0)
    assert "hotfix of production" in shop.kitchen("status", "fix").stdout
    assert "hotfix of production" in shop.kitchen("tree").stdout
    assert "hotfix of production" in shop.kitchen("list").stdout

    # production moves on: update brings that, and nothing of dev
    (shop.root / "urgent.txt").write_text("somebody was faster\n")
    shop.commit("straight into production")
    assert (seen := _seen(shop, "fix"))["behind"] == 1
    assert seen["next"] == "kitchen update fix"
    told = shop.kitchen("update", "fix").stderr
    assert "up to date with production" in told
    assert (_worktree(shop, "fix") / "urgent.txt").exists()
    assert not (_worktree(shop, "fix") / "later.txt").exists(), "what waits in dev spoils a hotfix"
    assert "has everything of production" in shop.kitchen("update", "fix").stderr

    _commit(shop, "fix", "recipes/counting/counted.sql", NODE.format(number=2))
    assert "fix against production: 1 commit ahead, 0 behind" in shop.kitchen("diff", "fix").stdout
    assert "runs   counting: counted" in shop.kitchen("diff", "fix").stdout
    shop.kitchen("run", "counting", "--affected", cwd=_worktree(shop, "fix"))
    assert (seen := _seen(shop, "fix"))["ahead"] == 1
    assert seen["next"] == "kitchen promote production --from fix"

    refused = shop.kitchen("merge", "fix", "--yes", expect=2)
    assert "kitchen promote production --from fix" in refused.stderr
    assert "commits of branch fix" in shop.kitchen("delete", "fix", "--yes", expect=5).stderr
    assert "kitchen promote production --from fix" in shop.kitchen("delete", "fix", "--yes", expect=5).stderr

    told = shop.kitchen("promote", "production", "--from", "fix", "--yes").stderr
    assert "kitchen update dev" in told
    assert psql(shop, "production", "SELECT number FROM counted") == "2"
    assert not (shop.root / "later.txt").exists()
    assert _seen(shop, "fix")["next"] == "kitchen delete fix"
    assert "kitchen update dev brings it down" in shop.kitchen("status", "fix").stderr

    shop.kitchen("update", "dev", "--yes")
    assert psql(shop, "dev", "SELECT number FROM counted") == "2"
    assert shop.git("show", "dev:urgent.txt")
    assert shop.git("show", "dev:later.txt")
    shop.kitchen("delete", "fix", "--yes")
    assert "fix" not in shop.git("branch", "--list", "fix")
    left = {each["name"] for each in json.loads(shop.kitchen("list", "--json").stdout)}
    assert left == {"production", "dev", "later"}


def test_an_update_of_a_hotfix_that_conflicts_is_resolved_with_production(shop: Project) -> None:
    shop.kitchen("create", "fix", "--parent", "production")
    _commit(shop, "fix", "recipes/counting/counted.sql", NODE.format(number=2))
    (shop.root / "recipes" / "counting" / "counted.sql").write_text(NODE.format(number=3))
    shop.commit("another fix")
    assert "fix and production changed the same lines" in shop.kitchen("update", "fix", expect=4).stderr
    shop.kitchen("resolve", "fix", expect=4)
    mended = _worktree(shop, "fix") / "recipes" / "counting" / "counted.sql"
    mended.write_text(NODE.format(number=4))
    shop.git("-C", str(_worktree(shop, "fix")), "add", "-A")
    assert "up to date with production" in shop.kitchen("resolve", "fix").stderr
    assert not (_worktree(shop, "fix") / "later.txt").exists()
    shop.kitchen("promote", "production", "--from", "fix", "--yes")
    assert psql(shop, "production", "SELECT number FROM counted") == "4"


@pytest.mark.parametrize("journal_too", [False, True])
def test_a_hotfix_whose_record_was_lost_is_adopted_as_one(shop: Project, look: Look, *, journal_too: bool) -> None:
    """Its making is in the journal; without that, its branch holds what production has and dev has not."""
    shop.kitchen("promote", "production", "--yes")  # a commit of production's own, which brings the releases
    shop.kitchen("create", "fix", "--parent", "production")
    shop.kitchen("create", "plain", "--isolated")
    with look(shop, "dev") as session:
        session.execute("DELETE FROM kitchen_control.kitchen WHERE name IN ('fix', 'plain')")
        if journal_too:
            session.execute("TRUNCATE kitchen_control.operation CASCADE")
    shop.kitchen("recover")
    assert (_seen(shop, "fix")["mends"], _seen(shop, "plain")["mends"]) == ("production", None)
    _commit(shop, "fix", "urgent.txt", "mended\n")
    assert "is not merged" in shop.kitchen("merge", "fix", "--yes", expect=2).stderr
    refused = shop.kitchen("promote", "dev", "--from", "fix", "--yes", expect=2).stderr
    assert "'fix' is a hotfix of production and does not go into dev" in refused
    assert "kitchen promote production --from fix" in refused
    refused = shop.kitchen("release", "plan", "dev", "--from", "plain", expect=2).stderr
    assert "'plain' lives in dev, which is not below dev" in refused
    assert "kitchen merge plain" in refused
    shop.kitchen("promote", "production", "--from", "fix", "--yes")
    assert (shop.root / "urgent.txt").exists()
