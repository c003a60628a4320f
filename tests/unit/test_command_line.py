"""What every command has alike: reading ones --json, changing ones --dry-run and --yes; errors too are JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from kitchen.cli import cli

# neither asks a server for something to show nor changes what others see: a shell, a loop, a file, a login of one's own
APART = {"enter", "schedule serve", "files get", "login", "demo", "secret rotate", "release plan"}


def commands(group: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    if not isinstance(group, click.Group):
        yield path, group
        return
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        yield from commands(found, f"{path} {name}".strip())


@pytest.mark.parametrize(("path", "command"), [pytest.param(*found, id=found[0]) for found in commands(cli)])
def test_options_are_the_same_everywhere(path: str, command: click.Command) -> None:
    has = {option for parameter in command.params for option in parameter.opts}
    if path in APART:
        return
    assert "--json" in has or "--dry-run" in has, "a reading command has --json, a changing one --dry-run"
    assert ("--dry-run" in has) == ("--yes" in has)
    if "--yes" in has:
        assert "-y" in has
    if "--environment" in has:
        assert "-e" in has
    assert (command.help or "").strip().endswith("."), "a sentence"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path} {parameter.opts[0]} says nothing"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lst", "--json"], "there is no command 'lst'; did you mean 'list'?"),
        (["list", "--jso", "--json"], "No such option"),
        (["hydrate", "--json"], "Missing argument"),
        (["runs", "list", "--limit", "0", "--json"], "0 is not in the range"),
        (["list", "--json"], "there is no git project in"),
    ],
)
def test_errors_are_one_json_document_too(tmp_path: Path, words: list[str], said: str) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "kitchen", *words], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=30
    )
    assert answer.stdout == ""
    document = json.loads(answer.stderr)
    assert said in document["error"]
    assert document["exit_code"] == answer.returncode
    assert document["hint"]
