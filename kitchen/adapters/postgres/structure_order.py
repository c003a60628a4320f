"""Where things go, and in which order they are made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from kitchen.adapters.postgres.structure_model import Structure, Table, View
from kitchen.adapters.postgres.structure_text import Place, Reference, Sort, Text
from kitchen.domain.layout import TableName

Relation = Table | View


class _Numbered(Protocol):
    @property
    def oid(self) -> int: ...


Item = TypeVar("Item", bound=_Numbered)


def placing(structure: Structure, mapping: Mapping[str, str], types_mapping: Mapping[str, str]) -> Place:
    """Return where references go when whole schemas move: types and pure routines by the second mapping."""
    bound = {routine.name for routine in structure.routines if routine.bound}
    bound |= {kind.name for kind in structure.types if kind.bound}

    def place(reference: Reference) -> TableName:
        schema, name = reference.name.schema, reference.name.name
        match reference.sort:
            case Sort.OTHER:
                return reference.name
            case Sort.EXTENSION:
                extension = structure.members.get(reference.name, "")
                return TableName(extension_home(structure, extension, schema, types_mapping), name)
            case Sort.RELATION:
                return TableName(mapping.get(schema, schema), name)
            case _:
                chosen = mapping if reference.name in bound else types_mapping
                return TableName(chosen.get(schema, schema), name)

    return place


def extension_home(structure: Structure, extension: str, schema: str, types_mapping: Mapping[str, str]) -> str:
    """Return the target's schema of an extension: where it is, else where it will be made."""
    beside = types_mapping.get(schema) or next(iter(types_mapping.values()), schema)
    return structure.installed.get(extension, beside)


def at(place: Place, name: TableName, sort: Sort = Sort.RELATION) -> TableName:
    """Return where an object itself goes."""
    return place(Reference(name, sort))


def ordered(items: Iterable[Item], needs: Mapping[int, Sequence[int]]) -> list[Item]:
    """Return items so that each comes after what it needs, else as they came; a circle is left as it came."""
    by_oid = {item.oid: item for item in items}
    done: dict[int, Item] = {}
    entered: set[int] = set()
    for start in by_oid:
        if start in entered:
            continue
        path = [(start, iter(needs.get(start, ())))]
        entered.add(start)
        while path:
            oid, remaining = path[-1]
            following = next((need for need in remaining if need in by_oid and need not in done), None)
            if following is None:
                path.pop()
                done.setdefault(oid, by_oid[oid])
            elif following not in entered:
                entered.add(following)
                path.append((following, iter(needs.get(following, ()))))
    return list(done.values())


def relations_of(structure: Structure) -> dict[int, Relation]:
    """Return tables and views by id."""
    tables: dict[int, Relation] = {table.oid: table for table in structure.tables}
    return tables | {view.oid: view for view in structure.views}


def texts_of(structure: Structure) -> Iterator[Text]:
    """Yield every definition of a structure."""
    for relation in relations_of(structure).values():
        for column in relation.columns:
            yield column.type
            if column.default is not None:
                yield column.default
    yield from (index.tail for index in structure.indexes)
    yield from (constraint.definition for constraint in structure.constraints)
    yield from (view.definition for view in structure.views)
    yield from (routine.definition for routine in structure.routines)
    yield from (kind.definition for kind in structure.types)


def tables_in_order(structure: Structure) -> list[Table]:
    """Return tables so that parents, and tables whose rows are column types, come first."""
    by_name = {table.name: table.oid for table in structure.tables}
    needs = {
        table.oid: [
            *table.parents,
            *(
                by_name[reference.name]
                for column in table.columns
                for reference in column.type.references()
                if reference.sort is Sort.RELATION and by_name.get(reference.name, table.oid) != table.oid
            ),
        ]
        for table in structure.tables
    }
    return ordered(structure.tables, needs)
