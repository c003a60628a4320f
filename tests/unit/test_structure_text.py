"""Names in definitions are found by comparing two prints, never by looking for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen.adapters.postgres.structure_text import (
    Reference,
    Sort,
    Text,
    literal,
    qualified,
    quote,
    understood,
    without_words,
)
from kitchen.domain.layout import TableName
from kitchen.errors import KitchenError


def moved(full: str, **short: str) -> str:
    """Return a definition with every reference moved to schema ``new``."""
    found = understood(full, short, lambda name, _before, _after: Sort.RELATION)
    return found.render(lambda reference: TableName("new", reference.name.name))


@pytest.mark.parametrize(
    ("full", "short", "expected"),
    [
        ("FROM raw.orders", "FROM orders", 'FROM "new"."orders"'),
        ("SELECT raw.id FROM raw.orders raw", "SELECT raw.id FROM orders raw", 'SELECT raw.id FROM "new"."orders" raw'),
        ("SELECT raw.raw FROM raw.raw", "SELECT raw.raw FROM raw", 'SELECT raw.raw FROM "new"."raw"'),
        ("nextval('raw.s'::regclass)", "nextval('s'::regclass)", 'nextval(\'"new"."s"\'::regclass)'),
        ("x <> 'raw.orders'", "x <> 'raw.orders'", "x <> 'raw.orders'"),
        ("x = 'it''s raw.t'::raw.t", "x = 'it''s raw.t'::t", "x = 'it''s raw.t'::\"new\".\"t\""),
        ('raw."A ""b"" c".d', '"A ""b"" c".d', '"new"."A ""b"" c".d'),
        ("raw.f(x)", "raw.f(x)", '"new"."f"(x)'),  # printed so on any path because the name is ambiguous
        ("lower(raw.lower(x))", "pg_catalog.lower(lower(x))", 'lower("new"."lower"(x))'),
        ("a OPERATOR(raw.===) b", "a === b", 'a OPERATOR("new".===) b'),
        ("AS $$ raw.t $$", "AS $$ raw.t $$", "AS $$ raw.t $$"),
        ("ARRAY[]::raw.t[]", "ARRAY[]::t[]", 'ARRAY[]::"new"."t"[]'),
        (r"E'raw.\\x'", r"E'raw.\\x'", r"E'raw.\\x'"),
        ("'raw.\"it''s\"'::regclass", "'\"it''s\"'::regclass", "'\"new\".\"it''s\"'::regclass"),
    ],
)
def test_references_are_found_for_certain(full: str, short: str, expected: str) -> None:
    def sort(_name: TableName, before: str, after: str) -> Sort:
        return Sort.OTHER if "OPERATOR" in full else Sort.RELATION

    found = understood(full, {"raw": short}, sort)
    assert found.render(lambda reference: TableName("new", reference.name.name)) == expected
    assert found.shown().replace('"', "") == full.replace('"', "")


def test_several_schemas_in_one_definition() -> None:
    full = "FROM raw.a JOIN marts.a USING (x) WHERE raw.a.x > 0"
    short = {
        "raw": "FROM a JOIN marts.a USING (x) WHERE a.x > 0",
        "marts": "FROM raw.a JOIN a USING (x) WHERE raw.a.x > 0",
    }
    found = understood(full, short, lambda *_: Sort.RELATION)
    schemas = [reference.name.schema for reference in found.references()]
    assert schemas == ["raw", "marts", "raw"]


@pytest.mark.parametrize(
    ("full", "short"),
    [
        ("FROM raw.orders", "FROM other"),
        ("FROM raw.orders", "FROM orders, x"),
        ("a", "a b"),
        ("'x'", "'y z'"),
        ("a b", "a"),
    ],
)
def test_prints_that_differ_otherwise_are_refused(full: str, short: str) -> None:
    with pytest.raises(KitchenError, match="cannot tell"):
        moved(full, raw=short)


def test_words_are_taken_out_of_code_only() -> None:
    text = "(a text DEFAULT 'SECURITY DEFINER') SECURITY DEFINER AS $$ SECURITY DEFINER $$"
    assert (
        without_words(text, "SECURITY", "DEFINER") == "(a text DEFAULT 'SECURITY DEFINER')  AS $$ SECURITY DEFINER $$"
    )


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


@given(names, names)
def test_any_name_is_quoted_and_found_again(schema: str, name: str) -> None:
    full = f"SELECT 'it''s' FROM {qualified(TableName(schema, name))} AS {quote(schema)}"
    short = f"SELECT 'it''s' FROM {quote(name)} AS {quote(schema)}"
    found = understood(full, {schema: short}, lambda *_: Sort.RELATION)
    assert found.references() == (Reference(TableName(schema, name), Sort.RELATION),)
    assert found.shown() == full


@given(names, names)
def test_any_name_inside_a_string_is_found_again(schema: str, name: str) -> None:
    inner, plain = qualified(TableName(schema, name)), quote(name)
    full, short = (f"nextval({literal(text)}::regclass)" for text in (inner, plain))
    if full.count("\\") != short.count("\\"):
        return  # one is an E'' string and the other is not; the server prints both alike
    found = understood(full, {schema: short}, lambda *_: Sort.RELATION)
    assert found.references() == (Reference(TableName(schema, name), Sort.RELATION, in_text=True),)


def test_a_text_without_names_is_itself() -> None:
    assert understood("a + b", {}, lambda *_: Sort.OTHER) == Text(("a + b",))
