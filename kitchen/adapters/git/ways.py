"""How git gets to other machines: the person's own helpers and ssh, nothing that came with the repository."""

from __future__ import annotations

import re
from collections.abc import Sequence

PROTOCOLS = "file:https:ssh"  # those that start nothing but git itself, and ssh
USERS = frozenset({"system", "global"})  # whose settings a person of this machine chose
_SSH = "ssh -oConnectTimeout=10 -oServerAliveInterval=15 -oServerAliveCountMax=3"
_HELPER = re.compile(r"credential\.(?:.+\.)?helper", re.DOTALL)
_PROGRAM_THERE = re.compile(r"remote\..+\.(?:uploadpack|receivepack)", re.DOTALL)
_PLAIN_THERE = {"uploadpack": "git-upload-pack", "receivepack": "git-receive-pack"}


def way(scoped: Sequence[tuple[str, str, str]], *, asks: bool) -> list[tuple[str, str]]:
    """Return the settings that hold on the way, from scope, key and value of what git is configured with."""
    theirs = [(key, value) for scope, key, value in scoped if scope in USERS]
    others = [key for scope, key, _ in scoped if scope not in USERS]
    ssh = [value for key, value in theirs if key == "core.sshcommand"]
    ask = [value for key, value in theirs if key == "core.askpass"]
    return [
        *((key, "") for key in others if _HELPER.fullmatch(key)),
        ("credential.helper", ""),  # an empty one empties the list
        *((key, value) for key, value in theirs if _HELPER.fullmatch(key)),
        *((key, _PLAIN_THERE[key.rpartition(".")[2]]) for key in others if _PROGRAM_THERE.fullmatch(key)),
        ("core.sshCommand", ssh[-1] if ssh else _SSH if asks else f"{_SSH} -oBatchMode=yes"),
        ("core.askPass", ask[-1] if ask else ""),
        ("core.alternateRefsCommand", "true"),
        ("http.lowSpeedLimit", "100"),
        ("http.lowSpeedTime", "30"),
    ]
