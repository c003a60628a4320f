"""Runs Python, command and container nodes: programs that find the kitchen in their environment."""

from __future__ import annotations

import sys
from collections.abc import Callable

from kitchen.domain.recipe import NodeKind
from kitchen.engine.children import run_child
from kitchen.engine.container_node import run_container
from kitchen.engine.execution import Execution
from kitchen.engine.plan import PlannedNode
from kitchen.errors import KitchenError


def run_tool(execution: Execution, planned: PlannedNode, *, timeout: float, keep: Callable[[str], None]) -> None:
    """Run a node's program to its end; ``keep`` is given what it printed, also where it fails."""
    if planned.node.kind is NodeKind.CONTAINER:
        run_container(execution, planned, timeout=timeout, keep=keep)
    else:
        _run_program(execution, planned, timeout, keep)
    execution.refresh()  # whatever it made


def _run_program(execution: Execution, planned: PlannedNode, timeout: float, keep: Callable[[str], None]) -> None:
    node = planned.node
    command = (sys.executable, node.source or "") if node.kind is NodeKind.PYTHON else node.command

    def on_line(line: str) -> str:
        kept = execution.redact(line)
        execution.say(f"  {node.name} | {kept}")
        return kept

    with execution.surroundings(node) as environment:
        ended = run_child(
            command,
            folder=execution.folder,
            environment={**environment, "PYTHONUNBUFFERED": "1"},
            timeout=timeout,
            on_line=on_line,
            stopping=execution.stopping,
        )
    keep(ended.log)
    if ended.timed_out:
        raise KitchenError(f"was ended after its time limit of {timeout:g} s")
    if ended.status:
        how = f"ended with status {ended.status}" if ended.status > 0 else f"was ended by signal {-ended.status}"
        execution.raise_ended(how, ended.log)
