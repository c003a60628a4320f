"""The columns of a table whose values are replaced."""

from __future__ import annotations

from dataclasses import dataclass

from kitchen.domain.catalogue import SourceColumn, SourceTable
from kitchen.domain.masking import Decision, MaskKind, Policy


@dataclass(frozen=True, slots=True)
class Masked:
    """One column that must not hold what production holds."""

    column: SourceColumn
    decision: Decision


def masked_columns(policy: Policy, table: SourceTable, *, reviewed: bool = False) -> tuple[Masked, ...]:
    """Return the columns of a table whose values are replaced; those by a reviewed expression where asked for."""
    others = {MaskKind.RECOMPUTE, MaskKind.DROP, MaskKind.BLANK} | (set() if reviewed else {MaskKind.SQL})
    found = []
    for column in table.columns:
        decided = policy.decided(table.name, column.name)
        if decided is None or decided.decision.is_kept or column.generated:
            continue
        if decided.decision.mask not in others:
            found.append(Masked(column, decided.decision))
    return tuple(found)
