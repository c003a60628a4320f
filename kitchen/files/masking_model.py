"""What environments/masking.yaml may say."""

from __future__ import annotations

from typing import Literal

from msgspec import field

from kitchen.files.loader import Model

Mask = Literal[
    "keep", "blank", "const", "hash", "first_name", "last_name", "full_name", "email", "phone", "street", "city",
    "postcode", "region", "country", "address", "company", "card", "iban", "national_id", "ip", "mac", "url",
    "user_name", "date", "number", "permute", "text", "json", "each", "shuffle", "sql", "recompute", "drop",
]  # fmt: skip


class DecisionFile(Model, frozen=True, kw_only=True):
    """One column's decision."""

    mask: Mask
    why: str | None = None
    subject: str | None = None
    proposed: bool = False
    type: str | None = None
    domain: str | None = None
    value: str | int | float | bool | None = None
    length: int | None = None
    to: Literal["year", "month", "shift"] | None = None
    days: int | None = None
    round: float | None = None
    bucket: float | None = None
    noise: float | None = None
    paths: list[str] | None = None
    of: DecisionFile | None = None
    sql: str | None = None


class MaskingFile(Model, frozen=True, kw_only=True):
    """The whole file. In a table, a mapping decides a column; ``rows`` and ``where`` as text say which rows come.

    A list ``quasi_identifiers`` in a table names columns whose small groups are reported.
    """

    tables: dict[str, dict[str, DecisionFile | str | list[str]]] = field(default_factory=dict)
    patterns: dict[str, DecisionFile] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)
    canaries: list[str] = field(default_factory=list)
    accepted: dict[str, str] = field(default_factory=dict)
