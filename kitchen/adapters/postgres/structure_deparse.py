"""Asks the server for definitions under different search paths and turns the prints into references."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from kitchen.adapters.postgres.connection import PgSession
from kitchen.adapters.postgres.structure_text import Sort, Text, quote, understood
from kitchen.domain.layout import TableName
from kitchen.errors import NotFound, NotPermitted

# Every name that a definition can qualify with one of the schemas. An extension's objects are known, never copied.
_KNOWN = """
WITH members (classid, objid, extension) AS (
    SELECT d.classid, d.objid, x.extname FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid
    WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
), names (classid, objid, schema, name, sort) AS (
    SELECT 'pg_class'::regclass::oid, oid, relnamespace, relname,
        CASE WHEN relkind = 'c' THEN 'type' ELSE 'relation' END
    FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')
    UNION ALL SELECT 'pg_type'::regclass, oid, typnamespace, typname, 'type'
    FROM pg_type WHERE typtype IN ('b', 'd', 'e', 'r', 'm') AND typelem = 0
    UNION ALL SELECT 'pg_proc'::regclass, oid, pronamespace, proname, 'routine' FROM pg_proc
    UNION ALL SELECT 'pg_collation'::regclass, oid, collnamespace, collname, 'collation' FROM pg_collation
    UNION ALL SELECT 'pg_operator'::regclass, oid, oprnamespace, oprname, 'other' FROM pg_operator
    UNION ALL SELECT 'pg_opclass'::regclass, oid, opcnamespace, opcname, 'other' FROM pg_opclass
)
SELECT DISTINCT s.nspname, n.name, n.sort, m.extension
FROM names n JOIN pg_namespace s ON s.oid = n.schema
LEFT JOIN members m ON m.classid = n.classid AND m.objid = n.objid WHERE s.nspname = ANY(%s)
"""

_CASTS = {
    "regclass": Sort.RELATION, "regproc": Sort.ROUTINE, "regprocedure": Sort.ROUTINE, "regcollation": Sort.COLLATION,
}  # fmt: skip


class Deparser:
    """Prints definitions of objects in some schemas of one database."""

    def __init__(self, session: PgSession, schemas: Sequence[str], also: Sequence[str] = ()) -> None:
        """Raise NotFound or NotPermitted where a schema is not there or may not be looked into.

        ``also`` are schemas that definitions may name, but whose own objects are not asked for.
        """
        self._session = session
        self.home = tuple(dict.fromkeys(schemas))
        self.schemas = tuple(dict.fromkeys([*schemas, *also]))
        self._check()
        self._known: dict[TableName, set[Sort]] = {}
        self.members: dict[TableName, str] = {}  # objects of extensions
        for schema, name, sort, extension in session.query(_KNOWN, [list(self.schemas)]):
            if extension is not None:
                self.members[TableName(schema, name)] = extension
            known = Sort.EXTENSION if extension is not None else Sort(sort)
            self._known.setdefault(TableName(schema, name), set()).add(known)

    def texts(self, queries: Mapping[str, str], oids: Sequence[int]) -> dict[str, dict[str, Text]]:
        """Return definitions by the name of their query and their key; a query takes oids and gives (key, text)."""
        with self._path_restored():
            full = self._prints((), {name: (query, None) for name, query in queries.items()}, oids)
            short = {}
            for schema in self.schemas:
                named = {
                    name: [key for key, text in prints.items() if _may_name(text, schema)]
                    for name, prints in full.items()
                }
                wanted = {name: (queries[name], keys) for name, keys in named.items() if keys}
                short[schema] = self._prints((schema,), wanted, oids) if wanted else {}
        return {
            name: {
                key: understood(text, {schema: prints[name][key] for schema, prints in short.items()
                                       if key in prints.get(name, ())}, self._sort)
                for key, text in prints_of.items()
            }
            for name, prints_of in full.items()
        }  # fmt: skip

    def _prints(
        self, path: Sequence[str], queries: Mapping[str, tuple[str, list[str] | None]], oids: Sequence[int]
    ) -> dict[str, dict[str, str]]:
        """Return prints by query and key, all in one round trip: the path is set in the same message."""
        parts: list[str] = []
        parameters: list[object] = [", ".join([*map(quote, path), "pg_catalog", "pg_temp"])]
        for name, (query, keys) in queries.items():
            parts.append(f"SELECT %s, key, text FROM ({query}) AS printed (key, text)")
            parameters += [name, list(oids)]
            if keys is not None:
                parts[-1] += " WHERE key = ANY(%s)"
                parameters.append(keys)
        statement = "SELECT set_config('search_path', %s, false); " + " UNION ALL ".join(parts)
        found: dict[str, dict[str, str]] = {name: {} for name in queries}
        for name, key, text in self._session.query(statement, parameters):
            if text is not None:
                found[name][key] = text
        return found

    def _sort(self, name: TableName, before: str, after: str) -> Sort:
        sorts = self._known.get(name, {Sort.OTHER})
        foreign = Sort.EXTENSION if Sort.EXTENSION in sorts else Sort.OTHER
        if before == "COLLATE":
            return Sort.COLLATION if Sort.COLLATION in sorts else foreign
        if after in _CASTS:
            return _CASTS[after] if _CASTS[after] in sorts else foreign
        if after.startswith("reg") and after != "regtype":
            return foreign
        if after == "(" and Sort.ROUTINE in sorts and before.upper() not in ("REFERENCES", "INTO"):
            return Sort.ROUTINE
        return next((sort for sort in _BY_NAME if sort in sorts), foreign)

    @contextmanager
    def _path_restored(self) -> Iterator[None]:
        before = self._session.query("SELECT current_setting('search_path')")[0][0]
        try:
            yield
        finally:
            if not self._session.connection.closed and self._session.connection.info.transaction_status != _FAILED:
                self._session.query("SELECT set_config('search_path', %s, false)", [before])

    def _check(self) -> None:
        found: dict[str, bool] = dict(
            self._session.query(
                "SELECT nspname, has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = ANY(%s)",
                [list(self.schemas)],
            )
        )
        for schema in self.schemas:
            if schema not in found:
                raise NotFound(f"there is no schema {schema!r} on this server")
            if not found[schema]:  # it would silently drop out of the search path, and names in it be misread
                raise NotPermitted(f"the schema {schema!r} may not be read with these credentials")


_BY_NAME = (Sort.RELATION, Sort.TYPE, Sort.ROUTINE, Sort.COLLATION)
_FAILED = 3  # libpq's PQTRANS_INERROR: nothing can be set, and the rollback brings the old path back


def _may_name(text: str, schema: str) -> bool:
    return f"{schema}." in text or f"{quote(schema)}." in text or f'{schema}".' in text
