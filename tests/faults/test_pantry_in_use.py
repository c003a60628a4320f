"""A version that a kitchen reads is never dropped, also where it is moved to, and pruned, by two processes at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from copy import copy
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from kitchen.adapters.postgres.control import PgControl
from kitchen.adapters.postgres.control_pantries import PgPantries
from kitchen.domain.kitchen import Kind, Kitchen, State
from kitchen.operations import pantry_refresh
from kitchen.operations.update import Update, update_steps
from tests.contracts.pantries import Place, Production, fill
from tests.support import Server

POLICY = "tables: {thing: {id: {mask: keep, why: a number}}}"


@pytest.fixture
def place(postgres18: Server) -> Iterator[Place]:
    """Return an environment with three versions of a pantry; two of them stay whoever reads them."""
    with postgres18.database() as above, postgres18.database() as below:
        production = Production(above)
        production.execute("CREATE TABLE public.thing (id int)", "INSERT INTO public.thing VALUES (1)")
        made = Place(below)
        fill(made, production, POLICY)
        early = reader(made, "early", 1)
        for _ in range(2):
            fill(made, production, POLICY)
        made.control.kitchens.remove(early.id)
        assert versions(made) == {1: "ready", 2: "ready", 3: "ready"}
        yield made


def reader(place: Place, name: str, version: int) -> Kitchen:
    made = Kitchen(
        uuid4(), name, place.name, Kind.WORKING, State.READY, name, None, place.name, version, "ann", datetime.now(UTC)
    )  # fmt: skip
    place.control.kitchens.add(made)
    place.workspaces.create(place.layer(made), uuid4().hex)
    return made


def versions(place: Place) -> dict[int, str]:
    return {found.version: found.state for found in place.control.pantries.all()}


def moving(place: Place, kitchen: Kitchen, version: int) -> None:
    """Do what ``kitchen update --data`` does to the record."""
    planned = Update(kitchen, kitchen.branch or "", "a", "a", (), 0, version)
    next(step for step in update_steps(place, None, planned) if step.name == "pantry").do()  # type: ignore[arg-type]


def test_what_nobody_reads_goes(place: Place) -> None:
    assert pantry_refresh.prune(place, say=lambda _: None) == (1,)
    assert versions(place) == {1: "dropped", 2: "ready", 3: "ready"}
    assert not place.pantry_store.exists(1)


def test_a_kitchen_that_comes_while_a_version_is_withdrawn_keeps_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = PgPantries.withdraw

    def withdraw(self: PgPantries, version: int) -> None:
        reader(place, "late", version)
        real(self, version)

    monkeypatch.setattr(PgPantries, "withdraw", withdraw)
    assert pantry_refresh.prune(place, say=lambda _: None) == ()
    assert versions(place)[1] == "ready"
    assert place.pantry_store.exists(1)


def test_an_update_that_is_recovered_after_its_version_is_gone_takes_the_newest(place: Place) -> None:
    kitchen = reader(place, "slow", 2)
    assert pantry_refresh.prune(place, say=lambda _: None) == (1,)
    moving(place, kitchen, 1)
    found = place.control.kitchens.get("slow")
    assert found is not None
    assert found.pantry == 3


def test_a_prune_that_was_killed_drops_what_nobody_reads_and_gives_back_what_somebody_does(place: Place) -> None:
    kitchen = reader(place, "kept", 1)
    place.control.pantries.withdraw(1)
    pantry_refresh.finish_interrupted(place, say=lambda _: None)
    assert versions(place)[1] == "ready"
    place.control.kitchens.remove(kitchen.id)
    place.control.pantries.withdraw(1)
    pantry_refresh.finish_interrupted(place, say=lambda _: None)
    assert (versions(place)[1], place.pantry_store.exists(1)) == ("dropped", False)


def test_kitchens_that_move_and_a_prune_at_once(place: Place) -> None:
    """Each has a connection of its own, as processes have; nobody ends on a version that is not there."""
    kitchens = [reader(place, f"k{number}", 2) for number in range(4)]
    barrier = threading.Barrier(len(kitchens) + 1)
    failures: list[BaseException] = []

    def apart(work: Any) -> None:
        own = copy(place)
        own.control = PgControl(place.warehouse.sessions, environment=place.name, person="tester")
        try:
            barrier.wait()
            work(own)
        except BaseException as failure:  # noqa: BLE001 - told by the test
            failures.append(failure)

    def going(kitchen: Kitchen) -> Any:
        return lambda own: moving(own, kitchen, 1)

    works = [*map(going, kitchens), lambda own: pantry_refresh.prune(own, say=lambda _: None)]
    threads = [threading.Thread(target=apart, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    there = versions(place)
    for kitchen in kitchens:
        found = place.control.kitchens.get(kitchen.name)
        assert found is not None
        assert found.pantry is not None
        assert there[found.pantry] == "ready"
        assert place.pantry_store.exists(found.pantry)
