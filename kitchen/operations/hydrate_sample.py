"""Fill a new kitchen with a consistent part of what it reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from kitchen.domain.catalogue import Catalogue
from kitchen.domain.kitchen import Kitchen
from kitchen.domain.layout import Layer, TableName
from kitchen.domain.masking import Policy, Reference
from kitchen.domain.sample import Sample, share_of
from kitchen.operations.hydrate import HydrateServices
from kitchen.operations.subset import Say, Subset, chosen, say_chosen
from kitchen.ports import ChosenRows, Moment, Session, Tables
from kitchen.saga import Step

PREFIX = "sample:"
_DRAW = 1  # the pantry may be a sample itself, and 20 % of it are not the 20 % that it is of production


def sample_step(services: HydrateServices, kitchen: Kitchen, *, say: Say) -> Step:
    """Return the step that copies a sample and says why each table comes along, and how much of it.

    Each table commits by itself, and what is there stays.

    Run anew after a crash it chooses the same rows again: they are chosen by hash, among the layers below.
    """
    sample = Sample(share=share_of(kitchen.data.removeprefix(PREFIX)), draw=_DRAW)

    def do() -> None:
        layer, credentials = services.layer(kitchen), services.credentials(kitchen)
        session = services.sessions.open(credentials, application=f"kitchen {kitchen.name} sample")
        try:
            with services.tables.below(credentials, layer) as moment:
                policy = _policy(services, kitchen)
                copy_sample(services.tables, session, layer, moment, sample, policy=policy, say=say)
        finally:
            session.close()

    return Step("create sample", f"copying {kitchen.data.removeprefix(PREFIX)} of what it reads", do=do,
                look=lambda: False)  # fmt: skip


def copy_sample(
    tables: Tables, session: Session, layer: Layer, moment: Moment, sample: Sample, *, policy: Policy,
    say: Say = lambda _: None,
) -> Subset:  # fmt: skip
    """Copy a sample of the layers below into the kitchen and return what was chosen, which is said before it is copied.

    The moment lasts until the end, so that no place of a chosen row is given to another one.
    """
    catalogue = moment.catalogue()
    subset = chosen(moment, catalogue, policy, sample)
    say_chosen(subset, say)
    rows = _places(catalogue, subset)
    for table in catalogue.tables:
        tables.hydrate(session, layer, table.name, chosen=rows)
    return subset


def _places(catalogue: Catalogue, subset: Subset) -> Mapping[TableName, tuple[ChosenRows, ...]]:
    """Return the chosen rows of every table and partition that does not come whole, by its physical name."""
    found: dict[TableName, tuple[ChosenRows, ...]] = {}
    for table in catalogue.tables:
        pieces = subset.pieces.get(table.name)
        if pieces is None:
            continue
        parts: dict[TableName, list[ChosenRows]] = defaultdict(list)
        for piece in pieces:
            parts[piece.table].append(piece)
        found[table.physical] = ()
        found |= {part: tuple(each) for part, each in parts.items()}
    return found


def _policy(services: HydrateServices, kitchen: Kitchen) -> Policy:
    """Return a policy that declares what the policy of the kitchen's pantry version declared."""
    versions = services.control.pantries.all()
    manifest = next((found.manifest for found in versions if found.version == kitchen.pantry), {})
    kept = manifest.get("references")
    if not isinstance(kept, list):
        return Policy()
    return Policy(
        references=tuple(Reference(table, tuple(columns), to, tuple(others)) for table, columns, to, others in kept)
    )
