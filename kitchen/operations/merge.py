"""Merges a kitchen into its parent: proven on the merge result, then branch and tables move together."""

from __future__ import annotations

from dataclasses import dataclass

from kitchen.domain.environment import Environment
from kitchen.domain.kitchen import Kind, Kitchen
from kitchen.domain.release import Release, ReleaseKind, ReleasePlan, ReleaseState
from kitchen.errors import Conflict, InvalidInput, NotFound
from kitchen.operations.apply import rebuild
from kitchen.operations.delivery import Effect, head_of, merge_result, plan_delivery, refuse_dirty, target_head_of
from kitchen.operations.delivery_services import DeliveryServices
from kitchen.operations.sharing import fetch, refuse_behind, truth
from kitchen.operations.unfinished import refuse_publishing
from kitchen.ports import Control, Repository

__all__ = ["Merge", "plan_down", "plan_merge", "rebuild", "record"]


@dataclass(frozen=True, slots=True)
class Merge:
    """What merging a kitchen means; ``plan`` is None where its parent has everything already."""

    kitchen: Kitchen
    target: Kitchen
    plan: ReleasePlan | None
    effect: Effect | None


def plan_merge(services: DeliveryServices, repository: Repository, kitchen: Kitchen) -> Merge:
    """Return what merging would do; nothing moves.

    Raises Conflict for uncommitted changes, branches that do not merge and a target that is being published to,
    InvalidInput for recipes that are wrong.
    """
    target = target_of(services.control, kitchen)
    services.sessions.administrator()  # whoever may not publish is told so, before anything is made
    refuse_publishing(services.control, target)
    fetch(repository, [kitchen.branch, target.branch])
    source = head_of(repository, kitchen)
    assert kitchen.branch is not None  # noqa: S101 - its head was read
    refuse_dirty(repository, kitchen.branch, any_change=True)
    refuse_behind(repository, kitchen.branch, kitchen.name)
    return _planned(services, repository, kitchen, target, source)


def plan_asked(services: DeliveryServices, repository: Repository, kitchen: Kitchen, commit: str) -> Merge:
    """Return what merging exactly one commit of a kitchen's branch would do, wherever the branch stands by now.

    Raises Conflict where the branch has it no longer, and what ``plan_merge`` raises.
    """
    target = target_of(services.control, kitchen)
    refuse_publishing(services.control, target)
    fetch(repository, [kitchen.branch, target.branch])
    head = truth(repository, kitchen.branch)
    if head is None or repository.resolve(commit) != commit or not repository.is_ancestor(commit, head):
        raise Conflict(
            f"the branch {kitchen.branch} has not the commit {commit[:12]} that was asked for",
            hint=f"git push origin {kitchen.branch}, then kitchen merge {kitchen.name}",
        )
    return _planned(services, repository, kitchen, target, commit)


def target_of(control: Control, kitchen: Kitchen) -> Kitchen:
    """Return the kitchen that one is merged into; raises InvalidInput for one that is not merged, and NotFound."""
    if kitchen.kind is not Kind.WORKING:
        hint = "kitchen promote" if kitchen.kind is Kind.STANDING else "kitchen list"
        raise InvalidInput(f"{kitchen.name!r} is a {kitchen.kind} kitchen and is not merged", hint=hint)
    if kitchen.mends is not None:
        raise InvalidInput(f"{kitchen.name!r} is a hotfix of {kitchen.mends} and is not merged", hint=kitchen.way_up)
    target = control.kitchens.get(kitchen.parent or "")
    if target is None:
        raise NotFound(f"the parent {kitchen.parent!r} of kitchen {kitchen.name!r} is not there", hint="kitchen tree")
    return target


def _planned(
    services: DeliveryServices, repository: Repository, kitchen: Kitchen, target: Kitchen, source: str
) -> Merge:
    base = target_head_of(repository, target)
    assert kitchen.branch is not None  # noqa: S101 - its head was read
    assert target.branch is not None  # noqa: S101 - its head was read
    merged = merge_result(services, repository, target, base, source, source=kitchen.name)
    if merged.is_up_to_date:
        return Merge(kitchen, target, None, None)
    plan, effect = plan_delivery(
        services, repository, target, merged, source=kitchen.name, source_branch=kitchen.branch
    )
    refuse_dirty(repository, target.branch, any_change=False, incoming=plan.files)
    return Merge(kitchen, target, plan, effect)


def plan_down(services: DeliveryServices, repository: Repository, target: Kitchen, above: Environment) -> Merge:
    """Return what merging an environment's branch down into the standing kitchen below means; nothing moves.

    What came into it past this one, a hotfix above all, comes down: proven here like any other merge.
    """
    services.sessions.administrator()  # whoever may not publish is told so, before anything is made
    refuse_publishing(services.control, target)
    fetch(repository, [target.branch, above.branch])
    base, head = target_head_of(repository, target), truth(repository, above.branch)
    if head is None:
        raise NotFound(f"the branch {above.branch!r} of {above.name!r} is not here", hint="git fetch")
    try:
        merged = merge_result(services, repository, target, base, head, source=above.name)
    except Conflict as conflict:
        raise Conflict(conflict.message, hint=f"kitchen resolve {target.name}") from None
    if merged.is_up_to_date:
        return Merge(target, target, None, None)
    plan, effect = plan_delivery(services, repository, target, merged, source=above.name, source_branch=above.branch)
    refuse_dirty(repository, plan.branch, any_change=False, incoming=plan.files)
    return Merge(target, target, plan, effect)


def record(services: DeliveryServices, merge: Merge, plan: ReleasePlan) -> Release:
    """Record the merge as a planned release, or return the one that was planned exactly so and waits for approval."""
    releases = services.control.releases
    for known in releases.all(kitchen=merge.target.name, limit=20):
        if known.state is ReleaseState.PLANNED and known.kind is ReleaseKind.MERGE and known.plan.hash == plan.hash:
            return known
    return releases.add(ReleaseKind.MERGE, services.environment.name, merge.target.name, plan, by=services.person)
