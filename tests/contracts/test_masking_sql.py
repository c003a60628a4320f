"""Masks as the server computes them: keyed, repeatable, inside their ranges, and never the value itself."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kitchen.adapters.postgres.connection import PgSession, connect
from kitchen.domain.catalogue import SourceColumn, SourceTable
from kitchen.domain.layout import TableName
from kitchen.domain.masking import Decision, MaskKind, Policy, TablePolicy
from kitchen.domain.secret import Secret
from kitchen.masking import ranges
from kitchen.masking.keys import MaskingKey, digest_sql
from kitchen.masking.select import masked_select
from kitchen.masking.sql import literal
from tests.support import SERVERS, Server

ONE = MaskingKey(Secret("00112233445566778899aabbccddeeff" * 2))
OTHER = MaskingKey(Secret("ffeeddccbbaa99887766554433221100" * 2))
T = TableName("public", "t")


@dataclass
class Bench:
    """Asks one server for masks of single values."""

    server: Server

    def session(self, key: MaskingKey, domains: tuple[str, ...]) -> PgSession:
        return connect(
            self.server.credentials, application="tests", options=["search_path=pg_catalog", *key.settings(domains)]
        )

    def masked(
        self, decision: Decision, column: SourceColumn, values: list[object], key: MaskingKey = ONE
    ) -> list[str | None]:
        """Return what a column of values becomes."""
        table = SourceTable(T, TableName("pg_temp", "t"), (column,))
        select = masked_select(Policy({"t": TablePolicy({column.name: decision})}), table, {})
        with self.session(key, select.domains) as session:
            session.execute(f"CREATE TEMP TABLE t (n serial, v {column.type})")
            for value in values:
                session.execute("INSERT INTO pg_temp.t (v) VALUES (%s)", [value])
            return [row[0] if row[0] is None else str(row[0]) for row in session.query(select.sql())]


@pytest.fixture(scope="module", params=SERVERS)
def bench(request: pytest.FixtureRequest) -> Bench:
    """Return each kind of server in turn."""
    return Bench(request.getfixturevalue(request.param))


TEXT = SourceColumn("v", "text", "text", "S")
_PRINTABLE = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(message=_PRINTABLE, domain=st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
def test_the_servers_digest_is_hmac_sha_256(bench: Bench, message: str, domain: str) -> None:
    with bench.session(ONE, (domain,)) as session:
        found = session.query(f"SELECT encode({digest_sql(0, '%s')}, 'hex')", [message])[0][0]
    assert found == hmac.digest(ONE.sub_key(domain), message.encode(), "sha256").hex()


def test_the_digest_of_a_known_key_is_known(bench: Bench) -> None:
    assert ONE.sub_key("value/email").hex() == "0055d5b808fd4d1ffb6274ca47075ac6f2036fdec2b852d031cb9228c6d9e579"
    with bench.session(ONE, ("value/email",)) as session:
        found = session.query(f"SELECT encode({digest_sql(0, repr('ann@example.com'))}, 'hex')")[0][0]
    assert found == "c8988b226523d38802f90c5fd8764adbc0caa125b40e40ad55a113bc0124fedd"


VALUES = ["Ann", "Žofie", "o'Brien \\ x", "  spaced  ", "12345", "a" * 300, "ann@example.com", "مريم", "🙂 emoji"]
TEXT_MASKS = [
    Decision(kind)
    for kind in (
        MaskKind.HASH, MaskKind.FIRST_NAME, MaskKind.LAST_NAME, MaskKind.FULL_NAME, MaskKind.EMAIL, MaskKind.PHONE,
        MaskKind.STREET, MaskKind.CITY, MaskKind.POSTCODE, MaskKind.REGION, MaskKind.COUNTRY, MaskKind.ADDRESS,
        MaskKind.COMPANY, MaskKind.CARD, MaskKind.IBAN, MaskKind.NATIONAL_ID, MaskKind.IP, MaskKind.MAC, MaskKind.URL,
        MaskKind.USER_NAME, MaskKind.TEXT,
    )
]  # fmt: skip


@pytest.mark.parametrize("decision", TEXT_MASKS, ids=lambda decision: decision.mask.value)
def test_a_text_mask_is_repeatable_keyed_and_in_its_range(bench: Bench, decision: Decision) -> None:
    ours = bench.masked(decision, TEXT, [*VALUES, None, ""])
    assert ours == bench.masked(decision, TEXT, [*VALUES, None, ""])
    assert ours[-2:] == [None, ""]
    assert all(mine not in (value, None, "") for mine, value in zip(ours, VALUES, strict=False))
    others = bench.masked(decision, TEXT, list(VALUES), OTHER)
    assert sum(a != b for a, b in zip(ours, others, strict=False)) >= len(VALUES) - 2
    with connect(bench.server.credentials, application="tests") as session:
        for mine in ours[:-2]:
            test = ranges.in_range(decision, TEXT, f"lower({literal(str(mine))})")
            assert session.query(f"SELECT {test}") == [(True,)], mine


@pytest.mark.parametrize(
    ("decision", "shape"),
    [
        (Decision(MaskKind.EMAIL), r"[a-z.]+\.[0-9a-f]{12}@example\.invalid"),
        (Decision(MaskKind.PHONE), r"\+1-[2-9][0-9]{2}-555-01[0-9]{2}"),
        (Decision(MaskKind.CARD), r"400000[0-9]{10}"),
        (Decision(MaskKind.IBAN), r"XX[0-9]{20}"),
        (Decision(MaskKind.NATIONAL_ID), r"9[0-9]{2}-00-[0-9]{4}"),
        (Decision(MaskKind.IP), r"203\.0\.113\.[0-9]{1,3}"),
        (Decision(MaskKind.URL), r"https://example\.invalid/[0-9a-f]{16}"),
        (Decision(MaskKind.HASH, length=24), r"[0-9a-f]{24}"),
    ],
    ids=lambda value: value.mask.value if isinstance(value, Decision) else "",
)
def test_outputs_lie_where_no_real_value_is(bench: Bench, decision: Decision, shape: str) -> None:
    for mine in bench.masked(decision, TEXT, list(VALUES)):
        assert re.fullmatch(shape, str(mine)), mine


def test_cards_and_ibans_pass_their_checksums(bench: Bench) -> None:
    values: list[object] = [f"value {n}" for n in range(50)]
    for card in bench.masked(Decision(MaskKind.CARD), TEXT, values):
        digits = [int(c) for c in reversed(str(card))]
        assert sum(d if n % 2 == 0 else sum(divmod(d * 2, 10)) for n, d in enumerate(digits)) % 10 == 0
    for iban in bench.masked(Decision(MaskKind.IBAN), TEXT, values):
        moved = str(iban)[4:] + "3333" + str(iban)[2:4]
        assert int(moved) % 97 == 1


@pytest.mark.parametrize(
    ("name", "base", "bits"), [("smallint", "int2", 15), ("integer", "int4", 31), ("bigint", "int8", 63)]
)
def test_permute_is_a_bijection_that_stays_in_the_type(bench: Bench, name: str, base: str, bits: int) -> None:
    column = SourceColumn("v", name, base, "N")
    values = [*range(-400, 400), 2**bits - 1, -(2**bits)]
    ours = [int(str(mine)) for mine in bench.masked(Decision(MaskKind.PERMUTE), column, list(values))]
    assert len(set(ours)) == len(values)
    assert all(-(2**bits) <= mine < 2**bits for mine in ours)
    assert all((mine < 0) == (value < 0) for mine, value in zip(ours, values, strict=True))
    others = [int(str(mine)) for mine in bench.masked(Decision(MaskKind.PERMUTE), column, list(values), OTHER)]
    assert sum(a == b for a, b in zip(ours, others, strict=True)) <= 3
    assert sum(a == b for a, b in zip(ours, values, strict=True)) <= 3


def test_a_date_moves_but_never_stays(bench: Bench) -> None:
    column = SourceColumn("v", "date", "date", "D")
    values: list[object] = [f"1980-01-{day:02}" for day in range(1, 29)] * 3
    ours = bench.masked(Decision(MaskKind.DATE, to="shift", days=2), column, values)
    assert all(mine != value for mine, value in zip(ours, values, strict=True))
    assert {str(mine)[:4] for mine in ours} <= {"1979", "1980"}
    years = bench.masked(Decision(MaskKind.DATE, to="year"), column, ["1980-07-05", None, "infinity"])
    assert years[:2] == ["1980-01-01", None]


def test_json_lets_through_only_scalars_at_allowed_paths(bench: Bench) -> None:
    column = SourceColumn("v", "jsonb", "jsonb", "U")
    document = '{"a": 1, "b": {"c": "x", "d": "secret", "e": {"f": "deep"}}, "g": ["secret"], "a\'": "secret"}'
    decision = Decision(MaskKind.JSON, paths=("a", "b.c", "b.e", "g"))
    with_array = bench.masked(decision, column, [document, '["secret"]', '"secret"', None])
    assert with_array == ['{"a": 1, "b": {"c": "x"}}', '{"b": {}}', '{"b": {}}', None]


def test_arrays_are_masked_element_by_element(bench: Bench) -> None:
    column = SourceColumn("v", "text[]", "text", "S", is_array=True)
    decision = Decision(MaskKind.EACH, of=Decision(MaskKind.LAST_NAME))
    ours = bench.masked(decision, column, [["Smith", "Jones", "Smith"], [], None])
    first = str(ours[0]).strip("{[]}").replace("'", "").split(",")
    assert len(first) == 3
    assert first[0].strip() == first[2].strip() != first[1].strip()
    assert "Smith" not in str(ours)
    assert ours[2] is None


def test_numbers_are_made_coarse(bench: Bench) -> None:
    column = SourceColumn("v", "numeric(8,2)", "numeric", "N")
    assert bench.masked(Decision(MaskKind.NUMBER, bucket=100.0), column, [199.99, -5, None]) == [
        "100.0",
        "-100.0",
        None,
    ]
    near = [float(str(mine)) for mine in bench.masked(Decision(MaskKind.NUMBER, noise=0.1), column, [1000] * 3)]
    assert all(900 <= mine <= 1100 for mine in near)


def test_the_key_is_neither_in_the_statement_nor_in_its_plan(bench: Bench) -> None:
    column = SourceColumn("v", "text", "text", "S")
    table = SourceTable(T, TableName("pg_temp", "t"), (column,))
    select = masked_select(Policy({"t": TablePolicy({"v": Decision(MaskKind.HASH)})}), table, {})
    secrets = [setting.partition("=")[2] for setting in ONE.settings(select.domains)]
    assert len(secrets) == 1
    assert len(secrets[0]) == 128
    with bench.session(ONE, select.domains) as session:
        session.execute("CREATE TEMP TABLE t (v text)")
        session.execute("INSERT INTO pg_temp.t VALUES ('x')")
        plan = "\n".join(str(row[0]) for row in session.query(f"EXPLAIN (ANALYZE, VERBOSE) {select.sql()}"))
        with connect(bench.server.credentials, application="tests") as other:
            seen = str(other.query("SELECT query, application_name FROM pg_stat_activity"))
    for secret in secrets:
        for half in (secret[:64], secret[64:]):
            assert half not in plan + seen + select.sql()
