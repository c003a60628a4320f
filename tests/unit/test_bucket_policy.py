"""A bucket's policy: what an environment asks for, merged with what others wrote."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen.domain.bucket_policy import bucket_statements, merged, policy_text, principal_of
from kitchen.domain.environment import Environment, Service
from kitchen.errors import InvalidInput

_NONE = Service("none")
ANN = "arn:aws:iam::123456789012:user/kitchens"
FOREIGN = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::shop/public/*"}


def environment(name: str = "dev", **settings: object) -> Environment:
    storage = Service("s3", {"bucket": "shop", **settings})
    return Environment(name, "dev", "production", _NONE, _NONE, storage, _NONE)


def test_files_travel_encrypted_and_the_policy_can_always_be_mended() -> None:
    rules = [one.rule for one in bucket_statements(environment(prefix="a/b"), None)]
    assert [rule["Effect"] for rule in rules] == ["Deny", "Deny"]
    assert rules[0]["Resource"] == "arn:aws:s3:::shop/a/b/*"
    assert rules[0]["Action"] == "s3:*"
    assert rules[1]["Resource"] == "arn:aws:s3:::shop"
    assert rules[1]["Action"] == ["s3:ListBucket", "s3:ListBucketVersions"]
    assert rules[1]["Condition"]["StringLike"] == {"s3:prefix": "a/b/*"}
    assert all(rule["Condition"]["Bool"] == {"aws:SecureTransport": "false"} for rule in rules)
    assert bucket_statements(environment(endpoint="http://127.0.0.1:1"), None) == ()


def test_a_bucket_of_ones_own_is_not_cut_into_parts() -> None:
    names = [one.sid for one in bucket_statements(environment(), ANN)]
    assert names == [
        f"KitchenDev{name}" for name in ("OnlyEncrypted", "ListsOnlyEncrypted", "Files", "Lists", "Policy")
    ]


def test_no_two_projects_and_environments_share_a_statement() -> None:
    places = [environment("dev", prefix="shop/dev"), environment("dev", prefix="hr/dev"), environment("dev"),
              environment("production", prefix="shop/dev")]  # fmt: skip
    names = [one.sid for place in places for one in bucket_statements(place, ANN)]
    assert len(set(names)) == len(names)
    assert all(name.isalnum() for name in names)


@pytest.mark.parametrize(
    "answer", ["arn:aws:iam::123456789012:root", "arn:aws:sts::123456789012:assumed-role/x/y", None]
)
def test_only_a_users_key_is_named(answer: str | None) -> None:
    assert principal_of(environment(), answer) is None
    assert principal_of(environment(principal=ANN), answer) == ANN
    assert principal_of(environment(), ANN) == ANN


def test_the_statements_of_others_stay_and_ours_are_mended() -> None:
    place = environment(prefix="dev")
    ours = bucket_statements(place, ANN)
    first = merged(json.dumps({"Version": "2008-10-17", "Id": "corp", "Statement": FOREIGN}), place, ours)
    assert len(first.changes) == len(ours) == 7
    policy = json.loads(first.text or "")
    assert (policy["Version"], policy["Id"], policy["Statement"][0]) == ("2008-10-17", "corp", FOREIGN)
    assert merged(first.text, place, ours) == type(first)(first.text, ())
    policy["Statement"][3]["Resource"] = "arn:aws:s3:::shop/*"
    del policy["Statement"][5]
    second = merged(json.dumps(policy), place, ours)
    assert [change.split(": ")[0].split(" ", 1)[1] for change in second.changes] == ["is missing", "is another"]
    assert json.loads(second.text or "")["Statement"] == json.loads(first.text or "")["Statement"]


def test_what_is_no_longer_asked_for_is_taken_out() -> None:
    place = environment(prefix="dev")
    full = merged(None, place, bucket_statements(place, ANN)).text
    less = merged(full, place, bucket_statements(place, None))
    assert len(less.changes) == 5
    assert all(change.endswith("is too much") for change in less.changes)
    assert merged(full, place, ()).text is None
    assert merged(None, place, ()).changes == ()


def test_a_policy_that_is_none_is_told() -> None:
    with pytest.raises(InvalidInput, match="not JSON"):
        merged("<html>", environment(), ())


@given(st.data())
def test_servers_may_write_it_in_their_own_way(data: st.DataObject) -> None:
    place = environment(prefix="dev")
    ours = bucket_statements(place, ANN)
    assert ours

    def rewritten(value: object) -> object:
        match value:
            case dict():
                return {key: inner if key in ("Sid", "Effect") else rewritten(inner) for key, inner in value.items()}
            case list():
                return data.draw(st.permutations(value))
            case "*":
                return data.draw(st.sampled_from(["*", {"AWS": "*"}, {"AWS": ["*"]}]))
        return data.draw(st.sampled_from([value, [value]]))

    text = json.dumps({"Version": "2012-10-17", "Statement": [rewritten(dict(one.rule)) for one in ours]})
    assert merged(text, place, ours).changes == ()
    assert merged(policy_text(ours), place, ours).changes == ()
