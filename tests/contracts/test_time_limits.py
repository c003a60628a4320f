"""Time limits that an administrator sets for a database do not cut off what kitchen holds on purpose."""

from __future__ import annotations

import time

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.adapters.postgres.control import PgControl
from kitchen.adapters.postgres.source import PgSource
from kitchen.errors import Conflict
from tests.support import Warehouse

LIMITS = ("idle_in_transaction_session_timeout", "idle_session_timeout", "statement_timeout")


@pytest.fixture
def limited(warehouse: Warehouse) -> Warehouse:
    """Return a database whose sessions end after a second of almost anything."""
    control = PgControl(warehouse.sessions, environment="dev", person="ann@example.com")
    control.locks.held()  # its schema is there
    control.session.close()
    with connect(warehouse.superuser, application="tests") as session:
        for limit in (*LIMITS, *(("transaction_timeout",) if warehouse.version >= 17 else ())):
            session.execute(f"ALTER DATABASE {warehouse.superuser.database} SET {limit} = '1s'")
    return warehouse


def test_a_lock_is_held_as_long_as_the_work_takes(limited: Warehouse) -> None:
    ann, bob = (PgControl(limited.sessions, environment="dev", person=name) for name in ("ann", "bob"))
    with ann.locks.hold("profit", purpose="create"):
        time.sleep(2.5)
        with pytest.raises(Conflict, match="by ann"):
            bob.locks.hold("profit", purpose="delete").__enter__()
        assert ann.locks.held() == {"profit"}  # with the session of the records, which had nothing to do meanwhile
    with bob.locks.hold("profit", purpose="delete"):
        pass
    ann.session.close()
    bob.session.close()


def test_a_moment_of_the_source_is_held_while_it_is_copied(limited: Warehouse) -> None:
    with connect(limited.superuser, application="tests") as session:
        session.execute("CREATE TABLE public.seen (n int); GRANT SELECT ON public.seen TO kitchen_provisioner")
    with PgSource(limited.sessions, ["public"]).snapshot() as moment:
        assert moment.query("SELECT pg_sleep(2)::text") == [("",)]
        with connect(limited.superuser, application="tests") as session:
            session.execute("INSERT INTO public.seen VALUES (1)")
        assert moment.query("SELECT count(*) FROM public.seen") == [(0,)]
