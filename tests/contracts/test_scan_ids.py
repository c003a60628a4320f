"""Numbers that are keys, whatever they are called: what a scan proposes for them, a refresh takes."""

from __future__ import annotations

from tests.contracts.pantries import Place, Production, fill, reviewed, scanned
from tests.support import Warehouse


def test_the_key_of_a_device_is_proposed_as_a_refresh_takes_it(warehouse: Warehouse, new_warehouse: Warehouse) -> None:
    production = Production(warehouse)
    production.execute(
        "CREATE TABLE device (device_id serial PRIMARY KEY, model text NOT NULL)",
        "CREATE TABLE reading (reading_id bigserial PRIMARY KEY, device_id int NOT NULL REFERENCES device,"
        " kwh numeric)",
        "CREATE TABLE ticket (ticket_id serial PRIMARY KEY, device_id int REFERENCES device, opened timestamptz)",
        "INSERT INTO device (model) SELECT 'M' || n % 7 FROM generate_series(1, 300) n",
        "INSERT INTO reading (device_id, kwh) SELECT 1 + n % 300, n FROM generate_series(1, 900) n",
        "INSERT INTO ticket (device_id, opened) SELECT 1 + n % 300, now() FROM generate_series(1, 100) n",
        "ANALYZE",
    )
    place = Place(new_warehouse)
    version = fill(place, production, reviewed(scanned(production)))
    joined = f"SELECT count(*) FROM pantry_v{version}.reading JOIN pantry_v{version}.device USING (device_id)"
    assert place.query(joined) == [(900,)]
