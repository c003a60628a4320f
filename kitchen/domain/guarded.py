"""Files of a project that say who may do what: a merge that changes them is said, and no runner publishes it unseen."""

from __future__ import annotations

import unicodedata

_FOLDERS = frozenset({
    "environments",  # access lists, gates, masking decisions
    ".github", ".gitlab", ".gitea", ".forgejo", ".circleci", ".buildkite", ".woodpecker", ".ci",  # what pipelines run
})  # fmt: skip
_PIPELINES = (
    ".gitlab-ci", ".travis", ".drone", ".woodpecker", "jenkinsfile", "azure-pipelines", "bitbucket-pipelines"
)  # fmt: skip
_OF_GIT = frozenset({".gitattributes", ".gitmodules", ".lfsconfig"})  # how git merges and what it starts, in any folder


def is_guarded(path: str) -> bool:
    """Say whether a path of a commit, however a file system may spell it, is one of these files."""
    first, *others = (_folded(part) for part in path.split("/"))
    last = others[-1] if others else first
    return first in _FOLDERS or last in _OF_GIT or (not others and first.startswith(_PIPELINES))


def _folded(name: str) -> str:
    """Return a name as file systems compare it that ignore letters' case and what is not seen."""
    seen = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
    return seen.casefold()
