"""Whether a metric is what its own history leads one to expect: statistical process control with few false alarms.

A single value counts as out of control beyond three sigma (false alarm every 370 runs); below 30 runs the bounds are a
Student-t prediction interval with that same rate, since three estimated sigmas would cry wolf ten times as often. A
small lasting shift shows in the weighted moving average (lambda 0.2, L 2.86: every 360 runs). The value judged is never
part of its own history, nor is one that was found out of control before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

TRAINING = 8  # runs before anything is judged
KNOWN = 30  # runs from which mean and deviation count as known
ALARM = 0.0027  # share of false alarms: beyond three sigma
WEIGHT, WIDTH = 0.2, 2.86  # of the moving average
NARROWEST = 0.01  # of the mean: a series that never moved still may


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is expected of the next value."""

    low: float
    high: float
    runs: int
    shifted: str | None = None  # how the moving average left its bounds, if it did


def bounds_of(history: Sequence[float], value: float, *, never_negative: bool) -> Bounds | None:
    """Return the bounds for a value after its history (oldest first), or None while there is too little of it."""
    runs = len(history)
    if runs < TRAINING:
        return None
    mean, deviation = fmean(history), stdev(history)
    reach = 3.0 if runs >= KNOWN else student_t(ALARM, runs - 1) * math.sqrt(1 + 1 / runs)
    half = max(reach * deviation, NARROWEST * abs(mean))
    low = max(mean - half, 0.0) if never_negative else mean - half
    shifted = _shift(history, value, mean, deviation) if runs >= KNOWN else None
    return Bounds(low, mean + half, runs, shifted)


def _shift(history: Sequence[float], value: float, mean: float, deviation: float) -> str | None:
    average = mean
    for one in (*history[-KNOWN:], value):
        average += WEIGHT * (one - average)
    half = max(WIDTH * deviation * math.sqrt(WEIGHT / (2 - WEIGHT)), NARROWEST * abs(mean) / 2)
    if abs(average - mean) <= half:
        return None
    return f"moving average {average:.6g} outside {mean - half:.6g} to {mean + half:.6g}"


def student_t(both_tails: float, freedom: int) -> float:
    """Return the quantile of Student's t (G. W. Hill, CACM algorithm 396; exact for one and two degrees)."""
    if freedom == 1:
        return 1 / math.tan(both_tails * math.pi / 2)
    if freedom == 2:
        return math.sqrt(2 / (both_tails * (2 - both_tails)) - 2)
    a = 1 / (freedom - 0.5)
    b = 48 / a**2
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * math.sqrt(a * math.pi / 2) * freedom
    y = (d * both_tails) ** (2 / freedom)
    if y > 0.05 + a:
        x = NormalDist().inv_cdf(both_tails / 2)
        y = x * x
        c += 0.3 * (freedom - 4.5) * (x + 0.6) if freedom < 5 else 0.0
        c += (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b
        y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
        y = math.expm1(a * y * y)
    else:
        y = (1 / (((freedom + 6) / (freedom * y) - 0.089 * d - 0.822) * (freedom + 2) * 3) + 0.5 / (freedom + 4)) * y
        y = (y - 1) * (freedom + 1) / (freedom + 2) + 1 / ((d * both_tails) ** (2 / freedom))
    return math.sqrt(freedom * y)
