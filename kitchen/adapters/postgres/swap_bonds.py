"""What binds relations by number and would stay on the replaced ones: views, functions, policies."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kitchen.adapters.postgres.connection import PgSession, translated
from kitchen.adapters.postgres.structure_text import literal, qualified, quote
from kitchen.adapters.postgres.swap_read import Found
from kitchen.domain.layout import TableName
from kitchen.errors import Refused
from kitchen.ports import Row

_VIEWS = """
SELECT DISTINCT v.oid::bigint, n.nspname, v.relname, v.relkind::text, pg_get_userbyid(v.relowner),
       pg_get_viewdef(v.oid), coalesce(array_to_string(v.reloptions, ', '), ''), v.relispopulated,
       ARRAY(SELECT pg_get_indexdef(i.indexrelid) FROM pg_index AS i WHERE i.indrelid = v.oid ORDER BY i.indexrelid)
FROM pg_depend AS d JOIN pg_rewrite AS r ON r.oid = d.objid
JOIN pg_class AS v ON v.oid = r.ev_class JOIN pg_namespace AS n ON n.oid = v.relnamespace
WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY (%s::oid[])
  AND r.ev_class <> d.refobjid AND v.relkind IN ('v', 'm') AND r.rulename = '_RETURN'
ORDER BY 1
"""

# Functions whose body is bound, and policies of other tables.
_BODIES = """
SELECT DISTINCT p.oid::bigint, n.nspname, pg_get_functiondef(p.oid)
FROM pg_depend AS d JOIN pg_proc AS p ON p.oid = d.objid JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY (%s::oid[])
  AND p.prosqlbody IS NOT NULL
ORDER BY 1
"""
_POLICIES = """
SELECT DISTINCT p.oid::bigint, n.nspname, format('ALTER POLICY %%I ON %%I.%%I', p.polname, n.nspname, c.relname)
       || coalesce(' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', '')
       || coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')
FROM pg_depend AS d JOIN pg_policy AS p ON p.oid = d.objid
JOIN pg_class AS c ON c.oid = p.polrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE d.classid = 'pg_policy'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY (%(oids)s::oid[])
  AND d.deptype = 'n' AND p.polrelid <> ALL (%(oids)s::oid[])
ORDER BY 1
"""

# Functions whose arguments or result are rows of what leaves: their signature is bound, so they are made anew.
_ROUTINES = """
SELECT DISTINCT p.oid::bigint, n.nspname,
       format('%%I.%%I(%%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
       pg_get_functiondef(p.oid), pg_get_userbyid(p.proowner), obj_description(p.oid, 'pg_proc'), p.proacl IS NULL,
       ARRAY(SELECT CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END
                    || CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
             FROM aclexplode(p.proacl) AS g WHERE g.grantee <> p.proowner)
FROM pg_type AS t JOIN pg_depend AS d ON d.refobjid IN (t.oid, t.typarray)
JOIN pg_proc AS p ON p.oid = d.objid JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE t.typrelid = ANY (%s::oid[]) AND d.refclassid = 'pg_type'::regclass AND d.classid = 'pg_proc'::regclass
  AND p.prokind IN ('f', 'p')
ORDER BY 1
"""

# Whatever else is bound to what leaves, by its columns or by its row type: it cannot be moved to the new relation.
_OTHERS = """
WITH leaving AS MATERIALIZED (SELECT unnest(%(oids)s::oid[]) AS oid),
bound AS (
    SELECT d.classid, d.objid, d.objsubid FROM leaving JOIN pg_depend AS d ON d.refobjid = leaving.oid
    WHERE d.refclassid = 'pg_class'::regclass AND d.deptype = 'n'
      AND d.classid <> ALL (ARRAY['pg_rewrite', 'pg_policy', 'pg_constraint', 'pg_trigger', 'pg_attrdef',
                                       'pg_publication_rel']::regclass[])
      AND NOT (d.classid = 'pg_proc'::regclass AND EXISTS (
          SELECT FROM pg_proc AS p WHERE p.oid = d.objid AND p.prosqlbody IS NOT NULL))
    UNION
    SELECT d.classid, d.objid, 0 FROM leaving JOIN pg_depend AS d ON d.refobjid = leaving.oid
    JOIN pg_rewrite AS r ON r.oid = d.objid
    WHERE d.refclassid = 'pg_class'::regclass AND d.classid = 'pg_rewrite'::regclass
      AND r.rulename <> '_RETURN' AND r.ev_class NOT IN (SELECT oid FROM leaving)
    UNION
    SELECT d.classid, d.objid, d.objsubid FROM leaving JOIN pg_type AS t ON t.typrelid = leaving.oid
    JOIN pg_depend AS d ON d.refobjid IN (t.oid, t.typarray)
    WHERE d.refclassid = 'pg_type'::regclass AND d.deptype = 'n'
      AND NOT (d.classid = 'pg_proc'::regclass AND EXISTS (
          SELECT FROM pg_proc AS p WHERE p.oid = d.objid AND p.prokind IN ('f', 'p')))
      AND NOT (d.classid = 'pg_rewrite'::regclass AND EXISTS (
          SELECT FROM pg_rewrite AS r WHERE r.oid = d.objid AND r.rulename = '_RETURN'))
)
SELECT DISTINCT pg_describe_object(classid, objid, objsubid), n.nspname
FROM bound
LEFT JOIN pg_proc AS p ON bound.classid = 'pg_proc'::regclass AND p.oid = objid
LEFT JOIN pg_class AS c ON bound.classid = 'pg_class'::regclass AND c.oid = objid
LEFT JOIN pg_namespace AS n ON n.oid = coalesce(p.pronamespace, c.relnamespace)
WHERE c.oid IS NULL OR c.oid NOT IN (SELECT oid FROM leaving)
ORDER BY 1
"""

# What arrives must not depend on what stays behind in the schemas it comes from.
_LEFT_BEHIND = """
WITH arriving AS MATERIALIZED (SELECT unnest(%(oids)s::oid[]) AS oid),
parts AS (
    SELECT 'pg_class'::regclass AS classid, oid AS objid, oid AS relation FROM arriving
    UNION ALL
    SELECT 'pg_attrdef'::regclass, f.oid, f.adrelid FROM arriving
    JOIN pg_attrdef AS f ON f.adrelid = arriving.oid
    UNION ALL
    SELECT 'pg_constraint'::regclass, k.oid, k.conrelid FROM arriving
    JOIN pg_constraint AS k ON k.conrelid = arriving.oid
    UNION ALL
    SELECT 'pg_rewrite'::regclass, r.oid, r.ev_class FROM arriving
    JOIN pg_rewrite AS r ON r.ev_class = arriving.oid
    UNION ALL
    SELECT 'pg_trigger'::regclass, t.oid, t.tgrelid FROM arriving
    JOIN pg_trigger AS t ON t.tgrelid = arriving.oid
    UNION ALL
    SELECT 'pg_policy'::regclass, p.oid, p.polrelid FROM arriving
    JOIN pg_policy AS p ON p.polrelid = arriving.oid
)
SELECT DISTINCT parts.relation::regclass::text, pg_describe_object(d.refclassid, d.refobjid, 0)
FROM parts JOIN pg_depend AS d ON d.classid = parts.classid AND d.objid = parts.objid
LEFT JOIN pg_type AS t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid
LEFT JOIN pg_proc AS p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid
LEFT JOIN pg_class AS c ON d.refclassid = 'pg_class'::regclass AND c.oid = d.refobjid
    AND c.relkind NOT IN ('i', 'I', 't')
JOIN pg_namespace AS n ON n.oid = coalesce(t.typnamespace, p.pronamespace, c.relnamespace)
WHERE n.nspname = ANY (%(schemas)s::name[])
  AND (c.oid IS NULL OR c.oid NOT IN (SELECT oid FROM arriving))
  AND (t.oid IS NULL OR (t.typrelid NOT IN (SELECT oid FROM arriving) AND NOT EXISTS (
      SELECT FROM pg_type AS e JOIN arriving ON e.typrelid = arriving.oid WHERE e.oid = t.typelem)))
  AND NOT (c.relkind = 'S' AND EXISTS (
      SELECT FROM pg_depend AS o JOIN arriving ON o.refobjid = arriving.oid
      WHERE o.classid = 'pg_class'::regclass AND o.objid = c.oid AND o.refclassid = 'pg_class'::regclass
        AND o.refobjsubid > 0 AND o.deptype IN ('a', 'i')))
  AND (d.refobjid <> ALL (%(known)s::oid[]))
ORDER BY 1, 2
"""


_BODIES_UNCHECKED = "SET LOCAL check_function_bodies = off"


@dataclass(frozen=True, slots=True)
class View:
    """A view or materialised view that reads what leaves."""

    oid: int
    name: TableName
    kind: str
    owner: str
    definition: str
    options: str
    populated: bool
    indexes: tuple[str, ...]

    @property
    def found(self) -> Found:
        """Return it as a relation."""
        return Found(self.oid, self.name, self.kind, self.owner, partition=False)

    def replace(self) -> str:
        """Return what binds a view anew, in place: its grants and its own readers stay."""
        return f"CREATE OR REPLACE VIEW {qualified(self.name)}{self._with()} AS {self.definition}"

    def make(self) -> Iterator[str]:
        """Yield what makes a materialised view anew, filled where it was: by REFRESH, for that runs as its owner."""
        body, name = self.definition.rstrip().removesuffix(";"), qualified(self.name)
        yield f"CREATE MATERIALIZED VIEW {name}{self._with()} AS {body} WITH NO DATA"
        yield f"ALTER MATERIALIZED VIEW {name} OWNER TO {quote(self.owner)}"
        if self.populated:
            yield "SET LOCAL row_security = on"  # it holds what its owner may see
            yield f"REFRESH MATERIALIZED VIEW {name}"
            yield "SET LOCAL row_security = off"
        yield from self.indexes

    def _with(self) -> str:
        return f" WITH ({self.options})" if self.options else ""


def views_on(session: PgSession, oids: Sequence[int]) -> tuple[View, ...]:
    """Return the views that read relations directly."""
    return tuple(
        View(oid, TableName(schema, name), kind, owner, text, options, populated, tuple(indexes))
        for oid, schema, name, kind, owner, text, options, populated, indexes in session.query(_VIEWS, [list(oids)])
    )


def bound_again(
    session: PgSession, leaving: Sequence[int], untouched: Collection[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what must be dropped first, and what binds functions and policies of others anew afterwards.

    The texts are as they read before anything moves; bodies are read again when they run.
    """
    routines = [row for row in session.query(_ROUTINES, [list(leaving)]) if row[1] not in untouched]
    remade = {row[0] for row in routines}
    functions = [row for row in session.query(_BODIES, [list(leaving)]) if row[0] not in remade]
    policies = _rows(session, _POLICIES, {"oids": list(leaving)})
    texts = [text for _, schema, text in (*functions, *policies) if schema not in untouched]
    return tuple(f"DROP ROUTINE {row[2]}" for row in routines), (
        *((_BODIES_UNCHECKED,) if routines or functions else ()),
        *(text for row in routines for text in _remade(row)),
        *texts,
    )


def _remade(row: Row) -> Iterator[str]:
    _, _, signature, definition, owner, comment, is_open, grantees = row
    yield definition
    yield f"ALTER ROUTINE {signature} OWNER TO {quote(owner)}"
    if not is_open:
        yield f"REVOKE ALL ON ROUTINE {signature} FROM PUBLIC"
        yield from (f"GRANT EXECUTE ON ROUTINE {signature} TO {grantee}" for grantee in grantees)
    if comment is not None:
        yield f"COMMENT ON ROUTINE {signature} IS {literal(comment)}"


def refuse_others(session: PgSession, leaving: Sequence[int], untouched: Collection[str]) -> None:
    """Raise Refused where something is bound to what leaves that no statement can bind anew."""
    rows = _rows(session, _OTHERS, {"oids": list(leaving)})
    others = [said for said, schema in rows if schema not in untouched]
    if others:
        raise Refused(
            f"what would be replaced is used by {', '.join(others)}",
            hint="drop or remake it in a node of the recipe, then merge again",
        )


def refuse_left_behind(session: PgSession, arriving: Mapping[int, TableName], known: Collection[int]) -> None:
    """Raise Refused where what arrives needs something that stays in the schema it comes from."""
    schemas = sorted({name.schema for name in arriving.values()})
    values = {"oids": list(arriving), "schemas": schemas, "known": list(known)}
    needs = [f"{relation} needs {what}" for relation, what in _rows(session, _LEFT_BEHIND, values)]
    if needs:
        raise Refused(
            f"this would stay behind in the candidate: {'; '.join(needs)}",
            hint="types and functions are made once for all: kitchen recipe check",
        )


def _rows(session: PgSession, statement: str, values: Mapping[str, object]) -> list[Row]:
    with translated("reading what is bound"), session.connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()
