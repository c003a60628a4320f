"""Tells what kind of personal data columns hold: from what samples of their values look like, and from their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kitchen.domain.catalogue import NO_EVIDENCE, Evidence, Evidences, SourceColumn, SourceTable
from kitchen.domain.masking import MaskKind
from kitchen.masking import words

_MOSTLY = 0.5
_SOMETIMES = 0.02  # one e-mail address among fifty notes makes the notes personal
_ALL = 0.95  # what other numbers may look like by chance
_SOME = 2
_TELLING = frozenset(
    {MaskKind.FIRST_NAME, MaskKind.LAST_NAME, MaskKind.FULL_NAME, MaskKind.EMAIL, MaskKind.PHONE, MaskKind.DATE,
     MaskKind.NATIONAL_ID, MaskKind.IBAN, MaskKind.CARD}
)  # fmt: skip
_NAMES = 0.2  # nobody knows all names
_GENERATION = 20  # years that dates of birth lie apart, and dates of what happened seldom


def recognised(table: SourceTable, evidences: Evidences) -> Mapping[str, MaskKind]:
    """Return what kinds of personal data a table's columns hold, those that hold some.

    Values tell where they can, then names; where people are, what else is made of a few words is one's name.
    """
    evidence = {column.name: evidences.get((table.name, column.name), NO_EVIDENCE) for column in table.columns}
    alone = {column.name: _recognised(table, column, evidence[column.name]) for column in table.columns}
    found = {name: kind for name, kind in alone.items() if kind is not None}
    if is_of_people(table.name.name, found.values()):
        for column in table.columns:
            looks = evidence[column.name]
            if column.is_text and column.name not in found and not words.is_country(column.name) and _is_named(looks):
                found[column.name] = MaskKind.FULL_NAME if looks.share("person") > _MOSTLY else MaskKind.LAST_NAME
    return found


def is_of_people(table: str, kinds: Iterable[MaskKind]) -> bool:
    """Say whether the rows of a table are people, by its name or by what its columns hold."""
    return words.is_of_people(table) or sum(kind in _TELLING for kind in kinds) >= _SOME


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
        born = is_birth(evidence) and evidence.years >= _GENERATION and not words.is_event(column.name)
        return MaskKind.DATE if by_name is MaskKind.DATE or born else None
    if column.category == "N":
        return _of_number(column, by_name, by_content, evidence)
    if column.base == "bytea":
        return MaskKind.BLANK if by_name is MaskKind.BLANK or by_content is not None else None
    if column.category != "S":
        return by_name if by_name is MaskKind.BLANK else None
    if by_name is MaskKind.DATE:
        return MaskKind.BLANK  # a date as text has no mask of its own
    if by_content is None and by_name is None and not words.is_of_things(column.name) and _is_titled(evidence):
        return MaskKind.FULL_NAME  # or of things after all: then it is masked in vain
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
    if by_content in (MaskKind.CARD, MaskKind.NATIONAL_ID):
        return by_content
    if by_name is MaskKind.DATE or by_name in words.NUMERIC_KINDS:
        return by_name
    if words.measure(column.name) is not None:
        return None
    if is_birth(evidence) and evidence.years >= _GENERATION:
        return MaskKind.DATE
    return by_content if by_content in words.NUMERIC_KINDS else None


def _is_titled(evidence: Evidence) -> bool:
    return evidence.share("titles") > 0.9 and evidence.distinct > 20


def is_birth(evidence: Evidence) -> bool:
    """Say whether the dates of a column are as long ago as people's births."""
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
    if found("email") > _MOSTLY and found("sentence") < _MOSTLY and by_name is not MaskKind.TEXT:
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
    if is_birth(evidence) and evidence.years >= _GENERATION:
        return MaskKind.BLANK
    if found("ten_digits") > _ALL:
        return MaskKind.PHONE
    if max(found("street"), found("town")) > _MOSTLY:
        return MaskKind.STREET if found("street") > _MOSTLY else MaskKind.CITY
    if max(found("phone_inside"), found("keys")) > _SOMETIMES or found("sentence") > _MOSTLY:
        return MaskKind.TEXT
    if found("known_name") > _NAMES:
        return MaskKind.FULL_NAME if found("person") > _MOSTLY else MaskKind.LAST_NAME
    if found("illness") > 0.9:
        return MaskKind.TEXT
    return MaskKind.USER_NAME if found("handle") > _NAMES and evidence.distinct > 20 else None
