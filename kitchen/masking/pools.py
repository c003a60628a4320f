"""Pools of invented names, streets, towns and firms: none of them is anybody's."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from importlib.resources import files
from random import Random

_LINE_WORDS = 20
LINE_LENGTH = 100  # every line is at least as long, and is repeated for longer texts


@cache
def pool(name: str) -> tuple[str, ...]:
    """Return the entries of a pool, in a fixed order; of ``last_names/small`` in small letters."""
    if name.endswith("/small"):
        return tuple(entry.lower() for entry in pool(name.removesuffix("/small")))
    if name == "lines":
        return _lines()
    return _file(name)


def substitute(entry: str) -> str:
    """Return what stands in for an entry that somebody in production bears after all."""
    return entry + "ixum"


def fitting(name: str, length: int | None, taken: Collection[str] = ()) -> tuple[str, ...]:
    """Return the entries that fit into so many characters, without those that production bears (in small letters)."""
    entries = (substitute(entry) if entry.lower() in taken else entry for entry in pool(name))
    return tuple(entry for entry in entries if length is None or len(entry) <= length)


@cache
def _file(name: str) -> tuple[str, ...]:
    text = files("kitchen.masking").joinpath("pools", f"{name}.txt").read_text(encoding="utf-8")
    return tuple(text.split("\n")[:-1])


@cache
def _lines() -> tuple[str, ...]:
    """Return one line of words for each noun, beginning with it; the same lines for ever."""
    nouns = _file("nouns")
    adjectives = tuple(word.lower() for word in _file("adjectives"))
    lines = []
    for noun in nouns:
        dice = Random(noun)  # noqa: S311 - filler text; the key decides which line is taken
        words = [noun] + [dice.choice(adjectives if n % 2 else nouns) for n in range(_LINE_WORDS)]
        lines.append(" ".join(words)[:LINE_LENGTH].ljust(LINE_LENGTH, "."))
    return tuple(lines)
