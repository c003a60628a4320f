"""Kitchens as rows of ``list`` and ``tree``: everything for programs, what the terminal has room for for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from kitchen.cli import output
from kitchen.cli.columns import Column
from kitchen.domain.kitchen import Kind
from kitchen.operations.advice import next_command

if TYPE_CHECKING:
    from kitchen.operations.kitchens import Overview

HEADINGS = ("kitchen", "environment", "state", "parent", "owner", "age", "expires", "commits", "tables", "size",
            "pantry", "last run", "next")  # fmt: skip


def cells(each: Overview, now: datetime) -> tuple[object, ...]:
    """Return what there is to say of a kitchen, in the order of HEADINGS."""
    moved = f"+{each.ahead} -{each.behind}" if each.ahead is not None else None
    run = f"{each.last_run.recipe} {each.last_run.state.value}" if each.last_run is not None else None
    command, _ = next_command(each)
    return (
        each.name, each.environment, state_of(each), parent_of(each), each.owner, output.ago(each.created_at, now),
        until(each.expires_at, now), moved, each.tables, output.size(each.size), pantry_of(each), run, command,
    )  # fmt: skip


def columns(found: Sequence[Overview], now: datetime, names: Sequence[str], *, is_tree: bool = False) -> list[Column]:
    """Return the rows as columns that make room for each other: owners and commands stay, however narrow it is."""
    told = {heading: [] for heading in HEADINGS}  # type: dict[str, list[str]]
    for each in found:
        for heading, value in zip(HEADINGS, cells(each, now), strict=True):
            told[heading].append(output.cell(value))
    said = {heading: tuple(values) for heading, values in told.items()}
    runs = tuple(f"{each.last_run.state} {each.last_run.recipe}" if each.last_run is not None else "" for each in found)
    newer = tuple(_version(each) for each in found)
    people = tuple(owner.split("@")[0] for owner in said["owner"])
    is_unique = len(set(people)) == len(set(said["owner"]))
    shown = [
        Column("kitchen", tuple(names), floor=10),
        *([] if is_tree else [Column("environment", said["environment"], dropped=6)]),
        *([Column("state", said["state"], floor=7)] if any(each != "ready" for each in said["state"]) else []),
        *([] if is_tree else [Column("parent", said["parent"], dropped=8, floor=6)]),
        Column("owner", said["owner"], ("owner", people) if is_unique else None, shortened=1, floor=6),
        Column("age", said["age"], ("age", _tight(said["age"])), shortened=3),
        Column("expires", said["expires"], ("left", _tight(said["expires"])), shortened=2),
        Column("commits", said["commits"], ("moved", said["commits"]), shortened=3),
        Column("tables", said["tables"], dropped=5),
        Column("size", said["size"], ("size", _tight(said["size"])), shortened=9),
        Column("pantry", said["pantry"], ("pantry", newer), shortened=1, dropped=7),
        Column("last run", said["last run"], ("last run", runs), shortened=4, floor=6),
        Column("next", said["next"], ("next: kitchen …", tuple(map(_bare, said["next"]))), shortened=4, floor=15),
    ]
    return [each for each in shown if any(each.cells) or each.heading == "kitchen"]


def _tight(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(value.removeprefix("in ").replace(" ", "") for value in values)


def _bare(command: str) -> str:
    return command.removeprefix("kitchen ")


def _version(each: Overview) -> str:
    if each.newer_pantry is None:
        return f"v{each.pantry}" if each.pantry is not None else ""
    return f"v{each.pantry or 0} < v{each.newer_pantry}"


def parent_of(each: Overview) -> str | None:
    """Return what a kitchen lies over, or mends."""
    return f"hotfix of {each.mends}" if each.mends is not None else each.parent


def state_of(each: Overview) -> str:
    """Return where a kitchen is in its life, and what the runner was asked or answered."""
    if each.asked is not None:
        waits = each.asked.state == "waiting"
        return f"{each.state.value}, {'waiting for approval' if waits else 'asked to merge'}"
    is_refused = each.answered is not None and each.answered.state == "refused"
    return f"{each.state.value}, refused" if is_refused else each.state.value


def pantry_of(each: Overview) -> str | None:
    """Return which version it reads, and whether there is a newer one."""
    if each.pantry is None:
        return f"none (v{each.newer_pantry} is there)" if each.newer_pantry is not None else None
    return f"v{each.pantry} (v{each.newer_pantry} is there)" if each.newer_pantry is not None else f"v{each.pantry}"


def newer_by(each: Overview) -> str:
    """Return what brings a kitchen the newer version of its pantry, as the line about it ends."""
    is_its_own = each.newer_pantry is not None and each.kind is Kind.WORKING and each.may_use
    return f": kitchen update {each.name} --data" if is_its_own else ""


def until(moment: datetime | None, now: datetime) -> str | None:
    """Return how long a kitchen has, in one unit."""
    if moment is None:
        return None
    minute = timedelta(minutes=1)  # what was just made for 14 days has 14 days
    return "expired" if moment < now else "in " + output.ago(now, moment + minute)
