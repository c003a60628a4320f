"""Small pieces of SQL that masks are made of; every session that runs them has only pg_catalog on its path."""

from __future__ import annotations

from kitchen.domain.layout import TableName


def quote(name: str) -> str:
    """Return an identifier, quoted."""
    return '"' + name.replace('"', '""') + '"'


def qualified(name: TableName) -> str:
    """Return a schema-qualified name, quoted."""
    return f"{quote(name.schema)}.{quote(name.name)}"


def literal(text: str) -> str:
    """Return a string constant that no server setting reads otherwise."""
    doubled = text.replace("'", "''")
    return "E'" + doubled.replace("\\", "\\\\") + "'" if "\\" in text else f"'{doubled}'"


def number(digest: str, offset: int, size: int = 2) -> str:
    """Return a non-negative number from at most seven bytes of a digest."""
    if size == 1:
        return f"get_byte({digest}, {offset})"
    if size == 2:
        return f"(get_byte({digest}, {offset}) * 256 + get_byte({digest}, {offset + 1}))"
    bits = f"('x' || encode(substr({digest}, {offset + 1}, {size}), 'hex'))::bit({size * 8})"
    return f"({bits}::bigint)"


def digits(value: str, count: int) -> str:
    """Return so many decimal digits of a non-negative number, as text with leading zeros."""
    return f"lpad((({value}) % {10**count})::text, {count}, '0')"


def hexadecimal(digest: str, offset: int, characters: int) -> str:
    """Return so many hexadecimal digits of a digest."""
    bytes_ = f"encode(substr({digest}, {offset + 1}, {(characters + 1) // 2}), 'hex')"
    return f"left({bytes_}, {characters})" if characters % 2 else bytes_
