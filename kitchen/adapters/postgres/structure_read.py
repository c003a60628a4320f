"""Reads tables and what belongs to them from the catalogue, in a number of queries that does not depend on theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kitchen.adapters.postgres.connection import PgSession
from kitchen.adapters.postgres.structure_deparse import Deparser
from kitchen.adapters.postgres.structure_model import (
    Column,
    Constraint,
    Index,
    Policy,
    Statistics,
    Table,
    Trigger,
    View,
)
from kitchen.adapters.postgres.structure_model import Sequence as SequenceOf
from kitchen.adapters.postgres.structure_text import Reference, Sort, Text, quote
from kitchen.domain.layout import TableName
from kitchen.errors import KitchenError

Texts = Mapping[str, Mapping[str, Text]]

DEFINITIONS = {
    "column type": "SELECT attrelid || '.' || attnum, format_type(atttypid, atttypmod) FROM pg_attribute"
    " WHERE attrelid = ANY(%s) AND attnum > 0 AND NOT attisdropped",
    "default": "SELECT adrelid || '.' || adnum, pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = ANY(%s)",
    "partition key": "SELECT oid::text, pg_get_partkeydef(oid) FROM pg_class WHERE oid = ANY(%s) AND relkind = 'p'",
    "bound": "SELECT oid::text, pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = ANY(%s) AND relispartition",
    "of type": "SELECT oid::text, format_type(reloftype, NULL) FROM pg_class WHERE oid = ANY(%s) AND reloftype <> 0",
    "constraint": "SELECT oid::text, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = ANY(%s)",
    "index": """
        SELECT i.indexrelid::text, CASE WHEN starts_with(d.definition, d.head)
            THEN substr(d.definition, length(d.head) + 1) ELSE d.definition END
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
        JOIN pg_namespace n ON n.oid = t.relnamespace
        CROSS JOIN LATERAL (SELECT pg_get_indexdef(c.oid) AS definition, format('CREATE %%sINDEX %%I ON %%s%%I.%%I ',
            CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, c.relname,
            CASE WHEN c.relkind = 'I' THEN 'ONLY ' ELSE '' END, n.nspname, t.relname) AS head) d
        WHERE i.indrelid = ANY(%s)""",
    "statistics": "SELECT oid::text, pg_get_statisticsobjdef_columns(oid) FROM pg_statistic_ext"
    " WHERE stxrelid = ANY(%s)",
    "trigger": "SELECT oid::text, pg_get_triggerdef(oid, true) FROM pg_trigger"
    " WHERE tgrelid = ANY(%s) AND NOT tgisinternal AND tgparentid = 0",
    "using": "SELECT oid::text, pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polrelid = ANY(%s)",
    "check": "SELECT oid::text, pg_get_expr(polwithcheck, polrelid) FROM pg_policy WHERE polrelid = ANY(%s)",
    "view": "SELECT oid::text, pg_get_viewdef(oid) FROM pg_class WHERE oid = ANY(%s) AND relkind IN ('v', 'm')",
}

_COLUMNS = """
SELECT a.attrelid, a.attnum, a.attname, a.attnotnull, coalesce(k.connoinherit, false), k.conname,
    a.attgenerated, a.attidentity, a.attislocal,
    CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage END, nullif(a.attcompression, ''),
    nullif(coalesce(a.attstattarget, -1), -1), coalesce(a.attoptions, '{}'), col_description(a.attrelid, a.attnum),
    n.nspname, o.collname, coalesce(k.convalidated, true)
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_constraint k ON k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum]
LEFT JOIN pg_collation o ON o.oid = a.attcollation AND a.attcollation <> t.typcollation
LEFT JOIN pg_namespace n ON n.oid = o.collnamespace
WHERE a.attrelid = ANY(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum
"""

_RELATIONS = """
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence,
    coalesce(c.reloptions, '{}') || ARRAY(SELECT 'toast.' || o FROM unnest(t.reloptions) o),
    nullif(m.amname, 'heap'), c.relreplident, c.relrowsecurity, c.relforcerowsecurity,
    obj_description(c.oid, 'pg_class'), c.reltuples::bigint, c.relispopulated,
    ARRAY(SELECT i.inhparent::bigint FROM pg_inherits i WHERE i.inhrelid = c.oid ORDER BY i.inhseqno)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class t ON t.oid = c.reltoastrelid LEFT JOIN pg_am m ON m.oid = c.relam
WHERE c.oid = ANY(%s) AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY c.oid
"""

_INDEXES = """
SELECT i.indexrelid, c.relname, i.indrelid, i.indisunique, c.relkind = 'I', h.inhparent, k.oid, i.indisclustered,
    i.indisreplident, i.indisvalid, obj_description(c.oid, 'pg_class'),
    ARRAY(SELECT a.attnum || ':' || a.attstattarget FROM pg_attribute a
          WHERE a.attrelid = c.oid AND a.attstattarget >= 0 ORDER BY a.attnum), coalesce(c.reloptions, '{}')
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
LEFT JOIN pg_inherits h ON h.inhrelid = c.oid
LEFT JOIN pg_constraint k ON k.conindid = c.oid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
WHERE i.indrelid = ANY(%s) ORDER BY i.indexrelid
"""

_CONSTRAINTS = """
SELECT oid, conname, conrelid, contype, conislocal, nullif(conparentid, 0), nullif(confrelid, 0), convalidated,
    obj_description(oid, 'pg_constraint')
FROM pg_constraint WHERE conrelid = ANY(%s) AND contype IN ('c', 'f', 'p', 'u', 'x') ORDER BY oid
"""

_OPERATOR_CLASSES = """
SELECT DISTINCT x.extname, n.nspname FROM pg_index i
JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
    AND d.refclassid = 'pg_opclass'::regclass
JOIN pg_depend e ON e.classid = d.refclassid AND e.objid = d.refobjid AND e.deptype = 'e'
JOIN pg_extension x ON e.refclassid = 'pg_extension'::regclass AND x.oid = e.refobjid
JOIN pg_namespace n ON n.oid = x.extnamespace
WHERE i.indrelid = ANY(%s)
"""

_STATISTICS = """
SELECT s.oid, n.nspname, s.stxname, s.stxrelid, s.stxkind::text[], nullif(coalesce(s.stxstattarget, -1), -1),
    obj_description(s.oid, 'pg_statistic_ext')
FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE s.stxrelid = ANY(%s) ORDER BY s.oid
"""

_TRIGGERS = """
SELECT tgrelid, oid::text, tgname, tgenabled, obj_description(oid, 'pg_trigger') FROM pg_trigger
WHERE tgrelid = ANY(%s) AND NOT tgisinternal AND tgparentid = 0 ORDER BY oid
"""

_OTHERWISE_ENABLED = """
SELECT t.tgrelid, t.tgname, t.tgenabled FROM pg_trigger t JOIN pg_trigger above ON above.oid = t.tgparentid
WHERE t.tgrelid = ANY(%s) AND NOT t.tgisinternal AND t.tgenabled <> above.tgenabled ORDER BY t.oid
"""

_POLICIES = """
SELECT polrelid, oid::text, polname, polpermissive, polcmd,
    ARRAY(SELECT CASE WHEN r = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r)) END FROM unnest(polroles) r),
    obj_description(oid, 'pg_policy')
FROM pg_policy WHERE polrelid = ANY(%s) ORDER BY oid
"""

_SEQUENCES = """
SELECT c.oid, n.nspname, c.relname, format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax,
    s.seqcache, s.seqcycle, c.relpersistence, d.refobjid, d.refobjsubid, coalesce(d.deptype = 'i', false),
    obj_description(c.oid, 'pg_class')
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
    AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
WHERE c.oid = ANY(%s) ORDER BY c.oid
"""

_STORAGES = {"p": "PLAIN", "e": "EXTERNAL", "m": "MAIN", "x": "EXTENDED"}
_COMPRESSIONS = {"p": "pglz", "l": "lz4"}
_SEQUENCE_BATCH = 200


def relations(
    session: PgSession, deparser: Deparser, oids: Sequence[int]
) -> tuple[tuple[Table, ...], tuple[View, ...]]:
    """Return the tables and views among oids."""
    texts = deparser.texts(DEFINITIONS, oids)
    columns = _columns(session, oids, deparser, texts)
    triggers = _triggers(session, oids, texts)
    policies = _policies(session, oids, texts)
    enabled: dict[int, list[tuple[str, str]]] = {}
    for oid, trigger, state in session.query(_OTHERWISE_ENABLED, [list(oids)]):
        enabled.setdefault(oid, []).append((trigger, state))
    tables: list[Table] = []
    views: list[View] = []
    for row in session.query(_RELATIONS, [list(oids)]):
        oid, name, own = row[0], TableName(row[1], row[2]), tuple(columns.get(row[0], ()))
        if row[3] in "vm":
            definition = texts["view"][str(oid)]
            views.append(
                View(oid, name, row[3] == "m", definition, own, tuple(row[5]), row[12], row[10],
                     tuple(triggers.get(oid, ())))
            )  # fmt: skip
            continue
        tables.append(
            Table(
                oid, name, row[3], row[4], own, tuple(row[13]), texts["partition key"].get(str(oid)),
                texts["bound"].get(str(oid)), tuple(row[5]), row[6], texts["of type"].get(str(oid)), row[7], row[8],
                row[9], row[10], row[11], tuple(triggers.get(oid, ())), tuple(policies.get(oid, ())),
                tuple(enabled.get(oid, ())),
            )
        )  # fmt: skip
    return tuple(tables), tuple(views)


def indexes(session: PgSession, deparser: Deparser, oids: Sequence[int]) -> tuple[Index, ...]:
    """Return the indexes of the relations among oids, oldest first."""
    tails = deparser.texts({"index": DEFINITIONS["index"]}, oids)["index"]
    for name, tail in ((key, str(text.pieces[0])) for key, text in tails.items()):
        if not tail.startswith("USING "):
            raise KitchenError(f"cannot read the definition of index {name}: {tail}")
    return tuple(
        Index(
            oid=row[0], name=row[1], table=row[2], tail=tails[str(row[0])], unique=row[3], partitioned=row[4],
            parent=row[5], constraint=row[6], clustered=row[7], replica_identity=row[8], valid=row[9],
            options=tuple(row[12]), statistics=tuple(_pair(target) for target in row[11]), comment=row[10],
        )
        for row in session.query(_INDEXES, [list(oids)])
    )  # fmt: skip


def constraints(session: PgSession, deparser: Deparser, oids: Sequence[int]) -> tuple[Constraint, ...]:
    """Return the constraints of the tables among oids, oldest first."""
    texts = deparser.texts({"constraint": DEFINITIONS["constraint"]}, oids)["constraint"]
    return tuple(
        Constraint(row[0], row[1], row[2], row[3], texts[str(row[0])], *row[4:])
        for row in session.query(_CONSTRAINTS, [list(oids)])
    )


def extensions(session: PgSession, oids: Sequence[int]) -> dict[str, str]:
    """Return the extensions on which indexes of the relations among oids stand, with their schemas.

    Of a default operator class, such as an integer's in a GiST index, the definition says nothing.
    """
    return dict(session.query(_OPERATOR_CLASSES, [list(oids)]))


def statistics(session: PgSession, deparser: Deparser, oids: Sequence[int]) -> tuple[Statistics, ...]:
    """Return the extended statistics of the tables among oids."""
    texts = deparser.texts({"statistics": DEFINITIONS["statistics"]}, oids)["statistics"]
    return tuple(
        Statistics(row[0], TableName(row[1], row[2]), row[3], tuple(row[4]), texts[str(row[0])], row[5], row[6])
        for row in session.query(_STATISTICS, [list(oids)])
    )


def sequences(session: PgSession, oids: Sequence[int]) -> tuple[SequenceOf, ...]:
    """Return the sequences among oids, with where they stand."""
    rows = session.query(_SEQUENCES, [list(oids)])
    values: dict[int, tuple[int, bool]] = {}
    for start in range(0, len(rows), _SEQUENCE_BATCH):
        parts = [
            f"SELECT {int(row[0])}, last_value, is_called FROM {quote(row[1])}.{quote(row[2])}"
            for row in rows[start : start + _SEQUENCE_BATCH]
        ]
        values |= {oid: (last, called) for oid, last, called in session.query(" UNION ALL ".join(parts))}
    return tuple(
        SequenceOf(
            oid=row[0], name=TableName(row[1], row[2]), type=row[3], start=row[4], increment=row[5], minimum=row[6],
            maximum=row[7], cache=row[8], cycle=row[9], persistence=row[10],
            owner=(row[11], row[12]) if row[11] else None, is_identity=row[13], comment=row[14],
            last_value=values[row[0]][0], is_called=values[row[0]][1],
        )
        for row in rows
    )  # fmt: skip


def _columns(session: PgSession, oids: Sequence[int], deparser: Deparser, texts: Texts) -> dict[int, list[Column]]:
    columns: dict[int, list[Column]] = {}
    for row in session.query(_COLUMNS, [list(oids)]):
        key = f"{row[0]}.{row[1]}"
        columns.setdefault(row[0], []).append(
            Column(
                number=row[1], name=row[2], type=texts["column type"][key],
                collation=_collation(deparser, row[14], row[15]), not_null=row[3],
                not_null_name=row[5], not_null_valid=row[16],
                not_inherited=row[4], default=texts["default"].get(key),
                generated=row[6], identity=row[7], is_local=row[8], storage=_STORAGES.get(row[9]),
                compression=_COMPRESSIONS.get(row[10]), statistics=row[11], options=tuple(row[12]), comment=row[13],
            )
        )  # fmt: skip
    return columns


def _collation(deparser: Deparser, schema: str | None, name: str | None) -> Text | None:
    if schema is None or name is None:
        return None
    if schema in deparser.schemas:
        of_extension = TableName(schema, name) in deparser.members
        return Text((Reference(TableName(schema, name), Sort.EXTENSION if of_extension else Sort.COLLATION),))
    return Text((f"{quote(schema)}.{quote(name)}",))


def _triggers(session: PgSession, oids: Sequence[int], texts: Texts) -> dict[int, list[Trigger]]:
    found: dict[int, list[Trigger]] = {}
    for table, oid, name, enabled, comment in session.query(_TRIGGERS, [list(oids)]):
        found.setdefault(table, []).append(Trigger(name, texts["trigger"][oid], enabled, comment))
    return found


def _policies(session: PgSession, oids: Sequence[int], texts: Texts) -> dict[int, list[Policy]]:
    found: dict[int, list[Policy]] = {}
    for table, oid, name, permissive, command, roles, comment in session.query(_POLICIES, [list(oids)]):
        policy = Policy(
            name, permissive, command, tuple(roles), texts["using"].get(oid), texts["check"].get(oid), comment
        )
        found.setdefault(table, []).append(policy)
    return found


def _pair(target: Any) -> tuple[int, int]:
    number, value = str(target).split(":")
    return int(number), int(value)
