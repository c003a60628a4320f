"""Says why a decision does not fit its column: before anything is read, not in the middle of a refresh."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kitchen.domain.catalogue import NO_EVIDENCE, Catalogue, Evidence, SourceColumn, SourceTable
from kitchen.domain.layout import TableName
from kitchen.domain.masking import Decision, MaskKind, Policy, TablePolicy
from kitchen.errors import KitchenError
from kitchen.masking.select import masked_select

# Masks that give different values for different values, if not by construction then by 64 bits and more.
_INJECTIVE = frozenset(
    {MaskKind.KEEP, MaskKind.HASH, MaskKind.EMAIL, MaskKind.USER_NAME, MaskKind.URL, MaskKind.PERMUTE, MaskKind.PHONE,
     MaskKind.SHUFFLE, MaskKind.SQL, MaskKind.RECOMPUTE, MaskKind.DROP}
)  # fmt: skip
# Masks that answer a value with the same output each time, without a subject.
_DETERMINISTIC = frozenset({MaskKind.HASH, MaskKind.TEXT, MaskKind.USER_NAME, MaskKind.PERMUTE, MaskKind.URL})
_ROWS_FOR_TINY = 200
_TINY = 10
_TEXT_MASKS = frozenset(
    {MaskKind.FIRST_NAME, MaskKind.LAST_NAME, MaskKind.FULL_NAME, MaskKind.EMAIL, MaskKind.STREET, MaskKind.CITY,
     MaskKind.REGION, MaskKind.COUNTRY, MaskKind.ADDRESS, MaskKind.COMPANY, MaskKind.IBAN, MaskKind.URL,
     MaskKind.USER_NAME, MaskKind.TEXT}
)  # fmt: skip


def complaint(
    catalogue: Catalogue, table: SourceTable, column: SourceColumn, decision: Decision,
    evidence: Evidence = NO_EVIDENCE,
) -> str | None:  # fmt: skip
    """Return why a decision does not fit, or None."""
    mask = decision.mask
    if mask is MaskKind.DROP:
        return _dropped(catalogue, table, column)
    if column.generated and mask is not MaskKind.RECOMPUTE:
        return "it is a generated column: the server computes it, so the mask is recompute"
    if mask is MaskKind.RECOMPUTE:
        computed = column.generated or column.base == "tsvector"
        return None if computed else "only generated columns and text search vectors are recomputed"
    if mask is MaskKind.KEEP:
        return _kept(column, decision)
    return (
        _subject(catalogue, table, column, decision)
        or _unique(catalogue, table, column, decision)
        or _type(column, decision)
        or _tiny(column, decision, evidence)
        or _checked(table, column, decision)
        or _built(table, column, decision)
    )


def _dropped(catalogue: Catalogue, table: SourceTable, column: SourceColumn) -> str | None:
    needs = table.needs(column.name)
    if needs is None and catalogue.referred(table.name, column.name):
        needs = "a foreign key that refers to it"
    return f"it cannot be left out, because {needs} would be without it" if needs is not None else None


def _kept(column: SourceColumn, decision: Decision) -> str | None:
    telling = column.is_array or column.category not in "BEDN"
    if column.base == "tsvector":
        return "a text search vector holds the words of other columns: recompute it"
    if column.base in ("oid", "lo"):
        return "large objects are never copied: use blank"
    return "keep needs a reason here: why: …" if telling and not (decision.why or "").strip() else None


def _subject(catalogue: Catalogue, table: SourceTable, column: SourceColumn, decision: Decision) -> str | None:
    if decision.subject is None:
        return None
    subject = table.column(decision.subject)
    if subject is None:
        return f"its subject {decision.subject!r} is no column of the table"
    if not subject.not_null:
        return f"its subject {decision.subject!r} may be NULL: rows without one would share one person"
    if catalogue.refers(table.name, column.name) or catalogue.referred(table.name, column.name):
        return "a foreign key joins by its value: leave `subject` out"
    alone = (decision.subject,) in table.uniques
    if table.in_unique(column.name) and not alone:
        return f"it must be unique, and {decision.subject!r} is not"
    return None


def _unique(catalogue: Catalogue, table: SourceTable, column: SourceColumn, decision: Decision) -> str | None:
    referred = catalogue.referred(table.name, column.name)
    if decision.mask is MaskKind.BLANK and not column.not_null and not referred:
        return None
    if (table.in_unique(column.name) or referred) and decision.mask not in _INJECTIVE:
        return f"{decision.mask.value} gives equal values for different ones, and the column must be unique"
    if decision.mask is MaskKind.PHONE and referred:
        return "phone gives equal values for different ones, and foreign keys refer to the column"
    if (
        decision.mask is MaskKind.HASH
        and column.base in ("int2", "int4")
        and (table.in_unique(column.name) or referred)
    ):
        return "a hash of that few digits is not unique: use permute"
    return None


def _type(column: SourceColumn, decision: Decision) -> str | None:
    if column.is_array and decision.mask not in (
        MaskKind.BLANK,
        MaskKind.EACH,
        MaskKind.SHUFFLE,
        MaskKind.SQL,
        MaskKind.CONST,
    ):
        return f"{decision.mask.value} does not fit {column.type}: use blank, or each with `of:`"
    if decision.mask in _TEXT_MASKS and not column.is_text:
        return f"{decision.mask.value} does not fit {column.type}"
    if decision.mask in (MaskKind.PHONE, MaskKind.CARD, MaskKind.NATIONAL_ID, MaskKind.POSTCODE) and not (
        column.is_text or column.is_number
    ):
        return f"{decision.mask.value} does not fit {column.type}"
    if decision.mask is MaskKind.IP and not (column.is_text or column.base in ("inet", "cidr")):
        return f"ip does not fit {column.type}"
    if decision.mask is MaskKind.MAC and not (column.is_text or column.base in ("macaddr", "macaddr8")):
        return f"mac does not fit {column.type}"
    if decision.mask is MaskKind.CONST and decision.value is not None:
        return _constant(column, str(decision.value))
    return None


def _constant(column: SourceColumn, value: str) -> str | None:
    whole = column.base in ("int2", "int4", "int8")
    if column.is_number and not re.fullmatch(r"-?\d+" if whole else r"-?\d+(\.\d+)?", value):
        return f"{value!r} is no {column.type}"
    return None


def counted(policy: Policy, table: SourceTable) -> bool:
    """Say whether the check must know how many different values columns of a table have."""
    decided = [policy.decided(table.name, column.name) for column in table.columns]
    return any(d is not None and d.decision.subject is None and d.decision.mask in _DETERMINISTIC for d in decided)


def _tiny(column: SourceColumn, decision: Decision, evidence: Evidence) -> str | None:
    if decision.subject is not None or decision.mask not in _DETERMINISTIC:
        return None
    few = evidence.filled >= _ROWS_FOR_TINY and evidence.distinct <= _TINY
    if column.category in "BE" or (column.max_length or 99) <= 2 or few:
        return (
            f"it has so few values that {decision.mask.value} tells which is which by counting: "
            "keep it with a reason, blank it or shuffle it"
        )
    return None


def listed_by_check(table: SourceTable, column: SourceColumn) -> bool:
    """Say whether a CHECK of the table lists the values of a column."""
    name = rf'\(?"?{re.escape(column.name)}"?\)?(::text)?'
    return any(
        re.fullmatch(rf"\(?{name} = ANY \(.*ARRAY\[.*\].*\)\)?", text, re.DOTALL) for text in table.checks.values()
    )


def _checked(table: SourceTable, column: SourceColumn, decision: Decision) -> str | None:
    if listed_by_check(table, column) and decision.mask not in (MaskKind.BLANK, MaskKind.SHUFFLE, MaskKind.SQL):
        return f"a CHECK lists its values, and {decision.mask.value} gives others: keep it with a reason, or shuffle it"
    return None


def _built(table: SourceTable, column: SourceColumn, decision: Decision) -> str | None:
    """Try to build the expression: what a mask needs of the type and its length, it says itself."""
    alone = SourceTable(
        table.name, table.physical,
        tuple(c for c in table.columns if c.name in (column.name, decision.subject)), uniques=table.uniques,
    )  # fmt: skip
    columns: Mapping[str, Decision] = {c.name: Decision(MaskKind.KEEP) for c in alone.columns} | {column.name: decision}
    try:
        masked_select(Policy({str(table.name): TablePolicy(columns)}), alone, {})
    except KitchenError as refused:
        return refused.message.removeprefix(f"{table.name}.{column.name}: ")
    return None


def named(tables: Mapping[str, object], table: TableName) -> str:
    """Return the name by which a file should speak of a table: without its schema where it can."""
    return table.name if table.name not in tables else str(table)
