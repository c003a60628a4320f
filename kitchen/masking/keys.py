"""Keys: one master from the vault, one sub-key for each domain, and how SQL takes them without showing them."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from hmac import digest

from kitchen.domain.secret import Secret
from kitchen.errors import Refused
from kitchen.masking.sql import number as number_of

KEY_BYTES = 32
SECRET_PATH = "masking/key"  # noqa: S105 - where it is, not what it is
SETTING = "kitchen.k"  # kitchen.k0, kitchen.k1 … hold the two pads of one sub-key each
MAX_DOMAINS = 50  # all pads travel in one start-up packet, which holds 10,000 bytes
_BLOCK_REST = 32  # HMAC pads the key with zeros to 64 bytes; the rest of both pads is the same for every key


class MaskingKey:
    """The 256-bit master key of one source environment; it never leaves this object as text that is printed."""

    def __init__(self, kept: Secret) -> None:
        """Take the key as the vault keeps it; raises Refused where it is empty, short or no key."""
        try:
            raw = bytes.fromhex(kept.reveal())
        except ValueError:
            raw = b""
        if len(raw) != KEY_BYTES or len(set(raw)) < 8:
            raise Refused(
                f"the masking key in secret {SECRET_PATH!r} is empty, short or no 256-bit key",
                hint="restore it from the vault's history; a new key changes every masked value",
            )
        self._master = raw

    @property
    def id(self) -> str:
        """Return what names the key in a manifest and tells nothing about it."""
        return digest(self._master, b"kitchen/v1/key id", "sha256").hex()[:12]

    def sub_key(self, domain: str) -> bytes:
        """Return the key of one domain."""
        return digest(self._master, b"kitchen/v1/" + domain.encode(), "sha256")

    def settings(self, domains: Sequence[str]) -> tuple[str, ...]:
        """Return start-up settings that give a session the pads of these domains, in order; raises Refused."""
        if len(domains) > MAX_DOMAINS:
            raise Refused(
                f"more than {MAX_DOMAINS} keyed domains in one table",
                hint="say `subject:` for what belongs to one person, or one `domain:` for several columns",
            )
        return tuple(f"{SETTING}{number}={_pads(self.sub_key(domain))}" for number, domain in enumerate(domains))


def _pads(key: bytes) -> str:
    inner = bytes(byte ^ 0x36 for byte in key)
    outer = bytes(byte ^ 0x5C for byte in key)
    return (inner + outer).hex()


def digest_sql(number: int, message: str) -> str:
    """Return SQL for HMAC-SHA-256 of a text expression under the sub-key of a domain.

    The pads are read in scalar sub-selects without references, which the server evaluates once for each query.
    """
    return f"sha256({_pad(number, 33, '5c')} || sha256({_pad(number, 1, '36')} || convert_to({message}, 'UTF8')))"


def short_digest_sql(number: int, message: str) -> str:
    """Return SQL for 56 bits, as a number, of SHA-256 of the sub-key and a text expression: to compare, not to publish.

    One hash where HMAC needs two: nothing can be appended to a digest of which seven bytes are left.
    """
    key = f"(SELECT substr(decode(current_setting('{SETTING}{number}'), 'hex'), 1, {KEY_BYTES}))"
    return number_of(f"sha256({key} || convert_to({message}, 'UTF8'))", 0, 7)


def _pad(number: int, start: int, rest: str) -> str:
    setting = f"decode(current_setting('{SETTING}{number}'), 'hex')"
    return f"(SELECT substr({setting}, {start}, {KEY_BYTES}) || '\\x{rest * _BLOCK_REST}'::bytea)"


def fingerprint(text: str) -> str:
    """Return the SHA-256 of text that is no secret."""
    return sha256(text.encode()).hexdigest()
