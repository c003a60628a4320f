"""The Repository port on git: many branches against those that they go into, in two processes."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

from kitchen.adapters.git import GitRepository, open_repository
from kitchen.adapters.git.command import Answer, GitCommand
from tests.contracts.repositories import git, head, make_root


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return make_root(tmp_path / "project", monkeypatch)


@pytest.fixture
def repository(root: Path) -> GitRepository:
    return open_repository(root)


def _history(repository: GitRepository, seed: int) -> list[str]:
    """Make twenty commits on one another, some of them merges."""
    chance = random.Random(seed)  # noqa: S311 - a history, not a secret
    made = [head(repository)]
    tree = repository.tree_of(made[0])
    for number in range(20):
        parents = chance.sample(made, k=min(len(made), chance.choice((1, 1, 2))))
        made.append(repository.commit_tree(tree, parents, f"commit {number}"))
    return made


@pytest.mark.parametrize("seed", range(3))
def test_it_counts_as_git_counts(repository: GitRepository, root: Path, seed: int) -> None:
    pairs = list(itertools.product(_history(repository, seed), repeat=2))[::11]
    found = repository.distances(pairs)
    for one, other in pairs:
        line = git(root, "rev-list", "--first-parent", other).split()
        expected = (*repository.ahead_behind(one, other), one in line)
        assert (found[one, other].ahead, found[one, other].behind, found[one, other].was_there) == expected


def test_strangers_are_compared_too(repository: GitRepository) -> None:
    here = head(repository)
    stranger = repository.commit_tree(repository.tree_of(here), [], "alone")
    (found,) = repository.distances([(stranger, here)]).values()
    assert (found.ahead, found.behind, found.was_there) == (1, 1, False)


def test_any_number_takes_two_processes(repository: GitRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    made = _history(repository, 7)
    started: list[str] = []
    run = GitCommand.run

    def counted(self: GitCommand, command: str, *options: str, **rest: object) -> Answer:
        started.append(command)
        return run(self, command, *options, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(GitCommand, "run", counted)
    repository.distances([])
    repository.distances([(made[3], made[3])])
    assert started == []
    repository.distances([(one, made[-1]) for one in made])
    assert started == ["merge-base", "rev-list"]
