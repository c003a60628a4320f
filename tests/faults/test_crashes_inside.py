"""Killed inside the steps: round every statement, every git process and every change of a file of whole commands.

Which points there are is counted while the command runs undisturbed, so that nothing new arrives untested. Afterwards,
with two ``kitchen recover`` at most, everything is as before or as wanted, down to the files of the secret store and of
the storage; typed again the command goes through. On every change some points are tried, with ``KITCHEN_FAULTS=all``
every one.
"""

from __future__ import annotations

import io
import os
import pathlib
import signal
import sys
import traceback
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import click
import pytest

from kitchen.adapters.git import process
from kitchen.adapters.postgres.patience import PatientConnection
from kitchen.cli import cli, main
from tests.bench import Bench
from tests.cli.test_dry_runs import EXCUSED, READING, _commands
from tests.faults.test_crashes import WHOLE

SOME = 3  # points of each command, on every change

# two commands, each of which undoes the other; both are killed where both have a name
_EVE = ["eve@example.com", "-k", "there"]
_NOTES = ["a/notes.txt", "-k", "there"]
PAIRS = (
    ("create", ["create", "round"], "delete", ["delete", "round", "--yes", "--force"]),
    ("edit", ["edit", "there", "--ticket", "ABC-1"], "", ["edit", "there", "--ticket", ""]),
    ("hand", ["hand", "there", "ben@example.com"], "", ["hand", "there", "ann@example.com"]),
    ("staff add", ["staff", "add", *_EVE], "staff remove", ["staff", "remove", *_EVE]),
    ("secret set", ["secret", "set", "sftp", "word=-", "-e", "dev"],
     "secret delete", ["secret", "delete", "sftp", "-e", "dev", "--yes"]),
    ("files put", ["files", "put", "notes.txt", *_NOTES], "files rm", ["files", "rm", *_NOTES, "--yes"]),
)  # fmt: skip
ROUNDS = {name: (there, back) for name, there, _, back in PAIRS}
ROUNDS |= {name: (back, there) for _, there, name, back in PAIRS if name}
ELSEWHERE = {
    "init": "adds files; typed again it adds the rest",
    "up": "test_up_killed",
    "down": "test_embedded_postgres: what a server does is what it does when it is stopped by others",
    "prune": "test_prune_archives, and delete of each kitchen",
    "hydrate": "test_crashes_layers",
    "update": "test_crashes_layers",
    "resolve": "is an update: test_crashes_layers",
    "run": "test_runs_interrupted",
    "merge": "test_crashes_deliver",
    "promote": "test_crashes_promote",
    "release apply": "is the end of promote: test_crashes_promote",
    "release approve": "one statement",
    "release rollback": "test_crashes_deliver",
    "ci publish": "test_crashes_asked",
    "recover": "killed in each of them",
    "pantry refresh": "test_refresh_killed, test_pantry_faults",
    "environment admit": "test_people_killed",
    "environment revoke": "test_people_killed",
    "environment align": "one transaction",
    "environment install": "each of its statements is repeated: test_external_install",
}


def test_every_command_that_changes_something_is_killed_somewhere() -> None:
    changing = {name for name, _ in _commands(cli, (), click.Context(cli))} - READING - EXCUSED.keys()
    assert changing <= ROUNDS.keys() | ELSEWHERE.keys(), "a new command: kill it, here or in a test that is named"
    assert not (ROUNDS.keys() | ELSEWHERE.keys()) - changing


def _typed(bench: Bench, words: list[str], *, point: int | None = None) -> tuple[int, int]:
    """Type a command in a process of its own, killed at a point; return its exit code and how many points it passed."""
    told, telling = os.pipe()
    child = os.fork()
    if child:
        os.close(telling)
        with os.fdopen(told, "rb") as heard:
            passed = len(heard.read())
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), passed
    try:
        os.close(told)
        _point_at(point, telling)
        os.environ.clear()
        os.environ.update(bench.project.environ)
        os.chdir(bench.project.root)
        sys.stdin, sys.argv = io.StringIO("hush\n"), ["kitchen", *words]
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            main()
    except SystemExit as end:
        os._exit(int(str(end.code or 0)))
    except BaseException:  # noqa: BLE001 - a forked pytest must not run on
        traceback.print_exc(file=sys.stderr)
    os._exit(71)


def _point_at(number: int | None, telling: int) -> None:
    """Have a byte written before and after everything that could leave something, and SIGKILL sent at one of them."""
    passed = count()

    def point() -> None:
        os.write(telling, b".")
        if next(passed) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def pointed(work: Callable[..., Any]) -> Callable[..., Any]:
        def between(*arguments: Any, **named: Any) -> Any:
            point()
            answer = work(*arguments, **named)
            point()
            return answer

        return between

    places = [
        (PatientConnection, "waiting"), (process, "start"), (os, "rename"), (os, "replace"), (os, "unlink"),
        (os, "mkdir"), (os, "rmdir"), (os, "link"), (os, "fsync"), (pathlib.Path, "write_text"),
    ]  # fmt: skip
    for owner, name in places:
        setattr(owner, name, pointed(getattr(owner, name)))


def _seen(bench: Bench) -> frozenset[tuple[str, ...]]:
    """Return every trace of kitchens, what is recorded of each, and every file of secrets and storage."""
    services = bench.fresh().services("dev")
    found = {
        ("kitchen", each.name, each.owner, str(each.ticket), *each.staff) for each in services.control.kitchens.all()
    }
    services.control.session.close()
    assert services.control.audit.verify()[1] is None
    services.secrets.list("")  # sweeps, as whoever types one of its commands does
    services.storage.list("")
    kept = [path for part in ("secrets", "storage") for path in (services.state_dir / part).rglob("*")]
    found |= {("kept", str(path)) for path in kept if path.is_file()}
    return bench.traces() | found


@pytest.mark.parametrize("command", ROUNDS)
def test_killed_inside(bench: Bench, command: str) -> None:
    there, back = ROUNDS[command]
    (bench.project.root / "notes.txt").write_text("notes\n")
    for words in (["create", "there"], there, back):
        _typed(bench, words)  # whatever the command before has left
    before = _seen(bench)
    code, points = _typed(bench, there)
    wanted = _seen(bench)
    assert (code, wanted != before) == (0, True)
    assert points >= 10, "there is something to be killed at"
    assert _typed(bench, back)[0] == 0
    assert _seen(bench) == before
    for point in range(0, points, 1 if WHOLE else max(1, points // SOME)):
        assert _typed(bench, there, point=point)[0] == -signal.SIGKILL
        for _ in range(2):
            if any(trace[0] == "unfinished" for trace in bench.traces()):
                assert _typed(bench, ["recover"])[0] == 0, f"killed at {point} of {points}"
        now = _seen(bench)
        assert now in (before, wanted), f"killed at {point} of {points}: {sorted(now ^ before)} {sorted(now ^ wanted)}"
        if now == before:
            assert _typed(bench, there)[0] == 0, "typed again it goes through"
            assert _seen(bench) == wanted
        assert _typed(bench, back)[0] == 0
        assert _seen(bench) == before
