"""YAML files into models, strictly: what does not fit is refused with file, line, path and a did-you-mean."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from kitchen.errors import InvalidInput, NotFound
from kitchen.files import yaml_text
from kitchen.files.yaml_text import Fault

KeyPath = yaml_text.Path  # ("nodes", "segments", "after", 0)

_Kept = TypeVar("_Kept")


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file may say: subclass this; unknown keys are refused."""


ModelType = TypeVar("ModelType", bound=msgspec.Struct)


_NEWER = "take it out; or, where a newer kitchen wrote it: pip install --upgrade dataops-kitchen"


class Document:
    """One file's data with the line of everything in it, so that any check can point at what it does not like."""

    def __init__(self, text: str, *, shown: str) -> None:
        """Parse text; raises InvalidInput that names the file as ``shown``."""
        self.shown = shown
        try:
            parsed = yaml_text.parse(text)
        except Fault as fault:
            raise yaml_text.refuse(shown, fault) from None
        self.data: Any = {} if parsed.data is None else parsed.data
        self._lines = parsed.lines

    def line(self, *path: str | int) -> int:
        """Return the line of a key or item; of the nearest thing around it where it is not in the file."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def error(self, message: str, *path: str | int, hint: str | None = None) -> InvalidInput:
        """Return (to be raised) an error ``file:line: path: message``."""
        return yaml_text.refuse(self.shown, Fault(self.line(*path), message, path), hint=hint)

    def check(self, read: Callable[[], _Kept], *path: str | int) -> _Kept:
        """Return what ``read`` gives; its InvalidInput is raised anew with file, line and path."""
        try:
            return read()
        except InvalidInput as wrong:
            raise self.error(wrong.message, *path, hint=wrong.hint) from None

    def to(self, model: type[ModelType]) -> ModelType:
        """Return the data as a model; raises InvalidInput at the first fault."""
        try:
            return msgspec.convert(self.data, model, strict=True)
        except msgspec.ValidationError as wrong:
            from kitchen.files.explain import plainly, why_not  # noqa: PLC0415 - needed only where something is wrong

            found = why_not(self.data, model)
            path, reason = found if found is not None else ((), plainly(str(wrong)))
            raise self.error(reason, *path, hint=_NEWER if reason.startswith("unknown key (") else None) from None


def open_document(path: Path, *, shown: str | None = None) -> Document:
    """Read and parse a file; raises NotFound or InvalidInput that name it as ``shown``."""
    name = shown or f"{path.parent.name}/{path.name}"
    try:
        with path.open("rb") as file:
            content = file.read(yaml_text.MAX_BYTES + 1)
    except FileNotFoundError:
        raise NotFound(f"there is no file {name}") from None
    except OSError as wrong:
        raise InvalidInput(f"{name}: cannot be read: {wrong.strerror}") from None
    try:
        return Document(content.decode("utf-8-sig"), shown=name)
    except UnicodeDecodeError as wrong:
        if len(content) > yaml_text.MAX_BYTES:
            raise InvalidInput(f"{name}:1: the file is larger than {yaml_text.MAX_BYTES >> 20} MiB") from None
        line = content.count(b"\n", 0, wrong.start) + 1
        raise InvalidInput(f"{name}:{line}: the file is not UTF-8 text") from None


def load(path: Path, model: type[ModelType], *, shown: str | None = None) -> ModelType:
    """Return a file as a model; raises NotFound or InvalidInput."""
    return open_document(path, shown=shown).to(model)


def load_text(text: str, model: type[ModelType], *, shown: str) -> ModelType:
    """Return the text of a file as a model; raises InvalidInput that names the file as ``shown``."""
    return Document(text, shown=shown).to(model)
