"""The reader of YAML files: what is refused, and where the message points."""

from __future__ import annotations

import time
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kitchen.errors import InvalidInput, NotFound
from kitchen.files.loader import Document, Model, load, load_text
from kitchen.files.yaml_text import Fault, parse


class Severity(StrEnum):
    STOP = "stop"
    WARN = "warn"


class Column(Model):
    mask: Literal["keep", "blank", "email"]
    why: str | None = None


class Node(Model):
    sql: str | None = None
    retries: int = 0
    once: bool = False
    day: date | None = None
    after: tuple[str, ...] = ()
    severity: Severity = Severity.STOP
    columns: dict[str, Column] = msgspec.field(default_factory=dict)
    source: str | None = msgspec.field(default=None, name="from")


class Recipe(Model):
    description: str
    nodes: dict[str, Node] = msgspec.field(default_factory=dict)
    values: dict[str, Any] = msgspec.field(default_factory=dict)
    command: str | list[str] = ""
    either: Column | str | None = None


def refused(text: str, model: type[msgspec.Struct] = Recipe) -> str:
    with pytest.raises(InvalidInput) as caught:
        load_text(text, model, shown="recipes/r/recipe.yaml")
    return caught.value.message.removeprefix("recipes/r/recipe.yaml:")


def test_a_file_becomes_a_model() -> None:
    recipe = load_text(
        "description: Profit\n"
        "nodes:\n"
        "  a: {sql: a.sql, retries: 2, once: true, day: 2026-01-01, after: [b], severity: warn, from: x}\n"
        "command: [dbt, build]\n",
        Recipe,
        shown="r.yaml",
    )
    node = Node(
        sql="a.sql", retries=2, once=True, day=date(2026, 1, 1), after=("b",), severity=Severity.WARN, source="x"
    )
    assert recipe == Recipe(description="Profit", nodes={"a": node}, command=["dbt", "build"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("description: x\nnodez: {}\n", "2: nodez: unknown key; did you mean 'nodes'?"),
        ("description: x\nnodes:\n  a:\n    sqll: y\n", "4: nodes.a.sqll: unknown key; did you mean 'sql'?"),
        ("description: x\nnodes:\n  a:\n\n    retries: two\n", "5: nodes.a.retries: expected a whole number, got text"),
        (
            "description: x\nnodes:\n  a: {once: yes}\n",
            "3: nodes.a.once: expected true or false, got text: write true or false",
        ),
        ("description: 12\n", "1: description: expected text, got a whole number: quote it"),
        ("description: 2026-01-01\n", "1: description: expected text, got a date: quote it"),
        (
            "description: x\nnodes: {a: {columns: {\n  e: {mask: emial}}}}\n",
            "3: nodes.a.columns.e.mask: 'emial' is not one of keep, blank, email; did you mean 'email'?",
        ),
        (
            "description: x\nnodes: {a: {severity: stpo}}\n",
            "2: nodes.a.severity: 'stpo' is not one of stop, warn; did you mean 'stop'?",
        ),
        ("nodes: {}\n", "1: 'description' is missing"),
        ("", "1: 'description' is missing"),
        ("- a\n", "1: expected keys with values, got a list"),
        (
            "description: x\nnodes:\n  a: {after: [b,\n    3]}\n",
            "4: nodes.a.after[1]: expected text, got a whole number: quote it",
        ),
        ("description: x\nnodes: [a]\n", "2: nodes: expected keys with values, got a list"),
        ("description: x\neither: {mask: keep, wy: x}\n", "2: either.wy: unknown key; did you mean 'why'?"),
        ("description: x\nnodes: {a: {columns: {e: {why: x}}}}\n", "2: nodes.a.columns.e: 'mask' is missing"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_with_line_and_path(text: str, message: str) -> None:
    assert refused(text) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x 1\nb: 2\n", "1: anchors and aliases"),
        ("a: 1\nb: *a\n", "2: anchors and aliases"),
        ("a: !!python/object/apply:os.system [id]\n", "1: tags (!)"),
        ("a: !!str 1\n", "1: tags (!)"),
        ("a: 1\nb: {c: 1,\n  c: 2}\n", "3: b.c: the key 'c' is given twice; first in line 2"),
        ("<<: {a: 1}\n", "1: merge keys (<<)"),
        ("a: 1\n---\nb: 2\n", "2: only one document"),
        ("? [a]\n: 1\n", "1: a key must be text"),
        ("a: 010\n", "1: a: '010' is ambiguous"),
        ("a: 0x1F\n", "1: a: '0x1F' is ambiguous"),
        ("a: True\n", "1: a: 'True' is ambiguous"),
        ("a: .inf\n", "1: a: '.inf' is ambiguous"),
        ("a: 2026-02-30\n", "1: a: 2026-02-30 is no day"),
        ("a: [1\n", "2: this is no YAML"),
        ("a:\n\tb: 1\n", "2: this is no YAML"),
        ("a: 1\nb: \x07\n", "2: this is no YAML"),
        ("[" * 100 + "]" * 100, "1: " + "[0]" * 32 + ": nested deeper than 32"),
        ("[" * 100_000, "1: " + "[0]" * 32 + ": nested deeper than 32"),
    ],
)
def test_traps_of_yaml_are_refused(text: str, message: str) -> None:
    assert refused(text).startswith(message)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"), ("on", "on"), ("yes", "yes"), ("NO", "NO"), ("12:30:00", "12:30:00"), ("1_000", "1_000"),
        ("0", 0), ("-7", -7), ("1.5", 1.5), ("1e3", 1000.0), ("true", True), ("false", False), ("null", None),
        ("~", None), ("", None), ("'true'", "true"), ('"010"', "010"), ("2026-01-01", date(2026, 1, 1)),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"), ("'>=3.11'", ">=3.11"), ("14d", "14d"), ("99%", "99%"),
    ],
)  # fmt: skip
def test_scalars_mean_what_they_look_like(written: str, value: object) -> None:
    found = parse(f"a: {written}\n").data["a"]
    assert found == value
    assert type(found) is type(value)


LEAVES = st.text() | st.integers(-(10**30), 10**30) | st.booleans() | st.none()
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


@given(TREES)
@settings(max_examples=200, deadline=None)
def test_quoted_values_come_back_as_they_were(value: object) -> None:
    class Quoting(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return True

    Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))
    assert parse(yaml.dump({"value": value}, Dumper=Quoting)).data == {"value": value}


@given(st.text(max_size=200))
@example("\ud800")
@example("a: \x00")
@example("%YAML 9.9\n---\na")
@example("? ")
@settings(max_examples=500, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    breaks = sum(text.count(mark) for mark in "\n\r\x85\u2028\u2029")
    assert 1 <= _line_of_fault(text) <= breaks + 2


def _line_of_fault(text: str) -> int:
    try:
        parse(text)
    except Fault as fault:
        return fault.line
    return 1


def test_a_bomb_costs_nothing() -> None:
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
    )
    began = time.monotonic()
    assert refused(bomb).startswith("1: anchors")
    assert refused("a: '" + "x" * (1 << 20) + "'").startswith("1: the file is larger than 1 MiB")
    assert time.monotonic() - began < 1


def test_a_check_points_into_the_file() -> None:
    document = Document("description: x\nnodes:\n  a:\n    after: [b,\n      c]\n", shown="r.yaml")
    assert document.line("nodes", "a", "after", 1) == 5
    assert document.line("nodes", "a", "sql") == 3  # not there: the nearest thing around it
    error = document.error("there is no node 'c'", "nodes", "a", "after", 1, hint="name a node")
    assert (error.message, error.hint) == ("r.yaml:5: nodes.a.after[1]: there is no node 'c'", "name a node")


def test_a_terminal_is_not_commanded_by_a_key() -> None:
    assert "\x1b" not in refused('description: x\n"\\e[2J": 1\n')


def test_files_are_named_in_errors(tmp_path: Path) -> None:
    folder = tmp_path / "environments"
    folder.mkdir()
    with pytest.raises(NotFound, match=r"there is no file environments/dev\.yaml"):
        load(folder / "dev.yaml", Recipe)
    (folder / "dev.yaml").write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(InvalidInput, match=r"environments/dev\.yaml:2: the file is not UTF-8"):
        load(folder / "dev.yaml", Recipe)
    (folder / "dev.yaml").write_bytes("\ufeffdescription: Größe\n".encode())
    assert load(folder / "dev.yaml", Recipe).description == "Größe"
    (folder / "dev.yaml").write_bytes("description: é\n".encode() + "é".encode() * (1 << 20))
    with pytest.raises(InvalidInput, match="larger than 1 MiB"):
        load(folder / "dev.yaml", Recipe)
