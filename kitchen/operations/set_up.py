"""Set an environment up: its server, its branch, its control schema, its standing kitchen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kitchen.domain.environment import Chain, Environment
from kitchen.errors import Conflict, NotFound, Unavailable
from kitchen.operations.create import StandingServices, ensure_standing
from kitchen.operations.governing import Governed, govern
from kitchen.operations.services import EmbeddedServer
from kitchen.operations.sharing import fetch_if_there, truth
from kitchen.ports import People, RefUpdate, Repository

Say = Callable[[str], None]

_OTHERS_WAIT = 30.0  # seconds


class Services(StandingServices, Protocol):
    """What setting an environment up needs."""

    environment: Environment
    governed: Governed | None

    @property
    def embedded(self) -> EmbeddedServer | None: ...
    @property
    def state_dir(self) -> Path: ...
    @property
    def people(self) -> People: ...


@dataclass(frozen=True, slots=True)
class Running:
    """Where one environment's services are."""

    environment: str
    branch: str
    host: str
    port: int
    database: str
    socket: str | None
    data: Path | None


def bring_up(services: Services, chain: Chain, repository: Repository, *, say: Say) -> Running:
    """Start an environment's services and set it up; done already is success."""
    environment = services.environment
    if services.embedded is not None and not services.embedded.is_running():
        say(f"starting PostgreSQL of {environment.name}")
        services.embedded.start()
    ensure_branch(repository, chain, environment, say=say)
    try:
        _furnish(services, say=say)
    except Unavailable:
        if services.embedded is None or services.embedded.is_running():
            raise
        say(f"starting PostgreSQL of {environment.name}, which was going down")  # its file said ready until then
        services.embedded.start()
        _furnish(services, say=say)
    if services.embedded is None:
        govern(services, repository, say=say, may_be_new=True)
        services.people.open(services.environment, services.layout)
    login = services.sessions.administrator()
    embedded = services.embedded
    host, port = embedded.tcp if embedded is not None else (login.host, login.port)
    return Running(
        environment.name, environment.branch, host, port, login.database,
        login.host if login.host.startswith("/") else None, services.state_dir if embedded is not None else None,
    )  # fmt: skip


def _furnish(services: Services, *, say: Say) -> None:
    services.control.install()
    _patiently(lambda: ensure_standing(services, say=say))


def _patiently(make: Callable[[], object]) -> None:
    """Wait for another command that sets the same environment up: both were asked for the same."""
    give_up = time.monotonic() + _OTHERS_WAIT
    while True:
        try:
            make()
        except Conflict:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.1)
        else:
            return


def ensure_branch(repository: Repository, chain: Chain, environment: Environment, *, say: Say) -> None:
    """Make an environment's branch where it is missing: the remote's, else at its parent's head."""
    if repository.head(environment.branch) is not None:
        return
    above = chain.get(environment.parent).branch if environment.parent is not None else None
    fetch_if_there(repository, [environment.branch, above], say)
    start = truth(repository, environment.branch) or truth(repository, above)
    if start is None:
        raise NotFound(
            f"environment {environment.name!r} stands on branch {environment.branch!r}, which has no commit yet",
            hint="git add -A && git commit" if environment.parent is None else f"kitchen up {environment.parent}",
        )
    say(f"making branch {environment.branch} at {start[:12]}")

    def make() -> None:
        try:
            repository.update_refs([RefUpdate(f"refs/heads/{environment.branch}", start, None)], reason="kitchen up")
        except Conflict:
            if repository.head(environment.branch) is None:  # else another command made it in this moment
                raise

    _patiently(make)  # the git process of a command that was killed may hold the branch a moment longer
