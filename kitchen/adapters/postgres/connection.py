"""Sessions on PostgreSQL: connecting, committing, and turning the server's errors into ours."""

from __future__ import annotations

import os
import re
import secrets as randomness
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg2
import psycopg2.extensions
from psycopg2 import errors

from kitchen.adapters.postgres.discretion import is_of_rows, without_values
from kitchen.adapters.postgres.patience import PatientConnection
from kitchen.domain.connection import Credentials
from kitchen.domain.login_advice import refused, silent
from kitchen.errors import Conflict, KitchenError, NotFound, NotPermitted, Unavailable

if TYPE_CHECKING:
    from kitchen.ports import Row

CONNECT_TIMEOUT = 10  # seconds
_LASTING = ("statement_timeout=0", "idle_in_transaction_session_timeout=0", "idle_session_timeout=0")
_WITH_TRANSACTION_TIMEOUT = 170000
_REFUSALS = (
    "authentication failed",
    "not permitted to log in",
    "no password supplied",
    "permission denied",
    "no pg_hba.conf",
)
_NO_DATABASE = re.compile(r'database ".*" does not exist')
_NO_ROLE = re.compile(r'role ".*" does not exist')
_FULL = ("remaining connection slots", "too many clients")
_UNTRUSTED = ("SSL", "certificate")


def message_of(error: psycopg2.Error, asked: psycopg2.extensions.connection | None = None) -> str:
    """Return the server's own words, without the statement (which may hold data).

    Where rows are not masked no value is in them. An error of a commit does not know which connection was ``asked``.
    """
    primary = error.diag.message_primary if error.diag is not None else None
    if primary is not None and _is_discreet(error, asked):
        return without_values(error)
    return primary or str(error).strip() or type(error).__name__


def detail_of(error: psycopg2.Error) -> str:
    """Return the server's detail in brackets: of an error of rows, where those are not masked, nothing."""
    detail = error.diag.message_detail
    return f" ({detail})" if detail and not (_is_discreet(error) and is_of_rows(error)) else ""


def _is_discreet(error: psycopg2.Error, asked: psycopg2.extensions.connection | None = None) -> bool:
    asked = error.cursor.connection if error.cursor is not None else asked
    return isinstance(asked, PatientConnection) and asked.is_discreet


@contextmanager
def translated(doing: str, *, asked: psycopg2.extensions.connection | None = None) -> Iterator[None]:
    """Raise this package's errors for psycopg2's, most specific first."""
    try:
        yield
    except errors.InsufficientPrivilege as error:
        raise NotPermitted(f"{doing}: {message_of(error, asked)}") from error
    except (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure) as error:
        raise Conflict(f"{doing}: {message_of(error, asked)}", hint="try again in a moment") from error
    except (errors.AdminShutdown, errors.CrashShutdown, errors.CannotConnectNow) as error:
        raise Unavailable(f"{doing}: {message_of(error, asked)}", hint="kitchen doctor") from error
    except errors.OutOfMemory as error:  # of shared memory: the server's table of locks is full
        hint = "raise max_locks_per_transaction of the server (an administrator; it has to be restarted)"
        raise KitchenError(f"{doing}: {message_of(error, asked)}", hint=hint) from error
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        if error.pgcode is None:  # no answer from a server at all
            raise Unavailable(f"{doing}: {message_of(error, asked)}", hint="kitchen doctor") from error
        raise KitchenError(f"{doing}: {message_of(error, asked)}") from error
    except psycopg2.Error as error:
        raise KitchenError(f"{doing}: {message_of(error, asked)}") from error


class PgSession:
    """One psycopg2 connection behind the Session port; adapters may use ``connection`` itself."""

    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self.connection = connection
        connection.autocommit = True

    def query(self, statement: str, parameters: Sequence[object] | None = None) -> list[Row]:
        """Return the rows of a statement."""
        with translated("query"), self.connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description is not None else []

    def execute(self, statement: str, parameters: Sequence[object] | None = None) -> int:
        """Run a statement and return the count of rows."""
        with translated("statement"), self.connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end of the block, roll back where it raises."""
        self.connection.autocommit = False
        try:
            yield
            with translated("commit", asked=self.connection):
                self.connection.commit()
        except BaseException:
            self._abandon()
            raise
        finally:
            if not self.connection.closed:
                self.connection.autocommit = True

    def _abandon(self) -> None:
        """Roll back; a connection that cannot even do that is of no use any more."""
        try:
            if not self.connection.closed:
                self.connection.rollback()
        except psycopg2.Error:
            self.connection.close()

    @contextmanager
    def unhurried(self) -> Iterator[None]:
        """Let statements in the block last as long as the server is there, also in a session of short ones."""
        connection = self.connection
        if not isinstance(connection, PatientConnection):
            yield
            return
        with connection.unhurried():
            yield

    def cancel(self) -> None:
        """Ask the server to end the statement that another thread runs in this session."""
        if not self.connection.closed:
            with translated("cancel"):
                self.connection.cancel()

    def close(self) -> None:
        """End the session."""
        self.connection.close()

    def __enter__(self) -> PgSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _forget_ambient() -> None:
    """Take libpq's variables out of our environment: PGSERVICE or PGHOSTADDR would lead us to another server."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]


def connect(
    credentials: Credentials, *, application: str, options: Sequence[str] = (), patience: float | None = None,
    discreet: bool = False, lasting: bool = False,
) -> PgSession:  # fmt: skip
    """Open a session; the role is taken on by start-up option so that RESET ROLE comes back to it.

    A statement that takes longer than ``patience`` seconds is given up; without, one lasts as long as the server is
    there (see ``patience.py``). Errors of a ``discreet`` session quote no value of a row; a ``lasting`` one is held on
    purpose, and no time limit that the server's administrator set for others ends it.
    Raises Unavailable where no server answers, NotPermitted where the login is refused and NotFound where there is no
    such database.
    """
    _forget_ambient()
    settings = [f"-c role={credentials.role}"] if credentials.role else []
    settings += [f"-c {option}" for option in (*(_LASTING if lasting else ()), *options)]
    give_up = time.monotonic() + CONNECT_TIMEOUT
    while True:
        try:
            connection = _opened(credentials, application, " ".join(settings))
            break
        except psycopg2.OperationalError as error:
            is_full = any(sign in str(error) for sign in _FULL)
            if not is_full or time.monotonic() > give_up:
                raise _unconnected(credentials, str(error)) from None
        time.sleep(0.1 + randomness.randbelow(200) / 1000)  # many at once: sessions end as commands do
    connection.watch(patience, lambda: _is_there(credentials))
    connection.is_discreet = discreet
    session = PgSession(connection)
    if lasting and connection.server_version >= _WITH_TRANSACTION_TIMEOUT:  # unknown, it would end an older one's start
        session.execute("SET transaction_timeout = 0")
    return session


def _opened(credentials: Credentials, application: str, options: str) -> PatientConnection:
    return psycopg2.connect(
        host=credentials.host,
        port=credentials.port,
        dbname=credentials.database,
        user=credentials.user,
        password=credentials.password.reveal(),
        application_name=application[:63],
        connect_timeout=CONNECT_TIMEOUT,
        sslmode=credentials.tls,
        sslrootcert=credentials.authorities,
        options=options,
        keepalives_idle=30,
        connection_factory=PatientConnection,
    )


def _is_there(credentials: Credentials) -> bool:
    """Say whether a server answers at all; one that refuses us, or has no place left, is there."""
    try:
        _opened(credentials, "kitchen: is it there", "").close()
    except psycopg2.Error as error:
        return "FATAL:" in str(error)
    return True


def _unconnected(credentials: Credentials, said: str) -> KitchenError:
    """Return why there is no session, by what the server, or the library, said."""
    lines = said.strip().splitlines() or ["no answer"]
    signs = ("FATAL:", "failed:")  # of the server, of the library; what follows is a question to the reader
    words = next((line.rpartition(sign)[2].strip() for sign in signs for line in reversed(lines) if sign in line), "")
    words = words or lines[-1].strip()
    server = f"{credentials.host}:{credentials.port}"
    if _NO_DATABASE.search(words):
        return NotFound(
            f"there is no database {credentials.database!r} on {server}",
            hint="kitchen environment install makes it, or mend warehouse.database in environments/",
        )
    where = f"{credentials.database} on {server}"
    if _NO_ROLE.search(words) or any(sign in words for sign in _REFUSALS):
        return NotPermitted(f"{where} refused the login {credentials.user}: {words}", hint=refused(credentials))
    if "unsupported startup parameter" in words:
        hint = "name PostgreSQL itself in environments/, not the pooler before it"
        return Unavailable(f"{where} is a connection pooler that takes no start-up options: {words}", hint=hint)
    if any(sign in words for sign in _UNTRUSTED):
        hint = "warehouse.tls and warehouse.authorities in environments/"
        return Unavailable(
            f"{where} gives no connection that may be trusted (tls: {credentials.tls}): {words}", hint=hint
        )
    return Unavailable(f"{where} does not answer: {words}", hint=silent(credentials))
