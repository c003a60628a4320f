"""The whole catalogue of some schemas as plain values, read without any of the code that copies."""

from __future__ import annotations

from collections.abc import Mapping

from kitchen.adapters.postgres.connection import PgSession

Catalogue = dict[tuple[str, ...], tuple[object, ...]]

# Each gives the identity of an object in its first two columns and everything that it is in the others.
_QUERIES = {
    "relation": """
        SELECT n.nspname, c.relname, c.relkind, c.relpersistence, c.reloptions::text,
            (SELECT t.reloptions::text FROM pg_class t WHERE t.oid = c.reltoastrelid), c.relreplident,
            c.relrowsecurity, c.relforcerowsecurity, c.relispopulated, c.relhastriggers, c.relispartition,
            pg_get_expr(c.relpartbound, c.oid), pg_get_partkeydef(c.oid), c.reloftype::regtype::text,
            obj_description(c.oid, 'pg_class'),
            ARRAY(SELECT i.inhparent::regclass::text FROM pg_inherits i WHERE i.inhrelid = c.oid ORDER BY i.inhseqno),
            (SELECT a.amname FROM pg_am a WHERE a.oid = c.relam)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(%s) AND c.relkind NOT IN ('t', 'i', 'I', 'c')""",
    "column": """
        SELECT n.nspname, c.relname || '.' || a.attname,
            row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), format_type(a.atttypid, a.atttypmod),
            a.attnotnull, a.atthasdef, pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated, a.attislocal,
            a.attinhcount, a.attstorage, a.attcompression, a.attcollation::regcollation::text, a.attstattarget,
            a.attoptions::text, col_description(c.oid, a.attnum)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE n.nspname = ANY(%s) AND c.relkind NOT IN ('t', 'i', 'I') AND a.attnum > 0 AND NOT a.attisdropped""",
    "constraint": """
        SELECT n.nspname, c.relname || ' ' || k.conname, k.contype, pg_get_constraintdef(k.oid), k.convalidated,
            k.conislocal, k.coninhcount, k.connoinherit AND k.contype IN ('c', 'n'),  -- of keys it means nothing
            k.condeferrable, k.condeferred, k.conparentid <> 0,
            (SELECT i.relname FROM pg_class i WHERE i.oid = k.conindid), obj_description(k.oid, 'pg_constraint')
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(%s)""",
    "index": """
        SELECT n.nspname, c.relname, pg_get_indexdef(c.oid), i.indisvalid, i.indisclustered, i.indisreplident,
            i.indisprimary, i.indimmediate, obj_description(c.oid, 'pg_class'),
            (SELECT h.inhparent::regclass::text FROM pg_inherits h WHERE h.inhrelid = c.oid),
            ARRAY(SELECT coalesce(a.attstattarget, -1) FROM pg_attribute a WHERE a.attrelid = c.oid ORDER BY a.attnum)
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(%s)""",
    "sequence": """
        SELECT n.nspname, c.relname, s.seqtypid::regtype::text, s.seqstart, s.seqincrement, s.seqmax, s.seqmin,
            s.seqcache, s.seqcycle,
            (SELECT d.deptype::text || d.refobjid::regclass::text || '.' || a.attname FROM pg_depend d
             JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
             WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i'))
        FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(%s)""",
    "trigger": """
        SELECT n.nspname, c.relname || ' ' || t.tgname, pg_get_triggerdef(t.oid), t.tgenabled, t.tgparentid <> 0,
            obj_description(t.oid, 'pg_trigger')
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(%s) AND NOT t.tgisinternal""",
    "policy": """
        SELECT n.nspname, c.relname || ' ' || p.polname, p.polcmd, p.polpermissive, p.polroles::regrole[]::text,
            pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid),
            obj_description(p.oid, 'pg_policy')
        FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(%s)""",
    "rule": """
        SELECT n.nspname, c.relname || ' ' || r.rulename, pg_get_ruledef(r.oid), r.ev_enabled
        FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(%s)""",
    "statistics": """
        SELECT n.nspname, c.relname || ' ' || s.stxname, s.stxkind::text,
            ARRAY(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY(s.stxkeys)),
            pg_get_statisticsobjdef_expressions(s.oid), s.stxstattarget, obj_description(s.oid, 'pg_statistic_ext')
        FROM pg_statistic_ext s JOIN pg_class c ON c.oid = s.stxrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(%s)""",
    "routine": """
        SELECT n.nspname, p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', p.prokind, p.prosrc,
            pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.provolatile, p.proisstrict,
            p.proparallel, p.procost, p.prorows, p.proconfig::text, p.proleakproof,
            (SELECT l.lanname FROM pg_language l WHERE l.oid = p.prolang),
            CASE WHEN p.prokind <> 'a' THEN
                substring(pg_get_functiondef(p.oid) FROM '\n *(?:BEGIN ATOMIC|RETURN ).*') END,
            (SELECT row(a.aggkind, a.aggtransfn::regprocedure, a.aggtranstype::regtype, a.agginitval,
                a.aggcombinefn::regproc, a.aggfinalfn::regproc, a.aggmtransfn::regproc, a.aggmtranstype::regtype,
                a.aggminitval, a.aggfinalmodify)::text FROM pg_aggregate a WHERE a.aggfnoid = p.oid),
            obj_description(p.oid, 'pg_proc')
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = ANY(%s)""",
    "collation": """
        SELECT n.nspname, c.collname, c.collprovider, c.collisdeterministic, c.collcollate, c.collctype,
            coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale'), to_jsonb(c) ->> 'collicurules',
            obj_description(c.oid, 'pg_collation')
        FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace WHERE n.nspname = ANY(%s)""",
    "type": """
        SELECT n.nspname, t.typname, t.typtype, format_type(t.typbasetype, t.typtypmod), t.typnotnull, t.typdefault,
            t.typcollation::regcollation::text,
            ARRAY(SELECT e.enumlabel FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder),
            ARRAY(SELECT k.conname || pg_get_constraintdef(k.oid) FROM pg_constraint k WHERE k.contypid = t.oid
                ORDER BY 1),
            (SELECT row(r.rngsubtype::regtype, r.rngsubdiff::regproc, r.rngmultitypid::regtype)::text
             FROM pg_range r WHERE r.rngtypid = t.oid),
            obj_description(t.oid, 'pg_type')
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
        WHERE n.nspname = ANY(%s) AND t.typelem = 0 AND (t.typtype <> 'c' OR c.relkind = 'c')""",
}

_RELATIONS = """
SELECT n.nspname, c.relname, format('%%I.%%I', n.nspname, c.relname), c.relkind FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p', 'v', 'm') AND c.relispopulated
"""

_SEQUENCES = """
SELECT n.nspname, c.relname, format('%%I.%%I', n.nspname, c.relname) FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY(%s) AND c.relkind = 'S'
"""

# Anything in one of the schemas that stands on anything in one of the others.
_CROSSINGS = """
SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid), pg_describe_object(d.refclassid, d.refobjid, 0)
FROM pg_depend d
CROSS JOIN LATERAL pg_identify_object_as_address(d.classid, d.objid, d.objsubid) who
CROSS JOIN LATERAL pg_identify_object_as_address(d.refclassid, d.refobjid, 0) whom
WHERE split_part(who.object_names[1], '.', 1) = ANY(%s) AND split_part(whom.object_names[1], '.', 1) = ANY(%s)
"""


def catalogue(session: PgSession, schemas: Mapping[str, str]) -> Catalogue:
    """Return every object of the schemas (keys), told under the names that the schemas have as values."""
    found: Catalogue = {}
    session.execute("SET search_path = pg_catalog, pg_temp")
    for kind, query in _QUERIES.items():
        for schema, name, *facts in session.query(query, [list(schemas)]):
            key = (kind, schemas[schema], _renamed(name, schemas))
            assert key not in found, f"{key} is there twice"
            found[key] = tuple(_renamed(fact, schemas) for fact in facts)
    for schema, name, quoted in session.query(_SEQUENCES, [list(schemas)]):
        found["value", schemas[schema], name] = session.query(f"SELECT last_value, is_called FROM {quoted}")[0]
    session.execute("RESET search_path")
    return found


def contents(session: PgSession, schemas: Mapping[str, str]) -> dict[tuple[str, str], tuple[int, str]]:
    """Return the number of rows of every relation, with a digest of them where their values do not depend on a plan."""
    found = {}
    for schema, name, quoted, kind in session.query(_RELATIONS, [list(schemas)]):
        digest = "coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '')"
        digest = "''" if kind == "v" else digest  # string_agg without an order, in Pagila's
        count, digest_of_rows = session.query(f"SELECT count(*), {digest} FROM {quoted} t")[0]
        found[schemas[schema], name] = (count, digest_of_rows)
    return found


def crossings(session: PgSession, schemas: list[str], others: list[str]) -> list[str]:
    """Return, in words, what in the schemas depends on anything in the others."""
    return [f"{one} on {other}" for one, other in session.query(_CROSSINGS, [schemas, others])]


def differences(one: Mapping[tuple[str, ...], object], other: Mapping[tuple[str, ...], object]) -> list[str]:
    """Return what is only in one of two catalogues, and what is not the same in both."""
    said = [f"missing: {key} = {one[key]}" for key in one if key not in other]
    said += [f"too much: {key} = {other[key]}" for key in other if key not in one]
    said += [f"{key}:\n  {one[key]}\n  {other[key]}" for key in one if key in other and one[key] != other[key]]
    return sorted(said)


def same(one: Mapping[tuple[str, ...], object], other: Mapping[tuple[str, ...], object]) -> None:
    """Fail with every difference between two catalogues."""
    found = differences(one, other)
    assert not found, "\n".join(found)


def _renamed(fact: object, schemas: Mapping[str, str]) -> object:
    if isinstance(fact, list):
        return [_renamed(one, schemas) for one in fact]
    if not isinstance(fact, str):
        return fact
    for schema, name in schemas.items():
        fact = fact.replace(schema, name)
    return fact
