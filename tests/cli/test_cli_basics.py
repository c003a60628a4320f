"""The command line before any server is asked: help, exit codes, what goes to which stream, what a bug leaves."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from kitchen import __version__
from kitchen.cli import COMMANDS
from tests.support import REPOSITORY, Project

CANARY = "c4n4ry-of-the-command-line"


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    """Return a project with the example's environments, of which no server was ever started."""
    made = Project(tmp_path / "shop", tmp_path / "home")
    (made.root / "environments").mkdir(parents=True)
    made.git("init", "-q", "-b", "main")
    made.git("config", "user.name", "Ann Tester")
    made.git("config", "user.email", "ann@example.com")
    for name in ("dev.yaml", "production.yaml"):
        (made.root / "environments" / name).write_text((REPOSITORY / "environments" / name).read_text())
    made.commit("start")
    return made


def test_kitchen_alone_prints_help(shop: Project) -> None:
    alone, asked = shop.kitchen(), shop.kitchen("--help")
    assert alone.stdout == asked.stdout
    assert all(f"\n  {name} " in alone.stdout for name in COMMANDS)
    assert alone.stderr == ""
    assert __version__ in shop.kitchen("--version").stdout


def test_a_command_that_is_not_there_is_guessed(shop: Project) -> None:
    wrong = shop.kitchen("crate", expect=2)
    assert "did you mean 'create'?" in wrong.stderr
    assert wrong.stdout == ""
    assert "no command 'xyzzy'" in shop.kitchen("xyzzy", expect=2).stderr


@pytest.mark.parametrize("arguments", [("hydrate",), ("create", "--nonsense"), ("list", "too", "many")])
def test_a_line_that_cannot_be_understood_is_2(shop: Project, arguments: tuple[str, ...]) -> None:
    wrong = shop.kitchen(*arguments, expect=2)
    assert "Usage:" in wrong.stderr
    assert wrong.stdout == ""


def test_outside_of_a_project(shop: Project, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    lost = shop.kitchen("environment", "show", cwd=elsewhere, expect=3)
    assert lost.stderr.startswith("error: ")
    assert "try: kitchen init" in lost.stderr


def test_a_project_without_environments(shop: Project) -> None:
    for file in (shop.root / "environments").iterdir():
        file.unlink()
    assert "try: kitchen init" in shop.kitchen("environment", "show", expect=3).stderr


def test_a_broken_file_is_told_with_its_line(shop: Project) -> None:
    file = shop.root / "environments" / "dev.yaml"
    file.write_text(file.read_text() + "gatez: {}\n")
    line = len(file.read_text().splitlines())
    for command in (("environment", "show"), ("list",), ("create", "profit"), ("up",)):
        wrong = shop.kitchen(*command, expect=2)
        assert f"environments/dev.yaml:{line}: gatez: unknown key; did you mean 'gates'?" in wrong.stderr
        assert wrong.stdout == ""
    assert not shop.home.exists() or not list(shop.home.glob("*/*/postgres"))  # nothing was begun


def test_errors_are_json_where_json_was_asked_for(shop: Project) -> None:
    told = shop.kitchen("environment", "show", "stage", "--json", expect=3)
    assert told.stdout == ""
    error = json.loads(told.stderr)
    assert error["exit_code"] == 3
    assert "'stage'" in error["error"]
    assert error["hint"]


def test_reading_gives_one_document_on_stdout(shop: Project) -> None:
    shown = shop.kitchen("environment", "show", "--json")
    assert [environment["name"] for environment in json.loads(shown.stdout)] == ["production", "dev"]
    assert shown.stderr == ""


def test_no_colours_but_on_a_terminal(shop: Project) -> None:
    assert "\x1b" not in shop.kitchen("environment", "show", "stage", expect=3).stderr
    assert "\x1b" in on_terminal(shop, "environment", "show", "stage")


def test_no_color_is_honoured(shop: Project) -> None:
    shop.environ["NO_COLOR"] = "1"
    assert "\x1b" not in on_terminal(shop, "environment", "show", "stage")
    assert "\x1b" not in on_terminal(shop, "environment", "show"), "nor bold headings"


def on_terminal(shop: Project, *arguments: str) -> str:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "kitchen", *arguments],
        cwd=shop.root, env=shop.environ | {"TERM": "xterm"}, stdin=slave, stdout=slave, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    shown = b""
    try:
        while chunk := os.read(master, 65536):
            shown += chunk
    except OSError:  # the terminal's other side is closed
        pass
    process.wait(timeout=30)
    os.close(master)
    return shown.decode()


def scripted(shop: Project, script: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which K is the command line."""
    line = f'K() {{ {sys.executable} -m kitchen "$@"; }}; {script}'
    return subprocess.run(
        ["bash", "-c", line], cwd=shop.root, env=shop.environ, capture_output=True, text=True, check=False, timeout=60
    )


def test_a_reader_that_leaves_early_is_no_error(shop: Project) -> None:
    for command in ("--help", "environment show", "environment show --json"):
        answer = scripted(
            shop, f"(sleep 1; exec 3<&0; K {command} 2>&4; exit $?) 4>&2 | exec true; exit ${{PIPESTATUS[0]}}"
        )
        assert (answer.returncode, answer.stderr) == (0, ""), command


def test_nobody_reads_the_talk(shop: Project) -> None:
    """Words on stderr that cannot be printed end nothing: the exit code is that of the work."""
    for number, where in enumerate(("2>/dev/full", "2>&-", "2> >(exec true)")):
        answer = scripted(shop, f"K init ../made{number} {where}")
        assert (answer.returncode, answer.stderr) == (0, ""), where
        assert scripted(shop, f"K create x {where}").returncode == 3


def test_closed_streams(shop: Project) -> None:
    answer = scripted(shop, "K environment show <&- >&-")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert scripted(shop, "K environment show <&- >&- 2>&-").returncode == 0


def test_output_that_cannot_be_written_is_no_bug(shop: Project) -> None:
    answer = scripted(shop, "K environment show >/dev/full")
    assert (answer.returncode, answer.stderr.splitlines()[0]) == (1, "error: writing: No space left on device")
    assert "Exception" not in answer.stderr


def test_a_folder_that_is_gone(shop: Project) -> None:
    answer = scripted(shop, "mkdir gone && cd gone && rmdir ../gone && K list")
    assert answer.returncode == 3
    assert "cd to the project" in answer.stderr


def failing(shop: Project, raising: str) -> subprocess.CompletedProcess[str]:
    """Run the command line with a command that raises."""
    script = (
        "import sys, click, kitchen.cli as ours\n"
        f"def work(secret): raise {raising}\n"
        "@click.command()\n"
        f"def doctor_command(): work('{CANARY}')\n"
        "module = type(sys)('kitchen.cli.services'); module.doctor_command = doctor_command\n"
        "sys.modules['kitchen.cli.services'] = module; sys.argv = ['kitchen', 'doctor']\n"
        "ours.main()"
    )
    environ = {name: value for name, value in shop.environ.items() if name != "KITCHEN_TRACE"}
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=shop.root, env=environ, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip


def test_a_bug_is_70_and_its_report_holds_no_values(shop: Project) -> None:
    answer = failing(shop, "ValueError(secret)")
    assert answer.returncode == 70
    assert answer.stderr.startswith("bug: ValueError: the trace is in ")
    log = shop.home / "log" / "bugs.log"
    assert log.stat().st_mode & 0o777 == 0o600
    assert "in work" in log.read_text()
    assert CANARY not in answer.stderr + answer.stdout + log.read_text().replace(f"work('{CANARY}')", "")


@pytest.mark.parametrize("raising", ["KeyboardInterrupt", "RuntimeError('__set_name__') from KeyboardInterrupt()"])
def test_an_interruption_is_130(shop: Project, raising: str) -> None:
    answer = failing(shop, raising)
    assert answer.returncode == 130
    assert answer.stderr.strip() == "interrupted", "nothing was begun: there is nothing to say of it"


@pytest.mark.parametrize(("family", "code"), [("Conflict", 4), ("Refused", 5), ("Unavailable", 6), ("NotPermitted", 8)])
def test_every_family_leaves_with_its_code(shop: Project, family: str, code: int) -> None:
    answer = failing(shop, f"__import__('kitchen.errors').errors.{family}('it failed', hint='do this')")
    assert answer.returncode == code
    assert answer.stderr == "error: it failed\n  try: do this\n"


def test_what_is_left_is_named(shop: Project) -> None:
    answer = failing(shop, "__import__('kitchen.errors').errors.Incomplete('not whole', leftovers=('role a', 'b'))")
    assert answer.returncode == 7
    assert answer.stderr == "error: not whole\n  left: role a\n  left: b\n"


def test_what_a_disk_refuses_is_no_bug(shop: Project) -> None:
    answer = failing(shop, "PermissionError(13, 'Permission denied', '/somewhere')")
    assert answer.returncode == 1
    assert answer.stderr.startswith("error: /somewhere: Permission denied\n  try: ")
    assert "cannot be written" in shop.kitchen("init", "/proc/nowhere", expect=1).stderr


def test_a_version_is_named_as_it_is_shown(shop: Project) -> None:
    assert "'v' is no version" in shop.kitchen("pantry", "show", "v", expect=2).stderr
