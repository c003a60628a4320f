"""What the file says of people's roles, against who was let in as what."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kitchen.domain.environment import Environment, Service
from kitchen.operations.role_differences import role_differences
from kitchen.ports import Admitted

_SERVICE = Service("postgres")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROLES = {"developer": ("everyone",), "releaser": ("rel", "eve"), "admin": ("ada",)}


def environment(roles: dict[str, tuple[str, ...]]) -> Environment:
    return Environment("dev", "dev", None, _SERVICE, _SERVICE, _SERVICE, _SERVICE, roles=roles)


def person(name: str, role: str, revoked_at: datetime | None = None) -> Admitted:
    return Admitted(name, role, "ada", NOW, revoked_at, 0)


PEOPLE = (person("ada", "admin"), person("ann", "developer"), person("rel", "releaser"), person("eve", "releaser"))


@pytest.mark.parametrize(
    ("people", "says"),
    [
        (PEOPLE, ()),
        ((*PEOPLE, person("bob", "releaser")), ("bob is releaser, and the file says developer",)),
        ((*PEOPLE, person("rel", "developer")), ("rel is developer, and the file says releaser",)),
        (PEOPLE[:3], ("eve would be releaser, and was never admitted",)),
        ((*PEOPLE[:3], person("eve", "releaser", NOW)), ("eve would be releaser, and was revoked",)),
        ((*PEOPLE, person("ci", "runner")), ("ci is runner, and the file says developer",)),
        ((*PEOPLE, person("old", "admin", NOW)), ()),
    ],
)
def test_each_difference_is_named(people: tuple[Admitted, ...], says: tuple[str, ...]) -> None:
    assert role_differences(environment(ROLES), people) == says


def test_whoever_the_file_does_not_name() -> None:
    assert role_differences(environment({"admin": ("ada",)}), PEOPLE[:2]) == (
        "ann is developer, and the file does not name them",
    )
    assert role_differences(environment({}), PEOPLE) == (), "a file that names nobody agrees with everybody"
