"""The control schema on every supported server: records, journal, locks, audit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from kitchen.adapters.postgres import migrate
from kitchen.adapters.postgres.connection import connect
from kitchen.adapters.postgres.control import PgControl
from kitchen.domain.journal import Operation, OperationState, StepState
from kitchen.domain.kitchen import Kind, Kitchen, State
from kitchen.errors import Conflict, NotPermitted, Refused, Unavailable
from kitchen.operations.audited import verify_audit
from kitchen.ports import Quota
from tests.support import REPOSITORY, Warehouse


@pytest.fixture
def control(warehouse: Warehouse) -> Iterator[PgControl]:
    made = PgControl(warehouse.sessions, environment="dev", person="ann@example.com")
    yield made
    made.session.close()


def _kitchen(name: str, *, parent: str | None = None, owner: str = "ann@example.com") -> Kitchen:
    kind = Kind.WORKING if parent else Kind.STANDING
    return Kitchen(
        id=uuid4(), name=name, environment="dev", kind=kind, state=State.READY, branch=name, base_commit="a" * 40,
        parent=parent, pantry=7, owner=owner, created_at=datetime.now(UTC), staff=("bob", "eve"), ticket="ABC-1",
    )  # fmt: skip


def _operation(kind: str = "create") -> Operation:
    return Operation(
        id=uuid4(), kind=kind, subject="profit", arguments={"branch": "profit", "ü": [1, None]},
        state=OperationState.RUNNING, by="ann", host="here", pid=1, version="0.1", started_at=datetime.now(UTC),
    )  # fmt: skip


def test_a_kitchen_is_read_as_it_was_written(control: PgControl) -> None:
    dev, profit = _kitchen("dev"), _kitchen("profit", parent="dev")
    control.kitchens.add(dev)
    control.kitchens.add(profit)
    control.kitchens.add(profit)  # the same again
    assert control.kitchens.get("profit") == profit
    assert control.kitchens.get("other") is None
    assert control.kitchens.all() == (dev, profit)


def test_names_and_branches_are_taken_once(control: PgControl) -> None:
    control.kitchens.add(_kitchen("dev"))
    control.kitchens.add(_kitchen("profit", parent="dev"))
    with pytest.raises(Conflict, match="'profit' already"):
        control.kitchens.add(_kitchen("profit", parent="dev"))
    with pytest.raises(Conflict, match="branch 'profit' belongs to another"):
        control.kitchens.add(replace(_kitchen("loss", parent="dev"), branch="profit"))
    assert control.kitchens.get("loss") is None


def test_a_kitchen_needs_a_ready_parent_and_keeps_it(control: PgControl) -> None:
    dev, profit = _kitchen("dev"), _kitchen("profit", parent="dev")
    control.kitchens.add(dev)
    with pytest.raises(Conflict, match="parent kitchen 'nowhere'"):
        control.kitchens.add(_kitchen("profit", parent="nowhere"))
    control.kitchens.add(profit)
    control.kitchens.add(_kitchen("child", parent="profit"))
    with pytest.raises(Conflict, match="below it: child"):
        control.kitchens.save(profit.with_state(State.DELETING), expected=State.READY)
    with pytest.raises(Conflict, match="kitchens below"):
        control.kitchens.remove(profit.id)
    control.kitchens.save(dev.with_state(State.BROKEN), expected=State.READY)
    with pytest.raises(Conflict, match="not there or not ready"):
        control.kitchens.add(_kitchen("late", parent="dev"))


def test_a_record_is_replaced_only_in_the_expected_state(control: PgControl) -> None:
    dev = _kitchen("dev")
    control.kitchens.add(dev)
    control.kitchens.save(replace(dev, pantry=8), expected=State.READY)
    found = control.kitchens.get("dev")
    assert found is not None
    assert found.pantry == 8
    with pytest.raises(Conflict, match="is ready and no longer creating"):
        control.kitchens.save(dev, expected=State.CREATING)
    control.kitchens.remove(dev.id)
    control.kitchens.remove(dev.id)
    with pytest.raises(Conflict, match="is gone"):
        control.kitchens.save(dev, expected=State.READY)


def test_the_quota_counts_working_kitchens(control: PgControl) -> None:
    control.kitchens.add(_kitchen("dev"))
    control.kitchens.add(_kitchen("one", parent="dev"), quota=Quota(total=2, per_person=1))
    with pytest.raises(Refused, match="1 each"):
        control.kitchens.add(_kitchen("two", parent="dev"), quota=Quota(total=2, per_person=1))
    control.kitchens.add(_kitchen("two", parent="dev", owner="bob"), quota=Quota(total=2, per_person=1))
    with pytest.raises(Refused, match="allows 2"):
        control.kitchens.add(_kitchen("three", parent="dev", owner="eve"), quota=Quota(total=2, per_person=1))


def test_quotas_hold_when_many_come_at_once(warehouse: Warehouse, control: PgControl) -> None:
    control.kitchens.add(_kitchen("dev"))
    results: list[str] = []

    def add(number: int) -> None:
        mine = PgControl(warehouse.sessions, environment="dev", person="ann")
        try:
            mine.kitchens.add(_kitchen(f"k{number}", parent="dev"), quota=Quota(total=50, per_person=3))
            results.append("added")
        except Refused:
            results.append("refused")
        finally:
            mine.session.close()

    threads = [threading.Thread(target=add, args=[number]) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["added"] * 3 + ["refused"] * 9


def test_the_journal_remembers_steps_in_order(control: PgControl) -> None:
    operation = replace(_operation(), started_at=datetime.now(UTC) - timedelta(hours=1))  # by a clock that is wrong
    control.journal.begin(operation)
    for step in ("record", "branch", "a"):
        control.journal.mark(operation.id, step, StepState.STARTED)
    control.journal.mark(operation.id, "record", StepState.DONE)
    found = control.journal.get(operation.id)
    assert found is not None
    assert abs(datetime.now(UTC) - found.started_at) < timedelta(minutes=5), "the server's clock counts"
    assert replace(found, started_at=operation.started_at) == replace(
        operation, steps={"record": StepState.DONE, "branch": StepState.STARTED, "a": StepState.STARTED}
    )
    assert list(found.steps) == ["record", "branch", "a"]
    assert control.journal.unfinished() == (found,)
    control.journal.finish(operation.id, OperationState.STUCK, error="no")
    assert [o.error for o in control.journal.unfinished()] == ["no"]
    control.journal.finish(operation.id, OperationState.UNDONE)
    assert control.journal.unfinished() == ()
    assert control.journal.get(uuid4()) is None


def test_an_operation_taken_over_is_closed_to_its_earlier_holder(warehouse: Warehouse, control: PgControl) -> None:
    operation = _operation()
    control.journal.begin(operation)
    other = PgControl(warehouse.sessions, environment="dev", person="bob")
    other.journal.claim(operation.id)
    with pytest.raises(Conflict, match="taken over"):
        control.journal.mark(operation.id, "record", StepState.STARTED)
    with pytest.raises(Conflict, match="taken over"):
        control.journal.finish(operation.id, OperationState.DONE)
    other.journal.mark(operation.id, "record", StepState.STARTED)
    other.journal.finish(operation.id, OperationState.UNDONE)
    with pytest.raises(Conflict, match="finished already"):
        control.journal.claim(operation.id)
    other.session.close()


def test_a_lock_names_its_holder_and_ends_with_the_block(warehouse: Warehouse, control: PgControl) -> None:
    other = PgControl(warehouse.sessions, environment="dev", person="bob")
    with control.locks.hold("profit", purpose="create"), control.locks.hold("dev", purpose="merge"):
        with pytest.raises(Conflict, match=f"by ann@example.com .create, process {os.getpid()} "):
            other.locks.hold("profit", purpose="delete").__enter__()
        with other.locks.hold("third", purpose="create"):
            pass
    with other.locks.hold("profit", purpose="delete"):
        pass
    other.session.close()


_HOLDER = """
import sys, time
from kitchen.adapters.postgres.control import PgControl
from kitchen.adapters.postgres.sessions import PgSessions
from kitchen.domain.connection import Credentials
from kitchen.domain.secret import Secret
host, port, database, user = sys.argv[1:]
told = Credentials(host, int(port), database, user, Secret(sys.stdin.readline().strip()), tls="disable")
with PgControl(PgSessions(lambda: told), environment="dev", person="bob").locks.hold("profit", purpose="merge"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_whose_holder_was_killed_is_free_within_two_seconds(warehouse: Warehouse, control: PgControl) -> None:
    told = warehouse.administrator
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, told.host, str(told.port), told.database, told.user],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY,
    )  # fmt: skip
    assert holder.stdin is not None
    assert holder.stdout is not None
    holder.stdin.write(told.password.reveal() + "\n")
    holder.stdin.flush()
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(Conflict, match=f"by bob .merge, process {holder.pid}"):
        control.locks.hold("profit", purpose="create").__enter__()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    killed = time.monotonic()
    while True:
        try:
            with control.locks.hold("profit", purpose="create"):
                break
        except Conflict:
            assert time.monotonic() - killed < 2
            time.sleep(0.02)
    assert time.monotonic() - killed < 2


def test_the_audit_is_chained_and_append_only(control: PgControl) -> None:
    assert control.audit.verify() == (0, None)
    control.audit.intent("create", "profit", {"branch": "profit", "ü": [1.5, None]})
    control.audit.outcome("create", "profit", "done", {})
    assert control.audit.verify() == (2, None)
    newest = control.audit.entries(1)[0]
    assert (newest["phase"], newest["person"], newest["result"]) == ("outcome", "ann@example.com", "done")
    for statement in (
        "UPDATE kitchen_control.audit SET person = 'bob'",
        "DELETE FROM kitchen_control.audit",
        "TRUNCATE kitchen_control.audit",
    ):
        with pytest.raises(NotPermitted, match="append-only"):
            control.session.execute(statement)


_ONE_MORE = """
INSERT INTO kitchen_control.audit SELECT 4, at, login, person, host, phase, action, subject, result, detail, previous,
    hash FROM kitchen_control.audit WHERE position = 3
"""


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE kitchen_control.audit SET person = 'bob' WHERE position = 2", "entry 2 was altered"),
        ("UPDATE kitchen_control.audit SET detail = '{}' WHERE position = 1", "entry 1 was altered"),
        ("UPDATE kitchen_control.audit SET at = at + interval '1 microsecond' WHERE position = 3", "entry 3 was alt"),
        ("DELETE FROM kitchen_control.audit WHERE position = 2", "entry 2 is missing"),
        ("DELETE FROM kitchen_control.audit WHERE position = 3", "entries after 2 are missing"),
        ("UPDATE kitchen_control.audit SET hash = repeat('0', 64) WHERE position = 1", "entry 1 was altered"),
        (_ONE_MORE, "entry 4 does not belong"),
    ],
)
def test_whoever_gets_round_the_trigger_is_found(
    warehouse: Warehouse, control: PgControl, statement: str, found: str
) -> None:
    for number in range(3):
        control.audit.intent("create", f"k{number}", {"number": number})
    with connect(warehouse.superuser, application="tests") as session:
        session.execute("SET session_replication_role = replica; " + statement)
    wrong = control.audit.verify()[1]
    assert wrong is not None
    assert wrong.startswith(found)


CUT = """
SET session_replication_role = replica; DELETE FROM kitchen_control.audit WHERE position > 1;
UPDATE kitchen_control.audit_head SET (position, hash) = (SELECT position, hash FROM kitchen_control.audit)
"""


def test_who_cuts_the_audit_and_its_head_is_found_by_those_who_looked_before(
    warehouse: Warehouse, control: PgControl, tmp_path: Path
) -> None:
    file = tmp_path / "state" / "audit.seen"
    assert verify_audit(control.audit, file) == (0, None)
    for number in range(3):
        control.audit.intent("create", f"k{number}", {})
    assert verify_audit(control.audit, file) == (3, None)
    with connect(warehouse.superuser, application="tests") as session:
        session.execute(CUT)
    assert control.audit.verify() == (1, None), "nobody else can tell"
    for again in range(3):
        count, wrong = verify_audit(control.audit, file)
        assert wrong == f"entry 3, which was seen here before, is gone or another one (remembered in {file})"
        assert count == again + 1
        control.audit.intent("create", "another", {})  # as long as before, and not the same
    with connect(warehouse.superuser, application="tests") as session:
        session.execute("UPDATE kitchen_control.audit_head SET chain = gen_random_uuid()")
    assert "another chain" in str(verify_audit(control.audit, file)[1])


def test_migrations_are_applied_once_by_many(warehouse: Warehouse) -> None:
    controls = [PgControl(warehouse.sessions, environment="dev", person=str(n)) for n in range(6)]
    failures: list[BaseException] = []

    def install(control: PgControl) -> None:
        try:
            control.install()
        except BaseException as failure:  # noqa: BLE001 - carried to the test's own thread
            failures.append(failure)

    threads = [threading.Thread(target=install, args=[control]) for control in controls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    rows = controls[0].session.query("SELECT number FROM kitchen_control.migration ORDER BY number")
    assert [number for (number,) in rows] == list(migrate.migrations())
    for control in controls:
        control.session.close()


def test_a_newer_control_schema_is_refused(warehouse: Warehouse, control: PgControl) -> None:
    control.install()
    control.session.execute("INSERT INTO kitchen_control.migration (number, name) VALUES (9000, 'later')")
    older = PgControl(warehouse.sessions, environment="dev", person="bob")
    with pytest.raises(Refused, match="newer than this kitchen"):
        older.kitchens.all()


def test_an_older_control_schema_that_others_use_is_brought_up_to_date_only_when_asked(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = migrate.migrations()
    newest = max(known)
    with monkeypatch.context() as earlier:
        earlier.setattr(migrate, "migrations", lambda: {number: known[number] for number in known if number < newest})
        PgControl(warehouse.sessions, environment="dev", person="ann").install()
    warehouse.sessions.upgrades = False
    newer = PgControl(warehouse.sessions, environment="dev", person="bob")
    with pytest.raises(Refused, match=f"older than this kitchen .migration {newest - 1} of {newest}") as refused:
        newer.kitchens.all()
    assert refused.value.hint is not None
    assert "kitchen up" in refused.value.hint
    with connect(warehouse.superuser, application="tests") as session:
        assert session.query("SELECT max(number) FROM kitchen_control.migration") == [(newest - 1,)]
    warehouse.sessions.upgrades = True
    assert newer.kitchens.all() == ()
    newer.session.close()


def test_nothing_in_the_control_schema_is_open_to_others(warehouse: Warehouse, control: PgControl) -> None:
    control.install()
    with connect(warehouse.superuser, application="tests") as session:
        session.execute("CREATE ROLE nosy LOGIN")
        try:
            closed = session.query(
                "SELECT has_schema_privilege('nosy', 'kitchen_control', 'USAGE, CREATE'), "
                "(SELECT bool_or(has_table_privilege('nosy', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')) "
                " FROM pg_class c WHERE relnamespace = 'kitchen_control'::regnamespace AND relkind = 'r'), "
                "(SELECT bool_or(has_function_privilege('nosy', p.oid, 'EXECUTE')) "
                " FROM pg_proc p WHERE pronamespace = 'kitchen_control'::regnamespace)"
            )
        finally:
            session.execute("DROP ROLE nosy")
    assert closed == [(False, False, False)]


def test_a_session_that_was_cut_comes_back(warehouse: Warehouse, control: PgControl) -> None:
    control.kitchens.add(_kitchen("dev"))
    pid = control.session.connection.get_backend_pid()
    with connect(warehouse.superuser, application="tests") as session:
        session.query("SELECT pg_terminate_backend(%s, 5000)", [pid])
    with pytest.raises(Unavailable):
        control.kitchens.all()
    assert [kitchen.name for kitchen in control.kitchens.all()] == ["dev"]


def test_a_transaction_that_was_cut_does_not_go_on_elsewhere(warehouse: Warehouse, control: PgControl) -> None:
    control.kitchens.add(_kitchen("dev"))
    with pytest.raises(Unavailable):
        _update_over_a_cut(warehouse, control)
    found = control.kitchens.get("dev")
    assert found is not None
    assert (found.owner, found.ticket) == ("ann@example.com", "ABC-1")


def _update_over_a_cut(warehouse: Warehouse, control: PgControl) -> None:
    with control.session.transaction():
        control.session.execute("UPDATE kitchen_control.kitchen SET owner = 'bob'")
        with connect(warehouse.superuser, application="tests") as session:
            session.query("SELECT pg_terminate_backend(%s, 5000)", [control.session.connection.get_backend_pid()])
        with suppress(Unavailable):
            control.session.execute("UPDATE kitchen_control.kitchen SET ticket = 'half'")
        control.session.execute("UPDATE kitchen_control.kitchen SET ticket = 'second half'")


def test_a_transaction_within_another_commits_with_it(control: PgControl) -> None:
    dev = _kitchen("dev")
    control.kitchens.add(dev)
    with suppress(ZeroDivisionError), control.session.transaction():
        control.kitchens.save(replace(dev, ticket="half"), expected=State.READY)
        control.audit.outcome("create", "dev", "done", {})
        raise ZeroDivisionError
    assert control.kitchens.get("dev") == dev
    assert control.audit.verify() == (0, None)
