"""Choose a consistent part of a source, in its own moment, before anything is copied."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from kitchen.domain.catalogue import Catalogue, SourceTable
from kitchen.domain.layout import TableName
from kitchen.domain.masking import Policy
from kitchen.domain.sample import Pulled, Sample, SampledTable
from kitchen.domain.secret import Secret
from kitchen.domain.words import counted
from kitchen.errors import InvalidInput, KitchenError, NotPermitted, Refused, Unavailable
from kitchen.masking import subset_sql
from kitchen.masking.select import MaskedSelect
from kitchen.masking.sql import literal, qualified
from kitchen.masking.subset import Edge, How, Rule, SubsetPlan, subset_plan
from kitchen.masking.subset_sql import Kept
from kitchen.operations.pantry_verify import Checked
from kitchen.ports import ChosenRows, CopyJob, Moment, PantryStore, Scratch

_PIECE = 50_000  # rows that one statement names by their places
_ANALYSE_FROM = 500
_MOST_TOLD = 5
_CHAIN_FROM = 6  # rounds, after which a table that still refers to itself has chains
_MOST_SAID = 50  # the manifest and --json have all
_ROWS_A_PAGE = 40  # about

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Subset:
    """What was chosen: the places of each table's rows, or nothing where the table comes whole, and why."""

    pieces: Mapping[TableName, tuple[ChosenRows, ...]]  # a table that is not here comes whole
    tables: tuple[SampledTable, ...]
    orphans: tuple[tuple[Edge, int], ...]  # by declared key: chosen rows that refer to nothing in the source either
    seconds: float = 0.0

    def document(self) -> dict[str, object]:
        """Return what a manifest and ``--json`` say of it."""
        tables = [table.document() for table in self.tables]
        return {"rows": self.rows, "seconds": round(self.seconds, 3), "tables": tables}

    @property
    def rows(self) -> int:
        """Return how many rows come along."""
        return sum(table.rows for table in self.tables)


def planned(
    moment: Moment, catalogue: Catalogue, policy: Policy, sample: Sample
) -> tuple[SubsetPlan, dict[TableName, int]]:
    """Return the rules, without choosing any row, and the exact count of each table that is small.

    Raises InvalidInput where the sample names what the source has not.
    """
    counts: dict[TableName, int] = {}
    if sample.whole_below > 0:
        for query, tables in subset_sql.small_queries(catalogue.tables, sample.whole_below):
            counted = zip(tables, moment.query(query)[0], strict=True)
            counts |= {table.name: int(rows) for table, rows in counted if rows < sample.whole_below}
    return subset_plan(catalogue, policy, sample, counts.keys()), counts


def chosen(moment: Moment, catalogue: Catalogue, policy: Policy, sample: Sample) -> Subset:
    """Choose the rows of one moment.

    Raises Refused where they would be too many, or refer to rows that the policy leaves out.
    """
    started = time.monotonic()
    plan, counts = planned(moment, catalogue, policy, sample)
    partial = [rule.table for rule in plan.rules if rule.partial]
    kept = Kept(partial, sample.draw)
    with moment.scratch(tuple(kept.made())) as session:
        choice = _Choice(session, plan, kept)
        choice.down()
        choice.up()
        choice.refuse_forbidden()
        totals = {table.name: choice.count(table) for table in partial}
        tables = tuple(_told(choice, rule, counts, totals) for rule in _in_order(plan, catalogue))
        _refuse_too_many(tables, sample)
        orphans = choice.orphans()
        pieces = {table.name: tuple(_pieces(session, kept, table)) for table in partial}
    nothing: dict[TableName, tuple[ChosenRows, ...]] = {
        rule.table.name: () for rule in plan.rules if rule.how is How.NOTHING
    }
    return Subset({**pieces, **nothing}, tables, orphans, time.monotonic() - started)


def rules(moment: Moment, policy: Policy, sample: Sample) -> list[tuple[TableName, int, str]]:
    """Return, for each table, about how many rows it has and which of them would come along; none is chosen.

    Raises InvalidInput where the source does not understand the sample.
    """
    catalogue = moment.catalogue()
    plan, counts = planned(moment, catalogue, policy, sample)
    for rule in plan.rules:
        if rule.seed is not None and rule.seed.where is not None:
            _try(moment, rule.table, rule.seed.where)
    found = [(plan.rule(table.name), table) for table in catalogue.tables]
    return [(table.name, counts.get(table.name, table.rows), in_words(rule, counts)) for rule, table in found]


def _try(moment: Moment, table: SourceTable, condition: str) -> None:
    try:
        moment.query(f"SELECT FROM {subset_sql.source(table)} t WHERE ({condition}) LIMIT 0")
    except Unavailable:
        raise
    except KitchenError as refused:
        raise InvalidInput(f"sample: seeds: {table.name}: where: {refused.message}", hint=refused.hint) from None


def choose(
    moment: Moment, catalogue: Catalogue, policy: Policy, sample: Sample | None, *, say: Say
) -> Subset | None:  # fmt: skip
    """Choose the rows of a sample and say how many of which tables, and why; without a sample nothing is chosen."""
    if sample is None:
        return None
    subset = chosen(moment, catalogue, policy, sample)
    say_chosen(subset, say)
    return subset


def say_chosen(subset: Subset, say: Say) -> None:
    """Say how many rows were chosen, of which tables, and why."""
    say(f"the sample has {counted(subset.rows, 'row')}, chosen in {subset.seconds:.1f} s:")
    tell(subset, say)


def jobs_of(
    select: MaskedSelect, pieces: Sequence[ChosenRows], settings: tuple[Secret, ...]
) -> list[CopyJob]:  # fmt: skip
    """Return the masked SELECTs of the chosen rows of one table, by their places."""
    table = select.table
    if not select.splittable:  # one statement sees all rows, each with the partition that it is in
        each = [f"t.tableoid = {literal(qualified(rows.table))}::regclass AND {rows.condition}" for rows in pieces]
        return [_job(select, select.sql(" OR ".join(each) or "false"), tuple(pieces), settings)]
    return [
        replace(
            _job(select, select.sql(rows.condition, part=rows.table), (rows,), settings),
            part=rows.table if table.partitioned else None,
        )
        for rows in pieces
    ]  # fmt: skip


def _job(
    select: MaskedSelect, text: str, rows: tuple[ChosenRows, ...], settings: tuple[Secret, ...]
) -> CopyJob:  # fmt: skip
    table, weight = select.table, max(sum(piece.rows for piece in rows) // _ROWS_A_PAGE, 1)
    return CopyJob(
        table.name, table.physical, text, select.columns, settings, weight, is_ours=select.is_ours, chosen=rows
    )


class _Choice:
    """The steps of one choice, with an account of what each brought."""

    def __init__(self, session: Scratch, plan: SubsetPlan, kept: Kept) -> None:
        self._session, self._plan, self._kept = session, plan, kept
        self._rules = {rule.table.name: rule for rule in plan.rules}
        self._analysed: dict[TableName, int] = {}
        self._rows: dict[TableName, int] = defaultdict(int)
        self.pulled: dict[TableName, dict[str, int]] = defaultdict(lambda: defaultdict(int))

    def down(self) -> None:
        """Choose what the rules say, parents before children."""
        for rule in self._plan.rules:
            if rule.partial:
                for statement in subset_sql.begin(self._kept, rule):
                    self._add(rule.table, str(rule), statement)

    def up(self) -> None:
        """Add what is referred to, and the links between what came, until nothing is missing.

        Each round looks at the rows of the round before.
        """
        fresh = {rule.table.name for rule in self._plan.rules if rule.how is not How.NOTHING}
        for number in count():
            arrived: set[TableName] = set()
            for edge in self._plan.edges:
                child, parent = self._rules[edge.child.name], self._rules[edge.parent.name]
                settled = number == 0 and edge in child.settled
                if edge.child.name not in fresh or settled or not parent.partial:
                    continue
                statements: Iterable[str] = [subset_sql.up(self._kept, edge, number, whole=child.how is How.WHOLE)]
                if number >= _CHAIN_FROM and edge.child.name == edge.parent.name and not edge.declared:
                    statements = subset_sql.up_the_chain(self._kept, edge, number)
                why = f"{edge} refers to them"
                if sum([self._add(edge.parent, why, statement) for statement in statements]):
                    arrived.add(edge.parent.name)
            arrived |= self._linked(fresh, number)
            if not arrived:
                return
            fresh = arrived

    def _linked(self, fresh: Collection[TableName], number: int) -> set[TableName]:
        """Add the links of which an end came in a round; return the tables that they are in."""
        arrived: set[TableName] = set()
        for rule in self._plan.rules:
            if {edge.parent.name for edge in rule.links} & set(fresh):
                statements = subset_sql.linking(self._kept, rule, self._rules, number)
                if sum([self._add(rule.table, "all that they link came", statement) for statement in statements]):
                    arrived.add(rule.table.name)
        return arrived

    def refuse_forbidden(self) -> None:
        """Raise Refused where a chosen row refers to one that must not come along."""
        for edge in self._plan.edges:
            child, parent = self._rules[edge.child.name], self._rules[edge.parent.name]
            condition = parent.condition if parent.how is not How.NOTHING else None
            if child.how is How.NOTHING or edge.declared or (parent.how is not How.NOTHING and not condition):
                continue
            query = subset_sql.forbidden(
                self._kept, edge, child_whole=child.how is How.WHOLE, condition=condition
            )  # fmt: skip
            if found := self._ask(edge.child, query)[0][0]:
                what = f"`where: {condition}`" if condition else "`rows: none`"
                raise Refused(
                    f"{found:,} rows of the sample of {edge.child.name} refer ({', '.join(edge.key.columns)}) to rows"
                    f" of {edge.parent.name} that {what} in masking.yaml leaves out",
                    hint=f"leave those rows of {edge.child.name} out as well, with a `where` of its own",
                )

    def orphans(self) -> tuple[tuple[Edge, int], ...]:
        """Return, for each declared key, how many chosen rows refer to what the source has not."""
        found: list[tuple[Edge, int]] = []
        for edge in self._plan.edges:
            rule = self._rules[edge.child.name]
            if edge.declared and rule.how is not How.NOTHING:
                source = subset_sql.source(edge.child)
                children = self._kept.chosen(edge.child, "c") if rule.partial else f"{source} c"
                query = subset_sql.leading_nowhere(edge, children, subset_sql.source(edge.parent))
                found.append((edge, int(self._ask(edge.child, query)[0][0])))
        return tuple(found)

    def count(self, table: SourceTable) -> int:
        """Return how many rows of a table are chosen."""
        return self._rows[table.name]

    def _add(self, table: SourceTable, why: str, statement: str) -> int:
        with _unquoted(table):
            added = self._session.execute(statement)
        if added > 0:
            self.pulled[table.name][why] += added
            self._rows[table.name] += added
            if self._rows[table.name] > max(_ANALYSE_FROM, 1.2 * self._analysed.get(table.name, 0)):
                self._session.execute(f"ANALYZE {self._kept.name(table)}")
                self._analysed[table.name] = self._rows[table.name]
        return max(added, 0)  # a setting has no rows

    def _ask(self, table: SourceTable, statement: str) -> list[tuple[int, ...]]:
        with _unquoted(table):
            return self._session.query(statement)


class _unquoted:  # noqa: N801 - reads as a word in `with`
    """Raise errors of the source without its words, which may quote a value."""

    def __init__(self, table: SourceTable) -> None:
        self._table = table

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, KitchenError) and not isinstance(error, NotPermitted | Unavailable):
            kind = type(error.__cause__).__name__
            hint = "check `sample:` of the environment, and `where` and `references` of masking.yaml"
            if kind == "OutOfMemory":  # it holds locks on every table that it looks at, in one transaction
                hint = "raise max_locks_per_transaction of the source, or let more tables come whole"
            raise Refused(f"choosing rows of {self._table.name}: the source refused: {kind}", hint=hint) from None


def check_subset(store: PantryStore, version: int, subset: Subset, rows: Mapping[TableName, int]) -> Checked:
    """Every chosen row arrived and no other, and keys that only the policy declares lead nowhere new."""
    started = time.monotonic()
    faults = [
        f"{table.table}: {counted(table.rows, 'row')} chosen and {rows.get(table.table, 0)} left the source"
        for table in subset.tables
        if table.table in subset.pieces and rows.get(table.table, 0) != table.rows
    ]
    for edge, known in subset.orphans:
        child, parent = (qualified(store.place(version, table.name)) for table in (edge.child, edge.parent))
        found = int(store.query(subset_sql.leading_nowhere(edge, f"{child} c", parent))[0][0])
        if found > known:
            faults.append(f"{edge}: {found - known} references to {edge.parent.name} lead nowhere")
    measured = f"{counted(subset.rows, 'row')} chosen, {counted(len(subset.orphans), 'declared key')} followed"
    return Checked(
        "sample",
        "every row of the sample arrived, and every key finds its row",
        not faults,
        measured,
        time.monotonic() - started,
        tuple(faults),
    )


def _pieces(session: Scratch, kept: Kept, table: SourceTable) -> list[ChosenRows]:
    """Return the places of a table's chosen rows, packed: this session ends before the copying begins."""
    found: list[ChosenRows] = []
    after: tuple[int, str] | None = None
    while rows := session.query(subset_sql.places(kept, table, after, _PIECE)):
        for part, last, number, text, schema, name in rows:
            found.append(ChosenRows.packed(TableName(schema, name), text, int(number)))
            after = (int(part), str(last))
    return found


def _in_order(plan: SubsetPlan, catalogue: Catalogue) -> list[Rule]:
    return [plan.rule(table.name) for table in catalogue.tables]


def _told(
    choice: _Choice, rule: Rule, counts: Mapping[TableName, int], totals: Mapping[TableName, int]
) -> SampledTable:  # fmt: skip
    table = rule.table
    all_rows = counts.get(table.name, table.rows)
    rows = {How.WHOLE: all_rows, How.NOTHING: 0}.get(rule.how, totals.get(table.name, 0))
    pulled = tuple(Pulled(why, number) for why, number in choice.pulled[table.name].items())
    return SampledTable(table.name, in_words(rule, counts), rows, max(all_rows, rows), pulled)


def in_words(rule: Rule, counts: Mapping[TableName, int]) -> str:
    """Return a rule as it is told to people."""
    small = rule.how is How.WHOLE and rule.table.name in counts
    return f"{rule}: it is small" if small else str(rule)


def _refuse_too_many(tables: tuple[SampledTable, ...], sample: Sample) -> None:
    rows = sum(table.rows for table in tables)
    if sample.max_rows is not None and rows > sample.max_rows:
        largest = sorted(tables, key=lambda table: -table.rows)[:_MOST_TOLD]
        told = "; ".join(f"{table.table} {table.rows:,} ({table.rule})" for table in largest)
        raise Refused(
            f"the sample has {counted(rows, 'row')}, more than max_rows: {sample.max_rows:,}; most are of: {told}",
            hint="ask for a smaller share, or bound what follows with max_children",
        )


def tell(subset: Subset, say: Say) -> None:
    """Say how much of each table comes along, and why."""
    ordered = sorted(subset.tables, key=lambda table: -table.rows)
    for table in ordered[:_MOST_SAID]:
        say(f"{table.table}: {table.rows:,} of {table.of:,} rows: {table.rule}")
        for part in table.pulled:
            if part.why != table.rule:
                say(f"  {part.rows:,} because {part.why}")
    if len(ordered) > _MOST_SAID:
        say(f"and {len(ordered) - _MOST_SAID} smaller tables")
