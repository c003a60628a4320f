"""Binds a kitchen's own views and parsed functions to what its layer holds now: after an update, a merge, a swap."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import psycopg2

from kitchen.adapters.postgres.connection import PgSession, message_of
from kitchen.adapters.postgres.hydrate_bound import Bound
from kitchen.adapters.postgres.hydrate_names import LayerNames
from kitchen.adapters.postgres.hydrate_plan import placing
from kitchen.adapters.postgres.hydrate_work import Work
from kitchen.adapters.postgres.structure import read_objects
from kitchen.adapters.postgres.structure_deparse import Deparser
from kitchen.adapters.postgres.structure_model import Routine, Structure, View
from kitchen.adapters.postgres.structure_notes import comments, settings
from kitchen.adapters.postgres.structure_text import Place, quote
from kitchen.domain.layout import Layer
from kitchen.errors import KitchenError

# Schemas that something of the kitchen's own stands on: of an older pantry, of tables that a swap put aside.
_STOOD_ON = """
SELECT DISTINCT m.nspname, coalesce(obj_description(m.oid, 'pg_namespace') LIKE 'kitchen %%', false)
FROM pg_catalog.pg_depend d
LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
LEFT JOIN pg_catalog.pg_class v ON v.oid = r.ev_class
LEFT JOIN pg_catalog.pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
JOIN pg_catalog.pg_namespace n ON n.oid = coalesce(v.relnamespace, p.pronamespace)
JOIN pg_catalog.pg_class c ON d.refclassid = 'pg_class'::regclass AND c.oid = d.refobjid
JOIN pg_catalog.pg_namespace m ON m.oid = c.relnamespace
WHERE n.nspname = ANY(%s)
"""
_ASIDE = re.compile("__r[0-9]+$")

_OWN_ROUTINES = """
SELECT p.oid FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = ANY(%s)
"""


def rebind(session: PgSession, layer: Layer) -> tuple[str, ...]:
    """Bind what is stale and return, in words, what could not be; that keeps reading the older tables."""
    with session.transaction():
        names = LayerNames(session, layer)
        own = list(names.own_schemas)
        former = {
            schema: logical
            for schema, is_marked in session.query(_STOOD_ON, [own])
            if (logical := _former(layer, schema, is_marked=is_marked)) is not None
        }
        names.learn(former)
        deparser = Deparser(session, [*names.schemas, *former])
        views = [found.oid for found in names.by_oid.values() if found.kind in "vm" and found.name.schema in own]
        routines = [row[0] for row in session.query(_OWN_ROUTINES, [own])]
        structure = read_objects(session, deparser, views, routines)
        place = placing(names, (), ())
        stale = _stale(structure, place)
        if not stale.views and not stale.routines:
            return ()
        session.execute(f"SET LOCAL ROLE {quote(layer.kitchen.owner_role)}")
        return tuple(_bound(session, names, deparser, stale, place))


def _former(layer: Layer, schema: str, *, is_marked: bool) -> str | None:
    """Return the logical schema of what once was in the layer: a pantry's, a parent's, or put aside by a swap."""
    place = _ASIDE.sub("", schema)
    for logical in layer.layout.logical:
        pantry = re.escape(layer.layout.pantry(0, logical)).replace("v0", "v[0-9]+", 1)
        of_kitchens = is_marked and (len(layer.layout.logical) == 1 or place.endswith(f"__{logical}"))
        if re.fullmatch(pantry, place) or place in layer.schemas_of(logical) or of_kitchens:
            return logical
    return None


def _stale(structure: Structure, place: Place) -> Structure:
    """Return only what names something that is elsewhere now, and what stands on that."""
    items: list[View | Routine] = [*structure.views, *(one for one in structure.routines if one.bound)]
    stale = {item.oid for item in items if any(place(named) != named.name for named in item.definition.references())}
    while more := {item.oid for item in items if stale.intersection(structure.needs.get(item.oid, ()))} - stale:
        stale |= more
    return _only(structure, frozenset(stale))


def _bound(session: PgSession, names: LayerNames, deparser: Deparser, stale: Structure, place: Place) -> Iterator[str]:
    """Bind everything; where that is not possible what can be replaced in place. Say why the rest is as it was."""
    failure = _attempt(session, names, deparser, stale, place)
    if failure is None:
        return
    in_place = Bound(Work(session), names, deparser, stale, own=_ids(stale), place=place).in_place
    some = _only(stale, in_place)
    if _ids(some) and _attempt(session, names, deparser, some, place) is None:
        stale = _only(stale, _ids(stale) - in_place)
    for name in [*(view.name for view in stale.views), *(routine.name for routine in stale.routines)]:
        yield f"{name} still reads older tables: {failure}"


def _attempt(
    session: PgSession, names: LayerNames, deparser: Deparser, stale: Structure, place: Place
) -> str | None:  # fmt: skip
    """Bind everything, or leave everything as it was and return why."""
    session.execute("SAVEPOINT before")
    try:
        work = Work(session)
        bound = Bound(work, names, deparser, stale, own=_ids(stale), place=place)
        bound.drop()
        bound.make()
        work.each(settings(bound.anew, place, triggers=True, policies=False))
        work.each(comments(stale, place))
    except (KitchenError, psycopg2.Error) as failure:
        session.execute("ROLLBACK TO SAVEPOINT before")
        return failure.message if isinstance(failure, KitchenError) else message_of(failure)
    return None


def _ids(structure: Structure) -> frozenset[int]:
    return frozenset({view.oid for view in structure.views} | {routine.oid for routine in structure.routines})


def _only(structure: Structure, oids: frozenset[int]) -> Structure:
    return replace(
        structure,
        views=tuple(view for view in structure.views if view.oid in oids),
        routines=tuple(routine for routine in structure.routines if routine.oid in oids),
    )
