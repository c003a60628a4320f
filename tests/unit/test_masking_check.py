"""What the check refuses, before anything is read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kitchen.domain.catalogue import Catalogue, Evidence, ForeignKey, SourceColumn, SourceTable
from kitchen.domain.layout import TableName
from kitchen.domain.masking import Decision, MaskKind, Policy, Reference, TablePolicy
from kitchen.masking.check import Finding, check
from kitchen.masking.classify import propose

PERSON, ORDERS = TableName("public", "person"), TableName("public", "orders")


def column(name: str, kind: str = "text", **more: object) -> SourceColumn:
    base, category = {
        "text": ("text", "S"), "varchar(10)": ("varchar", "S"), "integer": ("int4", "N"), "boolean": ("bool", "B"),
        "jsonb": ("jsonb", "U"), "char(1)": ("bpchar", "S"), "date": ("date", "D"), "bytea": ("bytea", "U"),
        "point": ("point", "G"), "numeric": ("numeric", "N"), "oid": ("oid", "N"), "tsvector": ("tsvector", "U"),
    }[kind]  # fmt: skip
    length = {"varchar(10)": 10, "char(1)": 1}.get(kind)
    made = SourceColumn(name, kind, base, category, max_length=length)
    return replace(made, **more)  # type: ignore[arg-type]


ID = column("id", "integer", not_null=True)


def findings(
    decided: dict[str, Decision], *columns: SourceColumn, uniques: tuple[tuple[str, ...], ...] = (),
    evidence: Evidence | None = None, checks: dict[str, str] | None = None, **named: object,
) -> list[Finding]:  # fmt: skip
    table = SourceTable(PERSON, PERSON, (ID, *columns), primary_key=("id",), uniques=(("id",), *uniques),
                        checks=checks or {})  # fmt: skip
    policy = Policy({"person": TablePolicy({"id": Decision(MaskKind.KEEP), **decided})})
    evidences = {(PERSON, c.name): evidence for c in columns if evidence is not None}
    return [f for f in check(policy, Catalogue((table,)), evidences, **named) if f.stops]  # type: ignore[arg-type]


REFUSED = [
    (Decision(MaskKind.KEEP), column("c"), "keep needs a reason"),
    (Decision(MaskKind.KEEP), column("c", "jsonb"), "keep needs a reason"),
    (Decision(MaskKind.KEEP, why="it is fine"), column("c", "oid"), "large objects"),
    (Decision(MaskKind.KEEP, why="it is fine"), column("c", "tsvector"), "recompute"),
    (Decision(MaskKind.BLANK), column("c", "integer", not_null=True), "no empty value"),
    (Decision(MaskKind.EMAIL), column("c", "varchar(10)"), "needs 37 characters"),
    (Decision(MaskKind.LAST_NAME), column("c", "varchar(10)", max_length=3), "too short"),
    (Decision(MaskKind.EMAIL), column("c", "integer"), "does not fit integer"),
    (Decision(MaskKind.CONST, value="longer than ten"), column("c", "varchar(10)"), "longer"),
    (Decision(MaskKind.CONST, value="x"), column("c", "integer"), "is no integer"),
    (Decision(MaskKind.HASH), column("c", "char(1)"), "so few values"),
    (Decision(MaskKind.HASH), column("c", "boolean"), "so few values"),
    (Decision(MaskKind.HASH), column("c", "point"), "does not fit point"),
    (Decision(MaskKind.LAST_NAME), column("c", "text", is_array=True), "each"),
    (Decision(MaskKind.EMAIL, subject="nobody"), column("c"), "is no column"),
    (Decision(MaskKind.RECOMPUTE), column("c"), "only generated columns"),
    (Decision(MaskKind.HASH), column("c", generated=True), "the mask is recompute"),
    (Decision(MaskKind.PERMUTE), column("c"), "whole numbers"),
    (Decision(MaskKind.DATE), column("c"), "does not fit text"),
    (Decision(MaskKind.DROP), column("c", dependants=("generated column d",)), "generated column d would be without"),
    (Decision(MaskKind.DROP), column("c", dependants=("the partition key",)), "the partition key would be without"),
]


@pytest.mark.parametrize(("decision", "live", "said"), REFUSED, ids=[f"{d.mask}: {s}" for d, _, s in REFUSED])
def test_a_mask_that_does_not_fit_is_refused(decision: Decision, live: SourceColumn, said: str) -> None:
    (found,) = findings({"c": decision}, live)
    assert found.subject == "public.person.c"
    assert said in found.says


@pytest.mark.parametrize("mask", [MaskKind.LAST_NAME, MaskKind.CITY, MaskKind.CARD, MaskKind.TEXT, MaskKind.STREET])
def test_a_lossy_mask_on_a_unique_column_is_refused(mask: MaskKind) -> None:
    assert findings({"c": Decision(mask)}, column("c")) == []
    for uniques in ((("c",),), (("id", "c"),)):
        (found,) = findings({"c": Decision(mask)}, column("c"), uniques=uniques)
        assert "must be unique" in found.says


def test_a_subject_that_is_not_unique_cannot_make_a_column_unique() -> None:
    decided = {"c": Decision(MaskKind.EMAIL, subject="firm"), "firm": Decision(MaskKind.KEEP)}
    firm = column("firm", "integer", not_null=True)
    (found,) = findings(decided, column("c"), firm, uniques=(("c",),))
    assert "'firm' is not" in found.says
    (found,) = findings(decided, column("c"), replace(firm, not_null=False))
    assert "may be NULL" in found.says


def test_few_values_tell_which_is_which_by_counting() -> None:
    few = Evidence(rows=2000, filled=2000, distinct=4, longest=9)
    (found,) = findings({"c": Decision(MaskKind.HASH)}, column("c"), evidence=few)
    assert "so few values" in found.says
    assert findings({"c": Decision(MaskKind.KEEP, why="a code")}, column("c"), evidence=few) == []


def test_values_that_a_check_lists_are_not_invented() -> None:
    checks = {"k": "(c = ANY (ARRAY['a'::text, 'b'::text]))"}
    (found,) = findings({"c": Decision(MaskKind.TEXT)}, column("c"), checks=checks)
    assert "CHECK lists" in found.says


def test_new_retyped_and_removed_columns_are_named() -> None:
    known = {"public.person.id": "integer", "public.person.c": "integer"}
    (found,) = findings({}, column("fresh"), known_types=known)
    assert (found.kind, found.says) == ("undecided", "text is undecided: the column is new")
    (found,) = findings({"c": Decision(MaskKind.TEXT)}, column("c"), known_types=known)
    assert found.kind == "retyped"
    assert "was integer" in found.says
    assert findings({"c": Decision(MaskKind.TEXT, type="text")}, column("c"), known_types=known) == []
    (found,) = findings({"gone": Decision(MaskKind.TEXT)})
    assert found.kind == "removed"


def test_proposals_need_a_review_where_it_is_asked_for() -> None:
    decided = {"c": Decision(MaskKind.TEXT, proposed=True)}
    assert findings(decided, column("c")) == []
    (found,) = findings(decided, column("c"), allow_proposed=False)
    assert found.kind == "unreviewed"


def _joined(child: SourceColumn, parent: SourceColumn) -> Catalogue:
    person = SourceTable(PERSON, PERSON, (parent,), primary_key=(parent.name,), uniques=((parent.name,),))
    orders = SourceTable(ORDERS, ORDERS, (child,))
    return Catalogue((orders, person), (ForeignKey(ORDERS, (child.name,), PERSON, (parent.name,)),))


def test_both_ends_of_a_foreign_key_are_masked_alike() -> None:
    catalogue = _joined(column("person_code"), column("code", not_null=True))
    proposals = propose(catalogue, Policy(), {})
    child, parent = proposals[ORDERS]["person_code"], proposals[PERSON]["code"]
    assert child == parent
    assert parent.mask is MaskKind.HASH
    one_kept = Policy(
        {
            "person": TablePolicy({"code": Decision(MaskKind.HASH)}),
            "orders": TablePolicy({"person_code": Decision(MaskKind.KEEP, why="a code")}),
        }
    )
    (found,) = [f for f in check(one_kept, catalogue, {}) if f.stops]
    assert found.kind == "unlike"
    assert "masked differently" in found.says


def test_keys_that_the_policy_declares_count_too() -> None:
    catalogue = replace(_joined(column("person_code"), column("code", not_null=True)), foreign_keys=())
    policy = Policy(
        {
            "person": TablePolicy({"code": Decision(MaskKind.HASH)}),
            "orders": TablePolicy({"person_code": Decision(MaskKind.TEXT)}),
        },
        references=(Reference("orders", ("person_code",), "person", ("code",)),),
    )
    assert [f.kind for f in check(policy, catalogue, {}) if f.stops] == ["unlike"]
    wrong = replace(policy, references=(Reference("orders", ("person_cod",), "person", ("code",)),))
    (found,) = [f for f in check(wrong, catalogue, {}) if f.stops]
    assert found.says == "the source has no column public.orders.person_cod"
