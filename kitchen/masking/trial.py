"""A trial of masked values against the table's own CHECKs and domains, on a few rows, before anything is copied."""

from __future__ import annotations

import re

from kitchen.domain.masking import MaskKind, Policy
from kitchen.masking.select import MaskedSelect
from kitchen.masking.sql import quote

ROWS = 1000


def query(policy: Policy, select: MaskedSelect) -> tuple[str, tuple[str, ...]] | None:
    """Return SQL that counts masked rows which a CHECK refuses, and the names of the CHECKs; None without any."""
    table = select.table
    changed = {
        column.name
        for column in table.columns
        if column.name in select.columns
        and (decided := policy.decided(table.name, column.name)) is not None
        and decided.decision.mask is not MaskKind.KEEP
    }
    checks = {
        name: text
        for name, text in table.checks.items()
        if any(re.search(rf'(?<![\w"]){re.escape(column)}(?!\w)|"{re.escape(column)}"', text) for column in changed)
    }
    domains = any(column.domain_checks and column.name in changed for column in table.columns)
    if not checks and not domains:
        return None
    cast = ", ".join(
        f"(m.{quote(column.name)})::{column.type} AS {quote(column.name)}" if column.name in select.columns
        else f"NULL::{column.type} AS {quote(column.name)}"
        for column in table.columns
    )  # fmt: skip
    counts = [f"count(*) FILTER (WHERE NOT ({text}))" for text in checks.values()]
    counted = ", ".join([*counts, "count(x)"])  # the whole row, so that every cast is made
    inner = f"SELECT {cast} FROM ({select.sql(limit=ROWS)}) m OFFSET 0"
    return f"SELECT {counted} FROM ({inner}) x", tuple(checks)
