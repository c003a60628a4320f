"""Compare the masking policy with what the source holds now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from kitchen.domain.catalogue import Catalogue, Evidences
from kitchen.domain.masking import Decision, MaskKind, Policy
from kitchen.errors import KitchenError, Refused, Unavailable
from kitchen.masking.check import Finding, check, expressions
from kitchen.masking.fits import counted
from kitchen.ports import PantryVersion, Snapshot, Source

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class ColumnDecision:
    """What one live column gets, and what decides it."""

    table: str
    column: str
    type: str
    decision: Decision | None
    by: str


@dataclass(frozen=True, slots=True)
class Examined:
    """The source as the policy sees it at one moment."""

    catalogue: Catalogue
    evidences: Evidences
    findings: tuple[Finding, ...]

    @property
    def stopping(self) -> tuple[Finding, ...]:
        """Return what refuses a refresh."""
        return tuple(finding for finding in self.findings if finding.stops)


def examine(
    snapshot: Snapshot, policy: Policy, *, newest: PantryVersion | None, allow_proposed: bool = True
) -> Examined:
    """Return the live columns with everything that is wrong about their decisions."""
    catalogue = snapshot.catalogue()
    few = [table.name for table in catalogue.tables if counted(policy, table)]
    evidences = snapshot.evidence(catalogue, few, with_shapes=False)
    findings = check(policy, catalogue, evidences, known_types=known_types(newest), allow_proposed=allow_proposed)
    return Examined(catalogue, evidences, (*findings, *_refused(snapshot, policy, catalogue)))


def _refused(snapshot: Snapshot, policy: Policy, catalogue: Catalogue) -> tuple[Finding, ...]:
    """Return the expressions of the policy that the source does not understand, tried over no row."""
    found = []
    for finding, query in expressions(policy, catalogue):
        try:
            snapshot.query(query)
        except Unavailable:
            raise
        except KitchenError as refused:
            found.append(replace(finding, says=f"{finding.says}: {refused.message}"))
    return tuple(found)


def check_policy(
    source: Source, policy: Policy, *, newest: PantryVersion | None, allow_proposed: bool = True
) -> tuple[tuple[Finding, ...], tuple[ColumnDecision, ...]]:
    """Return everything that is wrong, and the decision of every column."""
    with source.snapshot() as snapshot:
        examined = examine(snapshot, policy, newest=newest, allow_proposed=allow_proposed)
    return examined.findings, decisions(policy, examined.catalogue)


def decisions(policy: Policy, catalogue: Catalogue) -> tuple[ColumnDecision, ...]:
    """Return what every live column gets."""
    found = []
    for table in catalogue.tables:
        for column in table.columns:
            decided = policy.decided(table.name, column.name)
            by = decided.by if decided is not None else "nothing"
            decision = decided.decision if decided is not None else None
            found.append(ColumnDecision(str(table.name), column.name, column.type, decision, by))
    return tuple(found)


def known_types(newest: PantryVersion | None) -> Mapping[str, str]:
    """Return the types of the source's columns when the newest version was made."""
    kept = newest.manifest.get("columns") if newest is not None else None
    return {str(name): str(kind) for name, kind in kept.items()} if isinstance(kept, Mapping) else {}


class Uncovered(Refused):
    """The policy does not cover the source; ``undecided`` names columns that nothing decides."""

    undecided: tuple[str, ...] = ()


def refuse(stopping: tuple[Finding, ...]) -> Refused:
    """Return the error that names what is undecided, changed or unfit."""
    lines = "\n".join(f"  {finding}" for finding in stopping[:_SHOWN])
    more = f"\n  and {len(stopping) - _SHOWN} more" if len(stopping) > _SHOWN else ""
    undecided = tuple(finding.subject for finding in stopping if finding.kind == "undecided")
    refused = Uncovered(
        f"the masking policy does not cover the source, so nothing is copied:\n{lines}{more}",
        hint="kitchen pantry scan --write, then review" if undecided else "mend these lines, then kitchen pantry check",
    )
    refused.undecided = undecided
    return refused


def summary(decision: Decision | None) -> str:
    """Return a decision in a few words."""
    if decision is None:
        return "UNDECIDED"
    parts = [decision.mask.value]
    if decision.subject:
        parts.append(f"by {decision.subject}")
    if decision.mask is MaskKind.DATE:
        parts.append(decision.to or "shift")
    if decision.mask is MaskKind.EACH and decision.of is not None:
        parts.append(decision.of.mask.value)
    return " ".join(parts)
