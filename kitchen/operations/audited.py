"""Single effects that need no journal: the intent is recorded before, the outcome after, whatever happens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

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


def verify_audit(audit: Audit, file: Path) -> tuple[int, str | None]:
    """Check the chain against itself and against what a file remembers of it; whole, the file remembers its end."""
    seen = file.read_text().strip() if file.exists() else None
    head = audit.head()  # before: what comes in meanwhile is not in it
    count, wrong = audit.verify(seen)
    if wrong is None:
        file.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        fresh = file.with_suffix(".new")
        fresh.write_text(head + "\n")
        fresh.replace(file)
    elif seen is not None and audit.verify()[1] is None:
        wrong += f" (remembered in {file})"
    return count, wrong
