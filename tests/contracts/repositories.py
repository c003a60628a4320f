"""Real repositories that tests of git make and look into."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kitchen.adapters.git import GitRepository

ABSENT = "0" * 39 + "1"


def git(folder: Path, *arguments: str) -> str:
    answer = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True, timeout=30)
    return answer.stdout.strip()


def make_root(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a project with two branches and two files."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.email", "ann@example.com")
    git(folder, "config", "user.name", "Ann")
    (folder / "a.sql").write_text("one\n")
    (folder / "recipes").mkdir()
    (folder / "recipes" / "b.sql").write_text("SELECT 1\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "start")
    git(folder, "branch", "dev")
    return folder


def head(repository: GitRepository, branch: str = "main") -> str:
    found = repository.head(branch)
    assert found is not None
    return found


def change(folder: Path, text: str, file: str = "a.sql") -> str:
    (folder / file).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", f"write {file}")
    return git(folder, "rev-parse", "HEAD")
