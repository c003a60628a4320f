"""What is due by the environments' schedules, and what answers it: one after the other, what was missed once.

For now there is one schedule for each environment, ``data: refresh:``. A due time is answered by a process of its own,
so that neither its memory nor its failure is the server's.
"""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from croniter import croniter
from croniter.croniter import CroniterError

from kitchen.domain.environment import Environment
from kitchen.errors import INTERRUPTED, Conflict, InvalidInput, KitchenError, Unavailable
from kitchen.ports import Control, ScheduleRecord

REFRESH = "pantry refresh"
PATIENCE = 120.0  # seconds for a refresh to undo what it began, after it was told to stop
_SAID = 500  # characters of an error that are kept
_KEPT = 100  # lines of what a command says: an error, and everything that it names
_NAMED = 3  # of what an error names: a policy may leave a thousand columns undecided
_ERROR, _HINT = "error: ", "  try: "  # as the command line prints them

Say = Callable[[str], None]


class Services(Protocol):
    """What a schedule asks of its environment."""

    @property
    def environment(self) -> Environment: ...
    @property
    def control(self) -> Control: ...


@dataclass(frozen=True, slots=True)
class Scheduled:
    """One schedule as it stands."""

    name: str
    environment: str
    cron: str
    timezone: str
    due_since: datetime | None  # the latest due time that nobody has answered
    following: datetime
    last: ScheduleRecord | None

    @property
    def command(self) -> tuple[str, ...]:
        """Return what answers it."""
        return ours("pantry", "refresh", "--yes", "-e", self.environment)


def ours(*words: str) -> tuple[str, ...]:
    """Return a command of ours as another process; a module of the project's folder, which a merge brings, is none."""
    return (sys.executable, "-P", "-m", "kitchen", *words)


def standing(services: Services, *, now: datetime | None = None) -> Scheduled | None:
    """Return the schedule of an environment, or None where it has none; raises InvalidInput where it is none."""
    environment = services.environment
    if environment.data is None or environment.data.refresh is None:
        return None
    cron, timezone = environment.data.refresh, environment.data.timezone
    latest, following = around(cron, timezone, now or datetime.now(UTC))
    last = services.control.schedules.get(REFRESH)
    stale = last is not None and last.outcome in ("running", "interrupted")
    due = latest if last is not None and (last.due_at < latest or stale) else None
    return Scheduled(REFRESH, environment.name, cron, timezone, due, following, last)


def around(cron: str, timezone: str, now: datetime) -> tuple[datetime, datetime]:
    """Return the due times before (or at) and after a moment; raises InvalidInput."""
    local = now.astimezone(ZoneInfo(timezone))
    try:
        following = croniter(cron, local).get_next(datetime)
        latest = croniter(cron, following).get_prev(datetime)
    except CroniterError as wrong:
        raise InvalidInput(f"{cron!r} is no schedule: {wrong}", hint='data: refresh: "0 3 * * *"') from None
    return latest.astimezone(UTC), following.astimezone(UTC)


def answer(services: Services, root: Path, *, stop: threading.Event, say: Say) -> str | None:
    """Answer a schedule where it is due, and return how that ended; None where nothing was due.

    A schedule that is seen for the first time is due from then on. What was due several times while nobody served is
    answered once. Where another server is at it, nothing is done here.
    """
    found = standing(services)
    if found is None:
        return None
    if found.last is None:
        services.control.schedules.see(found.name, around(found.cron, found.timezone, datetime.now(UTC))[0])
        return None
    if found.due_since is None:
        return None
    try:
        with services.control.locks.hold(f"schedule: {found.name}", purpose="schedule serve"):
            found = standing(services)
            if found is None or found.due_since is None:
                return None
            services.control.schedules.begin(found.name, found.due_since)
            say(f"{found.name} of {found.environment}, due {found.due_since:%Y-%m-%d %H:%M} UTC")
            outcome, said = carried_out(found.command, root, stop=stop, say=say)
            services.control.schedules.end(found.name, outcome, said)
    except Conflict:
        return None
    return outcome


def carried_out(command: Sequence[str], root: Path, *, stop: threading.Event, say: Say) -> tuple[str, str]:
    """Run a command of ours to its end, or until told to stop; returns how it ended and what it said last."""
    child = subprocess.Popen(
        command, cwd=root, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
        start_new_session=True,
    )  # fmt: skip
    lines: list[str] = []

    def read() -> None:
        assert child.stderr is not None  # noqa: S101 - asked for above
        for line in child.stderr:
            lines.append(line.rstrip())
            del lines[:-_KEPT]
            say(line.rstrip().removeprefix("· "))  # a step of the child's: said as one of ours

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    told = False
    while child.poll() is None:
        if stop.wait(0.2) and not told:
            child.send_signal(signal.SIGINT)  # as a person's Ctrl-C: it undoes what it began
            told = True
            try:
                child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
    reader.join(5)
    if told or child.returncode == INTERRUPTED:
        return "interrupted", "it was told to stop"
    if child.returncode == 0:
        return "done", next((line for line in reversed(lines) if line), "")[:_SAID]
    return "failed", f"exit code {child.returncode}: {reason(lines)}"[:_SAID]


def reason(lines: Sequence[str]) -> str:
    """Return in one line why a command of ours failed, by what it printed: its error, and the first things it names."""
    begins = [at for at, line in enumerate(lines) if line.startswith(_ERROR)]
    if not begins:
        return lines[-1] if lines else ""
    error, *rest = lines[begins[-1] :]
    named = []
    for line in rest:
        if not line.startswith("  ") or line.startswith(_HINT):
            break
        named.append(line.strip())
    more = f"; and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return " ".join([error.removeprefix(_ERROR), *(["; ".join(named[:_NAMED]) + more] if named else [])])


def serve(
    look: Callable[[], Sequence[Services]],
    root: Path,
    *,
    stop: threading.Event,
    say: Say,
    warn: Say,
    once: bool = False,
    tick: float = 20.0,
) -> bool:
    """Answer what is due until told to stop, or once; say each failure, and whether there was none.

    What failed is tried again at its next due time; what could not be reached, at the next look.
    """
    well = True
    while not stop.is_set():
        try:
            for services in look():
                well = _served(services, root, stop=stop, say=say, warn=warn) and well
        except KitchenError as error:  # the files may be mended while we serve
            warn(error.message)
            well = False
        if once:
            break
        gc.collect()  # the connections of this look: environments and what they open refer to each other
        stop.wait(tick)
    return well


def _served(services: Services, root: Path, *, stop: threading.Event, say: Say, warn: Say) -> bool:
    name = services.environment.name
    try:
        outcome = answer(services, root, stop=stop, say=say)
        if outcome == "failed":
            now = standing(services)
            said = now.last.said if now is not None and now.last is not None else ""
            again = f"; next try {now.following:%Y-%m-%d %H:%M} UTC" if now is not None else ""
            warn(f"ALERT {REFRESH} of {name} failed: {said}{again}")
    except Unavailable as away:
        warn(f"ALERT {name} cannot be reached: {away.message}; next try in a moment")
        return False
    except KitchenError as error:
        warn(f"ALERT {REFRESH} of {name}: {error.message}")
        return False
    return outcome != "failed"
