"""What governs an environment that many share: the commit of its own branch, never a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.acceptance.external import DEV, MASKING, SHOP, Place, declare, fill, install, places, psql
from tests.support import SERVERS, Project, Server

KEPT = MASKING.replace(
    "email: {mask: email, subject: customer_id}", "email: {mask: keep, why: e-mail addresses of nobody}"
)
RULES = "kitchens: {{working: true, ttl: {ttl}, max: {most}, per_person: {most}}}\n"
REAL = "SELECT count(*) FROM customer WHERE email LIKE '%@real.example'"


@pytest.fixture(params=SERVERS)
def shop(request: pytest.FixtureRequest, project: Project, tmp_path: Path) -> Iterator[tuple[Project, Place]]:
    """Return a project with production and dev on somebody else's server, and a pantry; and dev's place."""
    server: Server = request.getfixturevalue(request.param)
    with places(server, server) as (production, dev):
        declare(project, production, dev)
        install(project, "production", production, tmp_path)
        install(project, "dev", dev, tmp_path)
        psql(project, "production", SHOP)
        fill(project)
        yield project, dev


def write(project: Project, masking: str = MASKING, dev: str | None = None) -> None:
    (project.root / "environments" / "masking.yaml").write_text(masking)
    if dev is not None:
        (project.root / "environments" / "dev.yaml").write_text(dev)


def shown(project: Project) -> dict[str, object]:
    answer = json.loads(project.kitchen("pantry", "show", "--json").stdout)
    assert isinstance(answer, dict)
    return answer


def test_only_what_the_branch_has_decides_what_a_refresh_does(shop: tuple[Project, Place]) -> None:
    project, _ = shop
    branch = project.git("rev-parse", "dev")
    as_it_was = (project.root / "environments" / "dev.yaml").read_text()
    sampled = as_it_was.replace("masking: masking.yaml", "masking: masking.yaml, sample: 10%")
    assert sampled != as_it_was

    write(project, KEPT, sampled.replace("sample:", 'refresh: "0 3 * * *", sample:'))
    assert json.loads(project.kitchen("schedule", "list", "--json").stdout) == []
    checked = project.kitchen("pantry", "check")
    assert "not what a refresh would use" in checked.stderr
    assert "masking.yaml" in checked.stderr
    assert "`data:` of environments/dev.yaml" in checked.stderr
    listed = json.loads(project.kitchen("pantry", "check", "--list", "--json").stdout)
    assert {c["column"]: c["decision"] for c in listed["columns"]}["email"] == "keep", "check is about this folder"
    assert len(listed["not_agreed"]) == 2
    assert json.loads(project.kitchen("pantry", "refresh", "--dry-run", "--json").stdout)["sample"] is None

    refreshed = project.kitchen("pantry", "refresh", "--yes")
    assert f"branch dev ({branch[:12]})" in refreshed.stderr
    made = shown(project)
    policy = made["policy"]
    assert isinstance(policy, dict)
    assert (policy["branch"], policy["commit"]) == ("dev", branch)
    assert made["sample"] is None
    assert f"commit {branch[:12]} of branch dev" in project.kitchen("pantry", "show").stdout
    assert psql(project, "dev", REAL) == "0"

    project.commit("on main, where it is no decision about dev")
    project.kitchen("pantry", "refresh", "--yes")
    assert psql(project, "dev", REAL) == "0"
    assert psql(project, "dev", "SELECT count(*) FROM customer") == "200"

    write(project, MASKING.replace("subject: customer_id}", "subject: customer_id, proposed: true}"), as_it_was)
    project.kitchen("pantry", "refresh", "--yes")
    project.commit("proposed")
    project.git("branch", "-f", "dev", "main")
    assert "review" in project.kitchen("pantry", "refresh", "--yes", expect=5).stderr

    write(project, KEPT)
    project.git("branch", "-f", "dev", project.commit("agreed"))
    project.kitchen("pantry", "refresh", "--yes")
    assert psql(project, "dev", REAL) == "200", "what was agreed on in dev's branch counts"
    assert "not what a refresh would use" not in project.kitchen("pantry", "check").stderr
    project.git("rm", "-q", "--cached", "environments/masking.yaml")
    project.git("commit", "-q", "-m", "no decisions")
    project.git("branch", "-f", "dev", "main")
    assert "git commit" in project.kitchen("pantry", "refresh", "--yes", expect=3).stderr
    assert "not what a refresh would use" in project.kitchen("pantry", "check").stderr


def test_a_refused_refresh_says_how_decisions_get_into_the_branch_that_counts(shop: tuple[Project, Place]) -> None:
    project, _ = shop
    write(project, "tables: {}\n")
    project.git("branch", "-f", "dev", project.commit("nothing is decided"))
    assert "kitchen pantry scan --write" in project.kitchen("pantry", "refresh", "--yes", expect=5).stderr
    write(project)
    said = project.kitchen("pantry", "refresh", "--yes", expect=5).stderr
    assert "git commit environments/masking.yaml, which decides them, and bring it into dev" in said
    project.commit("decided on main")
    assert "try: kitchen update dev: branch main" in project.kitchen("pantry", "refresh", "--yes", expect=5).stderr
    project.kitchen("update", "dev", "--yes")
    project.kitchen("pantry", "refresh", "--yes")


def test_the_remotes_branch_counts_also_where_it_is_not_reached(shop: tuple[Project, Place], tmp_path: Path) -> None:
    project, _ = shop
    bare = tmp_path / "shared.git"
    project.git("init", "-q", "--bare", str(bare))
    project.git("remote", "add", "origin", str(bare))
    project.git("push", "-q", "origin", "main", "dev")
    there = project.git("rev-parse", "dev")
    write(project, KEPT)
    project.git("branch", "-f", "dev", project.commit("here, and not shared"))
    project.kitchen("pantry", "refresh", "--yes")
    assert psql(project, "dev", REAL) == "0"
    assert json.dumps(shown(project)["policy"]).count(there) == 1

    project.git("push", "-q", "origin", "dev")
    project.git("update-ref", "refs/remotes/origin/dev", there)
    project.kitchen("pantry", "refresh", "--yes")
    assert psql(project, "dev", REAL) == "200", "it was fetched before"

    write(project)
    project.git("branch", "-f", "dev", project.commit("masked again"))
    bare.rename(tmp_path / "elsewhere.git")
    away = project.kitchen("pantry", "refresh", "--yes")
    assert "going on with what was last fetched" in away.stderr
    assert psql(project, "dev", REAL) == "200"


def test_quotas_and_expiry_are_the_branchs(shop: tuple[Project, Place]) -> None:
    project, dev = shop
    declared = DEV.format(warehouse=dev.warehouse())
    write(project, dev=declared + RULES.format(ttl="3d", most=1))
    project.git("branch", "-f", "dev", project.commit("one kitchen, three days"))
    write(project, dev=declared + RULES.format(ttl="90d", most=40))
    project.kitchen("environment", "align", "dev")
    with dev.look() as session:
        assert session.query("SELECT total, per_person FROM kitchen_control.setting") == [(1, 1)]
    project.kitchen("up", "dev")
    with dev.look() as session:
        assert session.query("SELECT total, per_person FROM kitchen_control.setting") == [(1, 1)]
    kitchen = json.loads(project.kitchen("create", "first", "--json").stdout)["kitchen"]
    lives = datetime.fromisoformat(kitchen["expires_at"]) - datetime.fromisoformat(kitchen["created_at"])
    assert lives == timedelta(days=3)
    assert "allows 1 each" in project.kitchen("create", "second", expect=5).stderr
