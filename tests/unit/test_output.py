"""What others wrote is shown, never acted on by the terminal of whoever reads it."""

from __future__ import annotations

import json
import os
import pty
import sys
from pathlib import Path

import click
import pytest

from kitchen.cli import audit, output, release_output, run_history, show
from kitchen.errors import Conflict

_EVIL = "box\x1b]0;owned\x07\x9b2J\rsafe \u202etxt"


@pytest.mark.parametrize("tell", [output.say, output.step, output.done, output.warn])
def test_talk_shows_control_characters(tell: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(tell)
    tell(f"still going on: process 7 on {_EVIL}\n\tand a second line")
    said = capsys.readouterr().err
    assert "box\\x1b]0;owned\\x07\\x9b2J\\rsafe \\u202etxt\n\tand a second line" in said


def test_errors_and_tables_show_them_too(capsys: pytest.CaptureFixture[str]) -> None:
    show(Conflict(f"locked by ann on {_EVIL}", hint=_EVIL))
    assert not set(capsys.readouterr().err) & set("\x1b\x07\x9b\r\u202e")
    output.table(["host"], [[f"{_EVIL}\nsecond row"]])
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) == 2
    assert not set(shown) & set("\x1b\x07\x9b\r\u202e")


def test_json_stays_what_it_was() -> None:
    text = output.json_text({"host": _EVIL})
    assert not set(text) & set("\x1b\x07\x9b\r\u202e")
    assert json.loads(text) == {"host": _EVIL}


def test_data_is_exact_for_programs_and_visible_on_a_terminal(tmp_path: Path) -> None:
    seen = {}
    for kind in ("pipe", "terminal"):
        reader, writer = os.pipe() if kind == "pipe" else pty.openpty()
        child = os.fork()
        if not child:
            os.dup2(writer, 1)
            sys.stdout = os.fdopen(1, "w")
            output.emit(_EVIL)
            output.table(["[bold]"], [["[/bold] a name"]])
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(child, 0)
        seen[kind] = os.read(reader, 65536).decode()
    assert seen["pipe"].startswith(_EVIL)
    assert "\x1b]" not in seen["terminal"]
    assert "\\x1b]0;owned" in seen["terminal"]
    assert "[/bold] a name" in seen["terminal"]


LONG = "a_name_of_24_characters_"
LISTS = {
    "runs": (["run", "kitchen", "recipe", "state", "started", "took", "by", "message"], run_history.FLOORS,
             ["0a1b2c3d", LONG, LONG, "cancelled", "59 min ago", "12 min", "ann@example.com", "node 'x' " * 20]),
    "releases": (release_output.HEADINGS, release_output.FLOORS,
                 [12345, "promotion", "production", "rolled back", LONG, "59 min ago", "ann@example.com", 99,
                  "0" * 12]),
    "audit": (audit.COLUMNS, audit.FLOORS,
              [123456, "2026-01-31 12:00:00.123456+00:00", "ann@example.com", "outcome", "pantry refresh",
               f"{LONG}/{LONG}", "published with notes"]),
}  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("room", [80, 100, 200])
def test_lists_are_as_wide_as_the_terminal_and_whole_for_programs(
    name: str, room: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    headings, floors, row = LISTS[name]
    output.table(headings, [row], floors=floors)
    assert capsys.readouterr().out == "\t".join(headings) + "\n" + "\t".join(map(str, row)) + "\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(room))
    output.table(headings, [row], floors=floors)
    lines = click.unstyle(capsys.readouterr().out).splitlines()
    assert len(lines) == 2
    assert max(map(len, lines)) <= room
    assert str(row[0]) in lines[1]
    assert len(lines[1].split("  ")) >= len(headings), "no column is left out"
