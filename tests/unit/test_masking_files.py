"""environments/masking.yaml: what it may say, and that proposals are only ever added to it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen.domain.layout import TableName
from kitchen.domain.masking import Decision, MaskKind, Policy, Reference
from kitchen.domain.masking_document import differences, from_document, to_document
from kitchen.errors import InvalidInput, Refused
from kitchen.files.loader import Document
from kitchen.files.masking import policy_of
from kitchen.files.masking_write import with_proposals, with_stuck

SHOWN = "environments/masking.yaml"
CUSTOMER = TableName("public", "customer")


def policy(text: str) -> Policy:
    return policy_of(Document(text, shown=SHOWN))


def test_a_policy_decides_columns_and_rows() -> None:
    found = policy(
        "tables:\n  customer:\n    where: active\n    id: {mask: keep, why: surrogate key}\n"
        "    rows: {mask: blank}\n  marts.log:\n    rows: none\n"
        'patterns:\n  "*.*_email": {mask: email}\nreferences: {orders.customer_no: customer.number}\n'
    )
    assert found.references == (Reference("orders", ("customer_no",), "customer", ("number",)),)
    assert found.table(CUSTOMER).where == "active"
    assert found.table(CUSTOMER).columns["rows"] == Decision(MaskKind.BLANK)
    assert found.table(TableName("marts", "log")).rows == "none"
    decided = found.decided(CUSTOMER, "home_email")
    assert decided is not None
    assert (decided.decision.mask, decided.by) == (MaskKind.EMAIL, 'pattern "*.*_email"')
    assert found.decided(CUSTOMER, "phone") is None
    assert found.where("customer", "id") == f"{SHOWN}:4"


def test_a_reference_may_have_several_columns() -> None:
    found = policy('references: {"a.orders.(region, no)": "customer.( region,number )"}')
    assert found.references == (Reference("a.orders", ("region", "no"), "customer", ("region", "number")),)
    for wrong in (
        '"orders.(a, b)": customer.number',
        "orders: customer",
        '"orders.(a,)": "customer.(b,)"',
        "a.b.c.d: e.f",
    ):
        with pytest.raises(InvalidInput, match="a reference is written"):
            policy(f"references: {{{wrong}}}")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{mask: kepe}", "kepe"),
        ("{mask: keep, subjekt: id}", "subjekt"),
        ("{mask: keep, subject: id}", "no setting 'subject'"),
        ("{mask: const}", "needs 'value'"),
        ("{mask: number}", "one of round, bucket and noise"),
        ("{mask: number, round: 0}", "more than 0"),
        ("{mask: date, to: year, days: 3}", "to: shift"),
        ('{mask: sql, sql: "1); DROP TABLE x; SELECT (2"}', "expression"),
        ('{mask: sql, sql: "(SELECT email FROM person LIMIT 1)"}', "its own row"),
        ('{mask: sql, sql: "a, b"}', "one SQL expression"),
        ('{mask: sql, sql: "{{:}}"}', "no SQL expression"),  # the parser raises what is not its own
        (f'{{mask: sql, sql: "{"(" * 3000}a{")" * 3000}"}}', "no SQL expression"),
        ("{mask: sql, sql: \"current_setting('kitchen.k0')\"}", "the masking key"),
        ("{mask: sql, sql: \"pg_catalog.Current_Setting('kitchen.k0')\"}", "the masking key"),
        ("{mask: sql, sql: \"query_to_xml('TABLE pg_authid', true, true, '')::text\"}", "beyond the row"),
        ("{mask: sql, sql: \"pg_read_file('/etc/passwd')\"}", "beyond the row"),
        ("{mask: sql, sql: 'U&\"\\0071uery_to_xml\"(a)'}", "beyond the row"),
        ('{mask: sql, sql: "a) FROM person, (SELECT 1"}', "expression"),
        ('{mask: sql, sql: "a -- b"}', "expression"),
        ("{mask: each, of: {mask: shuffle}}", "cannot be masked with shuffle"),
        ("{mask: json, paths: [a..b]}", "like address.city"),
        ("hash", "decision is written"),
    ],
)
def test_a_bad_decision_is_refused_with_its_line(line: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        policy(f"tables:\n  customer:\n    email: {line}\n")
    assert caught.value.message.startswith(f"{SHOWN}:3: tables.customer.email")
    assert said in caught.value.message


USERS = """\
# our policy, written by people
tables:
  customer:      # the important one
    # we know this key
    customer_id: {mask: keep,   why: 'surrogate key'}

  "order":
      id: {mask: keep, why: key}   # wide indent

# patterns come last
patterns:
  "*.note": {mask: text}
"""


def test_proposals_are_added_and_every_line_of_the_user_stays() -> None:
    text = with_proposals(
        USERS,
        {
            "customer": {"email": Decision(MaskKind.EMAIL, subject="customer_id", proposed=True)},
            "order": {"Weird: name": Decision(MaskKind.CONST, value="it's: #1", proposed=True)},
            "staff": {"no": Decision(MaskKind.KEEP, why="yes", proposed=True)},
        },
        shown=SHOWN,
    )
    lines = iter(text.splitlines())
    assert all(line in lines for line in USERS.splitlines())
    found = policy(text)
    assert found.tables["customer"].columns["email"] == Decision(MaskKind.EMAIL, subject="customer_id", proposed=True)
    assert found.tables["order"].columns["Weird: name"].value == "it's: #1"
    assert found.tables["staff"].columns["no"].why == "yes"
    assert '      "Weird: name": {mask: const, value: "it\'s: #1", proposed: true}' in text.splitlines()


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C"], exclude_characters="."), min_size=1, max_size=12)


@given(
    proposals=st.dictionaries(
        NAMES,
        st.dictionaries(
            NAMES,
            st.sampled_from([Decision(MaskKind.BLANK), Decision(MaskKind.KEEP, why="a: b # c")]),
            min_size=1,
            max_size=4,
        ),
        min_size=1,
        max_size=4,
    )
)  # fmt: skip
def test_any_names_come_back_as_they_were(proposals: dict[str, dict[str, Decision]]) -> None:
    text = with_proposals(USERS, proposals, shown=SHOWN)
    found = policy(text)
    for table, columns in proposals.items():
        for column, decision in columns.items():
            assert found.tables[table].columns[column] == decision or column == "customer_id"


def test_what_nothing_was_proposed_for_is_a_comment_that_comes_once() -> None:
    hostile = {"t.a\n  evil: {b: {mask: keep}}": "hash: it has\u2028no room", "t.c": "blank: no"}
    text = with_stuck(USERS, hostile)
    assert text.startswith(USERS)
    assert policy(text) == replace(policy(USERS), digest=policy(text).digest), "whatever names there are"
    assert text.splitlines()[-1] == "#   t.c: blank: no"
    assert with_stuck(text, hostile) == text
    again = with_stuck(text, hostile | {"t.d": "blank: no"}).splitlines()
    assert again[:-1] == text.splitlines()
    assert again[-1] == "#   t.d: blank: no"
    assert with_stuck(USERS, {}) == USERS


def test_a_file_that_cannot_take_lines_is_left_alone() -> None:
    added = {"customer": {"email": Decision(MaskKind.EMAIL)}}
    with pytest.raises(Refused, match=f"{SHOWN}:2"):
        with_proposals("tables:\n  customer: {id: {mask: keep}}\n", added, shown=SHOWN)


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "tables: {}\n", "patterns:\n  a.b: {mask: blank}\n"])
def test_an_empty_policy_takes_its_first_table(text: str) -> None:
    found = policy(with_proposals(text, {"t": {"c": Decision(MaskKind.BLANK)}}, shown=SHOWN))
    assert found.tables["t"].columns["c"].mask is MaskKind.BLANK


def test_a_policy_comes_back_from_its_document_and_says_where_another_differs() -> None:
    text = (
        "tables:\n  customer:\n    where: active\n    id: {mask: keep, why: surrogate key}\n"
        "    tags: {mask: each, of: {mask: hash, length: 8}}\n    about: {mask: json, paths: [a.b, c]}\n"
        "    born: {mask: date, to: year, subject: id}\n    flag: {mask: const, value: false}\n"
        "    paid: {mask: number, round: 10}\n    quasi_identifiers: [born, paid]\n  log: {rows: none}\n"
        'patterns:\n  "*.*_email": {mask: email}\nreferences: {orders.no: customer.id}\n'
        "canaries: [planted text]\naccepted: {ops: a team}\n"
    )
    found = policy(text)
    kept = json.loads(json.dumps(to_document(found)))
    again = from_document(kept, name=found.name, digest=found.digest)
    assert replace(again, lines=found.lines) == found
    assert to_document(again) == kept == to_document(policy(text.replace("[a.b, c]", "['a.b', 'c']")))
    assert differences(kept, to_document(found)) == ()
    other = policy(text.replace("length: 8", "length: 9").replace("where: active", "where: old").replace("ops", "op"))
    assert differences(kept, to_document(other)) == ("customer.tags", "customer", "`accepted:`")
