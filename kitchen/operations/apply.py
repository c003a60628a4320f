"""Applies a planned release, whether it is a merge or a promotion, or refuses and says what is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from kitchen.domain.journal import Operation
from kitchen.domain.kitchen import Kind, Kitchen
from kitchen.domain.release import Release, ReleaseKind, ReleaseState
from kitchen.errors import Conflict, NotFound
from kitchen.operations.allowance import NO_LIMIT, Allowance
from kitchen.operations.approvals import refuse_unapproved
from kitchen.operations.create import candidate as candidate_of
from kitchen.operations.create_plan import from_document, to_document
from kitchen.operations.delivery import merge_result, refuse_dirty
from kitchen.operations.delivery_build import Delivery
from kitchen.operations.delivery_services import DeliveryServices
from kitchen.operations.delivery_steps import delivery_steps, note_failure
from kitchen.operations.journalled import perform
from kitchen.operations.sharing import fetch, here, truth
from kitchen.ports import Repository
from kitchen.saga import Step

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Applied:
    """How a release went."""

    release: Release
    commit: str
    seconds: float = 0.0


def check_appliable(repository: Repository, release: Release, *, asked: bool = False) -> None:
    """Raise Conflict where a release is no longer open or stale, and Refused where approvals are missing.

    What was ``asked`` for is one commit: the branch that it is on may have gone on since.
    """
    plan, number = release.plan, release.number
    if release.kind is ReleaseKind.ROLLBACK:
        raise Conflict(
            f"release {number} is a rollback, and it {'went through' if release.released_at else 'did not go through'}",
            hint="kitchen release rollback plans it anew",
        )
    if release.state not in (ReleaseState.PLANNED, ReleaseState.FAILED):
        raise Conflict(f"release {number} is {release.state}", hint=f"kitchen release show {number}")
    fetch(repository, [plan.branch, plan.source_branch])
    again = "kitchen release plan" if release.kind is ReleaseKind.PROMOTION else f"kitchen merge {plan.source}"
    for branch, planned, look in ((plan.branch, plan.base, truth), (plan.source_branch, plan.head, here)):
        stands = truth(repository, branch)
        if planned not in (look(repository, branch), stands) and not (
            asked and branch == plan.source_branch and stands is not None and repository.is_ancestor(planned, stands)
        ):
            raise Conflict(
                f"release {number} is stale: branch {branch} has moved since it was planned",
                hint=f"{again}, and look again",
            )
    refuse_unapproved(release)
    refuse_dirty(repository, plan.branch, any_change=False, incoming=plan.files)


def apply(
    services: DeliveryServices, repository: Repository, release: Release, *, say: Say, asked: bool = False,
    allowance: Allowance = NO_LIMIT,
) -> Applied:  # fmt: skip
    """Prove the result in a candidate, then move branch and tables.

    Raises Refused where a test says no, with everything undone; Conflict where it is stale or in use.
    """
    check_appliable(repository, release, asked=asked)
    target = target_of(services, release)
    commit = merge_commit(services, repository, target, release)
    identity = uuid4()
    needed = needs_candidate(release)
    candidate = candidate_of(services, target, commit, identity) if needed else None
    delivery = Delivery(services, repository, release, commit, target, candidate, say, allowance)
    arguments = {
        "release": release.number, "commit": commit, "target": to_document(target),
        "candidate": to_document(candidate) if candidate is not None else None,
    }  # fmt: skip
    try:
        perform(
            services.control, _kind(release), target.name, arguments, delivery_steps(delivery), say, identity=identity
        )
    except BaseException as cause:
        note_failure(services, release.number, cause)
        raise
    return Applied(services.control.releases.get(release.number) or release, commit)


def preview_steps(services: DeliveryServices, repository: Repository, release: Release) -> tuple[str, ...]:
    """Return, in words, the very steps that applying takes."""
    target = target_of(services, release)
    candidate = candidate_of(services, target, release.plan.head, uuid4()) if needs_candidate(release) else None
    delivery = Delivery(services, repository, release, release.plan.head, target, candidate, lambda _: None)
    return tuple(step.says for step in delivery_steps(delivery))


def rebuild(services: DeliveryServices, repository: Repository, operation: Operation) -> list[Step]:
    """Return the steps of an interrupted merge or promotion; what another machine pushed of it is fetched."""
    kept = operation.arguments
    number, commit, told = kept["release"], kept["commit"], kept["candidate"]
    assert isinstance(number, int)  # noqa: S101 - our own writing
    assert isinstance(commit, str)  # noqa: S101 - our own writing
    release = services.control.releases.get(number)
    if release is None:
        raise NotFound(f"release {number} is not recorded any more", hint="kitchen release list")
    candidate = from_document(told) if isinstance(told, dict) else None
    if repository.resolve(commit) is None:
        fetch(repository, [release.plan.branch])
    target = from_document(kept["target"])  # type: ignore[arg-type]  # our own writing
    return delivery_steps(Delivery(services, repository, release, commit, target, candidate, lambda _: None))


def needs_candidate(release: Release) -> bool:
    """Say whether anything has to run: where no recipe changed and not all tests are asked for, nothing has to."""
    plan = release.plan
    return bool(plan.nodes) or plan.tests == "all" or any(path.startswith("recipes/") for path in plan.files)


def merge_commit(services: DeliveryServices, repository: Repository, target: Kitchen, release: Release) -> str:
    """Write the commit that brings the source in; no ref moves."""
    plan = release.plan
    merged = merge_result(services, repository, target, plan.base, plan.head, source=plan.source)
    if merged.tree is None:
        raise Conflict(f"{target.name} has everything of {plan.source} already", hint="kitchen release list")
    verb = "Release" if release.kind is ReleaseKind.PROMOTION else "Merge"
    lines = [f"{verb} {plan.source_branch} into {plan.branch}", "", f"Kitchen-Release: {release.number}"]
    return repository.commit_tree(merged.tree, [plan.base, plan.head], "\n".join(lines) + "\n")


def target_of(services: DeliveryServices, release: Release) -> Kitchen:
    """Return the kitchen whose tables a release replaces; raises NotFound."""
    found = services.control.kitchens.get(release.kitchen)
    if found is None or found.kind is Kind.CANDIDATE:
        raise NotFound(f"there is no kitchen {release.kitchen!r} any more", hint="kitchen list")
    return found


def _kind(release: Release) -> str:
    return "promote" if release.kind is ReleaseKind.PROMOTION else "merge"
