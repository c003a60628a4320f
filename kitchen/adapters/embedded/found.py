"""Embedded servers as they lie on this machine, also those of projects that are gone."""

from __future__ import annotations

from pathlib import Path

from kitchen.adapters.embedded.postgres import EmbeddedPostgres
from kitchen.adapters.secret_file import FileSecretStore


def servers_below(state: Path, keys: Path) -> list[EmbeddedPostgres]:
    """Return the servers of all projects that keep theirs in a state home."""
    found = []
    for folder in sorted(state.glob("*/*/postgres")):
        secrets = FileSecretStore(folder.parent / "secrets", keys / f"{folder.parents[1].name}.key")
        found.append(EmbeddedPostgres(folder, folder.parent.name, secrets))
    return found
