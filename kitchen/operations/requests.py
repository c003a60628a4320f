"""The runner's part: answers what people asked to merge, one after the other, each by an ordinary merge."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kitchen.domain.journal import Operation
from kitchen.domain.kitchen import Kitchen, State
from kitchen.domain.merge_request import ATTEMPTS, MergeRequest, RequestState
from kitchen.domain.recipe import NodeKind
from kitchen.domain.release import Release, ReleasePlan, ReleaseState
from kitchen.errors import KitchenError, NotFound, NotPermitted, Refused, Unavailable
from kitchen.files.recipe import read_recipe
from kitchen.operations.apply import apply
from kitchen.operations.asking import ANSWERING
from kitchen.operations.delivery import merge_result
from kitchen.operations.delivery_services import DeliveryServices
from kitchen.operations.merge import Merge, plan_asked, record
from kitchen.operations.recover import is_alive, recover_one
from kitchen.ports import Control, Repository

Say = Callable[[str], None]


_GRACE = 5.0  # seconds for the server to notice that a process is gone
_PROGRAMS = (NodeKind.PYTHON, NodeKind.COMMAND)  # what a node starts on the machine of whoever runs it


@dataclass(frozen=True, slots=True)
class Answer:
    """A request after its turn, and what kept it from being published."""

    request: MergeRequest
    error: KitchenError | None = None


def answer_all(
    services: DeliveryServices, repository: Repository, *, say: Say, programs: bool = False
) -> Iterator[Answer]:
    """Answer what stands, oldest first, and yield each as it ends or as it has to wait.

    Without ``programs`` what would start Python or a command on this machine, as us, is refused: whoever wrote it
    could read what we can. Raises Conflict where another runner is at it.
    """
    control = services.control
    with control.locks.hold(ANSWERING, purpose="ci publish"):
        _end_left(services, repository, say)
        for request in control.requests.standing():
            yield _turn(services, repository, request, say, programs=programs)


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
    give_up = time.monotonic() + _GRACE
    while is_alive(control, operation):
        if time.monotonic() > give_up:
            return False
        time.sleep(0.1)
    return True


def _turn(
    services: DeliveryServices, repository: Repository, request: MergeRequest, say: Say, *, programs: bool
) -> Answer:
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
    return _answered(services, repository, request, say, programs=programs)


def _taken_up(control: Control, request: MergeRequest) -> MergeRequest:
    """Queue a request again whose runner is gone; raises Unavailable where what it left could not be ended."""
    if _is_half_way(control, request):
        raise Unavailable(f"what was left of it, release {request.release}, could not be ended", hint="kitchen recover")
    control.requests.put_back(request.number)
    return control.requests.get(request.number) or request


def _wait_for_target(control: Control, request: MergeRequest) -> None:
    """Raise Unavailable, which keeps the request, where the target is half-way or in somebody's hands."""
    target = control.kitchens.get(request.target)
    if target is not None and (target.state is State.PUBLISHING or target.name in control.locks.held()):
        raise Unavailable(f"{target.name} is being published to; the request waits", hint="kitchen list")


def _answered(
    services: DeliveryServices, repository: Repository, request: MergeRequest, say: Say, *, programs: bool
) -> Answer:
    requests = services.control.requests
    if not requests.take(request.number):
        return Answer(requests.get(request.number) or request)
    error: KitchenError | None = None
    try:
        _merge(services, repository, request, say, programs=programs)
    except KitchenError as wrong:
        error = wrong
        _end(services.control, request, wrong)
    except BaseException:
        with suppress(KitchenError):
            _put_back(services.control, request)
        raise
    return Answer(requests.get(request.number) or request, error)


def _merge(
    services: DeliveryServices, repository: Repository, request: MergeRequest, say: Say, *, programs: bool
) -> None:
    merge = planned(services, repository, request)
    if merge.plan is None:
        services.control.requests.fulfilled(request.number, f"{request.target} has everything of it already")
        return
    _refuse_guarded(request, merge.plan)
    if not programs:
        _refuse_programs(services, repository, merge.target, merge.plan)
    release = record(services, merge, merge.plan)
    services.control.requests.plan(request.number, release.number)
    apply(services, repository, release, say=say, asked=True)


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
    with tempfile.TemporaryDirectory(prefix="kitchen-asked-") as folder:
        tree = Path(folder) / "files"
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


def _end(control: Control, request: MergeRequest, error: KitchenError) -> None:
    """Record why it is not published; what is past its pivot, or could not be asked, stays standing."""
    if _is_half_way(control, request):
        return
    if isinstance(error, Unavailable):
        control.requests.put_back(request.number, said=error.message, counts=False)
        return
    _refused(control, request, error)


def _put_back(control: Control, request: MergeRequest) -> None:
    if not _is_half_way(control, request):
        control.requests.put_back(request.number)


def _refused(control: Control, request: MergeRequest, error: KitchenError) -> MergeRequest:
    control.requests.refuse(request.number, error.exit_code, error.message, error.hint)
    detail = {"request": request.number, "asked_by": request.by, "why": error.message}
    control.audit.outcome("publish", request.target, "refused", detail)
    return control.requests.get(request.number) or request


def _is_half_way(control: Control, request: MergeRequest) -> bool:
    release = _release(control, control.requests.get(request.number) or request)
    return release is not None and release.state is ReleaseState.APPLYING


def _release(control: Control, request: MergeRequest) -> Release | None:
    return control.releases.get(request.release) if request.release is not None else None
