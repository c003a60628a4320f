"""A stand-in for Vault at the HTTP wire: KV version 2, AppRole, userpass, policies by prefix, sealing.

Vault ships in no package that tests can install. The same contract suite runs against a real server where
``KITCHEN_VAULT_ADDR`` and ``KITCHEN_VAULT_TOKEN`` (and ``KITCHEN_VAULT_MOUNT``) name one. Behaviours are those of
https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2 and .../auth/approle.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


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
    people: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)  # token -> entity, policies
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
        if path.startswith("auth/"):
            return self._log_in(path, body)
        if token != self.root and token not in self.policies and token not in self.people:
            return 403, {"errors": ["permission denied"]}
        if path.startswith("sys/policies/acl/"):
            if token != self.root and not (token in self.people and self._capable(str(token), method, path)):
                return 403, {"errors": ["1 error occurred:\n\t* permission denied\n\n"]}
            return self._policy(method, path.rsplit("/", 1)[-1], body)
        for kind, serve in (("data", self._data), ("metadata", self._metadata)):
            if path.startswith(f"{self.mount}/{kind}/"):
                name = path.removeprefix(f"{self.mount}/{kind}/")
                known = token in self.people
                if not (self._capable(str(token), method, path) if known else self._may(token, name)):
                    return 403, {"errors": ["1 error occurred:\n\t* permission denied\n\n"]}
                return serve(method, name, body)
        return 404, {"errors": []}

    def _policy(self, method: str, name: str, body: dict[str, Any]) -> tuple[int, dict[str, Any] | None]:
        if method in ("PUT", "POST"):
            self.acl[name] = str(body["policy"])
            return 204, None
        if name not in self.acl:
            return 404, {"errors": []}
        return 200, {"data": {"name": name, "policy": self.acl[name]}}

    def _may(self, token: str | None, name: str) -> bool:
        return token == self.root or any(name.startswith(prefix) for prefix in self.policies[str(token)])

    def new_person(self, entity: str, *policies: str) -> str:
        """Return a token of an entity, to whom written policies apply."""
        token = secrets.token_hex(16)
        self.people[token] = (entity, policies)
        return token

    def _capable(self, token: str, method: str, path: str) -> bool:
        """Say whether policies give a request: the rule of the longest path decides, the rest is refused."""
        entity, names = self.people[token]
        if method == "LIST":  # the server asks its policies about a folder
            path = path.rstrip("/") + "/"
        wanted = {"GET": "read", "LIST": "list", "DELETE": "delete"}.get(method, "update")
        best: tuple[int, set[str]] = (-1, set())
        for name in names:
            for rule, capabilities in re.findall(r'path "([^"]+)" \{\s*capabilities = \[([^\]]*)\]', self.acl[name]):
                filled = rule.replace("{{identity.entity.name}}", entity)
                fits = path.startswith(filled[:-1]) if filled.endswith("*") else path == filled
                if fits and len(filled) > best[0]:
                    best = (len(filled), set(re.findall(r'"([a-z]+)"', capabilities)))
        return wanted in best[1]

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
