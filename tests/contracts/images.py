"""An image of this machine's own programs, so that container tests need no registry."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import docker
import pytest

from kitchen.adapters.docker_engine import Confinement, DockerEngine
from kitchen.adapters.embedded.binaries import wheel_binaries
from kitchen.errors import Unavailable
from tests.support import missing

PROGRAMS = ("sh", "true", "cat", "env", "id", "ls", "sleep", "stat", "touch", "head", "chmod", "mkdir")


@pytest.fixture
def docker_engine() -> DockerEngine:
    """Return this machine's engine."""
    found = DockerEngine()
    try:
        found.version()
    except Unavailable as nobody:
        missing("docker", f"no container engine: {nobody}")
    return found


@contextmanager
def own_image() -> Iterator[str]:
    """Make an image with psql and the most needed programs, and return its name with its digest."""
    client, name = docker.from_env(), f"kitchen-tests-{uuid4().hex[:12]}"
    client.api.import_image_from_data(_packed(), repository=name, tag="latest")
    image = client.images.get(f"{name}:latest")
    try:
        yield f"{name}@{image.id}"
    finally:
        for left in client.containers.list(all=True, sparse=True, filters={"ancestor": image.id}):
            left.remove(force=True, v=True)  # of tests that failed
        client.images.remove(image.id, force=True)


def _packed() -> bytes:
    programs = [Path(str(shutil.which(name))) for name in PROGRAMS]
    programs.append(wheel_binaries().bin_dir / "psql")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        paths = sorted({os.path.normpath(each) for program in programs for each in _needed(program)})
        above = {str(folder) for path in paths for folder in Path(_inside(path)).parents}
        for folder in sorted({*above, "/bin", "/tmp", "/etc", "/proc", "/sys", "/dev"} - {"/"}):  # noqa: S108
            entry = tarfile.TarInfo(folder.lstrip("/"))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "/tmp" else 0o755  # noqa: S108
            archive.addfile(entry)
        for path in paths:
            _add(archive, path)
        for program in programs:
            _link(archive, f"bin/{program.name}", _inside(os.path.normpath(program)))
    return packed.getvalue()


def _needed(program: Path) -> list[str]:
    """Return a program and the libraries that it loads, each where it is here."""
    answer = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True, timeout=30)
    return [str(program), *re.findall(r"(?:=> |^\s+)(/\S+) \(", answer.stdout, re.MULTILINE)]


def _add(archive: tarfile.TarFile, path: str) -> None:
    content = Path(path).read_bytes()
    entry = tarfile.TarInfo(_inside(path).lstrip("/"))
    entry.size, entry.mode = len(content), 0o755
    archive.addfile(entry, io.BytesIO(content))


def _inside(path: str) -> str:
    """Return where a file is in the image: not below /tmp, which containers cover; libraries stay beside programs."""
    return path if path.startswith(("/usr/", "/lib", "/bin/")) else f"/image{path}"


def _link(archive: tarfile.TarFile, name: str, to: str) -> None:
    if f"/{name}" == to:
        return
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, to
    archive.addfile(entry)


def main() -> int:
    """Say whether containers run here, confined, and networks can be made."""
    with own_image() as image:
        engine = DockerEngine(Confinement(memory="64m"))
        ended = engine.run(image, ["true"], environment={}, labels={"kitchen.test": "try"}, timeout=30, printed=print)
        docker.from_env().networks.create(f"kitchen-tests-{uuid4().hex[:12]}").remove()
        return ended.status


if __name__ == "__main__":
    sys.exit(main())
