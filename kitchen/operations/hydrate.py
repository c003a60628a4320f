"""Copies tables into a kitchen, so that they can be written there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol

from kitchen.domain.connection import Credentials
from kitchen.domain.journal import Operation
from kitchen.domain.kitchen import Kitchen
from kitchen.domain.layout import Layer, TableName
from kitchen.errors import InvalidInput, NotFound
from kitchen.operations.journalled import perform
from kitchen.ports import Control, Hydrated, Relation, Session, Sessions, Tables
from kitchen.saga import Step

Say = Callable[[str], None]


class HydrateServices(Protocol):
    """What hydrating asks of an environment's services."""

    @property
    def control(self) -> Control: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def tables(self) -> Tables: ...
    def layer(self, kitchen: Kitchen) -> Layer: ...
    def credentials(self, kitchen: Kitchen) -> Credentials: ...


@dataclass(frozen=True, slots=True)
class HydratedTable:
    """What became of one table that was asked for; ``done`` is None where it was the kitchen's already."""

    table: TableName
    done: Hydrated | None


def hydrate(
    services: HydrateServices, kitchen: Kitchen, names: Sequence[str], *, say: Say
) -> tuple[HydratedTable, ...]:
    """Copy the named tables into the kitchen, each in one transaction and one journaled step.

    Raises NotFound and InvalidInput, before anything is copied, for a name that is nobody's or two schemas'.
    """
    layer = services.layer(kitchen)
    done: dict[TableName, Hydrated | None] = {}
    with _session(services, kitchen) as session:
        wanted = _wanted(services, session, layer, names)
        missing = [relation.logical for relation in _missing(layer, wanted)]
        steps = [_step(services.tables, session, layer, table, done) for table in missing]
        arguments = {"tables": [[table.schema, table.name] for table in missing]}
        if steps:
            perform(services.control, "hydrate", kitchen.name, arguments, steps, say)
    return tuple(HydratedTable(relation.logical, done.get(relation.logical)) for relation in wanted)


def rebuild(services: HydrateServices, repository: object, operation: Operation) -> Sequence[Step]:
    """Build the steps of an interrupted hydration again; raises NotFound where the kitchen is gone."""
    kitchen = services.control.kitchens.get(operation.subject)
    if kitchen is None:
        raise NotFound(f"the kitchen {operation.subject!r} is gone", hint="kitchen list")
    asked = operation.arguments["tables"]
    tables = [TableName(schema, name) for schema, name in asked] if isinstance(asked, list) else []
    session = services.sessions.open(services.credentials(kitchen), application=f"kitchen {kitchen.name} hydrate")
    return [_step(services.tables, session, services.layer(kitchen), table, {}) for table in tables]


def preview(
    services: HydrateServices, kitchen: Kitchen, names: Sequence[str]
) -> tuple[tuple[Step, ...], tuple[Relation, ...]]:
    """Return the steps of a hydration, and what they would copy; what the kitchen has itself is not among it."""
    layer = services.layer(kitchen)
    with _session(services, kitchen) as session:
        planned = _missing(layer, _wanted(services, session, layer, names))
        steps = tuple(_step(services.tables, session, layer, relation.logical, {}) for relation in planned)
    return steps, planned


def _wanted(services: HydrateServices, session: Session, layer: Layer, names: Sequence[str]) -> tuple[Relation, ...]:
    visible = services.tables.visible(session, layer)
    by_name = {relation.logical: relation for relation in visible}
    return tuple(by_name[table] for table in resolve(names, visible))


def _missing(layer: Layer, wanted: Sequence[Relation]) -> tuple[Relation, ...]:
    return tuple(relation for relation in wanted if relation.physical.schema != layer.own(relation.logical.schema))


@contextmanager
def _session(services: HydrateServices, kitchen: Kitchen) -> Iterator[Session]:
    session = services.sessions.open(services.credentials(kitchen), application=f"kitchen {kitchen.name} hydrate")
    try:
        yield session
    finally:
        session.close()


def resolve(names: Iterable[str], visible: Sequence[Relation]) -> tuple[TableName, ...]:
    """Return the logical tables that people mean by ``orders`` or ``marts.orders``; raises NotFound, InvalidInput."""
    known = {relation.logical for relation in visible}
    return tuple(dict.fromkeys(_resolved(name, known) for name in names))


def _resolved(text: str, known: set[TableName]) -> TableName:
    matching = sorted((table for table in known if text in (table.name, str(table))), key=str)
    if len(matching) > 1:
        raise InvalidInput(
            f"{text!r} is in more than one schema: {', '.join(map(str, matching))}",
            hint=f"kitchen hydrate {matching[0]}",
        )
    if matching:
        return matching[0]
    near = get_close_matches(text, [*(str(table) for table in known), *(table.name for table in known)], n=1)
    raise NotFound(
        f"nobody in this kitchen's layer has a table {text!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
        hint=f"kitchen hydrate {near[0]}" if near else "kitchen enter -- psql -c '\\d', which lists what is read",
    )


def _step(
    tables: Tables, session: Session, layer: Layer, table: TableName, done: dict[TableName, Hydrated | None]
) -> Step:
    """Return one copy. It commits as a whole, and what was copied stays: there is nothing half done to undo."""

    def do() -> None:
        done[table] = tables.hydrate(session, layer, table)

    def look() -> bool:
        return any(relation.logical == table for relation in tables.own(session, layer))

    return Step(f"hydrate {table}", f"copying {table} into {layer.kitchen.name}", do, look)
