"""Plans what is released into an environment: the one below it, or a hotfix; ``operations.apply`` carries it out."""

from __future__ import annotations

from dataclasses import dataclass

from kitchen.domain.environment import Environment
from kitchen.domain.release import Release, ReleaseKind, ReleasePlan, ReleaseState
from kitchen.errors import NotFound, Refused
from kitchen.operations.apply import rebuild, target_of
from kitchen.operations.approvals import may_approve
from kitchen.operations.delivery import Effect, gates_of, merge_result, plan_delivery, refuse_dirty, target_head_of
from kitchen.operations.delivery_services import DeliveryServices
from kitchen.operations.sharing import fetch, here, refuse_behind, truth
from kitchen.operations.unfinished import refuse_publishing
from kitchen.ports import Repository

__all__ = ["Hotfix", "approve", "plan_promotion", "rebuild", "record", "release_of"]


@dataclass(frozen=True, slots=True)
class Hotfix:
    """A working kitchen whose branch began at the branch of the environment that it mends."""

    name: str
    branch: str
    environment: str  # where it lives
    below: str  # that environment's branch


def plan_promotion(
    services: DeliveryServices, repository: Repository, source: Environment | Hotfix
) -> tuple[ReleasePlan, Effect] | None:
    """Return what promoting an environment or a hotfix means, or None where nothing is new; nothing moves.

    Raises Conflict for branches that do not merge, InvalidInput for recipes that are wrong, and Refused for a kitchen
    that would bring in what was never promoted.
    """
    services.sessions.administrator()  # whoever may not publish is told so, before anything is made
    name = services.environment.name
    target = services.control.kitchens.get(name)
    if target is None:
        raise NotFound(f"environment {name!r} is not set up", hint=f"kitchen up {name}")
    refuse_publishing(services.control, target)
    fetch(repository, [source.branch, target.branch, *([source.below] if isinstance(source, Hotfix) else [])])
    is_hotfix = isinstance(source, Hotfix)
    head = here(repository, source.branch) if is_hotfix else truth(repository, source.branch)
    if head is None:
        raise NotFound(f"the branch {source.branch!r} of {source.name!r} is not here", hint=f"kitchen up {source.name}")
    base = target_head_of(repository, target)
    if isinstance(source, Hotfix):
        _refuse_more(repository, source, name, head, base)
    merged = merge_result(services, repository, target, base, head, source=source.name)
    if merged.is_up_to_date:
        return None
    plan, effect = plan_delivery(services, repository, target, merged, source=source.name, source_branch=source.branch)
    refuse_dirty(repository, plan.branch, any_change=False, incoming=plan.files)
    return plan, effect


def _refuse_more(repository: Repository, source: Hotfix, environment: str, head: str, base: str) -> None:
    """Refuse a hotfix that is not all committed and here, or whose branch holds what waits below to be promoted."""
    refuse_dirty(repository, source.branch, any_change=True)
    refuse_behind(repository, source.branch, source.name)
    below = truth(repository, source.below)
    shared = repository.merge_base(below, head) if below is not None else None
    if shared is not None and not repository.is_ancestor(shared, base):
        raise Refused(
            f"{source.name} holds commits of {source.below} that {environment} has not: what goes into it directly "
            "begins at its own branch",
            hint=f"kitchen create NAME --parent {environment}, or kitchen merge {source.name} and kitchen promote",
        )


def record(services: DeliveryServices, plan: ReleasePlan) -> Release:
    """Record a promotion as planned; one that is open with the very same plan is that one, with its approvals."""
    name = services.environment.name
    for known in services.control.releases.all(kitchen=name, limit=20):
        is_open = known.state in (ReleaseState.PLANNED, ReleaseState.FAILED)
        if is_open and known.kind is ReleaseKind.PROMOTION and known.plan.hash == plan.hash:
            return known
    services.control.audit.intent("release plan", name, {"hash": plan.hash, "head": plan.head})
    made = services.control.releases.add(ReleaseKind.PROMOTION, name, name, plan, by=services.person)
    services.control.audit.outcome("release plan", name, "planned", {"release": made.number, "hash": plan.hash})
    return made


def approve(services: DeliveryServices, repository: Repository, release: Release) -> Release:
    """Record this person's consent to the plan as it is.

    Raises Refused where the environment, as its own commit has it, wants somebody else than who planned it.
    """
    own = release.by == services.person
    if repository.resolve(release.plan.base) is None:  # planned on another machine, after this one last looked
        fetch(repository, [release.plan.branch])
    gates = gates_of(repository, target_of(services, release), release.plan.base)
    others = () if services.environment.is_embedded else may_approve(services, but=(release.by,))
    if own and (release.plan.others or not gates.self_approval):
        whom = f"({', '.join(others)})" if others else f"and nobody else may in {services.environment.name}"
        raise Refused(
            f"release {release.number} was planned by {release.by}: somebody else must approve it {whom}",
            hint=f"kitchen release show {release.number}" if others else
            f"kitchen environment admit PERSON -e {services.environment.name} --role releaser",
        )  # fmt: skip
    detail = {"release": release.number, "hash": release.plan.hash, "own": own, "others": list(others)}
    services.control.audit.intent("release approve", release.kitchen, detail)
    services.control.releases.approve(release.number, by=services.person)
    services.control.audit.outcome("release approve", release.kitchen, "approved", detail)
    return release_of(services, release.number)


def release_of(services: DeliveryServices, number: int) -> Release:
    """Return a release; raises NotFound."""
    found = services.control.releases.get(number)
    if found is None:
        raise NotFound(
            f"environment {services.environment.name!r} has no release {number}",
            hint=f"kitchen release list -e {services.environment.name}",
        )
    return found


def rolled_back(services: DeliveryServices) -> int | None:
    """Return the newest promotion where it was rolled back, so that it is in the branch's history and not in force."""
    name = services.environment.name
    for release in services.control.releases.all(kitchen=name, limit=100):
        if release.kind is ReleaseKind.PROMOTION and release.commit is not None:
            return release.number if release.state is ReleaseState.ROLLED_BACK else None
    return None
