"""Points a kitchen at what its layer holds now: what it may read, where it looks, and what its own views stand on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from kitchen.domain.kitchen import Kitchen
from kitchen.domain.layout import Layer
from kitchen.ports import Session, Sessions, Tables, Workspaces

Say = Callable[[str], None]


class RebindServices(Protocol):
    """What rebinding asks of an environment's services."""

    @property
    def sessions(self) -> Sessions: ...
    @property
    def tables(self) -> Tables: ...
    @property
    def workspaces(self) -> Workspaces: ...
    def binder(self, kitchen: Kitchen, *, application: str) -> Session: ...


def rebind(services: RebindServices, layer: Layer, *, say: Say = lambda _: None) -> None:
    """Open the layer to its kitchen, and bind the kitchen's views to it; a view that cannot be is said."""
    services.workspaces.rebind(layer)
    rebind_views(services, layer, say=say)


def rebind_views(services: RebindServices, layer: Layer, *, say: Say = lambda _: None) -> None:
    """Bind the kitchen's own views and functions to what its layer holds; done already is success."""
    name = layer.kitchen.name
    session = services.binder(layer.kitchen, application=f"kitchen {name} rebind")
    try:
        for left in services.tables.rebind(session, layer):
            say(left)
    finally:
        session.close()
