"""What the provisioner may ask of tables that kitchens own, without running any code of theirs with its own rights.

A view calls its functions as whoever reads it, a policy under FORCE ROW LEVEL SECURITY is evaluated as whoever asks
(sessions say row_security=off: an error instead), and two columns of different types are compared through a cast that
the owner of either type may define. Tables are locked before their names are believed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from kitchen.adapters.postgres.connection import PgSession
from kitchen.adapters.postgres.structure_text import qualified, quote
from kitchen.adapters.postgres.swap_read import found_by_name
from kitchen.domain.layout import TableName
from kitchen.errors import Conflict, Refused

_STORED = ("r", "p")  # kinds whose rows lie there as they are read

# Types are the same below their domains, or both are the server's own: only the owner of a type makes casts of it.
_FOREIGN_CASTS = """
WITH RECURSIVE asked AS (
    SELECT * FROM unnest(%s::int[], %s::name[], %s::name[], %s::name[]) AS a (number, schema, name, attribute)
), below AS (
    SELECT asked.number, a.atttypid AS oid
    FROM asked JOIN pg_namespace AS n ON n.nspname = asked.schema
    JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = asked.name
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = asked.attribute
    UNION
    SELECT below.number, t.typbasetype FROM below JOIN pg_type AS t ON t.oid = below.oid WHERE t.typtype = 'd'
)
SELECT number FROM below JOIN pg_type AS t USING (oid) JOIN pg_roles AS r ON r.oid = t.typowner
WHERE t.typtype <> 'd' GROUP BY number HAVING count(*) > 1 AND NOT bool_and(r.rolsuper)
"""


@dataclass(frozen=True, slots=True)
class Joined:
    """Two tables that a foreign key joins."""

    name: str  # of the key, for people
    table: TableName
    columns: tuple[str, ...]
    to: TableName
    to_columns: tuple[str, ...]
    holds: bool  # the server vouches for it now

    def strays(self) -> str:
        """Return the query that counts rows which would refer to nothing, up to a thousand."""
        filled = " AND ".join(f"a.{quote(column)} IS NOT NULL" for column in self.columns)
        pairs = zip(self.columns, self.to_columns, strict=True)
        met = " AND ".join(f"b.{quote(other)} = a.{quote(column)}" for column, other in pairs)
        return (
            f"SELECT count(*) FROM (SELECT FROM {qualified(self.table)} AS a WHERE {filled} "
            f"AND NOT EXISTS (SELECT FROM {qualified(self.to)} AS b WHERE {met}) LIMIT 1000) AS strays"
        )


@contextmanager
def steady(session: PgSession, *names: TableName) -> Iterator[None]:
    """Hold tables under their names for the block; raises Refused for what computes its rows."""
    with session.transaction():
        session.execute(f"LOCK TABLE {', '.join(f'ONLY {qualified(name)}' for name in names)} IN ACCESS SHARE MODE")
        found = found_by_name(session, names)
        for name in names:
            if name not in found:
                raise Conflict(f"{name} went away meanwhile", hint="try again")
            if found[name].kind not in _STORED:
                raise Refused(f"{name} is no table: what reads it would call its functions with too many rights")
        yield


def refuse_casts(session: PgSession, keys: Sequence[Joined]) -> None:
    """Raise Refused where a foreign key compares types through a cast that is not the server's own."""
    asked = [
        (number, table.schema, table.name, column)
        for number, key in enumerate(keys)
        for position in range(len(key.columns))
        for number, table, column in (
            (1000 * number + position, key.table, key.columns[position]),
            (1000 * number + position, key.to, key.to_columns[position]),
        )
    ]
    if not asked:
        return
    rows = session.query(_FOREIGN_CASTS, [list(column) for column in zip(*asked, strict=True)])
    if named := sorted({keys[number // 1000].name for (number,) in rows}):
        raise Refused(
            f"the foreign key {', '.join(named)} joins columns of different types through a cast of somebody's own",
            hint="give both columns one type in the node that builds the table",
        )
