"""The embedded object store: a folder, in which every object is written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kitchen.adapters.half_files import sweep, write_half
from kitchen.adapters.object_keys import checked_key, checked_prefix
from kitchen.errors import Conflict, InvalidInput, NotFound, NotPermitted, Unavailable

_PATIENCE = 1000


class FolderStore:
    """Objects as files; fits the ObjectStore port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> None:
        """Store an object whole; with create_only, one already there is Conflict."""
        file = self._file(key)
        with _translated(key):
            temporary = self._place(file, data)
            try:
                if create_only:
                    os.link(temporary, file)
                else:
                    temporary.replace(file)
            except FileExistsError:
                raise Conflict(f"the file {key!r} exists") from None
            finally:
                temporary.unlink(missing_ok=True)

    def get(self, key: str) -> bytes:
        """Return an object; raises NotFound."""
        file = self._file(key)
        with _translated(key):
            try:
                return file.read_bytes()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise NotFound(f"there is no file {key!r}", hint="kitchen files ls") from None

    def list(self, prefix: str) -> tuple[str, ...]:
        """Return the keys below a prefix, sorted."""
        below = self._folder / checked_prefix(prefix)
        with _translated(prefix):
            found = [Path(folder) / name for folder, _, names in os.walk(below) for name in names]
            for folder in {file.parent for file in found if file.name.startswith(".")}:
                sweep(folder)
        files = [file for file in found if not file.name.startswith(".")]
        return tuple(sorted(file.relative_to(self._folder).as_posix() for file in files))

    def delete(self, key: str) -> None:
        """Delete an object; absent is success."""
        file = self._file(key)
        with _translated(key):
            with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
                file.unlink()
            sweep(file.parent)
            for parent in file.parents[: key.count("/")]:
                with suppress(OSError):  # not empty, or another process is just writing there
                    parent.rmdir()

    def _file(self, key: str) -> Path:
        return self._folder / checked_key(key)

    def _place(self, file: Path, data: bytes) -> Path:
        for _ in range(_PATIENCE):
            try:
                file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                return write_half(file, data)
            except FileNotFoundError:  # another process deleted the last file here, and with it the empty folder
                continue
        raise Unavailable(f"{file.parent} does not stay")


@contextmanager
def _translated(key: str) -> Iterator[None]:
    try:
        yield
    except PermissionError as wrong:
        raise NotPermitted(f"the file {key!r}: {wrong.strerror}") from None
    except (NotADirectoryError, FileExistsError, IsADirectoryError):
        raise InvalidInput(f"{key!r} would be below a file, or is a folder: choose another name") from None
    except OSError as wrong:
        raise Unavailable(f"the file {key!r}: {wrong.strerror}") from None
