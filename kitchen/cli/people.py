"""``kitchen login`` and ``kitchen whoami``: your own identity in an environment that many people share."""

from __future__ import annotations

import sys

import click

from kitchen.app import Services
from kitchen.cli import output
from kitchen.cli.options import current_app, environment_option, json_option
from kitchen.domain.people import RIGHTS
from kitchen.domain.secret import Secret


@click.command("login")
@environment_option
@click.option("--person", metavar="PERSON", help="Who you are there; asked for where it cannot be known.")
@click.option("--new-password", is_flag=True, help="Change it for one that nobody has seen; other clones log in again.")
@json_option
def login_command(environment: str | None, person: str | None, *, new_password: bool, as_json: bool) -> None:
    """Keep your own login of an environment; the password comes from a prompt or from standard input.

    It is proved against the server and kept in the environment's secret store as yours.
    """
    from kitchen.operations.people import kept_login, log_in

    services = current_app().workbench(environment)
    kept = kept_login(services)
    who = person or (kept.identity.person if kept is not None else None)
    if who is None:
        who = click.prompt("person", err=True) if sys.stdin.isatty() else ""
    identity = log_in(services, who, _password(who), renews=new_password)
    if as_json:
        output.emit_json(_described(services))
        return
    output.done(f"you are {identity.person} in {services.environment.name}, {identity.role}")
    output.say("next: kitchen whoami")


def _password(person: str) -> Secret:
    if sys.stdin.isatty():
        return Secret(click.prompt(f"password of {person}", hide_input=True, err=True))
    return Secret(sys.stdin.readline().rstrip("\n"))


@click.command("whoami")
@environment_option
@json_option
def whoami_command(environment: str | None, *, as_json: bool) -> None:
    """Say who you are in an environment and what you may do there, as its server sees it."""
    services = current_app().workbench(environment)
    described = _described(services)
    if as_json:
        output.emit_json(described)
        return
    for key, value in described.items():
        if value is None:  # in an embedded environment nobody has a login of one's own
            continue
        output.emit(f"{key}: {', '.join(value) if isinstance(value, list) else value}")


def _described(services: Services) -> dict[str, object]:
    """Return who works here, asked of the server."""
    environment = services.environment
    found: dict[str, object] = {"environment": environment.name, "person": services.person}
    if environment.is_embedded:
        return {**found, "login": None, "role": "owner", "may": ["everything: an embedded environment is its user's"]}
    if services.own is None:
        login = services.sessions.administrator()
        return {**found, "login": login.user, "role": "provisioner", "may": ["everything that kitchen can do there"]}
    from kitchen.operations.people import log_in_again

    identity = log_in_again(services)
    may = [RIGHTS["viewer"]]
    if identity.role != "viewer":
        may.append(RIGHTS["developer"])
    if identity.role in {"releaser", "admin"}:
        may.append(RIGHTS["releaser"])
    if identity.role == "admin":
        may.append(RIGHTS["admin"])
    if identity.is_deputy:
        may.append("act as the provisioner: merge into standing kitchens, promote, roll back, refresh")
    return {**found, "person": identity.person, "login": identity.login, "role": identity.role, "may": may}
