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
SELECT n.nspname, c.relname, CASE WHEN c.relkind = 'c' THEN 'type' ELSE 'relation' END, e.objid IS NOT NULL
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_depend e ON e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e'
WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')
UNION ALL
SELECT n.nspname, t.typname, 'type', e.objid IS NOT NULL
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_depend e ON e.classid = 'pg_type'::regclass AND e.objid = t.oid AND e.deptype = 'e'
WHERE n.nspname = ANY(%s) AND t.typtype IN ('b', 'd', 'e', 'r', 'm') AND t.typelem = 0
UNION ALL
SELECT n.nspname, p.proname, 'routine', e.objid IS NOT NULL
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
LEFT JOIN pg_depend e ON e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e'
WHERE n.nspname = ANY(%s)
"""

_CASTS = {"regclass": Sort.RELATION, "regproc": Sort.ROUTINE, "regprocedure": Sort.ROUTINE}


class Deparser:
    """Prints definitions of objects in some schemas of one database."""

    def __init__(self, session: PgSession, schemas: Sequence[str]) -> None:
        """Raise NotFound or NotPermitted where a schema is not there or may not be looked into."""
        self._session = session
        self.schemas = tuple(dict.fromkeys(schemas))
        self._check()
        self._known: dict[TableName, set[Sort]] = {}
        for schema, name, sort, foreign in session.query(_KNOWN, [list(self.schemas)] * 3):
            self._known.setdefault(TableName(schema, name), set()).add(Sort.OTHER if foreign else Sort(sort))

    def texts(self, queries: Mapping[str, str], oids: Sequence[int]) -> dict[str, dict[str, Text]]:
        """Return definitions by the name of their query and their key; a query takes oids and gives (key, text)."""
        with self._path():
            full = {name: self._prints(query, [list(oids)]) for name, query in queries.items()}
        short: dict[str, dict[str, dict[str, str]]] = {name: {} for name in queries}
        for schema in self.schemas:
            with self._path(schema):
                for name, query in queries.items():
                    wanted = [key for key, text in full[name].items() if _may_name(text, schema)]
                    if wanted:
                        narrowed = f"SELECT key, text FROM ({query}) AS printed (key, text) WHERE key = ANY(%s)"
                        for key, text in self._prints(narrowed, [list(oids), wanted]).items():
                            short[name].setdefault(key, {})[schema] = text
        return {
            name: {key: understood(text, short[name].get(key, {}), self._sort) for key, text in prints.items()}
            for name, prints in full.items()
        }

    def _prints(self, query: str, parameters: Sequence[object]) -> dict[str, str]:
        return {str(key): text for key, text in self._session.query(query, parameters) if text is not None}

    def _sort(self, name: TableName, before: str, after: str) -> Sort:
        sorts = self._known.get(name, {Sort.OTHER})
        if after in _CASTS:
            return _CASTS[after] if _CASTS[after] in sorts else Sort.OTHER
        if after.startswith("reg") and after != "regtype":
            return Sort.OTHER
        if after == "(" and Sort.ROUTINE in sorts and before.upper() not in ("REFERENCES", "INTO"):
            return Sort.ROUTINE
        return next((sort for sort in (Sort.RELATION, Sort.TYPE, Sort.ROUTINE) if sort in sorts), Sort.OTHER)

    @contextmanager
    def _path(self, *schemas: str) -> Iterator[None]:
        path = ", ".join([*map(quote, schemas), "pg_catalog", "pg_temp"])
        before = self._session.query("SELECT current_setting('search_path')")[0][0]
        self._session.query("SELECT set_config('search_path', %s, false)", [path])
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


_FAILED = 3  # libpq's PQTRANS_INERROR: nothing can be set, and the rollback brings the old path back


def _may_name(text: str, schema: str) -> bool:
    return f"{schema}." in text or f"{quote(schema)}." in text or f'{schema}".' in text
