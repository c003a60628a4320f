"""What the core asks of the world. Adapters fit by shape; each docstring is the contract they are tested against."""

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
)
from kitchen.ports.masked import CopyJob, PantryStore, Snapshot, Source
from kitchen.ports.publishing import Arrival, Exchanged, Publication, Published, Publisher
from kitchen.ports.repository import MergePreview, RefUpdate, Repository
from kitchen.ports.stores import ContainerEngine, ObjectStore, SecretStore
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

__all__ = [
    "Arrival",
    "Audit",
    "ContainerEngine",
    "Control",
    "CopyJob",
    "Exchanged",
    "Hydrated",
    "Installer",
    "JournalRecords",
    "KitchenRecords",
    "Locks",
    "MarkedWorkspace",
    "MergePreview",
    "Notifier",
    "ObjectStore",
    "PantryRecords",
    "PantryStore",
    "PantryVersion",
    "Publication",
    "Published",
    "Publisher",
    "Quota",
    "RefUpdate",
    "Relation",
    "ReleaseRecords",
    "Repository",
    "Row",
    "RunRecords",
    "SecretStore",
    "Session",
    "Sessions",
    "Snapshot",
    "Source",
    "Tables",
    "Workspaces",
]
