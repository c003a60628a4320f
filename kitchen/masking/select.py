"""The masked SELECT of one table: a digest for each subject, entries cut out of pools, explicit columns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from kitchen.domain.catalogue import ColumnName, SourceColumn, SourceTable
from kitchen.domain.layout import TableName
from kitchen.domain.masking import Decision, MaskKind, Policy
from kitchen.errors import KitchenError, Refused
from kitchen.masking import permute
from kitchen.masking.keys import digest_sql
from kitchen.masking.masks import Value, blank, expression, keyed, vector
from kitchen.masking.pools import fitting
from kitchen.masking.sql import literal, qualified, quote

_NAME_LENGTH = 63  # bytes of PostgreSQL's type `name`; entries are ASCII
_FEWEST_ENTRIES = 64  # a pool that a short column cuts down to fewer would tell too much


@dataclass(frozen=True, slots=True)
class MaskedSelect:
    """How one table leaves the source: what to select, which sub-keys it needs, which columns it fills."""

    table: SourceTable
    columns: tuple[str, ...]
    domains: tuple[str, ...]
    splittable: bool  # ranges of the table may be read apart
    is_ours: bool  # no expression of the policy is in it
    _before: str
    _after: str
    _conditions: tuple[str, ...] = ()

    def sql(self, condition: str | None = None, limit: int | None = None, *, part: TableName | None = None) -> str:
        """Return the SELECT, of the rows that also meet a condition on ``t``; of one partition where it is named."""
        rows = f"ONLY {qualified(part)}" if part is not None else _source(self.table)
        met = [f"({text})" for text in (*self._conditions, condition) if text]
        where = f" WHERE {' AND '.join(met)}" if met else ""
        end = f"LIMIT {int(limit)}" if limit is not None else "OFFSET 0"
        return f"{self._before} FROM {rows} t{where} {end}{self._after}"


@dataclass
class _Builder:
    """Collects what the expressions of one table ask for."""

    policy: Policy
    table: SourceTable
    components: Mapping[ColumnName, str]
    taken: Mapping[str, Collection[str]]
    domains: list[str] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)  # SQL -> alias
    pools: dict[str, str] = field(default_factory=dict)  # SQL of all entries -> column of kitchen_pools
    inner: dict[str, str] = field(default_factory=dict)  # alias -> SQL over t
    others: list[str] = field(default_factory=list)  # further joins

    def domain(self, name: str) -> int:
        if name not in self.domains:
            self.domains.append(name)
        return self.domains.index(name)

    def digest(self, domain: str, message: str) -> str:
        sql = digest_sql(self.domain(domain), message)
        return f"s.{self.digests.setdefault(sql, f'kitchen_h{len(self.digests)}')}"

    def entry(self, pool: str, index: str, length: int | None) -> tuple[str, str]:
        entries = fitting(pool, length, self.taken.get(pool.removesuffix("/small"), ()))
        if len(entries) < _FEWEST_ENTRIES:
            raise Refused(f"too short for {pool.replace('_', ' ')}: use hash, const or blank")
        width = max(map(len, entries))
        sql = _named(entries) if width <= _NAME_LENGTH else _joined(entries, width)
        name = self.pools.setdefault(sql, f"p{len(self.pools)}")
        made = (f"({index}) % {len(entries)}", f"(({index}) + 1) % {len(entries)}")
        first, second = (
            _element(name, number) if width <= _NAME_LENGTH else _slice(name, width, number) for number in made
        )
        return first, second


def _named(entries: Collection[str]) -> str:
    """Return a pool as an array of names, whose elements are of one size: a server finds one without walking there.

    Arrays of text are walked, tables of entries are joined by sorting millions of rows.
    """
    return literal("{" + ",".join(f'"{entry}"' for entry in entries) + "}") + "::name[]"


def _element(pool: str, index: str) -> str:
    return f"(SELECT {pool} FROM kitchen_pools)[{index} + 1]::text"


def _joined(entries: Collection[str], width: int) -> str:
    """Return a pool of longer entries, as one long bytea of entries of equal width."""
    return literal("".join(entry.ljust(width) for entry in entries)) + "::bytea"


def _slice(pool: str, width: int, index: str) -> str:
    return f"rtrim(encode(substr((SELECT {pool} FROM kitchen_pools), {width} * ({index}) + 1, {width}), 'escape'))"


def masked_select(
    policy: Policy, table: SourceTable, components: Mapping[ColumnName, str],
    *, taken: Mapping[str, Collection[str]] | None = None,
) -> MaskedSelect:  # fmt: skip
    """Return how a table is read masked; ``taken`` are entries of pools that production bears.

    Raises Refused where a decision does not fit its column, or is missing.
    """
    builder = _Builder(policy, table, components, taken or {})
    used: dict[tuple[MaskKind, str], int] = {}
    made: dict[str, str] = {}
    for column in table.columns:
        try:
            sql = _column(builder, column, used)
        except KitchenError as refused:
            raise Refused(f"{table.name}.{column.name}: {refused.message}", hint=refused.hint) from None
        if sql is not None:
            made[column.name] = sql
    for column in table.columns:  # computed from what the other columns became
        decision = _decision(builder, column)
        if decision.mask is MaskKind.RECOMPUTE and not column.generated:
            sources = {name: made.get(name, "NULL") for name in column.tsvector_of}
            made[column.name] = vector(column, sources) if column.tsvector_of else blank(column)
    return _assembled(builder, {column.name: made[column.name] for column in table.columns if column.name in made})


def _decision(builder: _Builder, column: SourceColumn) -> Decision:
    decided = builder.policy.decided(builder.table.name, column.name)
    if decided is None:
        raise Refused("undecided", hint="kitchen pantry scan --write")
    return decided.decision


def _column(builder: _Builder, column: SourceColumn, used: dict[tuple[MaskKind, str], int]) -> str | None:
    decision = _decision(builder, column)
    original = f"s.{quote(column.name)}"
    if column.generated or decision.mask in (MaskKind.RECOMPUTE, MaskKind.DROP):
        return None
    if decision.mask is MaskKind.SQL:
        alias = f"kitchen_x{len(builder.inner)}"
        builder.inner[alias] = f"({decision.sql})"
        return f"s.{alias}"
    if decision.mask is MaskKind.SHUFFLE:
        return _shuffled(builder, column)
    if decision.mask is MaskKind.EACH:
        return _each(builder, decision, column)
    domain = domain_of(builder.policy, builder.components, builder.table, column, decision)
    if decision.mask is MaskKind.PERMUTE:
        return permute.expression(column, original, builder.domain(domain), builder.others)
    message = f"t.{quote(column.name)}::text"
    if decision.subject is not None:
        again = used.get((decision.mask, decision.subject), 0)
        used[decision.mask, decision.subject] = again + 1
        message = f"t.{quote(decision.subject)}::text"
        if again:  # a second telephone of the same person is another one
            message += f" || {literal(chr(31) + column.name)}"
    digest = builder.digest(domain, message) if keyed(decision) else "NULL"
    unique = builder.table.in_unique(column.name)
    return expression(decision, Value(column, original, digest, unique, builder))


def domain_of(
    policy: Policy, components: Mapping[ColumnName, str], table: SourceTable, column: SourceColumn, decision: Decision
) -> str:
    """Return the domain whose sub-key masks a column."""
    if decision.domain is not None:
        return f"own/{decision.domain}"
    keyed_by = decision.subject or column.name
    found = components.get((table.name, keyed_by))
    if found is not None:
        return found
    return f"key/{table.name}.{keyed_by}" if decision.subject is not None else f"value/{decision.mask.value}"


def _shuffled(builder: _Builder, column: SourceColumn) -> str:
    table, name = builder.table, quote(column.name)
    builder.inner["kitchen_n"] = "row_number() OVER ()"
    alias = f"m{len(builder.others)}"
    order = digest_sql(builder.domain("shuffle"), f"{literal(column.name)} || t.ctid::text || t.tableoid::text")
    where = builder.policy.table(table.name).where
    condition = f" WHERE ({where})" if where else ""
    builder.others.append(
        f"LEFT JOIN (SELECT row_number() OVER (ORDER BY {order}) AS n, t.{name} AS v"
        f" FROM {_source(table)} t{condition}) {alias} ON {alias}.n = s.kitchen_n"
    )
    return f"{alias}.v"


def _each(builder: _Builder, decision: Decision, column: SourceColumn) -> str:
    if not column.is_array or decision.of is None:
        raise Refused(f"each does not fit {column.type}: it is for arrays, with `of:` for their elements")
    inner = decision.of
    element = SourceColumn(column.name, column.type.removesuffix("[]"), column.base, column.category)
    domain = builder.domain(f"own/{inner.domain}" if inner.domain else f"value/{inner.mask.value}")
    sql = expression(inner, Value(element, "u.e", "k.h", False, builder))
    digest = digest_sql(domain, "u.e::text")
    array = f"s.{quote(column.name)}"
    return (
        f"CASE WHEN {array} IS NULL THEN NULL ELSE (SELECT coalesce(array_agg(({sql})::text ORDER BY u.o), '{{}}')"
        f" FROM unnest({array}) WITH ORDINALITY u(e, o) CROSS JOIN LATERAL (SELECT {digest} AS h OFFSET 0) k) END"
    )


def _source(table: SourceTable) -> str:
    return qualified(table.physical) if table.partitioned else f"ONLY {qualified(table.physical)}"


def _assembled(builder: _Builder, made: Mapping[str, str]) -> MaskedSelect:
    """Return the query: an inner SELECT that computes each digest once, fenced, and the outer one that uses them."""
    table = builder.table
    inner = [f"t.{quote(column.name)}" for column in table.columns]
    inner += [f"{sql} AS {alias}" for sql, alias in builder.digests.items()]
    inner += [f"{sql} AS {alias}" for alias, sql in builder.inner.items()]
    columns = ", ".join(f"{entries} AS {name}" for entries, name in builder.pools.items())
    head = f"WITH kitchen_pools AS MATERIALIZED (SELECT {columns}) " if columns else ""
    outer = ", ".join(f"{sql} AS {quote(name)}" for name, sql in made.items())
    own = builder.policy.table(table.name)
    conditions = ("false",) if own.rows == "none" else ((own.where,) if own.where else ())
    return MaskedSelect(
        table, tuple(made), tuple(builder.domains), not any("row_number()" in text for text in builder.others),
        not builder.inner.keys() - {"kitchen_n"} and not own.where,
        f"{head}SELECT {outer} FROM (SELECT {', '.join(inner)}",
        f") s {' '.join(builder.others)}".rstrip(),
        conditions,
    )  # fmt: skip
