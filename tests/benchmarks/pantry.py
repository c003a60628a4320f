"""How fast a pantry is filled, against a plain COPY relay of the same rows between the same two servers.

    python -m tests.benchmarks.pantry [ROWS] [ROUNDS]

Refreshes as ``kitchen pantry refresh`` does it, policy check, primary key, statistics and leak checks included, in a
process of its own whose peak memory is read from the kernel. The plain relay is `COPY … TO STDOUT | COPY … FROM STDIN`
of the same rows as text, into a table without any index. Both are done in turn, and the best of each is compared: by
the clock, and by the seconds of processor that both servers and the command took, which other work on the machine
disturbs less. Faker, row by row, is measured where it is installed (`pip install .[benchmark]`).
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from kitchen.adapters.postgres.connection import connect
from kitchen.domain.connection import Credentials
from kitchen.domain.masking import Decision, MaskKind, Policy, TablePolicy
from kitchen.operations.pantry_refresh import Refresh, refresh
from tests.conftest import _server
from tests.contracts.pantries import Place, Production
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
_COLUMNS = ("id", *_MASKS, "notes", "created_at", "balance")
_FAKED = 5_000


@dataclass
class _Spent:
    """What one piece of work took."""

    wall: float
    processor: float


def _policy() -> Policy:
    columns = {name: Decision(mask, subject="id") for name, mask in _MASKS.items()}
    kept = ("id", "notes", "created_at", "balance")
    columns |= {name: Decision(MaskKind.KEEP, why="the benchmark masks eight of twelve") for name in kept}
    return Policy({"people": TablePolicy(columns)})


def _processor_of(postmaster: int) -> float:
    """Return the seconds of processor that a server took so far, ended sessions included."""
    ticks = 0
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(folder.name) == postmaster:
            ticks += sum(map(int, fields[11:15]))  # its own and of children that have ended
        elif int(fields[1]) == postmaster:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _postmaster(warehouse: Warehouse) -> int:
    with connect(warehouse.superuser, application="benchmark") as session:
        folder = session.query("SHOW data_directory")[0][0]
    return int((Path(folder) / "postmaster.pid").read_text().splitlines()[0])


def _own() -> float:
    return sum(
        used.ru_utime + used.ru_stime
        for used in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def _plain(source: Credentials, target: Credentials) -> None:
    names = ", ".join(_COLUMNS)
    with connect(target, application="benchmark") as sink, connect(source, application="benchmark") as origin:
        sink.execute("DROP TABLE IF EXISTS public.plain")
        sink.execute(
            "CREATE TABLE public.plain (id int, first_name text, last_name text, email text, phone text, street text,"
            " city text, born date, login text, notes text, created_at timestamptz, balance numeric(8, 2))"
        )
        reading, writing = os.pipe()

        def send() -> None:
            with os.fdopen(writing, "wb", buffering=1 << 20) as pipe, origin.connection.cursor() as cursor:
                cursor.copy_expert(f"COPY (SELECT {names} FROM public.people) TO STDOUT", pipe)

        sender = threading.Thread(target=send)
        sender.start()
        with os.fdopen(reading, "rb", buffering=1 << 20) as pipe, sink.connection.cursor() as cursor:
            cursor.copy_expert(f"COPY public.plain ({names}) FROM STDIN", pipe, size=1 << 20)
        sender.join()


def _refreshed(source: Credentials, target: Credentials) -> None:
    """Refresh twice in this process and print what each took and the peak of memory."""
    production, place = Production(Warehouse(source, source, 18)), Place(Warehouse(target, target, 18))
    wish = Refresh(production.source, "production", production.secrets, _policy())
    started = time.monotonic()
    version = refresh(place, wish, say=lambda text: _tell(f"    {text}"))
    wall = time.monotonic() - started
    manifest = next(found.manifest for found in place.control.pantries.all() if found.version == version)
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    sys.stdout.write(json.dumps({
        "wall": wall, "peak": int(peak.split()[1]) / 1024, "seconds": manifest["seconds"],
        "checks": {check["name"]: check["seconds"] for check in manifest["checks"]},  # type: ignore[attr-defined]
    }) + "\n")  # fmt: skip


def _spent(servers: list[int], work: object) -> _Spent:
    assert callable(work)
    started, before = time.monotonic(), _own() + sum(map(_processor_of, servers))
    work()
    return _Spent(time.monotonic() - started, _own() + sum(map(_processor_of, servers)) - before)


def _faker() -> float | None:
    """Return how many rows a second Faker makes, one call for each value, seeded by the row as it must be to repeat."""
    try:
        from faker import Faker  # type: ignore[import-not-found]
    except ImportError:
        return None
    faker = Faker()
    started = time.process_time()
    for row in range(_FAKED):
        faker.seed_instance(row)
        _ = (faker.first_name(), faker.last_name(), faker.email(), faker.phone_number(), faker.street_address(),
             faker.city(), faker.date_of_birth(), faker.user_name())  # fmt: skip
    return _FAKED / (time.process_time() - started)


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def main(rows: int, rounds: int) -> None:
    """Fill production, copy it plainly and refresh from it in turn, and print the ratios."""
    servers = [_server(18, None), _server(18, None)]
    one, other = (next(server) for server in servers)
    try:
        source, target = one.make(), other.make()
        with connect(source.administrator, application="benchmark") as session:
            for statement in _PEOPLE.format(rows=rows).split(";\n"):
                if statement.strip():
                    session.execute(statement)
        masters = [_postmaster(source), _postmaster(target)]
        plain: list[_Spent] = []
        masked: list[_Spent] = []
        told: list[dict[str, object]] = []
        for _ in range(rounds):
            plain.append(_spent(masters, lambda: _plain(source.administrator, target.administrator)))
            fresh = other.make()
            logins = json.dumps([w.administrator.to_secret() for w in (source, fresh)])
            command = [sys.executable, "-m", "tests.benchmarks.pantry", "--refresh"]

            def run(command: list[str] = command, logins: str = logins) -> None:
                done = subprocess.run(command, input=logins, stdout=subprocess.PIPE, text=True, check=True)
                told.append(json.loads(done.stdout))

            masked.append(_spent(masters, run))
        _report(rows, plain, masked, told)
    finally:
        for server in servers:
            server.close()


def _report(rows: int, plain: list[_Spent], masked: list[_Spent], told: list[dict[str, object]]) -> None:
    relay = min(spent.wall for spent in plain)
    best = min(told, key=lambda each: float(str(each["wall"])))
    whole = float(str(best["wall"]))
    copied = dict(best["seconds"])["copy"]  # type: ignore[call-overload]
    processor = min(spent.processor for spent in plain) / min(spent.processor for spent in masked)
    _say(f"plain COPY relay as text, no index: {relay:.2f} s, {rows / relay:,.0f} rows/s")
    _say(f"masked copy:   {copied:.2f} s, {rows / copied:,.0f} rows/s, {relay / copied:.2f} x plain")
    _say(f"whole refresh: {whole:.2f} s, {rows / whole:,.0f} rows/s, {relay / whole:.2f} x plain")
    _say(f"  {best['seconds']}\n  {best['checks']}")
    _say(f"by seconds of processor: {processor:.2f} x plain"
          f" ({min(s.processor for s in plain):.1f} s and {min(s.processor for s in masked):.1f} s)")  # fmt: skip
    _say(f"peak memory of the command (VmHWM): {max(float(str(each['peak'])) for each in told):.0f} MB")
    faked = _faker()
    if faked is None:
        _say("Faker is not installed: pip install .[benchmark]")
    else:
        _say(f"Faker, row by row: {faked:,.0f} rows/s; the whole refresh is {rows / whole / faked:.0f} x as fast")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--refresh"]:
        given = [Credentials.from_secret(kept) for kept in json.loads(sys.stdin.read())]
        _refreshed(*given)
    else:
        sizes = [int(text) for text in sys.argv[1:]]
        main(sizes[0] if sizes else 1_000_000, sizes[1] if len(sizes) > 1 else 3)
