"""Container nodes on a Docker engine, confined: no capabilities, root, network or writable root file system.

What a container may use is decided by the environment's file, never by a recipe. Secrets come as files, because the
environment of a container is printed by ``docker inspect``.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import docker
import requests
from docker import errors
from docker.types import Mount

from kitchen.errors import InvalidInput, KitchenError, NotFound, Unavailable
from kitchen.ports import CONTAINER_FILES, ContainerEnd

NOBODY = "65534:65534"
TIMED_OUT = 124
GRACE = 5  # seconds between asking a container to end and ending it
_ANSWER_WITHIN = 30  # seconds for every call
_MOMENT = 0.1
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Confinement:
    """What containers of an environment may use."""

    network: str = "none"
    memory: str = "1g"
    cpus: float = 1.0
    processes: int = 256
    scratch: str = "256m"  # of /tmp, the only place that can be written

    def options(self) -> dict[str, Any]:
        """Return the engine's options; none of them can be left out by a recipe."""
        return {
            "read_only": True,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
            "network_mode": self.network,
            "pids_limit": self.processes,
            "mem_limit": self.memory,
            "memswap_limit": self.memory,
            "nano_cpus": int(self.cpus * 1_000_000_000),
            "user": NOBODY,
            "tmpfs": {"/tmp": f"rw,noexec,nosuid,nodev,mode=1777,size={self.scratch}"},  # noqa: S108 - the container's own
            "init": True,
            "log_config": {"Type": "none"},  # its output is read as it comes; the engine keeps none of it
        }


class DockerEngine:
    """The engine that DOCKER_HOST names, else this machine's; fits the ContainerEngine port."""

    def __init__(self, confinement: Confinement | None = None) -> None:
        self._confinement = confinement or Confinement()
        self._made: docker.DockerClient | None = None

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> DockerEngine:
        """Return the engine with the limits that an environment file gives."""
        return cls(Confinement(**settings))

    def version(self) -> str:
        """Return the engine's version; raises Unavailable."""
        with _translated("the container engine"):
            return str(self._client.version()["Version"])

    def run(
        self, image: str, command: Sequence[str], *, environment: Mapping[str, str], labels: Mapping[str, str],
        timeout: float | None, printed: Callable[[bytes], None], files: Mapping[str, bytes] | None = None,
        stopping: Event | None = None,
    ) -> ContainerEnd:  # fmt: skip
        """Run an image to its end, its time limit or until told to stop; nothing of the container remains."""
        archive = _archive(files) if files else None
        name = f"kitchen-{uuid4()}"
        with _translated(f"the image {image!r}"), self._ended_with_us(name):
            container = self._client.containers.create(
                self._fetch(image),
                list(command),
                name=name,
                environment=dict(environment),
                labels=dict(labels),
                mounts=[Mount(CONTAINER_FILES, None, type="volume", no_copy=True)] if archive else [],
                **self._confinement.options(),
            )
            if archive is not None:
                container.put_archive(CONTAINER_FILES, archive)
            return _run(container, timeout, printed, stopping or Event())

    def remove_all(self, labels: Mapping[str, str]) -> None:
        """Stop and remove every container with these labels; none is success."""
        if not labels:
            raise InvalidInput("containers are removed by label, and no label is given")
        wanted = [f"{name}={value}" for name, value in labels.items()]
        with _translated("removing containers"):
            for container in self._client.containers.list(all=True, sparse=True, filters={"label": wanted}):
                _remove(container)

    @contextmanager
    def _ended_with_us(self, name: str) -> Iterator[None]:
        """Remove the container in the end, and where this process is killed have another do it: it is there before."""
        heir = subprocess.Popen(
            [sys.executable, "-c", _HEIR, name], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            yield
        finally:
            try:
                with suppress(errors.NotFound):
                    _remove(self._client.containers.get(name))
            finally:
                heir.communicate(b"!")

    @property
    def _client(self) -> docker.DockerClient:
        if self._made is None:
            self._made = docker.from_env(timeout=_ANSWER_WITHIN)
        return self._made

    def _fetch(self, image: str) -> str:
        """Have the image here and return what it is called; only what is pinned by digest is fetched: tags change."""
        made_here = image.partition("@")[2]  # what was built here and never pushed is known by its own digest alone
        for name in (image, made_here) if made_here else (image,):
            with suppress(errors.ImageNotFound):
                self._client.images.get(name)
                return name
        if not made_here:
            raise NotFound(
                f"the image {image!r} is not on this machine, and only images pinned by digest are fetched",
                hint=f"docker pull {image}, or write image: {image}@sha256:…",
            )
        self._client.images.pull(image)
        return image


# --- one container ----------------------------------------------------------------------------------------------------


def _run(container: Any, timeout: float | None, printed: Callable[[bytes], None], stopping: Event) -> ContainerEnd:
    reader = _Reader(container.attach(stream=True), printed)  # before it starts: nothing that it prints is missed
    container.start()
    reader.start()
    deadline = None if timeout is None else time.monotonic() + timeout
    while _runs(container, reader):
        if stopping.is_set() or (deadline is not None and time.monotonic() >= deadline):
            container.stop(timeout=GRACE)
            reader.finish()
            return ContainerEnd(TIMED_OUT, timed_out=True)
    reader.finish()
    status = int(container.wait(timeout=_ANSWER_WITHIN)["StatusCode"])
    container.reload()
    return ContainerEnd(status, out_of_memory=bool(container.attrs["State"].get("OOMKilled")))


def _runs(container: Any, reader: _Reader) -> bool:
    """Wait a moment and say whether the container runs; one that closed its output is asked for at the engine."""
    if not reader.ended.wait(_MOMENT):
        return True
    container.reload()
    if not container.attrs["State"]["Running"]:
        return False
    time.sleep(_MOMENT)
    return True


class _Reader:
    """Hands on what a container prints, from a thread of its own, because reading waits for ever."""

    def __init__(self, stream: Iterable[bytes], printed: Callable[[bytes], None]) -> None:
        self._stream = stream
        self._printed = printed
        self._wrong: BaseException | None = None
        self.ended = Event()

    def start(self) -> None:
        Thread(target=self._read, name="container output", daemon=True).start()

    def finish(self) -> None:
        """Wait for the last of it; raises what went wrong with it."""
        self.ended.wait(GRACE)
        if self._wrong is not None:
            raise self._wrong

    def _read(self) -> None:
        try:
            for chunk in self._stream:
                self._printed(chunk)
        except BaseException as wrong:  # noqa: BLE001 - it is raised again where somebody can handle it
            self._wrong = wrong
        finally:
            self.ended.set()


# reads until whoever started it is gone; a word before that says that nothing is left to do
_HEIR = """
import sys, time
if not sys.stdin.buffer.read(1):
    import docker
    for wait in (0, 1, 3, 9):  # it may be made yet: the engine had been asked
        time.sleep(wait)
        try:
            docker.from_env(timeout=30).containers.get(sys.argv[1]).remove(force=True, v=True)
            break
        except docker.errors.NotFound:
            continue
"""


def _remove(container: Any) -> None:
    with suppress(errors.NotFound):
        container.remove(force=True, v=True)


def _archive(files: Mapping[str, bytes]) -> bytes:
    """Return the files as the container's user alone may read them: clients refuse passwords that others can read."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            if not _FILE_NAME.fullmatch(name):
                raise InvalidInput(f"{name[:80]!r} cannot name a file of a container")
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o400
            entry.uid, entry.gid = (int(part) for part in NOBODY.split(":"))
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except KitchenError:
        raise
    except (errors.ImageNotFound, errors.NotFound) as wrong:
        raise NotFound(f"{what}: {_said(wrong)}") from None
    except errors.APIError as wrong:
        if wrong.is_server_error():
            raise Unavailable(f"{what}: the container engine failed: {_said(wrong)}") from None
        raise InvalidInput(f"{what}: the container engine refuses: {_said(wrong)}") from None
    except (errors.DockerException, requests.RequestException):
        raise Unavailable(
            "no container engine answers", hint="start Docker, or set DOCKER_HOST, then kitchen doctor"
        ) from None


def _said(wrong: errors.APIError) -> str:
    return str(wrong.explanation or wrong)[:300]
