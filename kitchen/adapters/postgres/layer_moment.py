"""One moment of what a kitchen reads through: the tables of the layers below it, as if they were one source."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from kitchen.adapters.postgres.connection import PgSession
from kitchen.adapters.postgres.source import PgSnapshot, open_reader, read_catalogue
from kitchen.domain.catalogue import Catalogue, ForeignKey, SourceTable
from kitchen.domain.connection import Credentials
from kitchen.domain.layout import Layer, TableName


@contextmanager
def below(credentials: Credentials, layer: Layer) -> Iterator[PgLayerMoment]:
    """Hold one moment of the layers below a kitchen for the block, with that kitchen's own rights."""
    keeper = open_reader(credentials)
    try:
        yield PgLayerMoment(keeper, credentials, layer)
    finally:
        keeper.close()


class PgLayerMoment(PgSnapshot):
    """A snapshot whose catalogue names tables as people do, and says where each is."""

    def __init__(self, keeper: PgSession, credentials: Credentials, layer: Layer) -> None:
        super().__init__(keeper, credentials, layer.layout.logical, {})
        self._layer = layer

    def catalogue(self) -> Catalogue:
        """Return the nearest table of each name below the kitchen, with the keys that any layer has between two."""
        logical = {
            schema: name for name in self._layer.layout.logical for schema in self._layer.schemas_of(name)[1:]
        }  # fmt: skip
        depth = {schema: number for number, schema in enumerate(logical)}
        with self.reader() as session:
            rows = session.query("SELECT nspname FROM pg_namespace WHERE nspname = ANY(%s)", [list(logical)])
            found = read_catalogue(session, [row[0] for row in rows])
        tables: dict[TableName, SourceTable] = {}
        for table in sorted(found.tables, key=lambda table: depth[table.physical.schema]):
            name = TableName(logical[table.physical.schema], table.physical.name)
            tables.setdefault(name, replace(table, name=name))

        def named(table: TableName) -> TableName:
            return TableName(logical.get(table.schema, table.schema), table.name)

        keys = [replace(key, table=named(key.table), to=named(key.to)) for key in found.foreign_keys]
        kept = [key for key in keys if _holds(key, tables)]
        return Catalogue(tuple(tables.values()), tuple(dict.fromkeys(kept)), found.left_out)


def _holds(key: ForeignKey, tables: dict[TableName, SourceTable]) -> bool:
    """Say whether a key of some layer can hold between the nearest tables: they have its columns, of one type each."""
    child, parent = tables.get(key.table), tables.get(key.to)
    if child is None or parent is None:
        return False
    pairs = [
        (child.column(here), parent.column(there)) for here, there in zip(key.columns, key.to_columns, strict=True)
    ]
    return all(one is not None and other is not None and one.base == other.base for one, other in pairs)
