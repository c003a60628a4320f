"""``drop``: the column is not in the pantry, nor is anything that is made of it; the rest is whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kitchen.errors import Refused
from tests.contracts.pantries import Place, Production, fill
from tests.support import Server, Warehouse

TABLES = """
CREATE TABLE public.person (
    id serial, name text NOT NULL, ssn text NOT NULL UNIQUE CHECK (ssn <> ''), born date, age_group int,
    boss integer, shoe int DEFAULT 42, upper_name text GENERATED ALWAYS AS (upper(name)) STORED,
    number serial, PRIMARY KEY (id), UNIQUE (name, ssn), FOREIGN KEY (boss) REFERENCES public.person (id)
);
COMMENT ON COLUMN public.person.ssn IS 'the number of a person';
CREATE INDEX by_name ON public.person (name);
CREATE INDEX by_ssn ON public.person (lower(ssn)) WHERE born IS NOT NULL;
CREATE INDEX some_people ON public.person (id) WHERE ssn LIKE '9%';
CREATE STATISTICS public.both ON name, ssn FROM public.person;
CREATE VIEW public.everything AS SELECT * FROM public.person;
CREATE VIEW public.over_it AS SELECT count(*) FROM public.everything;
CREATE VIEW public.names AS SELECT id, name FROM public.person;
CREATE FUNCTION public.noop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER changed BEFORE UPDATE OF ssn ON public.person FOR EACH ROW EXECUTE FUNCTION public.noop();
CREATE TRIGGER any_change BEFORE UPDATE ON public.person FOR EACH ROW EXECUTE FUNCTION public.noop();
INSERT INTO public.person (name, ssn, born, boss) SELECT 'Name' || n, '123-45-' || n, '1980-01-01', 1
FROM generate_series(1, 50) n;
CREATE TABLE public.visit (day date, who text, secret text, PRIMARY KEY (day, who)) PARTITION BY RANGE (day);
CREATE INDEX ON public.visit (secret);
CREATE TABLE public.visit_20 PARTITION OF public.visit FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE public.visit_21 (who text NOT NULL, secret text, day date NOT NULL);
ALTER TABLE public.visit ATTACH PARTITION public.visit_21 FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
INSERT INTO public.visit SELECT '2020-12-01'::date + n, 'w' || n, 'secret' || n FROM generate_series(1, 60) n;
CREATE TABLE public.animal (id int PRIMARY KEY, chip text);
CREATE TABLE public.dog (breed text) INHERITS (public.animal);
INSERT INTO public.dog VALUES (1, 'chip1', 'poodle');
"""
POLICY = """
tables:
  person:
    id: {mask: keep, why: surrogate key}
    name: {mask: hash}
    ssn: {mask: drop, why: nobody needs it}
    born: {mask: date, to: year}
    age_group: {mask: number, bucket: 10}
    boss: {mask: drop}
    shoe: {mask: number, noise: 0.1}
    upper_name: {mask: recompute}
    number: {mask: drop}
  visit:
    day: {mask: keep, why: when}
    who: {mask: hash}
    secret: {mask: drop}
  animal: {id: {mask: keep, why: surrogate key}, chip: {mask: drop}}
  dog: {id: {mask: keep, why: surrogate key}, chip: {mask: drop}, breed: {mask: keep, why: a breed}}
"""


@pytest.fixture
def production(server: Server) -> Iterator[Production]:
    """Return a database on each kind of server."""
    made = server.make()
    planted = Production(made)
    planted.execute(TABLES)
    yield planted
    server.drop(made)


def test_a_dropped_column_is_left_out_with_all_that_is_made_of_it(
    production: Production, new_warehouse: Warehouse
) -> None:
    place = Place(new_warehouse)
    version = fill(place, production, POLICY)
    pantry = f"pantry_v{version}"

    def named(query: str) -> set[object]:
        return {row[0] for row in place.query(query.format(pantry))}

    columns = "SELECT attname FROM pg_attribute WHERE attrelid = '{}.%s'::regclass AND attnum > 0"
    assert named(columns % "person") == {"id", "name", "born", "age_group", "shoe", "upper_name"}
    for table in ("visit", "visit_20", "visit_21"):
        assert named(columns % table) == {"day", "who"}
    assert named(columns % "animal") == {"id"}
    assert named(columns % "dog") == {"id", "breed"}
    assert named("SELECT indexname FROM pg_indexes WHERE schemaname = '{}' AND tablename = 'person'") == {
        "person_pkey",
        "by_name",
    }
    assert named("SELECT viewname FROM pg_views WHERE schemaname = '{}'") == {"names"}
    assert named("SELECT tgname FROM pg_trigger WHERE tgrelid = '{}.person'::regclass") == {"any_change"}
    assert named("SELECT stxname FROM pg_statistic_ext WHERE stxnamespace = '{}'::regnamespace") == set()
    assert named("SELECT sequencename FROM pg_sequences WHERE schemaname = '{}'") == {"person_id_seq"}
    assert place.query(f"SELECT count(*) FROM {pantry}.person") == [(50,)]
    assert place.query(f"SELECT count(*) FROM {pantry}.visit") == [(60,)]
    dumped = place.everything(version)
    assert "123-45" not in dumped
    assert "secret" not in dumped
    newest = place.control.pantries.newest()
    assert newest is not None
    left = "\n".join(str(text) for text in newest.manifest["left_out"])  # type: ignore[attr-defined]
    for said in (
        "public.person.ssn: left out by decision",
        "view public.everything",
        "public.over_it",
        "index public.by_ssn",
        "changed",
    ):
        assert said in left


@pytest.mark.parametrize(
    ("table", "column", "said"),
    [
        ("person", "name", "generated column upper_name"),
        ("person", "id", "the primary key"),
        ("visit", "day", "the primary key"),
    ],
)
def test_what_the_table_cannot_be_without_is_refused(
    postgres: Server, new_warehouse: Warehouse, table: str, column: str, said: str
) -> None:
    made = postgres.make()
    production = Production(made)
    production.execute(TABLES)
    lines, inside = [], ""
    for line in POLICY.splitlines():
        inside = line.strip(" :") if line.startswith("  ") and line.endswith(":") and line[2] != " " else inside
        changed = inside == table and line.strip().startswith(f"{column}:")
        lines.append(f"    {column}: {{mask: drop}}" if changed else line)
    with pytest.raises(Refused, match=said):
        fill(Place(new_warehouse), production, "\n".join(lines))
    postgres.drop(made)


BODIES = """
CREATE FUNCTION public.upper_ssn() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN NEW.ssn := upper(NEW.ssn); RETURN NEW; END';
CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON public.person FOR EACH ROW EXECUTE FUNCTION public.upper_ssn();
CREATE TABLE public.other (id int PRIMARY KEY, ssn text);
CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON public.other FOR EACH ROW EXECUTE FUNCTION public.upper_ssn();
CREATE FUNCTION public.find(text) RETURNS integer LANGUAGE sql AS 'SELECT id FROM public.person WHERE ssn = $1';
CREATE FUNCTION public.find_again(text) RETURNS integer LANGUAGE sql AS 'SELECT public.find($1)';
CREATE FUNCTION public.look() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN PERFORM find_again(NEW.name); RETURN NEW; END';
CREATE TRIGGER looks AFTER UPDATE ON public.person FOR EACH ROW EXECUTE FUNCTION public.look();
CREATE PROCEDURE public.forget() LANGUAGE plpgsql AS 'BEGIN UPDATE public.person SET "ssn" = NULL; END';
CREATE FUNCTION public.called() RETURNS text LANGUAGE sql AS 'SELECT max(name) FROM public.person';
CREATE FUNCTION public.is_fine(text) RETURNS boolean LANGUAGE sql IMMUTABLE
    AS 'SELECT $1 <> ''the ssn of a person''';
ALTER TABLE public.person ADD CHECK (public.is_fine(name));
CREATE RULE keep AS ON DELETE TO public.person WHERE old.ssn = '1' DO INSTEAD NOTHING;
"""


def test_what_names_a_dropped_column_in_its_body_is_left_out_and_the_table_works(
    production: Production, new_warehouse: Warehouse
) -> None:
    production.execute(BODIES)
    place = Place(new_warehouse)
    other = "  other: {id: {mask: keep, why: surrogate key}, ssn: {mask: hash}}\n"
    pantry = f"pantry_v{fill(place, production, POLICY + other)}"
    newest = place.control.pantries.newest()
    assert newest is not None
    left = "\n".join(str(text) for text in newest.manifest["left_out"])  # type: ignore[attr-defined]

    def triggers(table: str) -> set[object]:
        asked = f"SELECT tgname FROM pg_trigger WHERE tgrelid = '{pantry}.{table}'::regclass AND NOT tgisinternal"
        return {row[0] for row in place.query(asked)}

    assert triggers("person") == {"any_change"}
    assert triggers("other") == {"shout"}  # which has such a column of its own
    schemas = f"'{pantry}'::regnamespace, 'pantry_types'::regnamespace"
    made = {row[0] for row in place.query(f"SELECT proname FROM pg_proc WHERE pronamespace IN ({schemas})")}
    assert made >= {"called", "is_fine", "noop", "upper_ssn"}
    assert made.isdisjoint({"find", "find_again", "look", "forget"})
    for said in (
        "function public.find: its body names public.person.ssn",
        "function public.find_again: its body calls public.find",
        "function public.look: its body calls public.find_again",
        "function public.forget: its body names public.person.ssn",
        "trigger shout of public.person: public.upper_ssn reads ssn",
        "trigger looks of public.person: it calls public.look",
        "function public.is_fine: its body names public.person.ssn, which is left out; it stays",
        "rule keep on public.person",
    ):
        assert said in left, left
    place.query(f"UPDATE {pantry}.person SET name = 'somebody' WHERE id = 1 RETURNING 1")
    place.query(f"INSERT INTO {pantry}.person (name) VALUES ('new') RETURNING 1")
    place.query(f"UPDATE {pantry}.other SET ssn = 'x' RETURNING 1")
    place.query(f"DELETE FROM {pantry}.person WHERE id = 2 RETURNING 1")
