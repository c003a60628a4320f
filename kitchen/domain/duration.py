"""Durations as people write them: ``2w``, ``14d``, ``26h``, ``10m``, ``30s``, ``1h30m``."""

from __future__ import annotations

import re
from datetime import timedelta

from kitchen.errors import InvalidInput

_DURATION = re.compile(r"(?:(\d{1,4})w)?(?:(\d{1,5})d)?(?:(\d{1,6})h)?(?:(\d{1,7})m)?(?:(\d{1,8})s)?")


def parse_duration(text: str) -> timedelta:
    """Return the duration that text says; raises InvalidInput."""
    found = _DURATION.fullmatch(text)
    if found is None or not text:
        raise InvalidInput(f"{text[:40]!r} is no duration: write it like 2w, 14d, 26h, 10m, 30s or 1h30m")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def said(duration: timedelta) -> str:
    """Return a duration as people write it; parts of a second are left out."""
    minutes, seconds = divmod(int(duration.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return "".join(f"{n}{unit}" for n, unit in ((hours, "h"), (minutes, "m"), (seconds, "s")) if n) or "0s"
