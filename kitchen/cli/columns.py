"""Tables for a terminal: what matters least is shortened first, then left out, then cut; no row is wrapped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from unicodedata import combining, east_asian_width

_GAP = "  "
_CUT = "…"


@dataclass(frozen=True, slots=True)
class Column:
    """One column, and how it makes room: at which turn it says less, at which it goes, how far it may be cut."""

    heading: str
    cells: tuple[str, ...]
    short: tuple[str, tuple[str, ...]] | None = None  # heading and cells
    shortened: int = 0  # 0: never
    dropped: int = 0
    floor: int = 0  # never cut where it is 0

    @property
    def width(self) -> int:
        """Return how many places the widest cell takes."""
        return max(map(wide, (self.heading, *self.cells)))


def fitted(columns: Sequence[Column], room: int | None) -> list[str]:
    """Return the lines of a table, the headings first, not wider than ``room`` where that can be."""
    kept = list(columns)
    if room is not None:
        for turn in sorted({turn for each in columns for turn in (each.shortened, each.dropped) if turn}):
            if _total(kept) <= room:
                break
            kept = [_less(each, turn) for each in kept if each.dropped != turn]
        kept = _cut(kept, room)
    widths = [each.width for each in kept]
    rows = zip(*((each.heading, *each.cells) for each in kept), strict=True)
    return [_GAP.join(map(_padded, row, widths)).rstrip() for row in rows]


def wide(text: str) -> int:
    """Return how many places a text takes on a terminal."""
    return sum(0 if combining(sign) else 2 if east_asian_width(sign) in "WF" else 1 for sign in text)


def _less(column: Column, turn: int) -> Column:
    if column.short is None or column.shortened != turn:
        return column
    heading, cells = column.short
    return replace(column, heading=heading, cells=cells)


def _cut(columns: Sequence[Column], room: int) -> list[Column]:
    """Cut columns to their floors where need be, always the one that is most above its own."""
    widths = [each.width for each in columns]
    over = _total(columns) - room
    while over > 0:
        above = [width - each.floor if each.floor else 0 for width, each in zip(widths, columns, strict=True)]
        widest = max(range(len(above)), key=above.__getitem__, default=0)
        if not above or above[widest] <= 0:
            break
        widths[widest] -= 1
        over -= 1
    return [
        replace(each, heading=_shorter(each.heading, width), cells=tuple(_shorter(cell, width) for cell in each.cells))
        for each, width in zip(columns, widths, strict=True)
    ]


def _total(columns: Sequence[Column]) -> int:
    return sum(each.width for each in columns) + len(_GAP) * (len(columns) - 1)


def _shorter(text: str, width: int) -> str:
    if wide(text) <= width:
        return text
    while text and wide(text) > width - 1:
        text = text[:-1]
    return text + _CUT


def _padded(text: str, width: int) -> str:
    return text + " " * (width - wide(text))
