"""A disk that is full leaves the old state whole: nothing half copied is seen, and with room again it goes through.

The disk is a small file system of its own where we may mount one (root). Where we may not, and in the whole run,
the server is instead forbidden files larger than its log's: it then fails where a full disk makes it fail, when a
table grows. A machine on which nothing can be mounted says so.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kitchen.adapters.embedded.postgres import EmbeddedPostgres
from kitchen.errors import KitchenError
from tests.bench import Bench, opened
from tests.faults.test_crashes import WHOLE, _create, _delete, _recover
from tests.report import commit, create, psql
from tests.support import missing

DISK, ROOM = 600 << 20, 24 << 20  # bytes of the small disk, and of what is left of it
LARGEST = 20 << 20  # bytes of a file: the server's log has files of 16 MB
ROWS = 100_000  # of 400 bytes
PEOPLE = f"""
CREATE TABLE person (id int PRIMARY KEY, words text NOT NULL);
INSERT INTO person SELECT n, repeat(md5(n::text), 12) FROM generate_series(1, {ROWS}) AS n;
"""
POLICY = """
tables:
  person:
    id: {mask: keep, why: surrogate key}
    words: {mask: keep, why: generated}
"""
RECIPE = "description: Large\nnodes:\n  large: {sql: large.sql}\n"
LARGE = "DROP TABLE IF EXISTS large;\nCREATE TABLE large AS SELECT id, words, '{kind}' AS kind FROM person;\n"

MOUNT = os.geteuid() == 0
KINDS = ["full disk", "file limit"] if WHOLE or not MOUNT else ["full disk"]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """Return a project whose development server stands on a small disk, with a pantry of forty megabytes."""
    with opened("production", "dev") as made:
        (made.project.root / "environments" / "masking.yaml").write_text(POLICY)
        made.project.kitchen("enter", "production", "--", "psql", "-q", "-c", PEOPLE)
        with _small_disk(made):
            made.project.kitchen("pantry", "refresh")
            yield made


def _server(bench: Bench) -> EmbeddedPostgres:
    embedded = bench.fresh().services("dev").embedded
    assert embedded is not None
    return embedded


@contextmanager
def _small_disk(bench: Bench) -> Iterator[None]:
    """Move the development server's data to a file system of its own; without the right to mount it stays."""
    if not MOUNT:
        yield
        return
    server = _server(bench)
    data = server.folder / "data"
    aside = data.with_name("aside")
    server.stop()
    data.rename(aside)
    data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0700", "tmpfs", str(data)], check=True)
    try:
        for each in aside.iterdir():
            subprocess.run(["cp", "-a", str(each), str(data)], check=True)
        shutil.copystat(aside, data)
        os.chown(data, aside.stat().st_uid, aside.stat().st_gid)
        server.start()
        yield
    finally:
        server.stop()
        subprocess.run(["umount", str(data)], check=True)


def _again(bench: Bench) -> None:
    server = _server(bench)
    server.stop()
    server.start()


@contextmanager
def _full(bench: Bench, kind: str) -> Iterator[None]:
    """Leave the server less room than a copy of the table needs."""
    if kind == "file limit":
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, before[1]))
        try:
            _again(bench)  # a server has the limits of whoever starts it
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        try:
            yield
        finally:
            _again(bench)
        return
    if not MOUNT:
        missing("mount", "only root may mount a small file system; the file limit stands in for it")
    data = _server(bench).folder / "data"
    ballast = data / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(data).free - ROOM)
    try:
        yield
    finally:
        ballast.unlink()


def _recovered(bench: Bench) -> None:
    """Come back once there is room: the server may have ended itself, and work may be left."""
    give_up = time.monotonic() + 30
    while True:
        try:
            _recover(bench.fresh())
            return
        except KitchenError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_hydrate_on_a_full_disk(bench: Bench, kind: str) -> None:
    before = bench.traces()
    _create(bench.fresh(), "full")
    with_kitchen = bench.traces()
    with _full(bench, kind):
        told = bench.project.kitchen("hydrate", "person", "-k", "full", expect=None)
        assert "could not extend file" in told.stderr or told.returncode == 6, "it says why, or that the server went"
    _recovered(bench)
    assert bench.traces() == with_kitchen
    assert psql(bench, "full", "SELECT count(*) FROM person") == str(ROWS), "it reads through"
    bench.project.kitchen("hydrate", "person", "-k", "full")
    assert psql(bench, "full", 'SELECT count(*) FROM "full".person') == str(ROWS)
    _delete(bench.fresh(), "full")
    assert bench.traces() == before


@pytest.mark.parametrize("kind", KINDS)
def test_refresh_on_a_full_disk(bench: Bench, kind: str) -> None:
    before = bench.traces()
    with _full(bench, kind):
        bench.project.kitchen("pantry", "refresh", expect=None)
    _recovered(bench)
    assert bench.traces() == before, "no half version, and the old one is what everybody reads"
    assert psql(bench, "dev", "SELECT count(*) FROM person") == str(ROWS)
    bench.project.kitchen("pantry", "refresh")
    assert psql(bench, "dev", "SELECT count(*) FROM person") == str(ROWS)


@pytest.mark.parametrize("kind", KINDS)
def test_merge_on_a_full_disk(bench: Bench, kind: str) -> None:
    worktree = create(bench, "work")
    folder = worktree / "recipes" / "large"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "large.sql").write_text(LARGE.format(kind=kind))
    commit(bench, folder)
    before = bench.traces()
    with _full(bench, kind):
        bench.project.kitchen("merge", "work", "--yes", expect=None)
    _recovered(bench)
    assert bench.traces() == before, "branch and tables as they were, and no candidate"
    bench.project.kitchen("merge", "work", "--yes")
    assert psql(bench, "dev", "SELECT count(*) FROM large") == str(ROWS)
    bench.project.kitchen("delete", "work", "--yes")
