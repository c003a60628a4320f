"""Which rows of a source make a consistent part of it: one rule for each table, and the keys that must hold.

Down from where it begins, one table after another and never round a circle; then up to everything that is referred
to, with the links between whatever came, until nothing is missing. What a smaller share chooses, a larger one chooses
too: every step only ever adds rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from kitchen.domain.catalogue import Catalogue, ForeignKey, SourceTable
from kitchen.domain.layout import TableName
from kitchen.domain.masking import Policy
from kitchen.domain.sample import Sample, Seed, in_percent
from kitchen.errors import InvalidInput
from kitchen.masking.circles import circles
from kitchen.masking.domains import declared

_LINKED = "links whose ends all come"
_MEND = "mend data: {sample: …} below environments/; kitchen pantry check --list names the tables"


class How(StrEnum):
    """What decides which rows of a table come along before anything refers to them."""

    WHOLE = "whole"
    SEED = "seed"
    FOLLOWS = "follows"  # rows of the parents that come along
    JUNCTION = "junction"  # rows all of whose parents come along
    REFERRED = "referred"  # nothing leads here: only what others refer to
    NOTHING = "nothing"  # the policy says `rows: none`


@dataclass(frozen=True, slots=True)
class Edge:
    """One key between two tables of the source; a cap bounds how many children each parent brings along."""

    key: ForeignKey
    child: SourceTable
    parent: SourceTable
    declared: bool = False  # by the policy, not by the database
    cap: int | None = None

    @property
    def nullable(self) -> bool:
        """Say whether a row of the child may refer to nothing."""
        found = (self.child.column(name) for name in self.key.columns)
        return any(column is None or not column.not_null for column in found)

    def __str__(self) -> str:
        return f"{self.child.name}.{', '.join(self.key.columns)}"


@dataclass(frozen=True, slots=True)
class Rule:
    """How the rows of one table are chosen."""

    table: SourceTable
    how: How
    seed: Seed | None = None
    owners: tuple[Edge, ...] = ()  # the keys down which its rows come
    links: tuple[Edge, ...] = ()  # of a table of links: rows come whose ends have all come, whenever that was
    orphans: float | None = None  # share of the rows that have no parent
    condition: str | None = None  # the policy's `where`: other rows never leave

    @property
    def partial(self) -> bool:
        """Say whether its rows are chosen one by one."""
        return self.how not in (How.WHOLE, How.NOTHING)

    @property
    def settled(self) -> tuple[Edge, ...]:
        """Return the keys that hold for every row the rule itself chose."""
        return self.owners if self.how is How.JUNCTION or len(self.owners) == 1 else ()

    def __str__(self) -> str:
        parents = [f"{edge.parent.name} ({', '.join(edge.key.columns)})" for edge in self.owners]
        caps = [f", at most {edge.cap:,} each" for edge in self.owners if edge.cap is not None]
        match self.how:
            case How.SEED if self.seed is not None:
                by = ", ".join(self.table.primary_key) or "the row"
                share = f"{in_percent(self.seed.share or 0)} by a hash of {by}"
                return f"where {self.seed.where}" if self.seed.where is not None else share
            case How.FOLLOWS:
                rest = f"; {in_percent(self.orphans)} of those without one" if self.orphans is not None else ""
                linked = f"; {_LINKED}" if self.links else ""
                return f"rows of chosen {' or '.join(parents)}{caps[0] if caps else ''}{rest}{linked}"
            case How.JUNCTION:
                return f"rows of chosen {' and '.join(parents)}{caps[0] if caps else ''}"
            case How.WHOLE:
                return "whole"
            case How.REFERRED:
                return "only what others refer to" + (f", and {_LINKED}" if self.links else "")
        return "structure only"


@dataclass(frozen=True, slots=True)
class SubsetPlan:
    """The rules, parents before their children, and every key that must hold in the end."""

    rules: tuple[Rule, ...]
    edges: tuple[Edge, ...]

    def rule(self, table: TableName) -> Rule:
        """Return the rule of a table."""
        return next(rule for rule in self.rules if rule.table.name == table)


def subset_plan(catalogue: Catalogue, policy: Policy, sample: Sample, small: Collection[TableName]) -> SubsetPlan:
    """Return how a sample is taken; ``small`` are the tables with fewer rows than come whole.

    Raises InvalidInput where the sample names what the source has not.
    """
    return _Planner(catalogue, policy, sample, small).plan()


class _Planner:
    """Decides one table after another, parents before children."""

    def __init__(
        self, catalogue: Catalogue, policy: Policy, sample: Sample, small: Collection[TableName]
    ) -> None:  # fmt: skip
        self._catalogue, self._policy, self._sample = catalogue, policy, sample
        self._seeds = {self._named(name): seed for name, seed in sample.seeds.items()}
        self._rules: dict[TableName, Rule] = {}
        self._reached: set[TableName] = set()
        for table in catalogue.tables:
            if policy.table(table.name).rows == "none":
                self._rules[table.name] = Rule(table, How.NOTHING)
        for name in self._seeds.keys() & self._rules.keys():
            raise InvalidInput(
                f"sample: {name} begins it, and masking.yaml says `rows: none` of that table", hint=_MEND
            )
        for name in (*small, *map(self._named, sample.whole)):
            if name not in self._rules and name not in self._seeds:
                self._rules[name] = Rule(self._table(name), How.WHOLE, condition=policy.table(name).where)
        self._edges = self._all_edges()
        self._down: dict[TableName, list[Edge]] = defaultdict(list)  # child -> keys down which its rows may come
        for edge in self._edges:
            apart = edge.child.name != edge.parent.name and edge.cap != 0
            if apart and not {edge.child.name, edge.parent.name} & self._rules.keys():
                self._down[edge.child.name].append(edge)

    def plan(self) -> SubsetPlan:
        rest = [table.name for table in self._catalogue.tables if table.name not in self._rules]
        parents = {name: [edge.parent.name for edge in self._down[name]] for name in rest}
        for circle in circles(parents):
            self._decide(circle)
        return SubsetPlan(tuple(self._rules.values()), self._edges)

    def _decide(self, circle: Sequence[TableName]) -> None:
        """Decide the tables of one circle (mostly a single table), each once: never round it."""
        entered = [name for name in circle if name in self._seeds or self._owners(name)]
        if not entered and self._sample.share is not None:
            largest = max(circle, key=lambda name: (self._table(name).rows, str(name)))
            self._seeds[largest] = Seed(share=self._sample.share)
            entered = [largest]
        rules = [self._rule(name) for name in entered]  # all before any of them is reached: no key between them
        left = [name for name in circle if name not in entered]
        while rules:
            for rule in rules:
                self._rules[rule.table.name] = rule
                self._reached.add(rule.table.name)
            rules = [self._rule(name) for name in left if self._owners(name)]
            left = [name for name in left if name not in {rule.table.name for rule in rules}]
        for name in left:
            table, condition = self._table(name), self._policy.table(name).where
            self._rules[name] = Rule(table, How.REFERRED, links=self._links(table), condition=condition)

    def _rule(self, name: TableName) -> Rule:
        table, condition = self._table(name), self._policy.table(name).where
        if name in self._seeds:
            return Rule(table, How.SEED, self._seeds[name], condition=condition)
        owners, links = self._owners(name), self._links(table)
        ends = tuple(edge for edge in owners if edge in links)
        if len({edge.parent.name for edge in ends}) > 1:
            return Rule(table, How.JUNCTION, owners=ends, links=links, condition=condition)
        if self._sample.share is None:
            return Rule(table, How.FOLLOWS, owners=tuple(owners), links=links, condition=condition)
        # Children of every parent would add up to far more than the share: of one parent it is the share again.
        owner = min(owners, key=lambda edge: (edge.nullable, -edge.parent.rows, str(edge.parent.name), str(edge)))
        orphans = self._sample.share if owner.nullable else None
        return Rule(table, How.FOLLOWS, owners=(owner,), links=links, orphans=orphans, condition=condition)

    def _links(self, table: SourceTable) -> tuple[Edge, ...]:
        """Return the keys of a table of links, some of whose ends come only in part; nothing where it is none."""
        links = links_of(table, [edge for edge in self._edges if edge.child is table])
        decided = [self._rules[edge.parent.name].how for edge in links if edge.parent.name in self._rules]
        if How.NOTHING in decided or decided.count(How.WHOLE) == len(links):
            return ()
        return links

    def _owners(self, name: TableName) -> list[Edge]:
        return [edge for edge in self._down[name] if edge.parent.name in self._reached]

    def _table(self, name: TableName) -> SourceTable:
        found = self._catalogue.table(name)
        assert found is not None  # noqa: S101 - names come from the catalogue
        return found

    def _all_edges(self) -> tuple[Edge, ...]:
        caps = {name: self._sample.max_children[name] for name in self._sample.max_children}
        used: set[str] = set()
        edges: dict[ForeignKey, Edge] = {}
        for key in (*self._catalogue.foreign_keys, *declared(self._catalogue, self._policy)):
            child, parent = self._catalogue.table(key.table), self._catalogue.table(key.to)
            if child is None or parent is None or key in edges:
                continue
            names = {f"{text}.{column}" for text in (str(key.table), key.table.name) for column in key.columns}
            asked = names & caps.keys()
            used |= asked
            cap = min((caps[name] for name in asked), default=self._sample.max_of_any)
            edges[key] = Edge(key, child, parent, key not in self._catalogue.foreign_keys, cap)
        if unknown := sorted(caps.keys() - used):
            known = sorted({str(edge).partition(",")[0] for edge in edges.values()})
            raise InvalidInput(
                f"sample: max_children: no key {unknown[0]!r} refers to a table{_like(unknown[0], known)}"
            )
        return tuple(edges.values())

    def _named(self, name: str) -> TableName:
        found = [t.name for t in self._catalogue.tables if name in (str(t.name), t.name.name)]
        if len(found) == 1:
            return found[0]
        if found:
            raise InvalidInput(
                f"sample: several schemas have a table {name!r}: say which of {_listed(found)}", hint=_MEND
            )
        known = [text for t in self._catalogue.tables for text in (t.name.name, str(t.name))]
        raise InvalidInput(f"sample: the source has no table {name!r}{_like(name, known)}", hint=_MEND)


def links_of(table: SourceTable, edges: Sequence[Edge]) -> tuple[Edge, ...]:
    """Return the keys to two or more other tables that make up a unique key: a row is nothing but a link of these."""
    for unique in table.uniques:
        links = [edge for edge in edges if edge.parent is not table and set(edge.key.columns) & set(unique)]
        columns = {name for edge in links for name in edge.key.columns}
        if len({edge.parent.name for edge in links}) > 1 and set(unique) <= columns:
            return tuple(links)
    return ()


def _listed(names: Iterable[TableName]) -> str:
    return ", ".join(sorted(map(str, names)))


def _like(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
