"""The first roles and the database of a warehouse: a provisioner that is no superuser, and nothing for PUBLIC."""

from __future__ import annotations

import psycopg2.extensions
from psycopg2 import sql

from kitchen.adapters.postgres.connection import PgSession, translated
from kitchen.domain.secret import Secret

SUPERUSER = "kitchen_superuser"
PROVISIONER = "kitchen_provisioner"
DATABASE = "warehouse"


def make_provisioner(session: PgSession, password: Secret) -> None:
    """Make the role that makes kitchens, or give it this password; its own verifier is sent, never the password."""
    verifier = psycopg2.extensions.encrypt_password(password.reveal(), PROVISIONER, session.connection, "scram-sha-256")
    known = session.query("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s", [PROVISIONER])
    statement = "{} ROLE {} LOGIN CREATEROLE NOSUPERUSER NOCREATEDB NOREPLICATION NOBYPASSRLS PASSWORD {}"
    verb = sql.SQL("ALTER" if known else "CREATE")
    _run(session, sql.SQL(statement).format(verb, sql.Identifier(PROVISIONER), sql.Literal(verifier)))


def make_database(session: PgSession, name: str = DATABASE) -> None:
    """Make a database of the provisioner's that nobody else may connect to; one already there is success."""
    database = sql.Identifier(name)
    if not session.query("SELECT 1 FROM pg_catalog.pg_database WHERE datname = %s", [name]):
        _run(session, sql.SQL("CREATE DATABASE {} OWNER {}").format(database, sql.Identifier(PROVISIONER)))
    _run(session, sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))


def close_system_databases(session: PgSession) -> None:
    """Let nobody but the superuser into the databases that every cluster has."""
    _run(session, sql.SQL("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC"))


def hand_over_public(session: PgSession) -> None:
    """Make schema public of the connected database the provisioner's, closed to new objects of others."""
    _run(session, sql.SQL("ALTER SCHEMA public OWNER TO {}").format(sql.Identifier(PROVISIONER)))
    _run(session, sql.SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))


def _run(session: PgSession, statement: sql.Composable) -> None:
    with translated("setting up the server"), session.connection.cursor() as cursor:
        cursor.execute(statement)
