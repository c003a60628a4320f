"""A masking policy as a document that is kept with what was made under it, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from kitchen.domain.masking import Decision, MaskKind, Pattern, Policy, Reference, TablePolicy


def to_document(policy: Policy) -> dict[str, Any]:
    """Return everything that decides, in one form however its file was written; only patterns keep their order."""
    return {
        "tables": {name: _table(policy.tables[name]) for name in sorted(policy.tables)},
        "patterns": [{"pattern": each.pattern, **_decision(each.decision)} for each in policy.patterns],
        "references": sorted(
            [[each.table, list(each.columns), each.to_table, list(each.to_columns)] for each in policy.references]
        ),
        "canaries": sorted(policy.canaries),
        "accepted": dict(sorted(policy.accepted.items())),
    }


def from_document(kept: Mapping[str, Any], *, name: str, digest: str) -> Policy:
    """Return the policy that ``to_document`` kept."""
    return Policy(
        tables={table: _kept_table(said) for table, said in kept["tables"].items()},
        patterns=tuple(
            Pattern(said["pattern"], _kept_decision({k: v for k, v in said.items() if k != "pattern"}))
            for said in kept["patterns"]
        ),
        references=tuple(
            Reference(table, tuple(columns), to, tuple(to_columns))
            for table, columns, to, to_columns in kept["references"]
        ),
        canaries=tuple(kept["canaries"]),
        accepted=dict(kept["accepted"]),
        name=name,
        digest=digest,
    )


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, ...]:
    """Return, by name, where two documents decide otherwise: columns, tables, and whole sections."""
    found: list[str] = []
    for table in sorted({*one["tables"], *other["tables"]}):
        here, there = (document["tables"].get(table, {"columns": {}}) for document in (one, other))
        columns = sorted({*here["columns"], *there["columns"]})
        found += [f"{table}.{name}" for name in columns if here["columns"].get(name) != there["columns"].get(name)]
        if {**here, "columns": None} != {**there, "columns": None}:
            found.append(table)
    return (*found, *(f"`{name}:`" for name in ("patterns", "references", "canaries", "accepted")
                      if one[name] != other[name]))  # fmt: skip


def recorded(manifest: Mapping[str, Any]) -> Policy | None:
    """Return the policy under which a pantry version was made; None where it was made before they were kept."""
    kept = manifest.get("policy")
    if not isinstance(kept, Mapping) or "decisions" not in kept:
        return None
    return from_document(kept["decisions"], name=str(kept["file"]), digest=str(kept["sha256"]))


def _table(policy: TablePolicy) -> dict[str, Any]:
    said: dict[str, Any] = {"columns": {name: _decision(policy.columns[name]) for name in sorted(policy.columns)}}
    if policy.rows != "all":
        said["rows"] = policy.rows
    if policy.where is not None:
        said["where"] = policy.where
    if policy.quasi_identifiers:
        said["quasi_identifiers"] = list(policy.quasi_identifiers)
    return said


def _kept_table(said: Mapping[str, Any]) -> TablePolicy:
    return TablePolicy(
        {name: _kept_decision(decision) for name, decision in said["columns"].items()},
        said.get("rows", "all"), said.get("where"), tuple(said.get("quasi_identifiers", ())),
    )  # fmt: skip


def _decision(decision: Decision) -> dict[str, Any]:
    said: dict[str, Any] = {"mask": decision.mask.value}
    for field in fields(Decision):
        value = getattr(decision, field.name)
        if field.name == "mask" or value == field.default:
            continue
        said[field.name] = _plain(value)
    return said


def _plain(value: object) -> object:
    if isinstance(value, Decision):
        return _decision(value)
    return list(value) if isinstance(value, tuple) else value


def _kept_decision(said: Mapping[str, Any]) -> Decision:
    kept = {**said, "mask": MaskKind(said["mask"])}
    if "paths" in kept:
        kept["paths"] = tuple(kept["paths"])
    if "of" in kept:
        kept["of"] = _kept_decision(kept["of"])
    return Decision(**kept)
