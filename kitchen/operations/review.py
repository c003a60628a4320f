"""What a merge must not bring in unseen: weaker masking, other roles, other gates of an environment that many share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from kitchen.domain.environment import Environment, Gates
from kitchen.domain.kitchen import Kind, Kitchen
from kitchen.domain.masking import Policy
from kitchen.domain.words import counted
from kitchen.errors import NotFound
from kitchen.operations.approvals import may_approve
from kitchen.operations.governing import FOLDER, Governed, agreed_policy, at_commit
from kitchen.ports import People, Repository


class Services(Protocol):
    """What this asks of the target's environment."""

    @property
    def environment(self) -> Environment: ...
    @property
    def person(self) -> str: ...
    @property
    def people(self) -> People: ...


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a plan needs people for, as ``ReleasePlan`` keeps it."""

    approvals: int
    loosens: tuple[str, ...] = ()
    others: bool = False
    alone: tuple[str, ...] = ()


def agreement(
    services: Services, repository: Repository, target: Kitchen, gates: Gates, *, base: str, proposed: str
) -> Agreement:  # fmt: skip
    """Return who has to agree to a change: by the gates, and somebody else to what loosens them.

    Where nobody else may approve, that is no reason to stand still, but it is said. An embedded environment belongs to
    one person.
    """
    others = bool(gates.approvals) and not gates.self_approval
    if target.kind is not Kind.STANDING or services.environment.is_embedded:
        return Agreement(gates.approvals, others=others)
    loosens = _loosened(services, repository, target, gates, base=base, proposed=proposed)
    if not (loosens or gates.approvals) or may_approve(services, but=(services.person,)):
        return Agreement(max(gates.approvals, 1 if loosens else 0), loosens, others or bool(loosens))
    own = () if others or not gates.approvals else (f"{counted(gates.approvals, 'approval')} of {target.name}'s gates",)
    return Agreement(gates.approvals, others=others, alone=(*loosens, *own))


def _loosened(
    services: Services, repository: Repository, target: Kitchen, gates: Gates, *, base: str, proposed: str
) -> tuple[str, ...]:  # fmt: skip
    if not gates.review or not any(p.startswith(f"{FOLDER}/") for p in repository.changed_paths(base, proposed)):
        return ()
    return tuple(loosening(services.environment, repository, str(target.branch), base, proposed))


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
