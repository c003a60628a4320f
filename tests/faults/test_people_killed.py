"""``admit``, ``login`` and ``revoke`` ended between their steps: the same command, typed again, makes it whole."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from kitchen.adapters.postgres.people import PgPeople
from kitchen.adapters.secret_file import FileSecretStore
from kitchen.cli import main
from kitchen.domain.people import login_path, person_role
from tests.acceptance.external import places
from tests.acceptance.team import Team, made_project
from tests.faults.test_crashes import WHOLE
from tests.support import Project

# everything by which these commands change something: the server, the secret store, files
STEPS = [
    (PgPeople, "admit"), (PgPeople, "shut_out"), (PgPeople, "see_out"), (PgPeople, "change_password"),
    (FileSecretStore, "write"), (Path, "write_text"), (os, "open"),
]  # fmt: skip
DEATHS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT) if WHOLE else (signal.SIGKILL,)
SERVERS = ("postgres15", "postgres18") if WHOLE else ("postgres18",)


@pytest.fixture(scope="module", params=SERVERS)
def team(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    server = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp("team")
    with made_project(folder / "project") as project, places(server, server) as (production, dev):
        made = Team(project, production, dev, folder)
        made.install(fills=False)
        yield made


_people = count(1)


def _typed(machine: Project, words: list[str], typed: str, *, edge: int, death: signal.Signals) -> int | None:
    """Type a command that gets a signal at one edge; return its exit code, or None where it came to its end first."""
    child = os.fork()
    if child:
        status = os.waitpid(child, 0)[1]
        code = os.waitstatus_to_exitcode(status)
        return None if code == 77 else code
    passed = count()

    def point() -> None:
        if next(passed) == edge:
            os.kill(os.getpid(), death)

    def edged(work: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            if work is os_open and not str(arguments[0]).endswith(".password"):
                return work(*arguments, **named)
            point()
            answer = work(*arguments, **named)
            point()
            return answer

        return step

    os_open = os.open
    try:
        os.environ.clear()
        os.environ.update(machine.environ)
        os.chdir(machine.root)
        sys.stdin, sys.argv = io.StringIO(typed), ["kitchen", *words]
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            for owner, name in STEPS:
                setattr(owner, name, edged(getattr(owner, name)))
            main()
    except SystemExit as end:
        os._exit(77 if end.code in (0, None) else int(str(end.code)))
    except BaseException:  # noqa: BLE001 - a forked pytest must not run on
        traceback.print_exc(file=sys.stderr)
    os._exit(70)


def _each_edge(machine: Project, words: Callable[[], tuple[list[str], str]]) -> Iterator[tuple[list[str], str]]:
    """End a command at each of its edges, and give what was typed."""
    for death in DEATHS:
        for edge in count():
            typed = words()
            code = _typed(machine, *typed, edge=edge, death=death)
            if code is None:
                assert edge >= 4, "the steps are those that the command takes"
                break
            assert code in (-signal.SIGKILL, -signal.SIGTERM, 130, 143), f"{typed[0]} ended with {code} at edge {edge}"
            yield typed


def _admitting(team: Team, person: str) -> tuple[list[str], Path]:
    file = team.folder / f"{person}.password"
    return ["environment", "admit", person, "-e", "dev", "--password-file", str(file)], file


def test_an_admission_is_repeated(team: Team) -> None:
    guest = team.clone("guest")

    def words() -> tuple[list[str], str]:
        return _admitting(team, f"adam{next(_people)}")[0], ""

    for command, _ in _each_edge(team.project, words):
        told = team.project.kitchen(*command)
        file = Path(command[-1])
        assert str(file) in told.stderr, "where the password is, is said, whichever time it was written"
        guest.kitchen("login", "-e", "dev", "--person", command[2], typed=file.read_text())


def test_a_login_with_a_new_password_is_repeated(team: Team) -> None:
    def words() -> tuple[list[str], str]:
        person = f"lea{next(_people)}"
        command, file = _admitting(team, person)
        team.project.kitchen(*command)
        return ["login", "-e", "dev", "--person", person, "--new-password"], file.read_text()

    laptop, elsewhere = team.clone("laptop"), team.clone("elsewhere")
    for command, password in _each_edge(laptop, words):
        again = laptop.kitchen(*command, typed=password, expect=8 if _is_changed(team, command[4], password) else 0)
        if again.returncode:
            assert "kitchen whoami -e dev" in again.stderr, "all was done but for the last word"
        assert f"person: {command[4]}" in laptop.kitchen("whoami", "-e", "dev").stdout
        laptop.kitchen("list", "-e", "dev")
        refused = elsewhere.kitchen(*command[:-1], typed=password, expect=None)
        assert refused.returncode == 8, "the first password opens nothing any more"


def _is_changed(team: Team, person: str, password: str) -> bool:
    """Say whether a laptop has finished: it keeps the new password, and no other one."""
    laptop = team.clones["laptop"]
    if login_path(person) not in laptop.kitchen("secret", "list", "-e", "dev").stdout:
        return False
    told = laptop.kitchen("secret", "get", login_path(person), "-e", "dev", "--reveal", "--json").stdout
    kept = json.loads(told)["values"]
    return "next" not in kept and kept["password"] != password.strip()


def test_a_login_is_found_again_by_whoami(team: Team) -> None:
    """The other way back: whoever does not have the first password at hand any more asks who they are."""
    laptop = team.clone("found")
    command, file = _admitting(team, "fay")
    team.project.kitchen(*command)
    laptop.kitchen("login", "-e", "dev", "--person", "fay", typed=file.read_text())
    for edge in count():
        words = ["login", "-e", "dev", "--person", "fay", "--new-password"]
        told = laptop.kitchen("secret", "get", login_path("fay"), "-e", "dev", "--reveal", "--json").stdout
        password = json.loads(told)["values"]["password"]
        code = _typed(laptop, words, password, edge=edge, death=signal.SIGKILL)
        if code is None:
            break
        assert "person: fay" in laptop.kitchen("whoami", "-e", "dev").stdout
        laptop.kitchen("list", "-e", "dev")
    assert edge > 4


def test_a_leaver_is_out_when_it_is_typed_again(team: Team) -> None:
    machine = team.clone("leaver")

    def words() -> tuple[list[str], str]:
        person = f"len{next(_people)}"
        command, file = _admitting(team, person)
        team.project.kitchen(*command)
        machine.kitchen("login", "-e", "dev", "--person", person, typed=file.read_text())
        machine.kitchen("create", f"k_{person}")
        machine.kitchen("enter", f"k_{person}", "--", "true")
        return ["environment", "revoke", person, "-e", "dev", "--yes"], ""

    for command, _ in _each_edge(team.project, words):
        person = command[2]
        assert f"k_{person}" in team.project.kitchen(*command).stderr
        with team.dev.look() as session:
            open_ones = "SELECT rolname FROM pg_roles WHERE rolname = %s AND rolcanlogin"
            assert session.query(open_ones, [person_role("dev", person)]) == []
            assert session.query("SELECT login FROM kitchen_control.lease WHERE person = %s", [person]) == []
        machine.kitchen("whoami", "-e", "dev", expect=8)
        team.project.kitchen("delete", f"k_{person}", "--yes", "--force")
