"""YAML text to plain data, strictly: YAML 1.2's scalars, and nothing that means another thing than it looks like.

Built from the parser's events, so that anchors, aliases, tags, duplicate keys and depth are refused before anything is
made of them, and so that the line of every value is known.

Plain scalars: ``true false``, ``null ~`` and nothing, decimal numbers, dates (``2026-01-01`` is a ``datetime.date``);
everything else is text, also ``no`` and ``on``. What other readers of YAML would take for a number or a truth
(``010``, ``0x1F``, ``True``) is refused until it is quoted or written plainly. Keys are always text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import yaml

from kitchen.errors import InvalidInput

MAX_BYTES = 1 << 20
MAX_DEPTH = 32

Path = tuple[str | int, ...]
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where the wheel carries it: ten times faster

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,30})")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)([eE][-+]?[0-9]{1,3})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_AMBIGUOUS = {
    re.compile(r"[-+]?0[0-9]+"): "a number here begins with 0 only where it is 0",
    re.compile(r"[-+]?0[xob][0-9a-fA-F]+"): "numbers are written in tens here",
    re.compile(r"[-+]?[0-9]{32,}"): "the number is too large",
    re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"): "only finite numbers are allowed",
    re.compile(r"True|TRUE|False|FALSE|Null|NULL"): "write true, false and null in small letters",
}
_WORDS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}


class Fault(Exception):
    """A fault of the text at a line."""

    def __init__(self, line: int, message: str, path: Path = ()) -> None:
        super().__init__(message)
        self.line = line
        self.message = message
        self.path = path


@dataclass(slots=True)
class Parsed:
    """Plain data, and the line (from 1) of every key and item in it."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)


def parse(text: str) -> Parsed:
    """Return the one document in text; raises Fault."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as wrong:
        raise Fault(text.count("\n", 0, wrong.start) + 1, "this is no text: half of a surrogate pair") from None
    if size > MAX_BYTES:
        raise Fault(1, f"the file is larger than {MAX_BYTES >> 20} MiB")
    parsed = Parsed()
    try:
        parsed.data = _Builder(_events(text), parsed.lines).document()
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        raise Fault((mark.line if mark else 0) + 1, f"this is no YAML: {wrong.problem or wrong.context}") from None
    except yaml.YAMLError as wrong:
        raise Fault(_line_of_bad_character(text), f"this is no YAML: {_first_line(wrong)}") from None
    return parsed


def _events(text: str) -> Iterator[Any]:
    found: Iterator[Any] = yaml.parse(text, Loader=_Loader)
    for event in found:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise Fault(line, "anchors and aliases (& and *) are not allowed: write the value out")
        if getattr(event, "tag", None):
            raise Fault(line, "tags (!) are not allowed")
        yield event


class _Builder:
    """Makes plain data of events, remembering where each value began."""

    def __init__(self, events: Iterator[Any], lines: dict[Path, int]) -> None:
        self._events = events
        self._lines = lines

    def document(self) -> Any:
        made: Any = None
        self._lines[()] = 1
        documents = 0
        for event in self._events:
            line = event.start_mark.line + 1
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise Fault(line, "only one document is allowed in a file")
                made = self._value(next(self._events), ())
        return made

    def _value(self, event: Any, path: Path) -> Any:
        line = event.start_mark.line + 1
        self._lines.setdefault(path, line)
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event, line, path)
        if len(path) >= MAX_DEPTH:
            raise Fault(line, f"nested deeper than {MAX_DEPTH} levels", path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._mapping(path)

    def _sequence(self, path: Path) -> list[Any]:
        made: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            made.append(self._value(event, (*path, len(made))))
        return made

    def _mapping(self, path: Path) -> dict[str, Any]:
        made: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            if not isinstance(event, yaml.ScalarEvent):
                raise Fault(line, "a key must be text", path)
            key = event.value
            if key == "<<" and event.implicit[0]:
                raise Fault(line, "merge keys (<<) are not allowed: write the values out", path)
            if key in made:
                first = self._lines[(*path, key)]
                raise Fault(line, f"the key {key!r} is given twice; first in line {first}", (*path, key))
            self._lines[(*path, key)] = line
            made[key] = self._value(next(self._events), (*path, key))
        return made


def _scalar(event: Any, line: int, path: Path) -> Any:
    text: str = event.value
    if not event.implicit[0]:  # quoted, or a block of text
        return text
    if text in _WORDS:
        return _WORDS[text]
    for shape, reason in _AMBIGUOUS.items():
        if shape.fullmatch(text):
            raise Fault(line, f"{text[:40]!r} is ambiguous: {reason}; quote it if it is text", path)
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _DATE.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise Fault(line, f"{text} is no day of the calendar; quote it if it is text", path) from None
    return text


def _line_of_bad_character(text: str) -> int:
    bad = re.search(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
    return text.count("\n", 0, bad.start()) + 1 if bad else 1


def _first_line(wrong: Exception) -> str:
    return str(getattr(wrong, "reason", None) or wrong).splitlines()[0]


def show(path: Path) -> str:
    """Return a path as people write it: ``nodes.segments.after[0]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            plain = part if part.isprintable() else ascii(part)  # a key may hold what a terminal obeys
            text += f".{plain}" if text else plain
    return text


def refuse(shown: str, fault: Fault, *, hint: str | None = None) -> InvalidInput:
    """Return the error for a fault in the file that is shown to people as ``shown``."""
    where = f"{show(fault.path)}: " if fault.path else ""
    return InvalidInput(f"{shown}:{fault.line}: {where}{fault.message}", hint=hint)
