"""``kitchen recover``."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from kitchen.app import App, Services
from kitchen.cli import output
from kitchen.cli.options import changing_options, current_app, environment_option, json_option
from kitchen.errors import NotFound


def _adopted(app: App, services: Services, *, dry_run: bool) -> list[dict[str, object]]:
    """Take back kitchens whose records were lost; a dry run names them."""
    from kitchen.operations.adopt import adopt, unrecorded

    if dry_run:
        for each in unrecorded(services):
            output.emit(f"{each.name} exists in {services.environment.name} without a record, and would be adopted")
        return []
    found = adopt(services, app.repository, app.worktrees, say=output.warn)
    for kitchen in found:
        output.done(f"kitchen {kitchen.name} of {kitchen.environment} had no record any more and is adopted")
    return [{"operation": None, "kind": "adopt", "subject": kitchen.name, "environment": kitchen.environment,
             "state": "done"} for kitchen in found]  # fmt: skip


@click.command("recover")
@click.argument("identity", required=False, metavar="[ID]")
@environment_option
@click.option("--undo", is_flag=True, help="Undo it; refused past the point from which it only goes forward.")
@changing_options
@json_option
def recover_command(
    *, identity: str | None, environment: str | None, undo: bool, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Finish or undo what was interrupted; without ID, everything whose command is gone.

    Kitchens whose records were lost are recognised by their marks and recorded again."""
    from kitchen.domain.journal import Operation, OperationState
    from kitchen.errors import KitchenError
    from kitchen.operations.recover import is_alive, recover_one

    app = current_app()
    ended: list[dict[str, object]] = []
    failed: list[KitchenError] = []
    names = [environment] if environment else list(app.environments.environments)
    for name in names:
        services = app.services(name)
        if services.embedded is not None and not services.embedded.is_running():
            output.warn(f"{name} is not running (kitchen up {name})")
            continue
        if identity is None and not undo:
            ended += _adopted(app, services, dry_run=dry_run)
        found: list[Operation] = [
            each
            for each in services.control.journal.unfinished()
            if identity is None or str(each.id).startswith(identity.lower())
        ]
        for operation in found:
            told = f"{operation.kind} of {operation.subject} ({str(operation.id)[:8]}, by {operation.by})"
            if is_alive(services.control, operation):
                output.warn(f"{told} is still going on: process {operation.pid} on {operation.host}")
                continue
            if dry_run:
                output.emit(f"{told}, begun {output.ago(operation.started_at, datetime.now(UTC))} ago")
                continue
            try:
                state = recover_one(services, app.repository, operation, undo=undo, say=output.step)
            except KitchenError as error:  # the others go on
                output.warn(f"{told}: {error.message}")
                failed.append(error)
                continue
            ended.append({"operation": operation.id, "kind": operation.kind, "subject": operation.subject,
                          "environment": name, "state": state})  # fmt: skip
            output.done(f"{told} is {'finished' if state is OperationState.DONE else 'undone'}")
    if failed:
        raise failed[0]
    if identity is not None and not ended and not dry_run:
        raise NotFound(f"no operation that begins with {identity[:40]!a} is left to recover", hint="kitchen recover")
    if as_json:
        output.emit_json(ended)
    elif not ended:
        output.done("nothing to recover")
