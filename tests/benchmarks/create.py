"""How long ``kitchen create`` takes, as a whole process, over a small and over a large pantry.

    python -m tests.benchmarks.create --rows 10000 --rows 2000000 --times 15

Both projects' servers run at once and take turns, so that both see the same noise. A row has about 500 bytes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from contextlib import ExitStack

from tests.bench import Bench, opened
from tests.support import Project

_FILL = """
CREATE TABLE people (id bigint PRIMARY KEY, email text, notes text);
INSERT INTO people SELECT n, 'p' || n || '@example.com', repeat(md5(n::text), 14) FROM generate_series(1, {rows}) AS n;
ANALYZE people;
"""
_MASKING = """
tables:
  people:
    id: {mask: keep, why: a number that says nothing}
    email: {mask: email, subject: id}
    notes: {mask: keep, why: generated for a benchmark}
"""


def _filled(bench: Bench, rows: int) -> Project:
    project = bench.project
    project.kitchen("enter", "production", "--", "psql", "-X", "-q", "-c", _FILL.format(rows=rows), timeout=900)
    (project.root / "environments" / "masking.yaml").write_text(_MASKING)
    project.kitchen("pantry", "refresh", timeout=1800)
    return project


def _timed(project: Project, name: str) -> float:
    begun = time.perf_counter()
    project.kitchen("create", name)
    taken = time.perf_counter() - begun
    project.kitchen("delete", name, "--yes")
    return taken


def measure(sizes: list[int], times: int) -> dict[int, list[float]]:
    """Return the seconds of each ``kitchen create`` by the number of rows in the pantry."""
    with ExitStack() as stack:
        projects = {rows: _filled(stack.enter_context(opened("production", "dev")), rows) for rows in sizes}
        taken: dict[int, list[float]] = {rows: [] for rows in sizes}
        for number in range(times + 1):
            for rows, project in projects.items():
                seconds = _timed(project, f"bench{number}")
                if number:  # the first finds cold caches
                    taken[rows].append(seconds)
    return taken


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, action="append")
    parser.add_argument("--times", type=int, default=15)
    told = parser.parse_args()
    sizes = told.rows or [2_000, 200_000]
    times = measure(sizes, told.times)
    found = [
        {"rows": rows, "megabytes": rows * 500 // 1_000_000, "median": round(statistics.median(taken), 3),
         "fastest": round(min(taken), 3)}
        for rows, taken in times.items()
    ]  # fmt: skip
    ratio = statistics.median(times[sizes[-1]]) / statistics.median(times[sizes[0]])
    sys.stdout.write(json.dumps({"create": found, "largest / smallest": round(ratio, 3)}, indent=2) + "\n")


if __name__ == "__main__":
    main()
