"""``kitchen schedule``: what is due when, and a small server that answers it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from kitchen.app import App, Services
from kitchen.cli import output
from kitchen.cli.options import at_most_option, current_app, environment_option, json_option
from kitchen.domain.duration import said
from kitchen.errors import InvalidInput, KitchenError, NotFound, NotPermitted, Unavailable

if TYPE_CHECKING:
    from kitchen.domain.environment import Environment
    from kitchen.operations.schedule import Scheduled
    from kitchen.ports import ScheduleRecord


@click.group("schedule")
def schedule_command() -> None:
    """Refresh pantries when they are due (`data: refresh:` of an environment), and answer what people ask to merge."""


@schedule_command.command("list")
@environment_option
@json_option
def list_command(environment: str | None, as_json: bool) -> None:
    """List schedules with their next time and how the last one ended."""
    from kitchen.operations.schedule import standing

    found: list[Scheduled] = []
    away: list[KitchenError] = []
    for services in _places(environment, unknown=lambda name, error: away.append(_unknown(name, error))):
        try:
            schedule = standing(services)
        except (Unavailable, NotPermitted) as error:
            away.append(_unknown(services.environment.name, error))
        else:
            found += [schedule] if schedule is not None else []
    _print(found, as_json=as_json, all_known=not away)
    for further in away[1:]:
        output.warn(further.message)
    if away:
        raise away[0]


def _unknown(name: str, error: KitchenError) -> KitchenError:
    return type(error)(f"{name} could not be asked whether anything is scheduled: {error.message}", hint=error.hint)


def _print(found: list[Scheduled], *, as_json: bool, all_known: bool) -> None:
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
             *_last(s.last))
            for s in found
        ],
    )  # fmt: skip
    if not found and all_known:
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
    missed: list[str] = []
    if once:
        for name in asked:
            answer = command(name, programs=programs, at_most=said(at_most))
            _, last = carried_out(answer, app.root, stop=stop, say=output.step)
            if last.startswith(f"exit code {Unavailable.exit_code}:"):  # others: what was asked for was refused
                missed.append(name)
                output.warn(f"ALERT requests of {name}: {last}")
    else:
        output.say("serving schedules; SIGTERM or Ctrl-C ends this")
        for name in asked:
            output.say(f"answering what people ask to merge in {name}")
    threads = [] if once else attending(
        {name: _finder(name) for name in asked}, app.root, stop=stop, say=output.step, warn=output.warn,
        programs=programs, at_most=said(at_most),
    )  # fmt: skip

    def unknown(name: str, error: KitchenError) -> None:
        missed.append(name)
        output.warn(f"ALERT {name} cannot be asked whether a refresh is due: {error.message}")

    well = serve(
        lambda: _places(environment, unknown=unknown), app.root, stop=stop, say=output.step, warn=output.warn, once=once
    )
    for thread in threads:
        thread.join()
    if not once:
        output.done("stopped")
    return 1 if once and (missed or not well) else 0


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


def _places(environment: str | None, *, unknown: Callable[[str, KitchenError], None]) -> list[Services]:
    """Return the environments with a schedule; of those in which nobody can say whether there is one ``unknown`` hears.

    The rules count that the environment's own branch has: the folder may be on another.
    """
    from kitchen.operations.governing import govern

    app = current_app()  # anew each time: the files may have changed
    names = [environment] if environment is not None else list(app.environments.environments)
    found = []
    for services in [app.services(name) for name in names]:
        if not _receives(services):
            continue
        try:
            govern(services, app.repository, say=lambda _: None, may_be_new=True)
        except NotPermitted as error:  # no login here: its schedule, where it has one, is for others to answer
            if _is_scheduled(services):
                unknown(services.environment.name, error)
            continue
        except KitchenError as error:
            unknown(services.environment.name, error)
            continue
        if _is_scheduled(services):
            found.append(services)
    return found


def _receives(services: Services) -> bool:
    """Say whether an environment receives data, by the folder or by its branch as it stands here; nobody is asked."""
    return any(rules.data is not None for rules in _rules(services))


def _is_scheduled(services: Services) -> bool:
    data = [rules.data for rules in _rules(services)]
    return any(each is not None and each.refresh is not None for each in data)


def _rules(services: Services) -> list[Environment]:
    """Return what the folder says of an environment, or its branch once that counts; else what both say."""
    from kitchen.operations.governing import rules_of

    here = services.environment
    if here.is_embedded or services.governed is not None:
        return [here]
    with suppress(NotFound, InvalidInput):  # what is wrong with its branch is said where it is asked to govern
        return [here, rules_of(here, services.app.repository, here.branch).environment]
    return [here]


def _last(record: ScheduleRecord | None) -> tuple[str, str, str]:
    """Return when a schedule was answered last, how that ended, and what was said then."""
    if record is None or record.started_at is None:
        return "", "never ran", ""
    return _minute(record.started_at), record.outcome, record.said


def _minute(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M}"
