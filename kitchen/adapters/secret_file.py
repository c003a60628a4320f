"""The embedded secret store: one encrypted file for each secret, its key outside the project.

AES-256-GCM with a fresh nonce for every write; the path is authenticated with the content, so that one secret's file
cannot be passed off as another's.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from kitchen.adapters.half_files import sweep, write_half
from kitchen.adapters.secret_paths import prefix_of, segments_of
from kitchen.domain.words import quoted
from kitchen.errors import Conflict, InvalidInput, NotPermitted, Unavailable

_MAGIC = b"kitchen-secret-1\n"
_NONCE_BYTES = 12
_KEY_BYTES = 32
_ENDING = ".secret"
_PATIENCE = 1000


class FileSecretStore:
    """Secrets in a folder; fits the SecretStore port."""

    def __init__(self, folder: Path, key_file: Path) -> None:
        self._folder = folder
        self._key_file = key_file
        self._known_key: bytes | None = None

    def read(self, path: str) -> dict[str, str] | None:
        """Return a secret, or None where there is none."""
        file = self._file(path)
        with _translated(file):
            try:
                content = _read_private(file)
            except FileNotFoundError:
                return None
        return self._decrypt(path, content)

    def write(self, path: str, secret: Mapping[str, str], *, create_only: bool = False) -> None:
        """Write a secret whole; with create_only, one already there is Conflict."""
        file = self._file(path)
        content = self._encrypt(path, secret)
        with _translated(file):
            temporary = self._place(file, content)
            try:
                if create_only:
                    os.link(temporary, file)  # fails where somebody was first, and nobody sees half a file
                else:
                    temporary.replace(file)
                _sync(file.parent)
            except FileExistsError:
                raise Conflict(f"the secret {path!r} exists", hint=f"kitchen secret delete {quoted(path)}") from None
            finally:
                temporary.unlink(missing_ok=True)

    def delete(self, path: str) -> None:
        """Delete a secret; absent is success."""
        file = self._file(path)
        with _translated(file):
            file.unlink(missing_ok=True)
            sweep(file.parent)
            with suppress(FileNotFoundError):  # the folder went with its last secret
                _sync(file.parent)
            for parent in file.parents[: len(segments_of(path)) - 1]:
                with suppress(OSError):  # not empty, or another process is just writing there
                    parent.rmdir()

    def list(self, prefix: str) -> tuple[str, ...]:
        """Return the full paths below a prefix, sorted."""
        below = self._folder.joinpath(*prefix_of(prefix))
        with _translated(below):
            files = [Path(folder) / name for folder, _, names in os.walk(below) for name in names]
            for folder in {file.parent for file in files if file.name.startswith(".")}:
                sweep(folder)
        found = (file.relative_to(self._folder) for file in files if file.name.endswith(_ENDING))
        return tuple(sorted(path.as_posix().removesuffix(_ENDING) for path in found if not path.name.startswith(".")))

    def _file(self, path: str) -> Path:
        *folders, name = segments_of(path)
        return self._folder.joinpath(*folders, name + _ENDING)

    def _place(self, file: Path, content: bytes) -> Path:
        for _ in range(_PATIENCE):
            try:
                self._make_folder(file.parent)
                return write_half(file, content)
            except FileNotFoundError:  # another process deleted the last secret here, and with it the empty folder
                continue
        raise Unavailable(f"{file.parent} does not stay")

    def _make_folder(self, folder: Path) -> None:
        missing = []
        while not folder.is_dir():
            missing.append(folder)
            if folder == self._folder:
                break
            folder = folder.parent
        for one in reversed(missing):
            one.mkdir(mode=0o700, parents=one == self._folder, exist_ok=True)
        _refuse_loose(self._folder, self._folder.stat())

    def _encrypt(self, path: str, secret: Mapping[str, str]) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - 40 ms that reading may not need

        nonce = os.urandom(_NONCE_BYTES)
        plain = json.dumps(dict(secret)).encode()
        return _MAGIC + nonce + AESGCM(self._key(make=True)).encrypt(nonce, plain, _MAGIC + path.encode())

    def _decrypt(self, path: str, content: bytes) -> dict[str, str]:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        nonce, sealed = content[len(_MAGIC) :][:_NONCE_BYTES], content[len(_MAGIC) + _NONCE_BYTES :]
        try:
            if not content.startswith(_MAGIC):
                raise InvalidTag
            plain = AESGCM(self._key(make=False)).decrypt(nonce, sealed, _MAGIC + path.encode())
        except (InvalidTag, ValueError):
            raise NotPermitted(
                f"the secret {path!r} cannot be opened: {self._key_file} is not its key, or its file was changed",
                hint=f"put the right key back to {self._key_file}, or: kitchen secret delete {quoted(path)}",
            ) from None
        kept: dict[str, str] = json.loads(plain)
        return kept

    def _key(self, *, make: bool) -> bytes:
        if self._known_key is None:
            with _translated(self._key_file):
                sweep(self._key_file.parent)
                if make and not self._key_file.exists():
                    _make_key(self._key_file)
                self._known_key = _read_key(self._key_file)
        return self._known_key


def _make_key(file: Path) -> None:
    """Write a new key whole or not at all; where two processes make one, the first wins."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = write_half(file, os.urandom(_KEY_BYTES).hex().encode() + b"\n")
    try:
        with suppress(FileExistsError):
            os.link(temporary, file)
        _sync(file.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _read_key(file: Path) -> bytes:
    try:
        text = _read_private(file)
    except FileNotFoundError:
        raise NotPermitted(
            f"the key of this secret store, {file}, is not here", hint="put the key back, or set KITCHEN_KEY_HOME"
        ) from None
    try:
        key = bytes.fromhex(text.decode("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise InvalidInput(f"{file} is not a key of a secret store", hint="put the right key back")
    return key


def _read_private(file: Path) -> bytes:
    with file.open("rb") as opened:
        _refuse_loose(file, os.fstat(opened.fileno()))
        return opened.read()


def _refuse_loose(path: Path, state: os.stat_result) -> None:
    """Refuse what others can open; raises NotPermitted with the command that closes it."""
    strict = "700" if stat.S_ISDIR(state.st_mode) else "600"
    if stat.S_IMODE(state.st_mode) & 0o077:
        raise NotPermitted(f"{path} can be opened by others", hint=f"chmod {strict} {quoted(path)}")
    if state.st_uid != os.geteuid() and os.geteuid() != 0:
        raise NotPermitted(f"{path} belongs to another user")


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as wrong:
        raise NotPermitted(f"{path}: {wrong.strerror}") from None
    except OSError as wrong:
        if isinstance(wrong, FileExistsError):
            raise
        raise Unavailable(f"{path}: {wrong.strerror}") from None
