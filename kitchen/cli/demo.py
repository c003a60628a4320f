"""``kitchen demo``: the tour, played with the same commands that a user types."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path

import click

from kitchen.cli.output import confirm, done, emit
from kitchen.domain.words import quoted
from kitchen.operations.demo import DemoState, Stage, look, mark, remove
from kitchen.operations.demo_tour import NEXT, TOUR, Command, Edit, Scene


@click.command("demo")
@click.argument("folder", required=False, default="kitchen-demo", metavar="[DIR]", type=click.Path(path_type=Path))
@click.option("--again", is_flag=True, help="Remove a demo that is in DIR, with its data, and play the tour anew.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def demo_command(folder: Path, again: bool, yes: bool) -> None:
    """Make a project with generated data in DIR (kitchen-demo, unless told) and play the whole tour in it."""
    folder = folder.resolve()
    state = look(folder)
    if state is DemoState.FINISHED and not again:
        Stage(folder).play(Command(("kitchen", "up")))
        done(
            f"the demo in {folder} was played before; its services are up"
            f" (kitchen demo {quoted(folder)} --again plays it anew)"
        )
        _what_next(folder)
        return
    if state is not DemoState.NOTHING:
        if state is DemoState.FINISHED:
            confirm(f"Remove the demo in {folder} with everything in it?", yes=yes)
        _clear(folder)
    _play_all(folder)


def _clear(folder: Path) -> None:
    from kitchen.operations.homes import key_home, state_home

    if (folder / "environments").is_dir():
        Stage(folder).play(Command(("kitchen", "down"), expect=tuple(range(256))))
    remove(folder, state_home(), key_home())
    done(f"the demo that was in {folder} is removed")


def _play_all(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    stage = Stage(folder)
    timed: list[tuple[str, float, float | None]] = []
    for number, scene in enumerate(TOUR, 1):
        begun = time.monotonic()
        _announce(number, scene)
        longest_create = _play(stage, scene)
        timed.append((scene.title, time.monotonic() - begun, longest_create))
    mark(folder, DemoState.FINISHED)
    _summary(folder, timed)


def _play(stage: Stage, scene: Scene) -> float | None:
    """Play one scene; returns how long ``kitchen create`` took in it."""
    create = None
    for act in scene.acts:
        if isinstance(act, Edit):
            stage.edit(act)
            _line(click.style(f"  ({'edits' if act.old else 'writes'} {act.path})", dim=True))
            continue
        _find_out(stage, act)
        words = stage.words(act)
        _line("")
        _line(click.style("$ ", fg="cyan", bold=True) + click.style(_typed(act, words), bold=True))
        played = stage.play(act)
        if words[:2] == ("git", "init"):
            _take_over(stage)
        if words[1] == "create":
            create = played.seconds
        _line(click.style(f"  ({played.seconds:.2f} s)", dim=True))
        if act.then:
            _line(click.style(f"  → {act.then}", fg="green"))
    return create


def _take_over(stage: Stage) -> None:
    """Mark a new repository as a demo's, so that what is killed from here on can be played anew."""
    mark(stage.folder, DemoState.STARTED)
    stage.place_data()
    if author := stage.identify():
        _line(click.style(f"  (git knows no user here: this project's commits are by {author})", dim=True))


def _find_out(stage: Stage, act: Command) -> None:
    """Learn what a command's words leave open: numbers that a user would read from the screen."""
    for word in act.words:
        if "{release}" in word and "release" not in stage.facts:
            stage.facts["release"] = str(json.loads(stage.ask("release", "list", "--json"))[0]["number"])
        if "{production_port}" in word and "production_port" not in stage.facts:
            running = json.loads(stage.ask("up", "--json"))
            stage.facts["production_port"] = str(next(e["port"] for e in running if e["environment"] == "production"))


def _typed(act: Command, words: tuple[str, ...]) -> str:
    text = shlex.join(words)
    return text if act.folder == "." else f"cd {quoted(act.folder)} && {text}"


def _announce(number: int, scene: Scene) -> None:
    _line("")
    _line(click.style(f"── {number}/{len(TOUR)} {scene.title} ".ljust(78, "─"), fg="yellow", bold=True))
    _line(click.style(f"   {scene.why}", italic=True))


def _summary(folder: Path, timed: list[tuple[str, float, float | None]]) -> None:
    _line("")
    _line(click.style("── How long it took ".ljust(78, "─"), fg="yellow", bold=True))
    for title, seconds, create in timed:
        emit(f"  {title:<28} {seconds:6.1f} s" + (f"   (kitchen create: {create:.2f} s)" if create is not None else ""))
    emit(f"  {'all of it':<28} {sum(seconds for _, seconds, _ in timed):6.1f} s")
    _what_next(folder)


def _what_next(folder: Path) -> None:
    _line("")
    emit(f"What to type next, in {folder}:")
    emit(f"  {_way_in(folder)}")
    for command, what in NEXT:
        emit(f"  {command:<24} {what}")


def _way_in(folder: Path) -> str:
    """Return how to get there with ``kitchen`` on the path."""
    activate = Path(sys.executable).with_name("activate")
    into = f"cd {quoted(folder)}"
    return f"source {quoted(activate)} && {into}" if activate.is_file() else into


def _line(text: str) -> None:
    click.echo(text)
    sys.stdout.flush()  # what a child prints comes after
