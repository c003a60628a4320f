"""``kitchen up``, ``kitchen down`` and ``kitchen doctor``."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from kitchen.app import App, Services
from kitchen.cli import output
from kitchen.cli.completion import environment_names
from kitchen.cli.options import current_app, dry_run_option, json_option
from kitchen.cli.reach import answers, is_outside
from kitchen.errors import InvalidInput, KitchenError, Unavailable

if TYPE_CHECKING:
    from kitchen.domain.environment import Environment


@click.command("up")
@click.argument("environment", required=False, metavar="[ENV]", shell_complete=environment_names)
@dry_run_option
@json_option
def up_command(environment: str | None, dry_run: bool, as_json: bool) -> None:
    """Start embedded services and set their environments up; all of them, production first, where none is named."""
    from kitchen.operations.services import chosen
    from kitchen.operations.set_up import bring_up

    app = current_app()
    environments = chosen(app.environments, environment)
    untouched = [] if environment else [e for e in app.environments.environments.values() if e not in environments]
    if dry_run:
        says = [f"start the services of {each.name} and set it up on branch {each.branch}" for each in environments]
        output.steps(says, as_json=as_json)
        return
    running = []
    for each in environments:
        begun = time.monotonic()
        services = app.services(each.name)
        services.sessions.upgrades = True
        running.append(bring_up(services, app.environments, app.repository, say=output.step))
        output.done(f"{each.name} is up ({time.monotonic() - begun:.1f} s)")
    if as_json:
        output.emit_json(running)
        return
    for each in untouched:
        output.say(f"{each.name} has no embedded services; to set it up: kitchen up {each.name}")
    columns = ("environment", "branch", "server", "data")
    output.table(columns, [(r.environment, r.branch, f"{r.host}:{r.port}/{r.database}", r.data) for r in running])
    for said in _as_whom(app, environments):
        output.say(said)
    output.say("next: kitchen doctor, kitchen create NAME")


def _as_whom(app: App, environments: Sequence[Environment]) -> list[str]:
    """Say as whom servers run where that is not whoever types: PostgreSQL refuses to run as root."""
    servers = [app.services(each.name).embedded for each in environments]
    names = {server.account.name for server in servers if server is not None and server.account.is_other}
    return [f"the servers run as the user {name}, for PostgreSQL refuses to run as root" for name in sorted(names)]


@click.command("down")
@click.argument("environment", required=False, metavar="[ENV]", shell_complete=environment_names)
@click.option("--everywhere", is_flag=True, help="Those of every project, also of projects whose folder is gone.")
@dry_run_option
def down_command(environment: str | None, everywhere: bool, dry_run: bool) -> None:
    """Stop embedded services. What is in them stays; ``kitchen up`` brings it back."""
    from kitchen.operations.services import chosen, shut_down

    if everywhere:
        if environment is not None:
            raise InvalidInput("--everywhere stops all environments", hint="kitchen down --everywhere")
        _stop_everywhere(dry_run=dry_run)
        return
    app = current_app()
    environments = reversed(chosen(app.environments, environment))
    for each in environments:
        if dry_run:
            output.emit(f"stop the services of {each.name}")
        elif shut_down(app.services(each.name)):
            output.done(f"{each.name} is stopped; its data stays")
        else:
            output.done(f"{each.name} was not running")


def _stop_everywhere(*, dry_run: bool) -> None:
    from kitchen.adapters.embedded.found import servers_below
    from kitchen.operations.homes import key_home, state_home

    for server in servers_below(state_home(), key_home()):
        if dry_run and server.is_running():
            output.emit(f"stop the server in {server.folder}")
        elif not dry_run and server.stop():
            output.done(f"stopped the server in {server.folder}; its data stays")


@click.command("doctor")
@click.argument("environment", required=False, metavar="[ENV]", shell_complete=environment_names)
@json_option
def doctor_command(environment: str | None, as_json: bool) -> int:
    """Check every component: versions, privileges, alignment. Exits 6 where a service is down, 1 where one is ill."""
    from kitchen.operations.doctor import examine_environment, examine_machine, not_admitted, unanswered
    from kitchen.operations.findings import exit_code
    from kitchen.operations.services import from_the_top

    app = current_app()
    chain = app.environments
    environments = (chain.get(environment),) if environment else from_the_top(chain)
    findings = examine_machine(environments)
    works_elsewhere = environment is None and any(_is_known(app.services(each.name)) for each in environments)
    for each in environments:
        services = app.services(each.name)
        if environment is None and services.embedded is None and not answers(services):  # asking would start it
            findings += unanswered(each)
            continue
        if works_elsewhere and is_outside(services):
            findings += not_admitted(each)
            continue
        findings += examine_environment(services, app.repository, _undecided(app, services))
    if as_json:
        output.emit_json({"findings": findings, "exit_code": exit_code(findings)})
        return exit_code(findings)
    marks = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red"), "down": ("✗", "red")}
    place: str | None = ""
    for finding in findings:
        if finding.environment != place:
            place = finding.environment
            output.emit("", mark=click.style(place or "this machine", bold=True))
        mark, colour = marks[finding.level]
        shown = f" {finding.level:<4} {finding.part:<12} {finding.says}"
        output.emit(shown, mark=f"  {click.style(mark, fg=colour)}")
        if finding.hint:
            output.emit(f"         {'':<12} try: {finding.hint}")
    return exit_code(findings)


def _is_known(services: Services) -> bool:
    """Say whether a person's own login of an environment is kept here."""
    with suppress(KitchenError):  # said where it is examined
        return services.own is not None
    return False


def _undecided(app: App, services: Services) -> Callable[[], Sequence[str]] | None:
    """Return what names the columns without a masking decision, where the source can be asked without starting it."""
    data = services.environment.data
    source = app.services(data.source) if data is not None else None
    if source is None or (source.embedded is not None and not source.embedded.is_running()):
        return None

    def look() -> Sequence[str]:
        from kitchen.cli.pantry_policy import policy_of
        from kitchen.operations.pantry_check import decisions

        if source is not None and not answers(source):
            name = source.environment.name
            raise Unavailable(f"{name} does not answer", hint=f"kitchen doctor {name}")
        _, policy = policy_of(app, services)
        with services.source.snapshot() as snapshot:
            decided = decisions(policy, snapshot.catalogue())
        return [f"{column.table}.{column.column}" for column in decided if column.decision is None]

    return look
