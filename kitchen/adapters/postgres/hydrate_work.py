"""Runs the statements of one hydration: what must succeed, and what is said where it does not."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg2
from psycopg2 import errors

from kitchen.adapters.postgres.connection import PgSession, message_of, translated
from kitchen.adapters.postgres.structure_model import Statement
from kitchen.errors import Conflict

_TAKEN = (errors.DuplicateTable, errors.DuplicateObject, errors.DuplicateFunction)


class NameTaken(Conflict):
    """Something of the kitchen's has a name that the copy needs; perhaps another process made it just now."""


class Raced(Conflict):
    """Another process hydrated something meanwhile: this plan was made too early."""


def taken(statement: Statement, failure: psycopg2.Error) -> NameTaken:
    """Return the refusal for a statement whose object is there already."""
    return NameTaken(
        f"{statement.what}: {message_of(failure)} in the kitchen",
        hint="rename or drop what has that name, then hydrate again",
    )


class Work:
    """Statements in an open transaction, with an account of them."""

    def __init__(self, session: PgSession, *, over_taken_names: bool = False) -> None:
        """With ``over_taken_names`` what may be left out is, and said, where its name is taken; else that raises."""
        self.session = session
        self._over_taken_names = over_taken_names
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
        with translated(statement.what), self.session.connection.cursor() as cursor:
            cursor.execute("SAVEPOINT one")
            try:
                cursor.execute(statement.sql)
            except psycopg2.OperationalError:
                raise
            except psycopg2.Error as error:
                if isinstance(error, _TAKEN) and not self._over_taken_names:
                    raise taken(statement, error) from error
                cursor.execute("ROLLBACK TO SAVEPOINT one")
                return message_of(error)
            cursor.execute("RELEASE SAVEPOINT one")
            return None

    def _run(self, statement: Statement) -> None:
        with translated(statement.what), self.session.connection.cursor() as cursor:
            try:
                cursor.execute(statement.sql)
            except _TAKEN as failure:
                raise taken(statement, failure) from failure
