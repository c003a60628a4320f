"""What a kitchen changed against what lies below it: files, nodes, tables and, where asked for, rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kitchen.domain.kitchen import Kitchen
from kitchen.domain.layout import Layer, TableName
from kitchen.engine.statements import identifier
from kitchen.errors import InvalidInput, KitchenError
from kitchen.operations.above import above_of
from kitchen.operations.delivery import effect_of, head_of, shared_head_of
from kitchen.operations.delivery_services import DeliveryServices
from kitchen.ports import Repository, Session

_WITH_ROWS = ("table", "partitioned table", "materialized view")

_BELOW = """
SELECT w.at, w.schema FROM unnest(%s::int[], %s::text[], %s::text[]) AS w (at, schema, name)
JOIN pg_class AS c ON c.oid = to_regclass(format('%%I.%%I', w.schema, w.name)) AND c.relispopulated ORDER BY w.at
"""
_UNPOPULATED = """
SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%s) AND NOT c.relispopulated
"""
_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), coalesce(a.attnum = ANY (i.indkey), false)
FROM pg_attribute AS a LEFT JOIN pg_index AS i ON i.indrelid = a.attrelid AND i.indisprimary
WHERE a.attrelid = to_regclass(format('%%I.%%I', %s::text, %s::text)) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""


@dataclass(frozen=True, slots=True)
class Rows:
    """How rows differ; ``by`` names the key, or is empty where whole rows were compared."""

    by: tuple[str, ...]
    added: int
    removed: int
    changed: int


@dataclass(frozen=True, slots=True)
class TableDiff:
    """One table of the kitchen's own against the one it stands before."""

    table: TableName
    below: TableName | None  # None: it is new
    rows: int
    rows_below: int | None
    columns_added: tuple[str, ...] = ()
    columns_removed: tuple[str, ...] = ()
    columns_changed: tuple[str, ...] = ()
    data: Rows | None = None


@dataclass(frozen=True, slots=True)
class Diff:
    """Everything that a kitchen changed."""

    kitchen: str
    parent: str
    ahead: int
    behind: int
    files: tuple[str, ...]
    uncommitted: tuple[str, ...]
    nodes: dict[str, tuple[str, ...]]  # recipe -> nodes that a merge would run
    tables: tuple[TableDiff, ...]
    problem: str | None = None  # why the recipes could not be compared

    @property
    def is_empty(self) -> bool:
        """Say whether there is nothing to merge and nothing to see."""
        return not (self.files or self.uncommitted or self.tables)


def diff(services: DeliveryServices, repository: Repository, kitchen: Kitchen, *, data: bool) -> Diff:
    """Compare a kitchen with its parent; with ``data`` row by row."""
    parent = services.control.kitchens.get(kitchen.parent) if kitchen.parent is not None else None
    above_it = above_of(kitchen, [parent] if parent is not None else [], services.chain)
    if parent is None or above_it is None:
        raise InvalidInput(f"{kitchen.name!r} has no parent to be compared with", hint="kitchen diff K")
    head, above = head_of(repository, kitchen), shared_head_of(repository, above_it)
    base = repository.merge_base(above, head) or above
    ahead, behind = repository.ahead_behind(head, above)
    worktree = next((p for p, name in repository.worktrees().items() if name == kitchen.branch and p.is_dir()), None)
    uncommitted = repository.changes(worktree) if worktree is not None else ()
    nodes, problem = _nodes(services, repository, kitchen if kitchen.mends is not None else parent, base, worktree)
    return Diff(
        kitchen.name, above_it.name, ahead, behind, repository.changed_paths(base, head), uncommitted, nodes,
        _tables(services, services.layer(kitchen), data=data), problem,
    )  # fmt: skip


def _nodes(
    services: DeliveryServices, repository: Repository, parent: Kitchen, base: str, worktree: Path | None
) -> tuple[dict[str, tuple[str, ...]], str | None]:
    if worktree is None:
        return {}, "the kitchen's files are not on this machine (kitchen enter makes them)"
    try:
        return dict(effect_of(services, repository, parent, base, worktree).nodes), None
    except KitchenError as error:
        return {}, error.message


def _tables(services: DeliveryServices, layer: Layer, *, data: bool) -> tuple[TableDiff, ...]:
    session = services.sessions.open(
        services.credentials(layer.kitchen), application=f"kitchen {layer.kitchen.name} diff"
    )
    try:
        own = [one for one in services.tables.own(session, layer) if one.kind in _WITH_ROWS]
        empty = {tuple(row) for row in session.query(_UNPOPULATED, [[one.physical.schema for one in own]])}
        own = [one for one in own if (one.physical.schema, one.physical.name) not in empty]
        return tuple(_table(session, layer, one.logical, one.physical, data=data) for one in own)
    finally:
        session.close()


def _table(session: Session, layer: Layer, logical: TableName, own: TableName, *, data: bool) -> TableDiff:
    schemas = layer.schemas_of(logical.schema)[1:]
    names = [logical.name] * len(schemas)
    found = session.query(_BELOW, [list(range(len(schemas))), list(schemas), names])
    rows = _count(session, own)
    if not found:
        return TableDiff(logical, None, rows, None)
    below = TableName(found[0][1], logical.name)
    mine, theirs = _columns(session, own), _columns(session, below)
    common = [name for name in mine if name in theirs]
    return TableDiff(
        logical, below, rows, _count(session, below),
        tuple(name for name in mine if name not in theirs), tuple(name for name in theirs if name not in mine),
        tuple(name for name in common if mine[name][0] != theirs[name][0]),
        _compared(session, own, below, common, _key(mine, theirs)) if data else None,
    )  # fmt: skip


def _count(session: Session, table: TableName) -> int:
    return int(session.query(f"SELECT count(*) FROM {_name(table)}")[0][0])  # noqa: S608 - quoted


def _columns(session: Session, table: TableName) -> dict[str, tuple[str, bool]]:
    rows = session.query(_COLUMNS, [table.schema, table.name])
    return {name: (kind, in_key) for name, kind, in_key in rows}


def _key(mine: dict[str, tuple[str, bool]], theirs: dict[str, tuple[str, bool]]) -> tuple[str, ...]:
    """Return the primary key of one of the two, if both have its columns."""
    for columns in (mine, theirs):
        key = tuple(name for name, (_, in_key) in columns.items() if in_key)
        if key and all(name in mine and name in theirs for name in key):
            return key
    return ()


def _compared(session: Session, own: TableName, below: TableName, common: Sequence[str], key: Sequence[str]) -> Rows:
    """Count differing rows; values are compared as text, since not every type can be compared otherwise."""
    if not common:
        return Rows((), _count(session, own), _count(session, below), 0)
    texts = ", ".join(f"{identifier(name)}::text" for name in common)
    if not key:
        one, other = f"SELECT {texts} FROM {_name(own)}", f"SELECT {texts} FROM {_name(below)}"  # noqa: S608 - quoted
        ((added, removed),) = session.query(
            f"SELECT (SELECT count(*) FROM ({one} EXCEPT ALL {other}) AS a), "  # noqa: S608 - quoted
            f"(SELECT count(*) FROM ({other} EXCEPT ALL {one}) AS r)"
        )
        return Rows((), added, removed, 0)
    joined = " AND ".join(f"a.{identifier(name)}::text = b.{identifier(name)}::text" for name in key)
    first = identifier(key[0])
    rows = " IS DISTINCT FROM ".join(
        "(" + ", ".join(f"{side}.{identifier(name)}::text" for name in common) + ")" for side in "ab"
    )
    ((added, removed, changed),) = session.query(
        f"SELECT count(*) FILTER (WHERE b.{first} IS NULL), count(*) FILTER (WHERE a.{first} IS NULL), "  # noqa: S608
        f"count(*) FILTER (WHERE a.{first} IS NOT NULL AND b.{first} IS NOT NULL AND {rows}) "
        f"FROM {_name(own)} AS a FULL JOIN {_name(below)} AS b ON {joined}"
    )
    return Rows(tuple(key), added, removed, changed)


def _name(table: TableName) -> str:
    return f"{identifier(table.schema)}.{identifier(table.name)}"
