"""What a branch that is asked for must not do: start programs, change the rules unseen, reach the runner."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kitchen.errors import NotPermitted
from tests.acceptance.askers import asked, asking_team, cook, made, requests, shared
from tests.acceptance.team import Team
from tests.support import SERVERS


@pytest.fixture(scope="module", params=SERVERS)
def team(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """Return a team on each kind of server in turn."""
    with asking_team(request.getfixturevalue(request.param), tmp_path_factory.mktemp("team")) as made:
        yield made


def test_a_program_is_not_started_beside_the_runners_secrets(team: Team) -> None:
    """What a branch brings runs on the runner's machine only where it cannot read what the runner has."""
    ann, ci, name = team.clones["ann"], team.clones["ci"], made(team.clones["ann"])
    cook(ann, name)
    recipe = ann.root / ".kitchen" / "worktrees" / name / "recipes" / name
    (recipe / "recipe.yaml").write_text(
        f"description: Looks around\nnodes:\n  look: {{python: look.py, writes: [{name}]}}\n"
    )
    (recipe / f"{name}.sql").unlink()
    (recipe / "look.py").write_text(
        "import os, pathlib, subprocess\n"
        f"kept = sorted(str(path) for path in pathlib.Path({str(ci.home)!r}).rglob('*'))\n"
        f"made = 'CREATE TABLE {name} AS SELECT 1 AS n'\n"
        "subprocess.run(['psql', '-X', '-q', '-c', made], check=True)\n"
        f"pathlib.Path({str(team.folder / 'seen')!r}).write_text('\\n'.join(kept))\n"
    )
    ann.git("-C", str(recipe), "add", "-A")
    ann.git("-C", str(recipe), "commit", "-qm", "look around")
    ann.git("-C", str(recipe), "push", "-q", "origin", name)
    asked(ann, name)
    refused = ci.kitchen("ci", "publish", expect=5)
    assert f"node look of {name} is a program (python)" in refused.stderr
    assert not (team.folder / "seen").exists()
    asked(ann, name, "--again")
    ci.kitchen("ci", "publish", "--programs")
    assert [state for _, state, _ in requests(team, name)] == ["refused", "published"]
    (team.folder / "seen").unlink()


def test_what_is_masked_and_who_may_what_is_not_published_unseen(team: Team) -> None:
    ann, ci, name = team.clones["ann"], team.clones["ci"], made(team.clones["ann"])
    cook(ann, name)
    worktree = ann.root / ".kitchen" / "worktrees" / name
    masking = worktree / "environments" / "masking.yaml"
    masking.write_text(masking.read_text().replace("{mask: email, subject: customer_id}", "{mask: keep, why: mine}"))
    ann.git("-C", str(worktree), "commit", "-qam", "everybody's addresses")
    ann.git("-C", str(worktree), "push", "-q", "origin", name)
    warned = ann.kitchen("merge", name, "--yes", "--no-wait")
    assert "what guards: environments/masking.yaml" in warned.stderr
    refused = ci.kitchen("ci", "publish", "--json", expect=5)
    assert "mask: keep, why: mine" not in shared(team, "environments/masking.yaml")
    ann.git("-C", str(worktree), "revert", "--no-edit", "HEAD")
    masking.write_text(masking.read_text() + "# as it was\n")
    ann.git("-C", str(worktree), "commit", "-qam", "a word on it")
    ann.git("-C", str(worktree), "push", "-q", "origin", name)
    asked(ann, name)
    refused = ci.kitchen("ci", "publish", expect=5)
    assert "it changes environments/masking.yaml" in refused.stderr
    assert "# as it was" not in shared(team, "environments/masking.yaml")
    pipeline = worktree / ".github" / "workflows" / "steal.yml"
    pipeline.parent.mkdir(parents=True)
    pipeline.write_text("on: push\n")
    ann.git("-C", str(worktree), "add", "-A")
    ann.git("-C", str(worktree), "commit", "-qm", "what runs with the secrets of dev")
    ann.git("-C", str(worktree), "push", "-q", "origin", name)
    asked(ann, name)
    assert ".github/workflows/steal.yml" in ci.kitchen("ci", "publish", expect=5).stderr
    ann.git("-C", str(worktree), "reset", "-q", "--hard", "HEAD~1")
    ann.git("-C", str(worktree), "push", "-q", "--force", "origin", name)
    team.project.git("fetch", "-q", "origin")
    team.project.kitchen("merge", name, "--yes", "-e", "dev")  # somebody who may publish has looked at it
    assert "# as it was" in shared(team, "environments/masking.yaml")


def test_a_developer_reaches_nothing_of_the_runner(team: Team) -> None:
    """Neither the runner's login nor what it acts as: not by a secret's name, not in the server, not by SQL nodes."""
    ann, ci = team.clones["ann"], team.clones["ci"]
    ann.kitchen("secret", "get", "people/ci/login", "-e", "dev", expect=None)
    ann.kitchen("secret", "get", "provisioner", "-e", "dev", expect=None)
    for act in (
        "SET ROLE kitchen__dev__runner", "SET ROLE kitchen__dev__ci__person", "SET ROLE kitchen__dev__deputy",
        "SELECT rolpassword FROM pg_authid", "ALTER ROLE kitchen__dev__ci__person PASSWORD 'x'",
    ):  # fmt: skip
        with team.session("ann") as session, pytest.raises(NotPermitted):
            session.execute(act)
    for number, stolen in enumerate(
        (
            "CREATE TABLE {name} AS SELECT pg_read_file('/etc/passwd') AS segment, 1 AS paid",
            "CREATE TABLE {name} (segment text, paid int); COPY {name} FROM PROGRAM 'id'",
            "CREATE TABLE {name} AS SELECT rolpassword AS segment, 1 AS paid FROM pg_authid",
            "CREATE TABLE {name} AS SELECT name AS segment, 1 AS paid FROM kitchen_control.person",
        )
    ):
        name = made(ann)
        cook(ann, name)
        recipe = ann.root / ".kitchen" / "worktrees" / name / "recipes" / name
        (recipe / f"{name}.sql").write_text(f"DROP TABLE IF EXISTS {name};\n{stolen.format(name=name)};\n")
        ann.git("-C", str(recipe), "commit", "-qam", f"theft {number}")
        ann.git("-C", str(recipe), "push", "-q", "origin", name)
        asked(ann, name)
    refused = ci.kitchen("ci", "publish", expect=None)
    assert refused.returncode in (1, 2, 5), refused.stderr
    with team.dev.look() as session:
        states = session.query(
            "SELECT state FROM kitchen_control.merge_request WHERE kitchen = ANY (SELECT name FROM "
            "kitchen_control.kitchen WHERE owner = 'ann') ORDER BY number DESC LIMIT 4"
        )
    assert states == [("refused",)] * 4
