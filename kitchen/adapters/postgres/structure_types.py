"""Statements for types and routines: additive, never replacing what tables are typed by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kitchen.adapters.postgres.structure_model import Routine, Statement, Structure, UserType
from kitchen.adapters.postgres.structure_order import at, extension_home, ordered, placing, texts_of
from kitchen.adapters.postgres.structure_text import (
    Place,
    Reference,
    Sort,
    literal,
    qualified,
    quote,
    same_sql,
    without_words,
)
from kitchen.domain.layout import TableName

# Bodies name tables that come later, and are read when they run.
BODIES_UNCHECKED = Statement("SELECT pg_catalog.set_config('check_function_bodies', 'off', true)", "bodies unchecked")


def type_statements(
    structure: Structure, types_mapping: Mapping[str, str], existing: Structure | None = None
) -> tuple[Statement, ...]:
    """Return what makes types, and routines that are bound to no table; for one transaction.

    ``existing`` is what the target's type schemas hold: what is there already is left, enums get new labels, and what
    ``type_conflicts`` names is left as it is.
    """
    place = placing(structure, {}, types_mapping)
    there = _existing_types(existing)
    routines_there = _existing_routines(existing)
    statements = [BODIES_UNCHECKED, *_extensions(structure, types_mapping)]
    for item in ordered(_pure(structure), structure.needs):
        if isinstance(item, UserType):
            known = there.get(_key(item, at(place, item.name, Sort.TYPE)))
            statements += _type(item, place) if known is None else _new_labels(item, known, place)
        else:
            shown = _routine_definition(item, place)
            known_shown = routines_there.get(_signature(item, place))
            if known_shown is None or (not same_sql(known_shown, shown) and head_is_same(known_shown, shown)):
                statements += routine_statements(item, place)
    return tuple(statements)


def _extensions(structure: Structure, types_mapping: Mapping[str, str]) -> Iterator[Statement]:
    """Yield what makes the extensions that definitions name; the server refuses those that need a superuser."""
    named = {reference.name for text in texts_of(structure) for reference in text.references()
             if reference.sort is Sort.EXTENSION}  # fmt: skip
    homes = {structure.members[name]: name.schema for name in sorted(named, key=str) if name in structure.members}
    homes = structure.stands_on | homes
    for extension, schema in sorted(homes.items()):
        if extension not in structure.installed:
            home = quote(extension_home(structure, extension, schema, types_mapping))
            sql = f"CREATE EXTENSION IF NOT EXISTS {quote(extension)} SCHEMA {home}"
            yield Statement(sql, f"extension {extension}")


def type_conflicts(structure: Structure, types_mapping: Mapping[str, str], existing: Structure) -> tuple[str, ...]:
    """Return, in words, types and routines that the target holds with another, incompatible definition."""
    place = placing(structure, {}, types_mapping)
    there = _existing_types(existing)
    routines_there = _existing_routines(existing)
    said: list[str] = []
    for item in _pure(structure):
        if isinstance(item, UserType):
            known = there.get(_key(item, at(place, item.name, Sort.TYPE)))
            if known is not None and not _compatible(item, known, place):
                said.append(f"{_noun(item).lower()} {item.name} has another definition there")
        else:
            known_shown = routines_there.get(_signature(item, place))
            if known_shown is not None and not head_is_same(known_shown, _routine_definition(item, place)):
                said.append(f"function {item.name} returns something else there")
    return tuple(said)


def routine_statements(routine: Routine, place: Place) -> Iterator[Statement]:
    """Yield what makes one routine: with its caller's rights only, and nobody's to call until it is granted."""
    target = qualified(at(place, routine.name, Sort.ROUTINE))
    what = f"function {routine.name}"
    noun = {"p": "PROCEDURE", "a": "AGGREGATE"}.get(routine.kind, "FUNCTION")
    yield Statement(f"CREATE OR REPLACE {noun} {target}{_routine_definition(routine, place)}", what)
    called = f"ROUTINE {target}({routine.arguments.render(place)})"
    yield Statement(f"REVOKE ALL ON {called} FROM PUBLIC", what)
    if routine.comment is not None:
        yield Statement(f"COMMENT ON {called} IS {literal(routine.comment)}", f"comment on {what}")


def bound_type_statements(kind: UserType, place: Place) -> Iterator[Statement]:
    """Yield what makes a type that is made of a table's rows."""
    yield from _type(kind, place)


def _pure(structure: Structure) -> list[UserType | Routine]:
    """Return what is bound to no table; collations come first, for they need nothing."""
    everything: list[UserType | Routine] = [*structure.types, *structure.routines]
    return [item for item in everything if not item.bound]


def _type(kind: UserType, place: Place) -> Iterator[Statement]:
    noun, what = ("DOMAIN" if kind.kind == "d" else _noun(kind)), f"{_noun(kind).lower()} {kind.name}"
    target = qualified(at(place, kind.name, Sort.TYPE))
    yield Statement(f"CREATE {noun} {target} {kind.definition.render(place)}", what)
    if kind.comment is not None:
        yield Statement(f"COMMENT ON {noun} {target} IS {literal(kind.comment)}", f"comment on {what}")


def _noun(kind: UserType) -> str:
    return "COLLATION" if kind.kind == "l" else "TYPE"


def _key(kind: UserType, name: TableName) -> tuple[TableName, str]:
    return name, _noun(kind)  # a type may have a collation's name


def _new_labels(kind: UserType, known: UserType, place: Place) -> Iterator[Statement]:
    if kind.kind != "e" or known.kind != "e":
        return
    target = qualified(at(place, kind.name, Sort.TYPE))
    for before, label in zip((None, *kind.labels), kind.labels, strict=False):
        if label in known.labels:
            continue
        if before is not None:
            where = f" AFTER {literal(before)}"
        else:
            where = f" BEFORE {literal(known.labels[0])}" if known.labels else ""
        yield Statement(f"ALTER TYPE {target} ADD VALUE IF NOT EXISTS {literal(label)}{where}", f"type {kind.name}")


def _compatible(kind: UserType, known: UserType, place: Place) -> bool:
    if kind.kind == "e" and known.kind == "e":
        return True
    return kind.kind == known.kind and same_sql(kind.definition.render(place), known.definition.render(_as_it_is))


def _as_it_is(reference: Reference) -> TableName:
    return reference.name


def _existing_types(existing: Structure | None) -> dict[tuple[TableName, str], UserType]:
    return {} if existing is None else {_key(kind, kind.name): kind for kind in existing.types}


def _existing_routines(existing: Structure | None) -> dict[tuple[TableName, str], str]:
    if existing is None:
        return {}
    return {_signature(routine, _as_it_is): _routine_definition(routine, _as_it_is) for routine in existing.routines}


def _signature(routine: Routine, place: Place) -> tuple[TableName, str]:
    return at(place, routine.name, Sort.ROUTINE), routine.arguments.render(place)


def _routine_definition(routine: Routine, place: Place) -> str:
    shown = routine.definition.render(place).rstrip()
    return without_words(shown, "SECURITY", "DEFINER") if routine.security_definer else shown


def head_is_same(one: str, other: str) -> bool:
    """Compare arguments and result: what follows them may be replaced, they may not."""
    return same_sql(one.partition("\n LANGUAGE")[0], other.partition("\n LANGUAGE")[0])
