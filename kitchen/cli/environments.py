"""``kitchen environment``: the release environments of a project."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import click

from kitchen.app import Services
from kitchen.cli.options import current_app, json_option
from kitchen.cli.output import done, emit, emit_json, say, step, table, warn
from kitchen.domain.connection import Credentials
from kitchen.domain.environment import Environment
from kitchen.domain.installation import Installation
from kitchen.domain.secret import Secret
from kitchen.errors import InvalidInput, KitchenError


@click.group("environment")
def environment_command() -> None:
    """The release environments of the project."""


@environment_command.command("show")
@click.argument("name", required=False, metavar="[ENV]")
@json_option
def show(name: str | None, as_json: bool) -> None:
    """Show the chain of environments, or everything that the files say about one."""
    chain = current_app().environments
    if name is not None:
        _show_one(chain.get(name), as_json=as_json)
        return
    from kitchen.operations.services import from_the_top

    ordered = from_the_top(chain)
    if as_json:
        emit_json([_described(environment) for environment in ordered])
        return
    rows = [
        (
            environment.name,
            environment.parent or "",
            environment.branch,
            environment.warehouse.kind,
            "yes" if environment.kitchens.working else "no",
            environment.gates.approvals,
        )
        for environment in ordered
    ]
    table(("environment", "promoted to", "branch", "warehouse", "working kitchens", "approvals to enter"), rows)


@environment_command.command("install")
@click.argument("name", metavar="ENV")
@click.option("--as", "user", metavar="USER", help="The server's administrator; its password is asked for.")
@click.option("--print", "printed", is_flag=True, help="Print the SQL for an administrator to review, and run nothing.")
@click.option("--dry-run", is_flag=True, help="Say what would be done on the server, and leave it as it is.")
@click.option("--new-password", is_flag=True, help="Give the provisioner another password; older ones open nothing.")
@json_option
def install(*, name: str, user: str | None, printed: bool, dry_run: bool, new_password: bool, as_json: bool) -> None:
    """Prepare an environment on a PostgreSQL server that is somebody else's; what is done already is left alone.

    The administrator comes from PGUSER with PGPASSFILE (or PGPASSWORD), or from --as USER with a prompt; address and
    database come from the environment's file. The administrator's password is not kept.
    """
    from kitchen.operations.install import install as carry_out
    from kitchen.operations.install import review

    app = current_app()
    services = app.services(name)
    administrator = _administrator(services.environment, user)
    if printed or dry_run:
        looks = administrator or _provisioner(services)
        if dry_run and looks is None:
            raise InvalidInput("nobody can look at the server", hint=f"kitchen environment install {name} --print")
        installation = review(services, looks, say=say, new_password=new_password, keep=printed)
        _print(installation, as_sql=printed, as_json=as_json)
        return
    if administrator is None:
        raise InvalidInput(
            "who is the server's administrator?",
            hint=f"kitchen environment install {name} --as postgres, or --print for somebody else to run",
        )
    installation, running = carry_out(
        services, app.environments, app.repository, administrator, say=step, new_password=new_password
    )
    if as_json:
        emit_json({**_as_data(installation), "installed": True, "running": running})
        return
    for caution in installation.cautions:
        warn(caution.says)
    done(f"{name} is installed on {running.host}:{running.port}/{running.database}")
    say(f"next: kitchen doctor {name}")


def _administrator(environment: Environment, user: str | None) -> Credentials | None:
    """Return the login of the administrator whom the command line or libpq's variables name; its password too."""
    from kitchen.operations.install import administrator_login

    name = user or os.environ.get("PGUSER")
    if name is None:
        administrator_login(environment, "", Secret(""))  # an embedded one is refused all the same
        return None
    login = administrator_login(environment, name, Secret(""))
    return replace(login, password=_password(login, asked=user is not None))


def _password(login: Credentials, *, asked: bool) -> Secret:
    from kitchen.files.passfile import password_of

    if not asked:
        if "PGPASSWORD" in os.environ:
            return Secret(os.environ["PGPASSWORD"])
        file = Path(os.environ.get("PGPASSFILE") or Path.home() / ".pgpass")
        if (found := password_of(login, file)) is not None:
            return found
        if not sys.stdin.isatty():
            return Secret("")  # the server may know who we are without one
    if not sys.stdin.isatty():
        return Secret(sys.stdin.readline().rstrip("\n"))
    return Secret(click.prompt(f"password of {login.user}", hide_input=True, default="", show_default=False, err=True))


def _provisioner(services: Services) -> Credentials | None:
    """Return the provisioner's login where it works already: it can look as well as an administrator."""
    try:
        login = services.sessions.administrator()
        services.sessions.open(login, application="kitchen environment install").close()
    except KitchenError:
        return None
    return login


def _print(installation: Installation, *, as_sql: bool, as_json: bool) -> None:
    from kitchen.domain.installation import as_script

    if as_json:
        emit_json({**_as_data(installation), "installed": False, "script": as_script(installation) if as_sql else None})
    elif as_sql:
        emit(as_script(installation))
    else:
        table(("where", "what"), [(action.place, action.says) for action in installation.actions])
        for caution in installation.cautions:
            warn(caution.says)


def _as_data(installation: Installation) -> dict[str, object]:
    return {
        "environment": installation.environment,
        "provisioner": installation.provisioner,
        "database": installation.database,
        "server": installation.server,
        "actions": [{"place": action.place, "says": action.says} for action in installation.actions],
        "cautions": installation.cautions,
    }


@environment_command.command("align")
@click.argument("name", metavar="ENV")
def align(name: str) -> None:
    """(Not there yet.) Bring an environment's toolchain to that of its parent."""
    current_app().environments.get(name)
    raise KitchenError("kitchen environment align is not there yet", hint=f"kitchen doctor {name}")


def _described(environment: Environment) -> dict[str, object]:
    services = {
        what: {"kind": service.kind, **_without_secrets(dict(service.settings))}
        for what, service in (
            ("warehouse", environment.warehouse),
            ("vault", environment.vault),
            ("storage", environment.storage),
            ("containers", environment.containers),
        )
    }
    data = environment.data
    return {
        "name": environment.name,
        "parent": environment.parent,
        "branch": environment.branch,
        **services,
        "schemas": environment.schemas,
        "connections": {name: _without_secrets(dict(found)) for name, found in environment.connections.items()},
        "variables": environment.variables,
        "data": None if data is None else {"from": data.source, "masking": data.masking, "refresh": data.refresh},
        "kitchens": {
            "working": environment.kitchens.working,
            "ttl": environment.kitchens.ttl,
            "max": environment.kitchens.max,
            "per_person": environment.kitchens.per_person,
        },
        "roles": environment.roles,
        "gates": {
            "approvals": environment.gates.approvals,
            "tests": environment.gates.tests,
            "window": environment.gates.window,
        },
    }


def _without_secrets(settings: dict[str, object]) -> dict[str, object]:
    return {key: "***" if isinstance(value, Secret) else value for key, value in settings.items()}


def _show_one(environment: Environment, *, as_json: bool) -> None:
    described = _described(environment)
    if as_json:
        emit_json(described)
        return
    for key, value in described.items():
        match value:
            case dict():
                parts = [f"{inner}: {_plain(found)}" for inner, found in value.items() if found not in (None, (), {})]
                emit(f"{key}: {', '.join(parts) or 'none'}")
            case _:
                emit(f"{key}: {_plain(value)}")


def _plain(value: object) -> str:
    match value:
        case None:
            return "none"
        case list() | tuple():
            return ", ".join(str(part) for part in value)
        case bool():
            return "yes" if value else "no"
    return str(value)
