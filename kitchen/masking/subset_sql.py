"""SQL that chooses rows: a temporary table for each table holds the places of its chosen rows at a moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kitchen.domain.catalogue import SourceTable
from kitchen.domain.layout import TableName
from kitchen.masking.sql import literal, qualified, quote
from kitchen.masking.subset import Edge, How, Rule

_HIGHEST = 2**63
_SEPARATOR = literal(chr(31))


class Kept:
    """The temporary tables of one choice."""

    def __init__(self, tables: Sequence[SourceTable], draw: int = 0) -> None:
        self.draw = draw
        self._numbers = {table.name: number for number, table in enumerate(tables)}
        self._tables = tuple(tables)

    def name(self, table: SourceTable) -> str:
        """Return the temporary table of a source's table."""
        return f"pg_temp.kitchen_kept_{self._numbers[table.name]}"

    def made(self) -> Iterator[str]:
        """Yield what makes them; the session then only ever writes to these."""
        for table in self._tables:
            key = "part, place" if table.partitioned else "place"
            name = self.name(table)
            yield (
                f"CREATE TEMPORARY TABLE {name} (part oid NOT NULL, place tid NOT NULL, round integer NOT NULL,"
                f" PRIMARY KEY ({key}))"
            )
            yield f"CREATE INDEX ON {name} (round)"

    def insert(self, table: SourceTable, round_number: int, rest: str) -> str:
        """Return SQL that adds rows ``t`` of a table which are not there yet."""
        return (
            f"INSERT INTO {self.name(table)} (part, place, round)"
            f" SELECT t.tableoid, t.ctid, {round_number} {rest} ON CONFLICT DO NOTHING"
        )

    def chosen(self, table: SourceTable, alias: str) -> str:
        """Return FROM text of a table's chosen rows, with ``k`` for their places."""
        same = f"{alias}.ctid = k.place" + (f" AND {alias}.tableoid = k.part" if table.partitioned else "")
        return f"{self.name(table)} k JOIN {source(table)} {alias} ON {same}"


def source(table: SourceTable) -> str:
    """Return FROM text of a table's own rows."""
    return qualified(table.physical) if table.partitioned else f"ONLY {qualified(table.physical)}"


def small_queries(
    tables: Sequence[SourceTable], below: int, batch: int = 100
) -> Iterator[tuple[str, Sequence[SourceTable]]]:
    """Yield SQL that counts tables as far as it matters, a number of them at a time."""
    for start in range(0, len(tables), batch):
        some = tables[start : start + batch]
        counts = [f"(SELECT count(*) FROM (SELECT FROM {source(table)} LIMIT {int(below)}) s)" for table in some]
        yield f"SELECT {', '.join(counts)}", some


def in_share(table: SourceTable, share: float, draw: int = 0) -> str:
    """Return a condition on ``t`` that a share of a table's rows meets: always the same ones, and more for more.

    Under another draw they are others: what is left of a table under one is no sample for the same draw.
    """
    if share >= 1:
        return "true"
    columns = table.primary_key or next((unique for unique in table.uniques if _filled(table, unique)), ())
    values = [f"t.{quote(name)}::text" for name in columns] or ["(t.*)::text"]  # a column may be called t
    key = f" || {_SEPARATOR} || ".join([literal(table.name.name), *values])
    return f'(hashtextextended(({key}) COLLATE "C", {int(draw)}) & 9223372036854775807) < {int(share * _HIGHEST)}'


def _filled(table: SourceTable, columns: Sequence[str]) -> bool:
    found = [table.column(name) for name in columns]
    return all(column is not None and column.not_null for column in found)


def begin(kept: Kept, rule: Rule) -> Iterator[str]:
    """Yield SQL that puts the rows that a rule chooses into a table's temporary table."""
    table = rule.table
    conditions = [f"({rule.condition})"] if rule.condition else []
    match rule.how:
        case How.SEED if rule.seed is not None:
            wanted = f"({rule.seed.where})" if rule.seed.where else in_share(table, rule.seed.share or 0, kept.draw)
            yield kept.insert(table, 0, _where(table, [wanted, *conditions]))
        case How.JUNCTION:
            yield kept.insert(table, 0, _where(table, [*(_child_of(kept, edge) for edge in rule.owners), *conditions]))
        case How.FOLLOWS:
            for edge in rule.owners:
                yield kept.insert(table, 0, _where(table, [_child_of(kept, edge), *conditions]))
            if rule.orphans is not None:
                nowhere = " OR ".join(f"t.{quote(name)} IS NULL" for name in rule.owners[0].key.columns)
                alone = [f"({nowhere})", in_share(table, rule.orphans, kept.draw), *conditions]
                yield kept.insert(table, 0, _where(table, alone))


def linking(kept: Kept, rule: Rule, ends: Mapping[TableName, Rule], number: int) -> Iterator[str]:
    """Yield SQL that adds links of which one end came in a round and the others before or with it.

    A key that is declared of an end that comes whole may lead nowhere; such a row links nothing.
    """
    table = rule.table
    conditions = [f"({rule.condition})"] if rule.condition else []
    for fresh in rule.links:
        if not ends[fresh.parent.name].partial:
            continue
        met = [
            _child_of(kept, edge, number if edge is fresh else None)
            if ends[edge.parent.name].partial
            else _child_of_whole(edge, ends[edge.parent.name].condition)
            for edge in rule.links
        ]
        yield kept.insert(table, number + 1, _where(table, [*met, *conditions]))


def _child_of_whole(edge: Edge, condition: str | None) -> str:
    """Return a condition on ``t``: a child of a parent that comes whole, but for what the policy leaves out of it."""
    parents = f"(SELECT t.* FROM {source(edge.parent)} t WHERE ({condition or 'true'})) p"
    return f"EXISTS (SELECT FROM {parents} WHERE {_same(edge, child='t', parent='p')})"


def _where(table: SourceTable, conditions: Sequence[str]) -> str:
    return f"FROM {source(table)} t WHERE {' AND '.join(conditions)}"


def _child_of(kept: Kept, edge: Edge, number: int | None = None) -> str:
    """Return a condition on ``t``: a child of a chosen parent (of one round), and not one too many."""
    fresh = "" if number is None else f" AND k.round = {number}"
    child = f"EXISTS (SELECT FROM {kept.chosen(edge.parent, 'p')} WHERE {_same(edge, child='t', parent='p')}{fresh})"
    if edge.cap is None:
        return child
    # Numbered among all children of a parent, so that what else is asked of them does not let other ones in.
    ranked = (
        f"SELECT t.tableoid, t.ctid, row_number() OVER (PARTITION BY {_columns('t', edge.key.columns)}"
        f" ORDER BY {_order(edge.child)}, t.tableoid, t.ctid) AS n FROM {source(edge.child)} t WHERE {child}"
    )
    return f"(t.tableoid, t.ctid) IN (SELECT r.tableoid, r.ctid FROM ({ranked}) r WHERE r.n <= {int(edge.cap)})"


def _order(table: SourceTable) -> str:
    return in_share(table, 0).rpartition(" < ")[0]


def up(kept: Kept, edge: Edge, round_number: int, *, whole: bool) -> str:
    """Return SQL that adds the parents to which the children of one round refer."""
    children = f"{source(edge.child)} c" if whole else kept.chosen(edge.child, "c")
    fresh = "" if whole else f" AND k.round = {round_number}"
    referring = f"EXISTS (SELECT FROM {children} WHERE {_same(edge, child='c', parent='t')}{fresh})"
    return kept.insert(edge.parent, round_number + 1, _where(edge.parent, [referring]))


def up_the_chain(kept: Kept, edge: Edge, round_number: int) -> Iterator[str]:
    """Yield SQL that follows a key of a table to itself to the end: a chain may have a million links.

    From few rows by the key's index: the planner would rather read the whole table for each link.
    """
    table = edge.parent
    same = "c.ctid = up.place" + (" AND c.tableoid = up.part" if table.partitioned else "")
    yield "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
    yield (
        f"WITH RECURSIVE up (part, place) AS (SELECT k.part, k.place FROM {kept.name(table)} k"
        f" WHERE k.round = {round_number} UNION SELECT t.tableoid, t.ctid FROM up JOIN {source(table)} c ON {same}"
        f" JOIN {source(table)} t ON {_same(edge, child='c', parent='t')})"
        f" INSERT INTO {kept.name(table)} (part, place, round) SELECT part, place, {round_number + 1} FROM up"
        " ON CONFLICT DO NOTHING"
    )
    yield "SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on"


def forbidden(kept: Kept, edge: Edge, *, child_whole: bool, condition: str | None) -> str:
    """Return SQL that counts chosen children whose parent the policy leaves out; no condition: all parents."""
    children = f"{source(edge.child)} c" if child_whole else kept.chosen(edge.child, "c")
    if condition is None:
        filled = " AND ".join(f"c.{quote(name)} IS NOT NULL" for name in edge.key.columns)
        return f"SELECT count(*) FROM {children} WHERE {filled}"
    parents = f"SELECT FROM {source(edge.parent)} t WHERE {_same(edge, child='c', parent='t')}"
    return f"SELECT count(*) FROM {children} WHERE EXISTS ({parents} AND ({condition}) IS NOT TRUE)"


def leading_nowhere(edge: Edge, children: str, parents: str) -> str:
    """Return SQL that counts the children ``c`` whose parent ``p`` is not there; NULL refers to nothing."""
    filled = " AND ".join(f"c.{quote(name)} IS NOT NULL" for name in edge.key.columns)
    there = f"SELECT FROM {parents} p WHERE {_same(edge, child='c', parent='p')}"
    return f"SELECT count(*) FROM {children} WHERE {filled} AND NOT EXISTS ({there})"


def places(kept: Kept, table: SourceTable, after: tuple[int, str] | None, count: int) -> str:
    """Return SQL for the next places of chosen rows: partition, the last, how many, all as an array, names."""
    beyond = "" if after is None else f" WHERE (part, place) > ({after[0]}::oid, {literal(after[1])}::tid)"
    some = f"SELECT part, place FROM {kept.name(table)}{beyond} ORDER BY part, place LIMIT {int(count)}"
    return (
        "SELECT s.part::bigint, (max(s.place))::text, count(*), array_agg(s.place ORDER BY s.place)::text,"
        " n.nspname, r.relname"
        f" FROM ({some}) s JOIN pg_class r ON r.oid = s.part JOIN pg_namespace n ON n.oid = r.relnamespace"
        " GROUP BY s.part, n.nspname, r.relname ORDER BY s.part"
    )


def _same(edge: Edge, *, child: str, parent: str) -> str:
    operators = edge.key.operators or ("=",) * len(edge.key.columns)
    ends = zip(edge.key.to_columns, operators, edge.key.columns, strict=True)
    return " AND ".join(f"{parent}.{quote(there)} {same} {child}.{quote(here)}" for there, same, here in ends)


def _columns(alias: str, names: Sequence[str]) -> str:
    return ", ".join(f"{alias}.{quote(name)}" for name in names)
