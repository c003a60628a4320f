"""Where embedded services keep what they keep, on this machine."""

from __future__ import annotations

import os
from pathlib import Path


def state_home() -> Path:
    """Return the folder of everything that embedded services keep; root's is one that a service user may traverse."""
    if told := os.environ.get("KITCHEN_HOME"):
        return Path(told)
    if os.geteuid() == 0:
        return Path("/var/lib/kitchen")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "kitchen"


def key_home() -> Path:
    """Return the folder of the keys of embedded secret stores: never inside a project."""
    if told := os.environ.get("KITCHEN_KEY_HOME"):
        return Path(told)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "kitchen" / "keys"


def worktrees_of(root: Path) -> Path:
    """Return the folder of the kitchens' worktrees of a project."""
    told = os.environ.get("KITCHEN_WORKTREES")
    return Path(told) if told else root / ".kitchen" / "worktrees"
