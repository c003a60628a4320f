"""Git, behind an allow-list: the only importer of GitPython."""

from kitchen.adapters.git.discovery import open_repository
from kitchen.adapters.git.making import create_repository, first_commit, ignore_worktrees, prepare_repository
from kitchen.adapters.git.names import branch_name
from kitchen.adapters.git.repository import GitRepository

__all__ = [
    "GitRepository", "branch_name", "create_repository", "first_commit", "ignore_worktrees", "open_repository",
    "prepare_repository",
]  # fmt: skip
