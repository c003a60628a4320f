"""Policies of a vault as kitchen writes them: what one person's login reads, and what not.

Evaluated by the stand-in as Vault does, and by a real Vault where ``KITCHEN_VAULT_ADDR`` names one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from kitchen.domain.access_policies import vault_policies
from kitchen.errors import InvalidInput, NotPermitted
from kitchen.masking.keys import SECRET_PATH
from kitchen.ports import SecretStore
from tests.contracts.fake_vault import FakeVault
from tests.contracts.vault_house import VaultHouse, real_house
from tests.support import Project, missing

OF_OTHERS = (
    "provisioner", "superuser", SECRET_PATH, "people/bob/login", "people/bob/kitchens/profit", "people/an/login",
    "people/anna/login", "api", "kitchens/other", "kitchens/dev", "doctor/x", "masking",
)  # fmt: skip
SHARED = ("sftp", "object-store")


@pytest.fixture(params=["fake vault", "real vault"])
def house(request: pytest.FixtureRequest) -> Iterator[VaultHouse]:
    if request.param == "fake vault":
        with FakeVault() as fake:
            yield _furnished(VaultHouse(fake.address, fake.root, fake.mount))
        return
    with real_house() as named:
        if named is None:
            missing("vault", "KITCHEN_VAULT_ADDR names none")
        else:
            yield _furnished(named)


def _furnished(house: VaultHouse) -> VaultHouse:
    root = house.store()
    for policy in vault_policies(house.environment):
        root.put_policy(policy.name, policy.hcl)
    for path in (*(_named(house, path) for path in OF_OTHERS), *SHARED):
        root.write(path, {"password": path})
    house.store(prefix=house.elsewhere).write("sftp", {"password": "of another environment"})
    return house


def _named(house: VaultHouse, path: str) -> str:
    """Return a path with people called as they are called here."""
    head, *rest = path.split("/")
    return "/".join([head, house.name(rest[0]), *rest[1:]]) if head == "people" else path


def _refused(store: SecretStore, path: str) -> None:
    for tried in (
        lambda: store.read(path), lambda: store.write(path, {"x": "y"}), lambda: store.delete(path),
        lambda: store.write(f"{path}/new", {"x": "y"}, create_only=True), lambda: store.list(path.rpartition("/")[0]),
    ):  # fmt: skip
        with pytest.raises(NotPermitted):
            tried()


def test_a_person_keeps_what_is_the_persons(house: VaultHouse) -> None:
    ann, own = house.person("ann"), f"people/{house.name('ann')}"
    for path in (f"{own}/login", f"{own}/kitchens/profit"):
        ann.write(path, {"password": "x"}, create_only=True)
        assert ann.read(path) == {"password": "x"}
        ann.write(path, {"password": "y"})
    assert ann.list(own) == (f"{own}/kitchens/profit", f"{own}/login")
    ann.delete(f"{own}/kitchens/profit")
    assert ann.read(f"{own}/kitchens/profit") is None
    assert [ann.read(path) for path in SHARED] == [{"password": path} for path in SHARED]


def test_a_person_has_nothing_of_others(house: VaultHouse) -> None:
    ann = house.person("ann")
    for path in OF_OTHERS:
        _refused(ann, _named(house, path))
    for folder in ("", "people"):
        with pytest.raises(NotPermitted):
            ann.list(folder)
    with pytest.raises(NotPermitted):
        house.store(ann.login.secret.reveal(), prefix=house.elsewhere).read("sftp")
    root = house.store()
    assert {path: root.read(path) for path in (_named(house, one) for one in OF_OTHERS)} == {
        path: {"password": path} for path in (_named(house, one) for one in OF_OTHERS)
    }


def test_a_token_of_nobody_has_nobodys(house: VaultHouse) -> None:
    stranger = house.stranger()
    assert stranger.read("sftp") == {"password": "sftp"}
    for path in OF_OTHERS:
        _refused(stranger, _named(house, path))
    _refused(stranger, f"people/{house.name('ann')}/login")


def test_a_person_changes_no_shared_secret_and_no_policy(house: VaultHouse) -> None:
    ann, name = house.person("ann"), f"kitchen-{house.environment.name}-person"
    for path in SHARED:
        with pytest.raises(NotPermitted):
            ann.write(path, {"password": "mine"})
        with pytest.raises(NotPermitted):
            ann.delete(path)
    for policy in (name, f"kitchen-{house.environment.name}-provisioner", "kitchen-of-mine"):
        with pytest.raises(NotPermitted):
            ann.put_policy(policy, 'path "*" { capabilities = ["read"] }')
    assert ann.policy(name) == vault_policies(house.environment)[1].hcl, "everybody may read what they stand under"
    with pytest.raises(NotPermitted):
        ann.policy("default")


def test_the_environments_own_login_has_all_of_the_environment_and_nothing_else(house: VaultHouse) -> None:
    platform = house.person("platform", "provisioner")
    for path in (_named(house, one) for one in OF_OTHERS):
        assert platform.read(path) == {"password": path}
    platform.write("kitchens/new", {"password": "x"}, create_only=True)
    platform.delete("kitchens/new")
    assert set(platform.list("")) >= {*SHARED, "provisioner"}
    outside = house.store(platform.login.secret.reveal(), prefix=house.elsewhere)
    _refused(outside, "sftp")
    with pytest.raises(NotPermitted):
        platform.put_policy(f"kitchen-{house.environment.name}-provisioner", 'path "*" { capabilities = ["sudo"] }')


def test_a_policy_that_is_none_is_refused(house: VaultHouse) -> None:
    name = f"kitchen-{house.environment.name}-person"
    before = house.store().policy(name)
    with pytest.raises(InvalidInput):
        house.store().put_policy(name, 'path "a" { capabilities = ["reed"] }')
    assert house.store().policy(name) == before
    assert house.store().policy(f"kitchen-test-{house.mark}-none") is None


def test_install_prints_and_writes_them(project: Project) -> None:
    with FakeVault() as vault:
        (project.root / "environments" / "dev.yaml").write_text(
            "parent: production\nbranch: dev\n"
            "warehouse: {kind: postgres, host: 127.0.0.1, port: 9, database: x, tls: disable}\n"
            f"vault: {{kind: hashicorp, address: '{vault.address}', mount: kv, prefix: dev, auth: token}}\n"
        )
        project.environ["KITCHEN_VAULT_TOKEN"] = vault.root
        told = json.loads(project.kitchen("environment", "install", "dev", "--print", "--json").stdout)
        assert set(told["policies"]) == {"kitchen-dev-person", "kitchen-dev-provisioner"}
        script = project.kitchen("environment", "install", "dev", "--print").stdout
        assert "-- vault policy write kitchen-dev-person" in script
        tried = project.kitchen("environment", "install", "dev", "--vault", "--dry-run").stdout
        assert tried.count(" is missing: write it") == 2
        assert vault.acl == {}
        project.kitchen("environment", "install", "dev", "--vault")
        assert vault.acl == told["policies"]
        written = len([path for method, path, _ in vault.asked if method in ("PUT", "POST")])
        again = json.loads(project.kitchen("environment", "install", "dev", "--vault", "--json").stdout)
        assert (again["changes"], again["installed"]) == ([], True)
        vault.acl["kitchen-dev-person"] += '\npath "kv/*" {\n  capabilities = ["read"]\n}'
        (said,) = json.loads(project.kitchen("environment", "install", "dev", "--vault", "--json").stdout)["changes"]
        assert said == "kitchen-dev-person is another"
        assert vault.acl == told["policies"]
        assert len([path for method, path, _ in vault.asked if method in ("PUT", "POST")]) == written + 1


WELL = ("vault", "ok", "policies as they should be")


def _examined(project: Project) -> list[tuple[str, str, str]]:
    """Return what the doctor says of dev's secrets and vault; its warehouse is down."""
    told = json.loads(project.kitchen("doctor", "dev", "--json", expect=None).stdout)["findings"]
    found = [one for one in told if one["environment"] == "dev" and one["part"] in ("secrets", "vault")]
    hints = {one["hint"] for one in found if one["level"] != "ok"}
    assert hints <= {"kitchen environment install dev --vault"}
    return [(one["part"], one["level"], one["says"]) for one in found]


def test_the_doctor_compares_them_and_tries_a_persons_login(project: Project) -> None:
    with FakeVault() as fake:
        house = VaultHouse(fake.address, fake.root, fake.mount)
        (project.root / "environments" / "dev.yaml").write_text(
            "parent: production\nbranch: dev\n"
            "warehouse: {kind: postgres, host: 127.0.0.1, port: 9, database: x, tls: disable}\n"
            f"vault: {{kind: hashicorp, address: '{fake.address}', mount: kv, prefix: dev, auth: token}}\n"
        )
        project.environ["KITCHEN_VAULT_TOKEN"] = fake.root
        usable = ("secrets", "ok", "readable and writable")
        lacking = "policies: kitchen-dev-provisioner is missing, kitchen-dev-person is missing"
        assert _examined(project) == [usable, ("vault", "warn", lacking)]
        project.kitchen("environment", "install", "dev", "--vault")
        assert _examined(project) == [usable, WELL]

        root = house.store(prefix="dev")
        root.write("provisioner", {"user": "x", "password": "y"})
        login = {"user": "ann", "password": "z", "role": "developer", "deputy": "no", "provisioner": "x"}
        root.write("people/ann/login", login)
        fake.people["of-ann"] = ("ann", ("kitchen-dev-person",))
        project.environ["KITCHEN_VAULT_TOKEN"] = "of-ann"
        state = project.home / (project.root / ".git" / "kitchen" / "id").read_text().strip() / "dev"
        state.mkdir(parents=True, exist_ok=True)
        (state / "identity").write_text("ann\n")
        assert _examined(project) == [usable, WELL], "tried where a person may write"

        fake.acl["kitchen-dev-person"] += '\npath "kv/*" { capabilities = ["read"] }'
        other = ("vault", "warn", "policies: kitchen-dev-person is another")
        assert _examined(project) == [
            usable, other, ("vault", "fail", "a person's login reads the provisioner's secret"),
        ]  # fmt: skip
