"""What the container engine promises, asked of a real one; where none answers, the tests that need it say so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from uuid import uuid4

import docker
import pytest

from kitchen.adapters.docker_engine import Confinement, DockerEngine
from kitchen.errors import InvalidInput, NotFound, Unavailable
from kitchen.ports import ContainerEnd
from tests.contracts.images import docker_engine, own_image
from tests.support import REPOSITORY

__all__ = ["docker_engine"]
LABELS = {"kitchen.test": uuid4().hex}


@pytest.fixture(scope="module")
def _image() -> Iterator[str]:
    with own_image() as made:
        yield made


@pytest.fixture
def image(docker_engine: DockerEngine, request: pytest.FixtureRequest) -> Iterator[str]:
    """Return an image that the engine has; nothing of a test remains."""
    yield request.getfixturevalue("_image")
    docker_engine.remove_all(LABELS)


class Shell:
    """Runs scripts in containers and keeps what they print."""

    def __init__(self, engine: DockerEngine, image: str) -> None:
        self.engine, self.image, self.chunks = engine, image, list[bytes]()

    @property
    def output(self) -> str:
        return b"".join(self.chunks).decode()

    def __call__(
        self, script: str, *, timeout: float = 30, files: dict[str, bytes] | None = None,
        stopping: threading.Event | None = None, environment: dict[str, str] | None = None,
    ) -> ContainerEnd:  # fmt: skip
        return self.engine.run(
            self.image, ["sh", "-c", script], environment=environment or {}, labels=LABELS, timeout=timeout,
            files=files, stopping=stopping, printed=self.chunks.append,
        )  # fmt: skip


@pytest.fixture
def shell(docker_engine: DockerEngine, image: str) -> Shell:
    return Shell(docker_engine, image)


def _there(**more: bool) -> list[str]:
    label = f"kitchen.test={LABELS['kitchen.test']}"
    return [one.id for one in docker.from_env().containers.list(filters={"label": label}, sparse=True, **more)]


def _until(what: object, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not what():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def test_status_output_environment_and_files(shell: Shell) -> None:
    ended = shell(
        "echo $KITCHEN; cat /run/kitchen/pgpass; echo err >&2; exit 3",
        environment={"KITCHEN": "profit"},
        files={"pgpass": b"line\n"},
    )
    assert ended == ContainerEnd(3)
    assert sorted(shell.output.split()) == ["err", "line", "profit"]


def test_a_container_is_confined(shell: Shell) -> None:
    shell("cat /proc/self/status; id -u; ls /sys/class/net; touch /x || echo readonly; cat /proc/mounts")
    status = dict(line.split(":\t", 1) for line in shell.output.splitlines() if ":\t" in line)
    assert int(status["CapEff"], 16) == 0
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"
    assert "65534" in shell.output
    assert "readonly" in shell.output
    assert "eth0" not in shell.output


def test_files_are_for_the_containers_user_alone(shell: Shell) -> None:
    """libpq takes no password from a file that others can read."""
    shell("stat -c '%a %u %n' /run/kitchen/*; echo x > /run/kitchen/pgpass || echo kept", files={"pgpass": b"line\n"})
    assert "400 65534 /run/kitchen/pgpass" in shell.output
    assert "kept" in shell.output


def test_nothing_of_the_files_remains(shell: Shell) -> None:
    before = {volume.id for volume in docker.from_env().volumes.list()}
    shell("cat /run/kitchen/pgpass", files={"pgpass": b"line\n"})
    assert {volume.id for volume in docker.from_env().volumes.list()} == before


def test_output_comes_while_it_runs(shell: Shell) -> None:
    running = threading.Thread(target=shell, args=["echo begun; sleep 3; echo done"])
    running.start()
    _until(lambda: "begun" in shell.output, 3 + 20)
    assert running.is_alive()
    assert "done" not in shell.output
    running.join(30)
    assert shell.output == "begun\ndone\n"


def test_nothing_of_a_long_output_is_lost(shell: Shell) -> None:
    shell("head -c 20000000 /dev/zero; echo; echo the end")
    assert len(shell.output) == 20_000_000 + len("\nthe end\n")


def test_what_closes_its_output_is_waited_for(shell: Shell) -> None:
    assert shell("exec >&- 2>&-; sleep 2; exit 4") == ContainerEnd(4)


def test_a_container_that_takes_too_long_is_ended(shell: Shell) -> None:
    began = time.monotonic()
    ended = shell("echo begun; sleep 600", timeout=2)
    assert ended.timed_out
    assert "begun" in shell.output
    assert time.monotonic() - began < 30
    assert _there(all=True) == []


def test_one_that_ignores_being_asked_is_ended_all_the_same(shell: Shell) -> None:
    assert shell("trap '' TERM; while true; do sleep 1; done", timeout=1).timed_out
    assert _there(all=True) == []


def test_one_that_is_told_to_stop_is_ended(shell: Shell) -> None:
    stopping = threading.Event()
    threading.Timer(1, stopping.set).start()
    began = time.monotonic()
    assert shell("sleep 600", stopping=stopping, timeout=300).timed_out
    assert time.monotonic() - began < 30
    assert _there(all=True) == []


def test_its_limits_hold(docker_engine: DockerEngine, image: str) -> None:
    small = Shell(DockerEngine(Confinement(processes=8, scratch="1m")), image)
    small("for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 2 & done; echo forked")
    assert "fork" in small.output.lower()
    small.chunks.clear()
    small(
        "cd /tmp; echo 'echo run' > run; chmod +x run; ./run; cat run; head -c 4000000 /dev/zero > much || echo no room"
    )
    assert "echo run" in small.output
    assert "no room" in small.output
    assert "ermission denied" in small.output


def test_want_of_memory_is_told(docker_engine: DockerEngine, image: str) -> None:
    small = Shell(DockerEngine(Confinement(memory="16m")), image)
    ended = small('x=xxxxxxxxxxxxxxxx; while true; do x="$x$x"; done', timeout=120)
    assert (ended.status, ended.timed_out) == (137, False)
    if "podman" not in str(docker.from_env().version()).lower():
        assert ended.out_of_memory


KILLED = """
import sys
from kitchen.adapters.docker_engine import DockerEngine
label, value, image = sys.argv[1:]
DockerEngine().run(image, ["sleep", "600"], environment={}, labels={label: value}, timeout=600, printed=print)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_who_started_it(image: str, how: signal.Signals) -> None:
    (label, value), *_ = LABELS.items()
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", KILLED, label, value, image]
    with subprocess.Popen(command, env=environ, start_new_session=True) as child:
        _until(lambda: _there(all=True))  # made, but perhaps not yet started
        child.send_signal(how)
        child.wait(30)
    _until(lambda: not _there(all=True))


def test_nothing_remains_and_removing_finds_what_does(shell: Shell) -> None:
    shell("true")
    assert _there(all=True) == []
    left = docker.from_env().containers.run(
        shell.image.partition("@")[2], ["sleep", "600"], labels=LABELS, detach=True, network_mode="none"
    )  # fmt: skip
    assert _there(all=True) == [left.id]
    shell.engine.remove_all(LABELS)
    shell.engine.remove_all(LABELS)
    assert _there(all=True) == []


def test_an_image_that_is_not_there_is_told(docker_engine: DockerEngine) -> None:
    with pytest.raises(NotFound) as caught:
        docker_engine.run(
            "kitchen-has-no-such:image", ["true"], environment={}, labels=LABELS, timeout=5, printed=print
        )
    assert "docker pull" in str(caught.value.hint)


def test_a_program_that_is_not_there_is_told(docker_engine: DockerEngine, image: str) -> None:
    said: list[bytes] = []
    ended = docker_engine.run(
        image, ["no-such-program"], environment={}, labels=LABELS, timeout=5, printed=said.append
    )  # fmt: skip
    assert ended == ContainerEnd(127)
    assert b"no-such-program" in b"".join(said)


# --- without an engine ---


def test_where_no_engine_answers_it_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    for host in ("tcp://127.0.0.1:1", "unix:///nowhere/docker.sock"):
        monkeypatch.setenv("DOCKER_HOST", host)
        engine = DockerEngine()
        with pytest.raises(Unavailable) as caught:
            engine.run("busybox", ["true"], environment={}, labels={}, timeout=5, printed=print)
        assert "start Docker" in str(caught.value.hint)
        with pytest.raises(Unavailable):
            engine.remove_all({"kitchen": "x"})


def test_limits_come_from_the_environment_and_the_rest_is_fixed() -> None:
    options = Confinement(network="warehouse", memory="128m", cpus=0.5, processes=64, scratch="16m").options()
    assert options["network_mode"] == "warehouse"
    assert (options["mem_limit"], options["memswap_limit"], options["nano_cpus"]) == ("128m", "128m", 500_000_000)
    assert options["tmpfs"] == {"/tmp": "rw,noexec,nosuid,nodev,mode=1777,size=16m"}  # noqa: S108
    assert Confinement().options()["network_mode"] == "none"
    for made in (options, Confinement().options()):
        assert made["read_only"] is True
        assert made["cap_drop"] == ["ALL"]
        assert made["security_opt"] == ["no-new-privileges:true"]
        assert made["user"] == "65534:65534"


def test_removing_everything_is_not_possible_by_mistake() -> None:
    with pytest.raises(InvalidInput):
        DockerEngine().remove_all({})
