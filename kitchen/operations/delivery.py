"""What a change does to the kitchen above: which nodes must run there, which tables follow, and what guards it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kitchen.domain.environment import Gates
from kitchen.domain.guarded import is_guarded
from kitchen.domain.kitchen import Kind, Kitchen
from kitchen.domain.layout import TableName
from kitchen.domain.release import Release, ReleaseKind, ReleasePlan, ReleaseState
from kitchen.engine.fingerprint import affected
from kitchen.engine.plan import Plan, plan, promises
from kitchen.errors import Conflict, InvalidInput, NotFound
from kitchen.files.environment import read_environments
from kitchen.files.recipe import list_recipes, read_recipe
from kitchen.operations.above import Above
from kitchen.operations.delivery_services import DeliveryServices
from kitchen.operations.private_folders import private_folder
from kitchen.operations.review import agreement
from kitchen.operations.sharing import base_of, here, truth
from kitchen.operations.unfinished import git_in, halted, way_out
from kitchen.ports import MergePreview, Repository


@dataclass(frozen=True, slots=True)
class Effect:
    """What must run in the target because of a change: recipes in the order in which they feed each other."""

    nodes: Mapping[str, tuple[str, ...]]
    writes: frozenset[TableName]  # by logical name
    drops: frozenset[TableName]
    changes: frozenset[TableName]  # copied and changed, not built anew
    left: tuple[str, ...] = ()  # said in words: tables that no node builds any more


def head_of(repository: Repository, kitchen: Kitchen) -> str:
    """Return the head of a kitchen's own branch, as it is here; raises NotFound."""
    return _found(here(repository, kitchen.branch), kitchen)


def shared_head_of(repository: Repository, kitchen: Kitchen | Above) -> str:
    """Return the head of a branch that others move, too: as last fetched where there is a remote; raises NotFound."""
    return _found(truth(repository, kitchen.branch), kitchen)


def target_head_of(repository: Repository, kitchen: Kitchen) -> str:
    """Return what a change of a kitchen's branch starts from; raises Conflict where commits here are not shared."""
    return _found(base_of(repository, kitchen.branch) if kitchen.branch is not None else None, kitchen)


def _found(head: str | None, kitchen: Kitchen | Above) -> str:
    if head is None:
        raise NotFound(f"the branch {kitchen.branch!r} of {kitchen.name!r} is not here", hint="git fetch")
    return head


def merge_result(
    services: DeliveryServices, repository: Repository, target: Kitchen, base: str, head: str, *, source: str
) -> MergePreview:
    """Merge in memory, with what was rolled back in the target counted as if it had stayed.

    Git takes a rolled back change for one that the target has and does not want: brought in again with what mends
    it, it would be left out without a word. Raises Conflict, naming the paths, where the merge does not go.
    """
    merged = repository.preview_merge(base, head)
    if merged.is_up_to_date:
        return merged
    ours = base
    for rollback in _unknown_to(services, repository, target, base, head):
        tree = three_way(repository, str(rollback.commit), ours, rollback.plan.base)
        if tree is not None:
            ours = repository.commit_tree(tree, [ours], "kitchen: without the rollback")
    if ours != base:
        merged = replace(repository.preview_merge(ours, head), target=base, base=merged.base)
    if merged.tree is None:
        raise Conflict(
            f"{source} and {target.name} changed the same lines of {', '.join(merged.conflicts)}",
            hint=f"kitchen {'resolve' if ours == base else 'update'} {source}, then try again",
        )
    return merged


def _unknown_to(
    services: DeliveryServices, repository: Repository, target: Kitchen, base: str, head: str
) -> list[Release]:
    """Return rollbacks that a head was not begun, nor brought up to date, after: it does not say what it means."""
    return [
        rollback
        for rollback in _rollbacks(services, target)
        if rollback.commit is not None
        and repository.is_ancestor(rollback.commit, base)
        and not repository.is_ancestor(rollback.commit, head)
    ]


def _again(
    services: DeliveryServices, repository: Repository, target: Kitchen, base: str, head: str
) -> tuple[int, ...]:
    """Return the releases that were rolled back, and whose changes a head brings in again."""
    back = [(r.plan.restores or 0, r.number) for r in _unknown_to(services, repository, target, base, head)]
    return tuple(
        sorted(
            release.number
            for release in services.control.releases.all(kitchen=target.name)
            if release.state is ReleaseState.ROLLED_BACK and any(after < release.number < by for after, by in back)
        )
    )


def _rollbacks(services: DeliveryServices, target: Kitchen) -> tuple[Release, ...]:
    """Return rollbacks whose releases are still out, newest first."""
    known = services.control.releases.all(kitchen=target.name)
    out = [r.number for r in known if r.state is ReleaseState.ROLLED_BACK]
    newest = max((r.number for r in known if _is_in(r) and r.kind is not ReleaseKind.ROLLBACK), default=0)
    return tuple(
        r
        for r in known
        if _is_in(r)
        and r.kind is ReleaseKind.ROLLBACK
        and r.number > newest
        and any((r.plan.restores or 0) < number < r.number for number in out)
    )


def _is_in(release: Release) -> bool:
    return release.state is ReleaseState.RELEASED


def three_way(repository: Repository, base: str, ours: str, theirs: str) -> str | None:
    """Merge three trees as if the first were the ancestor of the others; None where that does not go."""
    root = repository.commit_tree(repository.tree_of(base), [], "base")
    one = repository.commit_tree(repository.tree_of(ours), [root], "ours")
    other = repository.commit_tree(repository.tree_of(theirs), [root], "theirs")
    return repository.preview_merge(one, other).tree


def refuse_dirty(repository: Repository, branch: str, *, any_change: bool, incoming: Collection[str] = ()) -> None:
    """Raise Conflict, naming files, where a worktree of a branch has changes that a move would lose or leave out.

    With ``any_change`` every change counts; else new files count only where something of that name comes in.
    """
    head = repository.head(branch)
    for path, checked_out in repository.worktrees().items():
        if checked_out != branch or not path.is_dir():
            continue
        working = repository.working(path)
        if working.halted is not None or working.unresolved:
            raise Conflict(halted(path, working), hint=way_out(path, working))
        changes = working.paths
        if changes and not any_change and head is not None:
            known = {*repository.files(head, ""), *incoming}
            changes = tuple(change for change in changes if change in known)
        if changes:
            more, git = f" and {len(changes) - 5} more" if len(changes) > 5 else "", git_in(path)
            raise Conflict(
                f"{path} has changes that are not committed: {', '.join(changes[:5])}{more}",
                hint=f"{git} add --all && {git} commit, or {git} stash --include-untracked",
            )


def effect_of(services: DeliveryServices, repository: Repository, target: Kitchen, before: str, tree: Path) -> Effect:
    """Compare the recipes of a commit with those below a folder, over what the target sees."""
    with private_folder("before") as folder:
        old = folder.path / "files"
        repository.export(before, old)
        known, own = _known(services, target)
        recipes = {name: read_recipe(tree, name) for name in list_recipes(tree)}
        promised = promises(recipes.values(), services.layout, known)  # one new recipe may read what another makes
        olds = {name: _plan_or_none(services, old, name, known, promised) for name in list_recipes(old)}
        news = {name: plan(one, services.layout, known, promised=promised) for name, one in recipes.items()}
    nodes = _affected(olds, news, known)
    runs = {name: tuple(p.name for p in news[name].nodes if p.name in chosen) for name, chosen in nodes.items()}
    writes = frozenset(table for name, chosen in runs.items() for table in news[name].writes(chosen))
    drops = frozenset(
        table
        for name, chosen in runs.items()
        for table in _dropped(news[name], chosen)
        if table in own and table not in writes
    )
    changes = frozenset(
        table
        for name, chosen in runs.items()
        for planned in news[name].nodes
        if planned.name in chosen
        for table in planned.touches.changes
        if table in known and table not in _rebuilt(news, runs)
    )
    built = {table for planned in news.values() for table in planned.writes()}
    gone = {table for planned in olds.values() if planned is not None for table in planned.writes()} - built - drops
    left = tuple(f"{table} stays as it is: no node builds it any more" for table in sorted(gone & own, key=str))
    order = _order(news, runs)
    return Effect({name: runs[name] for name in order}, writes, drops, changes, left)


def _known(services: DeliveryServices, target: Kitchen) -> tuple[frozenset[TableName], frozenset[TableName]]:
    """Return what the target sees, and what of it is its own."""
    layer = services.layer(target)
    session = services.sessions.open(services.credentials(target), application=f"kitchen {target.name} compare")
    try:
        seen = services.tables.visible(session, layer)
        own = services.tables.own(session, layer)
    finally:
        session.close()
    return frozenset(one.logical for one in seen), frozenset(one.logical for one in own)


def _plan_or_none(
    services: DeliveryServices, folder: Path, name: str, known: Collection[TableName], promised: Collection[TableName]
) -> Plan | None:
    """Plan a recipe as it was; one that cannot be planned any more has to run anew as a whole."""
    try:
        return plan(read_recipe(folder, name), services.layout, known, promised=promised)
    except InvalidInput:
        return None


def _affected(
    olds: Mapping[str, Plan | None], news: Mapping[str, Plan], known: Collection[TableName]
) -> dict[str, frozenset[str]]:
    """Return the nodes that must run, following tables from recipe to recipe until nothing is added."""
    chosen: dict[str, frozenset[str]] = {name: frozenset() for name in news}
    while True:
        touched = {name: news[name].writes(nodes) for name, nodes in chosen.items()}
        grown = {}
        for name, new in news.items():
            others = frozenset(table for other, tables in touched.items() if other != name for table in tables)
            found = affected(olds.get(name), new, touched=others)
            grown[name] = found | _unbuilt(new, known) if found else found
        if grown == chosen:
            return {name: nodes for name, nodes in chosen.items() if nodes}
        chosen = grown


def _unbuilt(new: Plan, known: Collection[TableName]) -> frozenset[str]:
    """Return the nodes whose tables the target has never had, with what follows from them."""
    missing = [planned.name for planned in new.nodes if planned.writes - frozenset(known)]
    return new.downstream(missing)


def _rebuilt(news: Mapping[str, Plan], runs: Mapping[str, Sequence[str]]) -> frozenset[TableName]:
    return frozenset(
        table
        for name, nodes in runs.items()
        for planned in news[name].nodes
        if planned.name in nodes
        for table in planned.touches.rebuilds
    )


def _dropped(planned: Plan, nodes: Collection[str]) -> frozenset[TableName]:
    return frozenset(table for one in planned.nodes if one.name in nodes for table in one.touches.drops)


def _order(news: Mapping[str, Plan], runs: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return recipes so that each comes after those whose tables it reads; a circle is left by name."""
    reads = {
        name: {table for planned in news[name].nodes if planned.name in nodes for table in planned.reads}
        for name, nodes in runs.items()
    }
    writes = {name: news[name].writes(nodes) for name, nodes in runs.items()}
    waiting, ordered = sorted(runs), list[str]()
    while waiting:
        free = [n for n in waiting if not any(writes[o] & reads[n] for o in waiting if o != n)] or waiting[:1]
        ordered.append(free[0])
        waiting.remove(free[0])
    return tuple(ordered)


def gates_of(repository: Repository, target: Kitchen, commit: str) -> Gates:
    """Return the gates of the target's environment as its own commit has them, never the branch that asks."""
    if target.kind is not Kind.STANDING:
        return Gates()
    with private_folder("gates") as folder:
        repository.export(commit, folder.path / "files")
        return read_environments(folder.path / "files" / "environments").get(target.environment).gates


def plan_delivery(
    services: DeliveryServices, repository: Repository, target: Kitchen, merged: MergePreview, *,
    source: str, source_branch: str,
) -> tuple[ReleasePlan, Effect]:  # fmt: skip
    """Return what bringing a merge result into the target means; nothing has moved."""
    assert merged.tree is not None  # noqa: S101 - merge_result() raises where it is
    assert target.branch is not None  # noqa: S101 - the caller read its head
    gates = gates_of(repository, target, merged.target)
    proposed = repository.commit_tree(merged.tree, [merged.target, merged.source], "kitchen: merge result")
    with private_folder("after") as folder:
        tree = folder.path / "files"
        repository.export(proposed, tree)
        effect = effect_of(
            services, repository, target, standing_commit(services, repository, target, merged.target), tree
        )
    files = repository.changed_paths(merged.target, proposed)
    agreed = agreement(services, repository, target, gates, base=merged.target, proposed=proposed)
    document = ReleasePlan(
        source=source, source_branch=source_branch, branch=target.branch, base=merged.target, head=merged.source,
        nodes=effect.nodes, tables=tuple(sorted(map(str, effect.writes))), drops=tuple(sorted(map(str, effect.drops))),
        changes=tuple(sorted(map(str, effect.changes))),
        commits=repository.log(merged.target, merged.source), files=files,
        guarded=tuple(path for path in files if is_guarded(path)), tests=gates.tests,
        approvals=agreed.approvals, loosens=agreed.loosens, others=agreed.others, alone=agreed.alone,
        again=_again(services, repository, target, merged.target, merged.source),
    )  # fmt: skip
    return document, effect


def standing_commit(services: DeliveryServices, repository: Repository, target: Kitchen, head: str) -> str:
    """Return the commit whose results stand in the target's tables: the deployed one, else its branch's head."""
    found = services.control.releases.deployed(target.name)
    if found is not None and repository.resolve(found[0]) is not None:
        return found[0]
    return head
