"""What a copied structure says in words: comments, defaults, checks, labels, definitions; and what is personal there.

These texts come along with the tables, so that a policy over columns alone would let them through.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from importlib.resources import files

from kitchen.masking.shapes import OURS
from kitchen.masking.sql import literal

_FEWEST = 3  # characters of a constant that could tell somebody

_EMAIL = re.compile(r"[\w.+-]*\w[\w.+-]*@[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}")
_CARD = re.compile(r"(?<![\d.])[3-6](?:[ -]?\d){12,18}(?!\d)")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_SSN = re.compile(r"(?<!\d)(?!9\d\d-00)\d{3}-\d{2}-\d{4}(?!\d)")
_PHONE = re.compile(r"(?<![\w+])\+\d[\d ()/.-]{7,18}\d(?!\d)")
_CONSTANT = re.compile(r"'((?:[^']|'')*)'")


def query(schemas: Sequence[str]) -> str:
    """Return SQL for every text in the structure of some schemas: what it is, what it says, and whether it is SQL."""
    text = files("kitchen.masking").joinpath("structure_texts.sql").read_text(encoding="utf-8")
    return text.replace("{schemas}", ", ".join(literal(schema) for schema in schemas))


def personal(text: str, accepted: Collection[str]) -> Iterator[str]:
    """Yield the kinds of personal data that a text holds, without those that the policy accepts."""
    left = text
    for known in accepted:
        left = left.replace(known, " ")
    found = (
        ("an e-mail address", (m for m in _EMAIL.findall(left) if not m.lower().endswith(f"@{OURS}"))),
        ("a card number", (m for m in _CARD.findall(left) if is_card(m))),
        ("an IBAN", (m for m in _IBAN.findall(left) if is_iban(m))),
        ("a national id", iter(_SSN.findall(left))),
        ("a telephone number", (m for m in _PHONE.findall(left) if "-555-01" not in m)),
    )
    yield from (kind for kind, hits in found if next(hits, None) is not None)


def constants(texts: Iterable[str], accepted: Collection[str]) -> frozenset[str]:
    """Return the string constants of some SQL, as values are compared."""
    found = {
        constant.replace("''", "'").strip().lower() for text in texts for constant in _CONSTANT.findall(text)
    }  # fmt: skip
    known = {text.strip().lower() for text in accepted}
    return frozenset(text for text in found if len(text) >= _FEWEST and text not in known)


def is_card(text: str) -> bool:
    """Say whether digits pass Luhn's check and are none of ours."""
    digits = [int(c) for c in reversed(text) if c.isdigit()]
    total = sum(d if n % 2 == 0 else sum(divmod(d * 2, 10)) for n, d in enumerate(digits))
    return total % 10 == 0 and not re.sub(r"\D", "", text).startswith("400000")


def is_iban(text: str) -> bool:
    """Say whether text passes the check of an IBAN and is none of ours."""
    plain = text.replace(" ", "")
    if not 15 <= len(plain) <= 34 or plain.startswith("XX"):
        return False
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1
