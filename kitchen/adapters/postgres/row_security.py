"""Which tables show a session less than all their rows, looked at directly or through views."""

from __future__ import annotations

from collections.abc import Collection

from kitchen.domain.layout import TableName
from kitchen.ports import Session

# A view looks at its tables as its owner, for everybody alike, unless it says security_invoker. A policy that lets
# every row through, with none that restricts it, hides nothing; any other may.
_FILTERED = """
WITH RECURSIVE asked AS (
    SELECT c.oid, c.relkind, c.reloptions
    FROM unnest(%s::text[], %s::text[]) AS t (schema, name)
    JOIN pg_catalog.pg_namespace n ON n.nspname = t.schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
    UNION
    SELECT c.oid, c.relkind, c.reloptions
    FROM asked a JOIN pg_catalog.pg_rewrite w ON w.ev_class = a.oid
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = w.oid
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> a.oid
    JOIN pg_catalog.pg_class c ON c.oid = d.refobjid
    WHERE a.relkind = 'v' AND EXISTS (SELECT FROM pg_catalog.pg_options_to_table(a.reloptions) AS o
        WHERE o.option_name = 'security_invoker' AND o.option_value::boolean)
), policies AS (
    SELECT p.polrelid, p.polpermissive, pg_catalog.pg_get_expr(p.polqual, p.polrelid) AS condition
    FROM pg_catalog.pg_policy p
    WHERE p.polcmd IN ('r', '*') AND EXISTS (SELECT FROM unnest(p.polroles) AS r (role)
        WHERE r.role = 0 OR pg_catalog.pg_has_role(current_user, r.role, 'USAGE'))
)
SELECT DISTINCT n.nspname, c.relname
FROM asked a JOIN pg_catalog.pg_class c ON c.oid = a.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND pg_catalog.row_security_active(c.oid)
    AND (NOT EXISTS (SELECT FROM policies p WHERE p.polrelid = c.oid AND p.polpermissive AND p.condition = 'true')
        OR EXISTS (SELECT FROM policies p WHERE p.polrelid = c.oid AND NOT p.polpermissive))
ORDER BY 1, 2
"""


def filtered(session: Session, tables: Collection[TableName]) -> tuple[TableName, ...]:
    """Return the tables, named or looked at through a named view, of which the session may see only a part."""
    named = sorted(tables, key=str)
    rows = session.query(_FILTERED, [[table.schema for table in named], [table.name for table in named]])
    return tuple(TableName(schema, name) for schema, name in rows)
