"""Deleting a kitchen loses no branch that was there before it, and never an environment's."""

from __future__ import annotations

from pathlib import Path

from tests.bench import opened
from tests.cli.kitchens import worktree_of
from tests.support import Project


def test_what_somebody_pushed_stays_and_so_does_an_environments_branch(tmp_path: Path) -> None:
    bare = tmp_path / "shared.git"
    with opened("production", "dev") as bench:
        shop = bench.project
        shop.git("init", "-q", "--bare", str(bare))
        shop.git("remote", "add", "origin", str(bare))
        shop.git("push", "-q", "origin", "main", "dev")
        shop.kitchen("create", "theirs")
        worktree = worktree_of(shop, "theirs")
        (worktree / "theirs.txt").write_text("theirs")
        commit = Project(worktree, shop.home).commit("theirs")
        shop.git("push", "-q", "origin", "theirs")
        shop.kitchen("delete", "theirs", "--yes", "--keep-branch")

        shop.kitchen("create", "mine", "--branch", "theirs")
        refused = shop.kitchen("delete", "mine", "--yes", expect=5)
        assert "commits of branch theirs that no other kitchen's branch has" in refused.stderr
        assert "--keep-branch" in refused.stderr
        with bench.fresh().services("dev").sessions.as_administrator() as session:  # as a developer may, with psql
            session.execute("UPDATE kitchen_control.kitchen SET branch = 'main' WHERE name = 'mine'")
        kept = worktree_of(shop, "mine") / ".git"
        shop.kitchen("delete", "mine", "--yes", "--force")
        assert kept.exists(), "it holds another branch, that of a kitchen of this name in another environment"
        there = shop.git("ls-remote", "origin")
        assert "refs/heads/main" in there
        assert f"{commit}\trefs/heads/theirs" in there
        assert shop.git("rev-parse", "main") == shop.git("rev-parse", "origin/main")
