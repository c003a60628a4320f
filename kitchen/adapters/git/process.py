"""Git's processes: how they begin, what they see of our own environment, and that they end in time."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any

from kitchen.errors import Unavailable

_PLAIN: Mapping[str, str] = {"LANGUAGE": "C", "LC_ALL": "C"}  # what git says is read, so it is to be English
# What of the caller's environment git may see. GIT_DIR, GIT_INDEX_FILE and the like (set inside hooks) would turn us
# to another repository.
_KEPT = frozenset({
    "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL",
    "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM",
})  # fmt: skip
# How a person of this machine (an editor's terminal, a pipeline) gets through to others: for calls over the network.
_WAY_OUT = frozenset({
    "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_ASKPASS", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSL_CERT",
    "GIT_SSL_KEY", "GIT_SSL_NO_VERIFY", "GIT_SSL_VERSION", "GIT_PROXY_SSL_CAINFO", "GIT_PROXY_SSL_CERT",
    "GIT_PROXY_SSL_KEY",
})  # fmt: skip
_PASSWORD = re.compile(r"(?<=://)\S*@")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a git process gave."""

    status: int
    out: str
    err: str


def read(name: str, command: list[str], environment: Mapping[str, str], timeout: float) -> Answer:
    """Ask git something, without GitPython: loading that costs a fifth of what `kitchen list` may take."""
    known = {**os.environ, **environment, **_PLAIN}
    for foreign in _foreign(environment):
        del known[foreign]
    try:
        ended = subprocess.run(
            command, env=known, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False
        )
    except FileNotFoundError:
        raise _missing() from None
    except subprocess.TimeoutExpired:
        raise Late(name) from None
    out, err = (text.decode(errors="surrogateescape") for text in (ended.stdout, ended.stderr))
    return Answer(ended.returncode, out, err)


def start(name: str, command: list[str], typed: str | None, environment: Mapping[str, str], timeout: float) -> Answer:
    """Have GitPython run what changes something, or is told on its standard input what to do."""
    with TemporaryFile() as stdin:
        stdin.write((typed or "").encode(errors="surrogateescape"))
        stdin.seek(0)
        begun = _begun(_without(_foreign(environment), command), environment, istream=stdin)
        return _waited_for(begun, name, timeout, group=False)


def talk(name: str, command: list[str], environment: Mapping[str, str], timeout: float, *, asks: bool) -> Answer:
    """Have GitPython run what talks to another machine, and end all of it where that does not answer in time.

    Where it does not ask, it has a session of its own: nothing that it starts finds a terminal to ask at, and all of
    it can be ended, helpers and ssh too.
    """
    hidden = _foreign({**environment, **dict.fromkeys(_WAY_OUT, "")})
    begun = _begun(_without(hidden, command), environment, start_new_session=not asks)
    return _waited_for(begun, name, timeout, group=not asks)


def _begun(command: list[str], environment: Mapping[str, str], **how: Any) -> subprocess.Popen[bytes]:
    """Start git by GitPython, whose own waiting leaves git and a timer behind where it is interrupted."""
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # a missing git is told below, as an error of ours
    from git.cmd import Git  # noqa: PLC0415 - 60 ms that reading does not need
    from git.exc import GitCommandNotFound  # noqa: PLC0415

    try:
        begun = Git().execute(command, as_process=True, env=environment, **how)
    except GitCommandNotFound:
        raise _missing() from None
    running: subprocess.Popen[bytes] | None = begun.proc
    assert running is not None  # noqa: S101 - it was just started
    begun.proc = None  # or it is ended as soon as its wrapper is forgotten
    return running


def _waited_for(running: subprocess.Popen[bytes], name: str, timeout: float, *, group: bool) -> Answer:
    try:
        out, err = running.communicate(timeout=timeout)
    except BaseException as cause:
        _end(running, group=group)
        if isinstance(cause, subprocess.TimeoutExpired):
            raise Late(name) from None
        raise
    return Answer(running.returncode, *(text.decode(errors="surrogateescape") for text in (out, err)))


def shown(text: str) -> str:
    """Return what git said as it may be shown: without passwords of addresses and without control characters."""
    return _PASSWORD.sub("", "".join(c if c.isprintable() else "?" for c in text))


def _end(running: subprocess.Popen[bytes], *, group: bool) -> None:
    """End a process, with all of its session where it has one: asked first, for git then takes its locks away."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            if group:
                os.killpg(running.pid, number)
            else:
                running.send_signal(number)
            running.communicate(timeout=2)
            return


def _foreign(environment: Mapping[str, str]) -> list[str]:
    """Return the variables by which our own caller's git would turn ours elsewhere."""
    ours = (*environment, *_KEPT)
    return [name for name in os.environ if name.startswith("GIT_") and name not in ours]


def _without(foreign: Sequence[str], command: list[str]) -> list[str]:
    hidden = [part for name in foreign if name != "GIT_PYTHON_REFRESH" for part in ("-u", name)]
    return ["env", *hidden, *command] if hidden else command


def _missing() -> Unavailable:
    return Unavailable("git is not installed", hint="apt install git")


class Late(Unavailable):
    """A git process did not end in time, and was ended."""

    def __init__(self, name: str) -> None:
        super().__init__(f"git {name} did not end in time")
