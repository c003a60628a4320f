"""Which columns a release brought that no masking decision of an environment below covers yet."""

from __future__ import annotations

from collections.abc import Collection

from kitchen.domain.layout import TableName
from kitchen.domain.masking import Policy
from kitchen.operations.pantry_check import decisions
from kitchen.ports import Source

__all__ = ["undecided_of"]


def undecided_of(source: Source, policy: Policy, tables: Collection[TableName]) -> tuple[str, ...]:
    """Return the columns of these tables of the source, as ``table.column``, which nothing decides.

    The next refresh stops at them; whoever brings the tables is the one to know what becomes of each column.
    """
    wanted = {str(table) for table in tables}
    with source.snapshot() as snapshot:
        found = decisions(policy, snapshot.catalogue())
    return tuple(f"{one.table}.{one.column}" for one in found if one.decision is None and one.table in wanted)
