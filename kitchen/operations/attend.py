"""A runner that is there: says so, and answers what people ask as soon as they ask it.

Each answer is a process of its own, so that neither its memory nor its failure is the server's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from kitchen.domain.environment import Environment
from kitchen.errors import KitchenError
from kitchen.operations.schedule import carried_out, ours
from kitchen.ports import Control

TICK = 1.0  # seconds between two looks
PATIENCE = 20.0  # seconds before what had to wait is tried again
_BEAT = 15  # looks between two signs of life

Say = Callable[[str], None]


class Services(Protocol):
    """What a runner asks of its environment."""

    @property
    def environment(self) -> Environment: ...
    @property
    def control(self) -> Control: ...
    @property
    def person(self) -> str: ...


def command(environment: str, *, programs: bool, at_most: str | None = None) -> tuple[str, ...]:
    """Return what answers the requests of an environment, once."""
    answer = ours("ci", "publish", "--yes", "-e", environment)
    limit = ("--at-most", at_most) if at_most is not None else ()
    return (*answer, *limit, *(("--programs",) if programs else ()))


def attending(
    places: Mapping[str, Callable[[], Services]], root: Path, *, stop: threading.Event, say: Say, warn: Say,
    programs: bool, at_most: str | None = None,
) -> list[threading.Thread]:  # fmt: skip
    """Begin to answer requests in each environment, beside everything else; returns what ends after ``stop``."""
    threads = [
        threading.Thread(
            target=attend, args=(name, find, root), name=f"requests of {name}",
            kwargs={"answer": command(name, programs=programs, at_most=at_most), "stop": stop, "say": say,
                    "warn": warn},
        )
        for name, find in places.items()
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    return threads


def attend(
    name: str, find: Callable[[], Services], root: Path, *, answer: Sequence[str], stop: threading.Event, say: Say,
    warn: Say,
) -> None:  # fmt: skip
    """Answer what people ask in one environment, by a command of ours, until told to stop."""
    services: Services | None = None
    looks, said = 0, ""
    while not stop.is_set():
        pause = TICK
        try:
            services = services or find()
            if looks % _BEAT == 0:
                services.control.requests.beat(services.person, services.control.host)
            if services.control.requests.due():
                carried_out(answer, root, stop=stop, say=say)
                services.control.requests.beat(services.person, services.control.host)
                pause = PATIENCE if services.control.requests.due() else TICK
            looks, said = looks + 1, ""
        except KitchenError as error:
            if error.message != said:
                warn(f"ALERT requests of {name}: {error.message}")
            services, looks, said, pause = None, 0, error.message, PATIENCE
        stop.wait(pause)
