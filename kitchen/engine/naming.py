"""From the table names that recipes speak to full logical names: ``orders`` or ``marts.orders``."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches

from kitchen.domain.layout import TableName
from kitchen.engine.mentions import Name
from kitchen.errors import InvalidInput

_SYSTEM = ("pg_catalog", "information_schema", "pg_temp", "pg_toast")


class Names:
    """The tables that can be spoken of: those the kitchen sees, and those a recipe makes."""

    def __init__(
        self, schemas: tuple[str, ...], known: Collection[TableName], promised: Collection[TableName] = ()
    ) -> None:
        self.schemas = schemas
        self.known = frozenset(known)
        self._by_name: dict[str, list[str]] = {}
        for table in (*self.known, *promised):
            self._add(table)

    def _add(self, table: TableName) -> None:
        schemas = self._by_name.setdefault(table.name, [])
        if table.schema not in schemas:
            schemas.append(table.schema)

    def make(self, name: Name, *, where: str) -> TableName:
        """Return where a table that a node creates comes to be, and remember that it can be spoken of."""
        made = self.place(name, where=where)
        self._add(made)
        return made

    def place(self, name: Name, *, where: str) -> TableName:
        """Return the full name of a table, or where it would come to be."""
        return self.find(name, where=where) or TableName(name.schema or self.schemas[0], name.name)

    def find(self, name: Name, *, where: str) -> TableName | None:
        """Return the full name, or None where nobody has such a table.

        Raises InvalidInput for a schema that is none of the environment's, and for a name that several schemas have.
        """
        if name.schema is not None and name.schema not in self.schemas:
            raise InvalidInput(
                f"{where}: {name} is in no schema of the environment (it has: {', '.join(self.schemas)})",
                hint="recipes speak production's names; the layer of the kitchen is put in for them",
            )
        schemas = self._by_name.get(name.name, [])
        if name.schema is not None:
            return TableName(name.schema, name.name) if name.schema in schemas else None
        if len(schemas) > 1:
            raise InvalidInput(
                f"{where}: {name.name!r} is in several schemas ({', '.join(sorted(schemas))})",
                hint=f"write {sorted(schemas)[0]}.{name.name}",
            )
        return TableName(schemas[0], name.name) if schemas else None

    def get(self, name: Name, *, where: str, said: str) -> TableName:
        """Return the full name; raises InvalidInput, with what is near, where nobody has the table."""
        found = self.find(name, where=where)
        if found is None:
            raise InvalidInput(
                f"{where}: {said} {str(name)!r}, which no node makes and nothing in the kitchen's layer has"
                + self._near(name)
            )
        return found

    def _near(self, name: Name) -> str:
        spoken: Iterable[str] = self._by_name
        if name.schema is not None:
            spoken = [f"{schema}.{table}" for table, schemas in self._by_name.items() for schema in schemas]
        near = get_close_matches(str(name), list(spoken), n=1)
        return f"; did you mean {near[0]!r}?" if near else ""


def parse_name(text: str) -> Name:
    """Return the name that a recipe file gives: exact, not folded, as YAML has no quoted identifiers."""
    schema, dot, name = text.rpartition(".")
    return Name(schema if dot else None, name)


def is_system(name: Name) -> bool:
    """Say whether a name is the server's own."""
    if name.schema is None:
        return name.name.startswith("pg_")
    return name.schema in _SYSTEM or name.schema.startswith("pg_")
