"""What a provisioner needs on tables that were there before kitchen: read for refreshes, own for releases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kitchen.adapters.postgres.connection import PgSession
from kitchen.adapters.postgres.structure_text import quote
from kitchen.domain.installation import DEPENDANTS, Action, Caution, Place

_WITH_OPTIONS = 160000  # the first server on which memberships say what they are good for

# Everything in the schemas that has an owner, without what extensions brought; by owner.
_OWNERS = """
WITH things AS (
    SELECT c.relowner AS owner, n.nspname AS schema, c.oid, 'pg_class'::regclass AS class, pg_catalog.format(
               'ALTER %%s %%I.%%I OWNER TO ', CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
               WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, n.nspname, c.relname) AS alter
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname = ANY (%(schemas)s)
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                      AND c.relkind = 'S' AND d.deptype IN ('a', 'i'))
    UNION ALL
    SELECT p.proowner, n.nspname, p.oid, 'pg_proc'::regclass, pg_catalog.format(
               'ALTER ROUTINE %%I.%%I(%%s) OWNER TO ', n.nspname, p.proname,
               pg_catalog.pg_get_function_identity_arguments(p.oid))
    FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname = ANY (%(schemas)s)
    UNION ALL
    SELECT t.typowner, n.nspname, t.oid, 'pg_type'::regclass, pg_catalog.format('ALTER TYPE %%I.%%I OWNER TO ',
               n.nspname, t.typname)
    FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
    LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.typrelid
    WHERE n.nspname = ANY (%(schemas)s) AND t.typtype IN ('e', 'd', 'c', 'r') AND coalesce(c.relkind = 'c', true)
)
SELECT r.rolname, pg_catalog.pg_has_role(r.oid, 'pg_execute_server_program', 'MEMBER')
           OR pg_catalog.pg_has_role(r.oid, 'pg_write_server_files', 'MEMBER')
           OR pg_catalog.pg_has_role(r.oid, 'pg_read_server_files', 'MEMBER'),
       pg_catalog.array_agg(DISTINCT things.schema::text), pg_catalog.array_agg(things.alter ORDER BY things.alter)
FROM things JOIN pg_catalog.pg_roles AS r ON r.oid = things.owner
LEFT JOIN pg_catalog.pg_roles AS p ON p.rolname = %(provisioner)s
WHERE r.rolname <> %(provisioner)s
  AND NOT coalesce(pg_catalog.pg_has_role(p.oid, r.oid, 'USAGE')
                   AND pg_catalog.pg_has_role(p.oid, r.oid, %(becoming)s), false)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
                  WHERE d.classid = things.class AND d.objid = things.oid AND d.deptype = 'e')
GROUP BY r.rolname, r.oid ORDER BY 1
"""
_SCHEMAS = """
SELECT n.nspname, pg_catalog.has_schema_privilege('public', n.oid, 'CREATE'),
       coalesce(pg_catalog.has_schema_privilege(p.oid, n.oid, 'CREATE WITH GRANT OPTION')
                AND pg_catalog.has_schema_privilege(p.oid, n.oid, 'USAGE WITH GRANT OPTION'), false)
FROM pg_catalog.pg_namespace AS n LEFT JOIN pg_catalog.pg_roles AS p ON p.rolname = %s
WHERE n.nspname = ANY (%s) ORDER BY 1
"""

_DEPENDANTS = f"""{DEPENDANTS.format(schemas="%(schemas)s")}
SELECT o.rolname, pg_catalog.pg_has_role(o.oid, 'pg_execute_server_program', 'MEMBER')
           OR pg_catalog.pg_has_role(o.oid, 'pg_write_server_files', 'MEMBER')
           OR pg_catalog.pg_has_role(o.oid, 'pg_read_server_files', 'MEMBER'),
       pg_catalog.array_agg(pg_catalog.format('%%I.%%I', n.nspname, c.relname) ORDER BY n.nspname, c.relname)
FROM dependants JOIN pg_catalog.pg_class AS c USING (oid) JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_roles AS o ON o.oid = c.relowner LEFT JOIN pg_catalog.pg_roles AS p ON p.rolname = %(provisioner)s
WHERE n.nspname <> ALL (%(schemas)s) AND o.rolname <> %(provisioner)s
  AND NOT coalesce(pg_catalog.pg_has_role(p.oid, o.oid, 'USAGE')
                   AND pg_catalog.pg_has_role(p.oid, o.oid, %(becoming)s), false)
GROUP BY o.rolname, o.oid ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class _Owner:
    """A role that owns things in production's schemas and that the provisioner is no member of."""

    name: str
    is_too_strong: bool  # a member of it is master of the whole server
    schemas: tuple[str, ...]
    alters: tuple[str, ...]


def rights(
    session: PgSession, provisioner: str, schemas: Sequence[str], *, is_superuser: bool
) -> tuple[list[Action], list[Caution]]:
    """Return the grants that let a provisioner work on what is there, and what no grant can give."""
    actions: list[Action] = []
    cautions: list[Caution] = []
    role = quote(provisioner)
    for schema, everybody, has in session.query(_SCHEMAS, [provisioner, [*schemas, "public"]]):
        if schema in schemas and not has:
            says = f"the provisioner opens schema {schema} to the standing kitchen and puts published tables there"
            grant = f"GRANT USAGE, CREATE ON SCHEMA {quote(schema)} TO {role} WITH GRANT OPTION"
            actions.append(Action(Place.WAREHOUSE, says, grant))
        if everybody:
            says = f"nobody makes objects in schema {schema} only because the role exists"
            actions.append(Action(Place.WAREHOUSE, says, f"REVOKE CREATE ON SCHEMA {quote(schema)} FROM PUBLIC"))
    for owner in _owners(session, provisioner, schemas):
        if owner.is_too_strong:
            actions += _reading(owner, role, is_superuser=is_superuser)
            cautions.append(_too_strong(owner, provisioner))
        else:
            actions.append(_membership(session, owner, role))
    cautions += _dependants(session, provisioner, schemas)
    return actions, cautions


def _dependants(session: PgSession, provisioner: str, schemas: Sequence[str]) -> Iterator[Caution]:
    """Yield what others have built on production elsewhere: to be a member of their roles is theirs to give."""
    with session.connection.cursor() as cursor:
        cursor.execute(_DEPENDANTS, _wanted(session, provisioner, schemas))
        for owner, is_too_strong, names in cursor.fetchall():
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            grant = f"GRANT {quote(owner)} TO {quote(provisioner)}{_options(session)}"
            says = (
                f"{', '.join(names[:3])}{more} of {owner} depend on production's tables:\n"
                "a release that replaces one of those is refused while the provisioner may not make them anew"
            )
            if is_too_strong:
                yield Caution(says + f";\nthey need another owner first, for {owner} is master of the server")
            else:
                yield Caution(says, (grant,))


def _owners(session: PgSession, provisioner: str, schemas: Sequence[str]) -> Iterator[_Owner]:
    with session.connection.cursor() as cursor:
        cursor.execute(_OWNERS, _wanted(session, provisioner, schemas))
        for name, is_too_strong, inside, alters in cursor.fetchall():
            yield _Owner(name, is_too_strong, tuple(inside), tuple(alters))


def _wanted(session: PgSession, provisioner: str, schemas: Sequence[str]) -> dict[str, object]:
    becoming = "SET" if session.connection.server_version >= _WITH_OPTIONS else "MEMBER"
    return {"schemas": list(schemas), "provisioner": provisioner, "becoming": becoming}


def _options(session: PgSession) -> str:
    return " WITH INHERIT TRUE, SET TRUE" if session.connection.server_version >= _WITH_OPTIONS else ""


def _membership(session: PgSession, owner: _Owner, role: str) -> Action:
    return Action(
        Place.WAREHOUSE,
        f"the provisioner reads and publishes what {owner.name} owns ({_some(owner)})",
        f"GRANT {quote(owner.name)} TO {role}{_options(session)}",
    )


def _reading(owner: _Owner, role: str, *, is_superuser: bool) -> Iterator[Action]:
    for schema in owner.schemas:
        yield Action(
            Place.WAREHOUSE, f"the provisioner reads what {owner.name} owns in {schema}, and lets kitchens read it",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA {quote(schema)} TO {role} WITH GRANT OPTION; "
            f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA {quote(schema)} TO {role} WITH GRANT OPTION",
        )  # fmt: skip
        if is_superuser:
            opening = f"ALTER DEFAULT PRIVILEGES FOR ROLE {quote(owner.name)} IN SCHEMA {quote(schema)} GRANT SELECT ON"
            yield Action(
                Place.WAREHOUSE, f"and what {owner.name} makes there later",
                f"{opening} TABLES TO {role} WITH GRANT OPTION; {opening} SEQUENCES TO {role} WITH GRANT OPTION",
            )  # fmt: skip


def _too_strong(owner: _Owner, provisioner: str) -> Caution:
    return Caution(
        f"{_some(owner)} belong to {owner.name}: a member of it is master of the whole server, so that membership is\n"
        "not granted. Refreshes can read them; a release that replaces one is refused until it has another owner:",
        tuple(f"{alter}{quote(provisioner)}" for alter in owner.alters),
    )


def _some(owner: _Owner) -> str:
    names = [alter.removeprefix("ALTER ").removesuffix(" OWNER TO ") for alter in owner.alters]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def reader_statements(session: PgSession, schemas: Sequence[str], readers: Sequence[str]) -> list[str]:
    """Return what lets roles read everything of production that the provisioner may pass on, now and later."""
    names = ", ".join(quote(reader) for reader in readers)
    made = []
    for schema in schemas:
        made += [f"GRANT SELECT ON ALL {kind} IN SCHEMA {quote(schema)} TO {names}" for kind in ("TABLES", "SEQUENCES")]
    rows = session.query(
        "SELECT DISTINCT n.nspname, pg_catalog.pg_get_userbyid(c.relowner) FROM pg_catalog.pg_class AS c"
        " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE n.nspname = ANY (%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
        " AND pg_catalog.pg_has_role(c.relowner, 'USAGE') ORDER BY 1, 2",
        [list(schemas)],
    )
    for schema, owner in rows:
        if owner in readers:
            continue
        opening = f"ALTER DEFAULT PRIVILEGES FOR ROLE {quote(owner)} IN SCHEMA {quote(schema)} GRANT SELECT ON"
        made += [f"{opening} {kind} TO {names}" for kind in ("TABLES", "SEQUENCES")]
    return made
