"""Nothing of a person in production is in a pantry, whatever kind of column it stood in."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.domain.secret import Secret
from kitchen.errors import NotPermitted, Refused
from kitchen.masking.keys import SECRET_PATH, MaskingKey
from tests.contracts.pantries import HEAD, Place, Production, fill, reviewed, scanned
from tests.support import Server, Warehouse

# One person, planted in every kind of column; each text must be gone.
CANARIES = {
    "first name": "Zephyrine",
    "last name": "Quackenbush",
    "unicode name": "Žofie Łukasiewiczová",
    "full name": "Odalys Featherstone",
    "e-mail": "zephyrine.q@canary-mail.com",
    "phone": "+44 7700 912345",
    "street": "17 Canary Wharf Lane",
    "city": "Canaryville",
    "postcode": "CN4 9RY",
    "card": "4539578763621486",
    "iban": "DE89370400440532013000",
    "ssn": "123-45-6789",
    "ip": "81.2.69.142",
    "ip6": "2a02:6b8::feed",
    "mac": "3c:22:fb:ca:4a:71",
    "url": "https://canary.example.com/me",
    "user name": "zquackenbush77",
    "birth date": "1984-03-17",
    "free text": "lives above the bakery on Canary Row",
    "e-mail in text": "hidden.canary@inside-notes.org",
    "json": "json.canary@deep.example.net",
    "json address": "Canary Crescent 5",
    "array": "Arraycanary Oddname",
    "bytea": "bytes.canary@raw.example",
    "number as text": "00998877665",
    "natural key": "CANARYKEY",
    "quoted": "Quoted Canaryperson",
    "password": "hunter2canary",
    "company": "Canary Holdings Ltd",
    "markup": "markupcanary",
    "domain": "domain.canary@mail.example",
    "comment free": "allergic to canaries",
}
assert len(CANARIES) >= 25

TABLES = """
CREATE DOMAIN public.mail AS text CHECK (VALUE ~ '@');
CREATE TABLE public.person (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, first_name text NOT NULL, last_name varchar(20) NOT NULL,
    middle_name text, full_name text, email text UNIQUE, phone varchar(20), street text, city varchar(30),
    postcode text,
    card_number text, iban text, ssn char(11), last_ip inet, ip_text text, mac macaddr, homepage text,
    login varchar(40) UNIQUE,
    born date, remarks text, story text, extra jsonb, address json, nick text[], scan bytea, account_no text,
    "Weird ""Name" text, passwd text NOT NULL, employer text, papers text, second_mail public.mail, allergies text,
    fts tsvector, upper_name text GENERATED ALWAYS AS (upper(last_name)) STORED, created_at timestamptz DEFAULT now(),
    active boolean NOT NULL DEFAULT true, balance numeric(10, 2)
);
CREATE INDEX ON public.person (lower(email));
CREATE TABLE public.member (code text PRIMARY KEY, person_id integer NOT NULL REFERENCES public.person, points integer);
CREATE TABLE public.visit (id bigserial PRIMARY KEY, member_code text REFERENCES public.member, seen_at timestamptz);
CREATE TRIGGER fts BEFORE INSERT OR UPDATE ON public.person FOR EACH ROW
    EXECUTE FUNCTION tsvector_update_trigger('fts', 'pg_catalog.english', 'last_name', 'story');
CREATE VIEW public.adults AS SELECT id, full_name FROM public.person;
CREATE MATERIALIZED VIEW public.mails AS SELECT email FROM public.person;
"""


def _insert(c: dict[str, str], n: int) -> tuple[str, tuple[object, ...]]:
    columns = (
        "first_name, last_name, middle_name, full_name, email, phone, street, city, postcode, card_number, iban, ssn,"
        " last_ip, ip_text, mac, homepage, login, born, remarks, story, extra, address, nick, scan, account_no,"
        ' "Weird ""Name", passwd, employer, papers, second_mail, allergies, balance'
    )
    values = (
        c["first name"],
        c["last name"],
        c["unicode name"],
        c["full name"],
        c["e-mail"],
        c["phone"],
        c["street"],
        c["city"],
        c["postcode"],
        c["card"],
        c["iban"],
        c["ssn"],
        c["ip"],
        c["ip6"],
        c["mac"],
        c["url"],
        c["user name"],
        c["birth date"],
        c["free text"],
        f"write to {c['e-mail in text']} soon",
        f'{{"who": {{"mail": "{c["json"]}"}}, "n": 5}}',
        f'{{"line": "{c["json address"]}"}}',
        [c["array"]],
        c["bytea"].encode(),
        c["number as text"],
        c["quoted"],
        c["password"],
        c["company"],
        f"<p>{c['markup']}</p>",
        c["domain"],
        c["comment free"],
        10 + n,
    )
    return f"INSERT INTO public.person ({columns}) VALUES ({', '.join(['%s'] * len(values))})", values


def _other(n: int) -> dict[str, str]:
    return {
        "first name": f"Name{n}",
        "last name": f"Family{n}",
        "unicode name": f"Jürgen {n}",
        "full name": f"Anna Person{n}",
        "e-mail": f"p{n}@mail.example.com",
        "phone": f"+44 7700 9{n:05}",
        "street": f"{n} High Street",
        "city": f"Town{n % 7}",
        "postcode": f"AB{n % 9} 1CD",
        "card": "4111111111111111",
        "iban": f"DE8937040044{n:010}",
        "ssn": f"123-45-{n:04}",
        "ip": "10.1.2.3",
        "ip6": "fe80::1",
        "mac": "3c:22:fb:00:00:01",
        "url": f"https://site{n}.example.com/",
        "user name": f"user{n}x",
        "birth date": f"19{50 + n % 40}-05-{1 + n % 28:02}",
        "free text": f"some words about number {n} in a row",
        "e-mail in text": f"x{n}@y.example",
        "json": f"j{n}@y.example",
        "json address": f"Way {n}",
        "array": f"Nick{n}",
        "bytea": f"b{n}",
        "number as text": f"{n:011}",
        "natural key": f"KEY{n}",
        "quoted": f"Quoted{n}",
        "password": f"pw{n}",
        "company": f"Firm {n}",
        "markup": f"x{n}",
        "domain": f"d{n}@y.example",
        "comment free": f"nothing {n}",
    }


def _planted(made: Warehouse) -> Production:
    planted = Production(made)
    planted.execute(TABLES)
    with planted.session() as session, session.transaction():
        for n in range(300):
            session.execute(*_insert(CANARIES if n == 7 else _other(n), n))
            code = CANARIES["natural key"] if n == 7 else f"KEY{n}"
            session.execute("INSERT INTO public.member VALUES (%s, %s, %s)", [code, n + 1, n])
            session.execute("INSERT INTO public.visit (member_code, seen_at) VALUES (%s, now())", [code])
        session.execute("REFRESH MATERIALIZED VIEW public.mails")
        session.execute("ANALYZE")
    return planted


@pytest.fixture
def planted(server: Server) -> Iterator[Production]:
    """Return a database with planted people on each kind of server."""
    made = server.make()
    yield _planted(made)
    server.drop(made)


@pytest.fixture
def production(postgres: Server) -> Iterator[Production]:
    """Return a database with planted people on PostgreSQL 18."""
    made = postgres.make()
    yield _planted(made)
    postgres.drop(made)


@pytest.fixture
def place(new_warehouse: Warehouse) -> Place:
    """Return an empty environment on PostgreSQL 18."""
    return Place(new_warehouse)


def test_no_canary_is_in_a_pantry_of_proposals(planted: Production, place: Place) -> None:
    version = fill(place, planted, scanned(planted))
    dumped = place.everything(version).lower()
    assert len(dumped) > 10_000
    # dates move by up to a year: a stranger's may come to lie on this one, in one run of fifty, and says nothing
    canaries = {kind: text for kind, text in CANARIES.items() if kind != "birth date"}
    own = place.query(f"SELECT born = '{CANARIES['birth date']}' FROM pantry_v{version}.person WHERE id = 8")
    assert own == [(False,)], "but its own is never left where it was"
    found = [kind for kind, text in canaries.items() if text.lower() in dumped]
    assert found == []
    encoded = [kind for kind, text in canaries.items() if text.encode().hex() in dumped]
    assert encoded == []
    statistics = place.query(
        "SELECT coalesce(string_agg(most_common_vals::text || histogram_bounds::text, ' '), '') FROM pg_stats"
    )
    assert [kind for kind, text in canaries.items() if text in str(statistics)] == []


def test_keys_counts_and_derived_data_hold(planted: Production, place: Place) -> None:
    version = fill(place, planted, scanned(planted))
    pantry = f"pantry_v{version}"
    for table in ("person", "member", "visit"):
        ours = place.query(f"SELECT count(*) FROM {pantry}.{table}")
        assert ours == planted.query(f"SELECT count(*) FROM public.{table}") == [(300,)]
    joined = f"SELECT count(*) FROM {pantry}.visit v JOIN {pantry}.member m ON m.code = v.member_code"
    assert place.query(joined) == [(300,)]
    keys = place.query(
        f"SELECT count(*) FILTER (WHERE convalidated), count(*) FROM pg_constraint WHERE contype = 'f'"
        f" AND connamespace = '{pantry}'::regnamespace"
    )
    assert keys == [(2, 2)]
    assert place.query(f"SELECT count(*) FROM {pantry}.person WHERE upper_name <> upper(last_name)") == [(0,)]
    vector = "to_tsvector('pg_catalog.english', last_name || ' ' || coalesce(story, ''))"
    assert place.query(f"SELECT count(*) FROM {pantry}.person WHERE fts IS DISTINCT FROM {vector}") == [(0,)]
    assert place.query(f"SELECT count(*) FROM {pantry}.mails WHERE email LIKE '%@example.invalid'") == [(300,)]


def test_the_same_person_is_the_same_in_the_next_version_and_another_under_another_key(
    planted: Production, place: Place
) -> None:
    text = scanned(planted)
    one, two = fill(place, planted, text), fill(place, planted, text)
    columns = "id, first_name, last_name, email, phone, street, login, born, account_no"

    def people(version: int) -> list[tuple[object, ...]]:
        return place.query(f"SELECT {columns} FROM pantry_v{version}.person ORDER BY id")

    assert people(one) == people(two)
    planted.secrets.write(SECRET_PATH, {"key": "f0e1d2c3b4a5968778695a4b3c2d1e0f" * 2})
    three = fill(place, planted, text)
    unchanged = [a for a, b in zip(people(two), people(three), strict=True) if a[3] == b[3] or a[6] == b[6]]
    assert unchanged == []


def test_the_standing_kitchen_reads_the_newest_version_and_cannot_write_it(
    production: Production, place: Place
) -> None:
    fill(place, production, scanned(production))
    version = fill(place, production, scanned(production))
    assert place.standing().pantry == version
    with connect(place.login, application="tests") as session:
        assert session.query("SELECT count(*) FROM person WHERE email LIKE '%@example.invalid'") == [(300,)]
        with pytest.raises(NotPermitted):
            session.execute("UPDATE person SET email = NULL")
        with pytest.raises(NotPermitted):
            session.query("SELECT 1 FROM kitchen_control.pantry")


def test_a_version_that_nobody_uses_is_dropped(production: Production, place: Place) -> None:
    text = scanned(production)
    versions = [fill(place, production, text) for _ in range(4)]
    left = [version for version in versions if place.pantry_store.exists(version)]
    assert left == versions[-2:]
    roles = place.query(
        f"SELECT rolname FROM pg_roles WHERE rolname LIKE 'kitchen\\_\\_{place.name}\\_\\_pantry%' ORDER BY 1"
    )
    assert [row[0] for row in roles] == [f"kitchen__{place.name}__pantry_v{version}" for version in left]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("ALTER TABLE public.person ADD COLUMN nickname2 text", "public.person.nickname2"),
        ("ALTER TABLE public.member ALTER COLUMN points TYPE bigint", "public.member.points"),
        ("ALTER TABLE public.member DROP COLUMN points", "public.member.points"),
        ("CREATE TABLE public.secret_notes (body text)", "public.secret_notes.body"),
    ],
)
def test_what_changed_since_stops_the_refresh_and_is_named(
    production: Production, place: Place, change: str, named: str
) -> None:
    text = reviewed(scanned(production))
    version = fill(place, production, text)
    production.execute(change)
    with pytest.raises(Refused, match=re.escape(named)):
        fill(place, production, text)
    newest = place.control.pantries.newest()
    assert newest is not None
    assert newest.version == version
    assert place.standing().pantry == version
    schemas = place.query("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pantry\\_v%'")
    assert schemas == [(f"pantry_v{version}",)]


def test_an_empty_or_short_key_is_refused(production: Production, place: Place) -> None:
    for key in ("", "00", "ab" * 31, "00" * 32, "not hexadecimal"):
        production.secrets.write(SECRET_PATH, {"key": key})
        with pytest.raises(Refused, match="masking key"):
            fill(place, production, scanned(production))


def test_a_key_that_is_gone_is_never_replaced_in_silence(production: Production, place: Place) -> None:
    text = scanned(production)
    fill(place, production, text)
    production.secrets.delete(SECRET_PATH)
    with pytest.raises(Refused, match="gone"):
        fill(place, production, text)


def test_a_leak_is_refused_before_anybody_sees_it(production: Production, place: Place) -> None:
    kept = "tables:\n  person:\n    remarks: {mask: keep, why: thought harmless}\n"
    production.execute("UPDATE public.person SET remarks = 'ask hidden.canary@inside-notes.org' WHERE id = 9")
    with pytest.raises(Refused, match=r"person\.remarks: e-mail addresses: 1 found"):
        fill(place, production, scanned(production, HEAD + kept))
    assert place.control.pantries.newest() is None
    assert place.query("SELECT 1 FROM pg_namespace WHERE nspname LIKE 'pantry\\_v%'") == []


def test_rows_hidden_by_row_security_are_refused_not_left_out(production: Production, place: Place) -> None:
    text = scanned(production)
    production.execute(
        "ALTER TABLE public.member ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE public.member FORCE ROW LEVEL SECURITY",
        "CREATE POLICY few ON public.member USING (points < 5)",
    )
    with pytest.raises(Refused, match=r"row security would hide rows of public\.member"):
        fill(place, production, text)


def test_structure_only_and_where(production: Production, place: Place) -> None:
    text = scanned(production, HEAD + "tables:\n  visit:\n    rows: none\n  person:\n    where: id <= 300\n")
    version = fill(place, production, text)
    assert place.query(f"SELECT count(*) FROM pantry_v{version}.visit") == [(0,)]
    assert place.query(f"SELECT count(*) FROM pantry_v{version}.person") == [(300,)]


def test_a_name_that_is_in_our_pool_is_given_to_nobody(production: Production, place: Place) -> None:
    from kitchen.masking.pools import pool

    borne = pool("last_names")[:200]
    with production.session() as session:
        for n, name in enumerate(borne):
            session.execute("UPDATE public.person SET last_name = %s WHERE id = %s", [name.upper(), n + 1])
    version = fill(place, production, scanned(production))
    ours = {str(row[0]).lower() for row in place.query(f"SELECT last_name FROM pantry_v{version}.person")}
    assert ours.isdisjoint(name.lower() for name in borne)


def test_the_key_is_in_no_log_of_either_server(planted: Production, new_warehouse: Warehouse) -> None:
    place = Place(new_warehouse)
    for warehouse in (planted.warehouse, new_warehouse):
        with connect(warehouse.superuser, application="tests") as session:
            session.execute(f"ALTER DATABASE \"{warehouse.superuser.database}\" SET log_statement = 'all'")
            session.execute(f'ALTER DATABASE "{warehouse.superuser.database}" SET debug_print_plan = on')
    fill(place, planted, scanned(planted))
    kept = planted.secrets.read(SECRET_PATH)
    assert kept is not None
    key = MaskingKey(Secret(kept["key"]))
    domains = ("value/text", "key/public.person.id", "key/public.member.code")
    pads = [half for setting in key.settings(domains) for half in re.findall("[0-9a-f]{64}", setting)]
    subs = [key.sub_key(domain).hex() for domain in domains]
    assert len(pads) == 6
    for warehouse in (planted.warehouse, new_warehouse):
        with connect(warehouse.superuser, application="tests") as session:
            log = str(session.query("SELECT pg_read_file(pg_current_logfile())")[0][0])
        assert "kitchen: pantry" in log, "the log must be of statements, or it proves nothing"
        assert "COPY" in log
        assert [secret for secret in (kept["key"], *pads, *subs) if secret in log] == []
