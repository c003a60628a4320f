"""What may reach git as a name: everything else is refused before a process starts."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from kitchen.errors import InvalidInput

REF_FORMAT = "--format=%(refname) %(objecttype) %(objectname) %(*objectname)"  # for for-each-ref
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHORT_HASH = re.compile(r"[0-9a-f]{7,64}")
_NAMESPACES = ("refs/heads/", "refs/tags/", "refs/kitchen/")
# git's own rules (git help check-ref-format): what no part of a ref may hold
_NEVER = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
REF_BYTES, PART_BYTES = 1000, 250  # a ref is a file, with ".lock" behind it: longer parts fail on common file systems


def branch_name(text: str) -> str:
    """Return text if ``git check-ref-format --branch`` would take it literally; raises InvalidInput."""
    if text == "HEAD" or text.startswith(("-", "refs/")) or not _is_ref(f"refs/heads/{text}"):
        raise InvalidInput(f"{text[:80]!r} cannot name a branch", hint="a name like profit or feature/profit")
    return text


def ref_name(text: str) -> str:
    """Return a full ref name (branch, tag or one of kitchen's own); raises InvalidInput."""
    for namespace in _NAMESPACES:
        if text.startswith(namespace):
            if namespace == "refs/heads/":
                branch_name(text.removeprefix(namespace))
            if not text.removeprefix(namespace).startswith("-") and _is_ref(text):
                return text
    raise InvalidInput(f"{text[:80]!r} is not a full ref name that kitchen works with")


def readable_ref(text: str) -> str:
    """Return a full ref name that may be read: ours, and where a remote's branch was last seen; raises InvalidInput."""
    return text if text.startswith("refs/remotes/") and _is_ref(text) else ref_name(text)


def tag_name(text: str) -> str:
    """Return the short name of a tag; raises InvalidInput."""
    return ref_name(f"refs/tags/{text}").removeprefix("refs/tags/")


def commit_id(text: str) -> str:
    """Return a full hash; raises InvalidInput."""
    if not _HASH.fullmatch(text):
        raise InvalidInput(f"{text[:80]!r} is not a full commit id")
    return text


def is_hash(text: str) -> bool:
    """Say whether text can be the beginning of a hash."""
    return _SHORT_HASH.fullmatch(text) is not None


def inner_path(text: str) -> str:
    """Return a path within a commit, normalised; raises InvalidInput where it leaves the project."""
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or "\x00" in text:
        raise InvalidInput(f"{text[:80]!r} is not a path within the project")
    return "" if path == PurePosixPath() else str(path)


def _is_ref(text: str) -> bool:
    parts = text.split("/")
    if max(len(part.encode(errors="replace")) for part in parts) > PART_BYTES or len(text) > REF_BYTES:
        return False
    if _NEVER.search(text) or text.endswith((".", "/")):
        return False
    return not any(not part or part.startswith(".") or part.endswith(".lock") for part in parts)
