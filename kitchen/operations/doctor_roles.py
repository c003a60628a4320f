"""The doctor's look at people's roles: on the server, and as the environment's own branch has agreed on them."""

from __future__ import annotations

from kitchen.operations.agreed import Services, agreed_on, still_publish
from kitchen.operations.findings import Chart
from kitchen.operations.role_differences import role_differences
from kitchen.ports import Repository


def judge_roles(chart: Chart, services: Services, repository: Repository) -> None:
    """Say where people have other roles than was agreed on, and where releasers publish though others must agree."""
    name, agreed = services.environment.name, agreed_on(services, repository)
    people = services.people.all()
    differences = role_differences(agreed, people)
    for said in differences:
        chart.warn(
            "roles", said, f"kitchen environment admit PERSON -e {name} --role ROLE, or kitchen environment revoke"
        )
    if still_publish(services, agreed):
        said = "releasers may publish themselves, though its gates have others agree"
        chart.warn("roles", said, f"kitchen environment install {name}")
    elif people and not differences:
        chart.ok("roles", "as agreed on" if any(agreed.roles.values()) else f"the file names nobody for {name}")
