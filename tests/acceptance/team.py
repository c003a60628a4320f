"""A team: an administrator's clone, which holds the provisioner's secret, and people's own clones, which do not."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kitchen.adapters.postgres.connection import PgSession, connect
from kitchen.domain.connection import Credentials
from kitchen.domain.people import lease_path, login_path
from kitchen.domain.secret import Secret
from tests.acceptance.external import SHOP, Place, declare, fill, install
from tests.conftest import _home as state_home
from tests.support import REPOSITORY, Project


@contextmanager
def made_project(root: Path) -> Iterator[Project]:
    """Make a project that lives as long as the block."""
    home = state_home()
    project = Project(root, home)
    root.mkdir()
    try:
        project.git("init", "-q", "-b", "main")
        project.git("config", "user.name", "Ann Tester")
        project.git("config", "user.email", "ann@example.com")
        for folder in ("environments", "recipes"):
            shutil.copytree(REPOSITORY / folder, root / folder)
        project.commit("start")
        project.git("branch", "dev")
        yield project
    finally:
        project.stop()
        shutil.rmtree(home, ignore_errors=True)


class Team:
    """One project with external environments, installed; people clone it."""

    def __init__(self, project: Project, production: Place, dev: Place, folder: Path) -> None:
        self.project = project
        self.production = production
        self.dev = dev
        self.folder = folder
        self.clones: dict[str, Project] = {}
        self.origin = project.root  # what people clone

    def share(self) -> Path:
        """Make a bare repository that everybody pushes to and clones from now on."""
        self.origin = self.folder / "shared.git"
        self.project.git("init", "-q", "--bare", "-b", "main", str(self.origin))
        self.project.git("remote", "add", "origin", str(self.origin))
        self.project.git("push", "-q", "origin", "main", "dev")
        return self.origin

    def install(self, *, fills: bool = True) -> None:
        """Set both environments up and fill the pantry, as the platform's people do."""
        self.production.make()
        with self.production.look() as session:
            session.execute(SHOP)
        declare(self.project, self.production, self.dev)
        for name, place in (("production", self.production), ("dev", self.dev)):
            install(self.project, name, place, self.folder)
        if fills:
            fill(self.project)

    def admit(self, person: str, role: str = "developer") -> Project:
        """Let somebody in, clone the project for them, and log them in there."""
        file = self.folder / f"{person}.password"
        self.project.kitchen("environment", "admit", person, "-e", "dev", "--role", role, "--password-file", str(file))
        clone = self.clone(person)
        clone.kitchen("login", "-e", "dev", "--person", person, typed=file.read_text())
        return clone

    def clone(self, person: str) -> Project:
        """Return another person's machine: a clone with a home of its own and none of our secrets."""
        home = self.folder / f"home_{person}"
        home.mkdir(mode=0o711)
        made = Project(self.folder / f"clone_{person}", home)
        subprocess.run(["git", "clone", "-q", str(self.origin), str(made.root)], check=True)
        made.git("config", "user.name", person)
        made.git("config", "user.email", f"{person}@example.com")
        made.git("branch", "dev", "origin/dev")
        self.clones[person] = made
        return made

    def login(self, person: str) -> Credentials:
        """Return a person's own login, as it lies on their machine."""
        return self._kept(person, login_path(person))

    def lease(self, person: str, kitchen: str) -> Credentials:
        """Return a person's login into a kitchen, as it lies on their machine."""
        return self._kept(person, lease_path(person, kitchen))

    def _kept(self, person: str, path: str) -> Credentials:
        told = self.clones[person].kitchen("secret", "get", path, "-e", "dev", "--reveal", "--json").stdout
        values = json.loads(told)["values"]
        return self.dev.administrator.named(
            user=values["user"],
            password=Secret(values["password"]),
            role=values.get("role") if "kitchen" in values else None,
        )

    @contextmanager
    def session(self, person: str) -> Iterator[PgSession]:
        """Open what a person opens with psql and their own password."""
        with connect(self.login(person), application="acceptance test") as session:
            yield session
