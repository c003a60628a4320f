"""Domains: which columns must mask equal values equally, because foreign keys join them."""

from __future__ import annotations

from collections.abc import Mapping

from kitchen.domain.catalogue import Catalogue, ColumnName, ForeignKey, SourceTable
from kitchen.domain.masking import Policy, Reference


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
        table, to = ends_of(catalogue, reference)
        if table is not None and to is not None and not missing_columns(catalogue, reference):
            found.append(ForeignKey(table.name, reference.columns, to.name, reference.to_columns))
    return tuple(found)


def missing_columns(catalogue: Catalogue, reference: Reference) -> tuple[str, ...]:
    """Return the columns that a reference names and its tables, as far as they are there, have not."""
    ends = zip(ends_of(catalogue, reference), (reference.columns, reference.to_columns), strict=True)
    return tuple(
        f"{table.name}.{column}"
        for table, columns in ends
        for column in columns
        if table is not None and table.column(column) is None
    )


def ends_of(catalogue: Catalogue, reference: Reference) -> tuple[SourceTable | None, SourceTable | None]:
    """Return the tables of a reference, None for one that is not there."""
    return _named(catalogue, reference.table), _named(catalogue, reference.to_table)


def _named(catalogue: Catalogue, name: str) -> SourceTable | None:
    return next((table for table in catalogue.tables if name in (str(table.name), table.name.name)), None)


def _order(column: ColumnName) -> tuple[str, str, str]:
    return column[0].schema, column[0].name, column[1]


def _name(column: ColumnName) -> str:
    return f"key/{column[0]}.{column[1]}"
