"""Whether five fields of cron say a time that comes, told when a file is read, without an engine of schedules."""

from __future__ import annotations

import re

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_PART = re.compile(r"(\*|[a-z]+|\d{1,4})(?:-([a-z]+|\d{1,4}))?(?:/(\d{1,4}))?")
_SHORT = ("@hourly", "@daily", "@weekly", "@monthly")


def fault_of(cron: str) -> str | None:
    """Return what is wrong with a schedule, in words, or None."""
    if cron.lower() in _SHORT:
        return None
    said = cron.lower().split()
    if len(said) != len(_FIELDS):
        return 'a schedule has five fields, for example "0 3 * * *"'
    values: list[set[int]] = []
    for text, (name, least, most, names) in zip(said, _FIELDS, strict=True):
        found: set[int] = set()
        for part in text.split(","):
            numbers = _numbers(part, least, most, names)
            if numbers is None:
                return f"{part!r} is no {name}: {least} to {most}{_or(names)}, *, 1-5 or */2"
            found |= numbers
        values.append(found)
    days, months = values[2], values[3]
    if said[4] == "*" and all(min(days) > _LONGEST[month - 1] for month in months):
        return "such a day never comes"
    return None


def _numbers(part: str, least: int, most: int, names: tuple[str, ...]) -> set[int] | None:
    """Return the numbers that one part of a field names, or None."""
    found = _PART.fullmatch(part)
    if found is None:
        return None
    first, last, step = found.groups()
    if first == "*":
        start, end = least, most
        if last is not None:
            return None
    else:
        one, other = (_number(text, names, least) for text in (first, last or first))
        if one is None or other is None or (step is not None and last is None):
            return None
        start, end = one, other
    every = int(step) if step is not None else 1
    if not (least <= start <= end <= most) or not 1 <= every <= most:
        return None
    return set(range(start, end + 1, every))


def _number(text: str, names: tuple[str, ...], least: int) -> int | None:
    if text.isdecimal():
        return int(text)
    return names.index(text) + least if text in names else None


def _or(names: tuple[str, ...]) -> str:
    return f", {names[0]} to {names[-1]}" if names else ""
