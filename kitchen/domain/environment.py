"""A release environment: the services behind one name, and where it stands in the chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from kitchen.domain.sample import Sample
from kitchen.errors import InvalidInput, NotFound


@dataclass(frozen=True, slots=True)
class Service:
    """One service of an environment: its kind and the settings that its adapter reads."""

    kind: str
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Toolchain:
    """Versions an environment asks for, as specifiers such as ``>=3.11``."""

    python: str | None = None
    postgres: str | None = None
    image: str | None = None


@dataclass(frozen=True, slots=True)
class DataSource:
    """Where an environment's pantry comes from."""

    source: str
    masking: str = "masking.yaml"
    sample: Sample | None = None
    refresh: str | None = None  # when the pantry is refreshed: five fields of cron
    timezone: str = "UTC"  # of the schedule


@dataclass(frozen=True, slots=True)
class KitchenRules:
    """What kitchens may exist in an environment."""

    working: bool = True
    ttl: timedelta | None = timedelta(days=14)
    max: int = 50
    per_person: int = 5
    on_create: tuple[str, ...] = ()
    on_delete: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gates:
    """What guards *entering* an environment."""

    approvals: int = 0
    tests: str = "affected"  # affected | all
    window: str | None = None
    self_approval: bool = True
    review: bool = True  # weaker masking, other roles or gates: somebody else agrees, whatever `approvals` says


@dataclass(frozen=True, slots=True)
class Environment:
    """One release environment, as its file declares it."""

    name: str
    branch: str
    parent: str | None
    warehouse: Service
    vault: Service
    storage: Service
    containers: Service
    schemas: tuple[str, ...] = ("public",)
    connections: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    variables: Mapping[str, object] = field(default_factory=dict)
    toolchain: Toolchain = field(default_factory=Toolchain)
    data: DataSource | None = None
    alerts: Mapping[str, object] = field(default_factory=dict)
    kitchens: KitchenRules = field(default_factory=KitchenRules)
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gates: Gates = field(default_factory=Gates)

    @property
    def is_embedded(self) -> bool:
        """Embedded environments belong to their one user."""
        return self.warehouse.kind == "embedded"


@dataclass(frozen=True, slots=True)
class Chain:
    """The environments of a project, from the top (production) down."""

    environments: Mapping[str, Environment]

    def get(self, name: str) -> Environment:
        """Return the environment called name; raises NotFound with what there is."""
        try:
            return self.environments[name]
        except KeyError:
            known = ", ".join(sorted(self.environments)) or "none"
            raise NotFound(
                f"there is no environment {name!r} (there is: {known})", hint="kitchen environment show"
            ) from None

    def top(self) -> Environment:
        """Return the environment without parent: production."""
        tops = [environment for environment in self.environments.values() if environment.parent is None]
        if len(tops) != 1:
            names = ", ".join(sorted(environment.name for environment in tops)) or "none"
            raise InvalidInput(f"exactly one environment must have no parent; these have none: {names}")
        return tops[0]

    def children(self, name: str) -> Sequence[Environment]:
        """Return the environments promoted into name, in order of name."""
        return sorted((e for e in self.environments.values() if e.parent == name), key=lambda e: e.name)

    def above(self, name: str) -> tuple[str, ...]:
        """Return the environments above one, nearest first."""
        found: list[str] = []
        parent = self.get(name).parent
        while parent is not None and parent not in found:
            found.append(parent)
            parent = self.get(parent).parent
        return tuple(found)

    def workbench_below(self, name: str) -> Environment:
        """Return the nearest environment below one (or itself) where working kitchens are made: a hotfix lives there.

        Raises NotFound.
        """
        level: Sequence[Environment] = [self.get(name)]
        while level:
            for environment in level:
                if environment.kitchens.working:
                    return environment
            level = [child for environment in level for child in self.children(environment.name)]
        raise NotFound(
            f"no environment below {name!r} allows working kitchens",
            hint="set kitchens: {working: true} in environments/dev.yaml",
        )

    def workbench(self) -> Environment:
        """Return the environment where working kitchens are made unless one is named: the lowest that allows them."""
        depth: dict[str, int] = {}
        for environment in self.environments.values():
            steps, above = 0, environment.parent
            while above is not None:
                steps, above = steps + 1, self.get(above).parent
                if steps > len(self.environments):
                    raise InvalidInput(f"the parents of environment {environment.name!r} form a circle")
            depth[environment.name] = steps
        allowed = [e for e in self.environments.values() if e.kitchens.working]
        if not allowed:
            raise NotFound(
                "no environment allows working kitchens", hint="set kitchens: {working: true} in environments/dev.yaml"
            )
        return max(allowed, key=lambda e: (depth[e.name], e.name))
