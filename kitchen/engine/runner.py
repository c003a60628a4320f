"""Runs a plan: each node recorded before it starts and after it ended, tests before and after it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from kitchen.domain.recipe import NodeKind, RecipeTest, Severity
from kitchen.domain.run import NodeRun, RunState, TestResult
from kitchen.engine.execution import Execution
from kitchen.engine.plan import PlannedNode
from kitchen.engine.sql_node import run_sql
from kitchen.engine.tests import Guard, evaluate, is_stopping, read_only, said, within
from kitchen.engine.tool_node import run_tool
from kitchen.errors import KitchenError, Refused, Unavailable

DEFAULT_TIMEOUT = 3600.0  # seconds for a node that sets none: no call to a server is without an end
LONGEST_PAUSE = 30.0  # seconds between two attempts


@dataclass(slots=True)
class Outcome:
    """What a run gave so far."""

    state: RunState = RunState.PASSED
    message: str | None = None
    nodes: list[NodeRun] = field(default_factory=list)
    tests: list[TestResult] = field(default_factory=list)


class _Stopped(Exception):
    """A test said no (or could not be asked) inside a node's own transaction, which is taken back."""


def run_nodes(
    execution: Execution, outcome: Outcome, *, nodes: Collection[str] | None = None, skip: Collection[str] = ()
) -> None:
    """Run the named nodes (None: all) of the plan in order into ``outcome``; after a failure the rest is skipped.

    ``skip`` names once-nodes that are done already.
    """
    for planned in execution.plan.nodes:
        if nodes is not None and planned.name not in nodes:
            continue
        if execution.stopping.is_set():
            _stop(outcome, RunState.CANCELLED, "interrupted")
        if planned.name in skip:
            _skipped(execution, outcome, planned, "done once already; to run it again in a working kitchen: --node")
        elif outcome.state is not RunState.PASSED:
            _skipped(execution, outcome, planned, "not run: the run had stopped")
        else:
            _run_node(execution, outcome, planned)


def _run_node(execution: Execution, outcome: Outcome, planned: PlannedNode) -> None:
    tests = planned.node.before_tests
    if tests and (stopped := _test(execution, outcome, planned, tests, "before")):
        state, message = stopped
        _record(
            execution, outcome, NodeRun(planned.name, 1, state, _now(), _now(), message=f"before it ran: {message}")
        )
        return
    for attempt in range(1, planned.node.retries + 2):
        ended = _attempt(execution, outcome, planned, attempt)
        if ended.state is not RunState.ERRORED or attempt > planned.node.retries:
            break
        pause = min(2.0 ** (attempt - 1), LONGEST_PAUSE)
        execution.say(f"{planned.name}: {ended.message}; again in {pause:g} s")
        if execution.stopping.wait(pause):
            break
    if ended.state is RunState.ERRORED:
        _stop(outcome, RunState.ERRORED, f"node {planned.name!r}: {ended.message}")
    if ended.state is not RunState.PASSED:
        return
    execution.passed(planned)
    if _tests_inside(execution, planned):
        return
    if planned.node.after_tests and (stopped := _test(execution, outcome, planned, planned.node.after_tests, "after")):
        state, message = stopped
        _record(execution, outcome, replace(ended, state=state, message=f"after it ran: {message}"))


def _attempt(execution: Execution, outcome: Outcome, planned: PlannedNode, attempt: int) -> NodeRun:
    begun = NodeRun(planned.name, attempt, RunState.RUNNING, _now())
    execution.records.node(execution.run, begun)
    execution.say(f"{planned.name} ({planned.node.kind})" + (f", attempt {attempt}" if attempt > 1 else ""))
    log: list[str] = []
    try:
        rows = _work(execution, outcome, planned, log.append)
        ended = replace(begun, state=RunState.PASSED, rows=rows)
    except _Stopped as stopped:
        ended = replace(begun, state=outcome.state, message=f"after it ran: {stopped}")
    except KitchenError as wrong:
        if isinstance(wrong, Unavailable):
            execution.forget_session()
        hint = f" (try: {wrong.hint})" if wrong.hint else ""
        ended = replace(begun, state=RunState.ERRORED, message=execution.redact(wrong.message + hint))
        if execution.stopping.is_set():
            ended = replace(begun, state=RunState.CANCELLED, message="interrupted")
            _stop(outcome, RunState.CANCELLED, "interrupted")
    ended = replace(ended, ended_at=_now(), log="".join(log))
    _record(execution, outcome, ended)
    return ended


def _work(execution: Execution, outcome: Outcome, planned: PlannedNode, keep: Callable[[str], None]) -> int | None:
    timeout = planned.node.timeout or DEFAULT_TIMEOUT
    _hydrate_written(execution, planned)
    rows: int | None = None
    if planned.node.kind is NodeKind.SQL:
        rows = run_sql(execution, planned, timeout=timeout, finish=_finish(execution, outcome, planned))
        _note_written(execution, planned)
    else:
        run_tool(execution, planned, timeout=timeout, keep=keep)
    return rows


def _hydrate_written(execution: Execution, planned: PlannedNode) -> None:
    """Copy what the node writes; what it builds anew, or only drops, comes without its rows."""
    touches = planned.touches
    dropped = touches.drops & touches.needs
    for table in sorted(touches.writes | dropped, key=str):
        if execution.places.must_hydrate(table):
            execution.hydrate(table, with_rows=table in touches.changes)


def _note_written(execution: Execution, planned: PlannedNode) -> None:
    touches = planned.touches
    if touches.drops:
        execution.refresh()  # what lies below is seen again
    for table in touches.writes:
        execution.places.now_own(table, "view" if table in touches.views else "table")


# --- tests ------------------------------------------------------------------------------------------------------------


def _tests_inside(execution: Execution, planned: PlannedNode) -> bool:
    """In a standing kitchen a SQL node and the tests after it are one transaction: what fails is never seen."""
    return execution.in_place and planned.node.kind is NodeKind.SQL


def _finish(execution: Execution, outcome: Outcome, planned: PlannedNode) -> Callable[[], None]:
    def finish() -> None:
        if not _tests_inside(execution, planned) or not planned.node.after_tests:
            return
        _note_written(execution, planned)
        stopped = _test(execution, outcome, planned, planned.node.after_tests, "after", guard=within)
        if stopped:
            raise _Stopped(stopped[1])

    return finish


def _test(
    execution: Execution, outcome: Outcome, planned: PlannedNode, tests: tuple[RecipeTest, ...], phase: str, *,
    guard: Guard = read_only,
) -> tuple[RunState, str] | None:  # fmt: skip
    """Evaluate and record tests; return how they end the run, or None where it goes on."""
    ground = execution.ground(f"recipes/{execution.plan.recipe.name}/recipe.yaml")
    results = evaluate(execution.session, tests, ground, node=planned.name, phase=phase, guard=guard)
    outcome.tests += results
    execution.records.tests(execution.run, results)
    for result in results:
        if not result.passed and result.severity is not Severity.LOG:
            execution.say(f"{result.severity}: {execution.redact(said(result))}")
    stopping = [result for result in results if is_stopping(result)]
    if not stopping:
        return None
    failed = [result for result in stopping if result.error is None]
    state = RunState.FAILED if failed else RunState.ERRORED
    message = f"test {execution.redact(said((failed or stopping)[0]))}"
    _stop(outcome, state, f"node {planned.name!r}, {phase}: {message}")
    return state, message


def require_passed(state: RunState, message: str | None, *, identity: str) -> None:
    """Raise what a run's state means for the command that ran it: Refused for a failed test, else an error."""
    hint = f"kitchen runs show {identity}"
    if state is RunState.FAILED:
        raise Refused(f"the run failed: {message}", hint=hint)
    if state is not RunState.PASSED:
        raise KitchenError(f"the run ended in an error: {message}", hint=hint)


# --- records ----------------------------------------------------------------------------------------------------------


def _stop(outcome: Outcome, state: RunState, message: str) -> None:
    if outcome.state is RunState.PASSED:
        outcome.state, outcome.message = state, message


def _skipped(execution: Execution, outcome: Outcome, planned: PlannedNode, why: str) -> None:
    _record(execution, outcome, NodeRun(planned.name, 1, RunState.SKIPPED, _now(), _now(), message=why))


def _record(execution: Execution, outcome: Outcome, node: NodeRun) -> None:
    execution.records.node(execution.run, node)
    outcome.nodes = [one for one in outcome.nodes if (one.node, one.attempt) != (node.node, node.attempt)]
    outcome.nodes.append(node)


def _now() -> datetime:
    return datetime.now(UTC)
