"""A project whose development environment is up, and a look at everything that kitchens leave anywhere."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from kitchen.app import App, Services
from tests.support import REPOSITORY, Project

_CATALOGUE = (
    "SELECT 'role', rolname, rolcanlogin::text FROM pg_roles WHERE rolname LIKE 'kitchen\\_\\_dev\\_\\_%' "
    "UNION ALL SELECT 'schema', nspname, nspacl::text FROM pg_namespace WHERE nspname !~ '^pg_' "
    "UNION ALL SELECT 'defaults', defaclrole::regrole::text, defaclacl::text FROM pg_default_acl "
    "UNION ALL SELECT 'setting', setrole::regrole::text, array_to_string(setconfig, ';') FROM pg_db_role_setting "
    "UNION ALL SELECT 'member', member::regrole::text, roleid::regrole::text FROM pg_auth_members "
    "UNION ALL SELECT 'relation', relnamespace::regnamespace::text, relname FROM pg_class "
    "WHERE relkind IN ('r', 'v') AND relnamespace::regnamespace::text !~ '^(pg_|information_schema|kitchen_control)'"
)


@dataclass
class Bench:
    """A project as one process sees it; ``fresh`` gives what another process would see."""

    project: Project

    def fresh(self) -> App:
        return App(self.project.root)

    def traces(self) -> frozenset[tuple[str, ...]]:
        """Return every trace of kitchens in git, files, server, secrets, storage and records."""
        app = self.fresh()
        services: Services = app.services("dev")
        found: set[tuple[str, ...]] = set()
        with services.sessions.as_administrator() as session:
            found |= {tuple(str(value) for value in row) for row in session.query(_CATALOGUE)}
        found |= {("ref", *line.split()) for line in self.project.git("for-each-ref").splitlines()}
        found |= {("worktree", str(path), str(branch)) for path, branch in app.repository.worktrees().items()}
        found |= {("entry", str(path)) for path in (app.repository.common_dir / "worktrees").glob("*")}
        found |= {("folder", str(path)) for path in app.worktrees.glob("*")}
        found |= {("secret", path) for path in services.secrets.list("kitchens")}
        found |= {("file", key) for key in services.storage.list("")}
        found |= {("record", kitchen.name, kitchen.state) for kitchen in services.control.kitchens.all()}
        found |= {("unfinished", each.kind, each.subject) for each in services.control.journal.unfinished()}
        services.control.session.close()
        return frozenset(found)


@contextmanager
def opened(*environments: str) -> Iterator[Bench]:
    """Make a project with the environments up, and this process's environment variables leading to it."""
    folder = Path(tempfile.mkdtemp(prefix="kitchen-faults-", dir="/tmp"))
    folder.chmod(0o711)
    project = Project(folder / "project", folder / "home")
    patch = pytest.MonkeyPatch()
    try:
        project.root.mkdir()
        project.home.mkdir(mode=0o711)
        project.git("init", "-q", "-b", "main")
        project.git("config", "user.name", "Ann Tester")
        project.git("config", "user.email", "ann@example.com")
        shutil.copytree(REPOSITORY / "environments", project.root / "environments")
        environment = (project.root / "environments" / "dev.yaml").read_text()
        (project.root / "environments" / "dev.yaml").write_text(environment.replace("per_person: 5", "per_person: 500"))
        project.commit("start")
        project.git("branch", "dev")
        for name in environments:
            project.kitchen("up", name)
        for name in [name for name in os.environ if name.startswith(("PG", "GIT_", "KITCHEN"))]:
            patch.delenv(name)
        for name in ("KITCHEN_HOME", "KITCHEN_KEY_HOME", "GIT_CONFIG_GLOBAL"):
            patch.setenv(name, project.environ[name])
        yield Bench(project)
    finally:
        patch.undo()
        project.stop()
        shutil.rmtree(folder, ignore_errors=True)
