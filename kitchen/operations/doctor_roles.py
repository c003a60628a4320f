"""The doctor's look at people's roles: on the server, and as the environment's own branch has agreed on them."""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol

from kitchen.domain.environment import Environment
from kitchen.errors import InvalidInput, NotFound
from kitchen.operations.findings import Chart
from kitchen.operations.governing import rules_of
from kitchen.operations.role_differences import role_differences
from kitchen.ports import People, Repository


class Services(Protocol):
    """What looking at roles needs."""

    @property
    def environment(self) -> Environment: ...
    @property
    def people(self) -> People: ...


def judge_roles(chart: Chart, services: Services, repository: Repository) -> None:
    """Say where people have other roles than was agreed on, and where releasers publish though others must agree."""
    name, agreed = services.environment.name, services.environment
    with suppress(NotFound, InvalidInput):  # that is said of the branch; the folder is what there is
        agreed = rules_of(agreed, repository, agreed.branch).environment
    people = services.people.all()
    differences = role_differences(agreed, people)
    for said in differences:
        chart.warn(
            "roles", said, f"kitchen environment admit PERSON -e {name} --role ROLE, or kitchen environment revoke"
        )
    if agreed.gates.approvals and services.people.releasers_publish(name):
        said = "releasers may publish themselves, though its gates have others agree"
        chart.warn("roles", said, f"kitchen environment install {name}")
    elif people and not differences:
        chart.ok("roles", "as agreed on" if any(agreed.roles.values()) else f"the file names nobody for {name}")
