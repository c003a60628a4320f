"""Names: no two things meet in one, none is longer than PostgreSQL keeps, nothing hostile gets in."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from uuid import UUID, uuid4

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from kitchen.domain.kitchen import Kind, Kitchen, State, pantry_reader_role
from kitchen.domain.layout import Layout
from kitchen.domain.names import (
    ENVIRONMENT_LENGTH,
    IDENTIFIER_BYTES,
    KITCHEN_LENGTH,
    LOGICAL_SCHEMA_BYTES,
    candidate_name,
    environment_name,
    kitchen_name,
    name_from_branch,
)
from kitchen.errors import InvalidInput

# few letters, so that names are often near each other
parts = st.text("abrv1", min_size=1, max_size=5) | st.text(
    "abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=24
)
kitchen_names = st.builds(
    lambda first, rest: "_".join([first + rest[0], *rest[1:]])[:KITCHEN_LENGTH].rstrip("_"),
    st.sampled_from("abprk"),
    st.lists(parts, min_size=1, max_size=4),
)
environment_names = kitchen_names.map(lambda name: name[:ENVIRONMENT_LENGTH].rstrip("_"))
logical_names = kitchen_names | st.sampled_from(["_", "_a", "a_", "a_b", "r1", "marts"])


def allowed(check: object, name: str) -> bool:
    try:
        check(name)  # type: ignore[operator]
    except InvalidInput:
        return False
    return True


def kitchen(name: str, environment: str = "dev", kind: Kind = Kind.WORKING) -> Kitchen:
    return Kitchen(
        id=UUID(int=1), name=name, environment=environment, kind=kind, state=State.READY, branch=name,
        base_commit=None, parent=None, pantry=None, owner="ann", created_at=datetime.now(UTC),
    )  # fmt: skip


HOSTILE = [
    "", "--help", "-rf", "../x", "a;b", "a b", "é", "A", "1a", "_a", "a_", "a__b", "a-b", "a.b", "a/b", "a\n", "\na",
    "a\x00", "a'b", 'a"b', "$(id)", "a" * (KITCHEN_LENGTH + 1), "\uff41", "a\u200b", "@", "HEAD", "refs/heads/x",
    "a\ud800",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_hostile_names_are_refused_and_shown_harmlessly(name: str) -> None:
    for check in (kitchen_name, environment_name):
        with pytest.raises(InvalidInput) as caught:
            check(name)
        assert caught.value.message.isprintable()


RESERVED = [
    "public", "kitchen_control", "pantry", "pantry_v7", "pg_temp", "postgres", "main", "r7", "c_0123456789ab",
    "pantry_types_2",
]  # fmt: skip


@pytest.mark.parametrize("name", RESERVED)
def test_reserved_names(name: str) -> None:
    for check in (kitchen_name, environment_name):
        with pytest.raises(InvalidInput, match="reserved"):
            check(name)


@given(st.text("ab1_-A\u00e9 ", max_size=26) | st.text(max_size=5) | kitchen_names)
@settings(max_examples=1000)
def test_what_is_allowed_is_plain(text: str) -> None:
    if not allowed(kitchen_name, text):
        return
    assert text.isascii()
    assert text.isidentifier()
    assert text == text.lower()
    assert len(text) <= KITCHEN_LENGTH


@given(kitchen_names, environment_names)
def test_every_role_fits_and_says_whose_it_is(name: str, environment: str) -> None:
    one = kitchen(name, environment)
    roles = [one.owner_role, one.login_role, one.reader_role]
    assert len(set(roles)) == 3
    for role in [*roles, pantry_reader_role(environment, 99_999)]:
        assert len(role.encode()) <= IDENTIFIER_BYTES
        assert role.split("__")[:2] == ["kitchen", environment]


@given(kitchen_names, environment_names, kitchen_names, environment_names, st.integers(1, 99))
@settings(max_examples=500)
def test_no_two_kitchens_share_a_role(name: str, environment: str, other: str, elsewhere: str, version: int) -> None:
    assume((name, environment) != (other, elsewhere))
    one, two = kitchen(name, environment), kitchen(other, elsewhere)
    assert not {one.owner_role, one.login_role, one.reader_role} & {two.owner_role, two.login_role, two.reader_role}
    assert pantry_reader_role(environment, version) not in {two.owner_role, two.login_role, two.reader_role}


@given(
    st.lists(kitchen_names, min_size=2, max_size=4, unique=True),
    st.lists(logical_names, min_size=1, max_size=3, unique=True),
    st.booleans(),
)
@example(["marts", "a"], ["marts"], True)
@example(["a", "marts"], ["r1", "marts"], True)
@settings(max_examples=500)
def test_no_two_things_share_a_schema(names: list[str], logical: list[str], holds_production: bool) -> None:
    assume(all(allowed(kitchen_name, name) for name in names))
    try:
        layout = Layout(tuple(logical), holds_production)
        kitchens = [kitchen(names[0], kind=Kind.STANDING), *(kitchen(name) for name in names[1:])]
        own = [schema for one in kitchens for schema in layout.schemas(one)]
    except InvalidInput:
        return  # refused, and so nothing meets
    archives = [layout.archive(schema, release) for schema, release in product(own, (1, 99_999))]
    pantries = [layout.pantry(version, schema) for version, schema in product((1, 2, 12), logical)]
    types = [layout.types(schema) for schema in logical]
    everything = [*own, *archives, *types, *([] if holds_production else pantries)]
    assert len(set(everything)) == len(everything)
    assert all(len(schema.encode()) <= IDENTIFIER_BYTES for schema in everything)


def test_the_longest_names_fit() -> None:
    longest = kitchen("k" * KITCHEN_LENGTH, "e" * ENVIRONMENT_LENGTH)
    layout = Layout(("s" * LOGICAL_SCHEMA_BYTES, "t"), holds_production=False)
    schema = layout.schema(longest, "s" * LOGICAL_SCHEMA_BYTES)
    assert len(layout.archive(schema, 99_999).encode()) == IDENTIFIER_BYTES
    with pytest.raises(InvalidInput):
        Layout(("s" * (LOGICAL_SCHEMA_BYTES + 1),), holds_production=False)


BRANCHES = st.text(min_size=1, max_size=60) | st.from_regex(r"\A[a-zA-Z0-9_/.-]{1,40}\Z")


@given(BRANCHES)
@example("r1")
@example("pg_x")
@example("pantry_types")
@example("pantry_v1")
@example("c_0123456789ab")
@example("main")
@example("1234")
@example("é")
@settings(max_examples=1000)
def test_every_branch_gives_a_kitchen_name(branch: str) -> None:
    name = name_from_branch(branch)
    assert kitchen_name(name) == name
    assert name_from_branch(branch) == name


@given(BRANCHES, BRANCHES)
@example("feature/x", "feature_x")
@example("Feature", "feature")
@example("a" * 60, "a" * 59)
@settings(max_examples=500)
def test_different_branches_give_different_names(one: str, other: str) -> None:
    assume(one != other)
    assert name_from_branch(one) != name_from_branch(other)


def test_a_branch_is_recognised_in_its_name() -> None:
    for branch, begins in (
        ("feature/profit", "feature_profit_"), ("féature/ünï", "feature_uni_"), ("2024-01", "k_2024_01_"),
        ("release/1.2.3", "release_1_2_3_"), ("Profit", "profit_"), ("日本語", "k_"), ("@", "k_"), ("user", "user_"),
        ("x" * 200, "x" * 17 + "_"),
    ):  # fmt: skip
        assert name_from_branch(branch).startswith(begins)


def test_a_name_that_cannot_be_is_told_the_nearest() -> None:
    for typed, near in (("Profit", "profit"), ("pro-fit", "pro_fit"), ("é", "e")):
        with pytest.raises(InvalidInput) as caught:
            kitchen_name(typed)
        assert str(caught.value.hint).startswith(f"{near}, for example")


def test_candidates_never_meet_kitchens_or_each_other() -> None:
    names = {candidate_name(str(uuid4())) for _ in range(2000)}
    assert len(names) == 2000
    assert not any(allowed(kitchen_name, name) for name in names)
    assert all(len(name) <= KITCHEN_LENGTH for name in names)


@pytest.mark.parametrize("text", ["a" * 25, "profit_by_segment_and_yet_more", "P" * 200, "a_" * 30])
def test_a_name_that_is_too_long_is_told_with_one_that_is_not(text: str) -> None:
    with pytest.raises(InvalidInput, match="at most 24 characters") as caught:
        kitchen_name(text)
    assert caught.value.hint is not None
    assert kitchen_name(caught.value.hint.rpartition(" ")[2])


def test_a_sign_that_no_name_has_is_shown_as_it_was_typed() -> None:
    with pytest.raises(InvalidInput, match=r"'ä' cannot be the name .*; 'ä' is latin small letter a with diaeresis"):
        kitchen_name("ä")
    with pytest.raises(InvalidInput, match=r"'\\x1b' cannot be the name"):
        kitchen_name("\x1b")
