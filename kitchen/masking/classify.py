"""Proposes a decision for a column, from its name and from what its values look like. Unknown is never kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from kitchen.domain.catalogue import NO_EVIDENCE, Catalogue, ColumnName, Evidence, Evidences, SourceColumn, SourceTable
from kitchen.domain.layout import TableName
from kitchen.domain.masking import Decision, MaskKind, Policy
from kitchen.masking import fits, words
from kitchen.masking.domains import components
from kitchen.masking.masks import UNIQUE_HEX
from kitchen.masking.recognise import is_birth, is_of_people, recognised

_NOBODY = 0.05
_SOMEBODY = 0.3
_SHORT = 40
_LONG = 8  # digits
_CODES = 50  # a code list has at most so many values
_SPANS = frozenset({"daterange", "tsrange", "tstzrange", "datemultirange", "tsmultirange", "tstzmultirange"})


@dataclass(frozen=True, slots=True)
class Proposed:
    """What was found for undecided columns."""

    decisions: Mapping[TableName, Mapping[str, Decision]]
    stuck: Mapping[ColumnName, str]  # what a person must decide, and why


def propose(catalogue: Catalogue, policy: Policy, evidences: Evidences) -> Mapping[TableName, Mapping[str, Decision]]:
    """Return a proposal for every undecided column that can have one."""
    return considered(catalogue, policy, evidences).decisions


def considered(catalogue: Catalogue, policy: Policy, evidences: Evidences) -> Proposed:
    """Return proposals for undecided columns, and why some get none. Both ends of a foreign key get the same one."""
    domains = components(catalogue, policy)
    found: dict[TableName, dict[str, Decision]] = {}
    shared: dict[str, Decision] = {}
    stuck: dict[ColumnName, str] = {}
    waiting: dict[str, ColumnName] = {}  # domains whose first column is stuck
    for table in catalogue.tables:  # columns that others refer to decide for those that refer to them
        for column in table.columns:
            domain = domains.get((table.name, column.name))
            decided = policy.decided(table.name, column.name)
            if domain is not None and decided is not None:
                shared.setdefault(domain, replace(decided.decision, subject=None, proposed=True))
    kinds = {table.name: recognised(table, evidences) for table in catalogue.tables}
    for table in sorted(catalogue.tables, key=lambda t: _refers_only(catalogue, t)):
        subjects, of_people = (
            _subjects(catalogue, table, kinds),
            is_of_people(table.name.name, kinds[table.name].values()),
        )
        for column in table.columns:
            if policy.decided(table.name, column.name) is not None:
                continue
            domain = domains.get((table.name, column.name))
            if domain is not None and domain in shared:
                decision = shared[domain]
            elif domain is not None and domain in waiting:
                first = waiting[domain]
                stuck[table.name, column.name] = f"it is joined with {first[0]}.{first[1]}: decide both alike"
                continue
            else:
                evidence = evidences.get((table.name, column.name), NO_EVIDENCE)
                kind = kinds[table.name].get(column.name)
                asked = _Asked(catalogue, table, column, evidence, kind, subjects, of_people)
                proposal = _first(asked)
                if proposal is None:
                    stuck[table.name, column.name] = _why_not(asked)
                    if domain is not None:
                        waiting[domain] = (table.name, column.name)
                    continue
                decision = replace(proposal, proposed=True)
                if domain is not None:
                    decision = shared.setdefault(domain, replace(decision, subject=None))
            found.setdefault(table.name, {})[column.name] = decision
    decisions = {
        table.name: {
            column.name: found[table.name][column.name] for column in table.columns if column.name in found[table.name]
        }
        for table in catalogue.tables
        if table.name in found
    }
    return Proposed(decisions, stuck)


def _refers_only(catalogue: Catalogue, table: SourceTable) -> bool:
    return not any(key.to == table.name for key in catalogue.foreign_keys)


def _subjects(
    catalogue: Catalogue, table: SourceTable, kinds: Mapping[TableName, Mapping[str, MaskKind]]
) -> tuple[str, ...]:
    """Return the columns that may say whose a row is, best first: the person that it refers to, or the row's key."""
    own = words.key_of(table)
    if is_of_people(table.name.name, kinds[table.name].values()):
        return own
    people = {
        key.columns[0]
        for key in catalogue.foreign_keys
        if key.table == table.name and len(key.columns) == 1 and key.to != table.name and key.to in kinds
        and is_of_people(key.to.name, kinds[key.to].values())
    }  # fmt: skip
    return (*people, *own) if len(people) == 1 else own


@dataclass(frozen=True, slots=True)
class _Asked:
    """One column, and what is known of it."""

    catalogue: Catalogue
    table: SourceTable
    column: SourceColumn
    evidence: Evidence
    kind: MaskKind | None
    subjects: tuple[str, ...]
    of_people: bool  # its rows

    @property
    def keyed(self) -> bool:
        table, column = self.table.name, self.column.name
        return self.catalogue.refers(table, column) or self.catalogue.referred(table, column)


def _why_not(asked: _Asked) -> str:
    """Return why what was first thought of cannot be."""
    wish = next(iter(_wishes(asked)))
    wrong = fits.complaint(asked.catalogue, asked.table, asked.column, wish, asked.evidence)
    return f"{wish.mask.value}: {wrong}"


def _first(asked: _Asked) -> Decision | None:
    """Return the first decision that the column can take; without one it stops the refresh with its name."""
    fitting = (
        wish
        for wish in _wishes(asked)
        if fits.complaint(asked.catalogue, asked.table, asked.column, wish, asked.evidence) is None
    )
    return next(fitting, None)


def _wishes(asked: _Asked) -> tuple[Decision, ...]:
    table, column, kind = asked.table, asked.column, asked.kind
    if column.generated or column.base == "tsvector":
        return Decision(MaskKind.RECOMPUTE), *_last_resorts(column)
    if kind is not None and not (asked.keyed and column.category == "N" and kind is MaskKind.BLANK):
        permuted = [Decision(MaskKind.PERMUTE)] if column.is_number and table.in_unique(column.name) else []
        return *_of_kind(kind, asked), *permuted, *_last_resorts(column)
    kept = _reason_to_keep(asked) or _reason_of_key(asked)
    if kept is not None:
        return (Decision(MaskKind.KEEP, why=kept),)
    return _unknown(table, column)


def _of_kind(kind: MaskKind, asked: _Asked) -> tuple[Decision, ...]:
    column, evidence = asked.column, asked.evidence
    persons = [name for name in asked.subjects if name != column.name] if kind in words.OF_A_PERSON else []
    if kind is MaskKind.DATE and column.category == "N":
        return (Decision(MaskKind.NUMBER, bucket=100_000 if evidence.longest == len("19840317") else 10),)
    if kind is MaskKind.DATE:
        shifted = [Decision(kind, subject=subject, to="shift", days=365) for subject in persons]
        return *shifted, Decision(kind, to="shift", days=365), Decision(kind, to="year")
    if kind is MaskKind.NUMBER:
        return (Decision(kind, noise=0.2),)
    if column.is_array and kind is not MaskKind.BLANK:
        return (Decision(MaskKind.EACH, of=Decision(kind)),)
    return *(Decision(kind, subject=subject) for subject in persons), Decision(kind)


def _reason_to_keep(asked: _Asked) -> str | None:
    """Return why a column's values may stay, where that is recognised; there is no default."""
    table, column, evidence = asked.table, asked.column, asked.evidence
    category, name = column.category, column.name
    if column.is_array:
        return None
    if category == "B":
        return "yes or no"
    if category == "E":
        return "one of a fixed list"
    if category == "D" and column.base in ("date", "timestamp", "timestamptz"):
        old = is_birth(evidence) and not words.is_event(name)
        return None if old else "when something happened"
    whole = column.base in ("int2", "int4", "int8", "uuid")
    if whole and (asked.keyed or column.name in table.primary_key or (table.is_unique(name) and words.is_key(name))):
        return "surrogate key"
    if whole and column.base != "uuid" and words.is_key(name) and name.lower() not in ("id_number", "idno"):
        return "refers to a surrogate key"
    if category == "N" and (reason := words.measure(name)) and not _numbers_things(evidence):
        return reason
    if column.base in ("interval", "time") and category in "TD":
        return "a duration or time of day"
    if column.is_text and fits.listed_by_check(table, column):
        return "one of a fixed list"
    if column.is_text and words.is_code(name) and _is_code_list(evidence, table):
        return f"code list of {evidence.distinct} values"
    if column.is_text and _is_reference_list(asked):
        return f"one of {evidence.distinct} names in a reference list"
    if column.is_text and words.is_country(name) and evidence.longest <= 60:
        return "a country is too coarse to single anybody out"
    return None


def _reason_of_key(asked: _Asked) -> str | None:
    """Return why a part of a key may stay that no mask would keep apart."""
    if asked.column.base in _SPANS and asked.table.in_unique(asked.column.name):
        return "when something held, and no mask keeps that apart in a key"
    if _is_code_of_things(asked):
        return f"a code that is the key of things, too short to be masked: {asked.evidence.distinct} values"
    return None


def _is_code_of_things(asked: _Asked) -> bool:
    """Say whether a column holds short codes by which rows that are no people are told apart."""
    table, column, evidence = asked.table, asked.column, asked.evidence
    is_short = column.is_text and column.max_length is not None and column.max_length < UNIQUE_HEX
    is_own = table.in_unique(column.name) and not asked.catalogue.refers(table.name, column.name)
    nobody = evidence.share("known_name") < _NOBODY and evidence.share("person") < _SOMEBODY
    is_code = evidence.filled > 0 and evidence.share("code") > 0.95 and not _numbers_things(evidence)
    return is_short and is_own and nobody and is_code and not asked.of_people


def _numbers_things(evidence: Evidence) -> bool:
    """Say whether whole numbers are long and nearly all different: no count, whatever they are called."""
    apart = evidence.distinct > 20 and evidence.distinct > 0.9 * evidence.filled
    return apart and evidence.share("digits") > 0.9 and evidence.average >= _LONG


def _is_reference_list(asked: _Asked) -> bool:
    """Say whether a column is the name of each entry in a short table to which others refer, and none a person's."""
    table, column, evidence = asked.table, asked.column, asked.evidence
    few = 0 < evidence.rows == evidence.filled <= _CODES and max(table.rows, evidence.rows) <= _CODES
    referred = words.is_name(column.name) and any(key.to == table.name for key in asked.catalogue.foreign_keys)
    nobody = evidence.share("known_name") < _NOBODY and evidence.share("person") < _SOMEBODY
    return few and referred and nobody and evidence.longest <= _SHORT


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
