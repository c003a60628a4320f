"""Where one masking policy reveals more than another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import takewhile

from kitchen.domain.layout import TableName
from kitchen.domain.masking import Decision, MaskKind, Pattern, Policy

_OWN = frozenset({MaskKind.KEEP, MaskKind.SHUFFLE, MaskKind.SQL})  # an expression may give back what it was given
_NEAR = frozenset({MaskKind.DATE, MaskKind.NUMBER})


def weaker(before: Policy, after: Policy) -> tuple[str, ...]:
    """Return, in words, where more of production's own or near values would come along than before."""
    tables = _tables_of(before, after)
    return tuple(
        dict.fromkeys(
            (
                *_columns(before, after, tables),
                *_rows(before, after, tables),
                *_patterns(before, after),
                *_proofs(before, after),
            )
        )
    )


def _tables_of(*policies: Policy) -> tuple[TableName, ...]:
    """Return the tables that policies speak of; one without a schema could be in each that is named, or in public."""
    named = {name.rpartition(".")[::2] for policy in policies for name in policy.tables}
    heads = {each.pattern.split(".")[0] for policy in policies for each in policy.patterns
             if each.pattern.count(".") > 1}  # fmt: skip
    schemas = sorted({"public", *heads, *(schema for schema, _ in named if schema)})
    found = (TableName(one, plain) for schema, plain in named for one in ((schema,) if schema else schemas))
    return tuple(sorted(dict.fromkeys(found), key=str))


def _columns(before: Policy, after: Policy, tables: Iterable[TableName]) -> Iterator[str]:
    """Tell columns by what decides them now and did before: a line of their own, under either name, or a pattern."""
    for table in tables:
        for column in dict.fromkeys((*after.table(table).columns, *before.table(table).columns)):
            was, now = before.decided(table, column), after.decided(table, column)
            if now is not None and reveals(was.decision if was is not None else None, now.decision):
                before_it = was.decision.mask.value if was is not None else "new"
                yield f"{_called(after, table)}.{column}: {before_it}, now {now.decision.mask.value}"


def _rows(before: Policy, after: Policy, tables: Iterable[TableName]) -> Iterator[str]:
    for table in tables:
        was, now, name = before.table(table), after.table(table), _called(after, table)
        if now.rows == "none" or (
            after.key(table) is None and not any(_may_decide(each, table) for each in after.patterns)
        ):
            continue  # no row, or no column, comes along
        if was.rows == "none":
            yield f"{name}: its rows come along"
        if was.where is not None and now.where != was.where:
            yield f"{name}: other rows come along"


def _may_decide(pattern: Pattern, table: TableName) -> bool:
    of_table = pattern.pattern.rpartition(".")[0]
    return fnmatchcase(str(table) if "." in of_table else table.name, of_table)


def _called(policy: Policy, table: TableName) -> str:
    key = policy.key(table)
    return key if key is not None else table.name if table.schema == "public" else str(table)


def _patterns(before: Policy, after: Policy) -> Iterator[str]:
    """The first pattern that matches decides: one that reveals more must not come past one that stood before it."""
    known = {each.pattern: each.decision for each in reversed(before.patterns)}
    for place, each in enumerate(after.patterns):
        if reveals(known.get(each.pattern), each.decision):
            yield f'pattern "{each.pattern}": now {each.decision.mask.value}'
            continue
        first = {earlier.pattern for earlier in after.patterns[:place]}
        for guard in takewhile(lambda one: one.pattern != each.pattern, before.patterns):  # noqa: B023 - used at once
            if guard.pattern not in first and reveals(guard.decision, each.decision):
                yield f'pattern "{each.pattern}": "{guard.pattern}" does not come before it any more'


def _proofs(before: Policy, after: Policy) -> Iterator[str]:
    if set(before.canaries) - set(after.canaries):
        yield "canaries: fewer are looked for"
    if added := set(after.accepted) - set(before.accepted):
        yield f"accepted: {len(added)} more texts may stay"


def reveals(before: Decision | None, after: Decision) -> bool:
    """Say whether a decision lets more through than the one before; what was undecided did not come at all."""
    if after.mask is MaskKind.EACH and after.of is not None:
        return reveals(before.of if before is not None and before.of is not None else before, after.of)
    if before is not None and before.mask is MaskKind.KEEP:
        return False
    if after.mask is MaskKind.JSON:
        known = before.paths if before is not None and before.mask is MaskKind.JSON else ()
        return not set(after.paths) <= set(known)
    if before is not None and _essence(before) == _essence(after):
        return False
    return _left(after) > 0 and _left(after) >= (_left(before) if before is not None else 0)


def _left(decision: Decision) -> int:
    """Return how much of the original a mask leaves: nothing, near values, the values themselves."""
    if decision.mask is MaskKind.JSON:
        return 1
    return 2 if decision.mask in _OWN else 1 if decision.mask in _NEAR else 0


def _essence(decision: Decision) -> Decision:
    return replace(decision, why=None, proposed=False, type=None, subject=None, domain=None)
