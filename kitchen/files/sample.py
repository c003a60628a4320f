"""The ``sample:`` of an environment's data section, strictly."""

from __future__ import annotations

import re

from kitchen.domain.sample import Sample, Seed, share_of
from kitchen.files.environment_model import SampleFile, SeedFile
from kitchen.files.loader import Document

_TABLE = re.compile(r"[^.]+(\.[^.]+)?")
_KEY = re.compile(r"[^.]+(\.[^.]+){1,2}")
_HERE = ("data", "sample")


def sample_of(said: str | SampleFile | None, document: Document) -> Sample | None:
    """Return what a file asks for; raises InvalidInput with file and line."""
    if said is None:
        return None
    if isinstance(said, str):
        return Sample(share=document.check(lambda: share_of(said), *_HERE))
    share = said.share
    if share is None and not said.seeds:
        raise document.error("say `share: 10%`, or `seeds:` to begin with", *_HERE)
    for name in (*said.seeds, *said.whole):
        if not _TABLE.fullmatch(name):
            raise document.error(f"a table is named like customer or marts.customer, not {name!r}", *_HERE)
    if both := sorted(set(said.seeds) & set(said.whole)):
        raise document.error(f"{both[0]!r} is to come whole, and only some rows of it", *_HERE, "whole")
    caps = {} if isinstance(said.max_children, int) or said.max_children is None else said.max_children
    for name in caps:
        if not _KEY.fullmatch(name):
            raise document.error("a key is named by its column: orders.customer_id", *_HERE, "max_children", name)
    return Sample(
        share=None if share is None else document.check(lambda: share_of(share), *_HERE, "share"),
        seeds={name: _seed(name, seed, document) for name, seed in said.seeds.items()},
        whole=said.whole,
        whole_below=said.whole_below,
        max_children=caps,
        max_of_any=said.max_children if isinstance(said.max_children, int) else None,
        max_rows=said.max_rows,
    )


def _seed(name: str, said: str | SeedFile, document: Document) -> Seed:
    path = (*_HERE, "seeds", name)
    if isinstance(said, str):
        return Seed(share=document.check(lambda: share_of(said), *path))
    from kitchen.files.masking import one_expression  # noqa: PLC0415 - it parses SQL, which few files need

    one_expression(said.where, document, *path, "where")
    return Seed(where=said.where)
