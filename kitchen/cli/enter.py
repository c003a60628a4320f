"""``kitchen enter`` and ``kitchen env``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kitchen.app import App
from kitchen.cli import output
from kitchen.cli.options import current_app, environment_option, json_option, kitchen_argument
from kitchen.errors import Conflict

if TYPE_CHECKING:
    from kitchen.domain.kitchen import Kitchen

_FORMATS = ("shell", "dotenv", "url", "dbt", "pgservice")


class _CommandAfterDashes(click.Command):
    """``enter [K] [-- CMD]``: what follows ``--`` is never taken for the kitchen."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        before, after = (args[: args.index("--")], args[args.index("--") + 1 :]) if "--" in args else (args, [])
        try:
            rest = super().parse_args(ctx, before)
        except click.UsageError as wrong:
            if "unexpected extra argument" not in wrong.message:
                raise
            raise click.UsageError(f"{wrong.message}; a command comes after --: kitchen enter K -- CMD", ctx) from None
        ctx.params["command"] = tuple(after)
        return rest


@click.command("enter", cls=_CommandAfterDashes, options_metavar="[OPTIONS]", epilog="kitchen enter K -- psql -c …")
@kitchen_argument
@environment_option
def enter_command(
    kitchen: str | None, kitchen_option: str | None, environment: str | None, command: tuple[str, ...]
) -> int:
    """Open a shell inside a kitchen, or run one command there: ``kitchen enter K -- CMD``.

    Working kitchens are entered in their worktree, standing ones in the folder one is in.
    """
    from kitchen.operations.enter import enter, greeting
    from kitchen.operations.shells import shell_program

    app = current_app()
    services, found = app.find(kitchen or kitchen_option, environment)
    services.credentials(found)  # who may not enter gets no worktree either
    folder = _folder(app, found)
    if not command:
        shell_program()  # before the greeting
        parents = [each.name for each in services.layer(found).parents]
        for line in greeting(services, found, folder, parents):
            output.say(line)
    return enter(services, found, folder, command)


def _folder(app: App, kitchen: Kitchen) -> Path:
    """Return where one works in a kitchen; its worktree is made where this machine has none."""
    from kitchen.domain.kitchen import Kind, State
    from kitchen.operations.enter import is_inside
    from kitchen.operations.sharing import bring_branch

    if kitchen.state not in (State.READY, State.PUBLISHING):
        raise Conflict(f"kitchen {kitchen.name!r} is {kitchen.state}", hint="kitchen recover")
    if kitchen.kind is not Kind.WORKING or kitchen.branch is None:
        return app.start
    worktree = app.worktrees / kitchen.name
    if not (worktree / ".git").exists() or app.repository.is_half_made(worktree):
        bring_branch(app.repository, kitchen.branch, owner=kitchen.owner)
        output.step(f"checking out {kitchen.branch} in {worktree}")
        app.repository.add_worktree(worktree, kitchen.branch)
    return app.start if is_inside(app.start, worktree) else worktree


@click.command("env")
@kitchen_argument
@environment_option
@click.option(
    "--format", "style", type=click.Choice(_FORMATS), default="shell", show_default=True, help="For which reader."
)
@json_option
def env_command(
    kitchen: str | None, kitchen_option: str | None, environment: str | None, style: str, as_json: bool
) -> None:
    """Print how tools reach a kitchen, its password included: eval "$(kitchen env K)"."""
    from kitchen.operations.enter import rendered

    services, found = current_app().find(kitchen or kitchen_option, environment)
    text = rendered(services, found, style)
    if as_json:
        output.emit_json({"kitchen": found.name, "format": style, "text": text})
        return
    output.emit(text)
