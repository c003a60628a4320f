"""Files of a kitchen in its environment's object store; no key leaves the kitchen's folder."""

from __future__ import annotations

from typing import Protocol

from kitchen.domain.kitchen import Kitchen
from kitchen.operations.audited import audited
from kitchen.ports import Control, ObjectStore


class Services(Protocol):
    """What handling files needs."""

    @property
    def storage(self) -> ObjectStore: ...
    @property
    def control(self) -> Control: ...


def list_files(services: Services, kitchen: Kitchen, below: str = "") -> tuple[str, ...]:
    """Return the kitchen's files below a folder of it."""
    found = services.storage.list(kitchen.storage_prefix + below)
    return tuple(key.removeprefix(kitchen.storage_prefix) for key in found)


def get_file(services: Services, kitchen: Kitchen, key: str) -> bytes:
    """Return a file of the kitchen; raises NotFound."""
    return services.storage.get(kitchen.storage_prefix + key)


def put_file(services: Services, kitchen: Kitchen, key: str, data: bytes, *, create_only: bool = False) -> None:
    """Store a file of the kitchen whole; with create_only, one already there is Conflict."""
    with audited(services.control.audit, "files put", kitchen.name, {"file": key, "bytes": len(data)}):
        services.storage.put(kitchen.storage_prefix + key, data, create_only=create_only)


def remove_file(services: Services, kitchen: Kitchen, key: str) -> None:
    """Delete a file of the kitchen; raises NotFound where there is none."""
    services.storage.get(kitchen.storage_prefix + key)
    with audited(services.control.audit, "files rm", kitchen.name, {"file": key}):
        services.storage.delete(kitchen.storage_prefix + key)
