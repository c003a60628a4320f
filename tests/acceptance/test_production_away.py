"""Production was there, and answers nobody any more: the day in dev goes on, and nothing of it waits."""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.acceptance.external import MASKING, SHOP, Place, install, places
from tests.acceptance.team import made_project
from tests.acceptance.test_hosted import DEV, ENVIRONMENT
from tests.acceptance.test_two_machines import cook, folder
from tests.contracts.fake_vault import FakeVault
from tests.support import Project, Server

WAITS = 20.0  # seconds; what waits for production takes over thirty, everything else one or two


class Front:
    """Stands before a server and lets through to it, until it answers nobody any more."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self.is_deaf = False
        self.calls = 0  # that got no answer
        self._kept: list[socket.socket] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                caller = self._socket.accept()[0]
                self._kept.append(caller)
                if self.is_deaf:
                    self.calls += 1
                    continue
                behind = socket.create_connection(self._to)
                for one, other in ((caller, behind), (behind, caller)):
                    threading.Thread(target=_pump, args=(one, other), daemon=True).start()

    def close(self) -> None:
        for each in (self._socket, *self._kept):
            each.close()


def _pump(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    for each in (one, other):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def away(postgres18: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, list[Front]]]:
    """Return a project with a filled pantry whose production, its vault too, has stopped to answer."""
    base = tmp_path_factory.mktemp("away")
    with (
        made_project(base / "project") as project, places(postgres18, postgres18) as (production, dev),
        FakeVault() as far, FakeVault() as near,
    ):  # fmt: skip
        for vault in (far, near):
            vault.roles["k", "the-secret-id"] = ("kitchens/",)
        project.environ["KITCHEN_VAULT_SECRET_ID"] = "the-secret-id"
        fronts = [Front(*postgres18.embedded.tcp), Front("127.0.0.1", int(far.address.rpartition(":")[2]))]
        _declare(project, production, dev, fronts, near.address)
        for name, place in (("production", production), ("dev", dev)):
            place.make()
            if name == "production":
                with place.look() as session:
                    session.execute(SHOP)
            install(project, name, place, base)
            project.kitchen("up", name)
        project.kitchen("pantry", "refresh", "--yes")
        for front in fronts:
            front.is_deaf = True
        yield project, fronts
        for front in fronts:
            front.close()


def _declare(project: Project, production: Place, dev: Place, fronts: list[Front], vault: str) -> None:
    environments = project.root / "environments"
    (environments / "masking.yaml").write_text(MASKING)
    shutil.rmtree(project.root / "recipes")
    behind = json.dumps({**json.loads(production.warehouse()), "port": fronts[0].port})
    texts = {
        "production": "branch: main\n"
        + ENVIRONMENT.format(warehouse=behind, vault=f"http://127.0.0.1:{fronts[1].port}", name="production"),
        "dev": DEV + ENVIRONMENT.format(warehouse=dev.warehouse(), vault=vault, name="dev"),
    }
    for name, text in texts.items():
        (environments / f"{name}.yaml").write_text(text)
    project.commit("somebody else's servers")
    project.git("branch", "-f", "dev", "main")


def test_a_day_in_dev_asks_production_for_nothing(away: tuple[Project, list[Front]]) -> None:
    project, fronts = away
    before = [front.calls for front in fronts]
    project.kitchen("create", "profit")
    cook(project, "profit", 3)
    inside = folder(project, "profit")
    for command in (
        ["run", "counting"], ["test", "counting"], ["recipe", "check", "counting"], ["runs", "list"], ["status"],
        ["show"], ["diff"], ["env"], ["hydrate", "orders"], ["enter", "--", "true"], ["update"], ["update", "--data"],
        ["edit", "--ttl", "3d"], ["pantry", "show"], ["list", "-e", "dev"], ["merge", "--yes"],
        ["release", "rollback", "-e", "dev", "--yes"], ["environment", "show"], ["whoami"],
    ):  # fmt: skip
        project.kitchen(*command, cwd=inside)
        assert [front.calls for front in fronts] == before, command
    project.kitchen("delete", "profit", "--yes", "--force")
    project.kitchen("create", "fix", "--parent", "production")
    assert [front.calls for front in fronts] == before


@pytest.mark.parametrize("command", [["list"], ["tree"], ["prune", "--yes"], ["recover"], ["doctor", "dev"]])
def test_what_looks_everywhere_does_not_wait_for_it(away: tuple[Project, list[Front]], command: list[str]) -> None:
    project, _ = away
    begun = time.monotonic()
    told = project.kitchen(*command)
    assert time.monotonic() - begun < WAITS
    assert "production does not answer" in told.stdout + told.stderr


def test_the_doctor_says_so_and_goes_on(away: tuple[Project, list[Front]]) -> None:
    project, _ = away
    begun = time.monotonic()
    told = json.loads(project.kitchen("doctor", "--json", expect=6).stdout)
    assert time.monotonic() - begun < WAITS
    found = {(each["environment"], each["part"]): each["level"] for each in told["findings"]}
    assert found["production", "server"] == "down"
    assert (found["dev", "server"], found["dev", "masking"]) == ("ok", "warn")
