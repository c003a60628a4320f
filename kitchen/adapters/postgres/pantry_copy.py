"""Brings masked rows into a pantry: streamed between two databases, by INSERT … SELECT within one.

Nothing is stored on the way, and memory does not grow with rows.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg2
from psycopg2.extensions import QueryCanceledError

from kitchen.adapters.postgres.connection import PgSession, connect, translated
from kitchen.adapters.postgres.pantry_fit import Fit, Target, fit_insert, fit_relay, read_targets
from kitchen.adapters.postgres.source import PgSnapshot, open_reader, open_writer, table_states
from kitchen.adapters.postgres.structure_text import qualified, quote
from kitchen.domain.connection import Credentials
from kitchen.domain.layout import TableName
from kitchen.errors import Conflict, KitchenError, Refused
from kitchen.ports import CopyJob

_BUFFER = 1 << 20
_PIPE = 1 << 20
_POLL = 0.5  # seconds
_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ, which Python 3.11 names on Linux only
_TARGET = [
    "search_path=pg_catalog",
    "client_encoding=UTF8",
    "synchronous_commit=off",
    "datestyle=ISO",
    "intervalstyle=postgres",
]

Report = Callable[[int, int], None]  # rows so far, bytes so far


@dataclass(slots=True)
class Relay:
    """Where rows come from, at which moment, and where they go; what was found out about that is kept."""

    snapshot: PgSnapshot
    target: Credentials
    targets: Mapping[TableName, Target] = field(default_factory=dict)
    within: bool = False  # source and target are one database
    alone: frozenset[TableName] = frozenset()  # tables that one job fills
    fits: dict[tuple[TableName, tuple[str, ...]], Fit] = field(default_factory=dict)


def copy_all(
    relay: Relay, jobs: Sequence[tuple[CopyJob, TableName]], *, workers: int, report: Report
) -> dict[TableName, int]:
    """Copy every job into its physical table, several at a time, and return the rows of each logical table.

    The first failure ends them all. Raises Refused or KitchenError without any value of a row in it.
    """
    stop = threading.Event()
    rows: dict[TableName, int] = {job.table: 0 for job, _ in jobs}
    done = [0]
    guard = threading.Lock()
    _look(relay, jobs)

    def one(job: CopyJob, target: TableName) -> None:
        if stop.is_set():
            return
        insert = relay.within and job.is_ours and relay.snapshot.readable_by(relay.target, job.part or job.source)
        copied = _insert(relay, job, target, stop) if insert else _relay(relay, job, target, stop)
        with guard:
            rows[job.table] += copied
            done[0] += copied

    ordered = sorted(jobs, key=lambda item: -item[0].weight)
    with ThreadPoolExecutor(max_workers=workers) as pool, _Progress(relay.target) as progress:
        futures = {pool.submit(one, job, target) for job, target in ordered}
        try:
            pending = futures
            while pending:
                finished, pending = wait(pending, timeout=_POLL, return_when=FIRST_EXCEPTION)
                if failed := next((f for f in finished if f.exception() is not None), None):
                    raise failed.exception() or KitchenError("a copy failed")
                report(done[0] + (progress.rows() if pending else 0), progress.bytes)
        except BaseException:
            stop.set()
            for future in futures:
                future.cancel()
            raise
    return rows


def _look(relay: Relay, jobs: Sequence[tuple[CopyJob, TableName]]) -> None:
    """Find out what the targets take, and whether the source is in the same database."""
    counted = Counter(target for _, target in jobs)
    with connect(relay.target, application="kitchen: pantry", options=_TARGET) as session:
        relay.targets = read_targets(session, {target.schema for target in counted})
        relay.within = relay.snapshot.is_within(session)
    relay.alone = frozenset(target for target, number in counted.items() if number == 1)


class _Progress:
    """Asks the target how far its copies are."""

    def __init__(self, target: Credentials) -> None:
        self._session = connect(target, application="kitchen: pantry progress", options=["search_path=pg_catalog"])
        self.bytes = 0

    def rows(self) -> int:
        found = self._session.query(
            "SELECT coalesce(sum(p.tuples_processed), 0)::bigint, coalesce(sum(p.bytes_processed), 0)::bigint"
            " FROM pg_stat_progress_copy p WHERE p.datname = current_database() AND p.command = 'COPY FROM'"
        )
        self.bytes = int(found[0][1])
        return int(found[0][0])

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()


def _relay(relay: Relay, job: CopyJob, target: TableName, stop: threading.Event) -> int:
    reading, writing = os.pipe()
    with suppress(OSError):  # a smaller pipe is only slower
        fcntl.fcntl(writing, _SET_PIPE_SIZE, _PIPE)
    settings = [setting.reveal() for setting in job.settings]
    source = _open_source(relay.snapshot, job, settings)
    sink = connect(relay.target, application="kitchen: pantry", options=_TARGET, lasting=True)
    sent: list[int | BaseException] = []
    try:
        way = _way(relay, source, job, target)
        sender = threading.Thread(target=_send, args=(source, way, writing, sent), daemon=True)
        watcher = threading.Thread(target=_cancel_on, args=(stop, sender, source, sink), daemon=True)
        sender.start()
        watcher.start()
        return _receive(sink, job, way, reading, sender=sender, sent=sent)
    finally:
        source.close()
        sink.close()


@dataclass(frozen=True, slots=True)
class _Way:
    """The two statements of one stream, and what comes before the second."""

    source: str
    before: str | None
    sink: str


def _way(relay: Relay, source: PgSession, job: CopyJob, target: TableName) -> _Way:
    try:
        select, fit = _fitted(relay, source, job, target, fit_relay)
    except psycopg2.Error as error:
        raise _source_error(job, error) from None
    options = ["FORMAT binary"] if fit.binary else []
    before = None
    if target in relay.alone and relay.targets[target].is_plain:
        # emptied in the same transaction the table needs no log where the server keeps none for others, and its rows
        # are frozen from the start
        before = f"TRUNCATE ONLY {qualified(target)}"
        options.append("FREEZE")
    columns = ", ".join(quote(column) for column in job.columns)
    ending = f" ({', '.join(options)})" if options else ""
    return _Way(
        f"COPY ({select}) TO STDOUT{' (FORMAT binary)' if fit.binary else ''}",
        before,
        f"COPY {qualified(target)} ({columns}) FROM STDIN{ending}",
    )


def _fitted(
    relay: Relay, session: PgSession, job: CopyJob, target: TableName, ask: Callable[..., Fit]
) -> tuple[str, Fit]:  # fmt: skip
    """Return the SELECT as its target takes it; all jobs of one table fit alike, so that each is asked about once."""
    key = (target, job.columns)
    select = job.statement()
    if key not in relay.fits:
        relay.fits[key] = ask(session, select, job.columns, relay.targets[target])
    return relay.fits[key].statement(select, job.columns), relay.fits[key]


def _insert(relay: Relay, job: CopyJob, target: TableName, stop: threading.Event) -> int:
    """Fill a table in the database of the source itself, at the source's moment."""
    settings = [setting.reveal() for setting in job.settings]
    session = open_writer(relay.target, snapshot=relay.snapshot.id, settings=settings)
    over = threading.Event()
    watcher = threading.Thread(target=_cancel_insert, args=(stop, over, session), daemon=True)
    try:
        watcher.start()
        _hold(session, relay.snapshot, job)
        select, _ = _fitted(relay, session, job, target, fit_insert)
        with session.connection.cursor() as cursor:
            if target in relay.alone and relay.targets[target].is_plain:
                cursor.execute(f"TRUNCATE ONLY {qualified(target)}")
            columns = ", ".join(quote(column) for column in job.columns)
            cursor.execute(f"INSERT INTO {qualified(target)} ({columns}) OVERRIDING SYSTEM VALUE {select}")
            copied = cursor.rowcount
        session.connection.commit()
        return copied
    except QueryCanceledError:
        raise Conflict(f"copying {job.table} was cancelled") from None
    except psycopg2.Error as error:
        raise _source_error(job, error) from None
    finally:
        over.set()
        session.close()


def _cancel_insert(stop: threading.Event, over: threading.Event, session: PgSession) -> None:
    while not over.wait(_POLL):
        if stop.is_set():
            with suppress(psycopg2.Error):  # over already
                session.connection.cancel()
            return


def _open_source(snapshot: PgSnapshot, job: CopyJob, settings: Sequence[str]) -> PgSession:
    """Open a session that may read a table, kept as it was at the moment; raises Conflict where it is not any more."""
    source = open_reader(snapshot.credentials, snapshot=snapshot.id, settings=settings)
    try:
        _hold(source, snapshot, job)
    except BaseException:
        source.close()
        raise
    return source


def _hold(session: PgSession, snapshot: PgSnapshot, job: CopyJob) -> None:
    """Keep a table, or a partition alone, from being rewritten; raise Conflict where a table already was.

    What happened to partitions is seen at the end, in all of them at once (``PgSnapshot.refuse_changes``).
    """
    session.execute(f"LOCK TABLE {qualified(job.part or job.source)} IN ACCESS SHARE MODE")
    if job.part is not None:
        return
    now = table_states(snapshot.credentials, [job.source.schema], only=job.source.name)
    if now.get(job.source) != snapshot.states.get(job.source):
        raise Conflict(
            f"the source changed while it was read: {job.source} was rewritten or replaced",
            hint="kitchen pantry refresh",
        )


def _cancel_on(stop: threading.Event, sender: threading.Thread, source: PgSession, sink: PgSession) -> None:
    while sender.is_alive():
        if stop.wait(_POLL):
            for session in (source, sink):
                with suppress(psycopg2.Error):  # over already
                    session.connection.cancel()
            return


def _send(source: PgSession, way: _Way, writing: int, sent: list[int | BaseException]) -> None:
    try:
        with os.fdopen(writing, "wb", buffering=_BUFFER) as pipe, source.connection.cursor() as cursor:
            cursor.copy_expert(way.source, pipe)
            sent.append(cursor.rowcount)
    except BaseException as error:  # noqa: BLE001 - the receiving thread raises it
        sent.append(error)


def _receive(
    sink: PgSession, job: CopyJob, way: _Way, reading: int, *, sender: threading.Thread,
    sent: list[int | BaseException],
) -> int:  # fmt: skip
    received: int | None = None
    failure: BaseException | None = None
    with sink.transaction():
        try:
            with os.fdopen(reading, "rb", buffering=_BUFFER) as pipe, sink.connection.cursor() as cursor:
                if way.before is not None:
                    cursor.execute(way.before)
                cursor.copy_expert(way.sink, pipe, size=_BUFFER)
                received = cursor.rowcount
        except psycopg2.Error as error:
            failure = error
        sender.join()  # the pipe's other end is closed: it ends
        _judge(job, sent[0] if sent else None, received, failure)
    return received or 0


def _judge(job: CopyJob, sent: int | BaseException | None, received: int | None, failure: BaseException | None) -> None:
    """Raise what went wrong, the source's fault first: an early end of its rows looks like success to the target."""
    broken = isinstance(sent, BrokenPipeError) or isinstance(getattr(sent, "__cause__", None), BrokenPipeError)
    if isinstance(sent, QueryCanceledError) or isinstance(failure, QueryCanceledError):
        raise Conflict(f"copying {job.table} was cancelled")
    if isinstance(sent, psycopg2.Error) and not broken and (failure is None or sent.pgcode is not None):
        raise _source_error(job, sent) from None
    if isinstance(failure, psycopg2.Error):
        with translated(f"copying {job.table} into the pantry"):
            raise failure
    if isinstance(sent, BaseException):
        raise sent
    if sent != received:
        raise KitchenError(f"{job.table}: the source sent {sent} rows and the pantry took {received}")


def _source_error(job: CopyJob, error: psycopg2.Error) -> KitchenError:
    """Return the error without the server's words, which may quote a value."""
    kind = type(error).__name__
    if error.pgcode is None:
        return KitchenError(f"reading {job.table}: the source went away", hint="kitchen doctor")
    if kind == "InsufficientPrivilege" or "row-level security" in str(error):
        return Refused(
            f"reading {job.table}: row security would hide rows, or the provisioner may not read it",
            hint="let the provisioner read all rows of the table",
        )
    return Refused(
        f"reading {job.table} masked failed on the source: {kind} ({error.pgcode})",
        hint="the source server's log has the details; check `where` and `sql` in masking.yaml",
    )
