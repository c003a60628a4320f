"""The embedded server: real clusters, started twice, killed at bad moments."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest

from kitchen.adapters.embedded.cluster import ClusterFolder
from kitchen.adapters.embedded.postgres import EmbeddedPostgres
from kitchen.adapters.postgres.connection import connect
from kitchen.adapters.secret_file import FileSecretStore
from kitchen.errors import Refused, Unavailable
from tests.contracts.clusters import a_home, embedded, postmaster, query, starting, until


@pytest.fixture
def home() -> Iterator[Path]:
    with a_home() as made:
        yield made


def test_restart_keeps_data_and_port(home: Path) -> None:
    postgres = embedded(home)
    with connect(postgres.administrator(), application="tests") as session:
        session.execute("CREATE TABLE public.kept AS SELECT 7 AS seven")
    before = postgres.tcp
    assert postgres.stop() is True
    assert not postgres.is_running()
    assert postgres.stop() is False
    assert query(postgres.administrator(), "SELECT seven FROM public.kept") == [(7,)]
    assert postgres.tcp == before


def test_restart_right_after_tcp_sessions_keeps_the_port(home: Path) -> None:
    postgres = embedded(home)
    login = replace(postgres.administrator(), host="127.0.0.1")
    with connect(login, application="tests"):
        before = postgres.tcp
        postgres.stop()  # the server hangs up first: its side of the connection lingers
    postgres.start()
    assert postgres.tcp == before


def test_another_port_is_found_where_ours_was_taken(home: Path) -> None:
    postgres = embedded(home)
    postgres.start()
    before = postgres.tcp[1]
    postgres.stop()
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", before))
        squatter.listen()
        assert query(postgres.administrator(), "SELECT 1") == [(1,)]
        assert postgres.tcp[1] != before


def test_two_commands_start_it_at_once(home: Path) -> None:
    commands = [starting(home) for _ in range(4)]
    for command in commands:
        _, said = command.communicate(timeout=60)
        assert command.returncode == 0, said.decode()
    assert query(embedded(home).administrator(), "SELECT 1") == [(1,)]


def test_it_outlives_the_command_and_its_terminal(home: Path) -> None:
    command = starting(home)
    command.communicate(timeout=60)
    postgres = embedded(home)
    pid = postmaster(postgres)
    assert os.getsid(pid) not in (command.pid, os.getsid(0))
    assert query(postgres.administrator(), "SELECT 1") == [(1,)]


def test_finding_a_running_server_takes_no_time(home: Path) -> None:
    embedded(home).start()
    store = FileSecretStore(home / "secrets", home / "k" / "key")
    store.read("provisioner")
    took = []
    for _ in range(20):
        begun = time.perf_counter()
        EmbeddedPostgres(home / "p" / "dev" / "postgres", "dev", store).administrator()
        took.append(time.perf_counter() - begun)
    assert sorted(took)[10] < 0.005


def test_started_on_demand_after_its_postmaster_was_killed(home: Path) -> None:
    postgres = embedded(home)
    with connect(postgres.administrator(), application="tests") as session:
        session.execute("CREATE TABLE public.kept AS SELECT 7 AS seven")

        def work() -> None:
            with pytest.raises(psycopg2.Error), session.connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(30)")  # its process outlives the postmaster for a moment

        worker = threading.Thread(target=work)
        worker.start()
        time.sleep(0.2)
        os.kill(postmaster(postgres), signal.SIGKILL)
        until(lambda: not postgres.is_running())
        assert (postgres.folder / "data" / "postmaster.pid").exists()
        assert query(postgres.administrator(), "SELECT seven FROM public.kept") == [(7,)]
        worker.join(timeout=30)
        assert not worker.is_alive()


def test_a_stale_number_that_is_now_somebody_elses(home: Path) -> None:
    postgres = embedded(home)
    postgres.start()
    os.kill(postmaster(postgres), signal.SIGKILL)
    until(lambda: not postgres.is_running())
    file = postgres.folder / "data" / "postmaster.pid"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    assert not postgres.is_running()
    assert query(postgres.administrator(), "SELECT 1") == [(1,)]


def _making(folder: Path) -> bool:
    return any(folder.glob("making-*"))


def _bootstrapping(folder: Path) -> bool:
    return any(folder.glob("making-*/data/base/1"))


def _renamed(folder: Path) -> bool:
    return (folder / "data").exists()


def _launched(folder: Path) -> bool:
    return (folder / "data" / "postmaster.pid").exists()


def _unprepared(folder: Path) -> bool:
    return ClusterFolder(folder).is_ready()


@pytest.mark.parametrize("moment", [_making, _bootstrapping, _renamed, _launched, _unprepared])
def test_killed_while_it_is_made(home: Path, moment: Callable[[Path], bool]) -> None:
    postgres = embedded(home)
    command = starting(home)
    until(lambda: moment(postgres.folder) or command.poll() is not None)
    command.kill()
    command.communicate()
    assert command.returncode == -signal.SIGKILL, "the command was through before it could be killed"
    assert query(postgres.administrator(), "SELECT current_user::text") == [("kitchen_provisioner",)]
    assert not _making(postgres.folder)


def test_a_lost_memory_is_recalled_from_the_live_server(home: Path) -> None:
    postgres = embedded(home)
    postgres.start()
    before = postgres.tcp
    (postgres.folder / "cluster.json").unlink()
    assert query(postgres.administrator(), "SELECT 1") == [(1,)]
    assert postgres.tcp == before


def test_a_server_that_cannot_start_says_why(home: Path) -> None:
    postgres = embedded(home)
    postgres.start()
    postgres.stop()
    (postgres.folder / "data" / "global" / "pg_control").unlink()
    with pytest.raises(Unavailable, match="pg_control"):
        postgres.start()


def test_data_of_another_version_is_refused(home: Path) -> None:
    postgres = embedded(home)
    postgres.start()
    postgres.stop()
    (postgres.folder / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(Refused, match="made by PostgreSQL 17"):
        postgres.start()
    (postgres.folder / "data" / "PG_VERSION").write_text("\x00\x7f")
    with pytest.raises(Unavailable, match="is damaged"):
        postgres.start()
