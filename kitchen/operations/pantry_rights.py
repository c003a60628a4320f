"""Leak check: the roles of kitchens reach masked rows, and nothing from which those were made."""

from __future__ import annotations

from collections.abc import Sequence

from kitchen.domain.words import counted
from kitchen.masking.sql import literal
from kitchen.operations.pantry_subject import Found, Subject

_READERS = """
SELECT DISTINCT r.rolname::text FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) a
JOIN pg_roles r ON r.oid = a.grantee WHERE n.nspname IN ({schemas}) AND r.rolname ~ '__pantry_v[0-9]+$'
"""

# Of kitchens and of people, not of those who administer: a provisioner makes roles, and people's groups read records.
_POWERS = """
SELECT r.rolname::text, r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication
    OR EXISTS (SELECT FROM pg_roles p WHERE p.rolname IN ('pg_read_all_data', 'pg_read_server_files',
        'pg_write_server_files', 'pg_execute_server_program') AND pg_has_role(r.oid, p.oid, 'MEMBER')),
    coalesce(has_schema_privilege(r.oid, to_regnamespace('kitchen_control')::oid, 'USAGE'), false)
        AND r.rolname !~ '__person$'
FROM pg_roles r WHERE starts_with(r.rolname, {prefix})
    AND r.rolname ~ '__(pantry_v[0-9]+|owner|login|reader|l[0-9a-f]{{6}}|person)$' ORDER BY 1
"""

_READS = """
SELECT r.rolname::text, count(*) FROM pg_roles r CROSS JOIN pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE starts_with(r.rolname, {prefix}) AND n.nspname IN ({schemas}) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND has_database_privilege(r.oid, current_database(), 'CONNECT')
    AND has_schema_privilege(r.oid, n.oid, 'USAGE') AND has_any_column_privilege(r.oid, c.oid, 'SELECT')
GROUP BY r.rolname ORDER BY 1
"""


def rights(subject: Subject) -> Found:
    """No role of a kitchen reads the source's tables, kitchen's records or the server's files, or could come to it.

    The masking key is in the source environment's vault, where no database role leads; its policies are its own.
    """
    readers = subject.store.query(_READERS.format(schemas=_listed(subject.schemas())))
    prefixes = sorted({str(row[0]).rpartition("pantry_v")[0] for row in readers})
    if not prefixes:
        return Found("no role can read the version", ("the version has no reader role",) if subject.schemas() else ())
    faults: list[str] = []
    roles = 0
    for prefix in prefixes:
        for role, powerful, control in subject.store.query(_POWERS.format(prefix=literal(prefix))):
            roles += 1
            if powerful:
                faults.append(f"role {role} has powers over the whole server")
            if control:
                faults.append(f"role {role} reads the records of kitchen")
        if subject.snapshot is not None:
            reads = _READS.format(prefix=literal(prefix), schemas=_listed(subject.snapshot.schemas))
            faults += [
                f"role {role} reads {counted(count, 'table')} of the source"
                for role, count in subject.snapshot.query(reads)
            ]
    return Found(counted(roles, "role"), tuple(faults))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(literal(name) for name in names)
