"""Says of a kitchen that is not there which one was meant, or where it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import Protocol

from kitchen.domain.environment import Environment
from kitchen.domain.kitchen import Kind, Kitchen
from kitchen.domain.words import quoted
from kitchen.errors import KitchenError, NotFound
from kitchen.ports import Control


class Place(Protocol):
    """An environment in which to look."""

    @property
    def environment(self) -> Environment: ...
    @property
    def control(self) -> Control: ...


def no_kitchen(name: str, looked_in: Sequence[Place], others: Iterable[Place]) -> NotFound:
    """Return the error for a name that is in none of some environments; it may be in another."""
    for place in others:
        with suppress(KitchenError):  # one that does not answer says nothing of this name
            if place.control.kitchens.get(name) is not None:
                there, here = place.environment.name, ", ".join(each.environment.name for each in looked_in)
                return NotFound(
                    f"kitchen {name!r} is in {there}, and not in {here}", hint=f"the same command with -e {there}"
                )
    known = [kitchen for place in looked_in for kitchen in place.control.kitchens.all()]
    return NotFound(
        f"there is no kitchen {name!r}{meant(name, known)}", hint=f"kitchen create {quoted(name)}, or kitchen list"
    )


def meant(name: str, known: Iterable[Kitchen]) -> str:
    """Return ``; did you mean 'x'?`` where a known name is near, else nothing."""
    near = get_close_matches(name, [each.name for each in known if each.kind is not Kind.CANDIDATE], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
