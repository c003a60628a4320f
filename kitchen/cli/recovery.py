"""``kitchen recover``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from kitchen.app import App, Services
from kitchen.cli import output
from kitchen.cli.completion import unfinished_ids
from kitchen.cli.options import changing_options, current_app, environment_option, json_option
from kitchen.cli.reach import answering
from kitchen.errors import NotFound, NotPermitted, Unavailable

if TYPE_CHECKING:
    from kitchen.domain.journal import Operation


def _adoptable(services: Services, *, as_json: bool) -> list[dict[str, object]]:
    """Name kitchens whose records were lost."""
    from kitchen.operations.adopt import unrecorded

    name = services.environment.name
    found = unrecorded(services)
    for each in () if as_json else found:
        output.emit(f"{each.name} exists in {name} without a record, and would be adopted")
    return [{"operation": None, "kind": "adopt", "subject": each.name, "environment": name, "would": "adopt"}
            for each in found]  # fmt: skip


def _adopted(app: App, services: Services) -> list[dict[str, object]]:
    """Take back kitchens whose records were lost."""
    from kitchen.operations.adopt import adopt

    found = adopt(services, app.repository, app.worktrees, say=output.warn)
    for kitchen in found:
        output.done(f"kitchen {kitchen.name} of {kitchen.environment} had no record any more and is adopted")
    return [{"operation": None, "kind": "adopt", "subject": kitchen.name, "environment": kitchen.environment,
             "state": "done"} for kitchen in found]  # fmt: skip


def _told(operation: Operation) -> str:
    return f"{operation.kind} of {operation.subject} ({str(operation.id)[:8]}, by {operation.by})"


def end_operation(
    app: App, services: Services, operation: Operation, *, undo: bool, dry_run: bool, as_json: bool
) -> dict[str, object] | None:
    """End one operation, or say how it would be ended; None where it is still going on."""
    from kitchen.domain.journal import OperationState
    from kitchen.operations.recover import is_alive, preview, recover_one

    told: dict[str, object] = {"operation": operation.id, "kind": operation.kind, "subject": operation.subject,
                               "environment": services.environment.name}  # fmt: skip

    if is_alive(services.control, operation):
        output.warn(f"{_told(operation)} is still going on: process {operation.pid} on {operation.host}")
        return None
    if dry_run:
        ending = preview(services, app.repository, operation, undo=undo)
        would = "finish" if ending.forward else "undo"
        if not as_json:
            ago = output.ago(operation.started_at, datetime.now(UTC))
            output.emit(f"{_told(operation)}, begun {ago} ago, would be {'finished' if ending.forward else 'undone'}:")
            for says in ending.steps:
                output.emit(f"  {says}")
        return {**told, "would": would, "steps": ending.steps}
    state = recover_one(services, app.repository, operation, undo=undo, say=output.step)
    output.done(f"{_told(operation)} is {'finished' if state is OperationState.DONE else 'undone'}")
    return {**told, "state": state}


def _looked_at(app: App, environment: str | None) -> list[Services]:
    """Return the environment that was named, or all that answer; those that do not run are said."""
    running = []
    for name in [environment] if environment else list(app.environments.environments):
        services = app.services(name)
        if services.embedded is not None and not services.embedded.is_running():
            output.warn(f"{name} is not running (kitchen up {name})")
        else:
            running.append(services)
    return running if environment else answering(running)


def _out_of_reach(services: Services) -> str | None:
    """Return why an environment cannot be looked at from here, or None."""
    try:
        services.control.journal.unfinished()
    except (NotPermitted, Unavailable) as error:
        return error.message
    return None


@click.command("recover")
@click.argument("identity", required=False, metavar="[ID]", shell_complete=unfinished_ids)
@environment_option
@click.option("--undo", is_flag=True, help="Undo it; refused past the point from which it only goes forward.")
@changing_options
@json_option
def recover_command(
    *, identity: str | None, environment: str | None, undo: bool, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Finish or undo what was interrupted; without ID, everything whose command is gone.

    Kitchens whose records were lost are recognised by their marks and recorded again."""
    from kitchen.errors import KitchenError

    app = current_app()
    ended: list[dict[str, object]] = []
    failed: list[KitchenError] = []
    for services in _looked_at(app, environment):
        name = services.environment.name
        if environment is None and (why := _out_of_reach(services)) is not None:
            output.warn(f"{name}: {why}")  # nobody needs production to work in dev
            continue
        if identity is None and not undo and services.acts_for_all:
            ended += _adoptable(services, as_json=as_json) if dry_run else _adopted(app, services)
        found = [
            each
            for each in services.control.journal.unfinished()
            if identity is None or str(each.id).startswith(identity.lower())
        ]
        for operation in found:
            try:
                end = end_operation(app, services, operation, undo=undo, dry_run=dry_run, as_json=as_json)
            except KitchenError as error:  # the others go on
                output.warn(f"{_told(operation)}: {error.message}")
                if identity is not None or not isinstance(error, NotPermitted):  # else it is somebody else's to end
                    failed.append(error)
                continue
            if end is not None:
                ended.append(end)
    if failed:
        raise failed[0]
    if identity is not None and not ended:
        raise NotFound(f"no operation that begins with {identity[:40]!r} is left to recover", hint="kitchen recover")
    if as_json:
        output.emit_json(ended)
    elif not ended:
        output.done("nothing to recover")
