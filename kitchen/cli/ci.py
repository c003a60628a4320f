"""``kitchen ci``: what a runner does in everybody's name."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from kitchen.cli import output
from kitchen.cli.asking import request_document
from kitchen.cli.delivered import tell_who_publishes
from kitchen.cli.options import at_most_option, changing_options, current_app, environment_option, json_option
from kitchen.domain.merge_request import RequestState
from kitchen.errors import KitchenError

if TYPE_CHECKING:
    from kitchen.app import App, Services
    from kitchen.operations.requests import Answer


@click.group("ci")
def ci_command() -> None:
    """What the runner of an environment types, with a login of its own (role runner)."""


@ci_command.command("publish")
@environment_option
@click.option("--programs", is_flag=True, help="Start Python and command nodes too: as you, reading what you can.")
@at_most_option
@changing_options
@json_option
def publish(
    environment: str | None, *, programs: bool, at_most: timedelta, dry_run: bool, yes: bool, as_json: bool
) -> int:
    """Do what people asked to merge, once, oldest first; each is proven like any other merge.

    Ends with 0 where all that stood is published or waits for approvals, else with the exit code of the first that is
    not. What another runner left is finished or undone first. SQL and container nodes run apart from what this machine
    keeps; what would start a program here is refused without --programs.
    """
    from kitchen.operations.requests import Terms, answer_all

    app = current_app()
    services = app.workbench(environment)
    services.sessions.administrator()  # whoever may not publish is told so, before anything is taken
    if dry_run:
        _preview(app, services)
        return 0
    services.control.requests.beat(services.person, services.control.host)
    answers: list[Answer] = []
    for answer in answer_all(services, app.repository, say=output.step, terms=Terms(programs, at_most)):
        answers.append(answer)
        _tell(answer)
    if any(each.request.state is RequestState.PUBLISHED for each in answers):
        tell_who_publishes(app, services)
    if as_json:
        output.emit_json([request_document(each.request) for each in answers])
    elif not answers:
        _tell_nothing(services)
    return next((each.error.exit_code for each in answers if each.error is not None), 0)


def _tell(answer: Answer) -> None:
    request = answer.request
    what = f"request {request.number} of {request.by}, {request.kitchen} into {request.target}"
    if request.state is RequestState.WAITING:
        output.done(f"{what}: {request.said}")
        output.say(f"  next: {request.hint}; the next answer takes it up then")
        return
    if answer.error is None or request.state is RequestState.PUBLISHED:
        output.done(f"{what}: {request.state}")
        return
    output.warn(f"{what}: {request.state}: {answer.error.message}")
    if answer.error.hint and request.is_standing:
        output.say(f"  try: {answer.error.hint}")


def _tell_nothing(services: Services) -> None:
    standing = services.control.requests.standing()
    for request in standing:
        output.say(f"request {request.number} of {request.by}, {request.kitchen} into {request.target}: {request.said}")
    name = services.environment.name
    output.done(f"there is nothing to do in {name} yet" if standing else f"nobody asks for anything in {name}")


def _preview(app: App, services: Services) -> None:
    """Print, request by request, the very steps that would be taken."""
    from datetime import UTC, datetime

    from kitchen.domain.release import Release, ReleaseKind, ReleaseState
    from kitchen.operations.apply import preview_steps
    from kitchen.operations.requests import planned

    for request in services.control.requests.due():
        output.emit(f"request {request.number} of {request.by}: {request.kitchen} at {request.commit[:12]}:")
        try:
            merge = planned(services, app.repository, request)
        except KitchenError as error:
            output.emit(f"  refused: {error.message}")
            continue
        if merge.plan is None:
            output.emit(f"  {request.target} has everything of it already")
            continue
        release = Release(
            0, ReleaseKind.MERGE, services.environment.name, merge.target.name, merge.plan, ReleaseState.PLANNED,
            services.person, datetime.now(UTC),
        )  # fmt: skip
        for says in preview_steps(services, app.repository, release):
            output.emit(f"  {says}")
