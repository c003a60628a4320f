"""Who has which role on an environment's server, against what the environment's file says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from kitchen.domain.environment import Environment
from kitchen.ports import Admitted

EVERYONE = "everyone"


def role_differences(environment: Environment, admitted: Iterable[Admitted]) -> tuple[str, ...]:
    """Return, in words, where server and file differ; nothing where the file names nobody.

    People are let in one by one, by an admin: what the file says is what was agreed on, not what opens a door.
    """
    if not any(environment.roles.values()):
        return ()
    return tuple(_differences(environment.roles, tuple(admitted)))


def _differences(roles: Mapping[str, Sequence[str]], admitted: Sequence[Admitted]) -> Iterator[str]:
    there = {each.name: each.role for each in admitted if each.revoked_at is None}
    for name, role in sorted(there.items()):
        named = [said for said, names in roles.items() if name in names]
        wanted = named or [said for said, names in roles.items() if EVERYONE in names]
        if role not in wanted:
            says = f"the file says {' or '.join(wanted)}" if wanted else "the file does not name them"
            yield f"{name} is {role}, and {says}"
    left = {each.name for each in admitted} - there.keys()
    for role, names in sorted(roles.items()):
        for name in names:
            if name not in there and name != EVERYONE:
                yield f"{name} would be {role}, and {'was revoked' if name in left else 'was never admitted'}"
