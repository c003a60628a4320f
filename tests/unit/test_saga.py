"""Sagas: whatever fails wherever, everything is undone or everything is done, if need be by the next process.

The world counts its moments (before and after each effect, undo and journal entry), so that failures are placed at
every one of them without a list that could fall behind the code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from kitchen import saga
from kitchen.domain.journal import StepState
from kitchen.errors import Conflict, Incomplete, Unavailable
from kitchen.saga import Step

NAMES = ("branch", "schema", "secret", "swap", "worktree")
PIVOT = "swap"


class Killed(BaseException):
    """The process is gone: nothing more of it happens."""


@dataclass
class World:
    """Effects that are there, and a journal that survives the process."""

    effects: set[str] = field(default_factory=set)
    journal: dict[str, StepState] = field(default_factory=dict)
    moment: int = 0
    strike_at: int | None = None
    strike: type[BaseException] = Killed
    dead: bool = False
    history: list[str] = field(default_factory=list)

    def tick(self, what: str) -> None:
        if self.dead:
            raise Killed
        self.history.append(what)
        self.moment += 1
        if self.moment == self.strike_at:
            self.dead = self.strike is Killed
            raise self.strike(what)

    def revive(self, strike_at: int | None = None) -> None:
        self.dead, self.moment, self.strike_at = False, 0, strike_at

    # the journal
    def mark(self, step: str, state: StepState) -> None:
        self.tick(f"before marking {step} {state}")
        self.journal[step] = state
        self.tick(f"after marking {step} {state}")

    def states(self) -> dict[str, StepState]:
        if self.dead:
            raise Killed
        return dict(self.journal)

    def step(self, name: str) -> Step:
        def do() -> None:
            self.tick(f"before {name}")
            self.effects.add(name)
            self.tick(f"after {name}")

        def undo() -> None:
            self.tick(f"before undoing {name}")
            assert name != PIVOT or name not in self.effects, "the pivot was undone"
            self.effects.discard(name)
            self.tick(f"after undoing {name}")

        return Step(name, f"make {name}", do, lambda: name in self.effects, undo, pivot=name == PIVOT)

    def steps(self) -> list[Step]:
        return [self.step(name) for name in NAMES]

    def run(self) -> None:
        saga.run(self.steps(), self, say=lambda _: None)

    def recover(self) -> None:
        """Do what the next process does."""
        steps = self.steps()
        go = saga.resume if saga.is_past_pivot(steps, self.states()) else saga.roll_back
        go(steps, self, say=lambda _: None)

    def is_done(self) -> bool:
        return self.effects == set(NAMES) and set(self.journal.values()) == {StepState.DONE}

    def is_undone(self) -> bool:
        return not self.effects and set(self.journal.values()) <= {StepState.UNDONE}


def moments(act: Callable[[World], None], make: Callable[[], World] = World) -> int:
    """Return how many moments there are in what act does."""
    world = make()
    world.revive()
    act(world)
    return world.moment


MOMENTS = moments(World.run)


def struck(moment: int, strike: type[BaseException]) -> World:
    """Return the world after a run that was struck at a moment."""
    world = World(strike_at=moment, strike=strike)
    with pytest.raises((strike, Incomplete)):
        world.run()
    return world


def test_all_goes_well() -> None:
    world = World()
    said: list[str] = []
    saga.run(world.steps(), world, say=said.append)
    assert world.is_done()
    assert said == [f"make {name}" for name in NAMES]
    assert len(NAMES) * 6 == MOMENTS


@pytest.mark.parametrize("strike", [Conflict, RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("moment", range(1, MOMENTS + 1))
def test_a_failure_undoes_all_before_the_pivot_and_none_after(moment: int, strike: type[BaseException]) -> None:
    world = struck(moment, strike)
    if PIVOT in world.effects:
        assert set(NAMES[: NAMES.index(PIVOT)]) <= world.effects
        world.recover()
        assert world.is_done()
    else:
        assert world.is_undone()


@pytest.mark.parametrize("moment", range(1, MOMENTS + 1))
def test_the_cause_is_what_the_user_reads(moment: int) -> None:
    world = World(strike_at=moment, strike=Conflict)
    with pytest.raises(Conflict) as caught:
        world.run()
    assert caught.value.message == world.history[moment - 1]


@pytest.mark.parametrize("moment", range(1, MOMENTS + 1))
def test_the_next_process_ends_what_a_killed_one_left(moment: int) -> None:
    world = struck(moment, Killed)
    past = PIVOT in world.effects
    world.revive()
    world.recover()
    assert world.is_done() if past else world.is_undone()


def test_a_second_crash_at_every_moment_of_every_recovery() -> None:
    tried = 0
    for first in range(1, MOMENTS + 1):
        for strike in (Killed, KeyboardInterrupt):
            for second in range(1, moments(World.recover, lambda: struck(first, Killed)) + 1):  # noqa: B023
                world = struck(first, Killed)
                past = PIVOT in world.effects
                world.strike = strike
                world.revive(second)
                with pytest.raises((strike, Incomplete)):
                    world.recover()
                world.revive()
                world.recover()
                assert world.is_done() if past else world.is_undone(), (first, second)
                tried += 1
    assert tried > 300


@pytest.mark.parametrize("moment", range(1, MOMENTS + 1))
def test_recovering_twice_is_recovering_once(moment: int) -> None:
    world = struck(moment, Killed)
    world.revive()
    world.recover()
    effects, journal = set(world.effects), dict(world.journal)
    world.recover()
    assert (world.effects, world.journal) == (effects, journal)


def test_an_undo_that_fails_stops_nothing_and_is_named() -> None:
    world = World()
    steps = world.steps()[:3]

    def cannot() -> None:
        raise Unavailable("the vault is down")

    def fail() -> None:
        raise Conflict("it is there")

    steps[1] = Step("schema", "make schema", steps[1].do, steps[1].look, cannot)
    steps.append(Step("last", "fail", fail, lambda: False))
    with pytest.raises(Incomplete) as caught:
        saga.run(steps, world, say=lambda _: None)
    assert caught.value.leftovers == ("schema: the vault is down",)
    assert "it is there" in caught.value.message
    assert isinstance(caught.value.__cause__, Conflict)
    assert world.effects == {"schema"}
    assert world.journal["schema"] is StepState.DONE  # the next recovery tries it again
    world.recover()
    assert world.is_undone()


def test_a_pivot_that_cannot_be_looked_at_is_never_undone() -> None:
    world = World()
    steps = world.steps()

    def blind() -> bool:
        raise Unavailable("the warehouse does not answer")

    def torn() -> None:
        world.effects.add(PIVOT)
        raise Unavailable("the connection broke while committing")

    at = NAMES.index(PIVOT)
    steps[at] = Step(PIVOT, "swap", torn, blind, steps[at].undo, pivot=True)
    with pytest.raises(Unavailable, match="while committing"):
        saga.run(steps, world, say=lambda _: None)
    assert world.effects == set(NAMES[: at + 1])
    assert saga.is_past_pivot(steps, world.states())
    world.recover()
    assert world.is_done()


def test_a_pivot_that_was_undone_is_not_taken_for_done() -> None:
    def blind() -> bool:
        raise Unavailable("the warehouse does not answer")

    pivot = Step(PIVOT, "swap", lambda: None, blind, pivot=True)
    assert not saga.is_past_pivot([pivot], {PIVOT: StepState.UNDONE})
    assert not saga.is_past_pivot([pivot], {})
    assert saga.is_past_pivot([pivot], {PIVOT: StepState.STARTED})


def test_talk_that_breaks_undoes_too() -> None:
    world = World()

    def say(text: str) -> None:
        if text == "make secret":
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        saga.run(world.steps(), world, say=say)
    assert world.is_undone()


def test_what_a_driver_says_is_not_repeated() -> None:
    def fail() -> None:
        raise ValueError("password=hunter2 DETAIL: Key (email)=(ann@example.com)")

    steps = [Step("one", "one", do=fail, look=lambda: False, undo=fail)]
    with pytest.raises(Incomplete) as left:
        saga.run(steps, World(), say=lambda _: None)
    assert (left.value.message, left.value.leftovers) == ("undo is incomplete after: ValueError", ("one: ValueError",))
