"""Everything kitchen can say no with: six families, named by what the reader should do next."""

from __future__ import annotations


class KitchenError(Exception):
    """Something failed on a named thing; ``hint`` is the next command to type."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InvalidInput(KitchenError):
    """A name, a file or an option cannot be understood: mend it."""

    exit_code = 2


class NotFound(KitchenError):
    """The named thing does not exist."""

    exit_code = 3


class Conflict(KitchenError):
    """The thing exists, is locked, has moved, or does not merge."""

    exit_code = 4


class Refused(KitchenError):
    """A test, a gate or the policy said no."""

    exit_code = 5


class Unavailable(KitchenError):
    """A service did not answer; the only family worth a retry."""

    exit_code = 6


class Incomplete(KitchenError):
    """Undoing or finishing left something behind; ``leftovers`` names it."""

    exit_code = 7

    def __init__(self, message: str, *, leftovers: tuple[str, ...] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.leftovers = leftovers


class NotPermitted(KitchenError):
    """The server, or the policy that it mirrors, does not allow this to this person."""

    exit_code = 8


def told(cause: BaseException) -> str:
    """Return what may be printed and kept of a failure: of one that is not ours only its kind.

    A driver's words hold what it sent and what it got: statements, rows, addresses with passwords.
    """
    if isinstance(cause, KitchenError):
        return cause.message
    if isinstance(cause, OSError) and cause.strerror and isinstance(cause.filename, str):  # a file, and why not
        return f"{cause.filename}: {cause.strerror}"
    words = str(cause) if isinstance(cause, KeyboardInterrupt) else ""  # our own: which signal it was
    return words or type(cause).__name__


BUG = 70
INTERRUPTED = 130
