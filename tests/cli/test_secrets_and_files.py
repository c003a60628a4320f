"""``kitchen secret`` and ``kitchen files`` on a running environment, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support import Project

CANARY = "c4n4ry-in-the-secret-store"


class Talk:
    """Types commands, and keeps all that was shown."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.shown: list[str] = []

    def __call__(self, *arguments: str, expect: int = 0, typed: str | None = None) -> str:
        answer = self.project.kitchen(*arguments, expect=expect, typed=typed)
        self.shown.append(answer.stdout + answer.stderr)
        return answer.stdout + answer.stderr if expect else answer.stdout


def test_secrets_and_files(project: Project, tmp_path: Path) -> None:
    kitchen = Talk(project)
    kitchen("up")
    values_come_from_anywhere_but_the_command(kitchen, tmp_path)
    values_are_shown_where_that_is_asked_for(kitchen)
    secrets_belong_to_one_place(kitchen)
    deleting_asks(kitchen)
    files_come_back(kitchen, tmp_path)
    no_file_key_leaves_the_kitchen(kitchen, tmp_path)
    what_a_kitchen_has_goes_with_it(kitchen)
    every_change_left_a_trace_and_no_value_is_anywhere(kitchen)


def values_come_from_anywhere_but_the_command(kitchen: Talk, tmp_path: Path) -> None:
    refused = kitchen("secret", "set", "sftp", f"password={CANARY}", expect=2)
    assert "password=-" in refused
    assert CANARY not in refused
    kitchen("secret", "set", "sftp", "password", "--dry-run", typed=f"{CANARY}\n")
    assert "sftp" not in kitchen("secret", "list")
    kitchen("secret", "set", "sftp", "password", typed=f"{CANARY}\n")
    key = tmp_path / "key.pem"
    key.write_text(f"-----BEGIN-----\n{CANARY}\n")
    kitchen("secret", "set", "sftp", f"key=@{key}")
    kitchen("secret", "set", "sftp", "a", "b", typed="x", expect=2)
    kitchen("secret", "set", "../sftp", "password", typed="x", expect=2)
    kitchen("secret", "set", "sftp", "pass word", typed="x", expect=2)
    kitchen("secret", "set", "sftp", "password", typed="", expect=2)


def values_are_shown_where_that_is_asked_for(kitchen: Talk) -> None:
    assert json.loads(kitchen("secret", "get", "sftp", "--json"))["values"] == {"key": "***", "password": "***"}
    assert "sftp" in json.loads(kitchen("secret", "list", "--json"))["secrets"]
    kitchen("secret", "get", "sftp", "nothing", expect=3)
    kitchen("secret", "get", "nothing", expect=3)
    assert not any(CANARY in text for text in kitchen.shown)
    assert kitchen.project.kitchen("secret", "get", "sftp", "password", "--reveal").stdout == f"{CANARY}\n"
    values = json.loads(kitchen.project.kitchen("secret", "get", "sftp", "--reveal", "--json").stdout)["values"]
    assert values == {"password": CANARY, "key": f"-----BEGIN-----\n{CANARY}\n"}


def secrets_belong_to_one_place(kitchen: Talk) -> None:
    kitchen("secret", "get", "sftp", "-e", "production", expect=3)
    kitchen("secret", "set", "api", "token", "-k", "dev", typed="t0ken-of-dev")
    assert json.loads(kitchen("secret", "list", "-k", "dev", "--json"))["secrets"] == ["api"]
    assert "kitchens/dev/api" in kitchen("secret", "list")
    for path in ("superuser", "provisioner", "kitchens/dev", "kitchens/other"):
        kitchen("secret", "set", path, "password", typed="x", expect=5)
    for path in ("superuser", "provisioner", "kitchens/dev"):
        kitchen("secret", "delete", path, "--yes", expect=5)


def deleting_asks(kitchen: Talk) -> None:
    assert "--yes" in kitchen("secret", "delete", "sftp", expect=2)
    kitchen("secret", "delete", "sftp", "--dry-run")
    kitchen("secret", "get", "sftp")
    kitchen("secret", "delete", "sftp", "--yes")
    kitchen("secret", "delete", "sftp", "--yes", expect=3)


def files_come_back(kitchen: Talk, tmp_path: Path) -> None:
    data = bytes(range(256))
    (tmp_path / "profit.bin").write_bytes(data)
    kitchen("files", "put", str(tmp_path / "profit.bin"), "-k", "dev")
    kitchen("files", "put", "-", "out/x.csv", "-k", "dev", typed="a,b\n")
    kitchen("files", "put", "-", "out/x.csv", "--new", "-k", "dev", typed="c\n", expect=4)
    kitchen("files", "put", "-", "-k", "dev", typed="c\n", expect=2)
    assert json.loads(kitchen("files", "ls", "-k", "dev", "--json"))["files"] == ["out/x.csv", "profit.bin"]
    assert json.loads(kitchen("files", "ls", "out", "-k", "dev", "--json"))["files"] == ["out/x.csv"]
    assert json.loads(kitchen("files", "ls", "-k", "production", "--json"))["files"] == []
    assert kitchen("files", "get", "out/x.csv", "-k", "dev") == "a,b\n"
    kitchen("files", "get", "profit.bin", str(tmp_path / "back.bin"), "-k", "dev")
    assert (tmp_path / "back.bin").read_bytes() == data
    kitchen("files", "rm", "out/x.csv", "nothing", "--yes", "-k", "dev", expect=3)
    kitchen("files", "rm", "out/x.csv", "--yes", "-k", "dev")
    kitchen("files", "get", "out/x.csv", "-k", "dev", expect=3)


def no_file_key_leaves_the_kitchen(kitchen: Talk, tmp_path: Path) -> None:
    for hostile in ("../production/x", "/etc/passwd", "a/../../x", "", ".git/config", "a//b"):
        kitchen("files", "get", hostile, "-k", "dev", expect=2)
        kitchen("files", "put", str(tmp_path / "key.pem"), hostile or " ", "-k", "dev", expect=2)
        kitchen("files", "rm", hostile, "--yes", "-k", "dev", expect=2)


def what_a_kitchen_has_goes_with_it(kitchen: Talk) -> None:
    kitchen("create", "profit")
    kitchen("secret", "set", "api", "token", "-k", "profit", typed=f"{CANARY}\n")
    kitchen("files", "put", "-", "out/x.csv", "-k", "profit", typed="a,b\n")
    assert "kitchens/profit/api" in kitchen("secret", "list")
    kitchen("delete", "profit", "--yes")
    assert "profit" not in kitchen("secret", "list")
    assert [path for path in kitchen.project.home.rglob("*/storage/*") if "profit" in str(path)] == []


def every_change_left_a_trace_and_no_value_is_anywhere(kitchen: Talk) -> None:
    trace = json.loads(kitchen("audit", "list", "-e", "dev", "--json"))
    entries = trace if isinstance(trace, list) else trace["entries"]
    done = [(entry["action"], entry["subject"]) for entry in entries if entry.get("result") == "done"]
    for action, subject in (
        ("secret set", "sftp"), ("secret delete", "sftp"), ("secret set", "kitchens/dev/api"), ("files put", "dev"),
        ("files rm", "dev"),
    ):  # fmt: skip
        assert (action, subject) in done
    assert not any(CANARY in text for text in kitchen.shown)
    kept = [
        path for folder in (kitchen.project.home, kitchen.project.root) for path in folder.rglob("*") if path.is_file()
    ]
    assert len(kept) > 100
    assert [str(path) for path in kept if CANARY.encode() in path.read_bytes()] == []
