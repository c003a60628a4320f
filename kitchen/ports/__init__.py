"""What the core asks of the world. Adapters fit by shape; each docstring is the contract they are tested against.

A module of it loads when a name of it is asked for (PEP 562): most importers need a type only, and loading all of them
costs a tenth of what ``kitchen list`` may take.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kitchen.ports.control import (
        Audit,
        Control,
        JournalRecords,
        KitchenRecords,
        Locks,
        Notifier,
        PantryRecords,
        PantryVersion,
        Quota,
        ReleaseRecords,
        RunRecords,
        ScheduleRecord,
        ScheduleRecords,
    )
    from kitchen.ports.masked import CopyJob, PantryStore, Snapshot, Source
    from kitchen.ports.moment import ChosenRows, Moment, Scratch
    from kitchen.ports.people import Admitted, People
    from kitchen.ports.publishing import Arrival, Exchanged, Publication, Published, Publisher
    from kitchen.ports.repository import Changes, Distance, MergePreview, RefUpdate, Remote, Repository
    from kitchen.ports.requests import RequestRecords
    from kitchen.ports.stores import (
        CONTAINER_FILES,
        Bucket,
        ContainerEnd,
        ContainerEngine,
        ObjectStore,
        PolicyStore,
        SecretStore,
    )
    from kitchen.ports.warehouse import (
        Hydrated,
        Installer,
        MarkedWorkspace,
        Relation,
        Row,
        Session,
        Sessions,
        Tables,
        Workspaces,
    )

_HOMES = {
    "control": (
        "Audit",
        "Control",
        "JournalRecords",
        "KitchenRecords",
        "Locks",
        "Notifier",
        "PantryRecords",
        "PantryVersion",
        "Quota",
        "ReleaseRecords",
        "RunRecords",
        "ScheduleRecord",
        "ScheduleRecords",
    ),
    "masked": ("CopyJob", "PantryStore", "Snapshot", "Source"),
    "moment": ("ChosenRows", "Moment", "Scratch"),
    "people": ("Admitted", "People"),
    "publishing": ("Arrival", "Exchanged", "Publication", "Published", "Publisher"),
    "repository": ("Changes", "Distance", "MergePreview", "RefUpdate", "Remote", "Repository"),
    "requests": ("RequestRecords",),
    "stores": (
        "CONTAINER_FILES",
        "Bucket",
        "ContainerEnd",
        "ContainerEngine",
        "ObjectStore",
        "PolicyStore",
        "SecretStore",
    ),
    "warehouse": (
        "Hydrated",
        "Installer",
        "MarkedWorkspace",
        "Relation",
        "Row",
        "Session",
        "Sessions",
        "Tables",
        "Workspaces",
    ),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "CONTAINER_FILES",
    "Admitted",
    "Arrival",
    "Audit",
    "Bucket",
    "Changes",
    "ChosenRows",
    "ContainerEnd",
    "ContainerEngine",
    "Control",
    "CopyJob",
    "Distance",
    "Exchanged",
    "Hydrated",
    "Installer",
    "JournalRecords",
    "KitchenRecords",
    "Locks",
    "MarkedWorkspace",
    "MergePreview",
    "Moment",
    "Notifier",
    "ObjectStore",
    "PantryRecords",
    "PantryStore",
    "PantryVersion",
    "People",
    "PolicyStore",
    "Publication",
    "Published",
    "Publisher",
    "Quota",
    "RefUpdate",
    "Relation",
    "ReleaseRecords",
    "Remote",
    "Repository",
    "RequestRecords",
    "Row",
    "RunRecords",
    "ScheduleRecord",
    "ScheduleRecords",
    "Scratch",
    "SecretStore",
    "Session",
    "Sessions",
    "Snapshot",
    "Source",
    "Tables",
    "Workspaces",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return found
