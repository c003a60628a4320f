"""What a merge must not bring in unseen: weaker masking, other roles, other gates of an environment that many share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from kitchen.domain.environment import Environment, Gates
from kitchen.domain.kitchen import Kind, Kitchen
from kitchen.domain.masking import Policy
from kitchen.errors import NotFound
from kitchen.operations.governing import FOLDER, Governed, agreed_policy, at_commit
from kitchen.ports import People, Repository

_MAY_APPROVE = ("releaser", "admin")


class Services(Protocol):
    """What this asks of the target's environment."""

    @property
    def environment(self) -> Environment: ...
    @property
    def person(self) -> str: ...
    @property
    def people(self) -> People: ...


def loosened(
    services: Services, repository: Repository, target: Kitchen, gates: Gates, *, base: str, proposed: str
) -> tuple[str, ...]:  # fmt: skip
    """Return, in words, what somebody else has to agree to, though the gates ask for no approval.

    Nothing where the environment belongs to one person, where its gates say so, or where nobody else could agree.
    """
    if target.kind is not Kind.STANDING or services.environment.is_embedded or not gates.review:
        return ()
    changed = [path for path in repository.changed_paths(base, proposed) if path.startswith(f"{FOLDER}/")]
    if not changed or not _has_others(services):
        return ()
    return tuple(loosening(services.environment, repository, str(target.branch), base, proposed))


def _has_others(services: Services) -> bool:
    return any(
        each.revoked_at is None and each.role in _MAY_APPROVE and each.name != services.person
        for each in services.people.all()
    )


def loosening(
    environment: Environment, repository: Repository, branch: str, base: str, proposed: str
) -> Iterator[str]:  # fmt: skip
    """Yield, in words, where the rules of one commit are looser than those of another, or others."""
    from kitchen.masking.weaker import weaker  # noqa: PLC0415 - only where such a file changes

    try:
        before = at_commit(environment, repository, branch, base)
    except NotFound:
        return  # it is only now that the branch begins to say anything
    try:
        after = at_commit(environment, repository, branch, proposed)
    except NotFound:
        yield f"{FOLDER}/{environment.name}.yaml is gone"
        return
    if before.environment.roles != after.environment.roles:
        yield f"{FOLDER}/{environment.name}.yaml: other roles"
    if before.environment.gates != after.environment.gates:
        yield f"{FOLDER}/{environment.name}.yaml: other gates"
    if not before.environment.kitchens.working and after.environment.kitchens.working:
        yield f"{FOLDER}/{environment.name}.yaml: working kitchens, where there were none"
    was, now = before.environment.data, after.environment.data
    if was is not None and now is not None and was.source != now.source:
        yield f"{FOLDER}/{environment.name}.yaml: data from {now.source}, and no more from {was.source}"
    yield from weaker(_policy(before), _policy(after))


def _policy(governed: Governed) -> Policy:
    data = governed.environment.data
    if data is None or data.masking not in governed.files:
        return Policy()
    return agreed_policy(governed)
