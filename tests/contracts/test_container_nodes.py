"""Container nodes of recipes, on a real engine: what they find, what is kept of them, and how they end."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import docker
import pytest

from kitchen.adapters.docker_engine import Confinement, DockerEngine
from kitchen.adapters.postgres.control import PgControl
from kitchen.domain.connection import Credentials
from kitchen.domain.kitchen import Kitchen
from kitchen.domain.run import NodeRun, RunState
from tests.contracts.images import docker_engine, own_image
from tests.contracts.line import Line
from tests.support import Warehouse

__all__ = ["docker_engine"]


@dataclass
class Reached(Line):
    """A line whose database is where containers of a network reach it."""

    at: tuple[str, int] = ("", 0)

    def credentials(self, kitchen: Kitchen) -> Credentials:
        """Return a kitchen's login, by the address in the network."""
        return replace(super().credentials(kitchen), host=self.at[0], port=self.at[1], tls="disable")


@pytest.fixture(scope="module")
def _image() -> Iterator[str]:
    with own_image() as made:
        yield made


@pytest.fixture
def image(docker_engine: DockerEngine, request: pytest.FixtureRequest) -> str:
    """Return an image that the engine has."""
    return str(request.getfixturevalue("_image"))


@pytest.fixture
def line(docker_engine: DockerEngine, warehouse18: Warehouse, tmp_path: Path) -> Iterator[Line]:
    made = Line(warehouse18, tmp_path, containers=docker_engine)
    yield made
    docker_engine.remove_all({"kitchen": str(made.kitchen.id)})
    made.control.session.close()


@pytest.fixture
def reached(docker_engine: DockerEngine, warehouse18: Warehouse, tmp_path: Path) -> Iterator[Line]:
    network = docker.from_env().networks.create(f"kitchen-tests-{uuid4().hex[:12]}")
    try:
        network.reload()
        gateway = network.attrs["IPAM"]["Config"][0]["Gateway"]
        login = warehouse18.administrator
        with _door(gateway, Path(login.host) / f".s.PGSQL.{login.port}") as port:
            engine = DockerEngine(Confinement(network=network.name))
            made = Reached(warehouse18, tmp_path, containers=engine, at=(gateway, port))
            yield made
            made.control.session.close()
    finally:
        network.remove()


@contextmanager
def _door(address: str, server: Path) -> Iterator[int]:
    """Listen at an address and hand what comes to the server's socket."""
    with socket.create_server((address, 0)) as listening:
        threading.Thread(target=_answer, args=(listening, server), daemon=True).start()
        yield listening.getsockname()[1]


def _answer(listening: socket.socket, server: Path) -> None:
    with suppress(OSError):  # closed at the end
        while True:
            inside, _ = listening.accept()
            threading.Thread(target=_relay, args=(inside, server), daemon=True).start()


def _relay(inside: socket.socket, server: Path) -> None:
    with inside, socket.socket(socket.AF_UNIX) as outside, selectors.DefaultSelector() as selector:
        outside.connect(str(server))
        for one, other in ((inside, outside), (outside, inside)):
            selector.register(one, selectors.EVENT_READ, other)
        while True:
            for key, _ in selector.select():
                data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                if not data:
                    return
                key.data.sendall(data)


def recipe(line: Line, image: str, script: str, more: str = "") -> None:
    line.recipe(f"nodes:\n  a: {{container: {{image: '{image}', command: [sh, '-c', {script!r}]}}{more}}}\n")


def _containers(line: Line) -> list[str]:
    label = f"kitchen={line.kitchen.id}"
    return [one.id for one in docker.from_env().containers.list(all=True, sparse=True, filters={"label": label})]


def _ran(line: Line) -> NodeRun:
    (node,) = line.run().nodes
    return node


def _until(what: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def test_a_container_works_in_its_kitchen(reached: Line, image: str) -> None:
    script = 'psql -X -q -v ON_ERROR_STOP=1 -c "CREATE TABLE scores AS SELECT count(*) AS n FROM orders"'
    recipe(reached, image, script, ", reads: [orders], writes: [scores]")
    node = _ran(reached)
    assert (node.state, node.message) == (RunState.PASSED, None), node.log
    assert reached.query("SELECT n FROM profit.scores") == [(1000,)]


def test_what_is_below_it_cannot_write(reached: Line, image: str) -> None:
    recipe(reached, image, 'psql -X -q -v ON_ERROR_STOP=1 -c "DELETE FROM pantry_v1.orders"')
    node = _ran(reached)
    assert node.state is RunState.ERRORED
    assert "permission denied" in str(node.message)


def test_it_is_told_what_is_no_secret_and_nothing_of_this_machine(
    line: Line, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/nowhere")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:of-mine@proxy.example")
    line.secrets.write("sftp", {"password": "of-the-landing"})
    recipe(line, image, "env; cat $KITCHEN_SECRET_SFTP_PASSWORD_FILE >/tmp/x && echo $KITCHEN/$PGUSER; sleep 600",
           ", secrets: ['sftp#password'], timeout: 3s")  # fmt: skip
    inspected: list[str] = []

    def look() -> None:
        _until(lambda: _containers(line))
        inspected.append(str(docker.from_env().api.inspect_container(_containers(line)[0])))

    looking = threading.Thread(target=look)
    looking.start()
    node = _ran(line)
    looking.join(30)
    assert f"profit/{line.kitchen.login_role}" in str(node.log)
    assert "HOME=/tmp" in str(node.log)
    for foreign in ("LD_LIBRARY_PATH", "PYTHONPATH", "of-mine", "kitchen.node.", str(line.state_dir)):
        assert foreign not in str(node.log), foreign
    assert "profit" in inspected[0]
    for secret in ("of-the-landing", "the password of the line"):
        assert secret not in str(node.log)
        assert secret not in inspected[0]


def test_secrets_that_it_prints_are_masked_line_by_line(line: Line, image: str) -> None:
    line.secrets.write("sftp", {"password": "of-the-landing"})
    recipe(line, image, "cat $KITCHEN_SECRET_SFTP_PASSWORD_FILE; echo; cat $PGPASSFILE; echo done; exit 3",
           ", secrets: ['sftp#password']")  # fmt: skip
    node = _ran(line)
    assert "of-the-landing" not in str(node.log)
    assert "the password of the line" not in str(node.log)
    assert "done" in str(node.log)
    assert node.message == "the container ended with status 3: done"


def test_its_time_limit_is_told(line: Line, image: str) -> None:
    recipe(line, image, "echo begun; sleep 600", ", timeout: 2s")
    node = _ran(line)
    assert node.message == "was ended after its time limit of 2 s"
    assert node.log == "begun\n"
    assert any("a | begun" in said for said in line.said)
    assert _containers(line) == []


def test_want_of_memory_is_told(line: Line, image: str) -> None:
    line.containers = DockerEngine(Confinement(memory="16m"))
    recipe(line, image, 'x=xxxxxxxxxxxxxxxx; while true; do x="$x$x"; done')
    assert "memory" in str(_ran(line).message)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_container_ends_with_its_run(line: Line, image: str, how: signal.Signals) -> None:
    recipe(line, image, "sleep 600")
    child = _elsewhere(line)
    _until(lambda: _containers(line))
    os.kill(child, how)
    os.waitpid(child, 0)
    _until(lambda: not _containers(line))
    if how is not signal.SIGKILL:
        run = line.control.runs.get(str(line.control.runs.all()[0].id))
        assert run is not None
        assert (run.state, run.message) == (RunState.CANCELLED, "interrupted")


def test_the_next_run_removes_what_a_killed_machine_left(line: Line, image: str) -> None:
    """Containers of this recipe in this kitchen, and no others."""
    recipe(line, image, "true")
    client, own = docker.from_env(), {"kitchen": str(line.kitchen.id), "recipe": "r"}
    left = client.containers.create(image.partition("@")[2], ["true"], labels=own)
    other = client.containers.create(image.partition("@")[2], ["true"], labels={**own, "recipe": "other"})
    assert _ran(line).state is RunState.PASSED
    assert left.id not in _containers(line)
    assert _containers(line) == [other.id]


def _elsewhere(line: Line) -> int:
    """Run the recipe in a process of its own and return that process."""
    child = os.fork()
    if child:
        return child
    try:
        line.containers = DockerEngine()
        line.control = PgControl(line.warehouse.sessions, environment="dev", person=line.person)
        line.run()
    finally:
        os._exit(130)
