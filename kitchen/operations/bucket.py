"""Prepare a bucket that is somebody else's, once: made where it is missing, its policy written, the keys tried."""

from __future__ import annotations

import secrets as randomness
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from kitchen.domain.bucket_policy import BucketStatement, MergedPolicy, bucket_statements, merged, prefix_of
from kitchen.domain.bucket_policy import principal_of as named
from kitchen.domain.environment import Environment
from kitchen.errors import InvalidInput, KitchenError, NotFound, NotPermitted, Refused, Unavailable
from kitchen.ports import Bucket, ObjectStore

Say = Callable[[str], None]
_SETTLES = 15.0  # seconds until a policy that was just written holds everywhere


class Services(Protocol):
    """What this needs of an environment."""

    @property
    def environment(self) -> Environment: ...
    @property
    def storage(self) -> ObjectStore: ...
    def bucket(self, *, as_administrator: bool) -> Bucket: ...


@dataclass(frozen=True, slots=True)
class BucketPlan:
    """What a bucket lacks; ``before`` is its policy as it is, ``principal`` whom the statements on rights name."""

    bucket: str
    missing: bool
    before: str | None
    policy: MergedPolicy
    principal: str | None

    @property
    def actions(self) -> tuple[str, ...]:
        """Return what is to be done, in words."""
        made = (f"make the bucket {self.bucket}",) if self.missing else ()
        return (*made, *(f"policy: {change}" for change in self.policy.changes))


@dataclass(frozen=True, slots=True)
class KeyTrial:
    """What the environment's key could do: ``inside`` below its prefix (None: all it should), ``outside`` of it."""

    inside: KitchenError | None
    outside: tuple[str, ...]

    @property
    def is_as_it_should_be(self) -> bool:
        """Say whether the key has its prefix and nothing else."""
        return self.inside is None and not self.outside


def review(services: Services) -> BucketPlan:
    """Return what the bucket lacks, as its administrator sees it; nothing is changed."""
    environment = services.environment
    check_external(environment)
    bucket = services.bucket(as_administrator=True)
    missing = not bucket.exists()
    before = None if missing else bucket.policy()
    principal = principal_of(services)
    if principal is not None and bucket.who() == principal:
        raise InvalidInput(
            f"the key of {environment.name!r} is its administrator's own, whom this policy would shut out",
            hint="make a user for the environment at the object store; then kitchen secret set, with its keys",
        )
    wanted = bucket_statements(environment, principal)
    name = str(environment.storage.settings["bucket"])
    return BucketPlan(name, missing, before, merged(before, environment, wanted), principal)


def prepare(services: Services, *, say: Say, settles: float = _SETTLES) -> tuple[BucketPlan, KeyTrial]:
    """Make the bucket, write its policy, read it back and try the environment's key; done already is success.

    A policy under which the key no longer does what it did before is taken back: Refused.
    """
    check_external(services.environment)
    bucket = services.bucket(as_administrator=True)
    plan = _made(services, bucket, say)
    worked = not plan.missing and _tried_inside(services) is None
    if plan.policy.changes:
        bucket.put_policy(plan.policy.text)
        for change in plan.policy.changes:
            say(f"policy: {change}")
        _check_kept(services, bucket, plan)
    trial = _settled(services, settles if plan.actions else 0)
    if worked and trial.inside is not None and plan.policy.changes:
        bucket.put_policy(plan.before)
        raise Refused(
            f"with this policy the key of {services.environment.name!r} is refused its own files ({trial.inside}): "
            "the bucket has its former policy again",
            hint="is TLS ended before the server, or `principal` of storage: somebody else? "
            f"kitchen environment install {services.environment.name} --bucket --dry-run",
        )
    return plan, trial


def principal_of(services: Services) -> str | None:
    """Return whom the environment's key belongs to, as far as its file or the server tells."""
    told = named(services.environment)
    if told is not None:
        return told
    with suppress(KitchenError):
        return named(services.environment, services.bucket(as_administrator=False).who())
    return None


def wanted_of(services: Services) -> tuple[BucketStatement, ...]:
    """Return what the environment asks of its bucket's policy."""
    return bucket_statements(services.environment, principal_of(services))


def tried(services: Services) -> KeyTrial:
    """Try what the environment's key can do, below its prefix and outside."""
    inside = _tried_inside(services)
    return KeyTrial(inside, () if inside is not None else tried_outside(services))


def tried_outside(services: Services) -> tuple[str, ...]:
    """Return what the environment's key can do outside of its prefix; nothing where the bucket is all its own."""
    if not prefix_of(services.environment):
        return ()
    files, key = services.bucket(as_administrator=False).files(), f"kitchen-probe-{randomness.token_hex(8)}"

    def write() -> None:
        files.put(key, b"", create_only=True)
        files.delete(key)

    asked: dict[str, Callable[[], object]] = {
        "read": lambda: files.get(key), "list": lambda: files.list(key), "write": write,
    }  # fmt: skip
    return tuple(what for what, ask in asked.items() if not is_refused(ask))


def check_external(environment: Environment) -> None:
    """Raise InvalidInput where the environment's files are in a folder."""
    if environment.storage.kind == "embedded":
        raise InvalidInput(
            f"the files of {environment.name!r} are in a folder, which has no policy",
            hint="storage: {kind: s3, …} in its file below environments/",
        )


def _made(services: Services, bucket: Bucket, say: Say) -> BucketPlan:
    """Make the bucket before its policy is asked for: a server without policies has it at least."""
    missing = not bucket.exists()
    if missing:
        bucket.make()
        say(f"made the bucket {services.environment.storage.settings['bucket']}")
    plan = review(services)
    return BucketPlan(plan.bucket, missing, plan.before, plan.policy, plan.principal)


def _check_kept(services: Services, bucket: Bucket, plan: BucketPlan) -> None:
    wanted = bucket_statements(services.environment, plan.principal)
    left = merged(bucket.policy(), services.environment, wanted).changes
    if left:
        raise Unavailable(f"the object store took the policy and does not give it back: {'; '.join(left)}")


def _settled(services: Services, seconds: float) -> KeyTrial:
    """Try the key until it is as it should be, or the time is over: some servers take a policy in by and by."""
    until = time.monotonic() + seconds
    while True:
        trial = tried(services)
        if trial.is_as_it_should_be or time.monotonic() >= until:
            return trial
        time.sleep(1)


def _tried_inside(services: Services) -> KitchenError | None:
    """Write, read, list and delete a file with the environment's key; return what was refused."""
    folder, data = f"doctor/{randomness.token_hex(8)}", randomness.token_bytes(16)
    key = f"{folder}/probe"
    try:
        storage = services.storage
        storage.put(key, data, create_only=True)
        try:
            if storage.get(key) != data or storage.list(folder) != (key,):
                return Unavailable("the object store does not give back what was put")
        finally:
            storage.delete(key)
    except KitchenError as error:
        return error
    return None


def is_refused(ask: Callable[[], object]) -> bool:
    """Say whether a question is refused; an answer, also that nothing is there, is none."""
    try:
        ask()
    except NotPermitted:
        return True
    except NotFound:
        return False
    return False
