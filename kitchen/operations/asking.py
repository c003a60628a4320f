"""Whoever may not publish asks the runner for a merge, and follows what becomes of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from kitchen.domain.guarded import is_guarded
from kitchen.domain.journal import StepState
from kitchen.domain.kitchen import Kitchen
from kitchen.domain.merge_request import MergeRequest, Presence, RequestState
from kitchen.errors import (
    Conflict,
    Incomplete,
    InvalidInput,
    KitchenError,
    NotFound,
    NotPermitted,
    Refused,
    Unavailable,
)
from kitchen.operations.delivery import head_of, merge_result, refuse_dirty, shared_head_of
from kitchen.operations.delivery_services import DeliveryServices
from kitchen.operations.merge import target_of
from kitchen.operations.sharing import fetch, refuse_behind
from kitchen.operations.unfinished import refuse_publishing
from kitchen.ports import Control, Repository

ANSWERING = "merge requests"  # the lock of whoever answers: one after the other
PAUSE = 0.5  # seconds between two looks at a request
_PATIENCE = 20  # looks in a row without an answer of the server
_LOOKS = 20  # between two questions whether a runner is there

Say = Callable[[str], None]

_FAMILIES: tuple[type[KitchenError], ...] = (
    InvalidInput, NotFound, Conflict, Refused, Unavailable, Incomplete, NotPermitted
)  # fmt: skip


class Services(Protocol):
    """What following a request asks of an environment."""

    @property
    def control(self) -> Control: ...


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked for, or was already; ``commit`` is None where the parent has everything."""

    kitchen: Kitchen
    target: Kitchen
    commit: str | None
    standing: MergeRequest | None
    is_behind: bool = False  # the branch has gone on since it was asked for
    guarded: tuple[str, ...] = ()  # files of it that say who may do what, what is masked, or what guards
    refused: MergeRequest | None = None  # the last answer, where it was a refusal of the same commit
    is_changed: bool = True  # the target's branch, since that refusal


def plan_asking(services: DeliveryServices, repository: Repository, kitchen: Kitchen) -> Asking:
    """Return what asking would ask for, after everything that can be found out without anybody's help.

    Raises NotPermitted for somebody else's kitchen, Conflict for what is not committed, not pushed, unfinished, or does
    not merge.
    """
    control, target = services.control, target_of(services.control, kitchen)
    if services.person not in (kitchen.owner, *kitchen.staff):
        raise NotPermitted(
            f"kitchen {kitchen.name!r} is {kitchen.owner}'s: its owner and staff ask for its merge",
            hint=f"{kitchen.owner} types: kitchen staff add {services.person} -k {kitchen.name}",
        )
    if (known := standing_of(control, kitchen)) is not None:
        head = repository.head(kitchen.branch) if kitchen.branch is not None else None
        return Asking(kitchen, target, known.commit, known, is_behind=head is not None and head != known.commit)
    _refuse_unfinished(control, kitchen)
    if target.name not in control.locks.held():  # somebody publishes just now: the request waits for that
        refuse_publishing(control, target)
    fetch(repository, [kitchen.branch, target.branch])
    source, base = head_of(repository, kitchen), shared_head_of(repository, target)
    assert kitchen.branch is not None  # noqa: S101 - its head was read
    refuse_dirty(repository, kitchen.branch, any_change=True)
    refuse_behind(repository, kitchen.branch, kitchen.name)
    _refuse_unshared(repository, kitchen.branch, source)
    merged = merge_result(services, repository, target, base, source, source=kitchen.name)
    if merged.is_up_to_date or merged.tree is None:
        return Asking(kitchen, target, None, None)
    result = repository.commit_tree(merged.tree, [merged.target, merged.source], "kitchen: merge result")
    guarded = tuple(path for path in repository.changed_paths(merged.target, result) if is_guarded(path))
    refused = _refusal(control, kitchen, target, source)
    changed = refused is None or refused.base != base
    return Asking(kitchen, target, source, None, guarded=guarded, refused=refused, is_changed=changed)


def _refusal(control: Control, kitchen: Kitchen, target: Kitchen, commit: str) -> MergeRequest | None:
    """Return the newest request of a kitchen where it was for the same and was refused."""
    for last in control.requests.newest_of([kitchen.id]):
        if last.state is RequestState.REFUSED and (last.commit, last.target) == (commit, target.name):
            return last
    return None


def refuse_refused(asking: Asking) -> None:
    """Raise Refused, with the answer of then, where the same was refused and nothing has changed since."""
    if asking.refused is not None and not asking.is_changed:
        raise Refused(
            f"{said_of(asking.refused)}; neither it nor {asking.target.name} has changed since",
            hint=f"commit what mends it and push, or ask all the same: kitchen merge {asking.kitchen.name} --again",
        )


def said_of(refused: MergeRequest) -> str:
    """Return, in words, what was refused, when and why."""
    when = f", {refused.ended_at:%Y-%m-%d %H:%M} UTC" if refused.ended_at is not None else ""
    by = f" by {refused.taken_by}" if refused.taken_by is not None else ""
    return f"{refused.commit[:12]} was refused{by} (request {refused.number}{when}): {refused.said}"


def standing_of(control: Control, kitchen: Kitchen) -> MergeRequest | None:
    """Return the request that stands for a kitchen, or None."""
    return next((each for each in control.requests.standing() if each.kitchen_id == kitchen.id), None)


def _refuse_unfinished(control: Control, kitchen: Kitchen) -> None:
    left = [each for each in control.journal.unfinished() if each.subject == kitchen.name]
    if left:
        raise Conflict(
            f"a {left[0].kind} of {kitchen.name!r} is under way, or was interrupted half-way",
            hint=f"kitchen recover {str(left[0].id)[:8]}",
        )


def _refuse_unshared(repository: Repository, branch: str, head: str) -> None:
    remote = repository.remote
    if remote is not None and remote.seen(branch) != head:
        raise Conflict(
            f"branch {branch} here has commits that {remote.name} has not: the runner proves what is there",
            hint=f"git push {remote.name} {branch}",
        )


def ask(services: Services, asking: Asking) -> MergeRequest:
    """Ask, and return the request."""
    assert asking.commit is not None  # noqa: S101 - there is something to merge
    number = services.control.requests.ask(asking.kitchen.id, asking.commit)
    return _got(services, number)


def withdraw(services: Services, kitchen: Kitchen) -> MergeRequest:
    """Take back what stands for a kitchen; raises NotFound where nothing does, Conflict where it is being answered."""
    found = standing_of(services.control, kitchen)
    if found is None:
        raise NotFound(f"nobody asked for a merge of {kitchen.name!r}", hint=f"kitchen merge {kitchen.name}")
    state = services.control.requests.withdraw(found.number)
    if state != RequestState.WITHDRAWN:
        raise Conflict(
            f"request {found.number} is {state} already", hint=f"kitchen merge {kitchen.name}, which follows it"
        )
    return _got(services, found.number)


def absent_runner(services: Services) -> tuple[bool, Presence | None]:
    """Return whether nobody answers requests at the moment, and the runner that was seen last."""
    found = services.control.requests.runners()
    last = found[0] if found else None
    is_there = last is not None and last.is_there
    return not is_there and ANSWERING not in services.control.locks.held(), last


def follow(services: Services, number: int, *, tell: Say) -> MergeRequest:
    """Tell what becomes of a request, each word once, and return it when it has ended."""
    said, missed, looks = "", 0, 0
    is_alone = False
    while True:
        try:
            request = _got(services, number)
            if request.state is RequestState.QUEUED and looks % _LOOKS == _LOOKS - 1:
                is_alone = absent_runner(services)[0]
            now = _described(services, request, is_alone=is_alone) if request.is_standing else said
            missed, looks = 0, looks + 1
        except Unavailable:
            missed += 1
            if missed > _PATIENCE:
                raise
            now = "the server does not answer"
        else:
            if not request.is_standing:
                return request
        if now != said:
            tell(now)
            said = now
        time.sleep(PAUSE)


def _described(services: Services, request: MergeRequest, *, is_alone: bool) -> str:
    if request.state is RequestState.QUEUED:
        first = [each for each in services.control.requests.standing() if each.number < request.number]
        before = f", {len(first)} before it" if first else ""
        why = "no runner is there" if is_alone else request.said
        return f"queued{before}" + (f" ({why})" if why else "")
    if request.state is RequestState.WAITING:
        return request.said or "waiting for approval"
    doing = _step_of(services.control, request)
    return f"proving, by {request.taken_by}" + (f": {doing}" if doing else "")


def _step_of(control: Control, request: MergeRequest) -> str | None:
    """Return the step in which the runner's merge is."""
    if request.release is None:
        return None
    for operation in control.journal.unfinished():
        if operation.arguments.get("release") == request.release:
            begun = [name for name, state in operation.steps.items() if state is StepState.STARTED]
            return begun[-1] if begun else None
    return None


def raise_refusal(request: MergeRequest) -> None:
    """Raise what the merge itself would have raised, where the request was refused or taken back."""
    if request.state is RequestState.WITHDRAWN:
        raise Refused(f"request {request.number} was taken back; nothing has moved")
    if request.state is not RequestState.REFUSED:
        return
    family = next((each for each in _FAMILIES if each.exit_code == request.code), KitchenError)
    raise family(request.said or "refused", hint=request.hint)


def _got(services: Services, number: int) -> MergeRequest:
    found = services.control.requests.get(number)
    if found is None:
        raise NotFound(f"there is no request {number} any more", hint="kitchen list")
    return found
