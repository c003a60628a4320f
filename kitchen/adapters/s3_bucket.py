"""A bucket as its administrator sees it: whether it is there, and its policy."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any

from kitchen.adapters.s3 import S3Store, keys_of
from kitchen.adapters.s3_connection import S3Keys, S3Place, Unsupported
from kitchen.domain.lent_keys import LentKeys
from kitchen.domain.secret import Secret
from kitchen.errors import KitchenError, NotFound, Unavailable
from kitchen.ports import SecretStore


class S3Bucket:
    """One bucket; fits the Bucket port."""

    def __init__(self, place: S3Place, keys: S3Keys) -> None:
        self._place = place
        self._keys = keys

    @classmethod
    def of(cls, settings: Mapping[str, object], secrets: SecretStore | None) -> S3Bucket:
        """Return a file's bucket as the environment's own key sees it; without secrets, as its administrator does.

        Raises NotPermitted where those keys are not here; the administrator's are in KITCHEN_S3_….
        """
        keys = S3Keys.of_administrator(os.environ) if secrets is None else keys_of(settings, secrets)
        return cls(S3Place.from_settings(settings), keys)

    def lend(self, role: str, name: str, policy: str, seconds: int) -> LentKeys:
        """Return keys of a role that end by themselves, limited by a policy."""
        with self._place.translated(f"borrowing the rights of {role}"):
            answer = self._place.client(self._keys, "sts").assume_role(
                RoleArn=role, RoleSessionName=name, Policy=policy, DurationSeconds=seconds
            )["Credentials"]
        return LentKeys(
            answer["AccessKeyId"], Secret(answer["SecretAccessKey"]), Secret(answer["SessionToken"]),
            answer["Expiration"],
        )  # fmt: skip

    def files(self, lent: LentKeys | None = None) -> S3Store:
        """Return everything in the bucket, as far as these keys, or those that were lent, see it."""
        keys = self._keys if lent is None else S3Keys(lent.access_key, lent.secret_key, lent.token)
        return S3Store.at(self._place, keys)

    def exists(self) -> bool:
        """Say whether the bucket is there; raises NotPermitted where these keys may not ask."""
        try:
            with self._place.translated("looking"):
                self._client.head_bucket(Bucket=self._place.bucket)
        except NotFound:
            return False
        return True

    def make(self) -> None:
        """Make the bucket; one of the same owner that is there already is success."""
        region = self._place.region
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        with self._place.translated("making"):
            try:
                self._client.create_bucket(Bucket=self._place.bucket, **where)
            except self._client.exceptions.BucketAlreadyOwnedByYou:
                return

    def policy(self) -> str | None:
        """Return the bucket's policy, or None without one; raises Unavailable where the server has no policies."""
        try:
            with self._asked_for_policy("the policy"):
                text: str = self._client.get_bucket_policy(Bucket=self._place.bucket)["Policy"]
        except NotFound:
            return None
        return text

    def put_policy(self, text: str | None) -> None:
        """Give the bucket a policy in place of the one it has; None takes it away."""
        with self._asked_for_policy("writing the policy"):
            if text is not None:
                self._client.put_bucket_policy(Bucket=self._place.bucket, Policy=text)
                return
        with suppress(NotFound), self._asked_for_policy("taking the policy away"):
            self._client.delete_bucket_policy(Bucket=self._place.bucket)

    def who(self) -> str | None:
        """Return the server's name (ARN) of whom these keys belong to; None where it does not tell."""
        try:
            with self._place.translated("asking who we are"):
                return str(self._place.client(self._keys, "sts", attempts=1).get_caller_identity()["Arn"])
        except KitchenError:
            return None

    @cached_property
    def _client(self) -> Any:
        return self._place.client(self._keys)

    @contextmanager
    def _asked_for_policy(self, what: str) -> Iterator[None]:
        try:
            with self._place.translated(what):
                yield
        except Unsupported as wrong:
            raise Unavailable(
                f"the object store of the bucket {self._place.bucket!r} has no bucket policies: who may read and write "
                "there is said where its keys are made", hint="kitchen doctor",
            ) from wrong  # fmt: skip
