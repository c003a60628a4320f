"""A project: the id of this clone, and the files that a new project begins with."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from kitchen.errors import Conflict, KitchenError
from kitchen.ports import Repository

_ID = re.compile(r"[0-9a-f]{32}")


def project_id(repository: Repository) -> str:
    """Return the id of this clone, made on first use; two commands at once agree on one."""
    kept = repository.common_dir / "kitchen" / "id"
    if not kept.exists():
        kept.parent.mkdir(mode=0o700, exist_ok=True)
        draft = kept.with_name(f"id.{os.getpid()}")
        draft.write_text(f"{uuid4().hex}\n")
        try:
            kept.hardlink_to(draft)  # whole or not at all, and never over another's
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    identity = kept.read_text().strip()
    if not _ID.fullmatch(identity):
        raise KitchenError(f"{kept} does not hold the id of a project", hint="restore it; services are found by it")
    return identity


@dataclass(frozen=True, slots=True)
class Scaffold:
    """What `kitchen init` writes: new files by their path, and those that are there already and stay."""

    new: Mapping[str, bytes]
    kept: Sequence[str]


def plan_scaffold(folder: Path, example: Path) -> Scaffold:
    """Return which of the example's files a project lacks; raises Conflict where a link is in the way."""
    new: dict[str, bytes] = {}
    kept: list[str] = []
    for source in sorted(path for part in ("environments", "recipes") for path in (example / part).rglob("*")):
        if not source.is_file() or "__pycache__" in source.parts:
            continue
        inner = source.relative_to(example)
        target = folder / inner
        for above in (target, *target.parents):
            if above == folder:
                break
            if above.is_symlink() or (above != target and above.exists() and not above.is_dir()):
                raise Conflict(f"{above} is in the way of {inner}", hint=f"move {above} elsewhere")
        if target.exists():
            kept.append(str(inner))
        else:
            new[str(inner)] = source.read_bytes()
    return Scaffold(new, tuple(kept))


def write_scaffold(folder: Path, scaffold: Scaffold) -> None:
    """Write the new files; one that appeared meanwhile is Conflict, nothing is ever replaced."""
    for inner, data in scaffold.new.items():
        target = folder / inner
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with target.open("xb") as file:
                file.write(data)
        except FileExistsError:
            raise Conflict(f"{target} appeared while it was being written", hint="kitchen init again") from None
