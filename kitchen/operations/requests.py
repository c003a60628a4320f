"""The runner's part: answers what people asked to merge, one after the other, each by an ordinary merge."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from kitchen.domain.journal import Operation
from kitchen.domain.kitchen import Kitchen, State
from kitchen.domain.merge_request import AT_MOST, ATTEMPTS, ROUNDS, MergeRequest, RequestState
from kitchen.domain.recipe import NodeKind
from kitchen.domain.release import Release, ReleasePlan, ReleaseState
from kitchen.domain.words import counted
from kitchen.errors import Conflict, KitchenError, NotFound, NotPermitted, Refused, Unavailable
from kitchen.files.recipe import read_recipe
from kitchen.operations.allowance import Allowance
from kitchen.operations.apply import apply
from kitchen.operations.approvals import may_approve
from kitchen.operations.asking import ANSWERING
from kitchen.operations.delivery import merge_result
from kitchen.operations.delivery_services import DeliveryServices
from kitchen.operations.merge import Merge, plan_asked, record
from kitchen.operations.private_folders import private_folder
from kitchen.operations.recover import is_alive, recover_one
from kitchen.operations.sharing import fetch, truth
from kitchen.ports import Control, Repository

Say = Callable[[str], None]


_GRACE = 5.0  # seconds for the server to notice that a process is gone
_NAMED = 5  # people of whom one is waited for
_PROGRAMS = (NodeKind.PYTHON, NodeKind.COMMAND)  # what a node starts on the machine of whoever runs it


@dataclass(frozen=True, slots=True)
class Answer:
    """A request after its turn, and what kept it from being published."""

    request: MergeRequest
    error: KitchenError | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What a runner does for those who ask; ``at_most`` is the time for what one request runs."""

    programs: bool = False
    at_most: timedelta | None = AT_MOST


def answer_all(
    services: DeliveryServices, repository: Repository, *, say: Say, terms: Terms = Terms()
) -> Iterator[Answer]:
    """Answer what is due, oldest first, and yield each as it ends or as it has to wait.

    Without ``programs`` what would start Python or a command on this machine, as us, is refused: whoever wrote it
    could read what we can. Raises Conflict where another runner is at it.
    """
    control = services.control
    with control.locks.hold(ANSWERING, purpose="ci publish"):
        _end_left(services, repository, say)
        for request in control.requests.due():
            yield _turn(services, repository, request, say, terms)


def _end_left(services: DeliveryServices, repository: Repository, say: Say) -> None:
    """Finish or undo what a runner left that is gone: nobody holds the lock but us."""
    control = services.control
    for operation in control.journal.unfinished():
        release = operation.arguments.get("release")
        if operation.kind != "merge" or not isinstance(release, int):
            continue
        request = control.requests.of_release(release)
        if request is not None and _is_gone(control, operation):
            say(f"ending what was left of request {request.number}, {request.kitchen} into {request.target}")
            with suppress(KitchenError):  # said by its turn: the request stays as it is, and the next one tries again
                recover_one(services, repository, operation, undo=False, say=say)


def _is_gone(control: Control, operation: Operation) -> bool:
    """Say whether nobody is at it: of a process that was killed, the server frees one lock a moment after another."""
    return _within_grace(lambda: not is_alive(control, operation))


def _within_grace(true: Callable[[], bool]) -> bool:
    give_up = time.monotonic() + _GRACE
    while not true():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.1)
    return True


def _turn(services: DeliveryServices, repository: Repository, request: MergeRequest, say: Say, terms: Terms) -> Answer:
    control = services.control
    say(f"request {request.number} of {request.by}: {request.kitchen} at {request.commit[:12]} into {request.target}")
    try:
        if request.state is RequestState.PROVING:
            request = _taken_up(control, request)
        if request.attempts >= ATTEMPTS:
            raise KitchenError(f"given up: {request.attempts} runners were interrupted while they proved it")
        if (why := control.requests.unwanted(request.number)) is not None:
            raise NotPermitted(why)
        _wait_for_target(control, request)
    except Unavailable as away:
        return Answer(request, away)
    except KitchenError as error:
        return Answer(_refused(control, request, error), error)
    return _answered(services, repository, request, say, terms)


def _taken_up(control: Control, request: MergeRequest) -> MergeRequest:
    """Queue a request again whose runner is gone; raises Unavailable where what it left could not be ended."""
    if _is_half_way(control, request):
        raise Unavailable(f"what was left of it, release {request.release}, could not be ended", hint="kitchen recover")
    control.requests.put_back(request.number)
    return control.requests.get(request.number) or request


def _wait_for_target(control: Control, request: MergeRequest) -> None:
    """Raise Unavailable, which keeps the request, where the target is half-way or in somebody's hands."""
    is_free = _within_grace(lambda: request.target not in control.locks.held())
    target = control.kitchens.get(request.target)
    if target is not None and (target.state is State.PUBLISHING or not is_free):
        raise Unavailable(f"{target.name} is being published to; the request waits", hint="kitchen list")


def _answered(
    services: DeliveryServices, repository: Repository, request: MergeRequest, say: Say, terms: Terms
) -> Answer:
    """Prove it on what the target is, and again on what it has become meanwhile, a few times."""
    requests, allowance = services.control.requests, Allowance(terms.at_most)
    for left in reversed(range(ROUNDS)):
        if not requests.take(request.number):
            break
        base: str | None = None
        try:
            with allowance.limits():
                merge = planned(services, repository, request)
            base = merge.plan.base if merge.plan is not None else None
            _carry(services, repository, request, merge, say=say, programs=terms.programs, allowance=allowance)
            break
        except Conflict as moved:
            if not (left and base and _has_moved(services, repository, request, base)):
                return _failed(services.control, request, moved, base)
            said = f"{request.target} has moved while it was proven"
            requests.put_back(request.number, said=said, counts=False)
            say(f"request {request.number}: {said}: proving it on what is there now")
        except KitchenError as wrong:
            return _failed(services.control, request, wrong, base)
        except BaseException:
            with suppress(KitchenError):
                _put_back(services.control, request)
            raise
    return Answer(requests.get(request.number) or request)


def _has_moved(services: DeliveryServices, repository: Repository, request: MergeRequest, base: str) -> bool:
    """Say whether the target's branch is another than the one that a plan, of which nothing is left, was made for."""
    target = services.control.kitchens.get(request.target)
    if target is None or _is_half_way(services.control, request):
        return False
    with suppress(KitchenError):
        fetch(repository, [target.branch])
        return truth(repository, target.branch) != base
    return False


def _failed(control: Control, request: MergeRequest, error: KitchenError, base: str | None) -> Answer:
    _end(control, request, error, base)
    return Answer(control.requests.get(request.number) or request, error)


def _carry(
    services: DeliveryServices, repository: Repository, request: MergeRequest, merge: Merge, *, say: Say,
    programs: bool, allowance: Allowance,
) -> None:  # fmt: skip
    """Do what was planned, or have it wait for those who must agree."""
    requests = services.control.requests
    if merge.plan is None:
        requests.fulfilled(request.number, f"{request.target} has everything of it already")
        return
    _refuse_guarded(request, merge.plan)
    if not programs:
        _refuse_programs(services, repository, merge.target, merge.plan)
    release = record(services, merge, merge.plan)
    requests.plan(request.number, release.number)
    _supersede(services.control, request, release)
    if release.missing_approvals:
        requests.wait(request.number, *_waiting_for(services, request, release))
        return
    apply(services, repository, release, say=say, asked=True, allowance=allowance)


def _supersede(control: Control, request: MergeRequest, release: Release) -> None:
    """Say of the plan that a request waited with, where it is another now, that nobody has to agree to it any more."""
    if request.release not in (None, release.number):
        with suppress(Conflict):
            control.releases.move(
                request.release, ReleaseState.FAILED, expected=(ReleaseState.PLANNED,),
                message=f"{request.target} has moved: planned anew as release {release.number}",
            )  # fmt: skip


def _waiting_for(services: DeliveryServices, request: MergeRequest, release: Release) -> tuple[str, str]:
    """Return for whose approval a request waits, and what they type."""
    name = services.environment.name
    agreed = {one.by for one in release.agreed}
    whom = [who for who in may_approve(services, but=(request.by,)) if who not in agreed]
    if len(whom) < release.missing_approvals:
        lacking = f", and {name} has {'nobody' if not whom else 'only ' + ', '.join(whom)} who may give it"
        hint = f"kitchen environment admit PERSON -e {name} --role releaser"
    else:
        shown = whom if len(whom) <= _NAMED else [*whom[:_NAMED], f"{len(whom) - _NAMED} others"]
        lacking = f" by {' or '.join(shown)}"
        hint = f"kitchen release approve {release.number} -e {name}"
    more = counted(release.missing_approvals, "approval")
    return f"waiting for {more} of release {release.number}{lacking}", hint


def _refuse_guarded(request: MergeRequest, plan: ReleasePlan) -> None:
    """Raise Refused where access lists, gates or masking would change and nobody else has to agree."""
    if plan.guarded and not plan.approvals:
        raise Refused(
            f"it changes {', '.join(plan.guarded[:5])}: who may do what, what is masked, or what guards it, "
            "which no runner publishes unseen",
            hint=f"somebody who may publish looks at it and types: kitchen merge {request.kitchen}",
        )


def _refuse_programs(services: DeliveryServices, repository: Repository, target: Kitchen, plan: ReleasePlan) -> None:
    """Raise Refused where what has to run starts programs here."""
    merged = merge_result(services, repository, target, plan.base, plan.head, source=plan.source)
    if merged.tree is None or not plan.nodes:
        return
    with private_folder("asked") as folder:
        tree = folder.path / "files"
        repository.export(repository.commit_tree(merged.tree, [plan.base, plan.head], "kitchen: what is asked"), tree)
        for recipe, names in plan.nodes.items():
            for node in read_recipe(tree, recipe).nodes:
                if node.name in names and node.kind in _PROGRAMS:
                    raise Refused(
                        f"node {node.name} of {recipe} is a program ({node.kind}), and this runner starts none: "
                        "it could read what the runner can",
                        hint="make it a container node; or a DataOps engineer who trusts it types: "
                        "kitchen ci publish --programs",
                    )


def planned(services: DeliveryServices, repository: Repository, request: MergeRequest) -> Merge:
    """Return what answering a request would do; nothing moves."""
    kitchen = services.control.kitchens.get(request.kitchen)
    if kitchen is None or kitchen.id != request.kitchen_id:
        raise NotFound(f"kitchen {request.kitchen!r} is not there any more", hint="kitchen list")
    return plan_asked(services, repository, kitchen, request.commit)


def _end(control: Control, request: MergeRequest, error: KitchenError, base: str | None) -> None:
    """Record why it is not published; what is past its pivot, or could not be asked, stays standing."""
    if _is_half_way(control, request):
        return
    if isinstance(error, Unavailable):
        control.requests.put_back(request.number, said=error.message, counts=False)
        return
    _refused(control, request, error, base)


def _put_back(control: Control, request: MergeRequest) -> None:
    if not _is_half_way(control, request):
        control.requests.put_back(request.number)


def _refused(control: Control, request: MergeRequest, error: KitchenError, base: str | None = None) -> MergeRequest:
    control.requests.refuse(request.number, error.exit_code, error.message, error.hint, base=base)
    detail = {"request": request.number, "asked_by": request.by, "why": error.message}
    control.audit.outcome("publish", request.target, "refused", detail)
    return control.requests.get(request.number) or request


def _is_half_way(control: Control, request: MergeRequest) -> bool:
    release = _release(control, control.requests.get(request.number) or request)
    return release is not None and release.state is ReleaseState.APPLYING


def _release(control: Control, request: MergeRequest) -> Release | None:
    return control.releases.get(request.release) if request.release is not None else None
