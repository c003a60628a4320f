"""Run a recipe in a kitchen, or evaluate its tests on what is there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from kitchen.domain.environment import Chain
from kitchen.domain.kitchen import Kind, Kitchen, State
from kitchen.domain.layout import Layer, TableName
from kitchen.domain.lent_keys import lender_of
from kitchen.domain.recipe import Recipe, Severity
from kitchen.domain.redaction import Redactor
from kitchen.domain.run import Run, RunState, TestResult
from kitchen.domain.secret import Secret
from kitchen.engine.checks import Ground, tables_of
from kitchen.engine.compile import places_of
from kitchen.engine.container_node import sweep
from kitchen.engine.execution import Execution, history_of
from kitchen.engine.interrupt import run_interruptibly
from kitchen.engine.plan import Plan, plan, promises
from kitchen.engine.runner import Outcome, run_nodes
from kitchen.engine.tests import evaluate, is_stopping, said
from kitchen.engine.units import evaluate_units
from kitchen.errors import Conflict, InvalidInput, KitchenError
from kitchen.operations import once
from kitchen.operations.enter import EnterServices
from kitchen.operations.journalled import termination_interrupts
from kitchen.operations.node_environment import hidden, node_environment, secrets_of
from kitchen.operations.whole_rows import refuse_parts
from kitchen.ports import ContainerEngine, Control, SecretStore, Session, Sessions, Tables

Say = Callable[[str], None]


class Services(EnterServices, Protocol):
    """What runs need of an environment; ``app.Services`` fits."""

    @property
    def chain(self) -> Chain: ...
    @property
    def control(self) -> Control: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def secrets(self) -> SecretStore: ...
    @property
    def tables(self) -> Tables: ...
    @property
    def containers(self) -> ContainerEngine | None: ...
    @property
    def person(self) -> str: ...
    def layer(self, kitchen: Kitchen) -> Layer: ...


def plan_recipe(
    services: Services,
    kitchen: Kitchen,
    recipe: Recipe,
    *,
    variation: str | None = None,
    overrides: Mapping[str, object] | None = None,
    beside: Iterable[Recipe] = (),
) -> Plan:
    """Return the plan of a recipe over what a kitchen sees now; its tests are looked at too.

    What the recipes ``beside`` it make counts as there. Raises InvalidInput, with file and line, for a circle, a table
    that nobody has, an unknown parameter.
    """
    with _session(services, kitchen, recipe) as session:
        return _plan(services, session, kitchen, recipe, variation=variation, overrides=overrides, beside=beside)[0]


def run_recipe(
    services: Services,
    kitchen: Kitchen,
    recipe: Recipe,
    *,
    variation: str | None = None,
    overrides: Mapping[str, object] | None = None,
    nodes: Collection[str] | None = None,
    folder: Path,
    commit: str | None,
    say: Say,
) -> Run:
    """Run a recipe (only the named nodes, where some are named) and return the run with all that it gave.

    ``folder`` holds ``recipes/`` (a worktree or an exported commit); programs run in the recipe's folder below it.
    The run's state says how it went: FAILED where a stop test said no, ERRORED where something broke. Raises
    InvalidInput, before anything is recorded, where the recipe cannot be planned, and Conflict where it runs already.
    """
    _require_ready(kitchen)
    with _session(services, kitchen, recipe) as session:
        planned, layer = _plan(services, session, kitchen, recipe, variation=variation, overrides=overrides)
        for name in nodes or ():
            planned.node(name)
        refuse_parts(services.tables, session, layer, planned, nodes)
        with services.control.locks.hold(f"run/{kitchen.name}/{recipe.name}", purpose=f"run recipe {recipe.name}"):
            return _run(services, session, layer, planned, nodes=nodes, variation=variation, folder=folder,
                        commit=commit, say=say)  # fmt: skip


def run_tests(
    services: Services,
    kitchen: Kitchen,
    recipe: Recipe,
    *,
    variation: str | None = None,
    overrides: Mapping[str, object] | None = None,
    seeing: Collection[TableName] | None = None,
    except_nodes: Collection[str] = (),
    commit: str | None,
    say: Say,
) -> Run:
    """Evaluate a recipe's tests on what is there, run no node, and record it as a run without nodes.

    ``seeing`` leaves only tests that look at one of these tables, and no units; ``except_nodes`` leaves out nodes whose
    tests ran.
    """
    with _session(services, kitchen, recipe) as session:
        planned, layer = _plan(services, session, kitchen, recipe, variation=variation, overrides=overrides)
        run = _new_run(services, planned, layer, variation, commit)
        services.control.runs.start(run)
        places = places_of(layer, services.tables.visible(session, layer))
        where = f"recipes/{recipe.name}/recipe.yaml"
        history = history_of(services.control.runs, planned, layer)
        ground = Ground(recipe, planned.names, places, planned.parameters, where, history)
        results: list[TestResult] = []

        def ask() -> None:
            results.extend([] if seeing is not None else evaluate_units(session, planned, places))
            services.control.runs.tests(run.id, results)
            for result in results:
                if not result.passed:
                    say(f"unit: {result.node}: {said(result)}")
            for node in planned.nodes:
                if node.name in except_nodes:
                    continue
                tests = [*node.node.before_tests, *node.node.after_tests]
                wanted = [
                    test
                    for test in tests
                    if seeing is None or tables_of(test, recipe, planned.names, planned.parameters) & set(seeing)
                ]
                found = evaluate(session, wanted, ground, node=node.name, phase="standalone")
                services.control.runs.tests(run.id, found)
                for result in found:
                    if not result.passed and result.severity is not Severity.LOG:
                        say(f"{result.severity}: {node.name}: {said(result)}")
                results.extend(found)

        try:
            run_interruptibly(ask, session.cancel)
        except KeyboardInterrupt:
            services.control.runs.finish(run.id, RunState.CANCELLED, message="interrupted")
            raise
        state, message = _verdict(results)
        services.control.runs.finish(run.id, state, message=message)
        return replace(run, state=state, message=message, ended_at=datetime.now(UTC), tests=tuple(results))


def typed(name: str, text: str, declared: object) -> object:
    """Return what ``--set name=text`` means for a parameter, by the type of its declared value; raises InvalidInput."""
    try:
        match declared:
            case bool():
                return {"true": True, "false": False}[text.lower()]
            case int():
                return int(text)
            case float():
                return float(text)
            case date():
                return date.fromisoformat(text)
            case list():
                return [typed(name, part.strip(), declared[0] if declared else "") for part in text.split(",")]
    except (ValueError, KeyError):
        kind = {bool: "true or false", int: "a whole number", float: "a number"}.get(type(declared), "a date")
        raise InvalidInput(f"--set {name}={text[:60]}: {name} is {kind}", hint=f"--set {name}={declared}") from None
    return text


# --- a run ------------------------------------------------------------------------------------------------------------


def _run(
    services: Services, session: Session, layer: Layer, planned: Plan, *, nodes: Collection[str] | None,
    variation: str | None, folder: Path, commit: str | None, say: Say,
) -> Run:  # fmt: skip
    control, kitchen, recipe = services.control, layer.kitchen, planned.recipe
    run = _new_run(services, planned, layer, variation, commit)
    detail = {"run": str(run.id), "commit": commit, "nodes": sorted(nodes) if nodes is not None else None}
    control.audit.intent("run", f"{kitchen.name}/{recipe.name}", detail)
    control.runs.start(run)
    secrets = secrets_of(services, kitchen, recipe)
    execution = Execution(
        run=run.id,
        plan=planned,
        layer=layer,
        places=places_of(layer, services.tables.visible(session, layer)),
        tables=services.tables,
        records=control.runs,
        open_session=lambda: _open(services, kitchen, recipe),
        surroundings=lambda node: node_environment(services, kitchen, node, run=run, secrets=secrets),
        folder=folder / "recipes" / recipe.name,
        containers=services.containers,
        redact=_masking(services, [services.credentials(kitchen).password, *hidden(secrets)]),
        say=say,
        in_place=kitchen.kind is Kind.STANDING,
        passed=lambda node: once.record(control.runs, layer, planned, node, run=run.id),
    )
    outcome = Outcome()
    skip = once.done_already(control.runs, layer, planned, nodes)
    try:
        sweep(execution)
        with termination_interrupts():
            run_interruptibly(lambda: run_nodes(execution, outcome, nodes=nodes, skip=skip), execution.stop)
    except BaseException as cause:
        state = RunState.ERRORED if isinstance(cause, Exception) else RunState.CANCELLED
        message = cause.message if isinstance(cause, KitchenError) else "interrupted"
        _finish(services, run, state, execution.redact(message))
        raise
    finally:
        execution.forget_session()
    _finish(services, run, outcome.state, outcome.message)
    return replace(
        run, state=outcome.state, message=outcome.message, ended_at=datetime.now(UTC), nodes=tuple(outcome.nodes),
        tests=tuple(outcome.tests),
    )  # fmt: skip


def _masking(services: Services, known: Sequence[Secret]) -> Callable[[str], str]:
    """Return what masks the secrets of a run; keys to files are lent, and known, only when a node asks for them."""
    lent = services.file_keys.secrets
    if lender_of(services.environment) is None:
        return Redactor(known).redact
    return lambda text: Redactor([*known, *lent]).redact(text)


def _finish(services: Services, run: Run, state: RunState, message: str | None) -> None:
    services.control.runs.finish(run.id, state, message=message)
    detail = {"run": str(run.id), "message": message}
    services.control.audit.outcome("run", f"{run.kitchen}/{run.recipe}", state.value, detail)


def _new_run(services: Services, planned: Plan, layer: Layer, variation: str | None, commit: str | None) -> Run:
    return Run(
        id=uuid4(), kitchen=layer.kitchen.name, recipe=planned.recipe.name, variation=variation, commit=commit,
        state=RunState.RUNNING, by=services.person, started_at=datetime.now(UTC), parameters=planned.parameters,
    )  # fmt: skip


def _verdict(results: Collection[TestResult]) -> tuple[RunState, str | None]:
    stopping = [result for result in results if is_stopping(result)]
    if not stopping:
        return RunState.PASSED, None
    failed = [result for result in stopping if result.error is None]
    first = (failed or stopping)[0]
    more = f" (and {len(stopping) - 1} more)" if len(stopping) > 1 else ""
    return (RunState.FAILED if failed else RunState.ERRORED), f"node {first.node!r}: test {said(first)}{more}"


# --- planning ---------------------------------------------------------------------------------------------------------


def _plan(
    services: Services, session: Session, kitchen: Kitchen, recipe: Recipe, *, variation: str | None,
    overrides: Mapping[str, object] | None, beside: Iterable[Recipe] = (),
) -> tuple[Plan, Layer]:  # fmt: skip
    layer = services.layer(kitchen)
    known = [relation.logical for relation in services.tables.visible(session, layer)]
    promised = promises(beside, services.layout, known)
    planned = plan(recipe, services.layout, known, variation=variation, overrides=overrides, promised=promised)
    for node in planned.nodes:
        for test in (*node.node.before_tests, *node.node.after_tests):
            tables_of(
                test, recipe, planned.names, planned.parameters
            )  # a test of a table that nobody has is found before anything runs
    return planned, layer


def _require_ready(kitchen: Kitchen) -> None:
    if kitchen.state is not State.READY:
        raise Conflict(f"kitchen {kitchen.name!r} is {kitchen.state}", hint="kitchen recover")


def _open(services: Services, kitchen: Kitchen, recipe: Recipe) -> Session:
    return services.sessions.open(services.credentials(kitchen), application=f"kitchen {kitchen.name} {recipe.name}")


@contextmanager
def _session(services: Services, kitchen: Kitchen, recipe: Recipe) -> Iterator[Session]:
    session = _open(services, kitchen, recipe)
    try:
        yield session
    finally:
        session.close()
