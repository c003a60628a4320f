"""A project whose kitchens come and go, and a look at them as the command line tells it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import Bench
from tests.support import Project


def document(project: Project, *arguments: str) -> object:
    return json.loads(project.kitchen(*arguments, "--json").stdout)


def kitchens_of(project: Project) -> list[str]:
    """Return working kitchens, children first."""
    found = [each for each in document(project, "list") if each["kind"] == "working"]  # type: ignore[union-attr, attr-defined]
    return [each["name"] for each in sorted(found, key=lambda each: each["created_at"], reverse=True)]


def worktree_of(project: Project, name: str) -> Path:
    return project.root / ".kitchen" / "worktrees" / name


@contextmanager
def leaving_nothing(bench: Bench) -> Iterator[Project]:
    """Give the project to a test; whatever that leaves in it fails the test."""
    before = bench.traces()
    yield bench.project
    for name in kitchens_of(bench.project):
        bench.project.kitchen("delete", name, "--force", "--yes")
    assert bench.traces() == before
