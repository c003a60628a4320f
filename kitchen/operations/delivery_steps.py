"""The steps that bring a commit and its tables into a kitchen: prove it in a candidate, then move both together.

Up to the step ``branch`` everything is undone on failure and nobody has seen anything; from there it only goes forward.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace

from kitchen.domain.kitchen import Kind, Kitchen, State
from kitchen.domain.layout import Layer, layer_of
from kitchen.domain.release import ReleaseKind, ReleaseState
from kitchen.domain.run import Run, RunState
from kitchen.domain.words import counted
from kitchen.errors import Conflict, KitchenError, Refused
from kitchen.files.recipe import read_recipe
from kitchen.operations.approvals import refuse_unapproved, who_agreed
from kitchen.operations.delete import delete_steps
from kitchen.operations.delivery_build import (
    Delivery,
    Outdated,
    as_ready,
    build_again,
    build_steps,
    physical,
    table_of,
    watch_file,
    written_meanwhile,
)
from kitchen.operations.delivery_services import DeliveryServices
from kitchen.operations.rebind import rebind_views
from kitchen.operations.sharing import bring_along, has_moved, push_moved
from kitchen.ports import Arrival, Publication, Published, RefUpdate, Remote, Repository
from kitchen.saga import Step

WAIT = 60.0  # seconds that a swap waits for readers before it gives up
_REBUILDS = 2  # times that a swap past its pivot builds its tables again because rows came in


def delivery_steps(delivery: Delivery) -> list[Step]:
    """Return the steps of a release, in order."""
    steps = [_begin(delivery)]
    candidate = delivery.candidate
    if candidate is not None:
        steps += [*build_steps(delivery, candidate), _sealing(delivery, candidate), _rehearsal(delivery)]
    steps += [_closing(delivery), branch_step(delivery)]
    steps += [_swap(delivery), follow_step(delivery.repository, delivery.release.plan.branch, delivery)]
    if delivery.release.kind is ReleaseKind.MERGE:
        steps.append(_children_step(delivery))
    if delivery.tag is not None:
        steps.append(_tag_step(delivery, delivery.tag))
    if candidate is not None:
        gone = [replace(step, pivot=False) for step in delete_steps(delivery.services, candidate)]
        steps += [validate_step(delivery), *gone, _remove_files(delivery)]
    return steps


def _begin(delivery: Delivery) -> Step:
    releases, number = delivery.services.control.releases, delivery.release.number

    def is_on_its_way() -> bool:
        found = releases.get(number)
        return found is not None and found.state is ReleaseState.APPLYING

    def do() -> None:
        releases.move(number, ReleaseState.APPLYING, expected=(ReleaseState.PLANNED, ReleaseState.FAILED))

    def undo() -> None:
        if is_on_its_way():
            releases.move(number, ReleaseState.FAILED, expected=(ReleaseState.APPLYING,))
        delivery.services.control.requests.put_back_of(number)  # whoever did it may be gone: the next runner tries

    return Step("release", f"opening {delivery.release.called}", do=do, look=is_on_its_way, undo=undo)


# --- the move ---------------------------------------------------------------------------------------------------------


def _sealing(delivery: Delivery, candidate: Kitchen) -> Step:
    """What a node left running must not write between the tests and the swap."""
    workspaces = delivery.services.workspaces
    return Step(
        "seal", f"closing {candidate.name}: what was tested is what moves",
        do=lambda: workspaces.seal(candidate), look=lambda: False,
    )  # fmt: skip


def _rehearsal(delivery: Delivery) -> Step:
    def do() -> None:
        if written := written_meanwhile(delivery):
            raise Conflict(
                f"rows came into {', '.join(written)} while the candidate was built, and would be lost",
                hint="try again when nothing writes to it, or let the node build the table anew",
            )
        done = delivery.services.publisher.publish(
            _publication(delivery), wait=WAIT, record=lambda _: None, rehearse=True
        )
        for said in done.left_out:
            delivery.say(f"  not carried over: {said}")

    return Step("rehearsal", "rehearsing the swap", do=do, look=lambda: False)


def _closing(delivery: Delivery) -> Step:
    """Return the last step before the pivot: whoever approved may have left while it was proven."""
    step, number = publishing_step(delivery.services, delivery.target), delivery.release.number

    def do() -> None:
        refuse_unapproved(delivery.services.control.releases.get(number) or delivery.release)
        step.do()

    return replace(step, do=do)


def publishing_step(services: DeliveryServices, target: Kitchen) -> Step:
    """Return the step that shows everybody that a kitchen's branch and tables are about to move."""
    kitchens = services.control.kitchens

    def state() -> State | None:
        found = kitchens.get(target.name)
        return found.state if found is not None and found.id == target.id else None

    def move(to: State, *, expected: State) -> None:
        found = kitchens.get(target.name)
        if found is None or found.state is not to:
            kitchens.save((found or target).with_state(to), expected=expected)

    def undo() -> None:
        if state() is State.PUBLISHING:
            move(State.READY, expected=State.PUBLISHING)

    return Step(
        "publishing", f"closing {target.name} for others while it moves",
        do=lambda: move(State.PUBLISHING, expected=State.READY),
        look=lambda: state() is State.PUBLISHING, undo=undo,
    )  # fmt: skip


def branch_step(delivery: Delivery) -> Step:
    """Return the pivot: the target's branch moves from exactly where the plan saw it."""
    repository, document, commit = delivery.repository, delivery.release.plan, delivery.commit
    if repository.remote is not None:
        return _push_step(delivery, repository.remote)

    def look() -> bool:
        head = repository.head(document.branch)
        return head is not None and (head == commit or repository.is_ancestor(commit, head))

    def do() -> None:
        if commit != document.base and not look():
            reason = f"release {delivery.release.number} into {delivery.target.name}"
            repository.update_refs([RefUpdate(f"refs/heads/{document.branch}", commit, document.base)], reason=reason)

    return Step("branch", f"moving branch {document.branch} to {commit[:12]}", do=do, look=look, pivot=True)


def _push_step(delivery: Delivery, remote: Remote) -> Step:
    """Return the pivot where a project is shared: the remote's branch is the truth, and ours follows it."""
    repository, document, commit = delivery.repository, delivery.release.plan, delivery.commit
    branch, base = document.branch, document.base

    def look() -> bool:
        return has_moved(repository, branch, commit)

    def do() -> None:
        if commit == base:
            return
        try:
            push_moved(repository, branch, commit, base if remote.seen(branch) is not None else None)
        except Refused as refused:
            raise Refused(
                f"{refused.message}; nothing has moved",
                hint=f"push {document.source_branch} and open a pull request into {branch}; what publishes its "
                "tables after that does not exist yet",
            ) from None

    return Step("branch", f"pushing branch {branch} of {remote.name} to {commit[:12]}", do=do, look=look, pivot=True)


def _swap(delivery: Delivery) -> Step:
    services, number = delivery.services, delivery.release.number

    def look() -> bool:
        found = services.control.releases.get(number)
        return found is not None and found.state in (ReleaseState.RELEASED, ReleaseState.ROLLED_BACK)

    def publish() -> None:
        done = services.publisher.publish(_publication(delivery), wait=WAIT, record=lambda d: _record(delivery, d))
        if done.exchanged:
            delivery.say(f"  {counted(len(done.exchanged), 'table')} in {done.seconds * 1000:.0f} ms")

    def do() -> None:
        for _ in range(_REBUILDS):
            if look():
                return
            try:
                publish()
            except Outdated:
                build_again(delivery)
                services.workspaces.seal(as_ready(delivery))
        if not look():
            publish()

    tables = ", ".join(delivery.release.plan.tables) or "no tables"
    return Step("swap", f"moving {tables} into {delivery.target.name}", do=do, look=look)


def _publication(delivery: Delivery) -> Publication:
    layout, target, candidate = delivery.services.layout, delivery.target, delivery.candidate
    arrivals = tuple(
        Arrival(name, layout.schema(target, logical))
        for logical in (layout.logical if candidate is not None else ())
        for name in delivery.services.publisher.contents([layout.schema(as_ready(delivery), logical)])
    )
    drops = tuple(physical(delivery, table) for table in map(table_of, delivery.release.plan.drops))
    written = {arrival.to for arrival in arrivals} | {table.schema for table in drops}
    return Publication(
        arrivals, drops, {schema: layout.archive(schema, delivery.release.number) for schema in sorted(written)},
        target.owner_role, strangers=_roles(candidate), untouched=others_schemas(delivery.services, target),
        mark=target.mark,
    )  # fmt: skip


def _roles(candidate: Kitchen | None) -> frozenset[str]:
    if candidate is None:
        return frozenset()
    return frozenset((candidate.owner_role, candidate.login_role, candidate.reader_role))


def others_schemas(services: DeliveryServices, target: Kitchen) -> frozenset[str]:
    """Return the schemas of all other kitchens: their views stay on the tables that they were made on."""
    others = (kitchen for kitchen in services.control.kitchens.all() if kitchen.name != target.name)
    return frozenset(schema for kitchen in others for schema in services.layout.schemas(kitchen))


def _record(delivery: Delivery, done: Published) -> None:
    """Write, in the swap's own transaction, all that must not be true without it."""
    control, release, target = delivery.services.control, delivery.release, delivery.target
    if written_meanwhile(delivery):  # asked again under the locks: nothing can come in any more
        raise Outdated
    agreed = who_agreed(control.releases.get(release.number) or release)  # judged before it is history
    control.releases.released(release.number, commit=delivery.commit, tag=delivery.tag, exchanged=done.exchanged)
    if target.kind is Kind.STANDING:
        for node, run in _once(delivery):
            control.runs.record_once(target.name, node, run.id)
    open_again(delivery.services, target)
    asked = control.requests.published(release.number)
    detail = {"release": release.number, "commit": delivery.commit, "tables": [str(e.name) for e in done.exchanged],
              **agreed,
              **({"request": asked.number, "asked_by": asked.by} if asked is not None else {})}  # fmt: skip
    control.audit.outcome("publish", target.name, "released", detail)


def open_again(services: DeliveryServices, target: Kitchen) -> None:
    """Make a publishing kitchen ready again."""
    found = services.control.kitchens.get(target.name)
    if found is not None and found.state is State.PUBLISHING:
        services.control.kitchens.save(found.with_state(State.READY), expected=State.PUBLISHING)


def _once(delivery: Delivery) -> Iterator[tuple[str, Run]]:
    """Yield the migrations that ran in the candidate."""
    if delivery.candidate is None:
        return
    if not delivery.folder.exists():  # begun on another machine
        delivery.folder.parent.mkdir(parents=True, exist_ok=True)
        delivery.repository.export(delivery.commit, delivery.folder)
    runs = delivery.services.control.runs
    for recipe in delivery.release.plan.nodes:
        once = {node.name for node in read_recipe(delivery.folder, recipe).nodes if node.once}
        if not once:
            continue
        for brief in runs.all(kitchen=delivery.candidate.name):
            run = runs.get(str(brief.id)) if brief.recipe == recipe else None
            for node in run.nodes if run is not None else ():
                if run is not None and node.node in once and node.state is RunState.PASSED:
                    yield f"{recipe}/{node.node}", run


# --- after it ---------------------------------------------------------------------------------------------------------


def follow_step(repository: Repository, branch: str, delivery: Delivery) -> Step:
    """Return the step that brings the files of worktrees along with their branch."""

    def do() -> None:
        if repository.remote is not None:
            bring_along(repository, branch, delivery.commit, delivery.say)
            return
        for path, checked_out in repository.worktrees().items():
            if checked_out == branch and path.is_dir():
                try:
                    repository.follow(path, delivery.release.plan.base, delivery.commit)
                except Conflict as changed:  # somebody began to edit in this minute: their files are theirs
                    delivery.say(f"  {path} was left as it is: {changed.message}")

    return Step("follow", f"bringing the files of {branch} along", do=do, look=lambda: False)


def _children_step(delivery: Delivery) -> Step:
    """What was stacked on the merged kitchen stands on what it was merged into."""
    services, source, target = delivery.services, delivery.release.plan.source, delivery.target
    kitchens = services.control.kitchens

    def do() -> None:
        there = kitchens.all()
        children = [
            one for one in there if one.parent == source and one.kind is Kind.WORKING and one.state is State.READY
        ]
        moved = {one.name: replace(one, parent=target.name) for one in children}
        after = [moved.get(one.name, one) for one in there]
        for child in moved.values():  # the record is last: once it is written nobody comes back here
            for one in (child, *_below(child, after)):
                _stand_anew(delivery, layer_of(services.layout, one, after))
            kitchens.save(child, expected=State.READY)
            delivery.say(f"  {child.name} stands on {target.name} now")

    return Step("children", f"putting kitchens that stand on {source} on {target.name}", do=do, look=lambda: False)


def _stand_anew(delivery: Delivery, layer: Layer) -> None:
    services = delivery.services
    services.workspaces.rebind(layer, closes=False)
    try:
        rebind_views(services, layer, say=delivery.say)
    except KitchenError as failure:  # whoever merges may not be let into other people's kitchens
        name = layer.kitchen.name
        delivery.say(f"  views of {name} still read older tables: {failure.message} (kitchen update {name})")
    services.workspaces.rebind(layer)


def _below(kitchen: Kitchen, kitchens: Sequence[Kitchen]) -> Iterator[Kitchen]:
    """Yield the kitchens that stand on one, and those that stand on these."""
    for one in kitchens:
        if one.parent == kitchen.name and one.kind is Kind.WORKING and one.state is State.READY:
            yield one
            yield from _below(one, kitchens)


def _tag_step(delivery: Delivery, tag: str) -> Step:
    repository, release = delivery.repository, delivery.release

    def do() -> None:
        repository.tag(tag, delivery.commit, f"Release {release.number} into {release.environment}, by {release.by}")
        if repository.remote is not None:
            try:
                repository.remote.push_tag(tag)
            except (Conflict, Refused) as error:  # the release is out all the same
                delivery.say(f"  tag {tag} is here only: {error.message}")

    return Step("tag", f"tagging {tag}", do=do, look=lambda: False)


def validate_step(delivery: Delivery) -> Step:
    """Return the step that validates the foreign keys which the swap left unvalidated."""

    def do() -> None:
        found = delivery.services.control.releases.get(delivery.release.number)
        tables = [swapped.table for swapped in found.swapped] if found is not None else []
        for broken in delivery.services.publisher.validate(tables) if tables else ():
            delivery.say(f"  does not hold: {broken}")

    return Step("foreign keys", "validating foreign keys", do=do, look=lambda: False)


def _remove_files(delivery: Delivery) -> Step:
    def do() -> None:
        shutil.rmtree(delivery.folder, ignore_errors=True)
        watch_file(delivery).unlink(missing_ok=True)

    return Step("files away", "removing the files of the candidate", do=do, look=lambda: False)


def note_failure(services: DeliveryServices, number: int, cause: BaseException) -> None:
    """Keep why a release failed, for whoever looks at it later."""
    found = services.control.releases.get(number)
    if found is not None and found.state is ReleaseState.FAILED:
        message = cause.message if isinstance(cause, KitchenError) else type(cause).__name__
        services.control.releases.move(number, ReleaseState.FAILED, expected=(ReleaseState.FAILED,), message=message)
