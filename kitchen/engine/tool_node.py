"""Runs Python, command and container nodes: programs that find the kitchen in their environment."""

from __future__ import annotations

import sys
from collections.abc import Callable

from kitchen.domain.recipe import NodeKind
from kitchen.engine.children import run_child
from kitchen.engine.execution import Execution
from kitchen.engine.plan import PlannedNode
from kitchen.errors import KitchenError, Unavailable


def run_tool(execution: Execution, planned: PlannedNode, *, timeout: float, keep: Callable[[str], None]) -> None:
    """Run a node's program to its end; ``keep`` is given what it printed, also where it fails."""
    if planned.node.kind is NodeKind.CONTAINER:
        _run_container(execution, planned, timeout, keep)
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
        if execution.layer.layout.holds_production:  # more people read the message than the log, which may hold rows
            raise KitchenError(f"{how}; what it printed is in its log", hint=f"kitchen runs logs {execution.run}")
        last = ended.log.strip().splitlines()[-1:] or ["(it printed nothing)"]
        raise KitchenError(f"{how}: {last[0][:300]}")


def _run_container(execution: Execution, planned: PlannedNode, timeout: float, keep: Callable[[str], None]) -> None:
    if execution.containers is None:
        raise Unavailable(
            f"node {planned.name!r} needs containers, and environment"
            f" {execution.layer.kitchen.environment!r} declares none",
            hint=f"containers: {{kind: docker}} in environments/{execution.layer.kitchen.environment}.yaml",
        )
    labels = {"kitchen": str(execution.layer.kitchen.id), "run": str(execution.run), "node": planned.name}
    with execution.surroundings(planned.node) as environment:
        status, output = execution.containers.run(
            planned.node.image or "", planned.node.command, environment=environment, labels=labels, timeout=timeout
        )
    keep(execution.redact(output))
    if status:
        raise KitchenError(f"the container ended with status {status}")
