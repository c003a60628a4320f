"""Versions against what a toolchain asks for: ``>=3.11``, ``>=15,<19``, ``==18.*``."""

from __future__ import annotations

import re

from kitchen.errors import InvalidInput

_PART = re.compile(r"(>=|<=|==|!=|>|<)\s*([0-9]+(?:\.[0-9]+)*)(\.\*)?")


def satisfies(version: str, specifier: str) -> bool:
    """Say whether a version meets every part of a specifier; raises InvalidInput where that cannot be read."""
    numbers = _numbers(version)
    return all(_meets(numbers, *part) for part in parts_of(specifier))


def parts_of(specifier: str) -> tuple[tuple[str, tuple[int, ...], bool], ...]:
    """Return comparison, numbers and whether ``.*`` follows, for each part; raises InvalidInput."""
    parts = []
    for text in specifier.split(","):
        found = _PART.fullmatch(text.strip())
        if found is None or (found[3] and found[1] not in ("==", "!=")):
            raise InvalidInput(
                f"{specifier!r} is no version that a toolchain can ask for", hint="like >=3.11 or >=15,<19"
            )
        parts.append((found[1], _numbers(found[2]), bool(found[3])))
    return tuple(parts)


def _meets(version: tuple[int, ...], comparison: str, wanted: tuple[int, ...], is_prefix: bool) -> bool:
    if is_prefix:
        return (version[: len(wanted)] == wanted) == (comparison == "==")
    length = max(len(version), len(wanted))
    one, other = (numbers + (0,) * (length - len(numbers)) for numbers in (version, wanted))
    order = (one > other) - (one < other)
    match comparison:
        case ">=":
            return order >= 0
        case "<=":
            return order <= 0
        case ">":
            return order > 0
        case "<":
            return order < 0
        case "==":
            return order == 0
    return order != 0


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"[0-9]+(?:\.[0-9]+)*", version.strip())
    if found is None:
        raise InvalidInput(f"{version!r} is no version")
    return tuple(int(number) for number in found[0].split("."))
