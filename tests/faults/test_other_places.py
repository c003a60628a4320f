"""Ordinary users and folders of all kinds: a path with quotes and letters of any language, a home that is read only."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest

from tests.bench import Bench
from tests.support import REPOSITORY, Project, missing

RECIPE = "description: x\nnodes:\n  made: {sql: made.sql}\n  seen: {python: seen.py, after: [made]}\n"
SQL = "DROP TABLE IF EXISTS made;\nCREATE TABLE made AS SELECT 42 AS n;\n"
PYTHON = "import subprocess\nsubprocess.run(['psql', '-X', '-c', 'CREATE TABLE seen AS TABLE made'], check=True)\n"


class Ordinary(Project):
    """A project of somebody who is not root, with a home of their own and nothing told about folders."""

    def __init__(self, root: Path, home: Path, user: str) -> None:
        super().__init__(root, home / ".local" / "share" / "kitchen")
        self.python = sys.executable
        entry = pwd.getpwnam(user)
        self._become = [] if os.geteuid() else [
            "setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups",
        ]  # fmt: skip
        self.environ = {
            **{name: text for name, text in self.environ.items() if not name.startswith(("KITCHEN_HOME", "KITCHEN_K"))},
            "HOME": str(home), "USER": user, "LOGNAME": user,
        }  # fmt: skip
        for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
            self.environ.pop(name, None)

    def _run(
        self, command: list[str], cwd: Path, typed: str | None, timeout: float, expect: int | None
    ) -> subprocess.CompletedProcess[str]:
        words = [self.python if word == sys.executable else word for word in command]
        return super()._run([*self._become, *words], cwd, typed, timeout, expect)

    def finds_python(self) -> bool:
        """Take a Python that this user can start programs with: ours, or the system's with our packages."""
        system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
        packages = os.pathsep.join([str(REPOSITORY), str(Path(click.__file__).parents[1])])
        for python, path in ((sys.executable, str(REPOSITORY)), (system, packages)):
            self.python, self.environ["PYTHONPATH"] = python, path
            script = "import subprocess, sys, kitchen.app; subprocess.run([sys.executable, '-c', ''], check=True)"
            tried = subprocess.run(
                [*self._become, python, "-c", script], env=self.environ, cwd="/", check=False, capture_output=True
            )
            if not tried.returncode:
                return True
        return False


@contextmanager
def _folder(owner: str | None = None) -> Iterator[Path]:
    """Make a folder near the root, that others may pass through: paths of sockets are short."""
    folder = Path(tempfile.mkdtemp(prefix="kitchen-places-", dir="/tmp"))
    try:
        folder.chmod(0o711)
        if owner is not None and not os.geteuid():
            shutil.chown(folder, owner, pwd.getpwnam(owner).pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _begun(project: Project) -> Iterator[Project]:
    """Set a project up in the folder, as its user does."""
    try:
        project.kitchen("init", str(project.root), cwd=project.root.parent)
        project.git("config", "user.name", "Ann O'Hara")
        project.git("config", "user.email", "ann@example.com")
        recipe = project.root / "recipes" / "small"
        script = (
            f"import pathlib; p = pathlib.Path({str(recipe)!r}); p.mkdir(parents=True); "
            f"(p / 'recipe.yaml').write_text({RECIPE!r}); (p / 'made.sql').write_text({SQL!r}); "
            f"(p / 'seen.py').write_text({PYTHON!r})"
        )
        project._run([sys.executable, "-c", script], project.root, None, 60, 0)
        project.commit("start")
        project.git("branch", "-f", "dev")
        project.kitchen("up", "dev")
        yield project
    finally:
        project.stop()


def _lives(project: Project) -> None:
    """Make a kitchen, work in it from its folder and from outside, and let it go."""
    worktree = Path(project.kitchen("create", "work").stdout.strip())
    assert worktree.is_relative_to(project.root)
    project.kitchen("run", "small", cwd=worktree)
    query = ("enter", "work", "--", "psql", "-X", "-A", "-t", "-c", "SELECT n FROM seen")
    assert project.kitchen(*query).stdout.strip() == "42"
    assert project.kitchen("enter", "--", "pwd", cwd=worktree).stdout.strip() == str(worktree)
    (listed,) = [each for each in json.loads(project.kitchen("list", "--json").stdout) if each["name"] == "work"]
    assert listed["state"] == "ready"
    project.kitchen("diff", "work")
    project.kitchen("merge", "work", "--yes")
    project.kitchen("delete", "work", "--yes")
    assert not worktree.exists()
    project.kitchen("doctor", "dev")


def test_somebody_who_is_not_root_needs_nothing_but_a_home() -> None:
    user = pwd.getpwuid(os.geteuid()).pw_name if os.geteuid() else "nobody"
    with _folder(user) as home:
        project = Ordinary(home / "project", home, user)
        if not project.finds_python():
            missing("ordinary user", "others may not read this Python or this project")
        with _begun(project):
            _lives(project)
        data = home / ".local" / "share" / "kitchen"
        assert {path.owner() for path in data.rglob("*")} == {user}
        assert not [path for path in data.rglob("*.key") if path.stat().st_mode & 0o077]


@pytest.mark.parametrize("name", ['Ann\'s "shop"', "продажи 売上 café", "a $HOME `b` %s {c} \\d;e"])
def test_a_path_may_have_any_letters(name: str) -> None:
    with _folder() as folder:
        home = folder / name / "home"
        home.mkdir(parents=True)
        for path in (home.parent, home):
            path.chmod(0o711)
        with _begun(Project(folder / name / "project", home)) as project:
            _lives(project)


def test_nothing_is_written_to_a_home_that_is_read_only(bench: Bench) -> None:
    """What kitchen keeps lies where KITCHEN_HOME says; HOME itself is only read."""
    project = bench.project
    with _folder() as home:
        home.chmod(0o555)
        project.environ["HOME"] = str(home)
        project.kitchen("create", "quiet")
        assert project.kitchen("enter", "quiet", "--", "sh", "-c", "echo $KITCHEN").stdout.strip() == "quiet"
        project.kitchen("list")
        project.kitchen("delete", "quiet", "--yes")
        assert list(home.iterdir()) == []
