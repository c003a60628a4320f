"""What several modules of contracts share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kitchen.adapters.postgres.connection import PgSession, connect
from tests.contracts.offices import Office
from tests.support import Warehouse


@pytest.fixture
def office(warehouse: Warehouse) -> Iterator[Office]:
    made = Office(warehouse)
    yield made
    for person in (made.ann, made.bob):
        person.control.session.close()


@pytest.fixture
def victim(office: Office) -> Iterator[PgSession]:
    with connect(office.others, application="tests") as session:
        yield session
