"""Policies of a vault as kitchen writes them: what one person's login reads, and what not."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from kitchen.adapters.vault import VaultLogin, VaultSecretStore
from kitchen.domain.access_policies import vault_policies
from kitchen.domain.environment import Environment, Service
from kitchen.domain.secret import Secret
from kitchen.errors import NotPermitted
from tests.contracts.fake_vault import FakeVault
from tests.support import Project

_NONE = Service("none")
_VAULT = Service("hashicorp", {"address": "https://vault.example", "mount": "kv", "prefix": "kitchens/dev"})
_STORAGE = Service("s3", {"bucket": "shop", "access_key": {"secret": "object-store#id"}})
_DEV = Environment(
    "dev", "dev", "production", _NONE, _VAULT, _STORAGE, _NONE,
    connections={
        "landing": {"host": "x", "password": {"secret": "sftp#password"}},
        "sly": {"password": {"secret": "provisioner#password"}},
    },
)  # fmt: skip


@pytest.fixture
def vault() -> Iterator[FakeVault]:
    with FakeVault() as made:
        root = _store(made, made.root)
        for policy in vault_policies(_DEV):
            root.put_policy(policy.name, policy.hcl)
        for path in (
            "provisioner",
            "people/bob/login",
            "people/an/login",
            "sftp",
            "object-store",
            "api",
            "kitchens/other",
        ):
            root.write(path, {"password": path})
        yield made


def _store(vault: FakeVault, token: str) -> VaultSecretStore:
    return VaultSecretStore(vault.address, VaultLogin("token", Secret(token)), prefix="kitchens/dev")


def test_a_person_keeps_what_is_the_persons(vault: FakeVault) -> None:
    ann = _store(vault, vault.new_person("ann", "kitchen-dev-person"))
    for path in ("people/ann/login", "people/ann/kitchens/profit"):
        ann.write(path, {"password": "x"}, create_only=True)
        assert ann.read(path) == {"password": "x"}
    assert ann.list("people/ann/") == ("people/ann/kitchens/profit", "people/ann/login")
    ann.delete("people/ann/kitchens/profit")
    assert ann.read("sftp") == {"password": "sftp"}
    assert ann.read("object-store") == {"password": "object-store"}


@pytest.mark.parametrize(
    "path",
    ["provisioner", "people/bob/login", "people/an/login", "people/anna/login", "api", "kitchens/other", "doctor/x"],
)
def test_a_person_has_nothing_of_others(vault: FakeVault, path: str) -> None:
    ann = _store(vault, vault.new_person("ann", "kitchen-dev-person"))
    for tried in (
        lambda: ann.read(path), lambda: ann.write(path, {"x": "y"}), lambda: ann.delete(path),
        lambda: ann.list(path.rpartition("/")[0]),
    ):  # fmt: skip
        with pytest.raises(NotPermitted):
            tried()


def test_a_person_changes_no_shared_secret_and_no_policy(vault: FakeVault) -> None:
    ann = _store(vault, vault.new_person("ann", "kitchen-dev-person"))
    with pytest.raises(NotPermitted):
        ann.write("sftp", {"password": "mine"})
    with pytest.raises(NotPermitted):
        ann.put_policy("kitchen-dev-person", 'path "*" { capabilities = ["read"] }')
    platform = _store(vault, vault.new_person("platform", "kitchen-dev-provisioner"))
    assert platform.read("provisioner") == {"password": "provisioner"}


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
