"""What a release replaced is let go of by ``kitchen prune``, and never under an operation that may bring it back."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from kitchen.domain.journal import Operation, OperationState
from kitchen.operations.archives import prunable_archives
from tests import report
from tests.bench import Bench, opened
from tests.faults.test_crashes_deliver import _changed, _merge
from tests.report import create


@pytest.fixture
def bench() -> Iterator[Bench]:
    with opened("dev") as made:
        report.ground(made, "dev")
        create(made, "work")
        yield made


def _archives(bench: Bench) -> set[str]:
    with bench.fresh().services("dev").sessions.as_administrator() as session:
        return {name for (name,) in session.query("SELECT nspname FROM pg_namespace WHERE nspname ~ '^dev__r[0-9]+$'")}


def test_what_may_still_be_brought_back_is_not_pruned(bench: Bench) -> None:
    app = bench.fresh()
    services = app.services("dev")
    for _ in range(4):
        _changed(bench)
        _merge(app, "work")
    kept = _archives(bench)
    assert len(kept) == 4
    with services.sessions.as_administrator() as session:
        session.execute("UPDATE kitchen_control.release SET released_at = released_at - interval '30 days'")
    (oldest,) = {archive.schema for archive in prunable_archives(services, datetime.now(UTC))}

    unfinished = Operation(
        uuid4(), "rollback", "dev", {}, OperationState.RUNNING, "ann", socket.gethostname(), os.getpid(), "0",
        datetime.now(UTC),
    )  # fmt: skip
    services.control.journal.begin(unfinished)
    bench.project.kitchen("prune", "-e", "dev", "--yes")
    assert _archives(bench) == kept, "its process was killed: recover needs what is kept"
    services.control.journal.finish(unfinished.id, OperationState.UNDONE)

    with services.control.locks.hold("dev", purpose="rollback"):
        said = bench.project.kitchen("prune", "-e", "dev", "--yes").stderr
        assert f"{oldest} stays: 'dev' is locked" in said
    assert _archives(bench) == kept

    bench.project.kitchen("prune", "-e", "dev", "--yes")
    assert _archives(bench) == kept - {oldest}
