"""Which environments answer: nobody needs production to look after kitchens in dev."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from kitchen.app import App, Services
from kitchen.cli import output
from kitchen.errors import KitchenError, NotPermitted, Unavailable

PATIENCE = 2.0  # seconds for an environment that nobody named and nobody works in


def reachable(app: App, environment: str | None) -> list[Services]:
    """Return the environments that answer; those that do not are named on stderr, not started.

    One in which nobody works is not waited for: while it is asked, the others already answer.
    """
    names = [environment] if environment else list(app.environments.environments)
    running = [services for services in map(app.services, names) if _runs(services)]
    if not running and environment:
        raise Unavailable(f"environment {environment!r} is not running", hint=f"kitchen up {environment}")
    return running if environment else answering(running)


def answering(running: list[Services]) -> list[Services]:
    """Return those environments that answer, without waiting long for one in which nobody works; others are named."""
    aside = [each for each in running if not each.environment.kitchens.working]
    silent = _silent(aside, [each for each in running if each not in aside])
    for services in silent:
        name = services.environment.name
        output.warn(f"{name} does not answer and is left out (kitchen doctor {name})")
    return [services for services in running if services not in silent]


def answers(services: Services) -> bool:
    """Say whether an environment answers within our patience, or refuses, which is an answer too."""
    return not _silent([services], [])


def is_outside(services: Services) -> bool:
    """Say whether whoever works here holds no login of an environment at all, as most people in production."""
    if services.environment.is_embedded:
        return False
    try:
        if services.own is None:
            services.sessions.administrator()
    except NotPermitted:
        return True
    except KitchenError:  # its secret store does not answer: that is another matter
        return False
    return False


def _runs(services: Services) -> bool:
    if services.embedded is None or services.embedded.is_running():
        return True
    output.warn(f"{services.environment.name} is not running (kitchen up {services.environment.name})")
    return False


def _silent(aside: list[Services], others: list[Services]) -> list[Services]:
    """Return those that say nothing within our patience; one that refuses has answered, and is heard again later."""
    for services in others:  # first, and here: what waits for an answer may hold what all of them need
        _ask(services)
    asked = [(services, threading.Thread(target=_ask, args=(services,), daemon=True)) for services in aside]
    for _, thread in asked:
        thread.start()
    give_up = time.monotonic() + PATIENCE
    for _, thread in asked:
        thread.join(max(0.0, give_up - time.monotonic()))
    return [services for services, thread in asked if thread.is_alive()]


def _ask(services: Services) -> None:
    with suppress(KitchenError):
        services.control.kitchens.all()
