"""A recipe is a pipeline in git: a graph of nodes, each with tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class NodeKind(StrEnum):
    """What runs a node."""

    SQL = "sql"
    PYTHON = "python"
    COMMAND = "command"
    CONTAINER = "container"


class Severity(StrEnum):
    """What a failing test does: stop ends the run, warn and log do not."""

    STOP = "stop"
    WARN = "warn"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class RecipeTest:
    """One test: a kind and its settings, evaluated before or after a node."""

    name: str  # unique within its node and phase
    kind: str  # row_count, not_null, unique, accepted_values, relationship, freshness, sql, spc
    settings: Mapping[str, object]
    severity: Severity = Severity.STOP


@dataclass(frozen=True, slots=True)
class Node:
    """One step of a recipe. ``source`` is the file it runs, relative to the recipe's folder."""

    name: str
    kind: NodeKind
    source: str | None = None
    command: tuple[str, ...] = ()
    image: str | None = None
    after: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()  # table names as recipes speak them: ``orders`` or ``marts.orders``
    writes: tuple[str, ...] = ()
    drops: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    once: bool = False
    retries: int = 0
    timeout: float | None = None  # seconds
    append: Mapping[str, object] | None = None
    before_tests: tuple[RecipeTest, ...] = ()
    after_tests: tuple[RecipeTest, ...] = ()


@dataclass(frozen=True, slots=True)
class Variation:
    """A named set of parameters and nodes."""

    name: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    nodes: tuple[str, ...] = ()  # empty: all nodes


@dataclass(frozen=True, slots=True)
class UnitTest:
    """One case of a single SQL node: rows by table before it, and after it."""

    node: str
    name: str
    given: Mapping[str, Sequence[Mapping[str, object]]]
    expect: Mapping[str, Sequence[Mapping[str, object]]]
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A pipeline as its file declares it; file texts are kept so that a recipe is one value."""

    name: str
    description: str
    owner: str | None
    nodes: tuple[Node, ...]
    parameters: Mapping[str, object] = field(default_factory=dict)
    variations: Mapping[str, Variation] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)  # path within the recipe -> text
    schedule: Mapping[str, object] | None = None
    outputs: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    slo: Mapping[str, object] = field(default_factory=dict)
    units: tuple[UnitTest, ...] = ()

    def node(self, name: str) -> Node | None:
        """Return the node called name, if there is one."""
        return next((node for node in self.nodes if node.name == name), None)
