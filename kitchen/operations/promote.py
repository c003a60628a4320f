"""Plans the promotion of one environment's branch into its parent's; ``operations.apply`` carries it out."""

from __future__ import annotations

from kitchen.domain.environment import Environment
from kitchen.domain.release import Release, ReleaseKind, ReleasePlan, ReleaseState
from kitchen.errors import NotFound, Refused
from kitchen.operations.apply import rebuild
from kitchen.operations.delivery import Effect, head_of, merge_result, plan_delivery, refuse_dirty
from kitchen.operations.delivery_services import DeliveryServices
from kitchen.operations.unfinished import refuse_publishing
from kitchen.ports import Repository

__all__ = ["approve", "plan_promotion", "rebuild", "record", "release_of"]


def plan_promotion(
    services: DeliveryServices, repository: Repository, source: Environment
) -> tuple[ReleasePlan, Effect] | None:
    """Return what promoting an environment means, or None where its parent has everything already; nothing moves.

    Raises Conflict for branches that do not merge, InvalidInput for recipes that are wrong.
    """
    name = services.environment.name
    target = services.control.kitchens.get(name)
    if target is None:
        raise NotFound(f"environment {name!r} is not set up", hint=f"kitchen up {name}")
    refuse_publishing(services.control, target)
    head = repository.head(source.branch)
    if head is None:
        raise NotFound(f"the branch {source.branch!r} of {source.name!r} is not here", hint=f"kitchen up {source.name}")
    merged = merge_result(services, repository, target, head_of(repository, target), head, source=source.name)
    if merged.is_up_to_date:
        return None
    plan, effect = plan_delivery(services, repository, target, merged, source=source.name, source_branch=source.branch)
    refuse_dirty(repository, plan.branch, any_change=False, incoming=plan.files)
    return plan, effect


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


def approve(services: DeliveryServices, release: Release) -> Release:
    """Record this person's consent to the plan as it is.

    Raises Refused where the environment wants somebody else than who planned it.
    """
    own = release.by == services.person
    if own and not services.environment.gates.self_approval:
        raise Refused(
            f"release {release.number} was planned by {release.by}: somebody else must approve it",
            hint=f"kitchen release show {release.number}",
        )
    detail = {"release": release.number, "hash": release.plan.hash, "own": own}
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
