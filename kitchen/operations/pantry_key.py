"""The masking key: made once, kept in the source's secret store, never replaced in silence."""

from __future__ import annotations

import secrets as randomness
from contextlib import suppress

from kitchen.domain.secret import Secret
from kitchen.errors import Conflict, Refused
from kitchen.masking.keys import KEY_BYTES, SECRET_PATH, MaskingKey
from kitchen.ports import PantryVersion, SecretStore


def masking_key(secrets: SecretStore, *, newest: PantryVersion | None) -> MaskingKey:
    """Return the key, made on first use.

    Raises Refused where it is empty or short, or is gone although a pantry was made with it.
    """
    kept = secrets.read(SECRET_PATH)
    if kept is None:
        if newest is not None:
            raise Refused(
                f"the masking key is gone from secret {SECRET_PATH!r}, and a new one would change every masked value",
                hint="restore it from the vault's history",
            )
        with suppress(Conflict):  # somebody else has just made it
            secrets.write(SECRET_PATH, {"key": randomness.token_hex(KEY_BYTES)}, create_only=True)
        kept = secrets.read(SECRET_PATH) or {}
    return MaskingKey(Secret(kept.get("key", "")))


def one_off_key() -> MaskingKey:
    """Return a key for one comparison, which is forgotten after it."""
    return MaskingKey(Secret(randomness.token_hex(KEY_BYTES)))
