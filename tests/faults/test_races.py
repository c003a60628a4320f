"""Many at once: one winner for a name, every kitchen of many, no deadlock, nothing left of losers.

On every change a few rounds are run; ``KITCHEN_FAULTS=all`` runs a hundred.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Sequence

from kitchen.app import App
from kitchen.errors import KitchenError
from kitchen.operations.create import create_working
from kitchen.operations.create_plan import Wish, plan_working
from kitchen.operations.delete import delete_kitchen, plan_deletion
from tests.bench import Bench

WHOLE = os.environ.get("KITCHEN_FAULTS") == "all"
ROUNDS = 100 if WHOLE else 4
RACERS = 8
MANY = 50 if WHOLE else 20
CONFLICT = 4


def _silent(_: str) -> None:
    pass


def _create(app: App, name: str) -> None:
    services = app.services("dev")
    creation = plan_working(services, app.repository, app.worktrees, Wish(name), person=app.person)
    create_working(services, app.repository, creation, say=_silent)


def _delete(app: App, name: str) -> None:
    services, kitchen = app.find(name, "dev")
    deletion = plan_deletion(services, app.repository, app.worktrees, kitchen, force=True)
    delete_kitchen(services, app.repository, deletion, say=_silent)


def _at_once(bench: Bench, work: Callable[[App, str], None], names: Sequence[str]) -> list[int]:
    """Do the work for each name in a process of its own, all begun in one moment; return the exit codes."""
    wait, go = os.pipe()
    children = []
    for name in names:
        child = os.fork()
        if child:
            children.append(child)
            continue
        try:
            os.close(go)
            os.read(wait, 1)
            work(bench.fresh(), name)
            os._exit(0)
        except KitchenError as error:
            if error.exit_code != CONFLICT:
                sys.stderr.write(f"{name}: {error.message}\n")
            os._exit(error.exit_code)
        except BaseException:  # noqa: BLE001 - a forked pytest must not run on
            traceback.print_exc(file=sys.stderr)
            os._exit(70)
    os.close(wait)
    os.close(go)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def test_one_of_many_gets_the_name(bench: Bench) -> None:
    before = bench.traces()
    for number in range(ROUNDS):
        name = f"race{number}"
        assert Counter(_at_once(bench, _create, [name] * RACERS)) == {0: 1, CONFLICT: RACERS - 1}
        services, kitchen = bench.fresh().find(name, "dev")
        with services.sessions.open(services.credentials(kitchen), application="tests") as session:
            session.execute("CREATE TABLE won (id int)")
        codes = Counter(_at_once(bench, _delete, [name] * 3))
        assert codes[0] == 1
        assert set(codes) <= {0, 3, CONFLICT}, "the others find it locked, or gone"
    assert bench.traces() == before


def test_many_kitchens_are_made_and_deleted_at_once(bench: Bench) -> None:
    before = bench.traces()
    names = [f"many{number}" for number in range(MANY)]
    assert Counter(_at_once(bench, _create, names)) == {0: MANY}
    services = bench.fresh().services("dev")
    assert sum(kitchen.name.startswith("many") for kitchen in services.control.kitchens.all()) == MANY
    for kitchen in services.control.kitchens.all():
        with services.sessions.open(services.credentials(kitchen), application="tests") as session:
            assert session.query("SELECT current_user") == [(kitchen.owner_role,)]
    services.control.session.close()
    assert Counter(_at_once(bench, _delete, names)) == {0: MANY}
    assert bench.traces() == before
    assert services.control.audit.verify()[1] is None
    services.control.session.close()


def test_a_child_is_not_made_while_its_parent_goes(bench: Bench) -> None:
    before = bench.traces()
    for number in range(ROUNDS):
        parent, child = f"parent{number}", f"child{number}"
        _create(bench.fresh(), parent)

        def work(app: App, name: str, child: str = child, parent: str = parent) -> None:
            if name == parent:
                _delete(app, parent)
                return
            services = app.services("dev")
            wish = Wish(child, parent=parent)
            creation = plan_working(services, app.repository, app.worktrees, wish, person=app.person)
            create_working(services, app.repository, creation, say=_silent)

        deleted, created = _at_once(bench, work, [parent, child])
        assert (deleted, created) in {(0, CONFLICT), (CONFLICT, 0), (0, 3)}
        for name in (child, parent):
            services = bench.fresh().services("dev")
            if services.control.kitchens.get(name) is not None:
                _delete(bench.fresh(), name)
    assert bench.traces() == before
