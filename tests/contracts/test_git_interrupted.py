"""git that works when its caller is interrupted: it ends too, at once, and nothing waits for its time to run out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from kitchen.adapters.git import open_repository
from tests.contracts.repositories import git, make_root

CHECK_OUT = """
import sys
from pathlib import Path
from kitchen.adapters.git import open_repository
open_repository(Path.cwd()).add_worktree(Path.cwd() / ".kitchen" / "worktrees" / "dev", "dev")
"""


def _programs_of(group: int) -> set[str]:
    """Return the names of the programs of a process group; a filter of the user's own may be among them for a while."""
    found = set()
    for each in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            head, _, rest = each.read_text().rpartition(") ")
            if int(rest.split()[2]) == group and rest[0] != "Z":
                found.add(head.partition("(")[2])
    return found


@pytest.mark.parametrize("to_all", [False, True], ids=["to kitchen", "to all, as a terminal does"])
def test_git_ends_with_its_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, to_all: bool) -> None:
    root = make_root(tmp_path / "project", monkeypatch)
    git(root, "switch", "-q", "dev")
    (root / ".gitattributes").write_text("*.sql filter=slow\n")
    git(root, "add", "--all")
    git(root, "commit", "-q", "-m", "attributes")
    git(root, "switch", "-q", "main")
    begun = tmp_path / "begun"
    users = tmp_path / "users"  # whose filters run
    users.write_text(f'[filter "slow"]\n\tsmudge = "touch {begun}; sleep 60; cat"\n')
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": str(users), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", CHECK_OUT]
    with subprocess.Popen(command, cwd=root, env=environment, start_new_session=True) as caller:
        give_up = time.monotonic() + 30
        while not begun.exists() and time.monotonic() < give_up:
            time.sleep(0.05)
        interrupted = time.monotonic()
        (os.killpg if to_all else os.kill)(caller.pid, signal.SIGINT)
        caller.wait(timeout=20)
    assert time.monotonic() - interrupted < 10
    assert _programs_of(caller.pid).isdisjoint({"git", "python", "python3"})
    path = root / ".kitchen" / "worktrees" / "dev"
    assert open_repository(root).is_half_made(path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    open_repository(root).add_worktree(path, "dev")
    assert (path / "a.sql").read_text() == "one\n"
