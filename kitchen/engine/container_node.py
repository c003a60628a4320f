"""Runs container nodes; what a program finds in its environment, a container finds too, its secrets in files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from kitchen.engine.children import Log
from kitchen.engine.execution import Execution
from kitchen.engine.plan import PlannedNode
from kitchen.errors import KitchenError, Unavailable
from kitchen.ports import CONTAINER_FILES, ContainerEngine

_GIVEN = re.compile(r"(PG|KITCHEN|AWS_)\w*|LANG|LANGUAGE|LC_\w+|TZ")  # what else we have is of this machine
_SECRET = re.compile(r"KITCHEN_(SECRET|CONNECTION)_\w+")
KILLED = 137  # the status of what was ended by signal 9
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def run_container(execution: Execution, planned: PlannedNode, *, timeout: float, keep: Callable[[str], None]) -> None:
    """Run a node's container to its end; ``keep`` is given what it printed, also where it fails."""
    node, engine = planned.node, _engine(execution, planned)

    def on_line(line: str) -> str:
        kept = execution.redact(line)
        execution.say(f"  {node.name} | {kept}")
        return kept

    log = Log(on_line)
    try:
        with execution.surroundings(node) as surroundings:
            environment, files = split(surroundings)
            ended = engine.run(
                node.image or "", node.command, environment=environment, files=files, timeout=timeout,
                labels={**labels_of(execution), "run": str(execution.run), "node": node.name}, printed=log.add,
                stopping=execution.stopping,
            )  # fmt: skip
    finally:
        text = log.text()
        keep(text)
    if ended.timed_out:
        raise KitchenError(f"was ended after its time limit of {timeout:g} s")
    if ended.out_of_memory or ended.status == KILLED:  # not every engine knows why
        how = "needed more memory than it may have" if ended.out_of_memory else "was killed, perhaps for want of memory"
        where = f"environments/{execution.layer.kitchen.environment}.yaml"
        raise KitchenError(f"the container {how}", hint=f"containers: memory: in {where}")
    if ended.status:
        execution.raise_ended(f"the container ended with status {ended.status}", text)


def sweep(execution: Execution) -> None:
    """Remove containers that an earlier run of this recipe left, because it was killed: the caller holds its lock."""
    if execution.containers is not None and any(planned.node.image for planned in execution.plan.nodes):
        with suppress(Unavailable):  # the node says so
            execution.containers.remove_all(labels_of(execution))


def labels_of(execution: Execution) -> dict[str, str]:
    """Return how the containers of a recipe's runs in a kitchen are known."""
    return {"kitchen": str(execution.layer.kitchen.id), "recipe": execution.plan.recipe.name}


def split(surroundings: Mapping[str, str]) -> tuple[dict[str, str], dict[str, bytes]]:
    """Return what a container is told and the files that it gets: whoever may inspect it sees what it is told."""
    told = {name: value for name, value in surroundings.items() if _GIVEN.fullmatch(name)}
    files: dict[str, bytes] = {}
    told["HOME"] = "/tmp"  # noqa: S108 - the container's own, the one place that it may write to
    for name in [name for name in told if _SECRET.fullmatch(name)]:
        files[name] = told.pop(name).encode()
        told[f"{name}_FILE"] = f"{CONTAINER_FILES}/{name}"
    for name in ("PGPASSFILE", "PGSSLROOTCERT"):
        if name in told and Path(told[name]).is_absolute():
            files[name.lower()] = Path(told[name]).read_bytes()
            told[name] = f"{CONTAINER_FILES}/{name.lower()}"
    if keys := {name: told.pop(name) for name in _KEYS if name in told}:
        lines = [f"{name.lower()} = {value}" for name, value in keys.items()]
        files["aws"] = "\n".join(["[default]", *lines, ""]).encode()
        told["AWS_SHARED_CREDENTIALS_FILE"] = f"{CONTAINER_FILES}/aws"
    if told.get("KITCHEN_STORAGE", "").startswith("/"):
        del told["KITCHEN_STORAGE"]  # a folder of this machine
    return told, files


def _engine(execution: Execution, planned: PlannedNode) -> ContainerEngine:
    if execution.containers is None:
        environment = execution.layer.kitchen.environment
        raise Unavailable(
            f"node {planned.name!r} needs containers, and environment {environment!r} declares none",
            hint=f"containers: {{kind: docker}} in environments/{environment}.yaml",
        )
    return execution.containers
