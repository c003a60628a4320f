"""What an environment's own branch has agreed on about people, beside what its server lets them do."""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol

from kitchen.domain.environment import Environment
from kitchen.errors import InvalidInput, NotFound
from kitchen.operations.governing import rules_of
from kitchen.ports import People, Repository


class Services(Protocol):
    """What comparing the two needs."""

    @property
    def environment(self) -> Environment: ...
    @property
    def people(self) -> People: ...


def agreed_on(services: Services, repository: Repository) -> Environment:
    """Return an environment as its own branch has it now."""
    environment = services.environment
    with suppress(NotFound, InvalidInput):  # that is said of the branch; the folder is what there is
        return rules_of(environment, repository, environment.branch).environment
    return environment


def still_publish(services: Services, agreed: Environment) -> bool:
    """Say whether releasers publish by themselves, though the gates have others agree.

    Only an installation takes that from them: the provisioner is what they may become, and no admin of who may.
    """
    return bool(agreed.gates.approvals) and services.people.releasers_publish(agreed.name)
