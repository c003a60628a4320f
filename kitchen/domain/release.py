"""What moved into an environment, by which plan, who agreed, and what it takes to go back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from kitchen.domain.layout import TableName


class ReleaseKind(StrEnum):
    """Why something was published."""

    MERGE = "merge"  # a kitchen into its parent
    PROMOTION = "promotion"  # an environment into its parent
    ROLLBACK = "rollback"  # an earlier state again: back, or forward after going back


class ReleaseState(StrEnum):
    """Where a release is; only RELEASED and ROLLED_BACK ones have touched anything."""

    PLANNED = "planned"
    APPLYING = "applying"
    RELEASED = "released"
    FAILED = "failed"
    ROLLED_BACK = "rolled back"


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's consent to one plan, and to no other."""

    by: str
    at: datetime
    plan_hash: str
    own: bool  # by whoever planned it
    void: str | None = None  # why it does not count, as the server judges it now


@dataclass(frozen=True, slots=True)
class Swapped:
    """One table of the target, and the relations it stood for before and after, by the server's number."""

    table: TableName  # physical
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class ReleasePlan:
    """What a release does, complete: an approval is given to exactly this."""

    source: str  # the kitchen that it comes from
    source_branch: str
    branch: str  # of the target
    base: str  # head of the target's branch
    head: str  # commit that comes in
    nodes: Mapping[str, tuple[str, ...]]  # recipe -> nodes that run
    tables: tuple[str, ...]  # written by these nodes, by logical name
    drops: tuple[str, ...] = ()  # tables that leave with the recipe or node that made them
    changes: tuple[str, ...] = ()  # of the tables: not built anew but copied and changed, so others must not write
    commits: tuple[Mapping[str, str], ...] = ()
    files: tuple[str, ...] = ()
    guarded: tuple[str, ...] = ()  # of them: access lists, gates, masking decisions
    approvals: int = 0  # wanted by the target's gates
    tests: str = "affected"
    loosens: tuple[str, ...] = ()  # masking, roles, gates, in words: somebody else must agree
    others: bool = False  # whoever planned it does not approve it
    alone: tuple[str, ...] = ()  # in words: what somebody else should agree to, where nobody else may approve
    again: tuple[int, ...] = ()  # releases that were rolled back, and whose changes come in again
    restores: int | None = None  # for rollbacks: the release whose state comes back; 0 is what was before the first

    def to_document(self) -> dict[str, object]:
        """Return it as JSON can hold it."""
        return {
            "source": self.source, "source_branch": self.source_branch, "branch": self.branch,
            "base": self.base, "head": self.head,
            "nodes": {recipe: list(nodes) for recipe, nodes in sorted(self.nodes.items())},
            "tables": list(self.tables), "drops": list(self.drops), "changes": list(self.changes),
            "commits": [dict(commit) for commit in self.commits],
            "files": list(self.files), "guarded": list(self.guarded), "approvals": self.approvals, "tests": self.tests,
            "restores": self.restores, **({"loosens": list(self.loosens)} if self.loosens else {}),
            **({"again": list(self.again)} if self.again else {}),
            **({"others": True} if self.others else {}), **({"alone": list(self.alone)} if self.alone else {}),
        }  # fmt: skip

    @classmethod
    def from_document(cls, kept: Mapping[str, object]) -> ReleasePlan:
        """Rebuild what ``to_document`` gave."""
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in kept.items()}
        nodes = kept["nodes"]
        assert isinstance(nodes, Mapping)  # noqa: S101 - our own writing
        return cls(**{**values, "nodes": {recipe: tuple(names) for recipe, names in nodes.items()}})  # type: ignore[arg-type]

    @property
    def hash(self) -> str:
        """Return the text by which approvals name this plan."""
        return sha256(json.dumps(self.to_document(), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Release:
    """One publication into a kitchen of an environment; ``number`` is unique in the environment."""

    number: int
    kind: ReleaseKind
    environment: str
    kitchen: str  # whose tables it replaces
    plan: ReleasePlan
    state: ReleaseState
    by: str
    planned_at: datetime
    commit: str | None = None  # head of the target's branch afterwards
    tag: str | None = None
    released_at: datetime | None = None
    message: str | None = None
    approvals: tuple[Approval, ...] = ()
    swapped: tuple[Swapped, ...] = field(default=())

    @property
    def called(self) -> str:
        """Return how people speak of it; one that is only looked at before it is planned has no number yet."""
        return f"release {self.number}" if self.number else "a new release"

    @property
    def agreed(self) -> tuple[Approval, ...]:
        """Return the approvals that count: of the plan as it is, by whoever may still give one."""
        return tuple(one for one in self.approvals if one.plan_hash == self.plan.hash and one.void is None)

    @property
    def missing_approvals(self) -> int:
        """Return how many more people must agree."""
        return max(0, self.plan.approvals - len({approval.by for approval in self.agreed}))
