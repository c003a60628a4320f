"""A keyed bijection of integers: a Feistel network, whose round function is SHA-256 under a sub-key."""

from __future__ import annotations

from kitchen.domain.catalogue import SourceColumn
from kitchen.errors import Refused
from kitchen.masking.keys import SETTING
from kitchen.masking.masks import INTEGER_BITS
from kitchen.masking.sql import number

ROUNDS = 8  # even: the halves differ by one bit and change places in every round


def expression(column: SourceColumn, value: str, domain: int, joins: list[str]) -> str:
    """Return the SQL of a permuted integer and add the joins that compute it; raises Refused for other types."""
    bits = INTEGER_BITS.get(column.base)
    if bits is None or column.is_array:
        raise Refused(f"permute does not fit {column.type}: it is for whole numbers; use hash")
    high, low = bits // 2, bits - bits // 2
    name = f"f{len(joins)}"
    folded = f"(CASE WHEN {value} < 0 THEN ~ {value}::bigint ELSE {value}::bigint END)"
    joins.append(f"CROSS JOIN LATERAL (SELECT {folded} >> {low} AS l, {folded} & {2**low - 1} AS r OFFSET 0) {name}_0")
    pad = f"(SELECT decode(current_setting('{SETTING}{domain}'), 'hex'))"
    for turn in range(1, ROUNDS + 1):
        before, width = f"{name}_{turn - 1}", high if turn % 2 else low
        mixed = number(f"sha256({pad} || convert_to('{turn}:' || {before}.r, 'UTF8'))", 0, 7)
        joins.append(
            f"CROSS JOIN LATERAL (SELECT {before}.r AS l, {before}.l # ({mixed} & {2**width - 1}) AS r OFFSET 0)"
            f" {name}_{turn}"
        )
    last = f"{name}_{ROUNDS}"
    whole = f"(({last}.l << {low}) | {last}.r)"
    return f"CASE WHEN {value} IS NULL THEN NULL WHEN {value} < 0 THEN ~ {whole} ELSE {whole} END"
