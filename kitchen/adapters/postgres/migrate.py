"""The control schema's migrations: numbered SQL files, each applied once, in order, in a transaction of its own."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from psycopg2 import errors

from kitchen.adapters.postgres.connection import PgSession, translated
from kitchen.errors import NotPermitted, Refused

FOLDER = Path(__file__).with_name("migrations")

_FILE = re.compile(r"([0-9]{4})_[a-z_]+\.sql")
_LOCK_TIMEOUT = "30s"  # somebody else's migration

_FIRST = """
CREATE SCHEMA kitchen_control;
REVOKE ALL ON SCHEMA kitchen_control FROM PUBLIC;
CREATE TABLE kitchen_control.migration (
    number integer PRIMARY KEY,
    name text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
REVOKE ALL ON kitchen_control.migration FROM PUBLIC;
"""


@cache
def migrations() -> dict[int, Path]:
    """Return our migrations by number, in order."""
    return {int(path.name[:4]): path for path in sorted(FOLDER.iterdir()) if _FILE.fullmatch(path.name)}


def bring_up_to_date(session: PgSession, *, may_change: bool = True, upgrades: bool = True) -> None:
    """Apply what the database has not yet; one query where it has everything.

    Raises Refused where the database holds migrations that this version does not know, or lacks some and is not to be
    upgraded, and NotPermitted where some are missing and whoever asks may not change that.
    """
    applied = _applied(session)
    if not may_change and (applied is None or migrations().keys() - applied):
        raise NotPermitted(
            "the environment's control schema is older than this kitchen", hint="an admin types: kitchen up ENV"
        )
    if applied is not None and not upgrades and migrations().keys() - applied:
        raise Refused(
            f"the environment's control schema is older than this kitchen (migration {max(applied, default=0)} of "
            f"{max(migrations())}); once it is brought up to date, older kitchens are refused until they are upgraded",
            hint="kitchen up ENV, when everybody knows",
        )
    if applied is None:
        _begin(session)
        applied = frozenset()
    _check_known(applied)
    missing = [number for number in migrations() if number not in applied]
    for number in missing:
        _apply(session, number, migrations()[number])
    if missing:  # people see what is new as they saw the rest
        session.execute("SELECT kitchen_control.configure(s) FROM kitchen_control.setting AS s")


def _applied(session: PgSession) -> frozenset[int] | None:
    """Return the numbers applied, or None before the first."""
    with translated("reading the control schema's version"), session.connection.cursor() as cursor:
        try:
            cursor.execute("SELECT number FROM kitchen_control.migration")
        except (errors.UndefinedTable, errors.InvalidSchemaName):
            return None
        except errors.InsufficientPrivilege as error:
            raise NotPermitted("the control schema belongs to another role", hint="kitchen doctor") from error
        return frozenset(number for (number,) in cursor.fetchall())


def _begin(session: PgSession) -> None:
    """Make the schema; where another process does so in this moment, its schema is ours too."""
    with translated("making the control schema"), session.connection.cursor() as cursor:
        try:
            cursor.execute(_FIRST)  # several statements in one message are one transaction
        except (errors.DuplicateSchema, errors.UniqueViolation):
            pass
        except errors.InsufficientPrivilege as error:
            raise NotPermitted(
                "the provisioner may not make schema kitchen_control in this database",
                hint="GRANT CREATE ON DATABASE … TO the provisioner",
            ) from error


def _check_known(applied: frozenset[int]) -> None:
    unknown = sorted(applied - migrations().keys())
    if unknown:
        raise Refused(
            f"the control schema is newer than this kitchen: it has migration {unknown[-1]}, "
            f"we know up to {max(migrations())}",
            hint="pip install --upgrade dataops-kitchen",
        )


def _apply(session: PgSession, number: int, path: Path) -> None:
    with session.transaction():
        # two processes may find the same migration missing: the second waits here, and then finds it applied
        session.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        session.execute("LOCK TABLE kitchen_control.migration IN SHARE ROW EXCLUSIVE MODE")
        if session.query("SELECT 1 FROM kitchen_control.migration WHERE number = %s", [number]):
            return
        with translated(f"migration {path.stem}"), session.connection.cursor() as cursor:
            cursor.execute(path.read_text())
        session.execute("INSERT INTO kitchen_control.migration (number, name) VALUES (%s, %s)", [number, path.stem])
