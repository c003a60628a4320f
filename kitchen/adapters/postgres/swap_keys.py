"""Foreign keys of a swap: those of what leaves are made again for what arrives, and none is left across."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kitchen.adapters.postgres.connection import PgSession
from kitchen.adapters.postgres.structure_text import qualified, quote
from kitchen.adapters.postgres.swap_carry import Heir
from kitchen.adapters.postgres.swap_read import Found
from kitchen.adapters.postgres.swap_trust import Joined
from kitchen.domain.layout import TableName
from kitchen.errors import Refused
from kitchen.ports import Publication

# the columns of a foreign key k, and those that they refer to, in order
KEY_COLUMNS = """ARRAY(SELECT a.attname FROM unnest(k.conkey) WITH ORDINALITY AS u (n, i)
             JOIN pg_attribute AS a ON (a.attrelid, a.attnum) = (k.conrelid, u.n) ORDER BY u.i)::text[],
       ARRAY(SELECT a.attname FROM unnest(k.confkey) WITH ORDINALITY AS u (n, i)
             JOIN pg_attribute AS a ON (a.attrelid, a.attnum) = (k.confrelid, u.n) ORDER BY u.i)::text[]"""

_FOREIGN_KEYS = f"""
SELECT k.conname, k.conrelid::bigint, n.nspname, c.relname, c.relkind = 'p', k.confrelid::bigint, fn.nspname,
       fc.relname, pg_get_constraintdef(k.oid), {KEY_COLUMNS}
FROM pg_constraint AS k
JOIN pg_class AS c ON c.oid = k.conrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_class AS fc ON fc.oid = k.confrelid JOIN pg_namespace AS fn ON fn.oid = fc.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0
  AND (k.conrelid = ANY (%s::oid[]) OR k.confrelid = ANY (%s::oid[]))
ORDER BY k.oid
"""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """One foreign key as it stands before anything moves."""

    name: str
    table: int
    table_name: TableName
    partitioned: bool
    to: int
    to_name: TableName
    definition: str
    columns: tuple[str, ...]
    to_columns: tuple[str, ...]

    @property
    def was_valid(self) -> bool:
        """Say whether the server vouches for it now."""
        return not self.definition.endswith(" NOT VALID")

    def joined(self, final: TableName, table: TableName, to: TableName) -> Joined:
        """Return what it will join, by the names before anything moves."""
        return Joined(f"{self.name} of {final}", table, self.columns, to, self.to_columns, self.was_valid)

    def drop(self) -> str:
        """Return what drops it."""
        return f"ALTER TABLE {qualified(self.table_name)} DROP CONSTRAINT {quote(self.name)}"

    def add(self, table: TableName, *, unvalidated: bool) -> str:
        """Return what makes it again, to be validated later where the server can."""
        definition = self.definition.removesuffix(" NOT VALID")
        later = " NOT VALID" if unvalidated else ""
        return f"ALTER TABLE {qualified(table)} ADD CONSTRAINT {quote(self.name)} {definition}{later}"


@dataclass(slots=True)
class KeyChanges:
    """What a swap does to foreign keys."""

    drop: list[str] = field(default_factory=list)  # before anything moves
    add: list[str] = field(default_factory=list)  # after everything has moved
    others: set[TableName] = field(default_factory=set)  # tables that stay, and are locked for it
    unkept: list[str] = field(default_factory=list)  # said in words
    joined: list[Joined] = field(default_factory=list)  # by the keys that are added


def key_changes(
    session: PgSession, publication: Publication, heirs: Sequence[Heir], leaving: Mapping[TableName, Found]
) -> KeyChanges:
    """Return what happens to foreign keys; raises Refused where a table goes that others refer to."""
    out, new = {f.oid: name for name, f in leaving.items()}, {heir.relation.oid for heir in heirs}
    by_name = {heir.final: heir for heir in heirs}
    keys = _foreign_keys(session, [*out, *new])
    own = {(key.table, key.name) for key in keys if key.table in new and key.to in new}
    changes = KeyChanges()
    for key in keys:
        if key.table in out:
            _of_leaving(changes, key, by_name, out, own)
        elif key.to in out and key.table not in new:
            _of_staying(changes, key, by_name, out, publication)
        elif (key.table in new) != (key.to in new) and not _stays_at_home(key, new, out, publication):
            changes.drop.append(key.drop())
            changes.others.add(key.to_name if key.table in new else key.table_name)
    return changes


def _foreign_keys(session: PgSession, oids: Sequence[int]) -> tuple[ForeignKey, ...]:
    return tuple(
        ForeignKey(name, table, TableName(schema, own), partitioned, to, TableName(other, its), text, tuple(columns),
                   tuple(others))
        for name, table, schema, own, partitioned, to, other, its, text, columns, others in session.query(
            _FOREIGN_KEYS, [list(oids), list(oids)]
        )
    )  # fmt: skip


def _of_leaving(
    changes: KeyChanges, key: ForeignKey, heirs: Mapping[TableName, Heir], out: Mapping[int, TableName],
    own: set[tuple[int, str]],
) -> None:  # fmt: skip
    """A key of a table that leaves: the archive must not hold what stays, and the heir takes it over."""
    if key.to not in out:
        changes.drop.append(key.drop())
        changes.others.add(key.to_name)
    heir = heirs.get(out[key.table])
    if heir is None or (heir.relation.oid, key.name) in own:
        return
    gone = key.to in out and out[key.to] not in heirs
    if gone or not set(key.columns) <= heir.columns:
        what = "table" if gone else "column"
        changes.unkept.append(f"{heir.final}: the foreign key {key.name}, whose {what} is gone")
        return
    changes.add.append(key.add(heir.final, unvalidated=not key.partitioned))
    to = heirs[out[key.to]].relation.name if key.to in out else key.to_name
    changes.joined.append(key.joined(heir.final, heir.relation.name, to))


def _of_staying(
    changes: KeyChanges, key: ForeignKey, heirs: Mapping[TableName, Heir], out: Mapping[int, TableName],
    publication: Publication,
) -> None:  # fmt: skip
    """A key of a table that stays, to one that leaves: it refers to the heir from now on."""
    changes.drop.append(key.drop())
    changes.others.add(key.table_name)
    if key.table_name.schema in publication.untouched:
        return
    heir = heirs.get(out[key.to])
    if heir is None:
        raise Refused(
            f"{out[key.to]} would be dropped, but the foreign key {key.name} of {key.table_name} refers to it",
            hint="drop the foreign key in a node first",
        )
    changes.add.append(key.add(key.table_name, unvalidated=not key.partitioned))
    changes.joined.append(key.joined(key.table_name, key.table_name, heir.relation.name))


def _stays_at_home(key: ForeignKey, new: set[int], out: Mapping[int, TableName], publication: Publication) -> bool:
    """Say whether a key of what arrives refers to a table of the target that stays: a rollback brings such keys."""
    return key.table in new and key.to_name.schema in publication.archives and key.to not in out
