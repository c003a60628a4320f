"""``kitchen schedule``: what is due when, and a small server that answers it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import click

from kitchen.app import App, Services
from kitchen.cli import output
from kitchen.cli.options import at_most_option, current_app, environment_option, json_option
from kitchen.domain.duration import said
from kitchen.errors import KitchenError, NotPermitted, Unavailable


@click.group("schedule")
def schedule_command() -> None:
    """Refresh pantries when they are due (`data: refresh:` of an environment), and answer what people ask to merge."""


@schedule_command.command("list")
@environment_option
@json_option
def list_command(environment: str | None, as_json: bool) -> None:
    """List schedules with their next time and how the last one ended."""
    from kitchen.operations.schedule import standing

    found = [schedule for services in _places(environment) if (schedule := standing(services)) is not None]
    if as_json:
        output.emit_json([
            {"schedule": s.name, "environment": s.environment, "cron": s.cron, "timezone": s.timezone,
             "due_since": s.due_since, "next": s.following,
             "last": None if s.last is None or s.last.started_at is None else {
                 "due_at": s.last.due_at, "started_at": s.last.started_at, "finished_at": s.last.finished_at,
                 "outcome": s.last.outcome, "said": s.last.said}}
            for s in found
        ])  # fmt: skip
        return
    output.table(
        ["schedule", "environment", "cron", "due since", "next (UTC)", "last", "outcome", "said"],
        [
            (s.name, s.environment, f"{s.cron} {s.timezone}", _minute(s.due_since), _minute(s.following),
             _minute(s.last.started_at if s.last else None), s.last.outcome if s.last else "", s.last.said if s.last
             else "")
            for s in found
        ],
    )  # fmt: skip
    if not found:
        output.say('nothing is scheduled; set data: {refresh: "0 3 * * *"} in an environment\'s file')


@schedule_command.command("serve")
@click.option("--once", is_flag=True, help="Answer what is due now, and end: for cron and timers of the system.")
@click.option("--programs", is_flag=True, help="For merge requests: start Python and command nodes too, as you.")
@at_most_option
@environment_option
def serve_command(*, once: bool, programs: bool, at_most: timedelta, environment: str | None) -> int:
    """Answer schedules as they become due, one after the other, until SIGTERM or Ctrl-C.

    Where this login may publish, merges that people ask for are done beside it, as kitchen ci publish does them.
    """
    import signal

    from kitchen.operations.attend import attending, command
    from kitchen.operations.schedule import carried_out, serve

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    app = current_app()
    asked = _publishable(app, environment)
    if once:
        for name in asked:
            answer = command(name, programs=programs, at_most=said(at_most))
            carried_out(answer, app.root, stop=stop, say=output.step)
    else:
        output.say("serving schedules; SIGTERM or Ctrl-C ends this")
        for name in asked:
            output.say(f"answering what people ask to merge in {name}")
    threads = [] if once else attending(
        {name: _finder(name) for name in asked}, app.root, stop=stop, say=output.step, warn=output.warn,
        programs=programs, at_most=said(at_most),
    )  # fmt: skip
    well = serve(
        lambda: _places(environment), app.root, stop=stop, say=output.step, warn=output.warn, once=once
    )  # fmt: skip
    for thread in threads:
        thread.join()
    if not once:
        output.done("stopped")
    return 1 if once and not well else 0


def _publishable(app: App, environment: str | None) -> list[str]:
    """Return the environments of several people in which this login may publish."""
    found = []
    for each in app.environments.environments.values():
        if each.is_embedded or not each.kitchens.working or environment not in (None, each.name):
            continue
        with suppress(NotPermitted, Unavailable):  # a secret store that does not answer holds no login for us
            app.services(each.name).sessions.administrator()
            found.append(each.name)
    return found


def _finder(name: str) -> Callable[[], Services]:
    return lambda: current_app().services(name)  # anew after a failure: the file may say another place


def _places(environment: str | None) -> list[Services]:
    from kitchen.operations.governing import govern

    app = current_app()  # anew each time: the files may have changed
    names = [environment] if environment is not None else list(app.environments.environments)
    receiving = [app.services(name) for name in names if app.environments.get(name).data is not None]
    for services in receiving:
        with suppress(KitchenError):  # where it cannot be asked, that is said when its schedule is looked at
            govern(services, app.repository, say=lambda _: None, may_be_new=True)
    data = [(services, services.environment.data) for services in receiving]
    return [services for services, said in data if said is not None and said.refresh is not None]


def _minute(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M}"
