"""Asking for merges, as the server lets people: for what is theirs, one commit at a time."""

from __future__ import annotations

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.adapters.postgres.control import PgControl
from kitchen.domain.merge_request import RequestState
from kitchen.domain.release import ReleaseKind, ReleasePlan
from kitchen.errors import NotPermitted
from tests.contracts.offices import COMMIT, Office


def test_asking_for_a_merge(office: Office) -> None:
    """Whose kitchen it is asks, for one commit at a time; everything else is the record's."""
    mine, asks = office.kitchens["tries"], office.ann.control.requests
    number = asks.ask(mine.id, COMMIT)
    assert asks.ask(mine.id, COMMIT) == number, "the same again is the same"
    with pytest.raises(NotPermitted, match="asked for already, by ann"):
        asks.ask(mine.id, COMMIT[::-1])
    request = asks.get(number)
    assert request is not None
    assert (request.by, request.kitchen, request.target, request.branch, request.state) == (
        "ann", "tries", "dev", "tries", RequestState.QUEUED
    )  # fmt: skip
    assert [each.by for each in office.bob.control.requests.standing()] == ["bob", "ann"], "everybody sees them"
    with pytest.raises(NotPermitted, match="not yours"):
        office.bob.control.requests.withdraw(number)
    assert asks.withdraw(number) == "withdrawn"
    assert asks.ask(mine.id, COMMIT[::-1]) > number
    said = [(each["person"], each["result"]) for each in office.ann.control.audit.entries(3)]
    assert said == [("ann", "queued"), ("ann", "withdrawn"), ("ann", "queued")]


def test_who_asks_at_all_and_how_often(office: Office) -> None:
    mine = office.kitchens["tries"]
    viewer = office.person("vic", "viewer")
    with office.warehouse.sessions.as_administrator() as session:
        session.execute("UPDATE kitchen_control.kitchen SET staff = '{vic,bob}' WHERE name = 'tries'")
        with pytest.raises(NotPermitted):
            viewer.control.requests.ask(mine.id, COMMIT)
        with pytest.raises(NotPermitted, match="nobody here"):
            session.query("SELECT kitchen_control.ask_merge(%s, %s)", [str(mine.id), COMMIT])
        number = office.bob.control.requests.ask(mine.id, COMMIT)
        assert office.ann.control.requests.withdraw(number) == "withdrawn", "the owner takes back what staff asked for"
        session.execute("UPDATE kitchen_control.kitchen SET parent = 'other' WHERE name = 'tries'")
        with pytest.raises(NotPermitted, match="private"):
            office.ann.control.requests.ask(mine.id, COMMIT)
        session.execute("UPDATE kitchen_control.kitchen SET parent = 'dev' WHERE name = 'tries'")
        session.execute(
            "INSERT INTO kitchen_control.merge_request (kitchen_id, kitchen, target, branch, commit, by, state, "
            "ended_at) SELECT gen_random_uuid(), 'x', 'dev', 'x', 'x', 'ann', 'refused', now() "
            "FROM generate_series(1, 60)"
        )
    with pytest.raises(NotPermitted, match="60 merges"):
        office.ann.control.requests.ask(mine.id, COMMIT)
    viewer.control.session.close()


@pytest.mark.parametrize(
    ("meanwhile", "why"),
    [
        ("UPDATE kitchen_control.person SET revoked_at = now() WHERE name = 'bob'", "not in this environment"),
        ("UPDATE kitchen_control.person SET role = 'viewer' WHERE name = 'bob'", "is a viewer"),
        ("UPDATE kitchen_control.kitchen SET owner = 'ann' WHERE name = 'other'", "neither owner nor staff"),
        ("UPDATE kitchen_control.kitchen SET state = 'deleting' WHERE name = 'other'", "is deleting"),
        ("UPDATE kitchen_control.kitchen SET parent = 'tries' WHERE name = 'other'", "stands on tries"),
        (
            "UPDATE kitchen_control.kitchen SET name = 'other2', id = gen_random_uuid() WHERE name = 'other'",
            "not there",
        ),
    ],
)
def test_what_became_of_a_request_meanwhile(office: Office, meanwhile: str, why: str) -> None:
    control = PgControl(office.warehouse.sessions, environment="dev", person="ci")
    (request,) = control.requests.standing()
    assert control.requests.unwanted(request.number) is None
    with connect(office.warehouse.superuser, application="tests") as session:
        session.execute(meanwhile)
    said = control.requests.unwanted(request.number)
    assert said is not None
    assert why in said
    control.session.close()


def test_what_waits_for_approval_is_not_changed(office: Office) -> None:
    """Only the commit that was asked for waits; another one is another request, with other approvals."""
    mine, asks = office.kitchens["tries"], office.ann.control.requests
    number = asks.ask(mine.id, COMMIT)
    control = PgControl(office.warehouse.sessions, environment="dev", person="ci")
    plan = ReleasePlan("tries", "tries", "dev", "a", COMMIT, {}, (), (), (), (), approvals=1)
    release = control.releases.add(ReleaseKind.MERGE, "dev", "dev", plan, by="ci").number
    assert control.requests.take(number)
    control.requests.plan(number, release)
    control.requests.wait(number, "waiting for 1 approval", "kitchen release approve")
    assert number not in [each.number for each in control.requests.due()]
    with pytest.raises(NotPermitted, match="asked for already, by ann"):
        asks.ask(mine.id, COMMIT[::-1])
    assert asks.ask(mine.id, COMMIT) == number
    with pytest.raises(NotPermitted, match="not yours"):
        office.bob.control.requests.withdraw(number)

    rel = office.person("rel", "releaser")
    rel.control.releases.approve(release, by="rel")
    assert number in [each.number for each in control.requests.due()]
    assert asks.withdraw(number) == "withdrawn"
    again = asks.ask(mine.id, COMMIT[::-1])
    request = control.requests.get(again)
    assert request is not None
    assert (request.release, request.commit) == (None, COMMIT[::-1]), "nothing of the approved one is its"
    rel.control.session.close()
    control.session.close()


@pytest.mark.parametrize(
    ("meanwhile", "due"),
    [
        ("SELECT 1", False),
        ("UPDATE kitchen_control.person SET revoked_at = now() WHERE name = 'bob'", True),
        ("UPDATE kitchen_control.kitchen SET state = 'deleting' WHERE name = 'other'", True),
        ("UPDATE kitchen_control.release SET released_at = now() + interval '1 min' WHERE number = 1", True),
        ("UPDATE kitchen_control.release SET plan = plan || '{\"approvals\": 0}'", True),
    ],
)
def test_when_a_request_that_waits_is_due(office: Office, meanwhile: str, *, due: bool) -> None:
    control = PgControl(office.warehouse.sessions, environment="dev", person="ci")
    (request,) = control.requests.standing()
    plan = ReleasePlan("other", "other", "dev", "a", COMMIT, {}, (), (), (), (), approvals=1)
    assert control.requests.take(request.number)
    control.requests.plan(request.number, control.releases.add(ReleaseKind.MERGE, "dev", "dev", plan, by="ci").number)
    control.requests.wait(request.number, "waiting", "kitchen release approve")
    with connect(office.warehouse.superuser, application="tests") as session:
        session.execute(meanwhile)
    assert bool(control.requests.due()) == due
    control.session.close()


def test_what_is_said_of_a_private_kitchen_is_not_for_everybody(office: Office) -> None:
    """What is merged into one is proven over its tables: request, log and sample hold its rows."""
    texts = (
        "SELECT said FROM kitchen_control.merge_request", "SELECT log FROM kitchen_control.node_run",
        "SELECT said FROM kitchen_control.merge_request WHERE number = 1",
    )  # fmt: skip
    with office.warehouse.sessions.as_administrator() as session:
        session.execute(
            "UPDATE kitchen_control.merge_request SET state = 'refused', ended_at = now(), said = 'Zephyrine';"
            "UPDATE kitchen_control.run SET kitchen = 'c_0123456789ab', by = 'ci' WHERE by = 'bob';"
            "INSERT INTO kitchen_control.operation (id, kind, subject, arguments, state, by, host, pid, version, "
            "started_at) VALUES (gen_random_uuid(), 'merge', 'dev', "
            "'{\"candidate\": {\"name\": \"c_0123456789ab\"}}', 'done', 'ci', 'h', 1, '1', now())"
        )
        for target, sees in (("dev", 1), ("other", 0)):
            session.execute("UPDATE kitchen_control.merge_request SET target = %s, kitchen = 'child'", [target])
            session.execute("UPDATE kitchen_control.operation SET subject = %s WHERE kind = 'merge'", [target])
            for who, expected in ((office.ann, sees), (office.bob, 1)):
                with connect(who.login, application="tests") as own:
                    assert [len(own.query(text)) for text in texts] == [expected] * 3, (who.control.person, target)
