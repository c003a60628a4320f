"""Which table is meant by the name that somebody types."""

from __future__ import annotations

import pytest

from kitchen.domain.layout import TableName
from kitchen.errors import InvalidInput, NotFound
from kitchen.operations.hydrate import resolve
from kitchen.ports import Relation


def seen(*names: tuple[str, str]) -> list[Relation]:
    return [Relation(TableName(*name), TableName("pantry_v1", name[1]), "table", 1, 1) for name in names]


VISIBLE = seen(("raw", "orders"), ("marts", "orders"), ("raw", "customers"), ("raw", "Quoted Name"), ("raw", "marts.x"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("customers", ("raw", "customers")),
        ("marts.orders", ("marts", "orders")),
        ("raw.Quoted Name", ("raw", "Quoted Name")),
        ("marts.x", ("raw", "marts.x")),
    ],
)
def test_names_are_found(text: str, expected: tuple[str, str]) -> None:
    assert resolve([text, text], VISIBLE) == (TableName(*expected),)


def test_an_ambiguous_name_is_refused_with_both() -> None:
    with pytest.raises(InvalidInput, match=r"marts\.orders, raw\.orders") as refusal:
        resolve(["orders"], VISIBLE)
    assert refusal.value.hint == "kitchen hydrate marts.orders"


def test_a_mistyped_name_is_answered_with_the_near_one() -> None:
    with pytest.raises(NotFound, match="did you mean 'customers'"):
        resolve(["custmers"], VISIBLE)
