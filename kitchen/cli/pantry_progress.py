"""How far a refresh is: in place on a terminal, in plain lines now and then elsewhere."""

from __future__ import annotations

import sys
from time import monotonic

import click

from kitchen.cli import output
from kitchen.domain.words import counted


class Progress:
    """Tells rows, rate and time left: in place on a terminal, in plain lines now and then elsewhere."""

    def __init__(self) -> None:
        self._started: float | None = None
        self._told = 0.0
        self._open = False

    def say(self, text: str) -> None:
        """End the line in progress, and say what comes next."""
        if self._open:
            click.echo(err=True)
            self._open = False
        output.step(text)

    def report(self, done: int, size: int, expected: int) -> None:
        """Tell how far the copy is."""
        now = monotonic()
        self._started = self._started if self._started is not None else now
        terminal = sys.stderr.isatty()
        if now - self._told < (0.4 if terminal else 10.0) or now - self._started < 0.4 or not done:
            return
        self._told = now
        rate = done / max(now - self._started, 0.001)
        left = f", about {max(expected - done, 0) / rate:.0f} s left" if expected > done else ""
        line = f"  {counted(done, 'row')}, {rate:,.0f}/s{left}"
        if terminal:
            click.echo(f"\r{line:<78}", err=True, nl=False)
            self._open = True
        else:
            click.echo(line, err=True)
