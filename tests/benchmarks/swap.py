"""Publishing 100 tables with two indexes each under 8 readers: how long the locks are held, and what readers notice.

Readers pause 2 ms between transactions of two joins; with ``--saturating`` they do not pause. Run by hand:
``python -m tests.benchmarks.swap [--swaps 20] [--tables 100] [--saturating]``.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import threading
import time
from pathlib import Path

from kitchen.adapters.embedded.postgres import EmbeddedPostgres
from kitchen.adapters.postgres.connection import connect
from kitchen.adapters.postgres.publisher import PgPublisher
from kitchen.errors import KitchenError
from kitchen.ports import Arrival, Publication
from tests.conftest import _home
from tests.support import PasswordsInMemory, Server, Warehouse

READERS = 8
BUDGET_LOCKED, BUDGET_THROUGH = 0.050, 0.2  # seconds


class Readers:
    """Eight readers of pairs of tables that always carry the same version."""

    def __init__(self, warehouse: Warehouse, tables: int, pause: float) -> None:
        self.warehouse, self.tables, self.pause = warehouse, tables, pause
        self.failed: list[str] = []
        self.mixed = 0
        self.reads = 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(number,)) for number in range(READERS)]

    def __enter__(self) -> Readers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _read(self, number: int) -> None:
        with connect(self.warehouse.administrator, application=f"reader {number}") as session:
            at = number
            while not self._stop.is_set():
                at = (at + 7) % (self.tables - 1)
                try:
                    ((a, b),) = session.query(
                        f"SELECT a.version, b.version FROM shop.t{at} AS a JOIN shop.t{at + 1} AS b USING (id) LIMIT 1"
                    )
                except (KitchenError, ValueError) as error:
                    self.failed.append(str(error))
                else:
                    self.reads += 1
                    self.mixed += a != b
                time.sleep(self.pause)


def measure(warehouse: Warehouse, *, tables: int, swaps: int, pause: float) -> dict[str, object]:
    """Publish the tables again and again and return what was seen."""
    session = warehouse.sessions.as_administrator()
    session.execute("CREATE SCHEMA shop; CREATE SCHEMA cand")
    publisher = PgPublisher(session)

    def build(schema: str, version: int) -> None:
        for at in range(tables):
            session.execute(
                f"CREATE TABLE {schema}.t{at} (id int PRIMARY KEY, version int, said text);"
                f"INSERT INTO {schema}.t{at} SELECT n, {version}, 'x' FROM generate_series(1, 20) AS n;"
                f"CREATE INDEX ON {schema}.t{at} (version)"
            )

    build("shop", 0)
    locked, through, attempts = [], [], []
    with Readers(warehouse, tables, pause) as readers:
        for version in range(1, swaps + 1):
            build("cand", version)
            arrivals = tuple(Arrival(name, "shop") for name in publisher.contents(["cand"]))
            publication = Publication(arrivals, (), {"shop": f"shop__r{version}"}, "kitchen_provisioner")
            began = time.perf_counter()
            done = publisher.publish(publication, wait=30, record=lambda _: None)
            through.append(time.perf_counter() - began)
            locked.append(done.seconds)
            attempts.append(done.attempts)
            session.execute(f"DROP SCHEMA shop__r{version} CASCADE")
    session.close()
    return {
        "locked": statistics.median(locked), "locked max": max(locked), "through": statistics.median(through),
        "through max": max(through), "attempts": statistics.median(attempts), "reads": readers.reads,
        "failed": len(readers.failed), "mixed": readers.mixed,
    }  # fmt: skip


def main() -> None:
    """Measure on the embedded server and say whether the budgets hold."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--tables", type=int, default=100)
    asked.add_argument("--swaps", type=int, default=20)
    asked.add_argument("--saturating", action="store_true")
    chosen = asked.parse_args()
    home: Path = _home()
    embedded = EmbeddedPostgres(home / "bench" / "main" / "postgres", "main", PasswordsInMemory())
    try:
        embedded.start()
        warehouse = Server(embedded, 18).make()
        pause = 0.0 if chosen.saturating else 0.002
        for name, value in measure(warehouse, tables=chosen.tables, swaps=chosen.swaps, pause=pause).items():
            budget = {"locked": BUDGET_LOCKED, "through": BUDGET_THROUGH, "failed": 0, "mixed": 0}.get(name)
            shown = f"{value * 1000:.1f} ms" if isinstance(value, float) and name != "attempts" else str(value)
            verdict = "" if budget is None else ("  ok" if float(str(value)) <= budget else "  OVER BUDGET")
            print(f"{name:12} {shown}{verdict}")  # noqa: T201
    finally:
        embedded.stop()
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
