"""Two people with different rights, over ssh: a change through dev, stage and production, and a hotfix past it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.external import Place, install, places, psql
from tests.acceptance.team import made_project
from tests.acceptance.test_two_machines import NODE, cook, folder
from tests.contracts.git_hosts import SshHost, ssh_host
from tests.support import Project, Server

CHAIN = {
    "production": "branch: main\ngates: {approvals: 0}\n",
    "stage": "parent: production\nbranch: stage\nkitchens: {working: false}\n",
    "dev": "parent: stage\nbranch: dev\n",
}


@dataclass
class Team:
    """The platform's clone, a developer's and a releaser's."""

    admin: Project
    ann: Project
    rita: Project
    shared: Path


@pytest.fixture
def team(postgres18: Server, tmp_path: Path) -> Iterator[Team]:
    shared = tmp_path / "shared.git"
    with (
        ssh_host(tmp_path / "ssh") as host, made_project(tmp_path / "project") as admin,
        places(*[postgres18] * 3) as found,
    ):  # fmt: skip
        _set_up(admin, dict(zip(CHAIN, found, strict=True)), host, shared, tmp_path)
        ann = _cloned("ann", host, shared, tmp_path)
        rita = _cloned("rita", host, shared, tmp_path)
        _admit(admin, ann, "dev", "developer", tmp_path)
        for environment in CHAIN:
            _admit(admin, rita, environment, "releaser", tmp_path)
        yield Team(admin, ann, rita, shared)


def _set_up(admin: Project, found: dict[str, Place], host: SshHost, shared: Path, base: Path) -> None:
    environments = admin.root / "environments"
    for name, head in CHAIN.items():
        (environments / f"{name}.yaml").write_text(f"{head}warehouse: {found[name].warehouse()}\n")
    (environments / "masking.yaml").write_text("tables: {}\n")
    admin.git("rm", "-r", "-q", "recipes")
    admin.commit("three environments")
    _knows(admin, host)
    admin.git("init", "-q", "--bare", "-b", "main", str(shared))
    admin.git("remote", "add", "origin", host.address(shared))
    admin.git("push", "-q", "origin", "main", "main:stage", "+main:dev")
    admin.git("branch", "-D", "-q", "dev")
    for name, place in found.items():
        place.make()
        install(admin, name, place, base)
        admin.kitchen("up", name)


def _knows(person: Project, host: SshHost) -> None:
    config = host.person(person.home)
    config.write_text(
        f"{config.read_text()}[user]\n\tname = {person.root.name}\n\temail = {person.root.name}@x.example\n"
    )
    person.environ["GIT_CONFIG_GLOBAL"] = str(config)


def _cloned(name: str, host: SshHost, shared: Path, base: Path) -> Project:
    home = base / f"home_{name}"
    home.mkdir(mode=0o711)
    clone = Project(base / name, home)
    clone.root.mkdir()
    _knows(clone, host)
    clone.git("clone", "-q", host.address(shared), ".")
    return clone


def _admit(admin: Project, person: Project, environment: str, role: str, base: Path) -> None:
    name = person.root.name
    file = base / f"{name}.{environment}"
    words = ("-e", environment, "--role", role, "--password-file", str(file))
    admin.kitchen("environment", "admit", name, *words)
    person.kitchen("login", "-e", environment, "--person", name, typed=file.read_text())


def counts(person: Project) -> list[str]:
    return [psql(person, name, "SELECT number FROM counted") for name in ("dev", "stage", "production")]


def test_a_change_goes_up_and_a_hotfix_past_it(team: Team) -> None:
    ann, rita = team.ann, team.rita
    ann.kitchen("create", "ten")
    cook(ann, "ten", 10)
    ann.kitchen("run", "counting", cwd=folder(ann, "ten"))
    ann.kitchen("update", "ten")
    rita.kitchen("merge", "ten", "--yes")
    assert ann.kitchen("promote", "stage", "--yes", expect=None).returncode in (3, 8)
    rita.kitchen("promote", "stage", "--yes")
    rita.kitchen("promote", "production", "--yes")
    assert counts(rita) == ["10", "10", "10"]
    assert "release-production-1" in ann.git("ls-remote", "--tags", "origin")

    ann.kitchen("create", "fix", "--parent", "production")
    assert ann.git("rev-parse", "fix") == ann.git("rev-parse", "origin/main")
    cook(ann, "fix", 11)
    ann.kitchen("run", "counting", cwd=folder(ann, "fix"))
    ann.kitchen("update", "fix")
    rita.kitchen("promote", "production", "--from", "fix", "--yes")
    assert counts(rita) == ["10", "10", "11"]
    rita.kitchen("update", "stage", "--yes")
    rita.kitchen("update", "dev", "--yes")
    assert counts(rita) == ["11", "11", "11"]
    ann.git("fetch", "-q")
    for branch in ("dev", "stage", "main"):
        assert ann.git("show", f"origin/{branch}:recipes/counting/counted.sql") == NODE.format(number=11).strip()
    rita.kitchen("release", "rollback", "-e", "production", "--yes")
    assert counts(rita) == ["11", "11", "10"]
    ann.kitchen("delete", "fix", "--yes")
    assert "refs/heads/fix" not in ann.git("ls-remote", "origin")
