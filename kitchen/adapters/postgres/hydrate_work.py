"""Runs the statements of one hydration: what must succeed, and what is said where it does not."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg2
from psycopg2 import errors

from kitchen.adapters.postgres.connection import PgSession, message_of, translated
from kitchen.adapters.postgres.structure_model import Statement
from kitchen.errors import Conflict


class Work:
    """Statements in an open transaction, with an account of them."""

    def __init__(self, session: PgSession) -> None:
        self.session = session
        self.made: list[str] = []
        self.left_out: list[str] = []

    def must(self, statements: Iterable[Statement]) -> None:
        """Run statements; the first that fails raises: Conflict where a name is taken."""
        for statement in statements:
            self._run(statement)
            self.made.append(statement.what)

    def quietly(self, statements: Iterable[Statement]) -> None:
        """Run statements that make nothing a person asked for."""
        for statement in statements:
            self._run(statement)

    def each(self, statements: Iterable[Statement]) -> None:
        """Run what the table can live without; what fails is said."""
        for statement in statements:
            failure = self.attempt(statement)
            if failure is None:
                self.made.append(statement.what)
            else:
                self.left_out.append(f"{statement.what}: {failure}")

    def attempt(self, statement: Statement) -> str | None:
        """Run one statement and return the server's words where it fails; the transaction goes on."""
        with self.session.connection.cursor() as cursor:
            cursor.execute("SAVEPOINT one")
            try:
                cursor.execute(statement.sql)
            except psycopg2.OperationalError:
                raise
            except psycopg2.Error as error:
                cursor.execute("ROLLBACK TO SAVEPOINT one")
                return message_of(error)
            cursor.execute("RELEASE SAVEPOINT one")
            return None

    def _run(self, statement: Statement) -> None:
        with translated(statement.what), self.session.connection.cursor() as cursor:
            try:
                cursor.execute(statement.sql)
            except (errors.DuplicateTable, errors.DuplicateObject, errors.DuplicateFunction) as failure:
                raise Conflict(
                    f"{statement.what}: {message_of(failure)} in the kitchen",
                    hint="rename or drop what has that name, then hydrate again",
                ) from failure
