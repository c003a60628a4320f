"""Objects in a bucket of S3, or of anything that speaks its protocol; the keys come from the secret store."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any

from kitchen.adapters.object_keys import checked_key, checked_prefix
from kitchen.adapters.s3_connection import S3Keys, S3Place
from kitchen.domain.secret import Secret, SecretReference
from kitchen.errors import NotPermitted
from kitchen.ports import SecretStore


class S3Store:
    """Objects below one prefix of a bucket; fits the ObjectStore port."""

    def __init__(
        self, bucket: str, access_key: str, secret_key: Secret, *, prefix: str = "", endpoint: str | None = None,
        region: str = "us-east-1", ca: str | None = None, token: Secret | None = None,
    ) -> None:  # fmt: skip
        self._place = S3Place(bucket, endpoint, region, ca)
        self._bucket = bucket
        self._prefix = checked_prefix(prefix)
        self._keys = S3Keys(access_key, secret_key, token)
        self._made: Any = None

    @classmethod
    def at(cls, place: S3Place, keys: S3Keys, prefix: str = "") -> S3Store:
        """Return what some keys see of a place."""
        return cls(
            place.bucket, keys.access_key, keys.secret_key, prefix=prefix, endpoint=place.endpoint,
            region=place.region, ca=place.ca, token=keys.token,
        )  # fmt: skip

    @classmethod
    def from_settings(cls, settings: Mapping[str, object], secrets: SecretStore) -> S3Store:
        """Return the store that an environment file describes; raises NotPermitted where its keys are not readable."""
        return cls.at(S3Place.from_settings(settings), keys_of(settings, secrets), str(settings.get("prefix") or ""))

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> None:
        """Store an object whole; with create_only, one already there is Conflict."""
        full = self._prefix + checked_key(key)
        only_new = {"IfNoneMatch": "*"} if create_only else {}
        with self._place.translated(f"the file {key!r}"):
            self._client.put_object(Bucket=self._bucket, Key=full, Body=data, **only_new)

    def get(self, key: str) -> bytes:
        """Return an object; raises NotFound."""
        full = self._prefix + checked_key(key)
        with self._place.translated(f"the file {key!r}"):
            content: bytes = self._client.get_object(Bucket=self._bucket, Key=full)["Body"].read()
        return content

    def list(self, prefix: str) -> tuple[str, ...]:
        """Return the keys below a prefix, sorted."""
        full = self._prefix + checked_prefix(prefix)
        found: builtins.list[str] = []
        with self._place.translated(f"the files below {prefix!r}"):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=full):
                found += [entry["Key"].removeprefix(self._prefix) for entry in page.get("Contents", [])]
        return tuple(sorted(key for key in found if key and not key.endswith("/")))

    def delete(self, key: str) -> None:
        """Delete an object; absent is success."""
        full = self._prefix + checked_key(key)
        with self._place.translated(f"the file {key!r}"):
            self._client.delete_object(Bucket=self._bucket, Key=full)

    @property
    def _client(self) -> Any:
        if self._made is None:
            self._made = self._place.client(self._keys)
        return self._made


def keys_of(settings: Mapping[str, object], secrets: SecretStore) -> S3Keys:
    """Return the environment's keys; raises NotPermitted where they are not readable here."""
    return S3Keys(_key(settings, "access_key", secrets), Secret(_key(settings, "secret_key", secrets)))


def _key(settings: Mapping[str, object], name: str, secrets: SecretStore) -> str:
    reference = SecretReference.of(settings.get(name)) or SecretReference("storage", name)
    kept = secrets.read(reference.path) or {}
    if reference.key not in kept:
        raise NotPermitted(
            f"the object store's {name} is not readable here: there is no {reference.path}#{reference.key}",
            hint=f"kitchen secret set {reference.path} {reference.key}",
        )
    return kept[reference.key]
