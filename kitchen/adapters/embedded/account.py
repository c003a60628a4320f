"""Which user of the operating system the servers run as: PostgreSQL refuses root."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kitchen.domain.words import quoted
from kitchen.errors import Unavailable

SERVICE_USER = "kitchen"
_FIRST_HUMAN = 1000  # below are system users on Linux; a person who is called kitchen does not run our servers


@dataclass(frozen=True, slots=True)
class Account:
    """The user that owns a cluster and runs its server."""

    name: str
    uid: int
    gid: int

    @property
    def is_other(self) -> bool:
        """The server runs as somebody else than this process (which is then root)."""
        return self.uid != os.geteuid()

    def popen_options(self) -> dict[str, object]:
        """Return what ``subprocess`` needs to start a child as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.is_other else {}

    def give(self, path: Path) -> None:
        """Make this user the owner of something that this process just made."""
        if self.is_other:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def service_account(cluster: Path) -> Account:
    """Return who runs the server of a cluster: we, but as root an unprivileged user, for ever the same one."""
    if os.geteuid() != 0:
        return Account(_name_of(os.geteuid()), os.geteuid(), os.getegid())
    try:
        owner = cluster.lstat()
    except FileNotFoundError:
        return _chosen()
    if stat.S_ISLNK(owner.st_mode):
        raise Unavailable(f"{cluster} is a link; the data of a server that root starts must lie there itself")
    if owner.st_uid == 0:
        raise Unavailable(
            f"{cluster} belongs to root, and PostgreSQL does not run as root",
            hint=f"chown -R {SERVICE_USER} {quoted(cluster)}",
        )
    return Account(_name_of(owner.st_uid), owner.st_uid, owner.st_gid)


def _chosen() -> Account:
    for name, make in ((SERVICE_USER, True), ("postgres", False), ("nobody", False)):
        found = _system_user(name) or (_make_user(name) if make else None)
        if found is not None:
            return found
    raise Unavailable(
        "PostgreSQL does not run as root, and there is no unprivileged user for it", hint=f"useradd -r {SERVICE_USER}"
    )


def _system_user(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    if entry.pw_uid == 0 or (name == SERVICE_USER and entry.pw_uid >= _FIRST_HUMAN):
        return None
    return Account(name, entry.pw_uid, entry.pw_gid)


def _make_user(name: str) -> Account | None:
    """Make the system user; where that is not possible (no useradd, read-only /etc) there are others."""
    import subprocess  # noqa: PLC0415 - once in the life of a machine

    options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    for useradd in ("/usr/sbin/useradd", "/sbin/useradd"):
        if Path(useradd).exists():
            command = [useradd, *options, "--shell", "/usr/sbin/nologin", name]
            subprocess.run(command, check=False, capture_output=True, timeout=30)
            return _system_user(name)  # also where another process made it in this moment
    return None


def closed_to(account: Account, path: Path) -> Path | None:
    """Return the first folder on the way to path (path included) that the user may not traverse, or None."""
    if not account.is_other:
        return None
    return next((folder for folder in _way_to(path) if not _may(account, folder, stat.S_IXOTH)), None)


def may_use(account: Account, path: Path) -> bool:
    """Say whether the user may read and enter (or execute) one path that it can reach."""
    return not account.is_other or _may(account, path, stat.S_IROTH | stat.S_IXOTH)


def _way_to(path: Path) -> Iterator[Path]:
    for folder in reversed([path, *path.parents]):
        if folder.is_dir():
            yield folder


def _may(account: Account, path: Path, wanted: int) -> bool:
    info = path.stat()
    if info.st_uid == account.uid:
        wanted <<= 6
    elif info.st_gid == account.gid:
        wanted <<= 3
    return info.st_mode & wanted == wanted


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # containers run under numbers that no file knows
        return str(uid)
