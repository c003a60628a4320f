"""``kitchen environment``: the release environments of a project."""

from __future__ import annotations

import click

from kitchen.cli.options import current_app, json_option
from kitchen.cli.output import emit, emit_json, table
from kitchen.domain.environment import Environment
from kitchen.domain.secret import Secret
from kitchen.errors import KitchenError


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
def install(name: str) -> None:
    """(Not there yet.) Set up an environment on services that are somebody else's."""
    current_app().environments.get(name)
    raise KitchenError("kitchen environment install is not there yet", hint=f"kitchen up {name}, kitchen doctor {name}")


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
