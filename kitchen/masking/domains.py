"""Domains: which columns must mask equal values equally, because foreign keys join them."""

from __future__ import annotations

from collections.abc import Mapping

from kitchen.domain.catalogue import Catalogue, ColumnName, ForeignKey
from kitchen.domain.layout import TableName
from kitchen.domain.masking import Policy


def components(catalogue: Catalogue, policy: Policy) -> Mapping[ColumnName, str]:
    """Return, for every column that takes part in a foreign key, the name of its connected component.

    Keys that the policy declares count like those of the database.
    """
    leader: dict[ColumnName, ColumnName] = {}

    def find(column: ColumnName) -> ColumnName:
        leader.setdefault(column, column)
        while leader[column] != column:
            column = leader[column]
        return column

    for key in (*catalogue.foreign_keys, *declared(catalogue, policy)):
        for here, there in zip(key.columns, key.to_columns, strict=True):
            one, other = find((key.table, here)), find((key.to, there))
            first, second = sorted((one, other), key=_order)
            leader[second] = first
    return {column: _name(find(column)) for column in leader}


def declared(catalogue: Catalogue, policy: Policy) -> tuple[ForeignKey, ...]:
    """Return the policy's own references whose both ends exist."""
    found: list[ForeignKey] = []
    for reference in policy.references:
        table, to = _named(catalogue, reference.table), _named(catalogue, reference.to_table)
        if table is not None and to is not None:
            found.append(ForeignKey(table, (reference.column,), to, (reference.to_column,)))
    return tuple(found)


def _named(catalogue: Catalogue, name: str) -> TableName | None:
    return next((table.name for table in catalogue.tables if name in (str(table.name), table.name.name)), None)


def _order(column: ColumnName) -> tuple[str, str, str]:
    return column[0].schema, column[0].name, column[1]


def _name(column: ColumnName) -> str:
    return f"key/{column[0]}.{column[1]}"
