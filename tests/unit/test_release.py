"""A plan is one value: approvals are bound to it, and it survives being kept."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from kitchen.domain.release import Approval, Release, ReleaseKind, ReleasePlan, ReleaseState

_words = st.text(max_size=8)
_some = st.lists(_words, max_size=3).map(tuple)
_plans = st.builds(
    ReleasePlan,
    source=_words, source_branch=_words, branch=_words, base=_words, head=_words,
    nodes=st.dictionaries(_words, _some, max_size=3), tables=_some, drops=_some, changes=_some,
    commits=st.lists(st.dictionaries(_words, _words, max_size=2), max_size=2).map(tuple), files=_some, guarded=_some,
    approvals=st.integers(0, 3), tests=st.sampled_from(["affected", "all"]),
    restores=st.none() | st.integers(0, 9), loosens=_some, others=st.booleans(), alone=_some,
)  # fmt: skip

PLAN = ReleasePlan(
    source="dev", source_branch="dev", branch="main", base="a", head="b", nodes={"report": ("totals",)},
    tables=("public.totals",), approvals=2,
)  # fmt: skip
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def release(*approvals: Approval) -> Release:
    return Release(
        1, ReleaseKind.PROMOTION, "production", "production", PLAN, ReleaseState.PLANNED, "ann", NOW,
        approvals=approvals,
    )  # fmt: skip


@given(_plans)
def test_a_plan_survives_being_kept(plan: ReleasePlan) -> None:
    kept = json.loads(json.dumps(plan.to_document()))
    assert ReleasePlan.from_document(kept) == plan
    assert ReleasePlan.from_document(kept).hash == plan.hash


@given(_plans, _plans)
def test_different_plans_have_different_hashes(one: ReleasePlan, other: ReleasePlan) -> None:
    assert (one.hash == other.hash) == (one == other)


def test_an_approval_counts_for_exactly_one_plan_and_one_person() -> None:
    given_to_it = Approval("ann", NOW, PLAN.hash, own=True)
    of_another = Approval("bob", NOW, replace(PLAN, head="c").hash, own=False)
    assert release().missing_approvals == 2
    assert release(given_to_it, given_to_it).missing_approvals == 1
    assert release(given_to_it, of_another).missing_approvals == 1
    assert release(given_to_it, replace(of_another, plan_hash=PLAN.hash)).missing_approvals == 0
