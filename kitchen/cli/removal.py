"""``kitchen delete`` and ``prune``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kitchen.app import App, Services
from kitchen.cli import output
from kitchen.cli.options import changing_options, current_app, environment_option, kitchen_argument
from kitchen.cli.reach import reachable
from kitchen.domain.words import counted
from kitchen.errors import NotPermitted, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from kitchen.domain.kitchen import Kitchen


@click.command("delete")
@kitchen_argument
@environment_option
@click.option("--force", is_flag=True, help="Also where uncommitted or unmerged work is lost.")
@click.option("--keep-branch", is_flag=True, help="Leave the branch.")
@changing_options
def delete_command(
    *, kitchen: str | None, kitchen_option: str | None, environment: str | None, force: bool, keep_branch: bool,
    dry_run: bool, yes: bool,
) -> None:  # fmt: skip
    """Remove a kitchen and everything it has: sessions, data, credentials, files, worktree, branch."""
    app = current_app(quietly=True)
    services, found = app.find(kitchen or kitchen_option, environment)
    _delete(app, services, found, force=force, keep_branch=keep_branch, dry_run=dry_run, yes=yes)


def _delete(
    app: App, services: Services, found: Kitchen, *, force: bool, keep_branch: bool, dry_run: bool, yes: bool
) -> None:
    from kitchen.operations.delete import delete_kitchen, delete_steps, plan_deletion
    from kitchen.operations.governing import govern

    govern(services, app.repository, say=output.warn, asks=False, may_be_new=True)
    deletion = plan_deletion(
        services, app.repository, app.worktrees, found, force=force, keep_branch=keep_branch,
        recipes=services.environment.kitchens.on_delete, say=output.warn,
    )  # fmt: skip
    if deletion.ignored:
        more = f" and {len(deletion.ignored) - 5} more" if len(deletion.ignored) > 5 else ""
        output.warn(f"with its worktree go files that git ignores: {', '.join(deletion.ignored[:5])}{more}")
    if dry_run:
        for step in delete_steps(services, deletion, repository=app.repository):
            output.emit(step.says)
        return
    output.confirm(f"Delete kitchen {found.name} with its {_what(deletion.worktree)}tables and credentials?", yes=yes)
    delete_kitchen(services, app.repository, deletion, say=output.step)
    output.done(f"kitchen {found.name} is gone")


def _what(worktree: Path | None) -> str:
    return "worktree, " if worktree is not None else ""


def _prune_archives(services: Services, *, dry_run: bool) -> None:
    """Drop what old releases replaced; what is gone already costs a query each."""
    from kitchen.errors import Conflict
    from kitchen.operations.archives import drop, prunable_archives

    now = services.control.now()
    for archive in prunable_archives(services, now):
        if dry_run:
            output.say(f"{archive.schema}: kept by release {archive.release.number}")
            continue
        try:
            needed = drop(services, archive, now)
        except Conflict as in_use:
            needed = (in_use.message,)
        for why in needed:
            output.warn(f"{archive.schema} stays: {why}")


@click.command("prune")
@environment_option
@click.option("--force", is_flag=True, help="Also where uncommitted or unmerged work is lost.")
@changing_options
def prune_command(environment: str | None, force: bool, dry_run: bool, yes: bool) -> None:
    """Remove kitchens that have expired and candidates that nobody uses any more."""
    from kitchen.errors import KitchenError
    from kitchen.operations.prune import prunable

    app = current_app()
    failed: list[KitchenError] = []
    count = looked = 0
    for services in reachable(app, environment):
        try:
            going = prunable(services.control, services.control.now())
        except (Unavailable, NotPermitted) as error:
            if environment is not None:
                raise
            output.warn(f"{services.environment.name}: {error.message}")  # nobody needs production to work in dev
            continue
        looked += 1
        for each in going:
            if not services.rights.uses(each.kitchen):
                output.say(f"{each.kitchen.name}: {each.why}; it stays, for it is {each.kitchen.owner}'s")
                continue
            output.say(f"{each.kitchen.name}: {each.why}")
            try:
                _delete(app, services, each.kitchen, force=force, keep_branch=False, dry_run=dry_run, yes=yes)
                count += 1
            except KitchenError as error:  # the others go on
                output.warn(f"{each.kitchen.name} stays: {error.message}" + (f" ({error.hint})" if error.hint else ""))
                failed.append(error)
        _prune_archives(services, dry_run=dry_run)
    if not looked:
        raise Unavailable("no environment answers", hint="kitchen up, or kitchen doctor")
    if count or not failed:
        said = f"{counted(count, 'kitchen')} {'would be ' if dry_run else ''}removed"
        output.done(said if count else "nothing to prune: no kitchen of yours has expired")
    if failed:
        raise failed[0]
