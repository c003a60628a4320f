"""What is verified, and what a check says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kitchen.domain.catalogue import Catalogue, SourceTable
from kitchen.domain.layout import TableName
from kitchen.domain.masking import Policy
from kitchen.masking.masked import Masked
from kitchen.masking.sql import qualified
from kitchen.ports import PantryStore, Snapshot


@dataclass(frozen=True, slots=True)
class Checked:
    """One check with what it found: counts and names of columns, never a value."""

    name: str
    proves: str
    passed: bool
    measured: str
    seconds: float
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # what a reviewer should know and what stops nothing
    looked: bool = True  # False: there was nothing to look at, or nothing to compare with

    @property
    def result(self) -> str:
        """Return the result in words: what was not looked at has not passed."""
        return "FAILED" if not self.passed else "passed" if self.looked else "not checked"

    def document(self) -> dict[str, object]:
        """Return what the manifest keeps."""
        return {
            "name": self.name, "proves": self.proves, "passed": self.passed, "result": self.result,
            "measured": self.measured, "seconds": round(self.seconds, 3), "faults": list(self.faults),
            "notes": list(self.notes),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """What one check measured."""

    measured: str
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    looked: bool = True


@dataclass(frozen=True, slots=True)
class Subject:
    """What is verified: a version, against the moment of the source from which it was made."""

    store: PantryStore
    version: int
    policy: Policy
    catalogue: Catalogue  # of the source
    snapshot: Snapshot | None  # None: only what can be seen without the source
    rows: Mapping[TableName, int] | None = None
    suspects: Mapping[TableName, tuple[Masked, ...]] | None = None  # None: not looked at yet
    newer: tuple[str, ...] = ()  # what the source has got since, and the version cannot have
    whole: bool = False  # compare every row of large tables, not one part of them

    def place(self, table: SourceTable) -> str:
        """Return the quoted name of a table in the version."""
        return qualified(self.store.place(self.version, table.name))

    def rows_of(self, table: SourceTable) -> str:
        """Return FROM text for a table's own rows in the version."""
        return self.place(table) if table.partitioned else f"ONLY {self.place(table)}"

    def schemas(self) -> list[str]:
        """Return the version's schemas that hold tables."""
        return sorted({self.store.place(self.version, table.name).schema for table in self.catalogue.tables})
