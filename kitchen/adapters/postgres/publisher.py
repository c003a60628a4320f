"""The Publisher port on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from kitchen.adapters.postgres import swap, swap_watch
from kitchen.adapters.postgres.connection import PgSession
from kitchen.adapters.postgres.swap_plan import new_in
from kitchen.domain.layout import TableName
from kitchen.ports import Publication, Published


class PgPublisher:
    """Swaps on the control schema's own session, so that records and tables commit together.

    What is done to people's tables takes as long as they are large, whatever records are given.
    """

    def __init__(self, session: PgSession) -> None:
        self._session = session

    def contents(self, schemas: Sequence[str]) -> tuple[TableName, ...]:
        """Return the relations that would be published from these schemas."""
        return new_in(self._session, schemas)

    def find(self, numbers: Sequence[int]) -> Mapping[int, TableName]:
        """Return where relations are now, by the server's number."""
        return swap.places(self._session, numbers)

    def publish(
        self, publication: Publication, *, wait: float, record: Callable[[Published], None], rehearse: bool = False
    ) -> Published:
        """Exchange everything in one transaction, or rehearse it."""
        with self._session.unhurried():
            return swap.swap(self._session, publication, wait=wait, record=record, rehearse=rehearse)

    def validate(self, tables: Sequence[TableName]) -> tuple[str, ...]:
        """Validate the foreign keys that a swap left unvalidated; returns what does not hold."""
        with self._session.unhurried():
            return swap.validate(self._session, tables)

    def watch(self, tables: Sequence[TableName]) -> Mapping[str, object]:
        """Return, as JSON can hold it, how tables are now."""
        with self._session.unhurried():
            return swap_watch.watch(self._session, tables)

    def changed(self, watched: Mapping[str, object]) -> tuple[str, ...]:
        """Return the tables whose rows are no longer those that were watched."""
        with self._session.unhurried():
            return swap_watch.changed(self._session, watched)

    def drop_archive(self, schema: str, *, mark: str) -> tuple[str, ...]:
        """Drop what a swap kept; returns what still needs it, and then it stays."""
        with self._session.unhurried():
            return swap_watch.drop_archive(self._session, schema, mark)
