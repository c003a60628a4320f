"""The command line: thin. Modules load when their command is typed, so that ``--help`` costs next to nothing."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import click

from kitchen import __version__
from kitchen.errors import BUG, INTERRUPTED, Incomplete, InvalidInput, KitchenError

# command -> (section, module below kitchen.cli, one line); `kitchen --help` prints this table without importing any
COMMANDS: dict[str, tuple[str, str, str]] = {
    "init": ("Set up", "project", "scaffold a project (adds only)"),
    "demo": ("Set up", "demo", "the tour, on generated data"),
    "up": ("Set up", "services", "start embedded services"),
    "down": ("Set up", "services", "stop embedded services"),
    "doctor": ("Set up", "services", "check every component, version and privilege"),
    "login": ("Set up", "people", "keep your own login of an environment"),
    "whoami": ("Set up", "people", "who you are in an environment, and what you may do"),
    "create": ("Kitchens", "create", "make a kitchen: branch, schema, credentials"),
    "list": ("Kitchens", "kitchens", "kitchens of every environment you can reach"),
    "tree": ("Kitchens", "kitchens", "kitchens below their parents"),
    "status": ("Kitchens", "kitchens", "where a kitchen stands, and what to type next"),
    "show": ("Kitchens", "kitchens", "everything about one kitchen"),
    "enter": ("Kitchens", "enter", "a shell (or a command) inside a kitchen"),
    "env": ("Kitchens", "enter", "a kitchen's environment variables"),
    "edit": ("Kitchens", "edit", "change a kitchen's expiry, staff or ticket"),
    "hand": ("Kitchens", "edit", "give a kitchen to somebody else"),
    "staff": ("Kitchens", "staff", "who may use a kitchen besides its owner"),
    "delete": ("Kitchens", "removal", "remove a kitchen and everything it has"),
    "prune": ("Kitchens", "removal", "remove what has expired or is no longer used"),
    "hydrate": ("Work", "layers", "copy tables into the kitchen to write to them"),
    "update": ("Work", "layers", "merge the parent down into the kitchen"),
    "resolve": ("Work", "resolve", "mend an update whose files conflict, and go on"),
    "diff": ("Work", "layers", "what a kitchen changed: files, recipes, tables"),
    "run": ("Work", "runs", "run a recipe with its tests"),
    "runs": ("Work", "runs", "runs of the past"),
    "test": ("Work", "runs", "evaluate tests on what is there; runs no node"),
    "recipe": ("Work", "recipes", "list, show and check recipes"),
    "merge": ("Deliver", "deliver", "prove the merge result, then move branch and tables"),
    "promote": ("Deliver", "deliver", "plan, approve and apply a release"),
    "release": ("Deliver", "releases", "plan, approve, apply and roll back releases"),
    "ci": ("Deliver", "ci", "what CI types: publish what people asked for"),
    "recover": ("Deliver", "recovery", "finish or undo what was interrupted"),
    "pantry": ("Data", "pantry", "masked production data: scan, check, refresh"),
    "schedule": ("Data", "schedule", "refresh pantries when they are due"),
    "secret": ("Data", "secrets", "secrets of an environment"),
    "files": ("Data", "storage", "files of a kitchen in the object store"),
    "audit": ("Data", "audit", "who did what, and whether the record is whole"),
    "environment": ("Data", "environments", "the release environments of the project"),
}


class LazyGroup(click.Group):
    """Finds commands in COMMANDS and imports their module only to run them or to show their own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"kitchen.cli.{COMMANDS[cmd_name][1]}")
        command = getattr(module, f"{cmd_name}_command")
        assert isinstance(command, click.Command)  # noqa: S101 - a mistake of ours, found by the first test
        return command

    def make_context(self, *arguments: Any, **named: Any) -> click.Context:
        with _until_nobody_reads():
            return super().make_context(*arguments, **named)

    def invoke(self, ctx: click.Context) -> object:
        with _until_nobody_reads():
            return super().invoke(ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            ctx.fail(f"there is no command {args[0]!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, (section, _, line) in COMMANDS.items():
            sections.setdefault(section, []).append((name, line))
        for section, rows in sections.items():
            with formatter.section(section):
                formatter.write_dl(rows)


@click.group(cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kitchen")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Workspaces for data teams: a branch, a schema over masked data and credentials of your own, in under a second."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


# what a disk or its rights refuse is no fault of the program
_NOT_OURS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main() -> NoReturn:
    """Run the command line and leave with the exit code that the design promises."""
    _open_closed_streams()
    try:
        code = cli.main(standalone_mode=False, color=_colour())
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as leaving:
        sys.exit(leaving.exit_code)
    except click.ClickException as wrong:
        _show_usage(wrong)
        sys.exit(wrong.exit_code)
    except (click.Abort, KeyboardInterrupt) as stopped:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is undone: struck again, it still ends as it promises
        notes = [*getattr(stopped, "__notes__", ()), *getattr(stopped.__cause__, "__notes__", ())]
        _tell("; ".join(["interrupted", *notes]))
        sys.exit(INTERRUPTED)
    except KitchenError as error:
        show(error)
        sys.exit(error.exit_code)
    except OSError as wrong:
        if wrong.errno not in _NOT_OURS and not _has_no_temporary_folder(wrong):
            sys.exit(_report_bug(wrong))
        if wrong.filename is None:
            _print_nowhere()  # what stdout still holds would be tried again at the end
        what = f"{wrong.filename}: {wrong.strerror}" if wrong.filename is not None else f"writing: {wrong.strerror}"
        show(KitchenError(what, hint="make it writable, or make room, and try again"))
        sys.exit(KitchenError.exit_code)
    except Exception as bug:  # noqa: BLE001 - the top of the program: one line for the user, the trace in a file
        if isinstance(bug.__cause__, KeyboardInterrupt):  # Python says so where a class was just being made
            _tell("interrupted")
            sys.exit(INTERRUPTED)
        sys.exit(_report_bug(bug))


@contextmanager
def _until_nobody_reads() -> Iterator[None]:
    """Leave with 0 where the reader of stdout (head, less) left; click would leave with 1."""
    try:
        yield
    except BrokenPipeError:
        _print_nowhere()
        raise click.exceptions.Exit(0) from None


def _open_closed_streams() -> None:
    """Open what our caller has closed (``>&-``), before a connection gets its number and a child prints there."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)  # the lowest number that is free
            setattr(sys, name, os.fdopen(opened, "r" if number == 0 else "w", closefd=False))


def _print_nowhere() -> None:
    """Let nothing more come to stdout: its reader left, or its disk is full."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _has_no_temporary_folder(wrong: OSError) -> bool:
    return wrong.filename is None and "temporary directory" in str(wrong.strerror)


def show(error: KitchenError) -> None:
    """Print what failed and the next command to type, on stderr; as JSON where the command line asked for it."""
    if "--json" in sys.argv:
        import json

        told = {"error": error.message, "hint": error.hint, "exit_code": error.exit_code}
        left = {"leftovers": error.leftovers} if isinstance(error, Incomplete) else {}
        _tell(json.dumps({**told, **left}))
        return
    from kitchen.cli.output import visible

    _tell(click.style("error: ", fg="red") + visible(error.message))
    if isinstance(error, Incomplete):
        for leftover in error.leftovers:
            _tell(f"  left: {visible(leftover)}")
    if error.hint:
        _tell(f"  try: {visible(error.hint)}")


def _tell(text: str) -> None:
    """Print a last word on stderr, whether anybody reads it or not: the exit code says it too."""
    with suppress(OSError):
        click.echo(text, err=True, color=_colour())


def _show_usage(wrong: click.ClickException) -> None:
    """Print what is wrong with the words of a command, in the form that errors have."""
    if "--json" not in sys.argv:
        wrong.show()
        return
    context = wrong.ctx if isinstance(wrong, click.UsageError) else None
    hint = f"{context.command_path if context is not None else 'kitchen'} --help"
    show(InvalidInput(wrong.format_message(), hint=hint))


def _colour() -> bool | None:
    """Return False where NO_COLOR is set, else None: click decides by whether it writes to a terminal."""
    return False if os.environ.get("NO_COLOR") else None


def _report_bug(bug: Exception) -> int:
    import traceback

    from kitchen.operations.homes import state_home

    if os.environ.get("KITCHEN_TRACE"):
        traceback.print_exception(bug)
    log = state_home() / "log" / "bugs.log"
    # frames only: values, and so secrets, stay out
    trace = f"{type(bug).__name__}\n" + "".join(traceback.format_tb(bug.__traceback__)) + "\n"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as kept:
            kept.write(trace)
    except OSError as wrong:
        _tell(f"{trace}bug: {type(bug).__name__}: {log} cannot be written ({wrong.strerror})")
        return BUG
    _tell(f"bug: {type(bug).__name__}: the trace is in {log}")
    return BUG
