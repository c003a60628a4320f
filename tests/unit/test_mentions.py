"""Which tables a statement names, and what it does to them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen.engine.sql_reading import read_sql
from kitchen.engine.statements import canonical, literal, parameters_in, split, with_parameters
from kitchen.errors import InvalidInput

CASES = [
    ("SELECT * FROM a JOIN marts.b ON true", ["a read", "marts.b read"]),
    ("WITH a AS (SELECT 1) SELECT * FROM a, b", ["b read"]),
    ("WITH orders AS (SELECT * FROM orders) SELECT * FROM orders", ["orders read"]),
    ("WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT * FROM r) SELECT * FROM r", []),
    ("SELECT (SELECT max(i) FROM a) FROM (SELECT * FROM b) AS d WHERE EXISTS (SELECT FROM c)",
     ["a read", "b read", "c read"]),
    ("SELECT * FROM generate_series(1, 2) AS g, LATERAL (SELECT * FROM z WHERE z.i = g.i) AS q", ["z read"]),
    ("INSERT INTO marts.t (a) SELECT a FROM s ON CONFLICT DO NOTHING", ["marts.t change", "s read"]),
    ("UPDATE t SET a = s.a FROM s WHERE s.i = t.i", ["t change", "s read"]),
    ("DELETE FROM t USING s WHERE s.i = t.i", ["t change", "s read"]),
    ("DELETE FROM t", ["t empty"]),
    ("TRUNCATE TABLE a, b CASCADE", ["a empty", "b empty"]),
    ("MERGE INTO t USING s ON t.i = s.i WHEN MATCHED THEN UPDATE SET a = 1", ["t change", "s read"]),
    ("WITH gone AS (DELETE FROM a WHERE true RETURNING *) INSERT INTO b SELECT * FROM gone", ["b change", "a change"]),
    ("CREATE TABLE t AS SELECT * FROM s", ["t create", "s read"]),
    ("CREATE TABLE IF NOT EXISTS t (i int REFERENCES p (i))", ["t create if missing", "p read"]),
    ("CREATE TEMP TABLE t ON COMMIT DROP AS SELECT * FROM s", ["t create temporary", "s read"]),
    ("CREATE TEMPORARY TABLE t AS WITH a AS (SELECT * FROM b) SELECT * FROM a, c",
     ["t create temporary", "b read", "c read"]),
    ("CREATE UNLOGGED TABLE t (LIKE s INCLUDING ALL)", ["t create", "s read"]),
    ("CREATE OR REPLACE VIEW v AS SELECT * FROM s", ["v replace", "s read"]),
    ("CREATE MATERIALIZED VIEW v AS SELECT * FROM s", ["v create", "s read"]),
    ("SELECT 1 INTO t FROM s", ["t create", "s read"]),
    ("CREATE INDEX i ON marts.t USING gin (a)", ["marts.t change"]),
    ("CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()", ["t change"]),
    ("ALTER TABLE t ADD COLUMN z int", ["t change"]),
    ("ALTER TABLE IF EXISTS ONLY t ALTER COLUMN z SET STORAGE EXTERNAL, ADD CHECK (z > 1)", ["t change"]),
    ("ALTER TABLE marts.new RENAME TO t", ["marts.new change", "t rename to"]),
    ("DROP TABLE IF EXISTS a, b", ["a drop if there", "b drop if there"]),
    ("DROP TABLE a", ["a drop"]),
    ("DROP INDEX i", []),
    ("REFRESH MATERIALIZED VIEW CONCURRENTLY marts.v", ["marts.v change"]),
    ("COPY t FROM STDIN", ["t change"]),
    ("COPY t TO STDOUT", ["t read"]),
    ('SELECT "My".T.x FROM "My".T', ["My.t read", "My.t qualifier"]),
    ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 FROM hidden; SELECT 2; END", []),
    ("SELECT 'from x' AS t -- FROM y\n/* FROM z */", []),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "expected"), CASES, ids=[sql[:40] for sql, _ in CASES])
def test_what_a_statement_names(sql: str, expected: list[str]) -> None:
    readings = read_sql(sql, "t.sql")
    assert len(readings) == 1
    found = sorted(f"{mention.name} {mention.use}" for mention in readings[0].mentions)
    assert found == sorted(expected)
    for mention in readings[0].mentions:  # the place in the text is where the name stands
        written = readings[0].statement.text[mention.start : mention.end].replace('"', "")
        assert written.lower() == str(mention.name).lower()


@pytest.mark.parametrize("sql", ["DO $$ BEGIN END $$", "CALL f(1)", "EXECUTE x"])
def test_what_cannot_be_seen_through_is_said(sql: str) -> None:
    assert read_sql(sql, "t.sql")[0].opaque == sql.split(maxsplit=1)[0]


def test_a_text_over_which_the_parser_stumbles_is_one_that_the_server_may_know() -> None:
    assert len(read_sql("SELECT {{:}}", "t.sql")) == 1


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT 1;\nSELEC 1", "t.sql:2: no SQL statement begins with 'SELEC'; did you mean SELECT?"),
        ("<<<<<<< HEAD\nSELECT 1", "t.sql:1: no SQL statement begins with '<'"),
        ('"select" 1', "t.sql:1: no SQL statement begins with 'select'"),
    ],
)
def test_what_begins_as_no_statement_does_is_refused(sql: str, said: str) -> None:
    """What it would have named is not known, and the order of the nodes would be another."""
    with pytest.raises(InvalidInput) as refused:
        read_sql(sql, "t.sql")
    assert refused.value.message.startswith(said)


@pytest.mark.parametrize("sql", [
    "(SELECT 1)", "TABLE t", "VALUES (1)", "with a as (select 1) select * from a", "REINDEX TABLE t",
    "REFRESH MATERIALIZED VIEW t", "security label on table t is 'x'", "IMPORT FOREIGN SCHEMA a FROM SERVER b INTO c",
    "EXPLAIN SELECT 1", "ANALYSE t", "FETCH ALL FROM c", "LOCK TABLE t", "REASSIGN OWNED BY a TO b", "SET LOCAL a = 1",
    "SHOW a", "COMMENT ON TABLE t IS 'x'", "DECLARE c CURSOR FOR SELECT 1", "UNLISTEN *", "LOAD 'x'", "CHECKPOINT",
    "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE",
])  # fmt: skip
def test_every_command_of_the_server_is_one(sql: str) -> None:
    assert len(read_sql(sql, "t.sql")) == 1


def test_a_statement_that_is_nested_too_deeply_is_refused_with_its_line() -> None:
    """No crash: a runner that reads it has others to answer."""
    with pytest.raises(InvalidInput, match=r"t\.sql:2: the statement is nested too deeply"):
        read_sql("SELECT 1;\nSELECT 1" + "+1" * 20_000, "t.sql")


@pytest.mark.parametrize("sql", ["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a", "VACUUM t", "START TRANSACTION"])
def test_what_would_end_the_nodes_transaction_is_refused(sql: str) -> None:
    assert read_sql(sql, "t.sql")[0].refused


def test_statements_are_split_where_the_server_splits_them() -> None:
    sql = (
        "SELECT ';' /* ; */;\n-- ;\nSELECT $q$;$q$;;\nCREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1;"
        " SELECT CASE WHEN true THEN 1 END; END;\nSELECT 4"
    )
    found = split(sql, shown="t.sql")
    assert [(statement.line, statement.text[:6]) for statement in found] == [
        (1, "SELECT"), (3, "SELECT"), (4, "CREATE"), (5, "SELECT"),
    ]  # fmt: skip
    with pytest.raises(InvalidInput, match=r"t.sql: cannot be read as SQL"):
        split("SELECT 'open", shown="t.sql")


# --- parameters -------------------------------------------------------------------------------------------------------


def test_parameters_are_only_whole_tokens() -> None:
    sql = """SELECT :a, ':a', "x:a", a[1:n], a::text, b[lo:hi], $$:a$$ -- :a\n, :date FROM t"""
    assert parameters_in(sql, shown="t.sql") == {"a": 1, "date": 2}
    with pytest.raises(InvalidInput, match=r"t.sql:1: there is no parameter 'aa'; did you mean 'a'"):
        with_parameters("SELECT :aa", {"a": 1}, shown="t.sql")


@given(st.one_of(st.text(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none(),
                 st.dates(), st.datetimes()))  # fmt: skip
def test_a_literal_is_always_one_value(value: object) -> None:
    """Whatever a parameter holds, nothing of it becomes SQL."""
    if isinstance(value, str) and "\x00" in value:
        with pytest.raises(InvalidInput):
            literal(value)
        return
    statements = split(f"SELECT {literal(value)} AS it FROM t", shown="t.sql")
    assert len(statements) == 1
    words = [token.text.upper() for token in statements[0].tokens]
    assert words[0] == "SELECT"
    assert words[-4:] == ["AS", "IT", "FROM", "T"]
    assert len(words) <= 10
    assert [str(mention.name) for mention in read_sql(statements[0].text, "t.sql")[0].mentions] == ["t"]


# --- canonical form ---------------------------------------------------------------------------------------------------

WORDS = ["SELECT", "a", "+", "'b  c'", ",", '"D e"', "FROM", "marts", ".", "t", "WHERE", "x", "=", "E'\\n'", "AND",
         "$q$ y $q$", "<>", "z", "::", "text"]  # fmt: skip
SPACE = st.sampled_from([" ", "\n", "\t ", " -- comment ' ; \n", " /* ; ' */ ", "\n\n"])


@given(st.lists(SPACE, min_size=len(WORDS), max_size=len(WORDS)), st.lists(st.booleans(), min_size=len(WORDS)))
def test_layout_comments_and_letter_case_do_not_count(spaces: list[str], upper: list[bool]) -> None:
    plain = [word.upper() if up and word.isalpha() else word for word, up in zip(WORDS, upper, strict=False)]
    text = "".join(word + space for word, space in zip(plain, spaces, strict=False))
    assert canonical(text) == canonical(" ".join(WORDS)) == canonical(text + ";\n;")


@given(st.integers(min_value=0, max_value=len(WORDS) - 1), st.sampled_from(["b", "'b c'", "1", '"d e"', "||"]))
def test_every_other_change_counts(position: int, other: str) -> None:
    changed = [*WORDS[:position], other, *WORDS[position + 1 :]]
    assert (canonical(" ".join(changed)) == canonical(" ".join(WORDS))) == (changed == WORDS)
