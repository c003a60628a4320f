"""What an environment's bucket lets whom do, as JSON; other people's statements of the same policy stay as they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from kitchen.domain.environment import Environment
from kitchen.errors import InvalidInput

_OBJECTS = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
_LISTS = ["s3:ListBucket", "s3:ListBucketVersions"]
_VERSION = "2012-10-17"
_SAYS = {
    "OnlyEncrypted": "nobody reads or writes files unencrypted",
    "ListsOnlyEncrypted": "nobody lists files unencrypted",
    "Files": "the environment's key reads and writes files",
    "Lists": "the environment's key lists files",
    "Policy": "the environment's key reads this policy",
    "NothingElse": "the environment's key has no files outside of its prefix",
    "ListsNothingElse": "the environment's key lists nothing outside of its prefix",
}


@dataclass(frozen=True, slots=True)
class BucketStatement:
    """One statement of a bucket's policy, and what it says in words."""

    sid: str
    says: str
    rule: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class MergedPolicy:
    """A bucket's policy as it is to be, and what that changes; text is None where nothing is left to say."""

    text: str | None
    changes: tuple[str, ...]


def prefix_of(environment: Environment) -> str:
    """Return where an environment's files begin in its bucket, with a slash behind it; empty for all of it."""
    told = str(environment.storage.settings.get("prefix") or "")
    return "".join(f"{part}/" for part in told.split("/") if part)


def principal_of(environment: Environment, answer: str | None = None) -> str | None:
    """Return whom the environment's key belongs to, by its file, else by the server's answer.

    An account's root or a role for a while is no answer: what is refused to it would be refused to others.
    """
    told = environment.storage.settings.get("principal")
    if told is not None:
        return str(told)
    return answer if answer is not None and ":user/" in answer else None


def bucket_statements(environment: Environment, principal: str | None) -> tuple[BucketStatement, ...]:
    """Return what an environment asks of its bucket's policy; nothing where its files are in a folder.

    Nobody is refused the policy itself: a server that does not know that it is spoken to through TLS would refuse
    everybody for good.
    """
    if environment.storage.kind == "embedded":
        return ()
    found = dict(_encrypted(environment))
    if principal is not None:
        found |= _rights(environment, {"AWS": principal})
    return tuple(
        BucketStatement(_sid(environment, name), _SAYS[name], {"Sid": _sid(environment, name), **rule})
        for name, rule in found.items()
    )


def policy_text(statements: Sequence[BucketStatement]) -> str | None:
    """Return a policy of nothing but these statements; None without one."""
    if not statements:
        return None
    return json.dumps({"Version": _VERSION, "Statement": [one.rule for one in statements]}, indent=2)


def merged(present: str | None, environment: Environment, wanted: Sequence[BucketStatement]) -> MergedPolicy:
    """Return a bucket's policy with an environment's statements in it; all others are kept. No change is no change."""
    policy = _parsed(present)
    ours = {_sid(environment, name) for name in _SAYS}
    old = {str(one.get("Sid")): one for one in _statements(policy) if one.get("Sid") in ours}
    new = {one.sid: one for one in wanted}
    changes = (
        *(f"{one.sid} is missing: {one.says}" for one in wanted if one.sid not in old),
        *(
            f"{one.sid} is another: {one.says}"
            for one in wanted
            if one.sid in old and not _same(old[one.sid], one.rule)
        ),
        *(f"{name} is too much" for name in old if name not in new),
    )
    if not changes:
        return MergedPolicy(present, ())
    statements = [one for one in _statements(policy) if one.get("Sid") not in ours] + [one.rule for one in wanted]
    if not statements:
        return MergedPolicy(None, changes)
    return MergedPolicy(json.dumps({"Version": _VERSION, **policy, "Statement": statements}), changes)


def _encrypted(environment: Environment) -> dict[str, Mapping[str, object]]:
    if str(environment.storage.settings.get("endpoint") or "").startswith("http://"):
        return {}  # the files allow it for this machine alone
    bucket, within, below = _places(environment)
    clear = {"Bool": {"aws:SecureTransport": "false"}}
    everybody = {"Effect": "Deny", "Principal": "*"}
    return {
        "OnlyEncrypted": {**everybody, "Action": "s3:*", "Resource": within, "Condition": clear},
        "ListsOnlyEncrypted": {
            **everybody, "Action": _LISTS, "Resource": bucket,
            "Condition": {**clear, "StringLike": below} if below else clear,
        },
    }  # fmt: skip


def _rights(environment: Environment, who: Mapping[str, str]) -> dict[str, Mapping[str, object]]:
    bucket, within, below = _places(environment)
    may, may_not = {"Effect": "Allow", "Principal": who}, {"Effect": "Deny", "Principal": who}
    found: dict[str, Mapping[str, object]] = {
        "Files": {**may, "Action": _OBJECTS, "Resource": within},
        "Lists": {**may, "Action": "s3:ListBucket", "Resource": bucket},
        "Policy": {**may, "Action": "s3:GetBucketPolicy", "Resource": bucket},
    }
    if not below:
        return found
    return {
        **found,
        "Lists": {**found["Lists"], "Condition": {"StringLike": below}},
        "NothingElse": {**may_not, "Action": "s3:*", "NotResource": [bucket, within]},
        "ListsNothingElse": {
            **may_not, "Action": _LISTS, "Resource": bucket, "Condition": {"StringNotLike": below},
        },
    }  # fmt: skip


def _places(environment: Environment) -> tuple[str, str, dict[str, str]]:
    """Return the names of the bucket and of the files in it, and a condition on lists of them where it is shared."""
    bucket, prefix = f"arn:aws:s3:::{environment.storage.settings['bucket']}", prefix_of(environment)
    return bucket, f"{bucket}/{prefix}*", {"s3:prefix": f"{prefix}*"} if prefix else {}


def _sid(environment: Environment, name: str) -> str:
    """Return a statement's name, which is the environment's own also where other projects share the bucket."""
    prefix = prefix_of(environment)
    place = sha256(prefix.encode()).hexdigest()[:8] if prefix else ""
    return f"Kitchen{environment.name.title().replace('_', '')}{place}{name}"


def _parsed(text: str | None) -> dict[str, object]:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InvalidInput("the bucket has a policy that is not JSON", hint="aws s3api get-bucket-policy --bucket …")
    return found


def _statements(policy: Mapping[str, object]) -> list[Mapping[str, object]]:
    found = policy.get("Statement", [])
    return found if isinstance(found, list) else [found] if isinstance(found, dict) else []


def _same(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    return _plain(one) == _plain(other)


def _plain(value: object) -> object:
    """Return what a server means: one value or a list of it, lists in any order, everybody as * or as AWS: *."""
    match value:
        case Mapping():
            return {key: _plain({"AWS": "*"} if key == "Principal" and inner == "*" else inner)
                    for key, inner in value.items()}  # fmt: skip
        case list() | tuple():
            return sorted(str(one) for one in value)
    return [str(value).lower() if isinstance(value, bool) else str(value)]
