"""Who may not publish asks: a developer's merge into dev, done by a runner with a clone and a login of its own."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest

from tests.acceptance.askers import asked, asking_team, cook, made, numbers, requests, shared, started, until
from tests.acceptance.external import examined, psql
from tests.acceptance.team import Team
from tests.support import SERVERS


@pytest.fixture(scope="module", params=SERVERS)
def team(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """Return a team on each kind of server in turn."""
    with asking_team(request.getfixturevalue(request.param), tmp_path_factory.mktemp("team")) as made:
        yield made


def test_a_developers_merge(team: Team) -> None:
    ann, ci = team.clones["ann"], team.clones["ci"]
    name = made(ann)
    commit = cook(ann, name)
    request = asked(ann, name)
    assert (request["state"], request["by"], request["commit"]) == ("queued", "ann", commit)

    (answered,) = json.loads(ci.kitchen("ci", "publish", "-e", "dev", "--json").stdout)
    assert (answered["state"], answered["taken_by"], answered["release"]) == ("published", "ci", 1)
    assert "AS SELECT 1" in shared(team, f"recipes/{name}/{name}.sql")
    told = json.loads(ann.kitchen("status", name, "--json").stdout)
    assert (told["overview"]["ahead"], told["overview"]["answered"]["state"]) == (1, "published"), "not fetched yet"
    assert told["next"] == f"kitchen update {name}"
    assert "published into dev" in ann.kitchen("status", name).stdout
    with team.dev.look() as session:
        assert session.query(f"SELECT segment FROM dev.{name}") == [(1,)]
        assert session.query("SELECT by, state FROM kitchen_control.release") == [("ci", "released")]
        ((detail,),) = session.query(
            "SELECT detail FROM kitchen_control.audit WHERE action = 'publish' AND person = 'ci' AND phase = 'outcome'"
        )
        assert detail["asked_by"] == "ann"
        assert session.query("SELECT person FROM kitchen_control.audit WHERE action = 'ask to merge'") == [("ann",)]
    told = json.loads(ann.kitchen("release", "show", "1", "-e", "dev", "--json").stdout)
    assert (told["by"], told["asked_by"]) == ("ci", "ann")
    ann.git("fetch", "-q")
    assert "AS SELECT 1" in ann.git("show", f"origin/dev:recipes/{name}/{name}.sql")
    ann.kitchen("create", "after")
    assert psql(ann, "after", f"SELECT segment FROM {name}") == "1"
    assert "has everything" in ann.kitchen("merge", name).stderr


def test_a_request_stands_until_it_is_taken_back(team: Team) -> None:
    ann, name = team.clones["ann"], made(team.clones["ann"])
    first = cook(ann, name, pushes=False)
    assert f"git push origin {name}" in ann.kitchen("merge", name, "--yes", expect=4).stderr
    ann.git("push", "-q", "origin", name)
    planned = ann.kitchen("merge", name, "--dry-run").stdout.splitlines()
    assert planned[0] == f"asking the runner of dev to merge {name} at {first[:12]} into dev"
    assert requests(team, name) == []
    number = asked(ann, name)["number"]
    assert asked(ann, name)["number"] == number, "it is followed, not asked for again"
    bob = team.clones.get("bob") or team.admit("bob")
    listed = {each["name"]: each for each in json.loads(bob.kitchen("list", "--json").stdout)}
    assert (listed[name]["asked"]["by"], listed[name]["next"]) == ("ann", f"kitchen status {name}"), "it is not his"
    assert "ready, asked to merge" in bob.kitchen("list").stdout
    assert f"queued: request {number} for {first[:12]}, by ann" in ann.kitchen("status", name).stdout
    bob.git("fetch", "-q")
    assert "is ann's" in bob.kitchen("merge", name, "--yes", expect=8).stderr
    bob.kitchen("merge", name, "--withdraw", expect=8)
    cook(ann, name, 2)
    assert "the branch has gone on since" in ann.kitchen("merge", name, "--yes", "--no-wait").stderr
    assert "taking back" in ann.kitchen("merge", name, "--withdraw", "--dry-run").stdout
    ann.kitchen("merge", name, "--withdraw")
    ann.kitchen("merge", name, "--withdraw", expect=3)
    assert requests(team, name) == [(number, "withdrawn", None)]
    assert json.loads(team.clones["ci"].kitchen("ci", "publish", "--json").stdout) == []


def test_exactly_what_was_asked_for(team: Team) -> None:
    """The branch goes on while it waits: the asked commit is proven; written anew, the request is refused."""
    ann, ci, name = team.clones["ann"], team.clones["ci"], made(team.clones["ann"])
    first = cook(ann, name)
    request = asked(ann, name)
    cook(ann, name, 2)
    preview = ci.kitchen("ci", "publish", "--dry-run").stdout
    assert f"request {request['number']} of ann: {name} at {first[:12]}:" in preview
    assert f"moving public.{name} into dev" in preview
    assert requests(team, name) == [(request["number"], "queued", None)]
    ci.kitchen("ci", "publish")
    assert requests(team, name) == [(request["number"], "published", None)]
    assert "AS SELECT 1" in shared(team, f"recipes/{name}/{name}.sql")
    with team.dev.look() as session:
        assert session.query(f"SELECT segment FROM dev.{name}") == [(1,)]

    asked(ann, name)  # what it has now
    worktree = ann.root / ".kitchen" / "worktrees" / name
    ann.git("-C", str(worktree), "commit", "-q", "--amend", "-m", "written anew")
    ann.git("-C", str(worktree), "push", "-q", "--force", "origin", name)
    refused = ci.kitchen("ci", "publish", expect=4)
    assert "that was asked for" in refused.stderr
    assert [state for _, state, _ in requests(team, name)] == ["published", "refused"]


def test_tests_that_say_no_and_lines_that_do_not_merge(team: Team) -> None:
    ann, ci, name = team.clones["ann"], team.clones["ci"], made(team.clones["ann"])
    cook(ann, name)
    recipe = ann.root / ".kitchen" / "worktrees" / name / "recipes" / name / f"{name}.sql"
    recipe.write_text(recipe.read_text().replace("FROM orders", "FROM orders, generate_series(1, 2) GROUP BY order_id"))
    worktree = str(recipe.parent)
    ann.git("-C", worktree, "commit", "-qam", "twice")
    ann.git("-C", worktree, "push", "-q", "origin", name)
    number = asked(ann, name)["number"]
    answered = json.loads(ci.kitchen("ci", "publish", "--json", expect=5).stdout)
    assert [(each["state"], each["exit_code"]) for each in answered] == [("refused", 5)]
    assert "stays as it is" in answered[0]["said"]
    assert requests(team, name) == [(number, "refused", 5)]
    told = json.loads(ann.kitchen("status", name, "--json").stdout)
    answer = told["overview"]["answered"]
    assert (answer["number"], answer["state"], answer["said"]) == (number, "refused", answered[0]["said"])
    assert told["next"] != f"kitchen merge {name}"
    assert f"the runner refused: {answer['said']}" in ann.kitchen("status", name).stdout
    assert "ready, refused" in ann.kitchen("list").stdout
    cook(ann, name, 2)
    assert "the runner refused" not in ann.kitchen("status", name).stdout, "the branch has moved on"
    with team.dev.look() as session:
        assert session.query("SELECT to_regclass(%s)", [f"dev.{name}"]) == [(None,)]
        assert session.query("SELECT count(*) FROM kitchen_control.operation WHERE state IN ('running', 'stuck')") == [
            (0,)
        ]


@pytest.mark.parametrize(
    ("what", "why"), [("revoke", "not in this environment"), ("delete", "not there"), ("staff", "neither owner nor")]
)
def test_what_changed_before_its_turn(team: Team, what: str, why: str) -> None:
    ann, ci, name = team.clones["ann"], team.clones["ci"], made(team.clones["ann"])
    guest = team.admit(f"guest_{what}")
    ann.kitchen("staff", "add", f"guest_{what}", "-k", name)
    cook(ann, name)
    guest.kitchen("enter", name, "--", "true")
    guest.git("fetch", "-q")
    number = asked(guest, name)["number"]
    match what:
        case "revoke":
            team.project.kitchen("environment", "revoke", f"guest_{what}", "-e", "dev", "--yes")
        case "delete":
            ann.kitchen("delete", name, "--yes", "--force")
        case "staff":
            ann.kitchen("staff", "remove", f"guest_{what}", "-k", name)
    refused = ci.kitchen("ci", "publish", expect=8)
    assert why in refused.stderr
    assert requests(team, name) == [(number, "refused", 8)]
    with team.dev.look() as session:
        assert session.query("SELECT to_regclass(%s)", [f"dev.{name}"]) == [(None,)]


def test_a_target_in_somebodys_hands_is_waited_for(team: Team) -> None:
    ann, ci, name = team.clones["ann"], team.clones["ci"], made(team.clones["ann"])
    cook(ann, name)
    number = asked(ann, name)["number"]
    with team.dev.look() as session:
        session.execute("UPDATE kitchen_control.kitchen SET state = 'publishing' WHERE name = 'dev'")
        for _ in range(4):
            assert "dev is being published to" in ci.kitchen("ci", "publish", expect=6).stderr
        assert requests(team, name) == [(number, "queued", None)]
        session.execute("UPDATE kitchen_control.kitchen SET state = 'ready' WHERE name = 'dev'")
    ci.kitchen("schedule", "serve", "--once", "-e", "dev")
    assert requests(team, name) == [(number, "published", None)]


def test_a_child_goes_into_its_parent(team: Team) -> None:
    ann, ci, parent = team.clones["ann"], team.clones["ci"], made(team.clones["ann"])
    child = f"k{next(numbers)}"
    ann.kitchen("create", child, "--parent", parent)
    cook(ann, child, 7)
    assert asked(ann, child)["into"] == parent
    ci.kitchen("ci", "publish")
    ann.git("-C", str(ann.root / ".kitchen" / "worktrees" / parent), "pull", "-q", "origin", parent)
    assert psql(ann, parent, f"SELECT segment FROM {child}") == "7"
    assert "AS SELECT 7" in ann.git("show", f"{parent}:recipes/{child}/{child}.sql")


def test_waiting_for_a_runner_that_serves(team: Team) -> None:
    ann, name = team.clones["ann"], made(team.clones["ann"])
    cook(ann, name)
    with team.dev.look() as session:
        session.execute("DELETE FROM kitchen_control.runner")
    waiting = started(ann, "merge", name, "--yes")
    said = until(waiting, "queued")
    assert "no runner has been seen in dev ever" in said
    assert "kitchen schedule serve -e dev, or once: kitchen ci publish -e dev" in said
    waiting.send_signal(signal.SIGINT)
    _, last = waiting.communicate(timeout=30)
    assert waiting.returncode == 130
    assert f"kitchen merge {name} --withdraw takes it back" in last
    ((number, state, _),) = requests(team, name)
    assert state == "queued", "Ctrl-C leaves it standing"
    found = examined(ann, "dev")["runner"]
    assert (found["level"], found["says"]) == ("warn", "1 merge request waits, and no runner is there")

    server = started(team.clones["ci"], "schedule", "serve", "-e", "dev")
    try:
        until(server, "answering what people ask to merge in dev")
        followed = ann.kitchen("merge", name)
        assert f"request {number}: proving, by ci" in followed.stderr
        assert f"{name} is in dev (release" in followed.stderr
        listed = {each["name"]: each for each in json.loads(ann.kitchen("list", "--json").stdout)}
        assert (listed[name]["ahead"], listed[name]["next"]) == (0, f"kitchen update {name}"), "it was fetched"
        with team.dev.look() as session:
            assert session.query(
                "SELECT name FROM kitchen_control.runner WHERE seen_at > now() - interval '1 min'"
            ) == [("ci",)]
        assert examined(ann, "dev")["runner"]["says"].startswith("is there, ci on ")
        other = made(ann)
        cook(ann, other)
        recipe = ann.root / ".kitchen" / "worktrees" / other / "recipes" / other / f"{other}.sql"
        recipe.write_text("SELECT 1 / 0;\n" + recipe.read_text())
        ann.git("-C", str(recipe.parent), "commit", "-qam", "cannot be")
        ann.git("-C", str(recipe.parent), "push", "-q", "origin", other)
        refused = ann.kitchen("merge", other, "--yes", "--json", expect=5)
        assert "no runner" not in refused.stderr
        assert "stays as it is" in refused.stderr
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=60)
    assert server.returncode == 0
