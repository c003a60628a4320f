"""A stand-in for Vault at the HTTP wire: KV version 2, AppRole, userpass, entities, policies as written, sealing.

Vault ships in no package that tests can install. The same contract suite runs against a real server where
``KITCHEN_VAULT_ADDR`` and ``KITCHEN_VAULT_TOKEN`` (and ``KITCHEN_VAULT_MOUNT``) name one. Behaviours are those of
https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2 and .../auth/approle.
"""

from __future__ import annotations

import json
import secrets
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.contracts.vault_acl import KNOWN, Malformed, Rule, allows, filled, rules_of


@dataclass
class Versions:
    """All versions of one secret; a version that is None was deleted softly."""

    kept: list[dict[str, Any] | None] = field(default_factory=list)


@dataclass
class FakeVault:
    """One server on loopback; ``root`` is a token for everything."""

    mount: str = "kv"
    root: str = field(default_factory=lambda: secrets.token_hex(16))
    sealed: bool = False
    redirect_to: str | None = None
    secrets: dict[str, Versions] = field(default_factory=dict)
    policies: dict[str, tuple[str, ...]] = field(default_factory=dict)  # token -> prefixes it may use
    roles: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)  # (role id, secret id) -> prefixes
    users: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    acl: dict[str, str] = field(default_factory=dict)  # policies as they were written
    people: dict[str, tuple[str | None, tuple[str, ...]]] = field(default_factory=dict)  # token -> entity, policies
    entities: dict[str, str] = field(default_factory=dict)  # id -> name
    aliases: dict[str, str] = field(default_factory=dict)  # name -> its entity's name
    allowed: dict[str, list[str]] = field(default_factory=dict)  # role of tokens -> aliases
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)  # method, path, token: as it came
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> FakeVault:
        vault = self

        class Handler(_Handler):
            state = vault

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def new_token(self, *prefixes: str) -> str:
        token = secrets.token_hex(16)
        self.policies[token] = prefixes
        return token

    def answer(
        self, method: str, path: str, token: str | None, body: dict[str, Any]
    ) -> tuple[int, dict[str, Any] | None]:
        if self.sealed:
            return 503, {"errors": ["Vault is sealed"]}
        if path == "auth/approle/login" or path.startswith("auth/userpass/login/"):
            return self._log_in(path, body)
        if not self._allows(token, method, path):
            return 403, {"errors": ["1 error occurred:\n\t* permission denied\n\n"]}
        if path.startswith("sys/policies/acl/"):
            return self._policy(method, path.rsplit("/", 1)[-1], body)
        if path == "sys/auth":
            return 200, {"data": {"token/": {"accessor": "auth_token_1", "type": "token"}}}
        if path.startswith(("identity/entity", "auth/token/")):
            return self._identity(method, path, body)
        for kind, serve in (("data", self._data), ("metadata", self._metadata)):
            if path.startswith(f"{self.mount}/{kind}/"):
                return serve(method, path.removeprefix(f"{self.mount}/{kind}/"), body)
        return 404, {"errors": []}

    def _allows(self, token: str | None, method: str, path: str) -> bool:
        """Say what the token's policies say; writing what is not there yet is another right than changing it."""
        if token == self.root:
            return True
        secret = path.removeprefix(f"{self.mount}/data/")
        writes = "create" if path.startswith(f"{self.mount}/data/") and secret not in self.secrets else "update"
        operation = {"GET": "read", "LIST": "list", "DELETE": "delete"}.get(method, writes)
        return allows(self._rules(str(token)), operation, path)

    def _rules(self, token: str) -> tuple[Rule, ...]:
        if token in self.people:
            entity, names = self.people[token]
            known = {} if entity is None else {"identity.entity.name": entity}
            return filled([rule for name in names for rule in rules_of(self.acl.get(name, ""))], known)
        paths = [f"{self.mount}/{kind}/{p}*" for kind in ("data", "metadata") for p in self.policies.get(token, ())]
        return tuple(Rule(path, KNOWN - {"deny"}) for path in paths)

    def _identity(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any] | None]:
        """Make entities, their aliases at the mount of tokens, and tokens of theirs by a role that allows the alias."""
        if method == "DELETE":
            return 204, None
        if path == "identity/entity":
            self.entities[made := secrets.token_hex(8)] = str(body["name"])
            return 200, {"data": {"id": made, "name": body["name"]}}
        if path == "identity/entity-alias":
            self.aliases[str(body["name"])] = self.entities[str(body["canonical_id"])]
            return 200, {"data": {"id": secrets.token_hex(8)}}
        if path.startswith("auth/token/roles/"):
            self.allowed[path.rsplit("/", 1)[-1]] = list(body.get("allowed_entity_aliases", []))
            return 204, None
        role, alias = path.rsplit("/", 1)[-1], body.get("entity_alias")
        if alias is not None and alias not in self.allowed.get(role, []):
            return 400, {"errors": ["invalid 'entity_alias' value"]}
        self.people[made := secrets.token_hex(16)] = (self.aliases[alias] if alias else None, tuple(body["policies"]))
        return 200, {"auth": {"client_token": made, "policies": body["policies"]}}

    def _policy(self, method: str, name: str, body: dict[str, Any]) -> tuple[int, dict[str, Any] | None]:
        if method in ("PUT", "POST"):
            try:
                rules_of(str(body["policy"]))
            except Malformed as wrong:
                return 400, {"errors": [str(wrong)]}
            self.acl[name] = str(body["policy"])
            return 204, None
        if method == "DELETE":
            self.acl.pop(name, None)
            return 204, None
        if name not in self.acl:
            return 404, {"errors": []}
        return 200, {"data": {"name": name, "policy": self.acl[name]}}

    def _log_in(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any] | None]:
        if path == "auth/approle/login":
            prefixes = self.roles.get((body.get("role_id", ""), body.get("secret_id", "")))
            wrong = "invalid role or secret ID"
        else:
            prefixes = self.users.get((path.rsplit("/", 1)[-1], body.get("password", "")))
            wrong = "invalid username or password"
        if prefixes is None:
            return 400, {"errors": [wrong]}
        return 200, {"auth": {"client_token": self.new_token(*prefixes), "lease_duration": 1200, "renewable": True}}

    def _data(self, method: str, name: str, body: dict[str, Any]) -> tuple[int, dict[str, Any] | None]:
        found = self.secrets.get(name)
        if method in ("POST", "PUT"):
            cas = body.get("options", {}).get("cas")
            now = len(found.kept) if found else 0
            if cas is not None and cas != now:
                return 400, {"errors": ["check-and-set parameter did not match the current version"]}
            self.secrets.setdefault(name, Versions()).kept.append(dict(body["data"]))
            return 200, {"data": {"version": now + 1, "deletion_time": "", "destroyed": False}}
        if method == "DELETE":
            if found:
                found.kept[-1] = None
            return 204, None
        if found is None:
            return 404, {"errors": []}
        metadata = {
            "version": len(found.kept),
            "deletion_time": "" if found.kept[-1] is not None else "2026-01-01T00:00:00Z",
        }
        code = 404 if found.kept[-1] is None else 200
        return code, {"data": {"data": found.kept[-1], "metadata": metadata}}

    def _metadata(self, method: str, name: str, body: dict[str, Any]) -> tuple[int, dict[str, Any] | None]:
        if method == "DELETE":
            self.secrets.pop(name, None)
            return 204, None
        if method != "LIST":
            return 405, {"errors": ["unsupported operation"]}
        folder = name.rstrip("/") + "/" if name.rstrip("/") else ""
        below = [path.removeprefix(folder) for path in self.secrets if path.startswith(folder)]
        keys = sorted({first + "/" if rest else first for first, _, rest in (path.partition("/") for path in below)})
        return (200, {"data": {"keys": keys}}) if keys else (404, {"errors": []})


class _Handler(BaseHTTPRequestHandler):
    state: FakeVault
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        parts = urlsplit(self.path)
        token = self.headers.get("X-Vault-Token")
        method = "LIST" if "list=true" in parts.query else self.command
        with self.state.lock:
            self.state.asked.append((method, self.path, token))
            if self.state.redirect_to:
                self._send(307, None, location=self.state.redirect_to + self.path)
                return
            code, answer = self.state.answer(method, unquote(parts.path).removeprefix("/v1/"), token, body)
        self._send(code, answer)

    def _send(self, code: int, answer: dict[str, Any] | None, *, location: str | None = None) -> None:
        content = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(code)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass

    do_GET = do_POST = do_PUT = do_DELETE = do_LIST = _serve  # noqa: N815 - names of the protocol
