"""Secrets that people give: an environment's own, and those of one kitchen, which go with it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from kitchen.domain.environment import Environment
from kitchen.domain.kitchen import Kitchen
from kitchen.errors import NotFound, Refused
from kitchen.operations.audited import audited
from kitchen.operations.external import PROVISIONER_PATH
from kitchen.ports import Control, SecretStore

# what kitchen itself keeps: it comes and goes with its server or its kitchen, never by hand
SUPERUSER_PATH = "superuser"
KITCHENS_PATH = "kitchens"
PEOPLE_PATH = "people"


class Services(Protocol):
    """What handling secrets needs."""

    @property
    def environment(self) -> Environment: ...
    @property
    def secrets(self) -> SecretStore: ...
    @property
    def control(self) -> Control: ...


def path_of(kitchen: Kitchen | None, path: str) -> str:
    """Return where a secret is: of the environment, or of one of its kitchens."""
    return path if kitchen is None else f"{kitchen.secret_path}/{path}"


def list_secrets(services: Services, kitchen: Kitchen | None) -> tuple[str, ...]:
    """Return the paths, as people name them."""
    if kitchen is None:
        return services.secrets.list("")
    below = f"{kitchen.secret_path}/"
    return tuple(path.removeprefix(below) for path in services.secrets.list(below))


def get_secret(services: Services, kitchen: Kitchen | None, path: str) -> dict[str, str]:
    """Return a secret; raises NotFound."""
    found = services.secrets.read(path_of(kitchen, path))
    if found is None:
        raise NotFound(
            f"there is no secret {path!r} in {services.environment.name!r}",
            hint=f"kitchen secret list -e {services.environment.name}",
        )
    return found


def set_secret(services: Services, kitchen: Kitchen | None, path: str, values: Mapping[str, str]) -> None:
    """Set some keys of a secret, leaving its others; audited by name, never by value."""
    full = path_of(kitchen, path)
    _refuse_own(services, full)
    with _recorded(services, "secret set", full, sorted(values)):
        services.secrets.write(full, {**(services.secrets.read(full) or {}), **values})


def delete_secret(services: Services, kitchen: Kitchen | None, path: str) -> None:
    """Delete a secret with all its versions; raises NotFound where there is none."""
    full = path_of(kitchen, path)
    _refuse_own(services, full)
    keys = sorted(get_secret(services, kitchen, path))
    with _recorded(services, "secret delete", full, keys):
        services.secrets.delete(full)


def _refuse_own(services: Services, path: str) -> None:
    parts = path.split("/")
    by_server = services.environment.is_embedded and path in (SUPERUSER_PATH, PROVISIONER_PATH)
    if by_server or parts[0] == PEOPLE_PATH or (parts[0] == KITCHENS_PATH and len(parts) <= 2):
        raise Refused(
            f"the secret {path!r} is kitchen's own: what it opens would be lost",
            hint="kitchen secret set PATH KEY with another path",
        )


def _recorded(services: Services, action: str, path: str, keys: list[str]) -> AbstractContextManager[None]:
    if path == PROVISIONER_PATH:
        return nullcontext()  # the record is in the warehouse, which only these credentials open
    return audited(services.control.audit, action, path, {"keys": keys})
