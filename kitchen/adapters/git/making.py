"""Begins a new git project."""

from __future__ import annotations

from pathlib import Path

from kitchen.adapters.git.command import GitCommand
from kitchen.adapters.git.discovery import open_repository
from kitchen.adapters.git.repository import GitRepository
from kitchen.adapters.git.worktrees import ignore
from kitchen.domain.words import quoted
from kitchen.errors import Conflict


def create_repository(folder: Path) -> GitRepository:
    """Make a git repository with branch main in a folder that has none; raises Conflict."""
    folder = folder.resolve()
    if (folder / ".git").exists():
        raise Conflict(f"{folder} is a git project already", hint=f"cd {quoted(folder)}")
    folder.mkdir(parents=True, exist_ok=True)
    # no template: hooks of the machine's own template are not this project's
    GitCommand(folder).run("init", "--quiet", "--initial-branch=main", "--template=")
    return GitRepository(folder, folder / ".git")


def ignore_worktrees(repository: GitRepository) -> None:
    """Have git ignore the folder of the kitchens' worktrees, in this clone only."""
    ignore(repository.common_dir)


def prepare_repository(folder: Path, *, new: bool) -> GitRepository:
    """Return the folder's git repository, made where it is new, with the folder of worktrees ignored."""
    repository = create_repository(folder) if new else open_repository(folder)
    ignore_worktrees(repository)
    return repository


def first_commit(root: Path, message: str) -> str:
    """Commit every file of a new project; returns the commit."""
    repository = open_repository(root)
    git = repository.git
    git.run("add", "--all")
    git.run("commit", "--quiet", "--no-verify", "--no-gpg-sign", "-F-", typed=message, environment=git.identity())
    commit = repository.head("main")
    if commit is None:
        raise Conflict("the first commit is not on branch main", hint="git status")
    return commit
