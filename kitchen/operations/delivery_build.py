"""The first half of a release: a candidate over the target's live tables, built from the very commit and tested."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kitchen.domain.kitchen import Kitchen, State
from kitchen.domain.layout import TableName
from kitchen.domain.recipe import Recipe
from kitchen.domain.release import Release, ReleaseKind
from kitchen.domain.run import Run, RunState
from kitchen.errors import Refused
from kitchen.files.recipe import list_recipes, read_recipe
from kitchen.operations.allowance import NO_LIMIT, Allowance
from kitchen.operations.create import create_steps
from kitchen.operations.delivery_services import DeliveryServices
from kitchen.operations.run import plan_recipe, run_recipe, run_tests
from kitchen.ports import Repository
from kitchen.saga import Step

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One release on its way: enough to build its steps, now or after a crash."""

    services: DeliveryServices
    repository: Repository
    release: Release
    commit: str  # what the target's branch will be
    target: Kitchen
    candidate: Kitchen | None  # None: nothing is run and no table changes
    say: Say
    allowance: Allowance = NO_LIMIT  # for what people's recipes run

    @property
    def tag(self) -> str | None:
        """Return the tag of a promotion."""
        if self.release.kind is not ReleaseKind.PROMOTION:
            return None
        return f"release-{self.release.environment}-{self.release.number or 'NUMBER'}"

    @property
    def folder(self) -> Path:
        """Return where the commit's files are while the candidate lives."""
        name = self.candidate.name if self.candidate is not None else f"release-{self.release.number}"
        return self.repository.common_dir / "kitchen" / "candidates" / name


def build_steps(delivery: Delivery, candidate: Kitchen) -> list[Step]:
    """Return the steps that make the candidate, build the tables in it and ask the tests."""
    steps = [_export(delivery), *create_steps(delivery.services, candidate)]
    if delivery.release.plan.changes:
        steps.append(_watch_step(delivery))
    steps += [_run_step(delivery, recipe) for recipe in delivery.release.plan.nodes]
    return [*steps, _tests_step(delivery)]


def _export(delivery: Delivery) -> Step:
    folder = delivery.folder

    def remove() -> None:
        shutil.rmtree(folder, ignore_errors=True)

    def do() -> None:
        remove()
        folder.parent.mkdir(parents=True, exist_ok=True)
        delivery.repository.export(delivery.commit, folder)

    # half an export looks like a whole one: it is made anew
    return Step("files", f"writing the files of {delivery.commit[:12]}", do=do, look=lambda: False, undo=remove)


def _run_step(delivery: Delivery, recipe: str) -> Step:
    nodes = delivery.release.plan.nodes[recipe]
    candidate = as_ready(delivery)

    def do() -> None:
        with delivery.allowance.limits():
            run = run_recipe(
                delivery.services, candidate, read_recipe(delivery.folder, recipe), nodes=nodes, folder=delivery.folder,
                commit=delivery.commit, say=delivery.say,
            )  # fmt: skip
        _require(run, delivery)

    what = f"running {', '.join(nodes)} of {recipe} in {candidate.name}"
    return Step(f"run {recipe}", what, do=do, look=lambda: False)


def _tests_step(delivery: Delivery) -> Step:
    def do() -> None:
        with delivery.allowance.limits():
            for name in list_recipes(delivery.folder):
                _test(delivery, read_recipe(delivery.folder, name))

    which = "all tests" if delivery.release.plan.tests == "all" else "the tests that see it"
    return Step("tests", f"asking {which}", do=do, look=lambda: False)


def _test(delivery: Delivery, recipe: Recipe) -> None:
    """Evaluate the tests of nodes that did not run: all of them, or those that look at what was written."""
    document = delivery.release.plan
    everything = document.tests == "all" or any(path.startswith(f"recipes/{recipe.name}/") for path in document.files)
    written = frozenset(map(table_of, document.tables))
    if not everything and not written:
        return
    candidate = as_ready(delivery)
    planned = plan_recipe(delivery.services, candidate, recipe)
    ran = set(document.nodes.get(recipe.name, ()))
    unbuilt = {one.name for one in planned.nodes if one.writes - planned.names.known}
    asked = [
        one.name
        for one in planned.nodes
        if one.name not in ran | unbuilt and (one.node.before_tests or one.node.after_tests)
    ]
    if unbuilt - ran:
        delivery.say(f"  {recipe.name}: no tests of {', '.join(sorted(unbuilt - ran))}, which never ran there")
    if not asked:
        return
    run = run_tests(
        delivery.services, candidate, recipe, seeing=None if everything else written,
        except_nodes={one.name for one in planned.nodes} - set(asked), commit=delivery.commit, say=delivery.say,
    )  # fmt: skip
    _require(run, delivery)


def _require(run: Run, delivery: Delivery) -> None:
    if run.state is RunState.PASSED:
        return
    why = run.message or str(run.state)
    raise Refused(
        f"{delivery.target.name} stays as it is: in the result, recipe {run.recipe} {run.state}: {why}",
        hint=f"kitchen runs show {str(run.id)[:8]} -e {delivery.release.environment}",
    )


def as_ready(delivery: Delivery) -> Kitchen:
    """Return the candidate as it is once its steps are done."""
    assert delivery.candidate is not None  # noqa: S101 - steps that run are made only with a candidate
    return delivery.candidate.with_state(State.READY)


# --- rows that come in meanwhile --------------------------------------------------------------------------------------


class Outdated(Exception):
    """Somebody wrote to a table that was copied and changed: swapping the copy in would lose those rows."""


def _watch_step(delivery: Delivery) -> Step:
    file = watch_file(delivery)
    tables = [physical(delivery, table) for table in map(table_of, delivery.release.plan.changes)]

    def do() -> None:
        file.write_text(json.dumps(delivery.services.publisher.watch(tables)))

    return Step(
        "watch", f"watching {', '.join(delivery.release.plan.changes)} for rows that come in meanwhile",
        do=do, look=lambda: False, undo=lambda: file.unlink(missing_ok=True),
    )  # fmt: skip


def watch_file(delivery: Delivery) -> Path:
    """Return where it is kept what the tables looked like when the candidate was made."""
    return delivery.folder.with_name(delivery.folder.name + ".watched")


def written_meanwhile(delivery: Delivery) -> tuple[str, ...]:
    """Return the tables whose copies in the candidate are no longer copies of what is there."""
    changes = delivery.release.plan.changes
    if not changes or delivery.candidate is None:
        return ()
    file = watch_file(delivery)
    if not file.exists():  # begun on another machine: nobody knows
        return changes
    watched = json.loads(file.read_text())
    return delivery.services.publisher.changed(watched)


def build_again(delivery: Delivery) -> None:
    """Make the candidate and its tables anew, from what is there now."""
    candidate = as_ready(delivery)
    delivery.say(f"  rows came in meanwhile: building {', '.join(delivery.release.plan.tables)} again")
    steps = build_steps(delivery, candidate.with_state(State.CREATING))
    for step in reversed(steps):
        step.undo()
    for step in steps:
        step.do()


def physical(delivery: Delivery, table: TableName) -> TableName:
    """Return where a table of the target is, by its logical name."""
    return TableName(delivery.services.layout.schema(delivery.target, table.schema), table.name)


def table_of(text: str) -> TableName:
    """Return the table that a plan names."""
    schema, _, name = text.partition(".")
    return TableName(schema, name)
