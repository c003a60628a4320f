"""Which part of the data comes along: what is asked for, and what it came to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from kitchen.domain.layout import TableName
from kitchen.errors import InvalidInput

WHOLE_BELOW = 1000  # rows: smaller tables come whole unless the environment says otherwise
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,6})?) ?%")


@dataclass(frozen=True, slots=True)
class Seed:
    """Rows to begin with: a share of a table by a stable hash, or those that meet a condition."""

    share: float | None = None  # 0 < share <= 1
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """What an environment asks for, in the names that its file uses."""

    share: float | None = None  # of every table that nothing else leads to
    seeds: Mapping[str, Seed] = field(default_factory=dict)
    whole: tuple[str, ...] = ()
    whole_below: int = WHOLE_BELOW
    max_children: Mapping[str, int] = field(default_factory=dict)  # orders.customer_id -> rows for each parent
    max_of_any: int | None = None  # the same for every other key
    max_rows: int | None = None
    draw: int = 0  # samples of one table under the same draw overlap as far as they can, under others by chance


@dataclass(frozen=True, slots=True)
class Pulled:
    """Rows of one table that came for one reason."""

    why: str
    rows: int


@dataclass(frozen=True, slots=True)
class SampledTable:
    """How much of one table comes along, and why."""

    table: TableName
    rule: str
    rows: int
    of: int  # about how many the source has
    pulled: tuple[Pulled, ...] = ()

    def document(self) -> dict[str, object]:
        """Return what a manifest and ``--json`` say of it."""
        why = [{"why": part.why, "rows": part.rows} for part in self.pulled]
        return {"table": str(self.table), "rule": self.rule, "rows": self.rows, "of_about": self.of, "pulled": why}


def share_of(text: str) -> float:
    """Return the share that ``10%`` says; raises InvalidInput for what is none, or is not above 0 and up to 100 %."""
    found = _SHARE.fullmatch(text.strip())
    share = float(found[1]) / 100 if found else 0.0
    if not 0 < share <= 1:
        raise InvalidInput(f"{text[:20]!r} is no share of the rows", hint="10%, 0.5%: above 0 and up to 100%")
    return share


def in_percent(share: float) -> str:
    """Return a share as people write it."""
    return f"{share * 100:.6f}".rstrip("0").rstrip(".") + " %"
