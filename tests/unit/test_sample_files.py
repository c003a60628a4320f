"""``sample:`` in an environment's file."""

from __future__ import annotations

import pytest

from kitchen.domain.sample import Sample, Seed, in_percent, share_of
from kitchen.errors import InvalidInput
from kitchen.files.environment import environments_from

TOP = "branch: main\n"


def sample(text: str) -> Sample | None:
    chain = environments_from({
        "environments/production.yaml": TOP,
        "environments/dev.yaml": f"branch: dev\nparent: production\ndata:\n  from: production\n  sample: {text}\n",
    })  # fmt: skip
    data = chain.get("dev").data
    assert data is not None
    return data.sample


def test_a_share_alone_is_enough() -> None:
    assert sample("10%") == Sample(share=0.1)
    assert sample("null") is None


def test_everything_can_be_said() -> None:
    found = sample(
        "{share: 0.5%, seeds: {customer: 5%, marts.orders: {where: \"ordered_at > now() - interval '30 days'\"}},"
        " whole: [country], whole_below: 50, max_children: {orders.customer_id: 20}, max_rows: 1000000}"
    )
    assert found == Sample(
        share=0.005,
        seeds={"customer": Seed(share=0.05), "marts.orders": Seed(where="ordered_at > now() - interval '30 days'")},
        whole=("country",), whole_below=50, max_children={"orders.customer_id": 20}, max_rows=1_000_000,
    )  # fmt: skip
    assert sample("{share: 1%, max_children: 7}") == Sample(share=0.01, max_of_any=7)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("10", "sample"),
        ("0%", "is no share"),
        ("101%", "is no share"),
        ("ten", "is no share"),
        ("{}", "say `share: 10%`"),
        ("{shar: 10%}", "did you mean 'share'"),
        ("{share: 10%, whole_below: -1}", "whole_below"),
        ("{seeds: {customer: {wher: x}}}", "wher"),
        ('{seeds: {customer: {where: "x); DROP TABLE y; SELECT (1"}}}', "expression"),
        ('{seeds: {customer: {where: "id IN (SELECT 1)"}}}', "its own row"),
        ("{seeds: {a.b.c: 1%}}", "marts.customer"),
        ("{share: 1%, max_children: {orders: 1}}", "orders.customer_id"),
        ("{seeds: {customer: 1%}, whole: [customer]}", "come whole"),
        ("{share: 1%, max_rows: 0}", "max_rows"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=r"environments/dev\.yaml:5") as refused:
        sample(text)
    assert said in str(refused.value)


def test_shares_are_written_as_they_are_read() -> None:
    for text in ("10 %", "0.5 %", "100 %", "0.0001 %", "33.3 %"):
        assert in_percent(share_of(text)) == text
