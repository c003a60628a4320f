"""Buckets for tests on a server that is really there: a wheel's, or one that variables name.

``KITCHEN_S3_ENDPOINT`` with ``KITCHEN_S3_ACCESS_KEY`` and ``KITCHEN_S3_SECRET_KEY`` (an administrator's) name one, and
``KITCHEN_S3_USER_ACCESS_KEY``, ``KITCHEN_S3_USER_SECRET_KEY`` a user of it without any right, whom its policies call
``KITCHEN_S3_USER_PRINCIPAL``, and that may assume the role ``KITCHEN_S3_ROLE``; ``KITCHEN_S3_REGION`` where it is not
us-east-1.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import Any

from kitchen.adapters.s3 import S3Store
from kitchen.adapters.s3_bucket import S3Bucket
from kitchen.adapters.s3_connection import S3Keys, S3Place
from kitchen.domain.environment import Environment, Service
from kitchen.domain.secret import Secret
from tests.contracts.seaweed import ACCOUNT, ROLE, SeaweedFS

_NONE = Service("none")


@dataclass(frozen=True)
class Shop:
    """An environment on a bucket: what installing one needs of its services, with the adapters that are shipped."""

    place: S3Place
    administrator: S3Keys
    user: S3Keys
    principal: str | None  # as the environment's file says it; None: the server is asked
    prefix: str = "shop"
    name: str = "dev"
    role: str | None = None

    @property
    def environment(self) -> Environment:
        settings: dict[str, object] = {"bucket": self.place.bucket, "prefix": self.prefix, "region": self.place.region}
        settings |= {"endpoint": self.place.endpoint} if self.place.endpoint else {}
        settings |= {"principal": self.principal} if self.principal else {}
        settings |= {"role": self.role} if self.role else {}
        return Environment(self.name, "dev", "production", _NONE, _NONE, Service("s3", settings), _NONE)

    @property
    def storage(self) -> S3Store:
        return S3Store.at(self.place, self.user, self.prefix)

    @property
    def whole(self) -> S3Store:
        """Return everything in the bucket as the administrator sees it."""
        return self.bucket(as_administrator=True).files()

    def bucket(self, *, as_administrator: bool) -> S3Bucket:
        return S3Bucket(self.place, self.administrator if as_administrator else self.user)

    def client(self) -> Any:
        """Return the administrator's client of another make than ours."""
        return self.place.client(self.administrator)

    def changed(self, **changes: Any) -> Shop:
        return replace(self, **changes)

    def at(self, endpoint: str, ca: str | None = None) -> Shop:
        """Return the same shop as it is reached at another address."""
        return replace(self, place=replace(self.place, endpoint=endpoint, ca=ca))


@contextmanager
def shop_on(server: SeaweedFS) -> Iterator[Shop]:
    """Return a shop with a bucket that is not there yet, and a user without rights of its own."""
    place = S3Place(f"kitchen-test-{token_hex(6)}", server.endpoint)
    made = Shop(place, _keys(server.admin), _keys(server.nobody), f"{ACCOUNT}/nobody")
    made = made.changed(role=ROLE if server.tells else None)
    yield from _emptied(made)


@contextmanager
def real_shop() -> Iterator[Shop | None]:
    """Return such a shop on the server that variables name, or None where they name none."""
    endpoint = os.environ.get("KITCHEN_S3_ENDPOINT")
    if not endpoint:
        yield None
        return
    user = (os.environ["KITCHEN_S3_USER_ACCESS_KEY"], os.environ["KITCHEN_S3_USER_SECRET_KEY"])
    place = S3Place(f"kitchen-test-{token_hex(6)}", endpoint, os.environ.get("KITCHEN_S3_REGION", "us-east-1"))
    principal = os.environ.get("KITCHEN_S3_USER_PRINCIPAL")
    made = Shop(place, S3Keys.of_administrator(os.environ), _keys(user), principal)
    yield from _emptied(made.changed(role=os.environ.get("KITCHEN_S3_ROLE")))


def _emptied(shop: Shop) -> Iterator[Shop]:
    try:
        yield shop
    finally:
        bucket = shop.bucket(as_administrator=True)
        if bucket.exists():
            bucket.put_policy(None)
            for key in shop.whole.list(""):
                shop.whole.delete(key)
            shop.client().delete_bucket(Bucket=shop.place.bucket)


def _keys(pair: tuple[str, str]) -> S3Keys:
    return S3Keys(pair[0], Secret(pair[1]))
