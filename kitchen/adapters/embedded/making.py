"""Making a cluster: whole or not at all, so that a killed command leaves nothing half-made in its place."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kitchen.adapters.embedded import roles
from kitchen.adapters.embedded.account import Account
from kitchen.adapters.embedded.binaries import Binaries
from kitchen.adapters.embedded.cluster import ClusterFolder
from kitchen.adapters.embedded.server import Server, last_line
from kitchen.adapters.postgres.connection import connect
from kitchen.domain.connection import Credentials
from kitchen.domain.secret import Secret
from kitchen.errors import Unavailable

_INITDB_WAIT = 120.0
_FIRST_WITH_BUILTIN_LOCALE = 17


def make_cluster(server: Server, cluster: ClusterFolder, account: Account, binaries: Binaries, owner: Secret) -> None:
    """Run initdb beside the cluster's place, then rename; raises Unavailable."""
    cluster.forget()
    work = Path(tempfile.mkdtemp(prefix="making-", dir=cluster.folder))
    try:
        password_file = work / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(owner.reveal())
        account.give(password_file)
        account.give(work)
        answer = server.run("initdb", *_options(binaries, work / "data", password_file), timeout=_INITDB_WAIT)
        if answer.returncode != 0:
            raise Unavailable(f"the cluster of {server.name!r} could not be made: {last_line(answer.stderr)}")
        (work / "data").rename(cluster.data)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def sweep(cluster: ClusterFolder) -> None:
    """Remove what killed commands left half-made; one whose initdb still writes is removed the next time."""
    for left in cluster.folder.glob("making-*"):
        shutil.rmtree(left, ignore_errors=True)


def _options(binaries: Binaries, data: Path, password_file: Path) -> list[str]:
    locale = ["--locale=C.UTF-8"]
    if binaries.major >= _FIRST_WITH_BUILTIN_LOCALE:
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]  # the same on every machine
    return [
        "-D", str(data), "-U", roles.SUPERUSER, f"--pwfile={password_file}", "--auth-local=scram-sha-256",
        "--auth-host=scram-sha-256", "--encoding=UTF8", "--no-instructions", *locale,
    ]  # fmt: skip


def prepare(superuser: Credentials, password: Callable[[], Secret]) -> None:
    """Make provisioner and database in a running server; every statement may be repeated."""
    with connect(replace(superuser, database="postgres"), application="kitchen up") as session:
        roles.make_provisioner(session, password())
        roles.make_database(session, superuser.database)
        roles.close_system_databases(session)
    with connect(superuser, application="kitchen up") as session:
        roles.hand_over_public(session)
