"""Where one masking policy reveals more than another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kitchen.domain.layout import TableName
from kitchen.domain.masking import Decision, MaskKind, Policy

_OWN = frozenset({MaskKind.KEEP, MaskKind.SHUFFLE, MaskKind.SQL})  # an expression may give back what it was given
_NEAR = frozenset({MaskKind.DATE, MaskKind.NUMBER})


def weaker(before: Policy, after: Policy) -> tuple[str, ...]:
    """Return, in words, where more of production's own or near values would come along than before."""
    return (*_columns(before, after), *_tables(before, after), *_patterns(before, after), *_proofs(before, after))


def _columns(before: Policy, after: Policy) -> Iterator[str]:
    for name, table in after.tables.items():
        schema, _, plain = name.rpartition(".")
        for column, decision in table.columns.items():
            was = before.decided(TableName(schema, plain), column)
            if reveals(was.decision if was is not None else None, decision):
                before_it = was.decision.mask.value if was is not None else "new"
                yield f"{name}.{column}: {before_it}, now {decision.mask.value}"


def _tables(before: Policy, after: Policy) -> Iterator[str]:
    for name, table in before.tables.items():
        now = after.tables.get(name)
        if now is None:
            continue
        if table.rows == "none" and now.rows != "none":
            yield f"{name}: its rows come along"
        if table.where is not None and now.where != table.where and now.rows != "none":
            yield f"{name}: other rows come along"


def _patterns(before: Policy, after: Policy) -> Iterator[str]:
    known = {each.pattern: each.decision for each in before.patterns}
    for each in after.patterns:
        if reveals(known.get(each.pattern), each.decision):
            yield f'pattern "{each.pattern}": now {each.decision.mask.value}'


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
