"""Compares the policy with the live columns, exactly: what is undecided, changed or does not fit is named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches

from kitchen.domain.catalogue import (
    NO_EVIDENCE,
    Catalogue,
    ColumnName,
    Evidence,
    Evidences,
    SourceColumn,
    SourceTable,
)
from kitchen.domain.masking import Decision, MaskKind, Policy
from kitchen.masking.domains import components, ends_of, missing_columns
from kitchen.masking.fits import complaint
from kitchen.masking.sql import qualified


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that stops a refresh (or, as a note, does not)."""

    kind: str  # undecided | removed | retyped | unfit | unlike | unreviewed | note
    where: str  # file:line
    subject: str  # schema.table.column
    says: str

    @property
    def stops(self) -> bool:
        """Say whether the refresh is refused."""
        return self.kind != "note"

    def __str__(self) -> str:
        return f"{self.where}: {self.subject}: {self.says}"


def check(
    policy: Policy, catalogue: Catalogue, evidences: Evidences, *, known_types: Mapping[str, str] | None = None,
    allow_proposed: bool = True,
) -> tuple[Finding, ...]:  # fmt: skip
    """Return everything that is wrong; ``known_types`` are the types of columns at the last refresh."""
    found = [*_ambiguous(policy, catalogue), *_removed(policy, catalogue)]
    for table in catalogue.tables:
        for column in table.columns:
            found += _decided(policy, table, column, known_types=known_types or {}, allow_proposed=allow_proposed)
            found += _fit(policy, catalogue, table, column, evidences.get((table.name, column.name), NO_EVIDENCE))
    found += [*_unlike(policy, catalogue), *_references(policy, catalogue)]
    found += [Finding("note", policy.name, *text.partition(": ")[::2]) for text in catalogue.left_out]
    return tuple(found)


def _ambiguous(policy: Policy, catalogue: Catalogue) -> Iterator[Finding]:
    schemas = defaultdict(list)
    for table in catalogue.tables:
        schemas[table.name.name].append(table.name.schema)
    for name in policy.tables:
        if len(schemas.get(name, ())) > 1:
            where = ", ".join(f"{schema}.{name}" for schema in schemas[name])
            yield Finding("unfit", policy.where(name), name, f"several schemas have such a table: say which of {where}")


def _removed(policy: Policy, catalogue: Catalogue) -> Iterator[Finding]:
    tables = {policy.key(table.name): table for table in catalogue.tables}
    for name, kept in policy.tables.items():
        table = tables.get(name)
        if table is None:
            yield Finding("note", policy.where(name), name, "the source has no such table")
            continue
        for column in kept.quasi_identifiers:
            if table.column(column) is None or column in policy.dropped(table.name):
                says = f"quasi_identifiers: the pantry has no column {column!r}"
                yield Finding("unfit", policy.where(name, "quasi_identifiers"), str(table.name), says)
        for column in kept.columns:
            if table.column(column) is None:
                says = "the source has no such column any more: remove the line"
                yield Finding("removed", policy.where(name, column), f"{table.name}.{column}", says)


def _where(policy: Policy, table: SourceTable, column: SourceColumn) -> str:
    key = policy.key(table.name)
    return policy.where(key, column.name) if key is not None else policy.name


def _decided(
    policy: Policy, table: SourceTable, column: SourceColumn, *, known_types: Mapping[str, str], allow_proposed: bool
) -> Iterator[Finding]:
    """Name a column without a decision, or whose decision was made for something else."""
    subject = f"{table.name}.{column.name}"
    where = _where(policy, table, column)
    decided = policy.decided(table.name, column.name)
    if decided is None:
        known = known_types and subject not in known_types
        says = f"{column.type} is undecided" + (": the column is new" if known else "")
        yield Finding("undecided", where, subject, says)
        return
    decision = decided.decision
    before = decision.type or known_types.get(subject)
    if before is not None and before != column.type:
        says = f"it was {before} when it was decided and is {column.type} now: decide anew, with type: {column.type}"
        yield Finding("retyped", where, subject, says)
    if decision.proposed and not allow_proposed:
        yield Finding("unreviewed", where, subject, "nobody has reviewed this proposal: remove `proposed: true`")
    if decided.by != "column" and decision.mask is MaskKind.KEEP and column.category not in "BEDN":
        says = f"{decided.by} keeps text: a column that keeps text is decided on a line of its own"
        yield Finding("unfit", where, subject, says)


def _fit(
    policy: Policy, catalogue: Catalogue, table: SourceTable, column: SourceColumn, evidence: Evidence
) -> Iterator[Finding]:
    decided = policy.decided(table.name, column.name)
    if decided is None or policy.table(table.name).rows == "none":
        return
    if decided.decision.mask is MaskKind.DROP and column.dependants:
        says = f"drop: left out with it: {', '.join(column.dependants)}"
        yield Finding("note", _where(policy, table, column), f"{table.name}.{column.name}", says)
    wrong = complaint(catalogue, table, column, decided.decision, evidence)
    if wrong is not None:
        says = f"{decided.decision.mask.value}: {wrong}"
        yield Finding("unfit", _where(policy, table, column), f"{table.name}.{column.name}", says)


def _unlike(policy: Policy, catalogue: Catalogue) -> Iterator[Finding]:
    """Name columns that foreign keys join and the policy masks differently."""
    groups: dict[str, list[tuple[ColumnName, Decision, str]]] = defaultdict(list)
    for column, domain in components(catalogue, policy).items():
        table = catalogue.table(column[0])
        decided = policy.decided(*column)
        if decided is not None and decided.decision.mask is MaskKind.DROP:
            continue  # what is not there refers to nothing
        if table is not None and decided is not None and (live := table.column(column[1])) is not None:
            groups[domain].append((column, _essence(decided.decision), live.base))
    for members in groups.values():
        (first, essence, base), *others = sorted(members, key=lambda member: str(member[0]))
        for column, other, other_base in others:
            says = None
            if other != essence:
                says = f"it is joined with {first[0]}.{first[1]}, which is masked differently"
            elif essence.mask is MaskKind.PERMUTE and base != other_base:
                says = f"permute needs one type on both ends of a foreign key, and {first[0]}.{first[1]} has another"
            if says is not None:
                key = policy.key(column[0]) or ""
                yield Finding("unlike", policy.where(key, column[1]), f"{column[0]}.{column[1]}", says)


def _essence(decision: Decision) -> Decision:
    """Return what makes two decisions mask alike. NULL in one end refers to nothing, so blank goes with anything."""
    return replace(decision, why=None, proposed=False, type=None)


def _references(policy: Policy, catalogue: Catalogue) -> Iterator[Finding]:
    for reference in policy.references:
        where = policy.name
        ends = dict(zip((reference.table, reference.to_table), ends_of(catalogue, reference), strict=True))
        gone = [name for name, table in ends.items() if table is None]
        if missing := missing_columns(catalogue, reference):
            yield Finding("unfit", where, str(reference), f"the source has no column {', '.join(missing)}")
        elif len(gone) == len(ends):
            yield Finding("note", where, str(reference), "the source has no tables for this reference")
        elif gone:
            near = get_close_matches(gone[0], [n for t in catalogue.tables for n in (t.name.name, str(t.name))], n=1)
            like = f"; did you mean {near[0]!r}?" if near else ""
            yield Finding("unfit", where, str(reference), f"references: the source has no table {gone[0]!r}{like}")


def expressions(policy: Policy, catalogue: Catalogue) -> Iterator[tuple[Finding, str]]:
    """Yield a query over no row for each expression of the policy, with what is found where the source refuses it."""
    for table in catalogue.tables:
        source = f"{'' if table.partitioned else 'ONLY '}{qualified(table.physical)} t"
        own = policy.table(table.name)
        if own.where is not None:
            where = policy.where(policy.key(table.name) or "")
            yield Finding("unfit", where, str(table.name), "where"), f"SELECT FROM {source} WHERE ({own.where}) LIMIT 0"
        for column in table.columns:
            decided = policy.decided(table.name, column.name)
            if decided is not None and decided.decision.mask is MaskKind.SQL:
                found = Finding("unfit", _where(policy, table, column), f"{table.name}.{column.name}", "sql")
                yield found, f"SELECT ({decided.decision.sql}) FROM {source} LIMIT 0"
