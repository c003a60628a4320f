"""What other columns make, and what lies outside tables: recomputed, emptied or left out of a pantry, never copied."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kitchen.errors import Refused
from tests.contracts.pantries import Place, Production, fill, policy, scanned
from tests.support import Server, Warehouse

TABLES = """
CREATE EXTENSION hstore;
CREATE EXTENSION lo;
CREATE EXTENSION citext;
CREATE TABLE public.people (
    id integer PRIMARY KEY, name text NOT NULL, nick citext UNIQUE, attributes hstore, needed hstore NOT NULL,
    several hstore[], scan oid, photo lo, portrait lo NOT NULL, born date,
    upper_name text GENERATED ALWAYS AS (upper(name)) STORED,
    words tsvector GENERATED ALWAYS AS (to_tsvector('pg_catalog.english', name)) STORED, own_words tsvector
);
CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON public.people FOR EACH ROW EXECUTE FUNCTION lo_manage(photo);
INSERT INTO public.people (id, name, nick, attributes, needed, several, scan, photo, portrait, born, own_words)
SELECT n, 'Canary Person ' || n, 'CanaryNick' || n, hstore('mail', 'canary@hstore.example'),
    hstore('phone', 'canary phone'), ARRAY[hstore('who', 'canary friend')],
    lo_from_bytea(0, 'canary large object'), lo_from_bytea(0, 'canary photo'), lo_from_bytea(0, 'canary portrait'),
    '1984-03-17', to_tsvector('canary vector') FROM generate_series(1, 20) n;
CREATE MATERIALIZED VIEW public.known AS SELECT id, name, attributes FROM public.people;
CREATE MATERIALIZED VIEW public.later AS SELECT name FROM public.people WITH NO DATA;
CREATE TABLE public.files (id integer PRIMARY KEY, data oid);
INSERT INTO public.files VALUES (1, lo_from_bytea(0, 'canary file'));
"""


@pytest.fixture
def production(server: Server) -> Iterator[Production]:
    """Return a database that uses extensions, large objects and everything that a server computes."""
    made = Production(server.make())
    made.execute(TABLES)
    if server.version >= 18:
        made.execute("ALTER TABLE public.people ADD COLUMN shown text GENERATED ALWAYS AS ('Dear ' || name) VIRTUAL")
    yield made
    server.drop(made.warehouse)


def test_what_is_computed_is_computed_anew_and_what_lies_outside_stays_there(
    production: Production, new_warehouse: Warehouse
) -> None:
    place = Place(new_warehouse)
    text = scanned(production)
    version = fill(place, production, text)
    pantry = f"pantry_v{version}"
    assert "canary" not in place.everything(version).lower()
    assert place.query("SELECT count(*) FROM pg_largeobject_metadata") == [(0,)]
    assert place.query(f"SELECT count(scan), count(photo), max(portrait::text) FROM {pantry}.people") == [(0, 0, "0")]
    assert place.query(f"SELECT count(data), count(*) FROM {pantry}.files") == [(0, 1)]
    assert place.query(f"SELECT count(attributes), max(needed::text), count(several) FROM {pantry}.people") == [
        (0, "", 0)
    ]
    computed = f"SELECT count(*) FROM {pantry}.people WHERE upper_name = upper(name)"
    assert place.query(computed) == [(20,)]
    assert place.query(f"SELECT count(*) FROM {pantry}.people WHERE words <> to_tsvector('english', name)") == [(0,)]
    assert place.query(f"SELECT count(own_words) FROM {pantry}.people") == [(0,)]
    assert place.query(f"SELECT count(*) FROM {pantry}.known k JOIN {pantry}.people p USING (id, name)") == [(20,)]
    assert place.query(f"SELECT count(*) FROM {pantry}.people p WHERE nick ~* 'canary'") == [(0,)]
    populated = f"SELECT matviewname, ispopulated FROM pg_matviews WHERE schemaname = '{pantry}' ORDER BY 1"
    assert place.query(populated) == [("known", True), ("later", False)]


@pytest.mark.parametrize("column", ["scan", "photo", "portrait"])
def test_a_reference_to_a_large_object_is_not_kept_whatever_the_reason(
    production: Production, new_warehouse: Warehouse, column: str
) -> None:
    with pytest.raises(Refused, match=rf"people\.{column}.*large objects are never copied"):
        fill(Place(new_warehouse), production, _changed(scanned(production), column, "{mask: keep, why: we like it}"))


@pytest.mark.parametrize("column", ["attributes", "needed", "several"])
def test_hstore_is_not_kept_without_a_reason(production: Production, new_warehouse: Warehouse, column: str) -> None:
    with pytest.raises(Refused, match=rf"people\.{column}"):
        fill(Place(new_warehouse), production, _changed(scanned(production), column, "{mask: keep}"))


def _changed(text: str, column: str, decision: str) -> str:
    lines = [f"    {column}: {decision}" if line.startswith(f"    {column}:") else line for line in text.splitlines()]
    assert lines != text.splitlines()
    assert policy("\n".join(lines))
    return "\n".join(lines)


def test_the_extensions_of_a_pantrys_columns_are_made_beside_it(
    production: Production, new_warehouse: Warehouse
) -> None:
    place = Place(new_warehouse)
    fill(place, production, scanned(production))
    made = place.query("SELECT extname FROM pg_extension WHERE extname IN ('hstore', 'lo', 'citext') ORDER BY 1")
    assert made == [("citext",), ("hstore",), ("lo",)]
