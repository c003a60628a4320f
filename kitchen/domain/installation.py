"""What preparing an external server for one environment takes, as an administrator can review it."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import pbkdf2_hmac, sha256

from kitchen.domain.secret import Secret

_ITERATIONS = 4096  # PostgreSQL's own; the password is random, so that guessing is hopeless without any

# What stands outside of the schemas and hangs on them: a swap makes views anew and foreign keys too.
# The beginning of a query, for whoever installs and for the doctor; {schemas} is the parameter of their names.
DEPENDANTS = """
WITH RECURSIVE inside AS (
    SELECT c.oid FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY ({schemas}) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
), reads (oid) AS (
    SELECT oid FROM inside
    UNION
    SELECT w.ev_class FROM reads
    JOIN pg_catalog.pg_depend AS d ON d.refobjid = reads.oid
         AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
         AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
    JOIN pg_catalog.pg_rewrite AS w ON w.oid = d.objid
), dependants (oid) AS (
    SELECT oid FROM reads
    UNION
    SELECT k.conrelid FROM pg_catalog.pg_constraint AS k JOIN inside ON inside.oid = k.confrelid WHERE k.contype = 'f'
)"""


class Place(StrEnum):
    """Where an action is carried out: roles and databases are the whole server's, the rest is the warehouse's."""

    SERVER = "server"
    WAREHOUSE = "warehouse"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that the administrator does, in words and in SQL."""

    place: Place
    says: str
    sql: str


@dataclass(frozen=True, slots=True)
class Caution:
    """What kitchen cannot do after all actions, and the SQL that somebody may decide to run."""

    says: str
    suggestion: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Installation:
    """Everything that is to be done on one server, and what it leaves open."""

    environment: str
    provisioner: str
    database: str
    server: str | None  # its version; None where nobody could look
    actions: tuple[Action, ...]
    cautions: tuple[Caution, ...]

    def at(self, place: Place) -> tuple[Action, ...]:
        """Return the actions of one place."""
        return tuple(action for action in self.actions if action.place is place)


def provisioner_role(environment: str) -> str:
    """Return the role that makes an environment's kitchens; roles are the whole server's: it names the environment."""
    return f"kitchen__{environment}__provisioner"


def provisioner_mark(environment: str, database: str) -> str:
    """Return the text by which an environment's provisioner is recognised."""
    return f"kitchen: provisioner of environment {environment} in database {database}"


def scram_verifier(password: Secret, salt: bytes) -> str:
    """Return what a server keeps of a password: enough to check it, not to log in (RFC 5803)."""
    salted = pbkdf2_hmac("sha256", password.reveal().encode("ascii"), salt, _ITERATIONS)
    stored = sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${_ITERATIONS}:{_text(salt)}${_text(stored)}:{_text(server)}"


def as_script(installation: Installation) -> str:
    """Return the installation as a script for psql that an administrator can review and run."""
    lines = [
        f"-- What kitchen needs on the server of environment {installation.environment}, for psql as an administrator;",
        f"-- made for the server as it is now. Again: kitchen environment install {installation.environment} --print",
        "-- The provisioner's password is in the environment's secret store; what is here is its verifier.",
        r"\set ON_ERROR_STOP on",
    ]
    if installation.server is None:
        lines.append("-- Nobody could look at the server: this is for a database without tables of other roles.")
    lines += _section(installation.at(Place.SERVER))
    lines += ["", f"\\connect {_quoted(installation.database)}"]
    lines += ["BEGIN;", *_section(installation.at(Place.WAREHOUSE)), "", "COMMIT;"]
    for caution in installation.cautions:
        lines += ["", *(f"-- NOTE: {line}" for line in caution.says.splitlines())]
        lines += [f"-- {statement};" for statement in caution.suggestion]
    return "\n".join(lines)


def _section(actions: Sequence[Action]) -> list[str]:
    lines: list[str] = []
    for action in actions:
        lines += ["", f"-- {action.says}", f"{action.sql};"]
    return lines


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(raw: bytes) -> str:
    return b64encode(raw).decode("ascii")
