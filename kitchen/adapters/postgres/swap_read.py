"""What a swap must know of relations: which they are, and everything about them that readers and servers rely on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kitchen.adapters.postgres.connection import PgSession
from kitchen.domain.layout import TableName

# What ALTER calls each kind; indexes, TOAST and composite types move with what they belong to.
NOUNS = {
    "r": "TABLE", "p": "TABLE", "f": "FOREIGN TABLE", "v": "VIEW", "m": "MATERIALIZED VIEW", "S": "SEQUENCE",
}  # fmt: skip

_FIND = """
SELECT c.oid::bigint, n.nspname, c.relname, c.relkind::text, pg_get_userbyid(c.relowner), c.relispartition
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND {condition}
ORDER BY c.oid
"""
_NOT_OWNED = """NOT EXISTS (
    SELECT FROM pg_depend AS d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
      AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i') AND c.relkind = 'S'
)"""

# One row for each thing said of a relation. Names are printed in full: nothing but pg_catalog is on the path.
_PROPERTIES = """
WITH wanted AS MATERIALIZED (SELECT unnest(%(oids)s::oid[]) AS oid)
SELECT c.oid::bigint, 'owner', ARRAY[]::text[], pg_get_userbyid(c.relowner)::text
FROM wanted JOIN pg_class AS c USING (oid)
UNION ALL
SELECT c.oid, 'grant', ARRAY['', CASE g.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(g.grantee) END, g.privilege_type],
       bool_or(g.is_grantable)::text
FROM wanted JOIN pg_class AS c USING (oid), aclexplode(c.relacl) AS g
WHERE g.grantee <> c.relowner GROUP BY c.oid, g.grantee, g.privilege_type
UNION ALL
SELECT c.oid, 'grant', ARRAY[a.attname, CASE g.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(g.grantee) END,
       g.privilege_type], bool_or(g.is_grantable)::text
FROM wanted JOIN pg_class AS c USING (oid) JOIN pg_attribute AS a ON a.attrelid = c.oid, aclexplode(a.attacl) AS g
WHERE g.grantee <> c.relowner AND NOT a.attisdropped GROUP BY c.oid, a.attname, g.grantee, g.privilege_type
UNION ALL
SELECT d.objoid, 'comment', ARRAY[coalesce(a.attname, '')], d.description
FROM wanted JOIN pg_description AS d ON d.objoid = wanted.oid AND d.classoid = 'pg_class'::regclass
LEFT JOIN pg_attribute AS a ON a.attrelid = d.objoid AND a.attnum = d.objsubid AND d.objsubid > 0
UNION ALL
SELECT c.oid, 'security', ARRAY[said.word], 'true'
FROM wanted JOIN pg_class AS c USING (oid),
     LATERAL (VALUES ('ENABLE', c.relrowsecurity), ('FORCE', c.relforcerowsecurity)) AS said (word, holds)
WHERE said.holds
UNION ALL
SELECT p.polrelid, 'policy', ARRAY[p.polname],
       format('AS %%s FOR %%s TO %%s', CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
              CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
                            ELSE 'ALL' END,
              (SELECT string_agg(CASE role WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(role)) END, ', ')
               FROM unnest(p.polroles) AS role))
       || coalesce(' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', '')
       || coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')
FROM wanted JOIN pg_policy AS p ON p.polrelid = wanted.oid
UNION ALL
SELECT t.tgrelid, 'trigger', ARRAY[t.tgname, t.tgenabled::text], pg_get_triggerdef(t.oid)
FROM wanted JOIN pg_trigger AS t ON t.tgrelid = wanted.oid WHERE NOT t.tgisinternal AND t.tgparentid = 0
UNION ALL
SELECT r.ev_class, 'rule', ARRAY[r.rulename], pg_get_ruledef(r.oid)
FROM wanted JOIN pg_rewrite AS r ON r.ev_class = wanted.oid WHERE r.rulename <> '_RETURN'
UNION ALL
SELECT m.prrelid, 'publication', ARRAY[b.pubname],
       coalesce((SELECT '(' || string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) || ')' FROM pg_attribute AS a
                 WHERE a.attrelid = m.prrelid AND a.attnum = ANY (m.prattrs)), '')
       || coalesce(' WHERE (' || pg_get_expr(m.prqual, m.prrelid) || ')', '')
FROM wanted JOIN pg_publication_rel AS m ON m.prrelid = wanted.oid JOIN pg_publication AS b ON b.oid = m.prpubid
UNION ALL
SELECT c.oid, 'identity', ARRAY[]::text[], CASE c.relreplident
           WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING'
           ELSE 'USING INDEX ' || (SELECT quote_ident(i.relname) FROM pg_index AS x JOIN pg_class AS i
                                   ON i.oid = x.indexrelid WHERE x.indrelid = c.oid AND x.indisreplident) END
FROM wanted JOIN pg_class AS c USING (oid) WHERE c.relreplident IN ('f', 'n', 'i') AND c.relkind IN ('r', 'p')
UNION ALL
SELECT c.oid, 'option', ARRAY[o.option_name], o.option_value
FROM wanted JOIN pg_class AS c USING (oid), pg_options_to_table(c.reloptions) AS o
UNION ALL
SELECT a.attrelid, 'column', ARRAY[a.attname], format_type(a.atttypid, a.atttypmod)
FROM wanted JOIN pg_attribute AS a ON a.attrelid = wanted.oid
WHERE a.attnum > 0 AND NOT a.attisdropped AND %(columns)s
UNION ALL
SELECT i.indrelid, 'index', ARRAY[quote_ident(x.relname)], 'true'
FROM wanted JOIN pg_index AS i ON i.indrelid = wanted.oid JOIN pg_class AS x ON x.oid = i.indexrelid WHERE %(columns)s
UNION ALL
SELECT s.stxrelid, 'statistics', ARRAY[quote_ident(s.stxname)], 'true'
FROM wanted JOIN pg_statistic_ext AS s ON s.stxrelid = wanted.oid WHERE %(columns)s
"""


@dataclass(frozen=True, slots=True)
class Found:
    """One relation of the catalogue."""

    oid: int
    name: TableName
    kind: str
    owner: str
    partition: bool

    @property
    def noun(self) -> str:
        """Return what ALTER calls it."""
        return NOUNS[self.kind]


Key = tuple[str, tuple[str, ...]]
Properties = Mapping[Key, str]


def found_by_name(session: PgSession, names: Iterable[TableName]) -> dict[TableName, Found]:
    """Return those relations of these names that there are."""
    wanted = list(names)
    rows = session.query(
        _FIND.format(condition="(n.nspname, c.relname) IN (SELECT * FROM unnest(%s::name[], %s::name[]))"),
        [[name.schema for name in wanted], [name.name for name in wanted]],
    )
    return {relation.name: relation for relation in map(_found, rows)}


def found_by_oid(session: PgSession, oids: Sequence[int]) -> dict[int, Found]:
    """Return those relations of these numbers that there are."""
    rows = session.query(_FIND.format(condition="c.oid = ANY (%s::oid[])"), [list(oids)])
    return {relation.oid: relation for relation in map(_found, rows)}


def found_in(session: PgSession, schemas: Sequence[str]) -> tuple[Found, ...]:
    """Return the relations of schemas without the sequences that belong to tables."""
    rows = session.query(_FIND.format(condition=f"n.nspname = ANY (%s::name[]) AND {_NOT_OWNED}"), [list(schemas)])
    return tuple(map(_found, rows))


def properties_of(session: PgSession, oids: Sequence[int], *, columns: bool = True) -> dict[int, dict[Key, str]]:
    """Return what is said of each relation; columns and indexes only where they are asked for."""
    with session.connection.cursor() as cursor:
        cursor.execute(_PROPERTIES, {"oids": list(oids), "columns": columns})
        rows = cursor.fetchall()
    said: dict[int, dict[Key, str]] = {oid: {} for oid in oids}
    for oid, what, key, value in rows:
        said[oid][(what, tuple(key))] = value
    return said


def _found(row: tuple[int, str, str, str, str, bool]) -> Found:
    oid, schema, name, kind, owner, partition = row
    return Found(oid, TableName(schema, name), kind, owner, partition)
