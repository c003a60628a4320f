"""A value that must never be printed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from kitchen.errors import InvalidInput

_REFERENCE = re.compile(r"([a-z0-9_-]{1,64}(?:/[a-z0-9_-]{1,64}){0,7})#([A-Za-z0-9_.-]{1,64})")


class Secret:
    """Hold text whose every rendering is redacted; ``reveal()`` is the one greppable way out."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")


@dataclass(frozen=True, slots=True)
class SecretReference:
    """What a file says in place of a secret: ``{secret: path#key}``."""

    path: str
    key: str

    @classmethod
    def parse(cls, text: str) -> SecretReference:
        """Return the reference that ``path#key`` says; raises InvalidInput."""
        found = _REFERENCE.fullmatch(text)
        if found is None:
            raise InvalidInput("a secret is named path#key, for example sftp#password")
        return cls(found.group(1), found.group(2))

    @classmethod
    def of(cls, value: object) -> SecretReference | None:
        """Return the reference where a setting is one, else None; raises InvalidInput for one that is malformed."""
        match value:
            case SecretReference():
                return value
            case {"secret": str(text), **rest} if not rest:
                return cls.parse(text)
        return None
