"""What of a changed masking policy somebody else has to look at."""

from __future__ import annotations

import pytest

from kitchen.domain.masking import Policy
from kitchen.files.loader import Document
from kitchen.files.masking import policy_of
from kitchen.masking.weaker import weaker

BEFORE = """
tables:
  person:
    id: {mask: keep, why: key}
    email: {mask: email}
    born: {mask: date, to: year}
    paid: {mask: number, round: 100}
    about: {mask: json, paths: [a]}
    tags: {mask: each, of: {mask: hash}}
    code: {mask: sql, sql: "left(code, 1)", why: x}
    where: active
  log: {rows: none}
patterns: {"*.*_note": {mask: text}}
canaries: [planted text]
"""


def policy(text: str) -> Policy:
    return policy_of(Document(text, shown="environments/masking.yaml"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("email: {mask: email}", "email: {mask: keep, why: x}", "person.email: email, now keep"),
        ("email: {mask: email}", "email: {mask: shuffle}", "person.email: email, now shuffle"),
        ("email: {mask: email}", "email: {mask: email}\n    fax: {mask: keep, why: x}", "person.fax: new, now keep"),
        ("to: year", "to: month", "person.born: date, now date"),
        ("round: 100", "round: 10", "person.paid: number, now number"),
        ("paths: [a]", "paths: [a, b]", "person.about: json, now json"),
        ("of: {mask: hash}", "of: {mask: keep, why: x}", "person.tags: each, now each"),
        ("left(code, 1)", "code", "person.code: sql, now sql"),
        ("    where: active\n", "", ""),
        ("where: active", "where: id > 0", "person: other rows come along"),
        ("log: {rows: none}", "log: {rows: all}", "log: its rows come along"),
        ("{mask: text}", "{mask: keep, why: x}", 'pattern "*.*_note": now keep'),
        ("planted text", "another text", "canaries: fewer are looked for"),
        ("canaries:", "accepted: {ops: a team}\ncanaries:", "accepted: 1 more texts may stay"),
    ],
)
def test_what_reveals_more_is_named(old: str, new: str, said: str) -> None:
    assert old in BEFORE
    expected = (said,) if said else ("person: other rows come along",)
    assert weaker(policy(BEFORE), policy(BEFORE.replace(old, new, 1))) == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("{mask: keep, why: key}", "{mask: keep, why: surrogate key}"),
        ("{mask: keep, why: key}", "{mask: permute}"),
        ("{mask: keep, why: key}", "{mask: shuffle}"),
        ("email: {mask: email}", "email: {mask: blank}"),
        ("email: {mask: email}", "email: {mask: hash}\n    fax: {mask: phone}"),
        ("{mask: date, to: year}", "{mask: blank}"),
        ("paths: [a]", "paths: []"),
        ("person:", "other: {id: {mask: hash}}\n  person:"),
        ("canaries: [planted text]", "canaries: [planted text, and more]"),
    ],
)
def test_what_reveals_no_more_passes(old: str, new: str) -> None:
    assert weaker(policy(BEFORE), policy(BEFORE.replace(old, new, 1))) == ()


def test_a_pattern_that_decided_a_column_is_what_was_before() -> None:
    now = BEFORE.replace("    id:", "    a_note: {mask: text}\n    id:", 1)
    assert weaker(policy(BEFORE), policy(now)) == ()
    assert weaker(policy(BEFORE), policy(now.replace("a_note: {mask: text}", "a_note: {mask: keep, why: x}"))) == (
        "person.a_note: text, now keep",
    )


NAMES = """
tables:
  person: {name: {mask: full_name}, id: {mask: hash}}
  public.log: {rows: none, what: {mask: text}}
  other: {where: active, id: {mask: hash}}
patterns: {"secret_*.*": {mask: text}, "*.name": {mask: keep, why: of things}, "*.what": {mask: text}}
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: {mask: full_name}, ", "", "person.name: full_name, now keep"),
        ("  person: {name: {mask: full_name}, id: {mask: hash}}\n", "", "person.name: full_name, now keep"),
        ("person:", "public.person: {id: {mask: hash}}\n  person:", "public.person.name: full_name, now keep"),
        ("public.log: {rows: none, what", "log: {what", "log: its rows come along"),
        ("  public.log: {rows: none, what: {mask: text}}\n", "", "log: its rows come along"),
        ("other: {where: active, ", "public.other: {", "public.other: other rows come along"),
        ('"secret_*.*": {mask: text}, ', "", 'pattern "*.name": "secret_*.*" does not come before it any more'),
        (
            '"secret_*.*": {mask: text}, "*.name": {mask: keep, why: of things}',
            '"*.name": {mask: keep, why: of things}, "secret_*.*": {mask: text}',
            'pattern "*.name": "secret_*.*" does not come before it any more',
        ),
    ],
)
def test_what_decides_a_column_counts_and_not_the_line_that_changed(old: str, new: str, said: str) -> None:
    assert old in NAMES
    assert said in weaker(policy(NAMES), policy(NAMES.replace(old, new, 1)))
    assert weaker(policy(NAMES), policy(NAMES)) == ()
