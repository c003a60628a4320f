"""Propose a masking decision for every column that has none."""

from __future__ import annotations

from collections.abc import Mapping

from kitchen.domain.layout import TableName
from kitchen.domain.masking import Decision, Policy
from kitchen.masking.classify import Proposed, considered
from kitchen.ports import Source


def scan(source: Source, policy: Policy) -> Proposed:
    """Return proposals for undecided columns, from their names and from samples that stay on the source.

    What fits no mask is named with the reason, for a person to decide.
    """
    with source.snapshot() as snapshot:
        catalogue = snapshot.catalogue()
        return considered(catalogue, policy, snapshot.evidence(catalogue))


def under_names(
    proposed: Mapping[TableName, Mapping[str, Decision]], policy: Policy
) -> Mapping[str, Mapping[str, Decision]]:
    """Return proposals by the names under which the file speaks of tables."""
    plain = [table.name for table in proposed]
    found: dict[str, Mapping[str, Decision]] = {}
    for table, columns in proposed.items():
        key = policy.key(table)
        if key is None:
            key = table.name if plain.count(table.name) == 1 and "." not in table.name else str(table)
        found[key] = columns
    return found
