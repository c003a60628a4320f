"""What delivering asks of an environment's services; ``app.Services`` fits."""

from __future__ import annotations

from typing import Protocol

from kitchen.domain.kitchen import Kitchen
from kitchen.operations.create_plan import StandingServices
from kitchen.operations.delete import DeleteServices
from kitchen.operations.run import Services
from kitchen.ports import People, Publisher, Session


class DeliveryServices(Services, StandingServices, DeleteServices, Protocol):
    """Everything that making a candidate, running in it and publishing from it needs."""

    @property
    def people(self) -> People: ...
    @property
    def publisher(self) -> Publisher: ...
    def binder(self, kitchen: Kitchen, *, application: str) -> Session: ...
