"""Container nodes on a Docker engine, confined: no capabilities, root, network or writable root file system.

What a container may use is decided by the environment's file, never by a recipe. Secrets come as files, because the
environment of a container is printed by ``docker inspect``.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import requests
from docker import errors

from kitchen.errors import InvalidInput, KitchenError, NotFound, Unavailable

FILES = "/run/kitchen"  # where a container finds its secrets
NOBODY = "65534:65534"
TIMED_OUT = 124
MAX_OUTPUT = 1 << 20
_ANSWER_WITHIN = 30  # seconds for every call but waiting for the container
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
            "tmpfs": {"/tmp": f"rw,noexec,nosuid,nodev,size={self.scratch}"},  # noqa: S108 - the container's own
            "init": True,
            "log_config": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "1"}},
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
        timeout: float | None, files: Mapping[str, bytes] | None = None,
    ) -> tuple[int, str]:  # fmt: skip
        """Return exit status (124: ended by timeout) and output; nothing of the container remains."""
        with _translated(f"the image {image!r}"), _folder_of(files or {}) as mounts:
            self._fetch(image)
            container = self._client.containers.create(
                image,
                list(command),
                environment=dict(environment),
                labels=dict(labels),
                volumes=mounts,
                **self._confinement.options(),
            )
            try:
                container.start()
                status = _wait(container, timeout)
                return status, _output(container)
            finally:
                _remove(container)

    def remove_all(self, labels: Mapping[str, str]) -> None:
        """Stop and remove every container with these labels; none is success."""
        if not labels:
            raise InvalidInput("containers are removed by label, and no label is given")
        wanted = [f"{name}={value}" for name, value in labels.items()]
        with _translated("removing containers"):
            for container in self._client.containers.list(all=True, filters={"label": wanted}):
                _remove(container)

    @property
    def _client(self) -> docker.DockerClient:
        if self._made is None:
            self._made = docker.from_env(timeout=_ANSWER_WITHIN)
        return self._made

    def _fetch(self, image: str) -> None:
        """Have the image here; only what is pinned by digest is fetched, because a tag can change under us."""
        try:
            self._client.images.get(image)
        except errors.ImageNotFound:
            if "@sha256:" not in image:
                raise NotFound(
                    f"the image {image!r} is not on this machine, and only images pinned by digest are fetched",
                    hint=f"docker pull {image}, or write image: {image}@sha256:…",
                ) from None
            self._client.images.pull(image)


def _wait(container: Any, timeout: float | None) -> int:
    try:
        return int(container.wait(timeout=timeout)["StatusCode"])
    except (requests.Timeout, requests.ConnectionError):  # a time-out while reading comes as either
        with suppress(errors.APIError):
            container.kill()
        container.reload()
        state = container.attrs["State"]
        return TIMED_OUT if state["Running"] or state["ExitCode"] == 137 else int(state["ExitCode"])


def _output(container: Any) -> str:
    kept = bytearray()
    for chunk in container.logs(stdout=True, stderr=True, stream=True, follow=False):
        kept += chunk[: MAX_OUTPUT - len(kept)]
        if len(kept) >= MAX_OUTPUT:
            kept += b"\n(more was printed and is not kept)\n"
            break
    return kept.decode(errors="replace")


def _remove(container: Any) -> None:
    with suppress(errors.NotFound):
        container.remove(force=True, v=True)


@contextmanager
def _folder_of(files: Mapping[str, bytes]) -> Iterator[dict[str, dict[str, str]]]:
    """Give the files to the container's user and to nobody else on this machine: the outer folder is shut."""
    if not files:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="kitchen-") as outer:  # made with mode 0700
        inner = Path(outer) / "files"
        inner.mkdir()
        inner.chmod(0o755)
        for name, content in files.items():
            if not _FILE_NAME.fullmatch(name):
                raise InvalidInput(f"{name[:80]!r} cannot name a file of a container")
            (inner / name).write_bytes(content)
            (inner / name).chmod(0o444)
        yield {str(inner): {"bind": FILES, "mode": "ro"}}


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
