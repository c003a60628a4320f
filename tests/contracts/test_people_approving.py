"""Approvals: who may give one, and whether it still counts when it is used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.adapters.postgres.control import PgControl
from kitchen.domain.release import Release, ReleaseKind, ReleasePlan, ReleaseState
from kitchen.errors import NotPermitted
from tests.contracts.offices import COMMIT, Office


def test_approvals(office: Office) -> None:
    """A releaser approves what others planned, once; nobody approves their own, and a developer nothing."""
    rel = office.person("rel", "releaser")
    with connect(office.warehouse.superuser, application="tests") as session:
        session.execute("UPDATE kitchen_control.release SET by = 'rel'")
        with pytest.raises(NotPermitted, match="planned"):
            rel.control.releases.approve(1, by="bob")
        session.execute("UPDATE kitchen_control.release SET by = 'bob'")
        rel.control.releases.approve(1, by="bob")
        rel.control.releases.approve(1, by="bob")
        assert session.query("SELECT by, own FROM kitchen_control.approval") == [("rel", False)]
    with pytest.raises(NotPermitted, match=r"^not permitted: ") as refused:
        office.ann.control.releases.approve(1, by="rel")
    assert refused.value.hint == "kitchen whoami"
    rel.control.session.close()


def test_who_asked_does_not_approve(office: Office) -> None:
    """A release that a runner planned is another's for its approval, and not for who asked for it."""
    rel = office.person("rel", "releaser")
    with connect(office.warehouse.superuser, application="tests") as session:
        session.execute("UPDATE kitchen_control.merge_request SET by = 'rel', release = 1")
        with pytest.raises(NotPermitted, match="asked for it"):
            rel.control.releases.approve(1, by="bob")
        session.execute(
            "UPDATE kitchen_control.merge_request SET release = NULL; UPDATE kitchen_control.release "
            f'SET plan = plan || \'{{"source": "other", "head": "{COMMIT}"}}\''
        )
        with pytest.raises(NotPermitted, match="asked for it"):  # though its runner was interrupted, and forgot it
            rel.control.releases.approve(1, by="bob")
        session.execute("UPDATE kitchen_control.merge_request SET by = 'bob'")
    rel.control.releases.approve(1, by="rel")
    rel.control.session.close()


PLAN = ReleasePlan("other", "other", "dev", "a", COMMIT, {}, (), (), (), (), approvals=1)
OPEN = (ReleaseState.PLANNED, ReleaseState.FAILED)


@pytest.fixture
def runner(office: Office) -> Iterator[PgControl]:
    """Return the records as whoever acts as the provisioner sees and changes them."""
    control = PgControl(office.warehouse.sessions, environment="dev", person="ci")
    yield control
    control.session.close()


def _planned(runner: PgControl, plan: ReleasePlan = PLAN) -> Release:
    return runner.releases.add(ReleaseKind.MERGE, "dev", "dev", plan, by="ci")


@pytest.mark.parametrize(
    ("meanwhile", "why"),
    [
        ("SELECT kitchen_people.shut_out('rel')", "rel was revoked"),
        ("SELECT kitchen_people.shut_out('rel'), kitchen_people.see_out('rel')", "rel was revoked"),
        ("SELECT kitchen_people.admit('rel', 'developer', NULL)", "rel is developer now"),
        ("SELECT kitchen_people.admit('rel', 'viewer', NULL)", "rel is viewer now"),
        ("SELECT kitchen_people.admit('rel', 'runner', NULL)", "rel is runner now"),
        (  # lost, and given again: perhaps to somebody else of that name
            "SELECT kitchen_people.admit('rel', 'developer', NULL), kitchen_people.admit('rel', 'releaser', NULL)",
            "rel was admitted as releaser after it",
        ),
        ("DELETE FROM kitchen_control.person WHERE name = 'rel'", "rel may not approve here any more"),
        ("UPDATE kitchen_control.release SET plan_hash = 'another' WHERE number = 2", "to an earlier plan"),
        ("UPDATE kitchen_control.merge_request SET by = 'rel' WHERE kitchen = 'other'", "rel asked for it"),
    ],
)
def test_an_approval_is_judged_when_it_is_used(office: Office, runner: PgControl, meanwhile: str, why: str) -> None:
    """By the server: it opens no release whose approvals do not count any more, whoever tries."""
    rel, number = office.person("rel", "releaser"), _planned(runner).number
    rel.control.releases.approve(number, by="rel")
    rel.control.session.close()
    found = runner.releases.get(number)
    assert found is not None
    assert (found.missing_approvals, [one.void for one in found.approvals]) == (0, [None])
    with connect(office.warehouse.superuser, application="tests") as session:
        session.execute(meanwhile)
    found = runner.releases.get(number)
    assert found is not None
    assert found.missing_approvals == 1
    assert why in str(found.approvals[0].void)
    with pytest.raises(NotPermitted, match=f"release {number} needs 1 more approval"):
        runner.releases.move(number, ReleaseState.APPLYING, expected=OPEN)


def test_what_was_released_is_not_judged_anew(office: Office, runner: PgControl) -> None:
    """Whoever leaves later has approved what was let in then."""
    rel, number = office.person("rel", "releaser"), _planned(runner).number
    rel.control.releases.approve(number, by="rel")
    rel.control.session.close()
    runner.releases.move(number, ReleaseState.APPLYING, expected=OPEN)
    runner.releases.released(number, commit=COMMIT, tag=None, exchanged=())
    office.people.shut_out("rel")
    found = runner.releases.get(number)
    assert found is not None
    assert (found.missing_approvals, [one.void for one in found.approvals]) == (0, [None])


def test_an_approval_that_does_not_count_is_given_anew(office: Office, runner: PgControl) -> None:
    rel, number = office.person("rel", "releaser"), _planned(runner).number
    rel.control.releases.approve(number, by="rel")
    before = runner.releases.get(number)
    rel.control.releases.approve(number, by="rel")
    assert runner.releases.get(number) == before, "again is success, and nothing changes"
    office.people.admit("rel", "admin", None)
    rel.control.releases.approve(number, by="rel")
    after = runner.releases.get(number)
    assert before is not None
    assert after is not None
    assert (after.missing_approvals, len(after.approvals)) == (0, 1)
    assert after.approvals[0].at > before.approvals[0].at
    runner.releases.move(number, ReleaseState.APPLYING, expected=OPEN)
    rel.control.session.close()


def test_one_persons_approvals_are_one(office: Office, runner: PgControl) -> None:
    rel, ada = office.person("rel", "releaser"), office.person("ada", "admin")
    number = _planned(runner, replace(PLAN, approvals=2)).number
    rel.control.releases.approve(number, by="rel")
    rel.control.releases.approve(number, by="ada")  # whatever the client says
    with pytest.raises(NotPermitted, match="needs 1 more"):
        runner.releases.move(number, ReleaseState.APPLYING, expected=OPEN)
    ada.control.releases.approve(number, by="rel")
    runner.releases.move(number, ReleaseState.APPLYING, expected=OPEN)
    for person in (rel, ada):
        person.control.session.close()


def test_whoever_planned_is_not_somebody_else(runner: PgControl) -> None:
    """An approval of one's own counts where the plan allows it, and nowhere else."""
    for plan, missing in ((PLAN, 0), (replace(PLAN, others=True), 1), (replace(PLAN, loosens=("x",), others=True), 1)):
        number = _planned(runner, plan).number
        runner.releases.approve(number, by="ci")
        found = runner.releases.get(number)
        assert found is not None
        assert (found.missing_approvals, found.approvals[0].own) == (missing, True)


def test_an_old_approval_is_nothing_to_a_new_commit(office: Office, runner: PgControl) -> None:
    """It names one plan: neither the next release of the same kitchen nor a plan put in its place inherits it."""
    rel, first = office.person("rel", "releaser"), _planned(runner).number
    rel.control.releases.approve(first, by="rel")
    rel.control.session.close()
    second = _planned(runner, replace(PLAN, head=COMMIT[::-1])).number
    with pytest.raises(NotPermitted, match=f"release {second} needs 1 more"):
        runner.releases.move(second, ReleaseState.APPLYING, expected=OPEN)
    for statement in (
        (
            "INSERT INTO kitchen_control.approval (release, by, plan_hash, own) SELECT {second}, 'rel', plan_hash, "
            "false FROM kitchen_control.approval"
        ),
        "UPDATE kitchen_control.approval SET release = {second}",
        "UPDATE kitchen_control.release SET plan = (SELECT plan FROM kitchen_control.release WHERE number = {second})",
        "SELECT kitchen_control.record_approval({second}, 'rel')",
    ):
        with connect(office.ann.login, application="tests") as session, pytest.raises(NotPermitted):
            session.execute(statement.format(second=second))
