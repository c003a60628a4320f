"""How fast a pantry is filled, against a plain COPY relay of the same rows between the same two servers.

    python -m tests.benchmarks.pantry [ROWS]

Prints ratios of one run: the masked copy and the whole refresh (keys, indexes, leak checks) against the plain relay,
and the peak memory of this process.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable

from kitchen.adapters.postgres.connection import connect
from kitchen.adapters.postgres.pantry import PgPantryStore
from kitchen.adapters.postgres.source import PgSource
from kitchen.domain.layout import Layout, TableName
from kitchen.domain.masking import Decision, MaskKind, Policy, TablePolicy
from kitchen.domain.secret import Secret
from kitchen.masking.keys import MaskingKey
from kitchen.operations import pantry_refresh, pantry_verify
from kitchen.operations.pantry_check import examine
from kitchen.ports import CopyJob
from tests.conftest import _server
from tests.support import Warehouse

_PEOPLE = """
CREATE TABLE public.people AS SELECT n AS id, 'First' || n % 5000 AS first_name, 'Last' || n % 20000 AS last_name,
    'first' || n || '@mail.example.com' AS email, '+44 20 ' || 1000000 + n AS phone,
    n % 200 || ' Some Street' AS street, 'Town' || n % 900 AS city, date '1950-01-01' + n % 20000 AS born,
    'account' || n AS login, 'some words about person ' || n || ' that nobody else should read' AS notes,
    now() AS created_at, (n % 1000)::numeric(8, 2) AS balance
FROM generate_series(1, {rows}) n;
ALTER TABLE public.people ADD PRIMARY KEY (id);
ANALYZE public.people;
"""
_MASKS = {
    "first_name": MaskKind.FIRST_NAME, "last_name": MaskKind.LAST_NAME, "email": MaskKind.EMAIL,
    "phone": MaskKind.PHONE, "street": MaskKind.STREET, "city": MaskKind.CITY, "born": MaskKind.DATE,
    "login": MaskKind.USER_NAME,
}  # fmt: skip


def _policy() -> Policy:
    columns = {name: Decision(mask, subject="id") for name, mask in _MASKS.items()}
    kept = ("id", "notes", "created_at", "balance")
    columns |= {name: Decision(MaskKind.KEEP, why="the benchmark masks eight of twelve") for name in kept}
    return Policy({"people": TablePolicy(columns)})


def _timed(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def _plain(source: PgSource, store: PgPantryStore, version: int) -> float:
    """Copy the rows unmasked, in one stream, as `COPY … TO | COPY … FROM` does."""
    names = ("id", *_MASKS, "notes", "created_at", "balance")
    with source.snapshot() as snapshot:
        store.make(version, snapshot)
        select = f"SELECT {', '.join(names)} FROM public.people"
        people = TableName("public", "people")
        job = CopyJob(people, people, select, names, (), 1)
        return _timed(lambda: store.copy(version, snapshot, [job], workers=1, report=lambda _r, _b: None))


def _masked(source: PgSource, store: PgPantryStore, version: int, workers: int) -> tuple[float, float]:
    policy = _policy()
    started = time.monotonic()
    with source.snapshot() as snapshot:
        examined = examine(snapshot, policy, newest=None)
        assert not examined.stopping, examined.stopping
        wish = pantry_refresh.Refresh(source, "production", None, policy, workers=workers)  # type: ignore[arg-type]
        taken, suspects = pantry_verify.look_at_production(snapshot, examined.catalogue, policy)
        _tell(f"    looking at production: {time.monotonic() - started:.2f} s")
        key = MaskingKey(Secret("0123456789abcdef" * 4))
        jobs = pantry_refresh.copy_jobs(wish, snapshot, examined, key, taken)
        structure, _ = store.make(version, snapshot)
        rows: dict[TableName, int] = {}
        copy = _timed(
            lambda: rows.update(store.copy(version, snapshot, jobs, workers=workers, report=lambda _r, _b: None))
        )
        store.finish(version, structure)
        checked = pantry_verify.verify(
            pantry_verify.Subject(store, version, policy, examined.catalogue, snapshot, rows, suspects)
        )
        assert all(check.passed for check in checked), checked
        for check in checked:
            _tell(f"    {check.name}: {check.seconds:.2f} s")
    return copy, time.monotonic() - started


def _fill(production: Warehouse, rows: int) -> None:
    with connect(production.administrator, application="benchmark") as session:
        session.execute(_PEOPLE.format(rows=rows))


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")


def main(rows: int) -> None:
    """Fill production, copy it plainly and masked, and print the ratios."""
    servers = [_server(18, None), _server(18, None)]
    one, other = (next(server) for server in servers)
    try:
        production, target = one.make(), other.make()
        _fill(production, rows)
        source = PgSource(production.sessions, ("public",))
        store = PgPantryStore(target.sessions, Layout(("public",), holds_production=False), "bench")
        plain = min(_plain(source, store, version) for version in (1, 2))
        _tell(f"plain COPY relay: {plain:.2f} s, {rows / plain:,.0f} rows/s")
        for version, workers in ((3, 1), (4, 2)):
            copy, everything = _masked(source, store, version, workers)
            _tell(f"masked, {workers} at a time: {copy:.2f} s, {rows / copy:,.0f} rows/s, {plain / copy:.2f} x plain")
            _tell(f"  with keys, indexes and leak checks: {everything:.2f} s, {plain / everything:.2f} x plain")
        _tell(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    finally:
        for server in servers:
            server.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
