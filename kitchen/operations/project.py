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

EXAMPLE = Path(__file__).resolve().parents[1] / "example"  # the repository's own environments/ and recipes/
_UNDECIDED = b"""# yaml-language-server: $schema=schema/masking.json
# One decision for every column that leaves production: kitchen pantry scan --write proposes them.
tables: {}
"""


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


def plan_scaffold(folder: Path, example: Path, *, with_example: bool) -> Scaffold:
    """Return which files a project lacks: environments, and with the example its recipe and masking decisions.

    Raises Conflict where a link or a file is in the way of a folder.
    """
    new: dict[str, bytes] = {}
    kept: list[str] = []
    for part in ("environments", "recipes") if with_example else ("environments",):
        for source in sorted((example / part).rglob("*")):
            if not source.is_file() or "__pycache__" in source.parts:
                continue
            inner = source.relative_to(example)
            _check_way(folder, inner)
            if (folder / inner).exists():
                kept.append(str(inner))
            elif inner.name == "masking.yaml" and not with_example:
                new[str(inner)] = _UNDECIDED
            else:
                new[str(inner)] = source.read_bytes()
    return Scaffold(new, tuple(kept))


def _check_way(folder: Path, inner: Path) -> None:
    for above in (folder / inner, *(folder / parent for parent in inner.parents if parent != Path())):
        is_target = above == folder / inner
        if above.is_symlink() or (not is_target and above.exists() and not above.is_dir()):
            raise Conflict(f"{above} is in the way of {inner}", hint=f"move {above} elsewhere")


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
