"""Containers as they are typed: declared, examined, run, and gone with their kitchen."""

from __future__ import annotations

import json
from collections.abc import Iterator

import docker
import pytest

from kitchen.adapters.docker_engine import DockerEngine
from tests.contracts.images import docker_engine, own_image
from tests.support import Project

__all__ = ["docker_engine"]


@pytest.fixture
def image(docker_engine: DockerEngine) -> Iterator[str]:
    with own_image() as made:
        yield made


def _begin(project: Project, containers: str) -> None:
    dev = project.root / "environments" / "dev.yaml"
    said = dev.read_text()
    assert "containers: {kind: none}" in said
    dev.write_text(said.replace("containers: {kind: none}", f"containers: {containers}"))
    project.git("rm", "-rq", "recipes/profitability")
    project.commit()
    project.git("branch", "-f", "dev")
    project.kitchen("up", "dev")


def test_a_container_node_from_the_command_line(project: Project, image: str) -> None:
    folder = project.root / "recipes" / "boxed"
    folder.mkdir()
    (folder / "recipe.yaml").write_text(
        f"description: In a box\nnodes:\n  tell: {{container: {{image: '{image}',"
        " command: [sh, -c, 'echo $KITCHEN runs']}}\n"
    )
    _begin(project, "{kind: docker, memory: 64m}")
    found = json.loads(project.kitchen("doctor", "dev", "--json").stdout)["findings"]
    assert [each["level"] for each in found if each["part"] == "containers"] == ["ok"]

    project.kitchen("create", "box")
    tree = project.root / ".kitchen" / "worktrees" / "box"
    run = json.loads(project.kitchen("run", "boxed", "--json", cwd=tree).stdout)
    assert run["state"] == "passed"
    assert project.kitchen("runs", "logs", run["id"], cwd=tree).stdout == "box runs\n"

    # what a machine that fell over left
    secret = json.loads(project.kitchen("secret", "get", "kitchens/box", "-e", "dev", "--reveal", "--json").stdout)
    client, labels = docker.from_env(), {"kitchen": secret["values"]["kitchen"]}
    left = client.containers.run(
        image.partition("@")[2], ["sleep", "600"], labels=labels, detach=True, network_mode="none"
    )  # fmt: skip
    assert "containers" in project.kitchen("delete", "box", "--force", "--dry-run").stdout
    project.kitchen("delete", "box", "--force", "--yes")
    assert left.id not in [one.id for one in client.containers.list(all=True, sparse=True)]


def test_a_kitchen_is_deleted_where_no_engine_answers(project: Project) -> None:
    project.environ["DOCKER_HOST"] = "tcp://127.0.0.1:1"
    _begin(project, "{kind: docker}")
    project.kitchen("create", "box")
    assert "no container engine answers" in project.kitchen("delete", "box", "--yes").stderr
    assert [each["name"] for each in json.loads(project.kitchen("list", "--json").stdout)] == ["dev"]
