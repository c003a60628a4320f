"""One masker for everything that is printed or kept: the known secrets, in every form in which tools print them.

A value shorter than eight characters is not masked: it would tear words apart, and nothing that short is a secret worth
the name. A secret that a program cuts up or transforms in a way not listed here gets through: the masker is the last
net, not a permission to print.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from kitchen.domain.secret import Secret

MASK = "***"
SHORTEST = 8
_HEAD = 6  # no form is shorter


class Redactor:
    """Masks secrets in a stream of text, also where a secret is cut by the edge of a chunk."""

    def __init__(self, values: Iterable[str | Secret]) -> None:
        told = (value.reveal() if isinstance(value, Secret) else value for value in values)
        forms = {form for value in told for form in forms_of(value)}
        self._forms = tuple(sorted(forms, key=len, reverse=True))
        self._longest = len(self._forms[0]) if self._forms else 0
        self._held = ""  # not yet given: the beginning of a secret may be in it
        self._covered = 0  # so many characters of what is held belong to a secret whose mask was given already

    def __repr__(self) -> str:
        return "Redactor(***)"

    def feed(self, chunk: str) -> str:
        """Return what can be shown so far."""
        if not self._forms:
            return chunk
        return self._give(self._held + chunk, last=False)

    def finish(self) -> str:
        """Return the rest; the redactor can be used anew."""
        return self._give(self._held, last=True)

    def redact(self, text: str) -> str:
        """Return a whole text, masked."""
        fresh = Redactor(())
        fresh._forms, fresh._longest = self._forms, self._longest
        return fresh.feed(text) + fresh.finish()

    def _give(self, text: str, *, last: bool) -> str:
        stop = len(text) if last else self._undecided(text)
        shown: list[str] = []
        covered = self._covered
        for start, end in self._found(text):
            if start >= stop:
                break  # begins in what is held: found again with what comes
            if start >= covered:
                shown += [text[covered:start], MASK]
            covered = max(covered, end)
        if covered < stop:
            shown.append(text[covered:stop])
        self._held, self._covered = text[stop:], max(covered - stop, 0)
        return "".join(shown)

    def _found(self, text: str) -> list[tuple[int, int]]:
        """Return every place of every form, overlapping ones too, in order."""
        places = []
        for form in self._forms:
            at = text.find(form)
            while at >= 0:
                places.append((at, at + len(form)))
                at = text.find(form, at + 1)
        return sorted(places)

    def _undecided(self, text: str) -> int:
        """Return where the earliest form begins that the text cuts off."""
        earliest = len(text)
        for form in self._forms:
            window = max(len(text) - len(form) + 1, 0)
            for at in _starts(text, form, window):
                if at >= earliest:
                    break
                if form.startswith(text[at:]):
                    earliest = at
                    break
        return earliest


def _starts(text: str, form: str, window: int) -> Iterator[int]:
    """Return where, from window on, the text may begin to be form, in order."""
    at = text.find(form[:_HEAD], window)
    while at >= 0:
        yield at
        at = text.find(form[:_HEAD], at + 1)
    yield from range(max(len(text) - _HEAD + 1, window), len(text))


def forms_of(value: str) -> frozenset[str]:
    """Return the forms in which a secret is recognised; none for one that is too short."""
    if len(value) < SHORTEST:
        return frozenset()
    pieces = {value, *(line.strip() for line in value.splitlines() if len(line.strip()) >= SHORTEST)}
    return frozenset(form for piece in pieces for form in _forms(piece) if len(form) >= _HEAD)


def _forms(value: str) -> Iterator[str]:
    raw = value.encode(errors="surrogatepass")
    yield value
    for escaped in (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
        yield escaped
        yield escaped.replace("/", r"\/")
        yield json.dumps(escaped)[1:-1]
    yield repr(value)[1:-1]
    yield repr(raw)[2:-1]
    for encoded in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        yield encoded
        yield re.sub("%..", lambda found: found[0].lower(), encoded)
    yield raw.hex()
    yield raw.hex().upper()
    yield from _base64(raw)
    yield shlex.quote(value).removeprefix("'").removesuffix("'")
    yield value.replace("'", r"'\''")
    yield re.sub(r"([^A-Za-z0-9_@%+=:,./-])", r"\\\1", value)
    yield re.sub(r'(["$`\\])', r"\\\1", value)
    yield value.replace("'", "''")  # SQL
    yield value.replace("\\", "\\\\").replace(":", "\\:")  # a password file
    yield html.escape(value)
    yield html.escape(value, quote=False)


def _base64(raw: bytes) -> Iterator[str]:
    """Return what stays the same of the secret's Base64 wherever it stands in a longer text (user:password)."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).decode()
        same = encoded[(0, 2, 3)[before] : (before + len(raw)) * 8 // 6]
        yield same
        yield same.replace("+", "-").replace("/", "_")
