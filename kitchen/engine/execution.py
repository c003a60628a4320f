"""What one run works with: its recipe planned, its kitchen's session and tables, and where it reports."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from uuid import UUID

from kitchen.domain.layout import Layer, TableName
from kitchen.domain.recipe import Node
from kitchen.engine.checks import Ground
from kitchen.engine.compile import Places
from kitchen.engine.plan import Plan, PlannedNode
from kitchen.errors import KitchenError
from kitchen.ports import ContainerEngine, Hydrated, RunRecords, Session, Tables

CHECK_INTERVAL = 2000  # milliseconds between looks whether we still live, while a statement runs

Say = Callable[[str], None]
Surroundings = Callable[[Node], AbstractContextManager[Mapping[str, str]]]  # environment variables of a node's program


HISTORY = 60  # runs back that a control chart looks


def history_of(records: RunRecords, plan: Plan, layer: Layer) -> Callable[[str, str], tuple[str, ...]]:
    """Return what looks up the measures of a test in a kitchen and its parents: a new kitchen begins with theirs."""
    kitchens = [kitchen.name for kitchen in (layer.kitchen, *layer.parents)]
    return lambda node, test: records.measured(plan.recipe.name, node, test, kitchens=kitchens, limit=HISTORY)


@dataclass(slots=True)
class Execution:
    """One run. Its session is opened anew where the server dropped it."""

    run: UUID
    plan: Plan
    layer: Layer
    places: Places
    tables: Tables
    records: RunRecords
    open_session: Callable[[], Session]
    surroundings: Surroundings
    folder: Path  # the recipe's own
    containers: ContainerEngine | None
    redact: Callable[[str], str]
    say: Say
    passed: Callable[[PlannedNode], None]
    in_place: bool = False  # a standing kitchen: a node and its tests are one transaction
    stopping: threading.Event = field(default_factory=threading.Event)
    _session: Session | None = field(default=None)

    @property
    def session(self) -> Session:
        """Return the session of the kitchen's own login that SQL nodes and tests share."""
        if self._session is None:
            self._session = self.open_session()
            with suppress(KitchenError):  # some servers' systems cannot tell; the others end a dead client's work
                self._session.execute(f"SET client_connection_check_interval = {CHECK_INTERVAL}")
        return self._session

    def stop(self) -> None:
        """End what runs, from another thread."""
        self.stopping.set()
        if self._session is not None:
            with suppress(KitchenError):
                self._session.cancel()

    def forget_session(self) -> None:
        """Close the session; the next use opens another."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def ground(self, where: str) -> Ground:
        """Return what tests need to know."""
        plan = self.plan
        return Ground(
            plan.recipe, plan.names, self.places, plan.parameters, where, history_of(self.records, plan, self.layer)
        )

    def hydrate(self, table: TableName, *, with_rows: bool) -> Hydrated | None:
        """Copy a table from below into the kitchen so that it can be written, and say so."""
        done = self.tables.hydrate(self.session, self.layer, table, with_rows=with_rows)
        if done is not None:
            self.say(
                f"hydrated {table} from {done.source}" + ("" if with_rows else " (without rows: it is built anew)")
            )
            for left in done.left_out:
                self.say(f"  not carried: {left}")
            for note in done.notes:
                self.say(f"  note: {note}")
            self.refresh()
        return done

    def refresh(self) -> None:
        """Look again where every table is."""
        seen = self.tables.visible(self.session, self.layer)
        self.places.relations = {relation.logical: relation for relation in seen}

    def raise_ended(self, how: str, log: str) -> NoReturn:
        """Raise that a node's program ended badly, with the last that it printed where everybody may read it."""
        if self.layer.layout.holds_production:  # more people read the message than the log, which may hold rows
            raise KitchenError(f"{how}; what it printed is in its log", hint=f"kitchen runs logs {self.run}")
        last = log.strip().splitlines()[-1:] or ["(it printed nothing)"]
        raise KitchenError(f"{how}: {last[0][:300]}")

    @property
    def label(self) -> str:
        """Return how the database names this run's sessions."""
        return f"kitchen {self.layer.kitchen.name} {self.plan.recipe.name}"
