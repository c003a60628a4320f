"""What an examination found: one line for each part, with what to type where it is not well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from kitchen.errors import KitchenError, Unavailable


class Level(StrEnum):
    """How a part is. DOWN: it does not answer, so nothing more is known of it."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a report; ``environment`` is None for what the machine itself has."""

    environment: str | None
    part: str
    level: Level
    says: str
    hint: str | None = None


@dataclass(slots=True)
class Chart:
    """Findings on one environment (or on the machine) while they are collected."""

    environment: str | None
    findings: list[Finding] = field(default_factory=list)

    def ok(self, part: str, says: str) -> None:
        """Note that a part is well."""
        self._add(part, Level.OK, says, None)

    def warn(self, part: str, says: str, hint: str | None = None) -> None:
        """Note what somebody should look at."""
        self._add(part, Level.WARN, says, hint)

    def fail(self, part: str, says: str, hint: str | None = None) -> None:
        """Note what must be mended."""
        self._add(part, Level.FAIL, says, hint)

    def down(self, part: str, says: str, hint: str | None = None) -> None:
        """Note what does not answer."""
        self._add(part, Level.DOWN, says, hint)

    @contextmanager
    def examining(self, part: str) -> Iterator[None]:
        """Turn an error into a finding: one broken part must not hide the others."""
        try:
            yield
        except Unavailable as error:
            self.down(part, error.message, self._elsewhere(error.hint))
        except KitchenError as error:
            self.fail(part, error.message, self._elsewhere(error.hint))
        except OSError as error:
            self.fail(part, f"{error.strerror or type(error).__name__}: {error.filename or ''}".strip(": "))

    def _elsewhere(self, hint: str | None) -> str | None:
        """Return a hint, unless it leads to where we are."""
        return None if hint in ("kitchen doctor", f"kitchen doctor {self.environment}") else hint

    def _add(self, part: str, level: Level, says: str, hint: str | None) -> None:
        self.findings.append(Finding(self.environment, part, level, says, hint))


def exit_code(findings: Sequence[Finding]) -> int:
    """Return 6 where a service is unavailable, 1 where something must be mended, else 0: warnings do not count."""
    levels = {finding.level for finding in findings}
    if Level.DOWN in levels:
        return Unavailable.exit_code
    return KitchenError.exit_code if Level.FAIL in levels else 0
