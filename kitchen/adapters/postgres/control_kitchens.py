"""Kitchens as rows of the control schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING
from uuid import UUID

from psycopg2 import errors

from kitchen.adapters.postgres.connection import PgSession, translated
from kitchen.domain.kitchen import Kind, Kitchen, State
from kitchen.domain.words import counted
from kitchen.errors import Conflict, Refused

if TYPE_CHECKING:
    from kitchen.ports import Quota, Row

_COLUMNS = tuple(field.name for field in fields(Kitchen))
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM kitchen_control.kitchen"

# the parent is held until the new row is committed, so that no deletion passes between looking and adding
_ADD = f"""
WITH above AS (
    SELECT name FROM kitchen_control.kitchen WHERE name = %(parent)s AND state IN ('ready', 'publishing') FOR SHARE
)
INSERT INTO kitchen_control.kitchen ({", ".join(_COLUMNS)})
SELECT {", ".join(f"%({column})s" for column in _COLUMNS)}
WHERE %(parent)s IS NULL OR EXISTS (SELECT FROM above)
"""
_SAVE = f"""
UPDATE kitchen_control.kitchen SET {", ".join(f"{column} = %({column})s" for column in _COLUMNS if column != "id")}
WHERE id = %(id)s AND state = %(expected)s
  AND (%(state)s <> 'deleting' OR state = 'deleting'
       OR NOT EXISTS (SELECT FROM kitchen_control.kitchen AS below WHERE below.parent = %(name)s))
"""
_ESTIMATE = "c.relpages::bigint * pg_catalog.current_setting('block_size')::bigint"  # as of the last ANALYZE
_SIZES = """
SET LOCAL lock_timeout = '100ms';
SELECT n.nspname, count(c.oid), coalesce(sum({size}), 0)::bigint
FROM pg_catalog.pg_namespace AS n
LEFT JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'm')
WHERE n.nspname = ANY(%s) GROUP BY n.nspname
"""


class PgKitchens:
    """The KitchenRecords port."""

    def __init__(self, session: PgSession) -> None:
        self._session = session

    def add(self, kitchen: Kitchen, *, quota: Quota | None = None) -> None:
        """Record a new kitchen; the same one there already is success.

        Raises Conflict where the name or branch is taken or the parent is gone, and Refused past the quota.
        """
        known = self.get(kitchen.name)
        if known is not None and known.id == kitchen.id:
            return
        if known is not None:
            raise Conflict(
                f"there is a kitchen {kitchen.name!r} already ({known.state}, of {known.owner})",
                hint=f"kitchen enter {kitchen.name}, or choose another name",
            )
        with self._session.transaction():
            if quota is not None:
                self._check(quota, kitchen.owner)
            self._insert(kitchen)

    def _insert(self, kitchen: Kitchen) -> None:
        with translated(f"recording {kitchen.name!r}"), self._session.connection.cursor() as cursor:
            try:
                cursor.execute(_ADD, _values(kitchen))
            except errors.UniqueViolation as error:
                raise _taken(kitchen, error) from None
            if cursor.rowcount != 1:
                raise Conflict(f"the parent kitchen {kitchen.parent!r} is not there or not ready", hint="kitchen tree")

    def _check(self, quota: Quota, owner: str) -> None:
        self._session.execute("SELECT FROM kitchen_control.reception FOR UPDATE")
        ((all_of_them, theirs),) = self._session.query(
            "SELECT count(*), count(*) FILTER (WHERE owner = %s) FROM kitchen_control.kitchen WHERE kind = 'working'",
            [owner],
        )
        if theirs >= quota.per_person:
            raise Refused(
                f"{owner} has {counted(theirs, 'kitchen')}, and the environment allows {quota.per_person} each",
                hint="kitchen list --mine, then kitchen delete K, or raise kitchens.per_person",
            )
        if all_of_them >= quota.total:
            raise Refused(
                f"the environment has {counted(all_of_them, 'kitchen')}, and allows {quota.total}",
                hint="kitchen prune, or raise kitchens.max",
            )

    def get(self, name: str) -> Kitchen | None:
        """Return a kitchen, or None."""
        rows = self._session.query(f"{_SELECT} WHERE name = %s", [name])
        return _kitchen(rows[0]) if rows else None

    def all(self) -> tuple[Kitchen, ...]:
        """Return every kitchen, by name."""
        return tuple(_kitchen(row) for row in self._session.query(f"{_SELECT} ORDER BY name"))

    def has_login(self, login: str) -> bool:
        """Say whether a login of one person into a kitchen is still there."""
        rows = self._session.query("SELECT EXISTS (SELECT FROM kitchen_control.lease WHERE login = %s)", [login])
        return bool(rows[0][0])

    def sizes(self, schemas: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Return how many tables and bytes are in each of the schemas that are there."""
        try:
            rows = self._session.query(_SIZES.format(size="pg_catalog.pg_total_relation_size(c.oid)"), [list(schemas)])
        except Conflict:  # somebody holds a table for longer than a list may wait
            rows = self._session.query(_SIZES.format(size=_ESTIMATE), [list(schemas)])
        return {schema: (tables, size) for schema, tables, size in rows}

    def save(self, kitchen: Kitchen, *, expected: State) -> None:
        """Replace the record of a kitchen; raises Conflict where its state has changed or children keep it."""
        with self._session.transaction():
            # wait for whoever adds a child in this moment; the next statement then sees that child
            self._session.query("SELECT FROM kitchen_control.kitchen WHERE id = %s FOR UPDATE", [str(kitchen.id)])
            saved = self._replace(kitchen, expected)
        if not saved:
            raise self._unsaved(kitchen, expected)

    def _replace(self, kitchen: Kitchen, expected: State) -> bool:
        with translated(f"recording {kitchen.name!r}"), self._session.connection.cursor() as cursor:
            try:
                cursor.execute(_SAVE, {**_values(kitchen), "expected": expected.value})
            except errors.UniqueViolation as error:
                raise _taken(kitchen, error) from None
            return bool(cursor.rowcount == 1)

    def _unsaved(self, kitchen: Kitchen, expected: State) -> Conflict:
        now = self.get(kitchen.name)
        if now is None or now.id != kitchen.id:
            return Conflict(f"kitchen {kitchen.name!r} is gone", hint="kitchen list")
        below = [other.name for other in self.all() if other.parent == kitchen.name]
        if now.state is expected and below:
            return Conflict(
                f"kitchen {kitchen.name!r} has kitchens below it: {', '.join(below)}", hint=f"kitchen delete {below[0]}"
            )
        return Conflict(
            f"kitchen {kitchen.name!r} is {now.state} and no longer {expected}", hint=f"kitchen status {kitchen.name}"
        )

    def remove(self, identity: UUID) -> None:
        """Forget a kitchen; absent is success. Raises Conflict where kitchens are below it."""
        with translated("forgetting a kitchen"), self._session.connection.cursor() as cursor:
            try:
                cursor.execute("SELECT kitchen_control.forget_kitchen(%s)", [str(identity)])
            except errors.ForeignKeyViolation:
                raise Conflict("the kitchen has kitchens below it", hint="kitchen tree") from None


def _taken(kitchen: Kitchen, error: errors.UniqueViolation) -> Conflict:
    if error.diag.constraint_name == "kitchen_branch":
        return Conflict(f"the branch {kitchen.branch!r} belongs to another kitchen", hint="kitchen list")
    return Conflict(
        f"there is a kitchen {kitchen.name!r} already",
        hint=f"kitchen enter {kitchen.name}, or choose another name",
    )


def _values(kitchen: Kitchen) -> dict[str, object]:
    values: dict[str, object] = {column: getattr(kitchen, column) for column in _COLUMNS}
    return {**values, "id": str(kitchen.id), "kind": kitchen.kind.value, "state": kitchen.state.value,
            "staff": list(kitchen.staff)}  # fmt: skip


def _kitchen(row: Row) -> Kitchen:
    values = dict(zip(_COLUMNS, row, strict=True))
    if values["kind"] not in set(Kind) or values["state"] not in set(State):
        raise Refused(
            f"kitchen {values['name']!r} is a {values['kind']} kitchen that is {values['state']}: "
            "this version of kitchen does not know such",
            hint="pip install --upgrade dataops-kitchen",
        )
    return Kitchen(**{**values, "id": UUID(values["id"]), "kind": Kind(values["kind"]),
                      "state": State(values["state"]), "staff": tuple(values["staff"])})  # fmt: skip
