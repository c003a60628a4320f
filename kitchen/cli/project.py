"""``kitchen init``: what a project begins with."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from kitchen.cli.options import changing_options
from kitchen.cli.output import confirm, done, say, step
from kitchen.errors import InvalidInput, KitchenError, NotFound
from kitchen.operations.project import EXAMPLE, Scaffold, plan_scaffold, write_scaffold


@click.command("init")
@click.argument("folder", required=False, default=".", metavar="[DIR]", type=click.Path(path_type=Path))
@click.option("--example", is_flag=True, help="With the example recipe and the masking decisions of its tables.")
@changing_options
def init_command(folder: Path, example: bool, dry_run: bool, yes: bool) -> None:
    """Scaffold a project in DIR (here, unless told).

    Adds files, replaces none. In a folder that is not there yet, or empty, it also makes the git repository, with a
    first commit; `kitchen up` makes the other branches.
    """
    folder = folder.resolve()
    if folder.exists() and not folder.is_dir():
        raise InvalidInput(f"{folder} is a file", hint="kitchen init DIR")
    root = _project_around(folder)
    if root not in (None, folder):
        raise InvalidInput(f"{folder} is inside the project {root}", hint="kitchen init DIR, outside of it")
    scaffold = plan_scaffold(folder, EXAMPLE, with_example=example)
    is_new = root is None and (not folder.exists() or not any(folder.iterdir()))
    if dry_run:
        _show(folder, scaffold, new_repository=root is None)
        return
    if root is None and not is_new:
        confirm(f"{folder} is in no git project. Make one here?", yes=yes)
    _make(folder, scaffold, new_repository=root is None, commit=is_new)
    _advise(folder, scaffold, committed=is_new)


def _project_around(folder: Path) -> Path | None:
    from kitchen.app import App

    try:
        return App(folder).root
    except NotFound:
        return None


def _show(folder: Path, scaffold: Scaffold, *, new_repository: bool) -> None:
    if new_repository:
        step(f"would make a git repository in {folder}")
    for path in scaffold.new:
        step(f"would add {path}")
    for path in scaffold.kept:
        step(f"would leave {path} as it is")


def _make(folder: Path, scaffold: Scaffold, *, new_repository: bool, commit: bool) -> None:
    from kitchen.app import commit_project, prepare_repository

    try:
        repository = prepare_repository(folder, new=new_repository)
        write_scaffold(folder, scaffold)
    except OSError as wrong:
        raise KitchenError(
            f"{folder} cannot be written: {wrong.strerror}", hint="kitchen init in another DIR"
        ) from None
    for path in scaffold.new:
        step(f"added {path}")
    for path in scaffold.kept:
        step(f"{path} was there and stays as it is")
    if commit:
        commit_project(repository, "Begin the project\n\nAs `kitchen init` writes it.\n")


def _advise(folder: Path, scaffold: Scaffold, *, committed: bool) -> None:
    done(f"{folder} is a kitchen project" + (" with its first commit" if committed else ""))
    if not committed and scaffold.new:
        folders = " ".join(sorted({path.split("/")[0] for path in map(str, scaffold.new)}))
        say(f"  next: git add {folders} && git commit -m 'Begin with kitchen'")
    say(f"  then: {'' if folder == Path.cwd() else f'cd {shlex.quote(str(folder))} && '}kitchen up")
