"""The folder of a demo: whose it is, and how the tour's commands are run in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from kitchen.domain.words import quoted
from kitchen.errors import Conflict, KitchenError
from kitchen.operations.demo_tour import Command, Edit
from kitchen.operations.project import EXAMPLE

_MARK = Path(".git") / "kitchen" / "demo"
DATA = Path(".kitchen") / "retail.sql"


class DemoState(StrEnum):
    """What is in the folder that a demo is asked for."""

    NOTHING = "nothing"
    STARTED = "started"  # a tour that did not come to its end
    FINISHED = "finished"


def look(folder: Path) -> DemoState:
    """Say what a folder holds; raises Conflict where it holds anything but a demo."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return DemoState.NOTHING
    mark = folder / _MARK
    if not mark.is_file():
        raise Conflict(f"{folder} is not empty, and not a demo", hint="kitchen demo ANOTHER_FOLDER")
    return DemoState(mark.read_text().strip())


def mark(folder: Path, state: DemoState) -> None:
    """Remember how far the demo of a folder has come."""
    (folder / _MARK).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / _MARK).write_text(f"{state}\n")


def remove(folder: Path, state_home: Path, key_home: Path) -> None:
    """Remove a demo's folder and what its services (stopped before) kept."""
    look(folder)
    identity = folder / ".git" / "kitchen" / "id"
    if identity.is_file() and (project := identity.read_text().strip()).isalnum():
        shutil.rmtree(state_home / project, ignore_errors=True)
        (key_home / f"{project}.key").unlink(missing_ok=True)
    shutil.rmtree(folder)


@dataclass(frozen=True, slots=True)
class Played:
    """How one command went."""

    status: int
    seconds: float


class Stage:
    """Runs the tour's commands in a demo's folder, in a clean environment, on the terminal that we have."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts: dict[str, str] = {}
        foreign = ("PG", "GIT_DIR", "GIT_INDEX", "GIT_WORK", "KITCHEN_WORKTREES", "KITCHEN_ENVIRONMENT")
        self.environment: Mapping[str, str] = {
            **{name: value for name, value in os.environ.items() if not name.startswith(foreign) and name != "KITCHEN"},
            "PSQLRC": os.devnull,
            "PSQL_PAGER": "cat",
            "PAGER": "cat",
        }

    def words(self, command: Command) -> tuple[str, ...]:
        """Return a command's words with what the tour has found out so far."""
        filled = []
        for word in command.words:
            for name, value in self.facts.items():
                word = word.replace("{" + name + "}", value)  # noqa: PLW2901 - one word, filled in step by step
            filled.append(word)
        return tuple(filled)

    def play(self, command: Command) -> Played:
        """Run a command in sight of the user; raises KitchenError where its answer is not the right one."""
        words = self.words(command)
        begun = time.monotonic()
        answer = subprocess.run(
            [*self._program(words[0]), *words[1:]], cwd=self.folder / command.folder, env=self.environment, check=False
        )
        seconds = time.monotonic() - begun
        if answer.returncode not in command.expect:
            raise KitchenError(
                f"the tour stopped: `{' '.join(words[:3])} …` ended with {answer.returncode}, "
                f"not with {' or '.join(str(code) for code in command.expect)}",
                hint=f"cd {quoted(self.folder)} && kitchen doctor",
            )
        return Played(answer.returncode, seconds)

    def identify(self) -> str | None:
        """Give the demo's commits an author where git knows none; returns what was written into its configuration."""
        if self._git("config", "user.email") and self._git("config", "user.name"):
            return None
        self._git("config", "user.name", "Demo")
        self._git("config", "user.email", "demo@localhost")
        return "demo@localhost"

    def _git(self, *words: str) -> str:
        answer = subprocess.run(
            ["git", *words],  # noqa: S607 - the git that the user would run
            cwd=self.folder, env=self.environment, check=False, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        return answer.stdout.strip()

    def ask(self, *words: str) -> str:
        """Return what a kitchen command prints, out of the user's sight."""
        answer = subprocess.run(
            [*self._program("kitchen"), *words],
            cwd=self.folder,
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=600,
        )
        if answer.returncode:
            raise KitchenError(f"kitchen {' '.join(words)} failed: {answer.stderr.strip()[-400:]}")
        return answer.stdout

    def edit(self, edit: Edit) -> None:
        """Change a file as a user would in an editor."""
        path = self.folder / edit.path
        if edit.old is None:
            path.write_text(edit.new)
            return
        before = path.read_text()
        if before.count(edit.old) != 1:
            raise KitchenError(f"the tour stopped: {edit.path} is not the file that it knows")
        path.write_text(before.replace(edit.old, edit.new))

    def place_data(self) -> None:
        """Put the generated shop where the tour loads it from."""
        (self.folder / DATA).parent.mkdir(exist_ok=True)
        shutil.copyfile(EXAMPLE / "retail.sql", self.folder / DATA)

    def _program(self, word: str) -> list[str]:
        if word != "kitchen":
            return [word]
        beside = Path(sys.executable).with_name("kitchen")
        return [str(beside)] if beside.is_file() else [sys.executable, "-m", "kitchen"]
