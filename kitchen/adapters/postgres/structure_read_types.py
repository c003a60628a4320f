"""Reads types, functions and what depends on what from the catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kitchen.adapters.postgres.connection import PgSession
from kitchen.adapters.postgres.structure_deparse import Deparser
from kitchen.adapters.postgres.structure_model import Routine, UserType
from kitchen.adapters.postgres.structure_text import plain
from kitchen.domain.layout import TableName
from kitchen.errors import KitchenError

# A function named in a definition that we compose: qualified unless its schema is first on the path.
_FUNCTION = """(SELECT CASE WHEN fn.nspname = current_schema() THEN '' ELSE quote_ident(fn.nspname) || '.' END
    || quote_ident(fp.proname) FROM pg_proc fp JOIN pg_namespace fn ON fn.oid = fp.pronamespace WHERE fp.oid = {0})"""


def _function(option: str, column: str) -> str:
    return f"CASE WHEN {column} <> 0 THEN ', {option} = ' || {_FUNCTION.format(column)} ELSE '' END"


_AGGREGATE = " || ".join(
    [
        "'(' || pg_get_function_arguments(p.oid) || ') (SFUNC = '",
        _FUNCTION.format("a.aggtransfn"),
        "', STYPE = ' || format_type(a.aggtranstype, NULL)",
        "CASE WHEN a.aggtransspace <> 0 THEN ', SSPACE = ' || a.aggtransspace ELSE '' END",
        _function("FINALFUNC", "a.aggfinalfn"),
        "CASE WHEN a.aggfinalextra THEN ', FINALFUNC_EXTRA' ELSE '' END",
        (
            "CASE WHEN a.aggfinalfn <> 0 THEN ', FINALFUNC_MODIFY = ' || CASE a.aggfinalmodify WHEN 'r'"
            " THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END ELSE '' END"
        ),
        _function("COMBINEFUNC", "a.aggcombinefn"),
        _function("SERIALFUNC", "a.aggserialfn"),
        _function("DESERIALFUNC", "a.aggdeserialfn"),
        "coalesce(', INITCOND = ' || quote_literal(a.agginitval), '')",
        _function("MSFUNC", "a.aggmtransfn"),
        _function("MINVFUNC", "a.aggminvtransfn"),
        "CASE WHEN a.aggmtranstype <> 0 THEN ', MSTYPE = ' || format_type(a.aggmtranstype, NULL) ELSE '' END",
        _function("MFINALFUNC", "a.aggmfinalfn"),
        "coalesce(', MINITCOND = ' || quote_literal(a.aggminitval), '')",
        "CASE p.proparallel WHEN 's' THEN ', PARALLEL = SAFE' WHEN 'r' THEN ', PARALLEL = RESTRICTED' ELSE '' END",
        "CASE WHEN a.aggkind = 'h' THEN ', HYPOTHETICAL' ELSE '' END || ')'",
    ]
)

_ROUTINE_TEXTS = {
    "function": """
        SELECT p.oid::text, CASE WHEN starts_with(d.definition, d.head)
            THEN substr(d.definition, length(d.head)) ELSE d.definition END
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        CROSS JOIN LATERAL (SELECT pg_get_functiondef(p.oid) AS definition, format('CREATE OR REPLACE %%s %%I.%%I(',
            CASE WHEN p.prokind = 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, n.nspname, p.proname) AS head) d
        WHERE p.oid = ANY(%s) AND p.prokind <> 'a'""",
    "aggregate": f"SELECT p.oid::text, {_AGGREGATE} FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid"
    " WHERE p.oid = ANY(%s)",
    "arguments": "SELECT oid::text, pg_get_function_identity_arguments(oid) FROM pg_proc WHERE oid = ANY(%s)",
}

_OF_COLLATION = """CASE WHEN cn.nspname = current_schema() AND cn.nspname <> 'pg_catalog' THEN ''
    ELSE quote_ident(cn.nspname) || '.' END"""
_COLLATED = f"coalesce(' COLLATE ' || {_OF_COLLATION} || quote_ident(c.collname), '')"

_TYPE_TEXTS = {
    "domain": f"""
        SELECT t.oid::text, 'AS ' || format_type(t.typbasetype, t.typtypmod)
            || {_COLLATED}
            || coalesce(' DEFAULT ' || pg_get_expr(t.typdefaultbin, 0), '')
            || CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END
            || coalesce((SELECT string_agg(' CONSTRAINT ' || quote_ident(k.conname) || ' '
                || pg_get_constraintdef(k.oid), '' ORDER BY k.conname)
                FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'), '')
        FROM pg_type t JOIN pg_type b ON b.oid = t.typbasetype
        LEFT JOIN pg_collation c ON c.oid = t.typcollation AND t.typcollation <> b.typcollation
        LEFT JOIN pg_namespace cn ON cn.oid = c.collnamespace
        WHERE t.oid = ANY(%s) AND t.typtype = 'd'""",
    "composite": f"""
        SELECT t.oid::text, 'AS (' || coalesce(string_agg(quote_ident(a.attname) || ' '
            || format_type(a.atttypid, a.atttypmod)
            || {_COLLATED},
            ', ' ORDER BY a.attnum), '') || ')'
        FROM pg_type t LEFT JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_type b ON b.oid = a.atttypid
        LEFT JOIN pg_collation c ON c.oid = a.attcollation AND a.attcollation <> b.typcollation
        LEFT JOIN pg_namespace cn ON cn.oid = c.collnamespace
        WHERE t.oid = ANY(%s) AND t.typtype = 'c' GROUP BY t.oid""",
    "enum": """
        SELECT t.oid::text, 'AS ENUM (' || coalesce((SELECT string_agg(quote_literal(e.enumlabel), ', '
            ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid), '') || ')'
        FROM pg_type t WHERE t.oid = ANY(%s) AND t.typtype = 'e'""",
    "range": f"""
        SELECT t.oid::text, 'AS RANGE (SUBTYPE = ' || format_type(r.rngsubtype, NULL)
            || ', SUBTYPE_OPCLASS = ' || quote_ident(os.nspname) || '.' || quote_ident(o.opcname)
            || coalesce(', COLLATION = ' || {_OF_COLLATION} || quote_ident(c.collname), '')
            || CASE WHEN r.rngcanonical <> 0 THEN ', CANONICAL = ' || {_FUNCTION.format("r.rngcanonical")} ELSE '' END
            || CASE WHEN r.rngsubdiff <> 0 THEN ', SUBTYPE_DIFF = ' || {_FUNCTION.format("r.rngsubdiff")} ELSE '' END
            || ', MULTIRANGE_TYPE_NAME = ' || CASE WHEN mn.nspname = current_schema() THEN ''
                ELSE quote_ident(mn.nspname) || '.' END || quote_ident(m.typname) || ')'
        FROM pg_type t JOIN pg_range r ON r.rngtypid = t.oid JOIN pg_opclass o ON o.oid = r.rngsubopc
        JOIN pg_namespace os ON os.oid = o.opcnamespace JOIN pg_type m ON m.oid = r.rngmultitypid
        JOIN pg_namespace mn ON mn.oid = m.typnamespace
        LEFT JOIN pg_collation c ON c.oid = r.rngcollation LEFT JOIN pg_namespace cn ON cn.oid = c.collnamespace
        WHERE t.oid = ANY(%s) AND t.typtype = 'r'""",
}

_ROUTINES = """
SELECT p.oid, n.nspname, p.proname, p.prokind, p.prosecdef, obj_description(p.oid, 'pg_proc'),
    NOT l.lanpltrusted AND p.prokind <> 'a', l.lanname
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
WHERE n.nspname = ANY(%s) AND NOT EXISTS (
    SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype IN ('e', 'i'))
ORDER BY p.oid
"""

_TYPES = """
SELECT t.oid, n.nspname, t.typname, t.typtype, obj_description(t.oid, 'pg_type'),
    ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder)
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE n.nspname = ANY(%s) AND t.typelem = 0 AND (t.typtype IN ('e', 'd', 'r', 'b') OR c.relkind = 'c') AND NOT EXISTS (
    SELECT FROM pg_depend e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid AND e.deptype = 'e')
ORDER BY t.oid
"""

# What a collation is called in the catalogue differs from version to version. Its version is the target's own.
_COLLATIONS = """
SELECT c.oid, n.nspname, c.collname, obj_description(c.oid, 'pg_collation'),
    '(PROVIDER = ' || CASE c.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END
    || CASE WHEN c.collprovider = 'c'
        THEN ', LC_COLLATE = ' || quote_literal(c.collcollate) || ', LC_CTYPE = ' || quote_literal(c.collctype)
        ELSE ', LOCALE = ' || quote_literal(coalesce(j ->> 'colllocale', j ->> 'colliculocale')) END
    || coalesce(', RULES = ' || quote_literal(j ->> 'collicurules'), '')
    || CASE WHEN c.collisdeterministic THEN '' ELSE ', DETERMINISTIC = false' END || ')'
FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace CROSS JOIN LATERAL to_jsonb(c) j
WHERE n.nspname = ANY(%s) AND c.collencoding IN (
        -1, (SELECT encoding FROM pg_database WHERE datname = current_database()))
    AND NOT EXISTS (
        SELECT FROM pg_depend e WHERE e.classid = 'pg_collation'::regclass AND e.objid = c.oid AND e.deptype = 'e')
ORDER BY c.oid
"""

# Who needs whom, by ids of relations, routines and types; an array counts as its element, a row type as its relation.
_NEEDS = """
WITH edges AS (
    SELECT CASE WHEN d.classid = 'pg_rewrite'::regclass THEN r.ev_class
                WHEN d.classid = 'pg_constraint'::regclass THEN k.contypid
                WHEN d.classid = 'pg_class'::regclass THEN c.reltype ELSE d.objid END AS who,
        d.refclassid, d.refobjid
    FROM pg_depend d
    LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
    LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relkind = 'c'
    WHERE d.deptype IN ('n', 'a') AND d.refclassid IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_type'::regclass)
        AND d.classid IN ('pg_rewrite'::regclass, 'pg_constraint'::regclass, 'pg_class'::regclass, 'pg_proc'::regclass,
            'pg_type'::regclass)
)
SELECT DISTINCT e.who, CASE WHEN e.refclassid <> 'pg_type'::regclass THEN e.refobjid
    WHEN rc.relkind <> 'c' THEN rc.oid ELSE coalesce(el.oid, ty.oid) END
FROM edges e
LEFT JOIN pg_type ty ON e.refclassid = 'pg_type'::regclass AND ty.oid = e.refobjid
LEFT JOIN pg_type el ON el.oid = ty.typelem AND ty.typcategory = 'A'
LEFT JOIN pg_class rc ON rc.oid = coalesce(nullif(el.typrelid, 0), nullif(ty.typrelid, 0))
WHERE e.who = ANY(%s)
"""


def routines(
    session: PgSession, deparser: Deparser, only: Sequence[int] | None = None
) -> tuple[tuple[Routine, ...], tuple[str, ...]]:
    """Return the routines of the schemas (or some), and those that cannot be carried, in words."""
    rows = session.query(_ROUTINES, [list(deparser.home)])
    rows = [row for row in rows if only is None or row[0] in only]
    left_out = tuple(f"function {row[1]}.{row[2]}: language {row[7]} needs a superuser" for row in rows if row[6])
    rows = [row for row in rows if not row[6]]
    texts = deparser.texts(_ROUTINE_TEXTS, [row[0] for row in rows])
    found = []
    for oid, schema, name, kind, definer, comment, _, _ in rows:
        definition = texts["aggregate" if kind == "a" else "function"][str(oid)]
        if not str(definition.pieces[0]).startswith("("):
            raise KitchenError(f"cannot read the definition of function {schema}.{name}")
        arguments = texts["arguments"][str(oid)]
        found.append(Routine(oid, TableName(schema, name), kind, arguments, definition, definer, False, comment))
    return tuple(found), left_out


def types(session: PgSession, deparser: Deparser) -> tuple[tuple[UserType, ...], tuple[str, ...]]:
    """Return the collations and types of the schemas, and those that cannot be carried, in words."""
    rows = session.query(_TYPES, [list(deparser.home)])
    left_out = tuple(f"type {row[1]}.{row[2]}: a base type needs a superuser" for row in rows if row[3] == "b")
    rows = [row for row in rows if row[3] != "b"]
    texts = deparser.texts(_TYPE_TEXTS, [row[0] for row in rows])
    of_kind = {"d": "domain", "c": "composite", "e": "enum", "r": "range"}
    found = [
        UserType(oid, TableName(schema, name), "l", plain(definition), (), comment)
        for oid, schema, name, comment, definition in session.query(_COLLATIONS, [list(deparser.home)])
    ]
    found += [
        UserType(oid, TableName(schema, name), kind, texts[of_kind[kind]][str(oid)], tuple(labels), comment)
        for oid, schema, name, kind, comment, labels in rows
    ]
    return tuple(found), left_out


def needs(session: PgSession, oids: Sequence[int]) -> Mapping[int, tuple[int, ...]]:
    """Return, for each view, routine and type among oids, the ids of what must be there before it."""
    found: dict[int, set[int]] = {}
    for who, whom in session.query(_NEEDS, [list(oids)]):
        if whom is not None and who != whom:
            found.setdefault(who, set()).add(whom)
    return {who: tuple(sorted(whom)) for who, whom in found.items()}
