"""Proposes a decision for a column, from its name and from what its values look like. Unknown is never kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from kitchen.domain.catalogue import NO_EVIDENCE, Catalogue, ColumnName, Evidence, Evidences, SourceColumn, SourceTable
from kitchen.domain.layout import TableName
from kitchen.domain.masking import Decision, MaskKind, Policy
from kitchen.masking import fits, words
from kitchen.masking.domains import components

_MOSTLY = 0.5
_SOMETIMES = 0.02  # one e-mail address among fifty notes makes the notes personal
_SOME = 2
_TELLING = frozenset(
    {MaskKind.FIRST_NAME, MaskKind.LAST_NAME, MaskKind.FULL_NAME, MaskKind.EMAIL, MaskKind.PHONE, MaskKind.DATE,
     MaskKind.NATIONAL_ID, MaskKind.IBAN, MaskKind.CARD}
)  # fmt: skip
_NAMES = 0.2  # nobody knows all names
_GENERATION = 20  # years that dates of birth lie apart, and dates of what happened seldom
_CODES = 50  # a code list has at most so many values


def propose(catalogue: Catalogue, policy: Policy, evidences: Evidences) -> Mapping[TableName, Mapping[str, Decision]]:
    """Return a proposal for every undecided column. Both ends of a foreign key get the same one."""
    domains = components(catalogue, policy)
    found: dict[TableName, dict[str, Decision]] = {}
    shared: dict[str, Decision] = {}
    for table in catalogue.tables:  # columns that others refer to decide for those that refer to them
        for column in table.columns:
            domain = domains.get((table.name, column.name))
            decided = policy.decided(table.name, column.name)
            if domain is not None and decided is not None:
                shared.setdefault(domain, replace(decided.decision, subject=None, proposed=True))
    for table in sorted(catalogue.tables, key=lambda t: _refers_only(catalogue, t)):
        kinds = recognised(table, evidences)
        for column in table.columns:
            if policy.decided(table.name, column.name) is not None:
                continue
            domain = domains.get((table.name, column.name))
            if domain is not None and domain in shared:
                decision = shared[domain]
            else:
                evidence = evidences.get((table.name, column.name), NO_EVIDENCE)
                proposal = _proposal(catalogue, table, column, evidence, kinds.get(column.name))
                if proposal is None:
                    continue
                decision = replace(proposal, proposed=True)
                if domain is not None:
                    decision = shared.setdefault(domain, replace(decision, subject=None))
            found.setdefault(table.name, {})[column.name] = decision
    return {
        table.name: {
            column.name: found[table.name][column.name] for column in table.columns if column.name in found[table.name]
        }
        for table in catalogue.tables
        if table.name in found
    }


def _refers_only(catalogue: Catalogue, table: SourceTable) -> bool:
    return not any(key.to == table.name for key in catalogue.foreign_keys)


def _proposal(
    catalogue: Catalogue, table: SourceTable, column: SourceColumn, evidence: Evidence, kind: MaskKind | None
) -> Decision | None:
    """Return the first proposal that the column can take."""
    for decision in _wishes(catalogue, table, column, evidence, kind):
        if fits.complaint(catalogue, table, column, decision, evidence) is None:
            return decision
    return None  # it stays undecided, and so stops the refresh with its name


def _wishes(
    catalogue: Catalogue, table: SourceTable, column: SourceColumn, evidence: Evidence, kind: MaskKind | None
) -> tuple[Decision, ...]:
    if column.generated or column.base == "tsvector":
        return Decision(MaskKind.RECOMPUTE), *_last_resorts(column)
    keyed = catalogue.refers(table.name, column.name) or catalogue.referred(table.name, column.name)
    if kind is not None and not (keyed and column.category == "N" and kind is MaskKind.BLANK):
        return *_of_kind(kind, table, column, evidence), *_last_resorts(column)
    kept = _reason_to_keep(table, column, evidence, keyed)
    if kept is not None:
        return (Decision(MaskKind.KEEP, why=kept),)
    return _unknown(table, column)


def recognised(table: SourceTable, evidences: Evidences) -> Mapping[str, MaskKind]:
    """Return what kinds of personal data a table's columns hold, those that hold some.

    Values tell where they can, then names; where people are, what else is made of a few words is one's name.
    """
    evidence = {column.name: evidences.get((table.name, column.name), NO_EVIDENCE) for column in table.columns}
    alone = {column.name: _recognised(table, column, evidence[column.name]) for column in table.columns}
    found = {name: kind for name, kind in alone.items() if kind is not None}
    if words.is_of_people(table.name.name) or sum(kind in _TELLING for kind in found.values()) >= _SOME:
        for column in table.columns:
            looks = evidence[column.name]
            if column.is_text and column.name not in found and not words.is_country(column.name) and _is_named(looks):
                found[column.name] = MaskKind.FULL_NAME if looks.share("person") > _MOSTLY else MaskKind.LAST_NAME
    return found


def _is_named(evidence: Evidence) -> bool:
    return evidence.share("words") > 0.9 and evidence.distinct > 20 and evidence.share("code") < 0.99


def _recognised(table: SourceTable, column: SourceColumn, evidence: Evidence) -> MaskKind | None:
    if column.category in "BE" and not column.is_array:
        return None
    by_name = words.kind_of(table.name.name, column.name)
    by_content = _by_content(evidence, by_name) if not column.is_array or column.category == "S" else None
    if (by_type := _by_type(column)) is not None:
        return by_type
    if column.category == "D":
        born = _is_birth(evidence) and evidence.years >= _GENERATION and not words.is_event(column.name)
        return MaskKind.DATE if by_name is MaskKind.DATE or born else None
    if column.category == "N":
        return _of_number(column, by_name, by_content, evidence)
    if column.base == "bytea":
        return MaskKind.BLANK if by_name is MaskKind.BLANK or by_content is not None else None
    if column.category != "S":
        return by_name if by_name is MaskKind.BLANK else None
    if by_name is MaskKind.DATE:
        return MaskKind.BLANK  # a date as text has no mask of its own
    return by_content or by_name


def _by_type(column: SourceColumn) -> MaskKind | None:
    """Return the kind of types that are personal by themselves: they tell an address, or hide anything."""
    if column.base in ("json", "jsonb", "xml", "hstore", "point", "geometry", "geography"):
        return MaskKind.BLANK
    if column.base in ("inet", "cidr"):
        return MaskKind.IP
    return MaskKind.MAC if column.base in ("macaddr", "macaddr8") else None


def _of_number(
    column: SourceColumn, by_name: MaskKind | None, by_content: MaskKind | None, evidence: Evidence
) -> MaskKind | None:
    if by_name is MaskKind.DATE or by_name in words.NUMERIC_KINDS:
        return by_name
    if words.measure(column.name) is not None:
        return None
    if _is_birth(evidence) and evidence.years >= _GENERATION:
        return MaskKind.DATE
    return by_content if by_content in words.NUMERIC_KINDS else None


def _is_birth(evidence: Evidence) -> bool:
    return evidence.share("birth") > 0.8 and evidence.distinct > 20


def _by_content(evidence: Evidence, by_name: MaskKind | None) -> MaskKind | None:
    found = evidence.share
    if found("secret") > _MOSTLY:
        return MaskKind.BLANK
    for shape, kind in (
        ("iban", MaskKind.IBAN), ("card", MaskKind.CARD), ("mac", MaskKind.MAC), ("ip", MaskKind.IP),
        ("national_id", MaskKind.NATIONAL_ID),
    ):  # fmt: skip
        if found(shape) > _MOSTLY:
            return kind
    if found("email") > _MOSTLY and found("sentence") < _MOSTLY:
        return MaskKind.EMAIL
    if by_name is None and max(found("url"), found("phone")) > _MOSTLY:
        return MaskKind.URL if found("url") > _MOSTLY else MaskKind.PHONE
    # numbers meet a check digit by chance
    telling = ("email_inside", "iban", *(() if found("digits") > _MOSTLY else ("card", "national_id")))
    if max(found(shape) for shape in telling) > _SOMETIMES:
        return by_name if by_name in (MaskKind.BLANK, MaskKind.HASH) else MaskKind.TEXT
    return None if by_name is not None else _by_words(evidence)


def _by_words(evidence: Evidence) -> MaskKind | None:
    """Return what values say that are no numbers with a check digit, and whose name says nothing."""
    found = evidence.share
    if found("place") > _MOSTLY or (found("degrees") > 0.75 and evidence.distinct > 20):
        return MaskKind.BLANK
    if _is_birth(evidence) and evidence.years >= _GENERATION:
        return MaskKind.BLANK
    if found("street") > _MOSTLY:
        return MaskKind.STREET
    if max(found("phone_inside"), found("keys")) > _SOMETIMES or found("sentence") > _MOSTLY:
        return MaskKind.TEXT
    if found("known_name") > _NAMES:
        return MaskKind.FULL_NAME if found("person") > _MOSTLY else MaskKind.LAST_NAME
    if found("illness") > 0.9:
        return MaskKind.TEXT
    return MaskKind.USER_NAME if found("handle") > _NAMES and evidence.distinct > 20 else None


def _of_kind(kind: MaskKind, table: SourceTable, column: SourceColumn, evidence: Evidence) -> tuple[Decision, ...]:
    subject = words.subject_of(table, column) if kind in words.OF_A_PERSON else None
    if kind is MaskKind.DATE and column.category == "N":
        return (Decision(MaskKind.NUMBER, bucket=100_000 if evidence.longest == len("19840317") else 10),)
    if kind is MaskKind.DATE:
        return Decision(kind, subject=subject, to="shift", days=365), Decision(kind, to="year")
    if kind is MaskKind.NUMBER:
        return (Decision(kind, noise=0.2),)
    if column.is_array:
        return (Decision(MaskKind.EACH, of=Decision(kind)),)
    wishes = [Decision(kind, subject=subject)] if subject else []
    return *wishes, Decision(kind)


def _reason_to_keep(table: SourceTable, column: SourceColumn, evidence: Evidence, keyed: bool) -> str | None:
    """Return why a column's values may stay, where that is recognised; there is no default."""
    category, name = column.category, column.name
    if column.is_array:
        return None
    if category == "B":
        return "yes or no"
    if category == "E":
        return "one of a fixed list"
    if category == "D" and column.base in ("date", "timestamp", "timestamptz"):
        old = _is_birth(evidence) and not words.is_event(name)
        return None if old else "when something happened"
    whole = column.base in ("int2", "int4", "int8", "uuid")
    if whole and (keyed or column.name in table.primary_key or (table.is_unique(name) and words.is_key(name))):
        return "surrogate key"
    if whole and column.base != "uuid" and words.is_key(name) and name.lower() not in ("id_number", "idno"):
        return "refers to a surrogate key"
    if category == "N" and (reason := words.measure(name)):
        return reason
    if column.base in ("interval", "time") and category in "TD":
        return "a duration or time of day"
    if column.is_text and fits.listed_by_check(table, column):
        return "one of a fixed list"
    if column.is_text and words.is_code(name) and _is_code_list(evidence, table):
        return f"code list of {evidence.distinct} values"
    if column.is_text and words.is_country(name) and evidence.longest <= 60:
        return "a country is too coarse to single anybody out"
    return None


def _is_code_list(evidence: Evidence, table: SourceTable) -> bool:
    few = evidence.distinct <= _CODES and evidence.share("code") > 0.95 and evidence.longest <= 24
    repeated = evidence.filled >= 5 * evidence.distinct or evidence.longest <= 3
    return evidence.filled > 0 and few and repeated and evidence.share("known_name") < 0.1


def _unknown(table: SourceTable, column: SourceColumn) -> tuple[Decision, ...]:
    text: tuple[Decision, ...] = ()
    if column.category == "S" and not column.is_array:
        unique = table.in_unique(column.name)
        text = (Decision(MaskKind.HASH),) if unique else (Decision(MaskKind.TEXT), Decision(MaskKind.HASH))
    if column.is_number:
        unique = table.in_unique(column.name)
        text = (Decision(MaskKind.PERMUTE),) if unique else (Decision(MaskKind.NUMBER, noise=0.2),)
    if column.base == "uuid" and not column.is_array:
        text = (Decision(MaskKind.HASH),)
    if column.base in ("date", "timestamp", "timestamptz") and not column.is_array:
        text = (Decision(MaskKind.DATE, to="shift", days=365), Decision(MaskKind.DATE, to="year"))
    return *text, *_last_resorts(column)


_CONSTANTS: Mapping[str, str | int | bool] = {
    "N": 0, "S": "x", "B": False, "D": "1970-01-01", "T": "0", "I": "203.0.113.1", "V": "0",
}  # fmt: skip


# What says nothing in types that have no empty value.
_CONSTANTS_OF: Mapping[str, str] = {
    "box": "(0,0),(0,0)", "point": "(0,0)", "line": "{1,0,0}", "lseg": "[(0,0),(0,0)]", "path": "((0,0))",
    "polygon": "((0,0))", "circle": "<(0,0),0>", "varbit": "0", "pg_lsn": "0/0", "tid": "(0,0)", "xid": "0", "cid": "0",
    "xid8": "0", "oid": "0", "jsonpath": "$", "pg_snapshot": "1:1:", "txid_snapshot": "1:1:", "refcursor": "x",
    "char": "x", "interval": "0", "money": "0", "macaddr": "00:00:5e:00:53:00", "macaddr8": "00:00:5e:00:53:00:00:00",
    "time": "00:00:00", "timetz": "00:00:00+00", "oidvector": "", "regclass": "pg_catalog.pg_class", "int2vector": "",
} | dict.fromkeys((
    "regtype", "regrole", "regproc", "regprocedure", "regoper", "regoperator", "regconfig",
    "regdictionary", "regnamespace", "regcollation"), "0",
)  # fmt: skip


def _last_resorts(column: SourceColumn) -> tuple[Decision, ...]:
    blank = Decision(MaskKind.BLANK)
    if not column.is_array and column.base in _CONSTANTS_OF:
        return blank, Decision(MaskKind.CONST, value=_CONSTANTS_OF[column.base])
    if not column.is_array and column.base == "bit" and column.type.startswith("bit"):
        bits = int(re.sub(r"\D", "", column.type) or 1)
        return blank, Decision(MaskKind.CONST, value="0" * bits)
    if column.category in _CONSTANTS and not column.is_array:
        return blank, Decision(MaskKind.HASH), Decision(MaskKind.CONST, value=_CONSTANTS[column.category])
    return blank, Decision(MaskKind.HASH)


def undecided(catalogue: Catalogue, policy: Policy) -> tuple[ColumnName, ...]:
    """Return the columns that the policy does not decide."""
    return tuple(
        (table.name, column.name)
        for table in catalogue.tables
        for column in table.columns
        if policy.decided(table.name, column.name) is None
    )
