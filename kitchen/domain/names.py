"""Names: what may be called what, and every physical name as a pure function of it.

Kitchen and environment names never contain ``__`` and never end in ``_``: so ``__`` separates the parts of a
derived name without ambiguity, and no two kitchens can meet in one role, schema or folder.
"""

from __future__ import annotations

import re
from hashlib import sha256
from unicodedata import combining, normalize
from unicodedata import name as unicode_name

from kitchen.errors import InvalidInput

IDENTIFIER_BYTES = 63  # PostgreSQL cuts longer identifiers silently, and two names become one
KITCHEN_LENGTH = 24
ENVIRONMENT_LENGTH = 16
LOGICAL_SCHEMA_BYTES = IDENTIFIER_BYTES - KITCHEN_LENGTH - len("__") - len("__r99999")

_NAME = re.compile(r"[a-z](?:_?[a-z0-9])*")
_RESERVED = frozenset(
    [
        "kitchen",
        "kitchen_control",
        "public",
        "pantry",
        "pantry_types",
        "main",
        "master",
        "head",
        "postgres",
        "template0",
        "template1",
        "information_schema",
        "all",
        "none",
        "default",
        "this",
        "user",
        "help",
    ]
)
_RESERVED_SHAPE = re.compile(r"pg_.*|pantry_v[0-9]+|pantry_types.*|r[0-9]+|c_[0-9a-f]{12}")


def environment_name(text: str) -> str:
    """Return text if it can name an environment; raises InvalidInput."""
    return _unreserved(_checked(text, "environment", ENVIRONMENT_LENGTH), "environment", "stage")


def kitchen_name(text: str) -> str:
    """Return text if it can name a working kitchen; raises InvalidInput."""
    return _unreserved(_checked(text, "kitchen", KITCHEN_LENGTH), "kitchen", "profit")


def candidate_name(identity: str) -> str:
    """Return the name of the throwaway kitchen of one merge, promotion or check; unique for each operation id."""
    return "c_" + sha256(identity.encode()).hexdigest()[:12]


def name_from_branch(branch: str) -> str:
    """Derive a kitchen name from any branch that git allows; names that were shortened or folded end in a digest."""
    folded = _folded(branch)
    if folded == branch and len(folded) <= KITCHEN_LENGTH and _NAME.fullmatch(folded) and not _is_reserved(folded):
        return folded
    digest = sha256(branch.encode(errors="surrogatepass")).hexdigest()[:6]
    if not folded or folded[0].isdigit() or _is_reserved(f"{folded}_{digest}"):
        folded = f"k_{folded}"
    head = folded[: KITCHEN_LENGTH - len(digest) - 1].strip("_")
    return f"{head}_{digest}"


def _folded(text: str) -> str:
    """Return what is left of a text in small letters, digits and underscores; é becomes e."""
    plain = "".join(sign for sign in normalize("NFKD", text) if not combining(sign))
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")


def _is_reserved(name: str) -> bool:
    return name in _RESERVED or _RESERVED_SHAPE.fullmatch(name) is not None


def _unreserved(name: str, what: str, example: str) -> str:
    if _is_reserved(name):
        raise InvalidInput(f"the {what} name {name!r} is reserved", hint=f"choose another name, for example {example}")
    return name


def _foreign(text: str) -> str:
    """Name a sign that may look like a letter of ours."""
    sign = next((sign for sign in text if not sign.isascii() and sign.isprintable()), None)
    return f"; {sign!r} is {unicode_name(sign, 'unknown').lower()}" if sign is not None else ""


def _checked(text: str, what: str, length: int) -> str:
    shown = repr(text[:80])
    if len(text) > length:
        shorter = re.sub(r"_+$", "", text[:length]) if _NAME.fullmatch(text) else None
        hint = f"a shorter one, for example {shorter}" if shorter else "a name like profit or profit_by_segment"
        raise InvalidInput(f"the {what} name {shown} is too long: at most {length} characters", hint=hint)
    if not _NAME.fullmatch(text):
        article = "an" if what[0] in "aeiou" else "a"
        near = _folded(text)
        meant = f"{near}, for example" if _NAME.fullmatch(near) else "a name like profit or profit_by_segment"
        raise InvalidInput(
            f"{shown} cannot be the name of {article} {what}: "
            f"use a to z, 0 to 9 and single underscores, beginning with a letter{_foreign(text)}",
            hint=meant,
        )
    return text
