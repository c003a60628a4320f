"""What a whole node does to tables: its statements' uses, folded in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from kitchen.domain.layout import TableName
from kitchen.engine.mentions import Mention, Use


@dataclass(frozen=True, slots=True)
class Seen:
    """One use of a table, with the table's full logical name and where it stands."""

    table: TableName
    use: Use
    where: str  # file:line
    is_view: bool = False
    source: TableName | None = None


@dataclass(frozen=True, slots=True)
class Touches:
    """What a node reads before it writes, builds from nothing, changes, and leaves dropped."""

    reads: frozenset[TableName] = frozenset()
    rebuilds: frozenset[TableName] = frozenset()
    changes: frozenset[TableName] = frozenset()
    drops: frozenset[TableName] = frozenset()
    needs: frozenset[TableName] = frozenset()  # must be there before the node
    creates: frozenset[TableName] = frozenset()  # CREATE without a DROP before: must not be there
    views: frozenset[TableName] = frozenset()
    where: dict[TableName, str] = field(default_factory=dict)

    @property
    def writes(self) -> frozenset[TableName]:
        """What the node leaves written."""
        return self.rebuilds | self.changes


@dataclass(slots=True)
class _Fate:
    read: bool = False
    built: bool = False
    changed: bool = False
    gone: bool = False
    was_dropped: bool = False
    needed: bool = False
    bare: bool = False
    is_view: bool = False

    @property
    def is_own_work(self) -> bool:
        """What stands in the table now comes from this node alone."""
        return self.built and not self.gone

    def take(self, use: Use) -> None:
        match use:
            case Use.READ:
                if not self.is_own_work:
                    self.read = self.needed = True
            case Use.CREATE:
                self.bare = self.bare or not (self.was_dropped or self.built)
                self.built, self.gone = True, False
            case Use.REPLACE:
                self.built, self.gone = True, False
            case Use.CREATE_IF_MISSING:
                self.changed = self.changed or not self.is_own_work
                self.gone = False
            case Use.EMPTY:
                self.needed = self.needed or not self.is_own_work
                self.built = True
            case Use.CHANGE:
                if not self.is_own_work:
                    self.changed = self.needed = True
            case Use.DROP:
                self.needed = self.needed or not self.is_own_work
                self.gone = self.was_dropped = True
            case Use.DROP_IF_THERE:
                self.gone = self.was_dropped = True


def fold(uses: Iterable[Seen]) -> Touches:
    """Return what a node does, from its uses in order."""
    fates: dict[TableName, _Fate] = {}
    where: dict[TableName, str] = {}
    for seen in uses:
        where.setdefault(seen.table, seen.where)
        fate = fates.setdefault(seen.table, _Fate())
        fate.is_view = fate.is_view or seen.is_view
        if seen.use is Use.RENAME_TO and seen.source is not None:
            _rename(fates.setdefault(seen.source, _Fate()), fate)
        else:
            fate.take(seen.use)
    # a table that is read, and then built anew from what was read, still depends on what was in it: a change
    return Touches(
        reads=_where(fates, lambda fate: fate.read),
        rebuilds=_where(fates, lambda fate: fate.is_own_work and not fate.read and not fate.changed),
        changes=_where(fates, lambda fate: not fate.gone and (fate.changed or (fate.built and fate.read))),
        drops=_where(fates, lambda fate: fate.gone),
        needs=_where(fates, lambda fate: fate.needed),
        creates=_where(fates, lambda fate: fate.bare),
        views=_where(fates, lambda fate: fate.is_view),
        where=where,
    )


def _rename(source: _Fate, target: _Fate) -> None:
    target.built, target.gone = True, False
    target.changed = target.changed or not source.built
    source.gone = True


def _where(fates: dict[TableName, _Fate], is_it: Callable[[_Fate], bool]) -> frozenset[TableName]:
    return frozenset(table for table, fate in fates.items() if is_it(fate))


def in_order(mentions: Iterable[Mention]) -> list[Mention]:
    """Return one statement's mentions as they take effect: what it reads is read before it writes."""
    return sorted(mentions, key=lambda mention: mention.use is not Use.READ)
