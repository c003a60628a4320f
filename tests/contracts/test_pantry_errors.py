"""What goes wrong on the source is said without a word of its rows, to whomever and wherever it is kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kitchen.errors import KitchenError
from tests.contracts.pantries import HEAD, Place, Production, fill
from tests.support import Server, Warehouse

SECRET = "Zephyrine Quackenbush"
TABLE = f"""
CREATE TABLE public.person (id int PRIMARY KEY, email text, notes text, born text);
INSERT INTO public.person VALUES (1, 'z@canary-mail.com', '{SECRET}', '{SECRET}');
"""
DECIDED = """
    id: {mask: keep, why: key}
    email: {mask: email, subject: id}
    notes: NOTES
    born: {mask: blank}
"""
KEPT = """
SELECT jsonb_agg(o)::text FROM kitchen_control.operation AS o UNION ALL
SELECT jsonb_agg(a)::text FROM kitchen_control.audit AS a UNION ALL
SELECT jsonb_agg(p)::text FROM kitchen_control.pantry AS p UNION ALL
SELECT jsonb_agg(s)::text FROM kitchen_control.step AS s
"""


@pytest.fixture
def production(postgres: Server) -> Iterator[Production]:
    warehouse = postgres.make()
    made = Production(warehouse)
    made.execute(TABLE)
    yield made
    postgres.drop(warehouse)


@pytest.mark.parametrize(
    ("where", "notes"),
    [
        ("notes::int > 0", "{mask: blank}"),
        ("born::date > now()", "{mask: blank}"),
        ("true", '{mask: sql, sql: "(notes::int)::text", why: tried}'),
        ("true", '{mask: sql, sql: "(notes::json)::text", why: tried}'),
    ],
)
def test_no_error_quotes_a_row(production: Production, new_warehouse: Warehouse, where: str, notes: str) -> None:
    place = Place(new_warehouse)
    text = HEAD + "tables:\n  person:\n    where: '" + where + "'" + DECIDED.replace("NOTES", notes)
    said: list[str] = []
    with pytest.raises(KitchenError) as failed:
        fill(place, production, text, said)
    told = "\n".join([*said, str(failed.value), str(failed.value.hint), *map(str, place.query(KEPT))])
    assert "Zephyrine" not in told
    assert "22P02" in told or "22007" in told or "Invalid" in told, "the kind of error is said"
