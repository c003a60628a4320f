"""Evaluates tests: one scan for each table and phase where the questions can share it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

from kitchen.domain.recipe import RecipeTest, Severity
from kitchen.domain.run import TestResult
from kitchen.engine.checks import SAMPLE, Check, Ground, Verdict, check_of
from kitchen.errors import KitchenError, Unavailable
from kitchen.ports import Row, Session

TIMEOUT = 600_000  # milliseconds for one question
MOST_ASKS = 500  # aggregates in one SELECT; PostgreSQL stops at 1664 columns

Guard = Callable[[Session], AbstractContextManager[None]]


@contextmanager
def read_only(session: Session) -> Iterator[None]:
    """Ask in a transaction of its own that cannot write; compiling a query costs more than it gives here."""
    with session.transaction():
        session.execute(f"SET LOCAL jit = off; SET LOCAL statement_timeout = {TIMEOUT}; SET TRANSACTION READ ONLY")
        yield


@contextmanager
def within(session: Session) -> Iterator[None]:
    """Ask inside the transaction that is open; a question that fails leaves it as it was."""
    session.execute("SAVEPOINT kitchen_test")
    try:
        yield
    except KitchenError:
        session.execute("ROLLBACK TO SAVEPOINT kitchen_test")
        raise
    session.execute("RELEASE SAVEPOINT kitchen_test")


def evaluate(
    session: Session, tests: Sequence[RecipeTest], ground: Ground, *, node: str, phase: str, guard: Guard = read_only
) -> tuple[TestResult, ...]:
    """Return the result of every test, in order; one that cannot be asked has an error and never spoils others.

    Raises Unavailable where the server is gone.
    """
    ground = replace(ground, node=node)
    results: dict[str, TestResult] = {}
    checks: list[Check] = []
    for test in tests:
        try:
            checks.append(check_of(test, ground))
        except KitchenError as wrong:
            results[test.name] = _result(test, node, phase, None, error=wrong.message)
    for group in _groups(checks):
        for check, answer in _ask(session, group, guard):
            results[check.test.name] = _judged(session, check, answer, node=node, phase=phase, guard=guard)
    return tuple(results[test.name] for test in tests)


def is_stopping(result: TestResult) -> bool:
    """Say whether a result ends the run."""
    return not result.passed and result.severity is Severity.STOP


def said(result: TestResult) -> str:
    """Return a result in one line."""
    if result.error is not None:
        return f"{result.test}: could not be asked: {result.error}"
    return f"{result.test}: measured {result.measured}, expected {result.expected}"


def _groups(checks: Sequence[Check]) -> Iterator[list[Check]]:
    shared: dict[str, list[Check]] = {}
    for check in checks:
        if check.table is None:
            yield [check]
        else:
            shared.setdefault(check.table, []).append(check)
    for group in shared.values():
        yield from (group[at : at + MOST_ASKS] for at in range(0, len(group), MOST_ASKS))


def _ask(
    session: Session, group: Sequence[Check], guard: Guard
) -> Iterator[tuple[Check, Row | list[Row] | KitchenError]]:
    """Return each check's answer; where the common question fails, ask one by one so that the others are heard."""
    if group[0].table is None:
        yield group[0], _query(session, group[0].query, guard)
        return
    asks = list(dict.fromkeys(ask for check in group for ask in check.asks))
    answer = _query(session, f"SELECT {', '.join(asks)} FROM {group[0].table}", guard)
    if not isinstance(answer, KitchenError):
        values = dict(zip(asks, answer[0], strict=True))
        yield from ((check, tuple(values[ask] for ask in check.asks)) for check in group)
    elif len(group) == 1:
        yield group[0], answer
    else:
        for check in group:
            yield from _ask(session, [check], guard)


def _query(session: Session, query: str, guard: Guard) -> list[Row] | KitchenError:
    try:
        with guard(session):
            return session.query(query)
    except Unavailable:
        raise
    except KitchenError as wrong:
        return wrong


def _judged(
    session: Session, check: Check, answer: Row | list[Row] | KitchenError, *, node: str, phase: str, guard: Guard
) -> TestResult:
    if isinstance(answer, KitchenError):
        return _result(check.test, node, phase, None, error=_plain(answer))
    rows: Any = answer
    if check.table is None and check.test.kind != "sql":
        rows = answer[0]
    verdict = check.judge(rows)
    sample: list[Any] = []
    if not verdict.passed and check.test.severity is not Severity.LOG:
        if check.test.kind == "sql":
            sample = [row[0] for row in rows[:SAMPLE]]
        elif check.sample is not None:
            found = _query(session, check.sample, guard)
            sample = [] if isinstance(found, KitchenError) else [row[0] for row in found]
    return _result(check.test, node, phase, verdict, sample=tuple(sample))


def _plain(wrong: KitchenError) -> str:
    return wrong.message.removeprefix("query: ")


def _result(
    test: RecipeTest, node: str, phase: str, verdict: Verdict | None, *, error: str | None = None,
    sample: tuple[Any, ...] = (),
) -> TestResult:  # fmt: skip
    return TestResult(
        node=node,
        phase=phase,
        test=test.name,
        kind=test.kind,
        severity=test.severity,
        passed=verdict is not None and verdict.passed,
        measured=verdict.measured if verdict else "",
        expected=verdict.expected if verdict else "",
        error=error,
        sample=sample,
    )
