"""From a publication to the statements of its swap, as the catalogue stands before anything moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from kitchen.adapters.postgres import swap_bonds as bonds
from kitchen.adapters.postgres.connection import PgSession
from kitchen.adapters.postgres.structure_text import literal, qualified, quote
from kitchen.adapters.postgres.swap_carry import Grant, Heir, beforehand, grant_statements, left_out, under_locks
from kitchen.adapters.postgres.swap_keys import key_changes
from kitchen.adapters.postgres.swap_read import Found, Key, found_by_name, found_in, properties_of
from kitchen.adapters.postgres.swap_trust import Joined
from kitchen.domain.layout import TableName
from kitchen.errors import Conflict, NotFound, Refused
from kitchen.ports import Exchanged, Publication

_PARTITIONS = """
WITH RECURSIVE below (oid) AS (
    SELECT inhrelid FROM pg_inherits WHERE inhparent = ANY (%s::oid[])
    UNION SELECT i.inhrelid FROM pg_inherits AS i JOIN below ON i.inhparent = below.oid
) SELECT n.nspname, c.relname FROM below JOIN pg_class AS c USING (oid) JOIN pg_namespace AS n ON n.oid = c.relnamespace
"""
_PARENTS = "SELECT inhrelid::bigint, inhparent::bigint FROM pg_inherits WHERE inhrelid = ANY (%s::oid[])"

_DEFAULT_PRIVILEGES = """
SELECT n.nspname, d.defaclobjtype::text, CASE g.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(g.grantee) END,
       g.privilege_type, bool_or(g.is_grantable)::text
FROM pg_default_acl AS d LEFT JOIN pg_namespace AS n ON n.oid = d.defaclnamespace, aclexplode(d.defaclacl) AS g
WHERE pg_get_userbyid(d.defaclrole) = %s AND g.grantee <> d.defaclrole
GROUP BY 1, 2, 3, 4
"""

# Defaults of arriving tables that count with a sequence of its own name in the target.
_COUNTED = """
SELECT f.adrelid::bigint, a.attname, s.oid::bigint, pg_get_expr(f.adbin, f.adrelid)
FROM pg_attrdef AS f JOIN pg_attribute AS a ON (a.attrelid, a.attnum) = (f.adrelid, f.adnum)
JOIN pg_depend AS d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
JOIN pg_class AS s ON s.oid = d.refobjid AND s.relkind = 'S'
WHERE f.adrelid = ANY (%s::oid[]) AND s.oid = ANY (%s::oid[])
"""
_OWNED_SEQUENCES = """
SELECT d.refobjid::bigint, a.attname, s.oid::bigint, n.nspname, s.relname, pg_get_userbyid(s.relowner)
FROM pg_depend AS d JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_namespace AS n ON n.oid = s.relnamespace
JOIN pg_attribute AS a ON (a.attrelid, a.attnum) = (d.refobjid, d.refobjsubid)
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY (%s::oid[])
  AND d.deptype IN ('a', 'i')
"""

# The server leaves extended statistics behind in the schema where they were made.
_STATISTICS = """
SELECT s.stxrelid::bigint, format('%%I.%%I', n.nspname, s.stxname), pg_get_userbyid(s.stxowner)
FROM pg_statistic_ext AS s JOIN pg_namespace AS n ON n.oid = s.stxnamespace
JOIN pg_class AS c ON c.oid = s.stxrelid AND c.relnamespace = s.stxnamespace
WHERE s.stxrelid = ANY (%s::oid[]) ORDER BY s.oid
"""


@dataclass(frozen=True, slots=True)
class SwapPlan:
    """Everything one attempt does."""

    heirs: tuple[Heir, ...]
    leaving: tuple[Found, ...]
    archives: Mapping[str, str]
    lock: tuple[TableName, ...]  # tables; views and sequences are locked by moving them
    first: tuple[str, ...]  # committed before: on what nobody sees
    moves: tuple[str, ...]
    carry: tuple[str, ...]
    exchanged: tuple[Exchanged, ...]
    said: tuple[str, ...]
    joined: tuple[Joined, ...]  # by the foreign keys that are made again

    def archived(self, leaving: Found) -> TableName:
        """Return where a leaving relation goes."""
        return TableName(self.archives[leaving.name.schema], leaving.name.name)


def plan_swap(session: PgSession, publication: Publication) -> SwapPlan:
    """Read the catalogue and return the plan; raises Refused where something cannot be carried."""
    arriving, merged = _arriving(session, publication)
    leaving = _leaving(session, publication, arriving)
    rebuilt = _materialized(session, publication, leaving, arriving)
    leaving.update({view.name: view.found for view in rebuilt})
    out, incoming = [found.oid for found in leaving.values()], [found.oid for found, _ in arriving]
    _refuse_parts(session, leaving, arriving)
    bonds.refuse_others(session, out, publication.untouched)
    bonds.refuse_left_behind(
        session, {found.oid: found.name for found, _ in arriving}, [sequence.oid for sequence, _ in merged]
    )
    heirs = _heirs(session, publication, arriving, leaving)
    keys = key_changes(session, publication, heirs, leaving)
    unmade, remade = bonds.bound_again(session, out, publication.untouched)
    again = (*_views_again(session, publication, out, incoming), *remade)
    archives = publication.archives
    statistics, owned = _statistics(session, archives, leaving, heirs)
    moving = (*leaving.values(), *(found for found, _ in arriving))
    return SwapPlan(
        heirs=heirs, leaving=tuple(leaving.values()), archives=archives,
        lock=tuple(sorted({f.name for f in moving if f.kind in "rp"} | keys.others, key=str)),
        first=(*(text for heir in heirs for text in beforehand(heir)), *owned),
        moves=(
            *keys.drop, *unmade,
            *(_moved(found, archives[found.name.schema]) for found in leaving.values()),
            *(_moved(found, final.schema) for found, final in arriving),
            *statistics,
        ),
        carry=(
            *_repointed(session, arriving, merged),
            *(text for heir in heirs for text in under_locks(heir, _archived(heir.final, archives))),
            *(text for view in rebuilt for text in _rebuilt(session, view)),
            *keys.add, *again,
        ),
        exchanged=_exchanged(arriving, leaving, rebuilt),
        said=(*(text for heir in heirs for text in left_out(heir)), *keys.unkept),
        joined=tuple(keys.joined),
    )  # fmt: skip


def _arriving(
    session: PgSession, publication: Publication
) -> tuple[list[tuple[Found, TableName]], list[tuple[Found, Found]]]:
    """Return what moves in, and apart from it the sequences that the target has already: those only count on."""
    wanted = {arrival.source: TableName(arrival.to, arrival.source.name) for arrival in publication.arrivals}
    found = found_by_name(session, wanted)
    if missing := [str(name) for name in wanted if name not in found]:
        raise NotFound(f"gone before they could be published: {', '.join(missing)}")
    there = found_by_name(session, [wanted[name] for name, one in found.items() if one.kind == "S"])
    arriving, merged = [], []
    for name, one in found.items():
        target = there.get(wanted[name])
        if one.kind == "S" and target is not None and target.kind == "S":
            merged.append((one, target))
        else:
            arriving.append((one, wanted[name]))
    return arriving, merged


def _leaving(
    session: PgSession, publication: Publication, arriving: Sequence[tuple[Found, TableName]]
) -> dict[TableName, Found]:
    names = {final for _, final in arriving} | set(publication.drops)
    leaving = found_by_name(session, names)
    oids = [found.oid for found in leaving.values()]
    below = [TableName(*row) for row in session.query(_PARTITIONS, [oids])] if oids else []
    inside = [name for name in below if name.schema in publication.archives]
    return {**leaving, **found_by_name(session, inside)}


def _materialized(
    session: PgSession, publication: Publication,
    leaving: Mapping[TableName, Found], arriving: Sequence[tuple[Found, TableName]],
) -> tuple[bonds.View, ...]:  # fmt: skip
    """Return materialised views on what leaves: they are made anew, and so leave too, with those that read them."""
    done: dict[int, bonds.View] = {}
    known = {found.oid for found in leaving.values()} | {found.oid for found, _ in arriving}
    front = [found.oid for found in leaving.values()]
    while front:
        views = bonds.views_on(session, front)
        new = [v for v in views if v.kind == "m" and v.oid not in known and v.name.schema not in publication.untouched]
        if foreign := [str(v.name) for v in new if v.name.schema not in publication.archives]:
            raise Refused(
                f"materialised views of other schemas read what would be replaced: {', '.join(foreign)}",
                hint="drop them first, and make them again afterwards",
            )
        done.update({view.oid: view for view in new})
        known.update(view.oid for view in new)
        front = [view.oid for view in new]
    return tuple(done[oid] for oid in sorted(done))


def _refuse_parts(
    session: PgSession, leaving: Mapping[TableName, Found], arriving: Sequence[tuple[Found, TableName]]
) -> None:
    for moving in ({f.oid: f.name for f in leaving.values()}, {f.oid: f.name for f, _ in arriving}):
        for child, parent in session.query(_PARENTS, [list(moving)]):
            if parent not in moving:
                raise Refused(f"{moving[child]} is a part of another table: a table is published whole")


def _heirs(
    session: PgSession, publication: Publication,
    arriving: Sequence[tuple[Found, TableName]], leaving: Mapping[TableName, Found],
) -> tuple[Heir, ...]:  # fmt: skip
    owned = _owned_sequences(session, [f.oid for f, _ in arriving], [f.oid for f in leaving.values()])
    pairs = [(found, final, leaving.get(final)) for found, final in arriving]
    for found, final, before in tuple(pairs):
        for column, sequence in owned.get(found.oid, {}).items():
            old = owned.get(before.oid, {}).get(column) if before is not None else None
            pairs.append((sequence, TableName(final.schema, sequence.name.name), old))
    said = properties_of(session, [one.oid for found, _, before in pairs for one in (found, before) if one is not None])
    privileges = _default_privileges(session, publication.owner)
    sequences = {sequence.oid: found.oid for found, _, _ in pairs for sequence in owned.get(found.oid, {}).values()}
    owners = {found.oid: publication.owner if before is None else before.owner for found, _, before in pairs}
    return tuple(
        Heir(
            found, final, _with_owner(said[found.oid], found), None if before is None else said[before.oid],
            owners[sequences.get(found.oid, found.oid)],
            privileges.get((final.schema, found.kind == "S"), {}), publication.strangers,
            owned=found.oid in sequences,
        )
        for found, final, before in pairs
    )  # fmt: skip


def _with_owner(said: Mapping[Key, str], found: Found) -> Mapping[Key, str]:
    return {**said, ("owner", ()): found.owner}


def _owned_sequences(session: PgSession, *oids: Sequence[int]) -> dict[int, dict[str, Found]]:
    owned: dict[int, dict[str, Found]] = {}
    for table, column, oid, schema, name, owner in session.query(
        _OWNED_SEQUENCES, [[o for some in oids for o in some]]
    ):
        owned.setdefault(table, {})[column] = Found(oid, TableName(schema, name), "S", owner, partition=False)
    return owned


def _default_privileges(session: PgSession, owner: str) -> dict[tuple[str, bool], dict[Grant, str]]:
    """Return by schema, and by whether it is for sequences, what new relations of the owner get."""
    found: dict[tuple[str | None, bool], dict[Grant, str]] = {}
    for schema, kind, grantee, privilege, grantable in session.query(_DEFAULT_PRIVILEGES, [owner]):
        if kind in ("r", "S"):
            found.setdefault((schema, kind == "S"), {})[("", grantee, privilege)] = grantable
    return {
        (schema, kind): {**found.get((None, kind), {}), **grants}
        for (schema, kind), grants in found.items()
        if schema is not None
    }


def _views_again(
    session: PgSession, publication: Publication, leaving: Sequence[int], arriving: Sequence[int]
) -> Iterator[str]:
    for view in bonds.views_on(session, leaving):
        if view.kind != "v" or view.oid in leaving or view.name.schema in publication.untouched:
            continue
        if view.oid in arriving:
            raise Refused(
                f"the view {view.name.name} reads tables that are replaced together with it",
                hint="make it in a node that comes after them",
            )
        yield view.replace()


def _rebuilt(session: PgSession, view: bonds.View) -> Iterator[str]:
    """Yield what makes a materialised view anew with everything that was said of it."""
    yield from view.make()
    said = properties_of(session, [view.oid])[view.oid]
    fresh = {key: value for key, value in said.items() if key[0] in ("column", "option", "index")}
    heir = Heir(replace(view.found, owner=view.owner), view.name, fresh, said, view.owner, {}, frozenset())
    yield from grant_statements(heir, qualified(view.name))
    yield from (text for text in beforehand(heir) if text.startswith("COMMENT"))


def _repointed(
    session: PgSession, arriving: Sequence[tuple[Found, TableName]], merged: Sequence[tuple[Found, Found]]
) -> Iterator[str]:
    """Yield what lets arriving tables count with the target's sequence, from where the further one is."""
    if not merged:
        return
    targets, finals = {one.oid: there for one, there in merged}, {found.oid: final for found, final in arriving}
    for one, there in merged:
        own, its = qualified(one.name), qualified(there.name)
        yield (
            f"SELECT setval({literal(its)}, n.last_value) FROM {own} AS n, {its} AS o "
            "WHERE n.is_called AND n.last_value > o.last_value"
        )
    rows = session.query(_COUNTED, [list(finals), list(targets)])
    for table, column, sequence, text in rows:
        target = qualified(targets[sequence].name)
        if not (text.startswith("nextval('") and text.endswith("'::regclass)") and text.count("(") == 1):
            raise Conflict(f"the default of {finals[table]}.{column} counts in a way that cannot be carried: {text}")
        yield (
            f"ALTER TABLE {qualified(finals[table])} ALTER COLUMN {quote(column)} "
            f"SET DEFAULT nextval({literal(target)}::regclass)"
        )


def _exchanged(
    arriving: Sequence[tuple[Found, TableName]], leaving: Mapping[TableName, Found], rebuilt: Sequence[bonds.View]
) -> tuple[Exchanged, ...]:
    """Return names with what they stood for; the numbers of rebuilt views are known only after the swap."""
    after = {final: found.oid for found, final in arriving}
    names = sorted({*after, *leaving} - {view.name for view in rebuilt}, key=str)
    return tuple(Exchanged(name, leaving[name].oid if name in leaving else None, after.get(name)) for name in names)


def _statistics(
    session: PgSession, archives: Mapping[str, str], leaving: Mapping[TableName, Found], heirs: Sequence[Heir]
) -> tuple[list[str], list[str]]:
    """Return what moves extended statistics along with their tables, and what makes them their new owner's."""
    going = {found.oid: archives[found.name.schema] for found in leaving.values()}
    coming = {heir.relation.oid: heir for heir in heirs}
    rows = session.query(_STATISTICS, [[*going, *coming]])
    out = [f"ALTER STATISTICS {name} SET SCHEMA {quote(going[oid])}" for oid, name, _ in rows if oid in going]
    into = [
        f"ALTER STATISTICS {name} SET SCHEMA {quote(coming[oid].final.schema)}"
        for oid, name, _ in rows
        if oid in coming
    ]
    owned = [
        f"ALTER STATISTICS {name} OWNER TO {quote(coming[oid].owner)}"
        for oid, name, owner in rows
        if oid in coming and owner != coming[oid].owner
    ]
    return [*out, *into], owned


def _moved(found: Found, schema: str) -> str:
    return f"ALTER {found.noun} {qualified(found.name)} SET SCHEMA {quote(schema)}"


def _archived(name: TableName, archives: Mapping[str, str]) -> TableName:
    return TableName(archives[name.schema], name.name)


def new_in(session: PgSession, schemas: Sequence[str]) -> tuple[TableName, ...]:
    """Return what would be published from schemas."""
    return tuple(found.name for found in found_in(session, schemas))
