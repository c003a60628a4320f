"""What the tests of faults share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bench import Bench, opened


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """Return a project with ``dev`` up, for the tests of one module."""
    with opened("dev") as made:
        yield made
