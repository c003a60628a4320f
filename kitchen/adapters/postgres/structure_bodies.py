"""Finds routines whose bodies name columns that are left out: a server checks bodies only when they run.

A body is text. A routine is taken to name a column where it says ``NEW.column`` or ``OLD.column`` in a trigger of the
table, or names both the table and the column. One too many is said; one too few would fail in somebody's pipeline.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from kitchen.adapters.postgres.structure_model import Routine, Structure, Table, Trigger, View
from kitchen.adapters.postgres.structure_text import Sort, Text
from kitchen.domain.layout import TableName

_WORD = r'"(?:[^"]|"")*"|[^\W\d][\w$]*'
_WORDS = re.compile(_WORD)
_OF_ROW = re.compile(rf"\b(?:new|old)\s*\.\s*({_WORD})", re.IGNORECASE)
_CALLS = re.compile(rf"({_WORD})\s*\(")

_Relation = TypeVar("_Relation", Table, View)
Columns = Mapping[TableName, Collection[str]]  # what each table lost


def without_bodies(structure: Structure, gone: Columns) -> Structure:
    """Return a structure without routines that name a lost column, nor triggers that call those; what goes is said."""
    routines = {routine.name: routine for routine in structure.routines if routine.kind in "fp"}
    because: dict[TableName, str] = {}
    for name, routine in routines.items():
        if (column := _named(routine, gone)) is not None:
            because[name] = f"its body names {column}, which is left out"
    grows = True
    while grows:
        new = {
            name: f"its body calls {called}, which is left out"
            for name, routine in routines.items()
            if name not in because and (called := _called(routine, because)) is not None
        }
        because |= new
        grows = bool(new)
    needed = set(_needed(structure))
    removed = {name for name in because if name not in needed}
    said = [f"function {name}: {why}" for name, why in because.items() if name in removed]
    said += [f"function {name}: {why}; it stays, because the structure needs it" for name, why in because.items()
             if name not in removed]  # fmt: skip
    tables = tuple(_relation(table, gone, routines, removed, said) for table in structure.tables)
    views = tuple(_relation(view, {}, routines, removed, said) for view in structure.views)
    return replace(
        structure, tables=tables, views=views,
        routines=tuple(routine for routine in structure.routines if routine.name not in removed),
        left_out=(*structure.left_out, *said),
    )  # fmt: skip


def _relation(
    relation: _Relation, gone: Columns, routines: Mapping[TableName, Routine], removed: Collection[TableName],
    said: list[str],
) -> _Relation:  # fmt: skip
    """Return a table or view without triggers that could not run."""
    kept: list[Trigger] = []
    for trigger in relation.triggers:
        called = next((r.name for r in trigger.definition.references() if r.sort is Sort.ROUTINE), None)
        routine = routines.get(called) if called is not None else None
        of_row = _of_row(routine, gone.get(relation.name, ())) if routine is not None else None
        if called in removed:
            said.append(f"trigger {trigger.name} of {relation.name}: it calls {called}, which is left out")
        elif of_row is not None:
            said.append(f"trigger {trigger.name} of {relation.name}: {called} reads {of_row}, which is left out")
        else:
            kept.append(trigger)
    return replace(relation, triggers=tuple(kept))


def _named(routine: Routine, gone: Columns) -> str | None:
    words = {_plain(word) for word in _WORDS.findall(routine.definition.shown())}
    for table, columns in gone.items():
        if table.name in words and (column := next((name for name in columns if name in words), None)) is not None:
            return f"{table}.{column}"
    return None


def _called(routine: Routine, broken: Collection[TableName]) -> TableName | None:
    calls = {_plain(word) for word in _CALLS.findall(routine.definition.shown())}
    return next((name for name in broken if name.name in calls), None)


def _of_row(routine: Routine, columns: Collection[str]) -> str | None:
    read = {_plain(word) for word in _OF_ROW.findall(routine.definition.shown())}
    return next((name for name in columns if name in read), None)


def _plain(word: str) -> str:
    return word[1:-1].replace('""', '"') if word.startswith('"') else word.lower()


def _needed(structure: Structure) -> Iterator[TableName]:
    """Yield the routines without which something else could not be made."""
    for text in _texts(structure):
        yield from (reference.name for reference in text.references() if reference.sort is Sort.ROUTINE)


def _texts(structure: Structure) -> Iterator[Text]:
    for table in structure.tables:
        yield from (column.default for column in table.columns if column.default is not None)
        for policy in table.policies:
            yield from (text for text in (policy.using, policy.check) if text is not None)
        yield from (text for text in (table.partition_key, table.bound) if text is not None)
    yield from (index.tail for index in structure.indexes)
    yield from (constraint.definition for constraint in structure.constraints)
    yield from (statistics.columns for statistics in structure.statistics)
    yield from (view.definition for view in structure.views)
    yield from (kind.definition for kind in structure.types)
    yield from (routine.definition for routine in structure.routines if routine.kind in "aw")
