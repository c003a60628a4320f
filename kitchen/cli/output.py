"""Data on stdout, talk on stderr; the only place that prints."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, is_dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from kitchen.domain.secret import Secret

if TYPE_CHECKING:
    from kitchen.cli.columns import Column

# what a terminal acts on instead of showing it; records hold what others wrote: names of hosts, people, files
_ACTS = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """Return a text whose control characters are shown and not acted on; lines and tabs stay."""
    return _ACTS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def say(text: str) -> None:
    """Tell the user something that is not data."""
    _talk(visible(text))


def step(text: str) -> None:
    """Tell which step runs."""
    _talk(click.style("· ", dim=True) + visible(text))


def done(text: str) -> None:
    """Tell that something is done."""
    _talk(click.style("✓ ", fg="green") + visible(text))


def warn(text: str) -> None:
    """Tell something the user should look at."""
    _talk(click.style("! ", fg="yellow") + visible(text))


def _talk(text: str) -> None:
    """Print on stderr; whoever does not read it any more does not end what is under way."""
    with suppress(OSError):
        click.echo(text, err=True)


def emit_json(data: object) -> None:
    """Print one JSON document; secrets come out redacted."""
    click.echo(json_text(data))


def json_text(data: object) -> str:
    """Return a document as the command line prints it."""
    text = json.dumps(data, default=_plain, indent=2, ensure_ascii=False)
    return _ACTS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)  # those that JSON lets stand


def emit(text: str, *, mark: str = "") -> None:
    """Print a line of data, after a mark that may be coloured; programs that read it get it as it is."""
    click.echo(mark + (visible(text) if sys.stdout.isatty() else text))


def steps(says: Iterable[str], *, as_json: bool) -> None:
    """Print what a dry run would do, line by line or as one document."""
    if as_json:
        emit_json({"steps": list(says)})
        return
    for line in says:
        emit(line)


def table(
    headings: Sequence[str], rows: Iterable[Sequence[object]], *, floors: Mapping[str, int] | None = None
) -> None:
    """Print rows under headings; tab separated and whole where stdout is no terminal.

    ``floors`` are columns that may be cut, down to so many places, for the table to be no wider than the terminal.
    """
    if not sys.stdout.isatty():
        click.echo("\t".join(headings))
        for row in rows:
            click.echo("\t".join(cell(value) for value in row))
        return
    from kitchen.cli.columns import Column

    told = [[cell(value) for value in row] for row in rows]
    known = floors or {}
    columns = [
        Column(heading, tuple(row[at] for row in told), floor=known.get(heading, 0))
        for at, heading in enumerate(headings)
    ]
    if known:
        fitted_table(columns)
    else:  # it runs over the edge: cut into narrow columns nothing of it could be read
        _draw(columns, None)


def fitted_table(columns: Sequence[Column]) -> None:
    """Print columns that make room for each other, in the terminal's width."""
    from shutil import get_terminal_size

    _draw(columns, get_terminal_size().columns)


def _draw(columns: Sequence[Column], room: int | None) -> None:
    from kitchen.cli.columns import fitted

    headings, *rows = fitted(columns, room)
    click.echo(click.style(headings, bold=True))
    for row in rows:
        click.echo(row)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is changed; raises InvalidInput where nobody can answer, Refused where the answer is no."""
    from kitchen.errors import InvalidInput, Refused

    if yes:
        return
    if not sys.stdin.isatty():
        raise InvalidInput(f"{question} Nobody can answer here.", hint="the same command with --yes")
    if not click.confirm(question, err=True):
        raise Refused("not confirmed; nothing was changed", hint="the same command, and y")


def ago(moment: datetime, now: datetime) -> str:
    """Return the age of a moment in one unit."""
    seconds = max(int((now - moment).total_seconds()), 0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def size(count: int) -> str:
    """Return a number of bytes in a readable unit."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TB"


def cell(value: object) -> str:
    """Return a value as it stands in a table: one line, nothing that a terminal acts on."""
    return "" if value is None else visible(str(value)).replace("\n", "\\n").replace("\t", "\\t")


def _plain(value: object) -> Any:
    match value:
        case Secret():
            return "***"
        case datetime() | date():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case UUID() | Path():
            return str(value)
        case Enum():
            return value.value
        case frozenset() | set():
            return sorted(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)
