"""Weaker masking, other roles or gates do not come into a shared environment unseen, whatever its approvals are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.external import MASKING, install, places
from tests.acceptance.team import Team, made_project
from tests.support import Project, Server

KEPT = "email: {mask: keep, why: e-mail addresses of nobody}"
MASKED = "email: {mask: email, subject: customer_id}"
assert MASKED in MASKING


@pytest.fixture
def team(postgres: Server, tmp_path: Path) -> Iterator[Team]:
    """Return a team whose people share a repository."""
    with made_project(tmp_path / "project") as project, places(postgres, postgres) as (production, dev):
        made = Team(project, production, dev, tmp_path)
        made.install()
        project.git("config", "receive.denyCurrentBranch", "ignore")
        yield made


def change(clone: Project, kitchen: str, file: str, old: str, new: str) -> None:
    """Change a file of environments/ in a new kitchen, and commit it."""
    clone.kitchen("create", kitchen)
    worktree = clone.root / ".kitchen" / "worktrees" / kitchen
    path = worktree / "environments" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    clone.git("-C", str(worktree), "commit", "-q", "-a", "-m", f"{kitchen}: {file}")


def numbers(clone: Project) -> list[int]:
    return [each["number"] for each in json.loads(clone.kitchen("release", "list", "-e", "dev", "--json").stdout)]


def test_somebody_else_agrees_to_what_reveals_more(team: Team) -> None:
    rel = team.admit("rel", "releaser")
    change(rel, "alone", "masking.yaml", MASKED, KEPT)
    told = rel.kitchen("merge", "alone", "--dry-run")
    assert "somebody else must agree" not in told.stderr, "nobody else is there who could"
    assert "nobody else may approve here, so nobody else agrees: customer.email: email, now keep" in told.stderr

    ada, ann = team.admit("ada", "admin"), team.admit("ann")
    refused = rel.kitchen("merge", "alone", "--yes", expect=5)
    assert "somebody else must agree: customer.email: email, now keep" in refused.stderr
    assert "needs 1 more approval" in refused.stderr
    assert "keep, why: e-mail" not in team.project.git("show", "dev:environments/masking.yaml")
    (number,) = numbers(rel)
    assert "somebody else" in rel.kitchen("release", "approve", str(number), "-e", "dev", expect=5).stderr
    ann.kitchen("release", "approve", str(number), "-e", "dev", expect=8)
    eve = team.admit("eve", "releaser")
    eve.kitchen("release", "approve", str(number), "-e", "dev")
    team.project.kitchen("environment", "revoke", "eve", "-e", "dev", "--yes")
    refused = rel.kitchen("merge", "alone", "--yes", expect=5)
    assert "needs 1 more approval(s) (eve's does not count: eve was revoked)" in refused.stderr
    shown = rel.kitchen("release", "show", str(number), "-e", "dev").stderr
    assert "approved by eve" in shown
    assert "which does not count: eve was revoked" in shown
    ada.kitchen("release", "approve", str(number), "-e", "dev")
    rel.kitchen("merge", "alone", "--yes")
    assert "keep, why: e-mail" in team.project.git("show", "dev:environments/masking.yaml")

    change(rel, "back", "masking.yaml", KEPT, MASKED)
    rel.kitchen("merge", "back", "--yes")
    change(rel, "gated", "dev.yaml", "branch: dev\n", "branch: dev\ngates: {review: false}\n")
    refused = rel.kitchen("merge", "gated", "--yes", expect=5)
    assert "somebody else must agree: environments/dev.yaml: other gates" in refused.stderr
    ada.kitchen("release", "approve", str(numbers(rel)[0]), "-e", "dev")
    rel.kitchen("merge", "gated", "--yes")
    change(rel, "free", "masking.yaml", MASKED, KEPT)
    rel.kitchen("merge", "free", "--yes")


def test_where_only_one_may_approve_that_is_recorded(team: Team) -> None:
    rel = team.admit("rel", "releaser")
    change(rel, "alone", "masking.yaml", MASKED, KEPT)
    assert "nobody else may approve here" in rel.kitchen("merge", "alone", "--yes").stderr
    shown = rel.kitchen("release", "show", str(numbers(rel)[0]), "-e", "dev").stderr
    assert "nobody else may approve here, so nobody else agrees: customer.email" in shown
    with team.dev.look() as session:
        ((detail,),) = session.query(
            "SELECT detail FROM kitchen_control.audit WHERE action = 'publish' AND phase = 'outcome'"
        )
    assert detail["nobody_else_for"] == ["customer.email: email, now keep"]


def test_where_data_comes_from_and_where_people_work_is_agreed_to(team: Team) -> None:
    rel = team.admit("rel", "releaser")
    team.admit("ada", "admin")
    change(rel, "closed", "dev.yaml", "branch: dev\n", "branch: dev\nkitchens: {working: false}\n")
    change(rel, "moved", "dev.yaml", "parent: production\n", "parent: stage\n")
    folder = rel.root / ".kitchen" / "worktrees" / "moved" / "environments"
    (folder / "stage.yaml").write_text("parent: production\nbranch: stage\n")
    (folder / "dev.yaml").write_text((folder / "dev.yaml").read_text().replace("from: production", "from: stage"))
    rel.git("-C", str(folder), "add", "-A")
    rel.git("-C", str(folder), "commit", "-qm", "from stage")
    told = rel.kitchen("merge", "moved", "--dry-run").stderr
    assert "somebody else must agree: environments/dev.yaml: data from stage, and no more from production" in told
    change(rel, "open", "dev.yaml", "branch: dev\n", "branch: dev\nkitchens: {working: true}\n")
    assert "must agree" not in rel.kitchen("merge", "open", "--dry-run").stderr, "as it was"
    assert "must agree" not in rel.kitchen("merge", "closed", "--yes").stderr
    worktree = rel.root / ".kitchen" / "worktrees" / "open"
    rel.git("-C", str(worktree), "merge", "-q", "-s", "ours", "-m", "open it", "dev")
    told = rel.kitchen("merge", "open", "--dry-run").stderr
    assert "somebody else must agree: environments/dev.yaml: working kitchens, where there were none" in told


def test_a_gate_that_came_by_merge_is_said_until_the_server_has_it(team: Team) -> None:
    """Releasers could publish alone before: only an installation takes the right, and every command says so."""
    says = "releasers of dev may publish themselves still, though its gates have others agree"
    rel = team.admit("rel", "releaser")
    change(rel, "before", "masking.yaml", "tables:", "# reviewed\ntables:")
    assert says not in rel.kitchen("merge", "before", "--yes").stderr
    change(rel, "gated", "dev.yaml", "parent: production", "gates: {approvals: 1}\nparent: production")
    told = rel.kitchen("merge", "gated", "--yes").stderr
    assert says in told
    assert "its administrator takes that from them: kitchen environment install dev" in told
    assert says in team.project.kitchen("environment", "align", "dev").stderr
    install(team.project, "dev", team.dev, team.folder)
    assert says not in team.project.kitchen("environment", "align", "dev").stderr
    ada, ann, ci = team.admit("ada", "admin"), team.admit("ann"), team.admit("ci", "runner")
    with team.dev.look() as session:  # as in an environment that was installed before it had gates
        session.execute("GRANT kitchen__dev__deputy TO kitchen__dev__releaser")
    change(ann, "asked", "masking.yaml", "tables:", "# seen\ntables:")
    ann.git("push", "-q", "origin", "asked")
    ann.kitchen("merge", "asked", "--yes", "--no-wait")
    ci.kitchen("ci", "publish", "-e", "dev")
    ada.kitchen("release", "approve", str(max(numbers(ada))), "-e", "dev")
    assert says in ci.kitchen("ci", "publish", "-e", "dev").stderr
