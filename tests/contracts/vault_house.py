"""A vault with people in it: the stand-in at the wire, or a real one where ``KITCHEN_VAULT_ADDR`` names it.

``KITCHEN_VAULT_TOKEN`` is a token that may make policies, entities and tokens; ``KITCHEN_VAULT_MOUNT`` a KV engine of
version 2. Whatever is made has a name of its own and is removed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_hex

import requests

from kitchen.adapters.vault import VaultLogin, VaultSecretStore
from kitchen.domain.access_policies import vault_policies
from kitchen.domain.environment import Environment, Service
from kitchen.domain.secret import Secret

_NONE = Service("none")


@dataclass
class VaultHouse:
    """One environment's part of a vault, and what its administrator does there over HTTP."""

    address: str
    token: str
    mount: str
    mark: str = field(default_factory=lambda: token_hex(4))
    _made: list[str] = field(default_factory=list)

    @property
    def environment(self) -> Environment:
        vault = Service("hashicorp", {"address": self.address, "mount": self.mount, "prefix": self.prefix})
        storage = Service("s3", {"bucket": "shop", "access_key": {"secret": "object-store#id"}})
        return Environment(
            f"dev{self.mark}", "dev", "production", _NONE, vault, storage, _NONE,
            connections={
                "landing": {"host": "x", "password": {"secret": "sftp#password"}},
                "sly": {"password": {"secret": "provisioner#password"}, "key": {"secret": "masking/key#key"}},
            },
        )  # fmt: skip

    @property
    def prefix(self) -> str:
        return f"kitchen-test-{self.mark}/dev"

    @property
    def elsewhere(self) -> str:
        """Return the prefix of another environment, which begins like this one's."""
        return f"{self.prefix}eloper"

    def name(self, person: str) -> str:
        """Return a person's name as it was admitted here."""
        return f"{person}_{self.mark}"

    def store(self, token: str | None = None, prefix: str | None = None) -> VaultSecretStore:
        """Return what a token sees; the administrator's where none is told."""
        login = VaultLogin("token", Secret(token or self.token))
        return VaultSecretStore(self.address, login, mount=self.mount, prefix=prefix or self.prefix)

    def person(self, person: str, policy: str = "person") -> VaultSecretStore:
        """Make an entity with a token under one of the environment's policies, and return what it sees."""
        name, role = self.name(person), f"kitchen-test-{self.mark}-{person}"
        entity = self._asked("POST", "identity/entity", {"name": name})["data"]["id"]
        self._made += [f"identity/entity/id/{entity}", f"auth/token/roles/{role}"]
        mount = self._asked("GET", "sys/auth")["data"]["token/"]["accessor"]
        alias = {"name": name, "canonical_id": entity, "mount_accessor": mount}
        self._asked("POST", "identity/entity-alias", alias)
        policies = [f"kitchen-{self.environment.name}-{policy}"]
        self._asked("POST", f"auth/token/roles/{role}", {"allowed_entity_aliases": [name], "allowed_policies": policies,
                                                        "orphan": True})  # fmt: skip
        made = self._asked("POST", f"auth/token/create/{role}", {"policies": policies, "entity_alias": name,
                                                                "no_default_policy": True, "ttl": "10m"})  # fmt: skip
        return self.store(str(made["auth"]["client_token"]))

    def stranger(self) -> VaultSecretStore:
        """Return what a token under a person's policy sees that belongs to no entity."""
        policies = [f"kitchen-{self.environment.name}-person"]
        role = f"kitchen-test-{self.mark}-nobody"
        self._made.append(f"auth/token/roles/{role}")
        self._asked("POST", f"auth/token/roles/{role}", {"allowed_policies": policies, "orphan": True})
        made = self._asked("POST", f"auth/token/create/{role}", {"policies": policies, "no_default_policy": True,
                                                                "ttl": "10m"})  # fmt: skip
        return self.store(str(made["auth"]["client_token"]))

    def clear(self) -> None:
        """Remove everything that was made."""
        root = self.store()
        for store in (root, self.store(prefix=self.elsewhere)):
            for path in store.list(""):
                store.delete(path)
        for policy in vault_policies(self.environment):
            self._made.append(f"sys/policies/acl/{policy.name}")
        for path in self._made:
            self._asked("DELETE", path)

    def _asked(self, method: str, path: str, body: object = None) -> dict:  # type: ignore[type-arg]
        answer = requests.request(
            method, f"{self.address}/v1/{path}", json=body, headers={"X-Vault-Token": self.token}, timeout=30,
            allow_redirects=False,
        )  # fmt: skip
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
        return answer.json() if answer.content else {}


@contextmanager
def real_house() -> Iterator[VaultHouse | None]:
    """Return a part of the vault that variables name, or None where they name none."""
    address = os.environ.get("KITCHEN_VAULT_ADDR")
    if not address:
        yield None
        return
    house = VaultHouse(address, os.environ["KITCHEN_VAULT_TOKEN"], os.environ.get("KITCHEN_VAULT_MOUNT", "secret"))
    try:
        yield house
    finally:
        house.clear()
