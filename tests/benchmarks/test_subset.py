"""A tenth of a ten-million-row schema, with a circle and self references, is chosen and copied in half a minute."""

from __future__ import annotations

from tests.benchmarks.subset import measured
from tests.support import Server

ROWS = 10_000_000
BUDGET = 30.0  # seconds, on two cores


def test_a_tenth_of_ten_million_rows_dangles_nowhere(postgres18: Server) -> None:
    with postgres18.database() as production, postgres18.database() as target:
        found = measured(production, target, ROWS, 0.1)
    assert found["dangling"] == 0
    assert 0.05 * found["of"] < found["rows"] < 0.2 * found["of"]
    assert found["choosing"] <= BUDGET
