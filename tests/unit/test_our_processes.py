"""What a merge brings into the folder of a runner is never taken for our own program."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from kitchen.operations import attend
from kitchen.operations.schedule import carried_out, ours


@pytest.mark.parametrize("module", ["kitchen", "click", "json"])
def test_a_module_of_the_projects_folder_is_not_started(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITCHEN_HOME", str(tmp_path / "home"))
    stolen = tmp_path / "stolen"
    package = tmp_path / module
    package.mkdir()
    for name in ("__init__.py", "__main__.py"):
        (package / name).write_text(f"open({str(stolen)!r}, 'w').close()\n")
    for command in (ours("--version"), attend.command("dev", programs=False)):
        carried_out(command, tmp_path, stop=threading.Event(), say=lambda _: None)
    assert not stolen.exists()
