"""What the container engine promises, asked of a real one; where none answers, the tests that need it say so."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest

from kitchen.adapters.docker_engine import Confinement, DockerEngine
from kitchen.errors import InvalidInput, NotFound, Unavailable

IMAGE = os.environ.get("KITCHEN_TEST_IMAGE", "busybox:latest")


@pytest.fixture
def engine() -> Iterator[DockerEngine]:
    found = DockerEngine()
    try:
        found.version()
    except Unavailable as nobody:
        if "docker" in os.environ.get("KITCHEN_REQUIRE", "").split(","):
            pytest.fail(f"a container engine is required: {nobody}")
        pytest.skip(f"no container engine: {nobody}")
    yield found
    found.remove_all({"kitchen.test": LABELS["kitchen.test"]})


LABELS = {"kitchen.test": uuid4().hex}


def shell(engine: DockerEngine, script: str, **more: object) -> tuple[int, str]:
    options: dict[str, object] = {"environment": {}, "labels": LABELS, "timeout": 30, **more}
    return engine.run(IMAGE, ["sh", "-c", script], **options)  # type: ignore[arg-type]


def test_status_output_environment_and_files(engine: DockerEngine) -> None:
    status, output = shell(
        engine,
        "echo $KITCHEN; cat /run/kitchen/pgpass; echo err >&2; exit 3",
        environment={"KITCHEN": "profit"},
        files={"pgpass": b"line\n"},
    )
    assert status == 3
    assert sorted(output.split()) == ["err", "line", "profit"]


def test_a_container_is_confined(engine: DockerEngine) -> None:
    _, output = shell(
        engine, "cat /proc/self/status; id -u; ls /sys/class/net; touch /x || echo readonly; cat /proc/mounts"
    )
    status = dict(line.split(":\t", 1) for line in output.splitlines() if ":\t" in line)
    assert int(status["CapEff"], 16) == 0
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"
    assert "65534" in output
    assert "readonly" in output
    assert "eth0" not in output


def test_files_cannot_be_changed_from_inside(engine: DockerEngine) -> None:
    status, _ = shell(engine, "echo x > /run/kitchen/pgpass", files={"pgpass": b"line\n"})
    assert status != 0


def test_a_container_that_takes_too_long_is_ended(engine: DockerEngine) -> None:
    began = time.monotonic()
    status, output = shell(engine, "echo begun; sleep 600", timeout=2)
    assert status == 124
    assert "begun" in output
    assert time.monotonic() - began < 30


def test_nothing_remains_and_removing_finds_what_does(engine: DockerEngine) -> None:
    shell(engine, "true")
    assert engine._client.containers.list(all=True, filters={"label": f"kitchen.test={LABELS['kitchen.test']}"}) == []
    left = engine._client.containers.run(IMAGE, ["sleep", "600"], labels=LABELS, detach=True)
    engine.remove_all(LABELS)
    engine.remove_all(LABELS)
    assert left.id not in {one.id for one in engine._client.containers.list(all=True)}


def test_an_image_that_is_not_there_is_told(engine: DockerEngine) -> None:
    with pytest.raises(NotFound) as caught:
        engine.run("kitchen-has-no-such:image", ["true"], environment={}, labels=LABELS, timeout=5)
    assert "docker pull" in str(caught.value.hint)


# --- without an engine ---


def test_where_no_engine_answers_it_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    for host in ("tcp://127.0.0.1:1", "unix:///nowhere/docker.sock"):
        monkeypatch.setenv("DOCKER_HOST", host)
        engine = DockerEngine()
        with pytest.raises(Unavailable) as caught:
            engine.run("busybox", ["true"], environment={}, labels={}, timeout=5)
        assert "start Docker" in str(caught.value.hint)
        with pytest.raises(Unavailable):
            engine.remove_all({"kitchen": "x"})


def test_limits_come_from_the_environment_and_the_rest_is_fixed() -> None:
    options = Confinement(network="warehouse", memory="128m", cpus=0.5, processes=64, scratch="16m").options()
    assert options["network_mode"] == "warehouse"
    assert (options["mem_limit"], options["memswap_limit"], options["nano_cpus"]) == ("128m", "128m", 500_000_000)
    assert options["tmpfs"] == {"/tmp": "rw,noexec,nosuid,nodev,size=16m"}  # noqa: S108
    assert Confinement().options()["network_mode"] == "none"
    for made in (options, Confinement().options()):
        assert made["read_only"] is True
        assert made["cap_drop"] == ["ALL"]
        assert made["security_opt"] == ["no-new-privileges:true"]
        assert made["user"] == "65534:65534"


def test_removing_everything_is_not_possible_by_mistake() -> None:
    with pytest.raises(InvalidInput):
        DockerEngine().remove_all({})
