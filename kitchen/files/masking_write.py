"""Writes proposals into environments/masking.yaml: only lines are added, what a person wrote stays as it stands."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from kitchen.domain.masking import Decision
from kitchen.errors import Refused
from kitchen.files.loader import Document
from kitchen.files.masking import policy_of

Proposals = Mapping[str, Mapping[str, Decision]]  # table as the file names it -> column -> decision

_HEAD = """\
# yaml-language-server: $schema=schema/masking.json
# One decision for every column that leaves the parent; a column without one stops the refresh.
"""
_STUCK = "# Left to you: columns that no proposal fits. `keep` with a `why`, `sql`, or `rows: none` for their table."
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./() -]*[A-Za-z0-9_)]|[A-Za-z_]")
_EMPTY = re.compile(r"tables:\s*\{\s*\}\s*")
_WORDS = frozenset(["true", "false", "null", "yes", "no", "on", "off", "y", "n"])


def add_proposals(
    path: Path, proposals: Proposals, *, stuck: Mapping[str, str] | None = None, shown: str | None = None
) -> None:
    """Add decisions to the file, and as comments what a person must decide, with the reason.

    Raises Refused where it cannot be done by adding lines.
    """
    name = shown or f"{path.parent.name}/{path.name}"
    text = path.read_text(encoding="utf-8") if path.exists() else _HEAD
    changed = with_stuck(with_proposals(text, proposals, shown=name), stuck or {})
    kept = path.with_name(f".{path.name}.new")
    kept.write_text(changed, encoding="utf-8")
    kept.replace(path)


def with_proposals(text: str, proposals: Proposals, *, shown: str) -> str:
    """Return the text of a file with decisions added; every line that was there is there still, in its order."""
    before = Document(text, shown=shown)
    policy_of(before)  # a file with a fault is mended by hand first
    lines = text.splitlines()
    tables = before.data.get("tables") or {}
    missing = {table: columns for table, columns in proposals.items() if columns and table not in tables}
    # from the end on, so that the numbers of the lines above stay true
    for table in sorted((t for t in proposals if t in tables), key=lambda t: -before.line("tables", t)):
        _into_table(lines, before, table, proposals[table])
    if missing:
        _new_tables(lines, before, missing)
    changed = "\n".join(lines) + "\n"
    _check(changed, before, proposals, shown)
    return changed


def with_stuck(text: str, stuck: Mapping[str, str]) -> str:
    """Return a text with a comment at its end for each column that nothing could be proposed for; none comes twice."""
    there = text.splitlines()
    said = ["".join(map(_escaped, f"#   {column}: {why}")) for column, why in stuck.items()]
    new = [line for line in said if line not in there]
    if not new:
        return text
    return "\n".join([*there, *([] if _STUCK in there else [_STUCK]), *new]) + "\n"


def line_of(column: str, decision: Decision) -> str:
    """Return one column's decision as the file writes it."""
    return f"{_scalar(column)}: {{{', '.join(f'{key}: {value}' for key, value in _settings(decision))}}}"


def _settings(decision: Decision) -> list[tuple[str, str]]:
    said: list[tuple[str, object]] = [
        ("mask", decision.mask.value), ("subject", decision.subject), ("domain", decision.domain),
        ("value", decision.value), ("length", decision.length), ("to", decision.to), ("days", decision.days),
        ("round", decision.round), ("bucket", decision.bucket), ("noise", decision.noise), ("sql", decision.sql),
        ("why", decision.why), ("type", decision.type),
    ]  # fmt: skip
    written = [(key, _scalar(value)) for key, value in said if value is not None]
    if decision.paths:
        written.append(("paths", f"[{', '.join(_scalar(path) for path in decision.paths)}]"))
    if decision.of is not None:
        written.append(("of", f"{{{', '.join(f'{key}: {value}' for key, value in _settings(decision.of))}}}"))
    if decision.proposed:
        written.append(("proposed", "true"))
    return written


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return character if character.isprintable() else f"\\U{ord(character):08x}"  # YAML ends lines at some of them


def _into_table(lines: list[str], document: Document, table: str, columns: Mapping[str, Decision]) -> None:
    start = document.line("tables", table) - 1
    there = document.data["tables"][table]
    if not columns:
        return
    if not there or document.line("tables", table, next(iter(there))) - 1 == start:
        raise Refused(
            f"{document.shown}:{start + 1}: tables.{table}: write its columns on lines of their own first",
            hint="kitchen pantry scan, which prints the proposals",
        )
    first = document.line("tables", table, next(iter(there))) - 1
    indent = _indent(lines[first])
    end = _end(lines, start, _indent(lines[start]))
    lines[end:end] = [" " * indent + line_of(name, decision) for name, decision in columns.items()]


def _new_tables(lines: list[str], document: Document, missing: Proposals) -> None:
    tables = document.data.get("tables")
    if tables is None and "tables" in document.data:
        lines[document.line("tables") - 1] = "tables:"
    if tables is None and "tables" not in document.data:
        lines.append("tables:")
    if tables == {} and _EMPTY.fullmatch(lines[document.line("tables") - 1]):
        lines[document.line("tables") - 1] = "tables:"  # as `kitchen init` leaves it
    elif tables == {}:
        raise Refused(
            f"{document.shown}:{document.line('tables')}: write `tables:` without braces first",
            hint="kitchen pantry scan, which prints the proposals",
        )
    start = next(number for number, line in enumerate(lines) if re.match(r"tables:\s*(#.*)?$", line))
    inner = _indent(lines[document.line("tables", next(iter(tables))) - 1]) if tables else 2
    end = _end(lines, start, 0)
    added: list[str] = []
    for table, columns in missing.items():
        added.append(" " * inner + f"{_scalar(table)}:")
        added += [" " * (inner + 2) + line_of(name, decision) for name, decision in columns.items()]
    lines[end:end] = added


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _end(lines: Sequence[str], start: int, indent: int) -> int:
    """Return where the block that begins at a line ends; comments and empty lines after it belong to what follows."""
    end = start + 1
    for number in range(start + 1, len(lines)):
        stripped = lines[number].strip()
        if stripped and not stripped.startswith("#"):
            if _indent(lines[number]) <= indent:
                break
            end = number + 1
    return end


def _check(changed: str, before: Document, proposals: Proposals, shown: str) -> None:
    """Read the new text back: everything as it was, and the proposals with it."""
    after = Document(changed, shown=shown)
    policy_of(after)
    expected = {table: dict(columns or {}) for table, columns in (before.data.get("tables") or {}).items()}
    for table, columns in proposals.items():
        expected.setdefault(table, {}).update(dict.fromkeys(columns))
    found = after.data.get("tables") or {}
    kept = {name: value for name, value in before.data.items() if name != "tables"}
    same = all(found.get(table, {}).get(column) == value for table, columns in (before.data.get("tables") or {}).items()
               for column, value in columns.items())  # fmt: skip
    names = {table: set(columns) for table, columns in found.items()} == {t: set(c) for t, c in expected.items() if c}
    if not (same and names and all(after.data.get(name) == value for name, value in kept.items())):
        raise Refused(
            f"{shown}: proposals cannot be added to this file without changing what is written there",
            hint="kitchen pantry scan, which prints the proposals",
        )
