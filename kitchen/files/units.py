"""A recipe's units.yaml: for single SQL nodes, rows that are given and rows that are expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any

from msgspec import Meta, field

from kitchen.domain.recipe import Node, NodeKind, UnitTest
from kitchen.files.explain import did_you_mean
from kitchen.files.loader import Document, Model

Rows = Mapping[str, list[dict[str, Any]]]  # table -> rows; a row need not name every column


class UnitFile(Model, frozen=True, kw_only=True):
    """One case: what the tables hold before the node, and what they hold after it."""

    name: str
    given: Rows
    expect: Annotated[Rows, Meta(min_length=1)]
    parameters: Mapping[str, Any] = field(default_factory=dict)


class UnitsFile(Model, frozen=True, kw_only=True):
    """Cases by node."""

    nodes: Mapping[str, Annotated[list[UnitFile], Meta(min_length=1)]]


def read_units(
    text: str, nodes: Sequence[Node], parameters: Mapping[str, object], *, shown: str
) -> tuple[UnitTest, ...]:
    """Return the cases of a file; raises InvalidInput with its line for what names nothing of the recipe."""
    document = Document(text, shown=shown)
    known = {node.name: node for node in nodes}
    found: list[UnitTest] = []
    for name, cases in document.to(UnitsFile).nodes.items():
        if name not in known or known[name].kind is not NodeKind.SQL:
            sql = [node.name for node in nodes if node.kind is NodeKind.SQL]
            raise document.error(f"there is no SQL node {name!r}{did_you_mean(name, sql)}", "nodes", name)
        for at, case in enumerate(cases):
            place = ("nodes", name, at)
            if case.name in {unit.name for unit in found if unit.node == name}:
                raise document.error(f"two cases of {name} are named {case.name!r}", *place, "name")
            for parameter in case.parameters:
                if parameter not in parameters:
                    near = did_you_mean(parameter, parameters)
                    raise document.error(f"there is no parameter {parameter!r}{near}", *place, "parameters", parameter)
            _check_rows(case.given, document, *place, "given")
            _check_rows(case.expect, document, *place, "expect")
            found.append(UnitTest(name, case.name, case.given, case.expect, case.parameters))
    return tuple(found)


def _check_rows(rows: Rows, document: Document, *place: str | int) -> None:
    for table, listed in rows.items():
        for at, row in enumerate(listed):
            if not row:
                raise document.error("a row names at least one column", *place, table, at)
            for column, value in row.items():
                if not (value is None or isinstance(value, str | int | float | date)):
                    raise document.error(
                        "a value is text, a number, a date, true, false or null", *place, table, at, column
                    )
            if place[-1] == "expect" and row.keys() != listed[0].keys():
                raise document.error("rows that are expected name the same columns", *place, table, at)
