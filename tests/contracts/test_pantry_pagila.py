"""The pantry over a database that nobody here made; skipped, saying so, where Pagila is not beside the project."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from kitchen.operations.pantry_check import summary
from tests.contracts.pantries import Place, Production, fill, policy, scanned
from tests.support import REPOSITORY, Server, Warehouse, missing

PAGILA = REPOSITORY.parent / "shared" / "data" / "pagila.sql"


@pytest.fixture
def pagila(server: Server) -> Iterator[Production]:
    """Return Pagila as production on each kind of server."""
    if not PAGILA.exists():
        missing("pagila", "no ../shared/data/pagila.sql")
    made = server.make()
    login = made.administrator
    subprocess.run(
        [
            str(server.bin_dir / "psql"), "-X", "-q", "-o", os.devnull, "-v", "ON_ERROR_STOP=1", "-h", login.host,
            "-p", str(login.port), "-U", login.user, "-d", login.database, "-f", str(PAGILA),
        ],
        env={**os.environ, "PGPASSWORD": login.password.reveal()}, check=True, timeout=120,
    )  # fmt: skip
    yield Production(made)
    server.drop(made)


def test_nobody_of_pagila_is_in_its_pantry(pagila: Production, new_warehouse: Warehouse, postgres: Server) -> None:
    place = Place(new_warehouse)
    version = fill(place, pagila, scanned(pagila))
    login = new_warehouse.administrator
    dumped = subprocess.run(
        [
            str(postgres.bin_dir / "pg_dump"), "-h", login.host, "-p", str(login.port), "-U", login.user,
            "-d", login.database,
        ],
        env={**os.environ, "PGPASSWORD": login.password.reveal()}, check=True, timeout=120, capture_output=True,
        text=True,
    ).stdout.lower()  # fmt: skip
    assert len(dumped) > 1_000_000
    asked = {
        "e-mail": "SELECT email FROM public.customer UNION SELECT email FROM public.staff",
        "phone": "SELECT phone FROM public.address WHERE phone <> ''",
        "street": "SELECT address FROM public.address UNION SELECT address2 FROM public.address WHERE address2 <> ''",
        "password": "SELECT password FROM public.staff WHERE password IS NOT NULL",
        "name": "SELECT first_name || ' ' || last_name FROM public.customer"
        " UNION SELECT first_name || ' ' || last_name FROM public.staff",
        "name in columns": "SELECT first_name || E'\\t' || last_name FROM public.customer"
        " UNION SELECT first_name || E'\\t' || last_name FROM public.staff",
    }
    for kind, query in asked.items():
        values = [str(row[0]).lower() for row in pagila.query(query) if row[0]]
        assert values, kind
        assert [value for value in values if value in dumped] == [], kind

    for table in ("customer", "staff", "actor"):
        theirs = dict(pagila.query(f"SELECT {table}_id, lower(last_name) FROM public.{table}"))
        ours = dict(place.query(f"SELECT {table}_id, lower(last_name) FROM pantry_v{version}.{table}"))
        assert ours.keys() == theirs.keys()
        assert [key for key in ours if ours[key] == theirs[key]] == []

    tables = [row[0] for row in pagila.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    assert len(tables) >= 20
    for name in tables:
        count = f"SELECT count(*) FROM {{}}.{name}"
        assert place.query(count.format(f"pantry_v{version}")) == pagila.query(count.format("public")), name
    keys = (
        "SELECT count(*), bool_and(convalidated) FROM pg_constraint"
        " WHERE contype = 'f' AND connamespace = '{}'::regnamespace"
    )
    assert place.query(keys.format(f"pantry_v{version}")) == pagila.query(keys.format("public"))
    schemas = f"'pantry_v{version}'::regnamespace, 'pantry_types'::regnamespace"
    definers = f"SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace IN ({schemas})"
    assert place.query(definers) == []
    pictures = place.query(f"SELECT count(*) FROM pantry_v{version}.staff WHERE picture IS NOT NULL")
    assert pictures == [(0,)]


KEPT = {
    "surrogate key": "actor.actor_id address.address_id address.city_id category.category_id city.city_id"
    " city.country_id country.country_id customer.customer_id customer.store_id"
    " customer.address_id film.film_id film.language_id"
    " film.original_language_id film_actor.actor_id film_actor.film_id film_category.film_id film_category.category_id"
    " inventory.inventory_id inventory.film_id inventory.store_id language.language_id payment.payment_id"
    " payment.customer_id payment.staff_id payment.rental_id rental.rental_id rental.inventory_id rental.customer_id"
    " rental.staff_id staff.staff_id staff.address_id staff.store_id store.store_id store.manager_staff_id"
    " store.address_id",
    "when something happened": "actor.last_update address.last_update category.last_update city.last_update"
    " country.last_update customer.create_date customer.last_update film.last_update film_actor.last_update"
    " film_category.last_update inventory.last_update language.last_update payment.payment_date rental.rental_date"
    " rental.return_date rental.last_update staff.last_update store.last_update",
    "yes or no": "customer.activebool staff.active",
    "a flag": "customer.active",
    "a period of time": "film.release_year",
    "a measure": "film.rental_duration film.length",
    "an amount": "film.rental_rate film.replacement_cost payment.amount",
    "one of a fixed list": "film.rating",
    "one of 16 names in a reference list": "category.name",
    "one of 6 names in a reference list": "language.name",
    "a country is too coarse to single anybody out": "country.country",
}
MASKED = {
    "actor.first_name": "first_name by actor_id", "actor.last_name": "last_name by actor_id",
    "address.address": "street by address_id", "address.address2": "street by address_id",
    "address.district": "region by address_id", "address.postal_code": "postcode by address_id",
    "address.phone": "phone by address_id", "city.city": "city by city_id",
    "customer.first_name": "first_name by customer_id", "customer.last_name": "last_name by customer_id",
    "customer.email": "email by customer_id", "film.title": "text", "film.description": "text",
    "film.special_features": "blank", "film.fulltext": "recompute", "staff.first_name": "first_name by staff_id",
    "staff.last_name": "last_name by staff_id", "staff.email": "email by staff_id",
    "staff.username": "user_name by staff_id", "staff.password": "blank", "staff.picture": "blank",
}  # fmt: skip


def test_every_proposal_for_it_is_one_that_a_reviewer_would_leave(pagila: Production) -> None:
    kept: dict[str, set[str]] = {}
    masked: dict[str, str] = {}
    for table, columns in policy(scanned(pagila)).tables.items():
        for name, decision in columns.columns.items():
            assert decision.proposed
            if decision.why is not None:
                kept.setdefault(decision.why, set()).add(f"{table}.{name}")
            else:
                masked[f"{table}.{name}"] = summary(decision)
    assert masked == MASKED
    assert kept == {why: set(names.split()) for why, names in KEPT.items()}
