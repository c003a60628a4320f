"""Look at every part of every environment and say what is well, what is not, and what to type. Nothing is started."""

from __future__ import annotations

import platform
import secrets as randomness
import shutil
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from kitchen.domain.environment import Environment
from kitchen.domain.versions import satisfies
from kitchen.domain.words import counted
from kitchen.errors import NotPermitted, Unavailable
from kitchen.operations.asking import absent_runner
from kitchen.operations.doctor_access import judge_bucket, judge_lending, judge_vault
from kitchen.operations.doctor_rights import judge_rights
from kitchen.operations.doctor_roles import judge_roles
from kitchen.operations.doctor_server import judge, read_facts
from kitchen.operations.findings import Chart, Finding, Level
from kitchen.operations.services import EmbeddedServer
from kitchen.operations.sharing import truth
from kitchen.ports import (
    Bucket,
    ContainerEngine,
    Control,
    ObjectStore,
    People,
    PolicyStore,
    Repository,
    SecretStore,
    Sessions,
)

_OLDEST_GIT = "2.38"  # the first that merges in memory (merge-tree --write-tree)
_LITTLE_SPACE, _NO_SPACE = 2 * 1024**3, 200 * 1024**2
_CONTROL_VERSION = "SELECT max(number) FROM kitchen_control.migration"
_HAS_CONTROL = "SELECT pg_catalog.to_regclass('kitchen_control.migration') IS NOT NULL"


class Services(Protocol):
    """What is looked at in one environment."""

    @property
    def environment(self) -> Environment: ...
    @property
    def state_dir(self) -> Path: ...
    @property
    def embedded(self) -> EmbeddedServer | None: ...
    @property
    def acts_for_all(self) -> bool: ...
    @property
    def person(self) -> str: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def secrets(self) -> SecretStore: ...
    @property
    def policies(self) -> PolicyStore | None: ...
    @property
    def storage(self) -> ObjectStore: ...
    def bucket(self, *, as_administrator: bool) -> Bucket: ...
    @property
    def containers(self) -> ContainerEngine | None: ...
    @property
    def control(self) -> Control: ...
    @property
    def people(self) -> People: ...


def examine_machine(environments: Sequence[Environment]) -> list[Finding]:
    """Look at what every environment needs of this machine."""
    chart = Chart(None)
    with chart.examining("git"):
        _examine_git(chart)
    own = platform.python_version()
    asking = [e for e in environments if e.toolchain.python and not satisfies(own, e.toolchain.python)]
    for environment in asking:
        said = f"Python {own}, but the toolchain of {environment.name} asks for {environment.toolchain.python}"
        chart.fail("python", said, "install kitchen for such a Python")
    if not asking:
        chart.ok("python", f"Python {own}")
    return chart.findings


def examine_environment(
    services: Services, repository: Repository, undecided: Callable[[], Sequence[str]] | None = None
) -> list[Finding]:
    """Look at one environment; what depends on its server is left out while that is down.

    ``undecided`` names the source's columns that its masking policy does not decide; None where there is no policy,
    or its source is down.
    """
    chart = Chart(services.environment.name)
    with chart.examining("branch"):
        _examine_branch(chart, services.environment, repository)
    if services.embedded is not None and not services.state_dir.exists():
        chart.down("server", "this environment was never up here", f"kitchen up {services.environment.name}")
        return chart.findings
    with chart.examining("server"):
        _examine_server(chart, services)
    with chart.examining("secrets"):
        _examine_secrets(chart, services)
        judge_vault(chart, services)
    with chart.examining("storage"):
        _examine_storage(chart, services.storage)
        judge_bucket(chart, services)
    with chart.examining("file keys"):
        judge_lending(chart, services)
    with chart.examining("containers"):
        _examine_containers(chart, services)
    with chart.examining("disk"):
        _examine_disk(chart, services)
    if all(finding.part != "server" or finding.level is Level.OK for finding in chart.findings):
        _examine_state(chart, services, repository)
    if undecided is not None:
        with chart.examining("masking"):
            _examine_masking(chart, undecided, services)
    return chart.findings


def unanswered(environment: Environment) -> list[Finding]:
    """Say of an environment that it does not answer, and that nothing of it was looked at."""
    chart = Chart(environment.name)
    hint = f"kitchen doctor {environment.name}, which waits longer"
    chart.down("server", "does not answer: nothing of this environment was looked at", hint)
    return chart.findings


def not_admitted(environment: Environment) -> list[Finding]:
    """Say to somebody who works elsewhere that this environment was not looked at: there is no login of theirs here."""
    chart = Chart(environment.name)
    chart.ok("login", "not looked at: you hold no login of it, and need none to work elsewhere")
    return chart.findings


def _examine_git(chart: Chart) -> None:
    program = shutil.which("git")
    if program is None:
        chart.fail("git", "git is not installed", "apt install git")
        return
    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    version = said.removeprefix("git version ").strip()
    if satisfies(version, f">={_OLDEST_GIT}"):
        chart.ok("git", f"git {version}")
    else:
        chart.fail("git", f"git {version} cannot merge in memory", f"install git {_OLDEST_GIT} or newer")


def _examine_branch(chart: Chart, environment: Environment, repository: Repository) -> None:
    head = truth(repository, environment.branch)
    if head is None:
        hint = f"kitchen up {environment.name}"
        chart.fail("branch", f"branch {environment.branch!r} does not exist", hint)
    else:
        chart.ok("branch", f"{environment.branch} at {head[:12]}")


def _examine_server(chart: Chart, services: Services) -> None:
    name, embedded = services.environment.name, services.embedded
    if embedded is not None and not embedded.is_running():
        chart.down("server", "the embedded server does not run", f"kitchen up {name}")
        return
    if not services.acts_for_all:
        _examine_own_login(chart, services)
        return
    login = services.sessions.administrator()
    session = services.sessions.as_administrator(application="kitchen doctor")
    try:
        host, port = embedded.tcp if embedded is not None else (login.host, login.port)
        user = f", run by the user {embedded.runs_as}" if embedded is not None else ""
        chart.ok("server", f"answers on {host}:{port}, database {login.database}{user}")
        judge(chart, read_facts(session), services.environment)
        judge_rights(chart, session, services.environment)
        if not session.query(_HAS_CONTROL)[0][0]:
            chart.fail("control", "the environment is not set up", f"kitchen up {name}")
        else:
            chart.ok("control", f"control schema at version {session.query(_CONTROL_VERSION)[0][0]}")
    finally:
        session.close()


def _examine_own_login(chart: Chart, services: Services) -> None:
    """Look as one person among others: what the provisioner may do is looked at by whoever acts for all."""
    login = services.sessions.recorder()
    services.sessions.open(login, application="kitchen doctor").close()
    chart.ok("server", f"answers on {login.host}:{login.port}, database {login.database}")
    chart.ok("login", f"{login.user} gets in")
    chart.ok("control", f"control schema in place, {counted(len(services.control.kitchens.all()), 'kitchen')} recorded")


def _examine_secrets(chart: Chart, services: Services) -> None:
    """Write, read and delete a secret: of a person's own where it is a person who looks, who may write no other."""
    secrets, own = services.secrets, "" if services.acts_for_all else f"people/{services.person}/"
    probe, text = f"{own}doctor/{randomness.token_hex(8)}", randomness.token_hex(8)
    secrets.write(probe, {"probe": text}, create_only=True)
    try:
        if secrets.read(probe) != {"probe": text}:
            chart.fail("secrets", "the secret store does not give back what was written")
            return
    finally:
        secrets.delete(probe)
    chart.ok("secrets", "readable and writable")


def _examine_storage(chart: Chart, storage: ObjectStore) -> None:
    key, data = f"doctor/{randomness.token_hex(8)}", randomness.token_bytes(16)
    storage.put(key, data, create_only=True)
    try:
        same = storage.get(key) == data
    finally:
        storage.delete(key)
    if same:
        chart.ok("storage", "readable and writable")
    else:
        chart.fail("storage", "the object store does not give back what was put")


def _examine_containers(chart: Chart, services: Services) -> None:
    if services.containers is None:
        return
    version = getattr(services.containers, "version", None)
    chart.ok("containers", f"engine {version()} answers" if callable(version) else "declared")


def _examine_disk(chart: Chart, services: Services) -> None:
    if services.embedded is None or not services.state_dir.exists():
        return
    free = shutil.disk_usage(services.state_dir).free
    said = f"{free / 1024**3:.1f} GB free in {services.state_dir}"
    if free < _NO_SPACE:
        chart.fail("disk", said, "kitchen prune, or make room")
    elif free < _LITTLE_SPACE:
        chart.warn("disk", said, "kitchen prune, or make room")
    else:
        chart.ok("disk", said)


def _examine_state(chart: Chart, services: Services, repository: Repository) -> None:
    """Look at what the control schema says; absent schema: the server's findings say so already."""
    if any(finding.part == "control" and finding.level is not Level.OK for finding in chart.findings):
        return
    environment = services.environment
    with chart.examining("control"):
        if services.control.kitchens.get(environment.name) is None:
            chart.fail("kitchen", "the standing kitchen is missing", f"kitchen up {environment.name}")
        unfinished = services.control.journal.unfinished()
        if unfinished:
            named = ", ".join(f"{operation.kind} {operation.subject}" for operation in unfinished)
            chart.warn("operations", f"unfinished: {named}", "kitchen recover")
    if environment.data is not None:
        with chart.examining("pantry"):
            _examine_pantry(chart, services)
    if not environment.is_embedded:
        with chart.examining("roles"):
            judge_roles(chart, services, repository)
    if not environment.is_embedded and environment.kitchens.working:
        with chart.examining("runner"):
            _examine_runner(chart, services)


def _examine_runner(chart: Chart, services: Services) -> None:
    """Say whether anybody answers what people ask to merge."""
    waiting = len(services.control.requests.due())
    asked = f"{counted(waiting, 'merge request')} {'waits' if waiting == 1 else 'wait'}" if waiting else ""
    is_absent, last = absent_runner(services)
    name = services.environment.name
    if not is_absent:
        by = f", {last.name} on {last.host}" if last is not None else ""
        chart.ok("runner", f"is there{by}" + (f"; {asked}" if asked else ""))
    elif waiting:
        chart.warn("runner", f"{asked}, and no runner is there", f"kitchen schedule serve -e {name}")
    elif last is not None:
        chart.ok("runner", f"{last.name} was seen {last.seen_at:%Y-%m-%d %H:%M} UTC; nobody waits")


def _examine_pantry(chart: Chart, services: Services) -> None:
    newest = services.control.pantries.newest()
    if newest is None:
        hint = f"kitchen pantry refresh -e {services.environment.name}"
        chart.warn("pantry", "there is no masked data yet: kitchens see no tables of production", hint)
        return
    hours = (datetime.now(UTC) - newest.created_at).total_seconds() / 3600
    age = f"{hours / 24:.0f} d" if hours >= 48 else f"{hours:.0f} h"
    chart.ok("pantry", f"version {newest.version}, {age} old")


def _examine_masking(chart: Chart, undecided: Callable[[], Sequence[str]], services: Services) -> None:
    environment = services.environment
    try:
        columns = undecided()
    except Unavailable as away:  # nobody needs production to work in dev
        chart.warn("masking", f"not looked at: {away.message}")
        return
    except NotPermitted:
        if services.acts_for_all:
            raise
        source = environment.data.source if environment.data is not None else "the source"
        chart.warn("masking", f"not looked at: {services.person}'s login does not read {source}")
        return
    if not columns:
        chart.ok("masking", "every column of the source has a decision")
        return
    more = f" and {len(columns) - 3} more" if len(columns) > 3 else ""
    hint = f"kitchen pantry scan --write -e {environment.name}"
    chart.warn("masking", f"no decision for {', '.join(columns[:3])}{more}: nothing is copied", hint)
