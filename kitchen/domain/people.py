"""People in an environment on somebody else's server: what their logins and groups are called, and who may what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kitchen.domain.kitchen import Kind, Kitchen
from kitchen.errors import InvalidInput

GROUPS = ("viewer", "developer", "releaser", "admin", "runner")

# group -> the one whose rights it has too
_ABOVE = {"developer": "viewer", "releaser": "developer", "admin": "releaser", "runner": "developer"}

_PERSON = re.compile(r"[a-z](?:_?[a-z0-9])*")
_PERSON_LENGTH = 24

RIGHTS = {
    "viewer": "read what is recorded: list, tree, status, show, runs, audit",
    "developer": "make kitchens, work in one's own and where one is staff, ask for their merge, delete them",
    "releaser": "approve what others have planned",
    "admin": "admit and revoke people, refresh the pantry, prune",
    "runner": "publish what others ask for, as CI does",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """A person's login in one environment, and what the server says it may do."""

    person: str
    login: str
    role: str
    is_deputy: bool  # may act as the provisioner: publish, refresh, repair


_OF_DEVELOPERS = frozenset({"create", "delete", "hydrate", "update"})  # operations of one's own kitchens


@dataclass(frozen=True, slots=True)
class Rights:
    """What one person may do in an environment: the server decides it, and this is for what is said beforehand."""

    person: str
    acts_for_all: bool
    role: str | None = None  # of the person's own login, where there is one

    def uses(self, kitchen: Kitchen | None) -> bool:
        """Say whether the person may enter a kitchen and change it."""
        if self.acts_for_all:
            return True
        if kitchen is None or kitchen.kind is not Kind.WORKING or not self.makes_kitchens:
            return False
        return self.person in (kitchen.owner, *kitchen.staff)

    def ends(self, kind: str, by: str, kitchen: Kitchen | None) -> bool:
        """Say whether the person may finish or undo an operation of somebody on a kitchen."""
        return self.acts_for_all or (kind in _OF_DEVELOPERS and (by == self.person or self.uses(kitchen)))

    @property
    def makes_kitchens(self) -> bool:
        """Say whether the person may have kitchens at all."""
        return self.acts_for_all or self.role != "viewer"


def person_name(text: str) -> str:
    """Return text if it can name a person; raises InvalidInput."""
    if len(text) > _PERSON_LENGTH or not _PERSON.fullmatch(text):
        raise InvalidInput(
            f"{text[:80]!r} cannot name a person here: use a to z, 0 to 9 and single underscores, "
            f"at most {_PERSON_LENGTH} characters",
            hint="a name like ann or ann_miller",
        )
    return text


def staff_of(texts: Sequence[str], hint: str) -> tuple[str, ...]:
    """Return who is meant, each once; raises InvalidInput where one of them names nobody."""
    return tuple(dict.fromkeys(somebody(text, hint) for text in texts))


def somebody(text: str, hint: str) -> str:
    """Return who is meant, as git or an environment knows people; raises InvalidInput."""
    if not text.strip() or not text.isprintable():
        raise InvalidInput(f"{text[:40]!r} names nobody", hint=hint)
    return text.strip()


def group_of(text: str) -> str:
    """Return text if it is a role that people can have; raises InvalidInput."""
    if text not in GROUPS:
        raise InvalidInput(f"there is no role {text!r}", hint=f"one of {', '.join(GROUPS)}")
    return text


def group_role(environment: str, group: str) -> str:
    """Return the NOLOGIN role of everybody who is, say, a developer in an environment."""
    return f"kitchen__{environment}__{group}"


def deputy_role(environment: str) -> str:
    """Return the NOLOGIN role whose members may become the provisioner, and stay themselves in every record."""
    return f"kitchen__{environment}__deputy"


def registrar_role(environment: str) -> str:
    """Return the NOLOGIN role that makes people's logins: who may act as the provisioner cannot be made by it."""
    return f"kitchen__{environment}__registrar"


def person_role(environment: str, person: str) -> str:
    """Return a person's own login; no kitchen's role ends like it."""
    return f"kitchen__{environment}__{person}__person"


def login_path(person: str) -> str:
    """Return where a person's password is in the secret store."""
    return f"people/{person}/login"


def lease_path(person: str, kitchen: str) -> str:
    """Return where a person's login into one kitchen is in the secret store."""
    return f"people/{person}/kitchens/{kitchen}"


def people_mark(environment: str, database: str) -> str:
    """Return the text by which the group roles of an environment are recognised."""
    return f"kitchen: people of environment {environment} in database {database}"


def memberships(environment: str, *, gated: bool) -> tuple[tuple[str, str], ...]:
    """Return which group role is a member of which; in a gated environment a releaser approves, and CI publishes."""
    found = [(group_role(environment, above), group_role(environment, low)) for above, low in _ABOVE.items()]
    deputies = ["admin", "runner"] if gated else ["releaser", "admin", "runner"]
    return (*found, *((group_role(environment, group), deputy_role(environment)) for group in deputies))
