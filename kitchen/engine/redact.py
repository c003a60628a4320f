"""Takes secrets out of what is kept and shown, by value, in every form that a tool may print them in."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Callable, Iterable
from urllib.parse import quote, quote_plus

from kitchen.domain.secret import Secret

SHORTEST = 4  # a shorter value would take ordinary words out with it
SHOWN = "***"


def redactor(secrets: Iterable[Secret]) -> Callable[[str], str]:
    """Return a function that takes every form of the secrets out of a text."""
    forms = sorted({form for secret in secrets for form in _forms(secret.reveal())}, key=len, reverse=True)
    if not forms:
        return lambda text: text
    pattern = re.compile("|".join(re.escape(form) for form in forms))
    return lambda text: pattern.sub(SHOWN, text)


def _forms(value: str) -> Iterable[str]:
    for part in {value, *value.splitlines()}:  # logs are masked line by line
        if len(part) < SHORTEST:
            continue
        yield from (
            part,
            quote(part, safe=""),
            quote_plus(part),
            json.dumps(part)[1:-1],
            shlex.quote(part),
            repr(part)[1:-1],
        )
        encoded = part.encode()
        for shift in range(3):  # base64 of the value wherever it stands in a longer text, such as user:password
            text = base64.b64encode(b"\x00" * shift + encoded).decode()
            inner = text[(0, 2, 3)[shift] :].rstrip("=")
            if len(inner) > 2 * SHORTEST:
                yield inner[:-1]
