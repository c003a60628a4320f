"""Requests that wait for approvals, are overtaken, were refused before, or take too long."""

from __future__ import annotations

import json
from collections.abc import Iterator
from time import monotonic

import pytest

from kitchen.domain.merge_request import ROUNDS
from tests.acceptance.askers import asked, asking_team, cook, made, requests, shared, started, until
from tests.acceptance.external import examined, install
from tests.acceptance.team import Team
from tests.support import SERVERS, Project


@pytest.fixture(scope="module", params=SERVERS)
def team(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """Return a team on each kind of server in turn."""
    with asking_team(request.getfixturevalue(request.param), tmp_path_factory.mktemp("team")) as made:
        yield made


def sql(clone: Project, kitchen: str, text: str, file: str | None = None) -> None:
    """Write a file of the kitchen's recipe, commit and push it."""
    recipe = clone.root / ".kitchen" / "worktrees" / kitchen / "recipes" / kitchen
    (recipe / (file or f"{kitchen}.sql")).write_text(text)
    clone.git("-C", str(recipe), "add", "-A")
    clone.git("-C", str(recipe), "commit", "-qm", "another")
    clone.git("-C", str(recipe), "push", "-q", "origin", kitchen)


def pushed_to_dev(team: Team, file: str, text: str) -> str:
    """Push a commit straight to the shared dev, as somebody does without kitchen; return it."""
    team.project.git("fetch", "-q", "origin")
    team.project.git("checkout", "-q", "-B", "aside", "origin/dev")
    path = team.project.root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    team.project.commit(f"straight: {file}")
    team.project.git("push", "-q", "origin", "aside:dev")
    return team.project.git("rev-parse", "HEAD")


def nothing_is_left(team: Team) -> None:
    """Check that no candidate, no operation and no session of one is there."""
    with team.dev.look() as session:
        assert session.query("SELECT name FROM kitchen_control.kitchen WHERE kind = 'candidate'") == []
        assert session.query("SELECT nspname FROM pg_namespace WHERE nspname ~ '^c_'") == []
        assert session.query("SELECT kind FROM kitchen_control.operation WHERE state IN ('running', 'stuck')") == []
        assert session.query("SELECT state FROM kitchen_control.run WHERE state = 'running'") == []
        assert session.query("SELECT usename FROM pg_stat_activity WHERE usename ~ '__c_[0-9a-f]{12}__'") == []
        assert session.query("SELECT state FROM kitchen_control.kitchen WHERE name = 'dev'") == [("ready",)]


@pytest.mark.parametrize(
    ("node", "test"),
    [("SELECT pg_sleep(900);\n", ""), ("", "SELECT * FROM (SELECT pg_sleep(900)::text AS s) AS x WHERE s = 'never'")],
    ids=["a node", "a test"],
)
def test_what_a_request_may_take(team: Team, node: str, test: str) -> None:
    """Whatever time a recipe allows itself, the runner's is the runner's."""
    ann, ci, name = team.clones["ann"], team.clones["ci"], made(team.clones["ann"])
    cook(ann, name)
    recipe = f"description: Slow\nnodes:\n  {name}: {{sql: {name}.sql, timeout: 10h}}\n"
    if test:
        recipe += f"tests:\n  {name}:\n    after: [{{sql: {{file: slow.sql}}}}]\n"
        sql(ann, name, test, "slow.sql")
    sql(ann, name, recipe, "recipe.yaml")
    sql(ann, name, f"{node}DROP TABLE IF EXISTS {name};\nCREATE TABLE {name} AS SELECT 1 AS segment;\n")
    before, number = shared_head(team), asked(ann, name)["number"]
    began = monotonic()
    refused = ci.kitchen("ci", "publish", "--at-most", "6s", "--json", expect=5)
    assert monotonic() - began < 120
    (answer,) = json.loads(refused.stdout)
    assert answer["said"] == "it was not done within 6s, which is what the runner gives a request"
    assert "kitchen ci publish --at-most 12s" in answer["hint"]
    assert requests(team, name) == [(number, "refused", 5)]
    assert shared_head(team) == before
    nothing_is_left(team)
    assert "--at-most 0s" in ci.kitchen("ci", "publish", "--at-most", "0s", expect=2).stderr


def shared_head(team: Team) -> str:
    return team.project.git("--git-dir", str(team.origin), "rev-parse", "dev")


def test_a_target_that_moves_meanwhile(team: Team) -> None:
    """It is proven again on what is there then, and only what does not merge, or fails, is refused."""
    ann, ci, name = team.clones["ann"], team.clones["ci"], made(team.clones["ann"])
    cook(ann, name, 5)
    slow = (
        f"SELECT pg_sleep(2);\nDROP TABLE IF EXISTS {name};\nCREATE TABLE {name} AS SELECT 5 AS segment, 1 AS paid;\n"
    )
    sql(ann, name, slow)
    number = asked(ann, name)["number"]
    runner = started(ci, "ci", "publish", "-e", "dev")
    until(runner, f"running {name} of {name}")
    straight = pushed_to_dev(team, "notes/meanwhile.txt", "somebody was faster\n")
    said = until(runner, "proving it on what is there now")
    assert f"request {number}: dev has moved while it was proven" in said
    _, last = runner.communicate(timeout=120)
    assert runner.returncode == 0, last
    assert requests(team, name) == [(number, "published", None)]
    assert shared(team, "notes/meanwhile.txt") == "somebody was faster"
    assert straight in team.project.git("--git-dir", str(team.origin), "rev-list", "--parents", "-1", "dev")
    with team.dev.look() as session:
        assert session.query(f"SELECT segment FROM dev.{name}") == [(5,)]
        assert session.query("SELECT attempts FROM kitchen_control.merge_request WHERE number = %s", [number]) == [(1,)]
    nothing_is_left(team)

    sql(ann, name, slow.replace("5 AS", "6 AS"))
    number = asked(ann, name)["number"]
    runner = started(ci, "ci", "publish", "-e", "dev")
    until(runner, f"running {name} of {name}")
    pushed_to_dev(team, f"recipes/{name}/{name}.sql", slow.replace("5 AS", "7 AS"))
    _, last = runner.communicate(timeout=120)
    assert runner.returncode == 4, last
    assert "changed the same lines" in last
    assert requests(team, name)[-1] == (number, "refused", 4)
    nothing_is_left(team)


def test_a_target_that_moves_all_the_time(team: Team) -> None:
    ann, ci, name = team.clones["ann"], team.clones["ci"], made(team.clones["ann"])
    cook(ann, name)
    made_anew = f"DROP TABLE IF EXISTS {name};\nCREATE TABLE {name} AS SELECT 1 AS segment, 1 AS paid;\n"
    sql(ann, name, f"SELECT pg_sleep(2);\n{made_anew}")
    number = asked(ann, name)["number"]
    runner = started(ci, "ci", "publish", "-e", "dev")
    for round_ in range(ROUNDS):
        until(runner, f"running {name} of {name}")
        pushed_to_dev(team, "notes/again.txt", f"{name} {round_}\n")
    runner.communicate(timeout=120)
    assert runner.returncode == 4
    assert requests(team, name) == [(number, "refused", 4)]
    nothing_is_left(team)


def test_the_same_again_after_a_refusal(team: Team) -> None:
    ann, ci, name = team.clones["ann"], team.clones["ci"], made(team.clones["ann"])
    cook(ann, name)
    sql(ann, name, f"SELECT 1 / 0;\nDROP TABLE IF EXISTS {name};\nCREATE TABLE {name} AS SELECT 1 AS segment;\n")
    commit = ann.git("rev-parse", name)[:12]
    number = asked(ann, name)["number"]
    ci.kitchen("ci", "publish", expect=5)
    refused = ann.kitchen("merge", name, "--yes", "--no-wait", expect=5).stderr
    assert f"{commit} was refused by ci (request {number}, " in refused
    assert "stays as it is" in refused
    assert "neither it nor dev has changed since" in refused
    assert f"ask all the same: kitchen merge {name} --again" in refused
    assert len(requests(team, name)) == 1
    ann.kitchen("merge", name, "--yes", "--no-wait", "--again")
    ci.kitchen("ci", "publish", expect=5)
    pushed_to_dev(team, "notes/mended.txt", f"{name}\n")
    told = ann.kitchen("merge", name, "--yes", "--no-wait").stderr
    assert f"! {commit} was refused by ci" in told, "another target: it may go now, and that is said"
    ann.kitchen("merge", name, "--withdraw")
    cook(ann, name, 2)
    assert "was refused" not in ann.kitchen("merge", name, "--yes", "--no-wait").stderr
    ci.kitchen("ci", "publish")
    assert [state for _, state, _ in requests(team, name)] == ["refused", "refused", "withdrawn", "published"]


def test_what_waits_for_approval(team: Team) -> None:
    """Where the environment wants approvals a runner plans, others approve, and the same request goes through."""
    dev = team.project.git("--git-dir", str(team.origin), "show", "dev:environments/dev.yaml")
    pushed_to_dev(team, "environments/dev.yaml", dev + "\ngates: {approvals: 1}\n")
    assert "releasers may publish themselves" in examined(team.project, "dev")["roles"]["says"]
    install(team.project, "dev", team.dev, team.folder)  # from here on a releaser approves, and does not publish
    ann, ci, name = team.clones["ann"], team.clones["ci"], made(team.clones["ann"])
    assert examined(team.project, "dev")["roles"]["says"] == "the file names nobody for dev"
    commit = cook(ann, name)
    number = asked(ann, name)["number"]
    told = ci.kitchen("ci", "publish").stderr
    assert "waiting for 1 approval of release" in told
    assert ", and dev has nobody who may give it" in told
    assert "kitchen environment admit PERSON -e dev --role releaser" in told
    assert "there is nothing to do in dev yet" in ci.kitchen("ci", "publish").stderr
    rel, eve = team.admit("rel", "releaser"), team.admit("eve", "releaser")

    # overtaken: planned anew, and approved anew
    first = release_of(team, number)
    rel.kitchen("release", "approve", str(first), "-e", "dev")
    pushed_to_dev(team, "notes/overtaken.txt", "meanwhile\n")
    told = ci.kitchen("ci", "publish").stderr
    second = release_of(team, number)
    assert second != first
    assert f"waiting for 1 approval of release {second} by eve or rel" in told
    assert requests(team, name) == [(number, "waiting", None)]
    document = json.loads(ann.kitchen("merge", name, "--yes", "--no-wait", "--json").stdout)["request"]
    assert document["number"] == number
    assert document["waiting_for"] == f"waiting for 1 approval of release {second} by eve or rel"
    listed = {each["name"]: each for each in json.loads(ann.kitchen("list", "--json").stdout)}
    assert (listed[name]["asked"]["state"], listed[name]["asked"]["said"]) == ("waiting", document["waiting_for"])
    assert "ready, waiting for approval" in ann.kitchen("list").stdout
    assert f"kitchen release approve {second} -e dev" in ann.kitchen("status", name).stdout

    # an approval whose giver left does not count; the branch goes on, and what was approved is what is published
    ann.kitchen("release", "approve", str(second), "-e", "dev", expect=8)
    eve.kitchen("release", "approve", str(second), "-e", "dev")
    team.project.kitchen("environment", "revoke", "eve", "-e", "dev", "--yes")
    assert "there is nothing to do in dev yet" in ci.kitchen("ci", "publish").stderr
    cook(ann, name, 2)
    told = rel.kitchen("release", "approve", str(second), "-e", "dev").stderr
    assert f"the runner takes up request {number} of ann" in told
    cook(ann, name, 3)
    ci.kitchen("schedule", "serve", "--once", "-e", "dev")
    assert requests(team, name) == [(number, "published", None)]
    assert "AS SELECT 1" in shared(team, f"recipes/{name}/{name}.sql")
    team.project.git("--git-dir", str(team.origin), "merge-base", "--is-ancestor", commit, "dev")
    with team.dev.look() as session:
        assert session.query(f"SELECT segment FROM dev.{name}") == [(1,)]
        ((detail,),) = session.query(
            "SELECT detail FROM kitchen_control.audit WHERE action = 'publish' ORDER BY position DESC LIMIT 1"
        )
    assert (detail["release"], detail["approved_by"]) == (second, [{"by": "rel", "own": False}])


def test_following_a_request_through_its_approval(team: Team) -> None:
    ann, ci, rel, name = team.clones["ann"], team.clones["ci"], team.clones["rel"], made(team.clones["ann"])
    cook(ann, name)
    waiting = started(ann, "merge", name, "--yes")
    until(waiting, "queued")
    ((number, _, _),) = requests(team, name)
    assert isinstance(number, int)
    ci.kitchen("ci", "publish")
    until(waiting, f"request {number}: waiting for 1 approval of release {release_of(team, number)} by rel")
    rel.kitchen("release", "approve", str(release_of(team, number)), "-e", "dev")
    ci.kitchen("ci", "publish")
    _, last = waiting.communicate(timeout=60)
    assert (waiting.returncode, f"{name} is in dev (release" in last) == (0, True), last


def test_whoever_approved_leaves_while_it_is_proven(team: Team) -> None:
    """Judged again right before the branch moves: nothing does."""
    ann, ci, name = team.clones["ann"], team.clones["ci"], made(team.clones["ann"])
    zoe = team.admit("zoe", "releaser")
    cook(ann, name)
    sql(ann, name, f"SELECT pg_sleep(8);\nDROP TABLE IF EXISTS {name};\nCREATE TABLE {name} AS SELECT 1 AS segment;\n")
    before, number = shared_head(team), asked(ann, name)["number"]
    ci.kitchen("ci", "publish")
    zoe.kitchen("release", "approve", str(release_of(team, number)), "-e", "dev")
    runner = started(ci, "ci", "publish", "-e", "dev")
    until(runner, f"running {name} of {name}")
    team.project.kitchen("environment", "revoke", "zoe", "-e", "dev", "--yes")
    _, last = runner.communicate(timeout=120)
    assert runner.returncode == 5, last
    assert "zoe's does not count: zoe was revoked" in last
    assert (requests(team, name), shared_head(team)) == ([(number, "refused", 5)], before)
    nothing_is_left(team)


def test_who_asks_does_not_agree_though_nobody_else_may(team: Team) -> None:
    ci, rel, name = team.clones["ci"], team.clones["rel"], made(team.clones["rel"])
    cook(rel, name)
    number = asked(rel, name)["number"]
    told = ci.kitchen("ci", "publish").stderr
    assert ", and dev has nobody who may give it" in told
    rel.kitchen("release", "approve", str(release_of(team, number)), "-e", "dev", expect=8)
    rel.kitchen("merge", name, "--withdraw")
    assert requests(team, name) == [(number, "withdrawn", None)]


def release_of(team: Team, number: int) -> int:
    """Return the release that a request waits with."""
    with team.dev.look() as session:
        ((release,),) = session.query("SELECT release FROM kitchen_control.merge_request WHERE number = %s", [number])
    return int(release)
