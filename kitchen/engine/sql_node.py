"""Runs a SQL node on the kitchen's own session: one transaction, statement by statement."""

from __future__ import annotations

from collections.abc import Callable

from kitchen.engine.compile import compile_reading
from kitchen.engine.execution import Execution
from kitchen.engine.fallback import is_about_a_table, tables_meant
from kitchen.engine.plan import PlannedNode, shown
from kitchen.engine.statements import quoted
from kitchen.errors import KitchenError, NotPermitted

Finish = Callable[[], None]


class _BelowRefused(Exception):
    """The server refused a statement; ``statements`` are those up to it, as the recipe has them."""

    def __init__(self, message: str, statements: tuple[str, ...]) -> None:
        super().__init__(message)
        self.message = message
        self.statements = statements


def run_sql(execution: Execution, planned: PlannedNode, *, timeout: float, finish: Finish) -> int | None:
    """Run a node and return the rows of its last statement that counts them; ``finish`` is the last in its transaction.

    Where a statement is refused because it writes what lies below, the table is hydrated and the node runs once more.
    """
    try:
        return _attempt(execution, planned, timeout, finish)
    except _BelowRefused as refused:
        meant = tables_meant(
            execution.session, refused.statements, refused.message, execution.plan.names, execution.places
        )
        for table in meant:
            execution.hydrate(table, with_rows=True)
        if not meant:
            raise _not_permitted(execution, planned, refused) from refused
    try:
        return _attempt(execution, planned, timeout, finish)
    except _BelowRefused as refused:
        raise _not_permitted(execution, planned, refused) from refused


def _attempt(execution: Execution, planned: PlannedNode, timeout: float, finish: Finish) -> int | None:
    session, rows = execution.session, None
    label = quoted(f"{execution.label}/{planned.name}"[:63])
    with session.transaction():
        session.execute(f"SET LOCAL application_name = {label}; SET LOCAL statement_timeout = {int(timeout * 1000)}")
        for position, reading in enumerate(planned.readings):
            text = compile_reading(reading, planned.tables, execution.places)
            try:
                count = session.execute(text)
            except KitchenError as wrong:
                where = f"{shown(execution.plan.recipe, planned.node.source or '')}:{reading.statement.line}"
                said = f"{where}: {wrong.message.removeprefix('statement: ').partition(chr(10))[0]}"
                if isinstance(wrong, NotPermitted):
                    texts = tuple(earlier.statement.text for earlier in planned.readings[: position + 1])
                    raise _BelowRefused(said, texts) from wrong
                raise type(wrong)(said, hint=wrong.hint) from wrong
            rows = count if count >= 0 else rows
        finish()
    if any(reading.leaves_settings for reading in planned.readings):
        execution.forget_session()  # nothing that one node set reaches the next
    return rows


def _not_permitted(execution: Execution, planned: PlannedNode, refused: _BelowRefused) -> KitchenError:
    if not is_about_a_table(refused.message):
        return NotPermitted(refused.message)
    below = sorted(str(table) for table in planned.touches.reads if execution.places.must_hydrate(table))
    tables = " ".join(below) or "TABLE"
    return NotPermitted(
        f"{refused.message}: something that the statement writes is not the kitchen's own",
        hint=f"kitchen hydrate {tables} -k {execution.layer.kitchen.name}, or {planned.name}: {{writes: [...]}}",
    )
