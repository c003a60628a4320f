"""A refresh that dies anywhere leaves the old version standing; what it began goes away with the next."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kitchen.adapters.postgres.pantry import PgPantryStore
from kitchen.domain.journal import OperationState
from kitchen.errors import Conflict
from kitchen.operations import pantry_refresh
from kitchen.operations.recover import recover_one
from tests.contracts.pantries import Place, Production, fill, policy, reviewed, scanned
from tests.support import Server, Warehouse


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it by its name."""


@pytest.fixture
def production(postgres: Server) -> Iterator[Production]:
    """Return a small production."""
    made = postgres.make()
    planted = Production(made)
    planted.execute(
        "CREATE TABLE public.person (id int PRIMARY KEY, last_name text NOT NULL, email text)",
        "CREATE TABLE public.note (id int PRIMARY KEY, person_id int NOT NULL REFERENCES public.person, body text)",
        "INSERT INTO public.person SELECT n, 'Family' || n, 'p' || n || '@mail.example'"
        " FROM generate_series(1, 2000) n",
        "INSERT INTO public.note SELECT n, n, 'words about ' || n FROM generate_series(1, 2000) n",
        "ANALYZE",
    )
    yield planted
    postgres.drop(made)


@pytest.fixture
def place(new_warehouse: Warehouse) -> Place:
    """Return an empty environment."""
    return Place(new_warehouse)


class _DyingJournal:
    """Dies when the control schema is about to hear of one step; dead processes undo nothing."""

    def __init__(self, real: Any, after: int) -> None:
        self._real = real
        self._left = after

    def mark(self, *arguments: Any) -> None:
        if self._left == 0:
            raise Killed
        self._left -= 1
        self._real.mark(*arguments)

    def finish(self, *arguments: Any, **named: Any) -> None:
        raise Killed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@pytest.mark.parametrize("after", range(6))
def test_a_refresh_killed_at_any_mark_is_finished_or_forgotten(
    production: Production, place: Place, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = scanned(production)
    old = fill(place, production, text)
    monkeypatch.setattr("kitchen.saga.roll_back", lambda *_a, **_k: (_ for _ in ()).throw(Killed()))
    monkeypatch.setattr("kitchen.operations.pantry_refresh._forget_unbuilt", lambda *_a: None)
    real = place.control.journal
    place.control.__dict__["journal"] = _DyingJournal(real, after)
    with pytest.raises(Killed):
        fill(place, production, text)
    monkeypatch.undo()
    place.control.__dict__["journal"] = real

    newest = place.control.pantries.newest()
    assert newest is not None
    assert place.standing().pantry in (old, newest.version)
    assert place.query(f"SELECT count(*) FROM pantry_v{old}.person") == [(2000,)]

    (left,) = place.control.journal.unfinished()
    state = recover_one(place, None, left, undo=False, say=lambda _: None)  # type: ignore[arg-type]
    published = newest.version != old
    assert state is (OperationState.DONE if published else OperationState.UNDONE)
    assert place.standing().pantry == newest.version
    new = fill(place, production, text)
    assert place.standing().pantry == new
    assert place.control.journal.unfinished() == ()
    schemas = {row[0] for row in place.query("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pantry\\_v%'")}
    assert f"pantry_v{new}" in schemas
    assert len(schemas) <= 2
    assert all(found.state != "building" for found in place.control.pantries.all())


def test_a_refresh_that_fails_in_the_middle_leaves_nothing(
    production: Production, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = scanned(production)
    old = fill(place, production, text)

    def break_off(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(PgPantryStore, "finish", break_off)
    with pytest.raises(RuntimeError):
        fill(place, production, text)
    assert place.standing().pantry == old
    assert place.query("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pantry\\_v%'") == [(f"pantry_v{old}",)]
    roles = place.query(f"SELECT count(*) FROM pg_roles WHERE rolname LIKE 'kitchen\\_\\_{place.name}\\_\\_pantry%'")
    assert roles == [(1,)]


def _between(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Act after the check of the policy and before anything is copied."""
    real = pantry_refresh.examine

    def then_act(*arguments: Any, **named: Any) -> Any:
        found = real(*arguments, **named)
        act()
        return found

    monkeypatch.setattr(pantry_refresh, "examine", then_act)


def test_a_column_added_between_check_and_copy_is_never_in_the_pantry(
    production: Production, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = reviewed(scanned(production))
    threads: list[threading.Thread] = []

    def add_column() -> None:
        change = threading.Thread(
            target=production.execute,
            args=("ALTER TABLE public.person ADD COLUMN leak text DEFAULT 'leaked@inside.example'",),
        )
        change.start()
        threads.append(change)
        time.sleep(0.5)  # it waits for the refresh, or is through before the copy

    _between(monkeypatch, add_column)
    version = fill(place, production, text)
    monkeypatch.undo()
    threads[0].join(timeout=30)
    columns = place.query(
        f"SELECT attname FROM pg_attribute WHERE attrelid = 'pantry_v{version}.person'::regclass AND attnum > 0"
    )
    assert ("leak",) not in columns
    assert "leaked@inside.example" not in place.everything(version)
    assert production.query("SELECT count(*) FROM public.person WHERE leak IS NOT NULL") == [(2000,)]


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE public.note ALTER COLUMN id TYPE bigint",
        "TRUNCATE public.note",
        "ALTER TABLE public.note RENAME TO old_note; CREATE TABLE public.note (LIKE public.old_note)",
    ],
)
def test_a_table_rewritten_meanwhile_is_a_conflict_and_never_an_empty_table(
    production: Production, place: Place, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    text = scanned(production)
    old = fill(place, production, text)
    _between(monkeypatch, lambda: production.execute(change))
    with pytest.raises(Conflict, match=r"public\.note was rewritten"):
        fill(place, production, text)
    assert place.standing().pantry == old


def test_rows_added_while_it_runs_are_of_no_moment_but_the_next(
    production: Production, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add_rows() -> None:
        production.execute(
            "INSERT INTO public.person VALUES (9001, 'Late', 'late@mail.example')",
            "INSERT INTO public.note VALUES (9001, 9001, 'late')",
        )

    _between(monkeypatch, add_rows)
    version = fill(place, production, scanned(production))
    for table in ("person", "note"):
        assert place.query(f"SELECT count(*) FROM pantry_v{version}.{table}") == [(2000,)]


def test_an_error_of_the_source_tells_no_value(production: Production, place: Place) -> None:
    text = scanned(production).replace("{mask: text, proposed: true}", '{mask: sql, sql: "(body::integer)::text"}')
    assert policy(text).tables["note"].columns["body"].sql is not None
    with pytest.raises(Exception, match="on the source") as caught:
        fill(place, production, text)
    assert "words about" not in str(caught.value)
