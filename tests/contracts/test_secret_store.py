"""What every secret store promises, asked of the encrypted files, Vault's wire, and a real Vault where one is named."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import traceback
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from kitchen.adapters.secret_file import FileSecretStore
from kitchen.adapters.vault import VaultLogin, VaultSecretStore
from kitchen.domain.secret import Secret
from kitchen.errors import Conflict, InvalidInput, KitchenError, NotPermitted, Unavailable
from kitchen.ports import SecretStore
from tests.contracts.fake_vault import FakeVault

CANARY = "c4n4ry-of-the-secret-store"


@pytest.fixture
def fake_vault() -> Iterator[FakeVault]:
    with FakeVault() as vault:
        yield vault


@pytest.fixture(params=["file", "fake vault", "real vault"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SecretStore]:
    if request.param == "file":
        yield FileSecretStore(tmp_path / "secrets", tmp_path / "keys" / "key")
    elif request.param == "fake vault":
        vault: FakeVault = request.getfixturevalue("fake_vault")
        yield VaultSecretStore(vault.address, VaultLogin("token", Secret(vault.root)), prefix="kitchens/dev")
    else:
        yield from real_vault()


def real_vault() -> Iterator[SecretStore]:
    address = os.environ.get("KITCHEN_VAULT_ADDR")
    if not address:
        if "vault" in os.environ.get("KITCHEN_REQUIRE", "").split(","):
            pytest.fail("a real Vault is required, and KITCHEN_VAULT_ADDR names none")
        pytest.skip("no real Vault: KITCHEN_VAULT_ADDR names none")
    login = VaultLogin("token", Secret(os.environ["KITCHEN_VAULT_TOKEN"]))
    mount = os.environ.get("KITCHEN_VAULT_MOUNT", "secret")
    made = VaultSecretStore(address, login, mount=mount, prefix=f"kitchen-test-{uuid.uuid4().hex[:12]}")
    yield made
    for path in made.list(""):
        made.delete(path)


def test_a_secret_comes_back_as_it_was_written(store: SecretStore) -> None:
    secret = {"password": 'päss"w\\ord\n\t$(id)\x00', "empty": "", "key with space": "v" * 5000}
    assert store.read("kitchens/profit") is None
    store.write("kitchens/profit", secret)
    assert store.read("kitchens/profit") == secret
    store.write("kitchens/profit", {"password": "two"})
    assert store.read("kitchens/profit") == {"password": "two"}


def test_create_only_never_overwrites(store: SecretStore) -> None:
    store.write("a/b", {"k": "first"}, create_only=True)
    with pytest.raises(Conflict):
        store.write("a/b", {"k": "second"}, create_only=True)
    assert store.read("a/b") == {"k": "first"}


def test_of_many_creators_one_wins(store: SecretStore) -> None:
    won: list[int] = []

    def create(number: int) -> None:
        try:
            store.write("race", {"k": str(number)}, create_only=True)
        except Conflict:
            return
        won.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.read("race") == {"k": str(won[0])}


def test_deleting_removes_it_whole_and_twice_is_success(store: SecretStore) -> None:
    store.write("a/b", {"k": "1"})
    store.write("a/b", {"k": "2"})
    store.delete("a/b")
    assert store.read("a/b") is None
    assert store.list("") == ()
    store.delete("a/b")
    store.write("a/b", {"k": "3"}, create_only=True)  # no version is left to be in the way
    assert store.read("a/b") == {"k": "3"}


def test_listing(store: SecretStore) -> None:
    for path in ("b", "a/x", "a/y/z", "ab/x", "a"):
        store.write(path, {"k": "v"})
    assert store.list("") == ("a", "a/x", "a/y/z", "ab/x", "b")
    assert store.list("a") == store.list("a/") == ("a/x", "a/y/z")
    assert store.list("nothing") == ()


HOSTILE = [
    "", "/", "a/", "/a", "a//b", "..", "a/../b", "a/./b", "A", "a b", "a.b", "a%2e", "a\n",
    "a\x00", "é", "a" * 65, "a?b", "a#b", "/".join("a" * 9),
]  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE)
def test_hostile_paths_are_refused_before_anything_happens(store: SecretStore, path: str) -> None:
    for ask in (store.read, store.delete, lambda one: store.write(one, {"k": "v"})):
        with pytest.raises(InvalidInput):
            ask(path)
    assert store.list("") == ()
    if path not in ("", "a/"):
        with pytest.raises(InvalidInput):
            store.list(path)


# --- the encrypted files ---


def test_nothing_is_readable_on_disk_and_modes_are_tight(tmp_path: Path) -> None:
    store = FileSecretStore(tmp_path / "secrets", tmp_path / "keys" / "key")
    old = os.umask(0)
    try:
        store.write("kitchens/profit", {"password": CANARY})
    finally:
        os.umask(old)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    folders = [path for path in tmp_path.rglob("*") if path.is_dir()]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}
    assert not any(CANARY.encode() in path.read_bytes() for path in files)
    assert {path.relative_to(tmp_path).as_posix() for path in files} == {"keys/key", "secrets/kitchens/profit.secret"}


def test_equal_secrets_look_different(tmp_path: Path) -> None:
    store = FileSecretStore(tmp_path / "secrets", tmp_path / "key")
    store.write("a", {"k": "v"})
    first = (tmp_path / "secrets" / "a.secret").read_bytes()
    store.write("a", {"k": "v"})
    assert (tmp_path / "secrets" / "a.secret").read_bytes() != first


def test_a_file_that_was_moved_or_changed_is_refused(tmp_path: Path) -> None:
    store = FileSecretStore(tmp_path / "secrets", tmp_path / "key")
    store.write("a", {"k": CANARY})
    kept = tmp_path / "secrets" / "a.secret"
    (tmp_path / "secrets" / "b.secret").write_bytes(kept.read_bytes())
    (tmp_path / "secrets" / "b.secret").chmod(0o600)
    with pytest.raises(NotPermitted, match="cannot be opened"):
        store.read("b")
    whole = kept.read_bytes()
    for position in (0, 20, len(whole) - 1):
        kept.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        with pytest.raises(NotPermitted, match="cannot be opened"):
            store.read("a")
    for cut in (0, 5, 25, len(whole) - 1):
        kept.write_bytes(whole[:cut])
        with pytest.raises(NotPermitted, match="cannot be opened"):
            store.read("a")


def test_a_wrong_lost_or_broken_key_is_told(tmp_path: Path) -> None:
    key = tmp_path / "key"
    FileSecretStore(tmp_path / "secrets", key).write("a", {"k": CANARY})
    FileSecretStore(tmp_path / "other", tmp_path / "other-key").write("a", {"k": "v"})
    with pytest.raises(NotPermitted, match="is not its key") as caught:
        FileSecretStore(tmp_path / "secrets", tmp_path / "other-key").read("a")
    assert caught.value.hint is not None
    assert str(tmp_path / "other-key") in caught.value.hint
    with pytest.raises(NotPermitted, match="is not here"):
        FileSecretStore(tmp_path / "secrets", tmp_path / "lost").read("a")
    assert not (tmp_path / "lost").exists()  # reading never makes a key
    key.write_text("zz")
    with pytest.raises(InvalidInput, match="is not a key"):
        FileSecretStore(tmp_path / "secrets", key).read("a")


@pytest.mark.parametrize("loose", ["key", "secrets/a.secret"])
def test_what_others_can_open_is_refused_with_the_command_that_closes_it(tmp_path: Path, loose: str) -> None:
    FileSecretStore(tmp_path / "secrets", tmp_path / "key").write("a", {"k": "v"})
    (tmp_path / loose).chmod(0o640)
    with pytest.raises(NotPermitted) as caught:
        FileSecretStore(tmp_path / "secrets", tmp_path / "key").read("a")
    assert caught.value.hint == f"chmod 600 {tmp_path / loose}"
    (tmp_path / loose).chmod(0o600)
    assert FileSecretStore(tmp_path / "secrets", tmp_path / "key").read("a") == {"k": "v"}


def test_a_loose_folder_takes_no_secret(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets").chmod(0o755)
    with pytest.raises(NotPermitted) as caught:
        FileSecretStore(tmp_path / "secrets", tmp_path / "key").write("a", {"k": "v"})
    assert caught.value.hint == f"chmod 700 {tmp_path / 'secrets'}"


MANY_WRITERS = """
import sys
from pathlib import Path
from kitchen.adapters.secret_file import FileSecretStore
folder, name = Path(sys.argv[1]), sys.argv[2]
store = FileSecretStore(folder / "secrets", folder / "key")
for number in range(40):
    store.write("shared/one", {"by": name, "again": name})
    found = store.read("shared/one")
    assert found is None or found["by"] == found["again"], found
    store.write(f"own/{name}", {"number": str(number)})
    assert store.read(f"own/{name}") == {"number": str(number)}
    store.delete(f"own/{name}")
    if number % 5 == 0:
        store.delete("shared/one")
store.write(f"done/{name}", {"k": "v"})
"""


def test_processes_write_at_once_from_the_very_first_key_on(tmp_path: Path) -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", MANY_WRITERS, str(tmp_path), f"w{n}"], stderr=subprocess.PIPE, text=True
        )
        for n in range(6)
    ]
    for process in running:
        assert process.communicate(timeout=60)[1] == ""
        assert process.returncode == 0
    store = FileSecretStore(tmp_path / "secrets", tmp_path / "key")
    assert store.list("done") == tuple(f"done/w{n}" for n in range(6))
    assert all(store.read(path) == {"k": "v"} for path in store.list("done"))
    assert not list(tmp_path.rglob(".new-*"))


# --- Vault ---


def test_only_the_told_token_is_used(fake_vault: FakeVault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".vault-token").write_text(fake_vault.root)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("VAULT_TOKEN", fake_vault.root)
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:1")
    settings = {"address": fake_vault.address, "mount": "kv"}
    with pytest.raises(NotPermitted) as caught:
        VaultSecretStore.from_settings(settings)
    assert caught.value.hint == "export KITCHEN_VAULT_TOKEN=…"
    with pytest.raises(NotPermitted):
        VaultSecretStore.from_settings(settings, {"KITCHEN_VAULT_TOKEN": "wrong"}).read("a")
    fake_vault.roles["role", "id"] = ("",)
    approle = VaultSecretStore.from_settings(
        settings | {"auth": "approle"}, {"KITCHEN_VAULT_ROLE_ID": "role", "KITCHEN_VAULT_SECRET_ID": "id"}
    )
    approle.read("a")
    assert fake_vault.root not in {token for _, _, token in fake_vault.asked}


@pytest.mark.parametrize(
    ("auth", "name", "secret"), [("approle", "ROLE_ID", "SECRET_ID"), ("userpass", "USER", "PASSWORD")]
)
def test_logins(fake_vault: FakeVault, auth: str, name: str, secret: str) -> None:
    known = {"approle": fake_vault.roles, "userpass": fake_vault.users}[auth]
    known["ann", CANARY] = ("kitchens/dev/",)
    settings = {"address": fake_vault.address, "prefix": "kitchens/dev", "auth": auth}
    environ = {f"KITCHEN_VAULT_{name}": "ann", f"KITCHEN_VAULT_{secret}": CANARY}
    store = VaultSecretStore.from_settings(settings, environ)
    store.write("a", {"k": "v"})
    fake_vault.policies.clear()  # its token ends: a new login is made, once
    assert store.read("a") == {"k": "v"}
    environ[f"KITCHEN_VAULT_{secret}"] = "wrong"
    with pytest.raises(NotPermitted):
        VaultSecretStore.from_settings(settings, environ).read("a")


def test_a_login_for_one_prefix_opens_no_other(fake_vault: FakeVault) -> None:
    token = fake_vault.new_token("kitchens/dev/")
    dev = VaultSecretStore(fake_vault.address, VaultLogin("token", Secret(token)), prefix="kitchens/dev")
    other = VaultSecretStore(fake_vault.address, VaultLogin("token", Secret(token)), prefix="kitchens/production")
    dev.write("a", {"k": "v"})
    for ask in (other.read, other.delete, other.list, lambda path: other.write(path, {"k": "v"})):
        with pytest.raises(NotPermitted):
            ask("a")


def test_a_softly_deleted_secret_is_none(fake_vault: FakeVault) -> None:
    store = VaultSecretStore(fake_vault.address, VaultLogin("token", Secret(fake_vault.root)))
    store.write("a", {"k": "v"})
    fake_vault.secrets["a"].kept[-1] = None
    assert store.read("a") is None


def test_trouble_is_told_and_carries_no_secret(fake_vault: FakeVault) -> None:
    store = VaultSecretStore(fake_vault.address, VaultLogin("token", Secret(CANARY)))
    fake_vault.policies[CANARY] = ("",)
    fake_vault.sealed = True
    errors = [told(store, Unavailable)]
    assert "sealed" in errors[0]
    fake_vault.sealed = False
    with FakeVault() as elsewhere:
        fake_vault.redirect_to = elsewhere.address
        errors.append(told(store, Unavailable))
        assert elsewhere.asked == []  # a token is not carried to another host
    fake_vault.redirect_to = None
    fake_vault.policies.clear()
    errors.append(told(store, NotPermitted))
    nowhere = VaultSecretStore("http://127.0.0.1:1", VaultLogin("token", Secret(CANARY)))
    errors.append(told(nowhere, Unavailable))
    assert not any(CANARY in error for error in errors)
    assert CANARY not in repr(store)


def told(store: SecretStore, family: type[KitchenError]) -> str:
    with pytest.raises(family) as caught:
        store.write("a", {"k": CANARY})
    return "".join(traceback.format_exception(caught.value))
