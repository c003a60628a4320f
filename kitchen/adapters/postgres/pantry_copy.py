"""Streams masked rows from one server to another: nothing is stored on the way, and memory does not grow with rows."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import QueryCanceledError

from kitchen.adapters.postgres.connection import PgSession, connect, translated
from kitchen.adapters.postgres.source import PgSnapshot, open_reader, table_states
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


@dataclass(frozen=True, slots=True)
class Relay:
    """Where rows come from, at which moment, and where they go."""

    snapshot: PgSnapshot
    target: Credentials


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

    def one(job: CopyJob, target: TableName) -> None:
        if stop.is_set():
            return
        copied = _relay(relay, job, target, stop)
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
    sink = connect(relay.target, application="kitchen: pantry", options=_TARGET)
    sent: list[int | BaseException] = []
    sender = threading.Thread(target=_send, args=(source, job, writing, sent), daemon=True)
    watcher = threading.Thread(target=_cancel_on, args=(stop, sender, source, sink), daemon=True)
    try:
        sender.start()
        watcher.start()
        return _receive(sink, job, target, reading, sender=sender, sent=sent)
    finally:
        source.close()
        sink.close()


def _open_source(snapshot: PgSnapshot, job: CopyJob, settings: Sequence[str]) -> PgSession:
    """Open a session that may read a table, kept as it was at the moment; raises Conflict where it is not any more."""
    source = open_reader(snapshot.credentials, snapshot=snapshot.id, settings=settings)
    try:
        source.execute(f"LOCK TABLE {qualified(job.source)} IN ACCESS SHARE MODE")
        now = table_states(snapshot.credentials, [job.source.schema])
        if now.get(job.source) != snapshot.states.get(job.source):
            raise Conflict(
                f"the source changed while it was read: {job.source} was rewritten or replaced",
                hint="kitchen pantry refresh",
            )
    except BaseException:
        source.close()
        raise
    return source


def _cancel_on(stop: threading.Event, sender: threading.Thread, source: PgSession, sink: PgSession) -> None:
    while sender.is_alive():
        if stop.wait(_POLL):
            for session in (source, sink):
                with suppress(psycopg2.Error):  # over already
                    session.connection.cancel()
            return


def _send(source: PgSession, job: CopyJob, writing: int, sent: list[int | BaseException]) -> None:
    try:
        with os.fdopen(writing, "wb", buffering=_BUFFER) as pipe, source.connection.cursor() as cursor:
            cursor.copy_expert(f"COPY ({job.select}) TO STDOUT", pipe)
            sent.append(cursor.rowcount)
    except BaseException as error:  # noqa: BLE001 - the receiving thread raises it
        sent.append(error)


def _receive(
    sink: PgSession, job: CopyJob, target: TableName, reading: int, *, sender: threading.Thread,
    sent: list[int | BaseException],
) -> int:  # fmt: skip
    columns = ", ".join(quote(column) for column in job.columns)
    statement = f"COPY {qualified(target)} ({columns}) FROM STDIN"
    received: int | None = None
    failure: BaseException | None = None
    with sink.transaction():
        try:
            with os.fdopen(reading, "rb", buffering=_BUFFER) as pipe, sink.connection.cursor() as cursor:
                cursor.copy_expert(statement, pipe, size=_BUFFER)
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
    if isinstance(sent, psycopg2.Error) and not (broken or failure is not None):
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
