"""Objects in a bucket of S3, or of anything that speaks its protocol.

Credentials come from the environment's secret store and from nowhere else: boto3's habit of looking through variables,
files and the machine's own identity would let another account do a kitchen's work.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kitchen.adapters.object_keys import checked_key, checked_prefix
from kitchen.domain.secret import Secret, SecretReference
from kitchen.errors import Conflict, InvalidInput, KitchenError, NotFound, NotPermitted, Unavailable
from kitchen.ports import SecretStore

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_DENIED = {"AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "AllAccessDisabled"}
_ABSENT = {"NoSuchKey", "404", "NotFound"}
_TAKEN = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}


class S3Store:
    """Objects below one prefix of a bucket; fits the ObjectStore port."""

    def __init__(
        self, bucket: str, access_key: str, secret_key: Secret, *, prefix: str = "", endpoint: str | None = None,
        region: str = "us-east-1", ca: str | None = None,
    ) -> None:  # fmt: skip
        self._bucket = bucket
        self._prefix = checked_prefix(prefix)
        self._access_key = access_key
        self._secret_key = secret_key
        self._endpoint = endpoint
        self._region = region
        self._ca = ca
        self._made: Any = None

    @classmethod
    def from_settings(cls, settings: Mapping[str, object], secrets: SecretStore) -> S3Store:
        """Return the store that an environment file describes; raises NotPermitted where its keys are not readable."""

        def told(name: str) -> str | None:
            value = settings.get(name)
            return None if value is None else str(value)

        return cls(
            bucket=str(settings["bucket"]),
            access_key=_key(settings, "access_key", secrets),
            secret_key=Secret(_key(settings, "secret_key", secrets)),
            prefix=told("prefix") or "",
            endpoint=told("endpoint"),
            region=told("region") or "us-east-1",
            ca=told("ca"),
        )

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> None:
        """Store an object whole; with create_only, one already there is Conflict."""
        full = self._prefix + checked_key(key)
        only_new = {"IfNoneMatch": "*"} if create_only else {}
        with self._translated(f"the file {key!r}"):
            self._client.put_object(Bucket=self._bucket, Key=full, Body=data, **only_new)

    def get(self, key: str) -> bytes:
        """Return an object; raises NotFound."""
        full = self._prefix + checked_key(key)
        with self._translated(f"the file {key!r}"):
            content: bytes = self._client.get_object(Bucket=self._bucket, Key=full)["Body"].read()
        return content

    def list(self, prefix: str) -> tuple[str, ...]:
        """Return the keys below a prefix, sorted."""
        full = self._prefix + checked_prefix(prefix)
        found: builtins.list[str] = []
        with self._translated(f"the files below {prefix!r}"):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=full):
                found += [entry["Key"].removeprefix(self._prefix) for entry in page.get("Contents", [])]
        return tuple(sorted(key for key in found if key and not key.endswith("/")))

    def delete(self, key: str) -> None:
        """Delete an object; absent is success."""
        full = self._prefix + checked_key(key)
        with self._translated(f"the file {key!r}"):
            self._client.delete_object(Bucket=self._bucket, Key=full)

    @property
    def _client(self) -> Any:
        if self._made is None:
            import boto3  # noqa: PLC0415 - 300 ms, paid when the first object is asked for
            from botocore.config import Config  # noqa: PLC0415

            self._made = boto3.session.Session().client(
                "s3",
                endpoint_url=self._endpoint,
                region_name=self._region,
                aws_access_key_id=self._access_key,
                aws_secret_access_key=self._secret_key.reveal(),
                verify=self._ca or True,
                config=Config(
                    connect_timeout=5,
                    read_timeout=30,
                    retries={"total_max_attempts": 3, "mode": "standard"},
                    s3={"addressing_style": "path" if self._endpoint else "auto"},
                    # servers that speak S3's protocol do not all know its newer checksums
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                ),
            )
        return self._made

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError  # noqa: PLC0415

        where = f"{what} in the bucket {self._bucket!r}"
        try:
            yield
        except ClientError as wrong:
            raise _from_answer(where, wrong) from None
        except HTTPClientError as wrong:
            raise Unavailable(f"{where}: the object store does not answer ({type(wrong).__name__})") from None
        except BotoCoreError as wrong:
            raise Unavailable(f"{where}: the object store cannot be used ({type(wrong).__name__})") from None


def _from_answer(where: str, wrong: ClientError) -> KitchenError:
    code = str(wrong.response.get("Error", {}).get("Code", ""))
    status = int(wrong.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _TAKEN:
        return Conflict(f"{where}: it exists")
    if code in _ABSENT:
        return NotFound(f"{where}: it is not there")
    if code == "NoSuchBucket":
        return NotFound(f"{where}: there is no such bucket")
    if code in _DENIED or status == 403:
        return NotPermitted(f"{where}: the object store refuses these keys ({code})")
    if status >= 500 or code in ("SlowDown", "RequestTimeout"):
        return Unavailable(f"{where}: the object store failed ({code})")
    return InvalidInput(f"{where}: the object store refuses ({code})")


def _key(settings: Mapping[str, object], name: str, secrets: SecretStore) -> str:
    reference = SecretReference.of(settings.get(name)) or SecretReference("storage", name)
    kept = secrets.read(reference.path) or {}
    if reference.key not in kept:
        raise NotPermitted(
            f"the object store's {name} is not readable here: there is no {reference.path}#{reference.key}",
            hint=f"kitchen secret set {reference.path} {reference.key}",
        )
    return kept[reference.key]
