"""Single effects that need no journal: the intent is recorded before, the outcome after, whatever happens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from kitchen.errors import KitchenError
from kitchen.ports import Audit


@contextmanager
def audited(audit: Audit, action: str, subject: str, detail: Mapping[str, object]) -> Iterator[None]:
    """Record the block's intent and outcome; where the intent cannot be recorded the block does not run."""
    audit.intent(action, subject, detail)
    try:
        yield
    except BaseException as cause:
        with suppress(KitchenError):  # the cause is what the user must read
            audit.outcome(action, subject, "failed", {**detail, "error": type(cause).__name__})
        raise
    audit.outcome(action, subject, "done", detail)
