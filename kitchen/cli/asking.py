"""``kitchen merge`` of somebody who may not publish: the runner is asked, and its answer waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitchen.cli import output
from kitchen.cli.delivered import tell_who_publishes
from kitchen.cli.release_output import described

if TYPE_CHECKING:
    from kitchen.app import App, Services
    from kitchen.domain.kitchen import Kitchen
    from kitchen.domain.merge_request import MergeRequest
    from kitchen.operations.asking import Asking


def asked(
    app: App, services: Services, kitchen: Kitchen, *, wait: bool, again: bool, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Show, ask the runner and follow, or follow what was asked before."""
    from kitchen.operations.asking import ask, plan_asking, refuse_refused

    asking = plan_asking(services, app.repository, kitchen)
    if asking.commit is None:
        output.done(f"{asking.target.name} has everything of {kitchen.name} already")
        if as_json:
            output.emit_json({"kitchen": kitchen.name, "into": asking.target.name, "request": None, "release": None})
        return
    if not again:
        refuse_refused(asking)
    if dry_run:
        output.steps(_steps(services, asking), as_json=as_json)
        return
    request = asking.standing
    if request is None:
        _tell(services, asking)
        output.confirm(f"Ask for the merge of {kitchen.name} into {asking.target.name}?", yes=yes)
        output.step(_steps(services, asking)[0])
        request = ask(services, asking)
    elif asking.is_behind:
        output.warn(
            f"request {request.number} is for {request.commit[:12]}; the branch has gone on since. "
            f"To ask for what it has now: kitchen merge {kitchen.name} --withdraw, then kitchen merge {kitchen.name}"
        )
    _tell_absence(services)
    if wait:
        _followed(app, services, request, as_json=as_json)
    elif as_json:
        output.emit_json(_document(services, request))
    else:
        output.done(f"request {request.number}: {kitchen.name} is asked to merge into {request.target}")
        output.say(f"next: kitchen merge {kitchen.name}, which follows it, or kitchen merge {kitchen.name} --withdraw")


def withdrawn(services: Services, kitchen: Kitchen, *, dry_run: bool, as_json: bool) -> None:
    """Take a request back."""
    from kitchen.operations.asking import standing_of, withdraw

    if dry_run:
        found = standing_of(services.control, kitchen)
        says = f"taking back request {found.number}" if found is not None else "nobody asked for a merge"
        output.steps([says], as_json=as_json)
        return
    request = withdraw(services, kitchen)
    if as_json:
        output.emit_json(_document(services, request))
        return
    output.done(f"request {request.number} for {kitchen.name} is taken back; nothing has moved")


def _steps(services: Services, asking: Asking) -> list[str]:
    name, target = asking.kitchen.name, asking.target.name
    commit = (asking.commit or "")[:12]
    if asking.standing is not None:
        return [f"following request {asking.standing.number}: {name} at {commit} into {target}"]
    return [
        f"asking the runner of {services.environment.name} to merge {name} at {commit} into {target}",
        f"the runner proves the merge of exactly {commit} in a throwaway kitchen, with every test that sees it",
        f"only if all is well, the runner moves branch and tables of {target} together",
    ]


def _tell(services: Services, asking: Asking) -> None:
    from kitchen.operations.asking import said_of

    environment = services.environment.name
    output.say(f"{services.person} does not publish in {environment}: its runner is asked")
    for says in _steps(services, asking)[1:]:
        output.say(f"  {says}")
    if asking.refused is not None:
        output.warn(said_of(asking.refused))
    for path in asking.guarded:
        output.warn(f"changes who may do what, what is masked, or what guards: {path}; nobody publishes that unseen")


def _tell_absence(services: Services) -> None:
    """Say where nobody would answer, and what starts somebody who does."""
    from kitchen.operations.asking import absent_runner

    is_absent, last = absent_runner(services)
    if is_absent:
        name = services.environment.name
        seen = f"since {last.seen_at:%Y-%m-%d %H:%M} UTC ({last.name} on {last.host})" if last is not None else "ever"
        output.warn(
            f"no runner has been seen in {name} {seen}; the request waits. Its DataOps engineer types: "
            f"kitchen schedule serve -e {name}, or once: kitchen ci publish -e {name}"
        )


def _followed(app: App, services: Services, request: MergeRequest, *, as_json: bool) -> None:
    from kitchen.operations.asking import follow, raise_refusal
    from kitchen.operations.sharing import fetch_if_there

    try:
        ended = follow(services, request.number, tell=lambda said: output.step(f"request {request.number}: {said}"))
    except KeyboardInterrupt as stopped:
        stopped.add_note(
            f"request {request.number} stands: kitchen merge {request.kitchen} follows it, "
            f"kitchen status {request.kitchen} shows it, kitchen merge {request.kitchen} --withdraw takes it back"
        )
        raise
    target = services.control.kitchens.get(ended.target)  # its branch has moved in the remote, not here
    fetch_if_there(app.repository, [target.branch if target is not None else None], output.warn)
    raise_refusal(ended)
    tell_who_publishes(app, services)
    if as_json:
        output.emit_json(_document(services, ended))
        return
    release = f"release {ended.release}, by {ended.taken_by}" if ended.release is not None else ended.said
    output.done(f"{ended.kitchen} is in {ended.target} ({release})")
    output.say(f"next: kitchen delete {ended.kitchen}, or kitchen update K in each kitchen that shall have it")


def _document(services: Services, request: MergeRequest) -> dict[str, object]:
    release = services.control.releases.get(request.release) if request.release is not None else None
    return {"kitchen": request.kitchen, "into": request.target, "request": request_document(request),
            "release": described(release) if release is not None else None}  # fmt: skip


def request_document(request: MergeRequest) -> dict[str, object]:
    """Return a request as ``--json`` prints it."""
    return {"number": request.number, "kitchen": request.kitchen, "into": request.target, "commit": request.commit,
            "by": request.by, "asked_at": request.asked_at, "state": request.state, "taken_by": request.taken_by,
            "release": request.release, "exit_code": request.code, "said": request.said, "hint": request.hint,
            "waiting_for": request.said if request.state == "waiting" else None}  # fmt: skip
