"""Secrets in HashiCorp Vault or OpenBao, KV version 2.

Only what is told is used: hvac's habit of taking VAULT_TOKEN, ~/.vault-token or VAULT_ADDR from around it would let an
administrator's token do a kitchen's work. Redirects are not followed: the token would go along.
"""

from __future__ import annotations

import builtins
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import hvac
import requests
from hvac import exceptions

from kitchen.adapters.secret_paths import prefix_of, segments_of
from kitchen.domain.secret import Secret
from kitchen.errors import Conflict, InvalidInput, KitchenError, NotPermitted, Unavailable

TIMEOUT = (5, 30)  # seconds to connect, to answer
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class VaultLogin:
    """Who asks: a token, an approle (name: role id, secret: secret id) or a user with a password."""

    method: str  # token | approle | userpass
    secret: Secret
    name: str = ""
    mount: str | None = None

    @classmethod
    def from_environment(cls, settings: Mapping[str, object], environ: Mapping[str, str]) -> VaultLogin:
        """Return the login that the settings ask for; raises NotPermitted with the variable that is missing."""
        method = str(settings.get("auth", "token"))
        secret_name, user_name = {
            "token": ("KITCHEN_VAULT_TOKEN", None),
            "approle": ("KITCHEN_VAULT_SECRET_ID", "KITCHEN_VAULT_ROLE_ID"),
            "userpass": ("KITCHEN_VAULT_PASSWORD", "KITCHEN_VAULT_USER"),
        }[method]
        name = "" if user_name is None else environ.get(user_name) or str(settings.get("role_id") or "")
        secret = environ.get(secret_name)
        missing = [one for one, there in ((secret_name, secret), (user_name, name)) if one and not there]
        if missing or secret is None:
            raise NotPermitted(
                f"the vault asks for a login ({method}), and {' and '.join(missing)} is not set",
                hint=f"export {missing[0]}=…",
            )
        mount = settings.get("auth_mount")
        return cls(method, Secret(secret), name, str(mount) if mount else None)


@dataclass
class VaultSecretStore:
    """Secrets below one prefix of a KV engine; fits the SecretStore port. Nothing is asked before it is needed."""

    address: str
    login: VaultLogin
    mount: str = "kv"
    prefix: str = ""
    namespace: str | None = None
    ca: str | None = None
    _client: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        segments_of(self.mount)
        self.prefix = "".join(f"{part}/" for part in prefix_of(self.prefix))

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, object], environ: Mapping[str, str] | None = None
    ) -> VaultSecretStore:
        """Return the store that an environment file describes; the login is in variables KITCHEN_VAULT_…."""

        def told(name: str) -> str | None:
            value = settings.get(name)
            return None if value is None else str(value)

        return cls(
            address=str(settings["address"]),
            login=VaultLogin.from_environment(settings, os.environ if environ is None else environ),
            mount=told("mount") or "kv",
            prefix=told("prefix") or "",
            namespace=told("namespace"),
            ca=told("ca"),
        )

    def read(self, path: str) -> dict[str, str] | None:
        """Return a secret, or None where there is none."""
        full = self._full(path)
        try:
            answer = self._ask(
                f"reading the secret {path!r}",
                lambda kv: kv.read_secret_version(path=full, mount_point=self.mount, raise_on_deleted_version=True),
            )
        except exceptions.InvalidPath:
            return None
        kept: dict[str, object] = answer["data"]["data"]
        return {key: str(value) for key, value in kept.items()}

    def write(self, path: str, secret: Mapping[str, str], *, create_only: bool = False) -> None:
        """Write a secret; with create_only, one already there is Conflict."""
        full = self._full(path)
        expected = 0 if create_only else None
        self._ask(
            f"writing the secret {path!r}",
            lambda kv: kv.create_or_update_secret(
                path=full, secret=dict(secret), cas=expected, mount_point=self.mount
            ),
        )  # fmt: skip

    def delete(self, path: str) -> None:
        """Delete a secret with all its versions; absent is success."""
        full = self._full(path)
        try:
            self._ask(
                f"deleting the secret {path!r}",
                lambda kv: kv.delete_metadata_and_all_versions(path=full, mount_point=self.mount),
            )
        except exceptions.InvalidPath:
            return

    def list(self, prefix: str) -> tuple[str, ...]:
        """Return the full paths below a prefix, sorted."""
        return tuple(sorted(self._below("".join(f"{part}/" for part in prefix_of(prefix)))))

    def policy(self, name: str) -> str | None:
        """Return a policy of the vault's as it was written, or None where there is none."""
        try:
            answer = self._ask(f"reading the policy {name!r}", lambda _: self._client.sys.read_acl_policy(name=name))
        except exceptions.InvalidPath:
            return None
        return str(answer["data"]["policy"])

    def put_policy(self, name: str, hcl: str) -> None:
        """Write a policy of the vault's; the login must be one that may."""
        self._ask(
            f"writing the policy {name!r}",
            lambda _: self._client.sys.create_or_update_acl_policy(name=name, policy=hcl),
        )

    def _below(self, folder: str) -> builtins.list[str]:
        try:
            answer = self._ask(
                f"listing the secrets below {folder!r}",
                lambda kv: kv.list_secrets(path=self.prefix + folder, mount_point=self.mount),
            )
        except exceptions.InvalidPath:
            return []
        found: builtins.list[str] = []
        for name in answer["data"]["keys"]:
            if not _is_ours(name.removesuffix("/")):
                continue  # made by another tool under a name that this program never gives
            found += self._below(folder + name) if name.endswith("/") else [folder + name]
        return found

    def _full(self, path: str) -> str:
        return self.prefix + "/".join(segments_of(path))

    def _ask(self, doing: str, ask: Callable[[Any], _Answer]) -> _Answer:
        """Ask the KV engine; raises this package's errors (InvalidPath stays: each question answers it)."""
        fresh = self._client is None
        try:
            return self._asked(doing, ask)
        except NotPermitted:
            if fresh or self.login.method == "token":
                raise
            self._client = None  # the token of an earlier login may have ended: log in once more
            return self._asked(doing, ask)

    def _asked(self, doing: str, ask: Callable[[Any], _Answer]) -> _Answer:
        # `from None`: hvac's exceptions hold the server's whole answer, which a traceback must not carry along
        try:
            if self._client is None:
                self._client = self._log_in()
            return ask(self._client.secrets.kv.v2)
        except exceptions.InvalidPath:
            raise
        except (exceptions.Forbidden, exceptions.Unauthorized):
            raise NotPermitted(f"{doing}: the vault at {self.address} refuses this login") from None
        except exceptions.InvalidRequest as wrong:
            raise self._from_bad_request(doing, wrong) from None
        except exceptions.VaultNotInitialized:
            raise Unavailable(f"{doing}: the vault at {self.address} is not initialised") from None
        except exceptions.VaultDown:
            raise Unavailable(
                f"{doing}: the vault at {self.address} is sealed or down", hint="vault operator unseal"
            ) from None
        except exceptions.VaultError as wrong:
            raise Unavailable(f"{doing}: the vault at {self.address} failed ({type(wrong).__name__})") from None
        except requests.RequestException as wrong:
            raise Unavailable(
                f"{doing}: the vault at {self.address} does not answer ({type(wrong).__name__})",
                hint="ask whoever runs it; where it has moved: vault: in environments/",
            ) from None

    def _from_bad_request(self, doing: str, wrong: exceptions.InvalidRequest) -> KitchenError:
        said = ", ".join(str(error) for error in wrong.errors or ())
        if "check-and-set" in said:
            return Conflict(f"{doing}: it exists")
        if "invalid role" in said or "invalid secret" in said or "invalid username" in said:
            return NotPermitted(f"{doing}: the vault at {self.address} refuses this login")
        return InvalidInput(f"{doing}: the vault at {self.address} refuses: {said[:200]}")

    def _log_in(self) -> Any:
        session = requests.Session()
        session.hooks["response"].append(_refuse_redirect)
        method, mount = self.login.method, self.login.mount or self.login.method
        client = hvac.Client(
            url=self.address,
            token=self.login.secret.reveal() if method == "token" else "",  # None would let hvac look around for one
            namespace=self.namespace,
            verify=self.ca or True,
            timeout=TIMEOUT,
            allow_redirects=False,
            session=session,
        )
        if method == "approle":
            client.auth.approle.login(self.login.name, self.login.secret.reveal(), mount_point=mount)
        elif method == "userpass":
            client.auth.userpass.login(self.login.name, self.login.secret.reveal(), mount_point=mount)
        return client


def _refuse_redirect(answer: requests.Response, *_: object, **__: object) -> None:
    if answer.is_redirect:
        raise requests.TooManyRedirects("the vault sends us elsewhere", response=None)


def _is_ours(segment: str) -> bool:
    try:
        return len(segments_of(segment)) == 1
    except InvalidInput:
        return False
