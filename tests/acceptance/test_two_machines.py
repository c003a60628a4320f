"""Two developers on two machines: two clones of one shared repository, one dev server, production out of reach."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.acceptance.external import Place, install, places, psql
from tests.contracts.fake_vault import FakeVault
from tests.support import REPOSITORY, Project, Server

PRODUCTION = (
    "branch: main\n"
    "warehouse: {{kind: postgres, host: 127.0.0.1, port: {port}, database: shop, tls: disable}}\n"
    'vault: {{kind: hashicorp, address: "http://127.0.0.1:{port}", mount: kv, auth: token}}\n'
)
DEV = (
    "parent: production\nbranch: dev\nwarehouse: {warehouse}\n"
    'vault: {{kind: hashicorp, address: "{vault}", mount: kv, prefix: kitchens/dev, auth: approle, role_id: kitchen}}\n'
)
RECIPE = "description: Counts\nnodes:\n  counted: {sql: counted.sql}\n"
NODE = "DROP TABLE IF EXISTS counted;\nCREATE TABLE counted AS SELECT {number} AS number;\n"


class BlackHole:
    """Takes connections and never answers; counts them."""

    def __init__(self) -> None:
        self.calls = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._kept: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                self._kept.append(self._socket.accept()[0])
            except OSError:
                return
            self.calls += 1

    def close(self) -> None:
        self._socket.close()
        for each in self._kept:
            each.close()


@dataclass
class Team:
    """Two clones, what they share, and a production that never answers."""

    shared: Path
    ann: Project
    bob: Project
    production: BlackHole
    made: list[Path] = field(default_factory=list)

    def there(self, branch: str) -> str:
        """Return where a branch of the shared repository stands, or nothing."""
        return self.ann.git("--git-dir", str(self.shared), "for-each-ref", "--format=%(objectname)",
                            f"refs/heads/{branch}")  # fmt: skip


def folder(project: Project, kitchen: str) -> Path:
    return project.root / ".kitchen" / "worktrees" / kitchen


def cook(project: Project, kitchen: str, number: int) -> str:
    """Commit a recipe that makes a table in a kitchen's worktree."""
    recipe = folder(project, kitchen) / "recipes" / "counting"
    recipe.mkdir(parents=True, exist_ok=True)
    (recipe / "recipe.yaml").write_text(RECIPE)
    (recipe / "counted.sql").write_text(NODE.format(number=number))
    project.git("-C", str(folder(project, kitchen)), "add", "-A")
    project.git("-C", str(folder(project, kitchen)), "commit", "-q", "-m", f"count to {number}")
    return project.git("-C", str(folder(project, kitchen)), "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def place(postgres: Server) -> Iterator[Place]:
    with places(postgres) as (found,):
        found.make()
        yield found


@pytest.fixture(scope="module")
def team(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    base = tmp_path_factory.mktemp("team")
    hole = BlackHole()
    shared = base / "shared.git"
    with FakeVault() as vault:
        vault.roles["kitchen", "the-secret-id"] = ("kitchens/dev/",)
        people = [Project(base / name, base / f"{name}-home") for name in ("ann", "bob")]
        ann, bob = people
        ann.root.mkdir()
        ann.git("init", "-q", "-b", "main")
        for name in ("environments", "recipes"):
            (ann.root / name).mkdir()
        shutil.copy(REPOSITORY / "environments" / "masking.yaml", ann.root / "environments")
        (ann.root / "environments" / "masking.yaml").write_text("tables: {}\n")
        (ann.root / "environments" / "production.yaml").write_text(PRODUCTION.format(port=hole.port))
        (ann.root / "environments" / "dev.yaml").write_text(
            DEV.format(warehouse=place.warehouse(), vault=vault.address)
        )
        ann.git("-c", "user.name=Ann", "-c", "user.email=ann@example.com", "add", "-A")
        ann.git("-c", "user.name=Ann", "-c", "user.email=ann@example.com", "commit", "-q", "-m", "start")
        ann.git("init", "-q", "--bare", "-b", "main", str(shared))
        ann.git("remote", "add", "origin", str(shared))
        ann.git("push", "-q", "origin", "main", "main:dev")
        ann.git("clone", "-q", str(shared), str(bob.root))
        for project, name in zip(people, ("ann", "bob"), strict=True):
            project.home.mkdir()
            project.git("config", "user.name", name.title())
            project.git("config", "user.email", f"{name}@example.com")
            project.environ["KITCHEN_VAULT_SECRET_ID"] = "the-secret-id"
        install(ann, "dev", place, base)
        ann.kitchen("up", "dev")
        yield Team(shared, ann, bob, hole)
        hole.close()


def test_a_kitchen_made_on_one_machine_is_used_on_the_other(team: Team) -> None:
    ann, bob = team.ann, team.bob
    ann.kitchen("create", "profit")
    start = ann.git("rev-parse", "profit")
    assert team.there("profit") == start
    first = cook(ann, "profit", 1)
    ann.kitchen("run", "counting", cwd=folder(ann, "profit"))
    ann.kitchen("update", "profit")
    assert team.there("profit") == first, "update brings the remote along"

    listed = {each["name"]: each for each in json.loads(bob.kitchen("list", "--json").stdout)}
    assert listed["profit"]["worktree"] is None
    assert bob.git("branch", "--list", "profit", "dev") == ""
    bob.git("fetch", "-q", "origin")
    listed = {each["name"]: each for each in json.loads(bob.kitchen("list", "--json").stdout)}
    assert (listed["profit"]["ahead"], listed["profit"]["behind"]) == (1, 0), "as the remote has both branches"
    assert ann.git("rev-parse", "--abbrev-ref", "profit@{upstream}") == "origin/profit"
    assert psql(bob, "profit", "SELECT number FROM counted") == "1"
    assert (folder(bob, "profit") / "recipes" / "counting" / "counted.sql").exists(), "entering fetched the branch"

    second = cook(bob, "profit", 2)
    bob.kitchen("update", "profit")
    assert team.there("profit") == second
    behind = ann.kitchen("merge", "profit", "--yes", expect=4)
    assert "1 commit not here" in behind.stderr
    assert "kitchen update profit" in behind.stderr
    ann.kitchen("update", "profit")
    assert ann.git("rev-parse", "profit") == second
    ann.kitchen("merge", "profit", "--yes")
    assert ann.git("rev-parse", "dev") == team.there("dev"), "the branch here follows"
    assert psql(bob, "dev", "SELECT number FROM counted") == "2"
    assert bob.git("branch", "--list", "dev") == ""

    bob.kitchen("delete", "profit", "--yes")
    assert team.there("profit") == ""
    assert not folder(bob, "profit").exists()
    assert team.production.calls == 0


def test_create_starts_from_the_remotes_parent_and_a_merge_that_comes_second_waits(team: Team) -> None:
    ann, bob = team.ann, team.bob
    ann.kitchen("create", "one")
    bob.kitchen("create", "two")
    cook(ann, "one", 11)
    (folder(bob, "two") / "notes.txt").write_text("of bob\n")
    bob.git("-C", str(folder(bob, "two")), "add", "-A")
    bob.git("-C", str(folder(bob, "two")), "commit", "-q", "-m", "notes")
    ann.kitchen("merge", "one", "--yes")
    merged = team.there("dev")
    bob.kitchen("merge", "two", "--yes")
    assert bob.git("merge-base", "--is-ancestor", merged, team.there("dev")) == "", "on top of what ann merged"
    bob.kitchen("create", "three")
    assert bob.git("rev-parse", "three") == team.there("dev")
    for kitchen in ("two", "three"):
        bob.kitchen("delete", kitchen, "--yes")
    ann.kitchen("delete", "one", "--yes")
    assert team.production.calls == 0


def test_a_target_that_takes_pull_requests_only_moves_nothing(team: Team) -> None:
    ann, bob = team.ann, team.bob
    hook = team.shared / "hooks" / "update"
    hook.write_text('#!/bin/sh\n[ "$1" = refs/heads/dev ] && echo "pull requests only" >&2 && exit 1\nexit 0\n')
    hook.chmod(0o755)
    before = team.there("dev"), psql(ann, "dev", "SELECT number FROM counted")
    ann.kitchen("create", "guarded")
    commit = cook(ann, "guarded", 21)
    refused = ann.kitchen("merge", "guarded", "--yes", expect=5)
    assert "pull requests only" in refused.stderr
    assert "nothing has moved" in refused.stderr
    assert (team.there("dev"), psql(ann, "dev", "SELECT number FROM counted")) == before
    states = {each["name"]: each for each in json.loads(ann.kitchen("list", "--json").stdout)}
    assert states["dev"]["state"] == "ready"
    assert not states["dev"]["unfinished"]

    hook.unlink()  # somebody merges it there, as one commit
    ann.kitchen("update", "guarded")
    assert ann.kitchen("delete", "guarded", "--yes", expect=5).stderr.count("commits of branch guarded") == 1
    bob.git("fetch", "-q", "origin")
    bob.git("checkout", "-q", "-b", "squash", "origin/dev")
    bob.git("merge", "-q", "--squash", commit)
    bob.git("commit", "-q", "-m", "count to 21 (#1)")
    bob.git("push", "-q", "origin", "squash:dev")
    bob.git("checkout", "-q", "main")
    ann.kitchen("delete", "guarded", "--yes")
    assert team.there("guarded") == ""


def test_with_the_remote_away_work_goes_on_and_what_needs_it_says_so(team: Team) -> None:
    ann = team.ann
    away = team.shared.with_name("away")
    team.shared.rename(away)
    try:
        made = ann.kitchen("create", "island")
        assert "'origin' does not answer" in made.stderr
        commit = cook(ann, "island", 31)
        ann.kitchen("run", "counting", cwd=folder(ann, "island"))
        assert "does not answer" in ann.kitchen("update", "island").stderr
        for reading in (["list"], ["status", "island"], ["tree"], ["diff", "island"], ["show", "island"]):
            ann.kitchen(*reading)
        assert "git ls-remote origin" in ann.kitchen("merge", "island", "--yes", expect=6).stderr
    finally:
        away.rename(team.shared)
    ann.kitchen("update", "island")
    assert team.there("island") == commit
    away_again = team.shared.rename(away)
    try:
        assert "stays" in ann.kitchen("delete", "island", "--yes", "--force").stderr
    finally:
        away_again.rename(team.shared)
    assert team.there("island") == commit, "and it was said"
    ann.git("push", "-q", "origin", "--delete", "island")


def test_commits_here_that_nobody_has_are_not_published_by_the_way(team: Team) -> None:
    ann = team.ann
    ann.kitchen("create", "apart")
    cook(ann, "apart", 41)
    ann.git("checkout", "-q", "dev")
    (ann.root / "mine.txt").write_text("not pushed\n")
    ann.commit("mine")
    said = ann.kitchen("merge", "apart", "--yes", expect=4)
    assert "git push origin dev" in said.stderr
    ann.git("reset", "-q", "--hard", "origin/dev")
    (ann.root / "recipes" / "counting" / "counted.sql").write_text("SELECT 'in the middle of it';\n")
    assert "not committed" in ann.kitchen("merge", "apart", "--yes", expect=4).stderr
    ann.git("checkout", "-q", "--", ".")
    ann.kitchen("merge", "apart", "--yes")
    assert ann.git("status", "--porcelain") == "", "the branch that is checked out moved with its files"
    assert ann.git("rev-parse", "HEAD") == team.there("dev")
    assert "41" in (ann.root / "recipes" / "counting" / "counted.sql").read_text()
    ann.git("checkout", "-q", "main")
    ann.kitchen("delete", "apart", "--yes")


def test_production_is_asked_for_nothing(team: Team) -> None:
    ann = team.ann
    ann.kitchen("create", "alone")
    ann.kitchen("env", "alone")
    ann.kitchen("recipe", "check", cwd=folder(ann, "alone"))
    ann.kitchen("edit", "alone", "--ttl", "3d")
    ann.kitchen("delete", "alone", "--yes")
    for reading in (["list"], ["tree"], ["runs", "list"], ["release", "list", "-e", "dev"], ["prune", "--yes"],
                    ["recover"], ["environment", "show"]):  # fmt: skip
        ann.kitchen(*reading)
    assert team.production.calls == 0
