"""The Remote port over ssh and https: a person's own settings open the door, and nobody waits at a closed one."""

from __future__ import annotations

import os
import pty
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kitchen.adapters.git import network, open_repository
from kitchen.adapters.git.network import GitRemote
from kitchen.errors import Conflict, NotPermitted, Refused, Unavailable
from kitchen.ports import RefUpdate
from tests.contracts.git_hosts import PASSWORD, USER, Host, HttpsHost, SshHost, https_host, ssh_host
from tests.contracts.test_git_remote import commit, git
from tests.support import REPOSITORY


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Host]]:
    """Return both hosts, started once; where there is no sshd, only the other."""
    base = tmp_path_factory.mktemp("hosts")
    with https_host(base / "https") as https, ssh_host(base / "ssh") as ssh:
        yield {"ssh": ssh, "https": https}


@pytest.fixture
def ssh(hosts: dict[str, Host]) -> SshHost:
    found = hosts["ssh"]
    assert isinstance(found, SshHost)
    return found


@pytest.fixture
def https(hosts: dict[str, Host]) -> HttpsHost:
    found = hosts["https"]
    assert isinstance(found, HttpsHost)
    return found


@pytest.fixture(params=["ssh", "https"])
def host(request: pytest.FixtureRequest, hosts: dict[str, Host]) -> Host:
    return hosts[request.param]


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a bare repository with a branch, which anybody whom a host lets in may push to."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    made = tmp_path / "shared.git"
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(made))
    git(made, "config", "http.receivepack", "true")
    git(tmp_path, "init", "-q", "-b", "main", "ann")
    commit(tmp_path / "ann", "one\n")
    git(tmp_path / "ann", "push", "-q", str(made), "main", "main:dev")
    return made


@pytest.fixture
def ann(shared: Path, tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a clone whose owner the host lets in."""
    return _let_in(host, shared, tmp_path, monkeypatch)


def _let_in(host: Host, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **person: object) -> Path:
    git(tmp_path / "ann", "remote", "add", "origin", host.address(shared))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(host.person(tmp_path, **person)))  # type: ignore[arg-type]
    return tmp_path / "ann"


def remote(folder: Path) -> GitRemote:
    found = open_repository(folder).remote
    assert found is not None
    return found


def test_branches_and_tags_go_out_and_come_in(ann: Path, shared: Path) -> None:
    base, new = git(ann, "rev-parse", "main"), commit(ann, "two\n")
    assert remote(ann).fetch(["main", "dev", "never"]) == {"main": base, "dev": base}
    remote(ann).push(RefUpdate("refs/heads/dev", new, base))
    assert git(shared, "rev-parse", "dev") == new
    with pytest.raises(Conflict, match="has moved"):
        remote(ann).push(RefUpdate("refs/heads/dev", commit(ann, "three\n"), base))
    remote(ann).push(RefUpdate("refs/heads/feature/x", new, None))
    open_repository(ann).tag("release-1", new, "the first")
    for _ in range(2):
        remote(ann).push_tag("release-1")
    assert git(shared, "rev-parse", "release-1^{commit}") == new
    remote(ann).push(RefUpdate("refs/heads/feature/x", None, new))
    assert remote(ann).heads(["feature/x", "dev"]) == {"dev": new}


def test_more_than_fits_into_one_request_goes_through(ann: Path, shared: Path) -> None:
    (ann / "large.bin").write_bytes(os.urandom(3_000_000))
    new = commit(ann, "two\n")
    remote(ann).push(RefUpdate("refs/heads/large", new, None))
    assert git(shared, "rev-parse", "large") == new


def test_what_the_host_refuses_is_said_in_its_words(ann: Path, shared: Path) -> None:
    hook = shared / "hooks" / "pre-receive"
    hook.write_text('#!/bin/sh\necho "dev is protected" >&2\nexit 1\n')
    hook.chmod(0o755)
    base, new = git(ann, "rev-parse", "main"), commit(ann, "two\n")
    with pytest.raises(Refused, match="dev is protected"):
        remote(ann).push(RefUpdate("refs/heads/dev", new, base))
    assert git(shared, "rev-parse", "dev") == base


def test_a_persons_insteadof_leads_there(ann: Path, host: Host, shared: Path) -> None:
    config = Path(os.environ["GIT_CONFIG_GLOBAL"])
    base, new = git(ann, "rev-parse", "main"), commit(ann, "two\n")
    address = host.address(shared).removesuffix("shared.git")
    git(ann, "remote", "set-url", "origin", "team:shared.git")
    git(ann, "config", "--file", str(config), f"url.{address}.insteadOf", "team:")
    assert remote(ann).heads(["dev"]) == {"dev": base}
    git(ann, "config", "--file", str(config), "--unset", f"url.{address}.insteadOf")
    git(ann, "remote", "set-url", "origin", str(shared.parent / "shared.git"))
    git(ann, "config", "--file", str(config), f"url.{address}.pushInsteadOf", f"{shared.parent}/")
    remote(ann).push(RefUpdate("refs/heads/dev", new, base))
    assert git(shared, "rev-parse", "dev") == new
    if isinstance(host, HttpsHost):
        assert any(path.endswith("git-receive-pack") for path in host.asked)


def test_a_helper_or_ssh_of_the_repository_is_not_asked(
    host: Host, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = _let_in(host, shared, tmp_path, monkeypatch)
    canary, trap = tmp_path / "canary", tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {canary}\nexit 1\n")
    trap.chmod(0o755)
    url = host.address(shared)
    for key in ("core.sshCommand", "credential.helper", f"credential.{url}.helper", "core.askPass",
                "remote.origin.uploadpack", "remote.origin.receivepack"):  # fmt: skip
        git(ann, "config", key, str(trap))
    assert "dev" in remote(ann).heads(["dev"])
    remote(ann).push(RefUpdate("refs/heads/new", git(ann, "rev-parse", "main"), None))
    assert not canary.exists()


def test_a_stranger_is_told_so_at_once(
    host: Host, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {"key": "stranger"} if isinstance(host, SshHost) else {"password": "hunter2-guessed"}
    ann = _let_in(host, shared, tmp_path, monkeypatch, **wrong)
    for ask in (
        lambda: remote(ann).heads(["dev"]),
        lambda: remote(ann).push(RefUpdate("refs/heads/new", git(ann, "rev-parse", "main"), None)),
    ):
        with pytest.raises(NotPermitted, match="'origin' does not let you in") as caught:
            ask()
        assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


def test_a_host_that_is_not_known_is_not_trusted(
    host: Host, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = {"knows": False} if isinstance(host, SshHost) else {"trusts": False}
    ann = _let_in(host, shared, tmp_path, monkeypatch, **new)
    with pytest.raises(Unavailable, match=r"that ssh does not know|does not prove who it is") as caught:
        remote(ann).heads(["dev"])
    assert str(caught.value.hint).startswith("git ")


@pytest.mark.parametrize("login", [f"{USER}:{PASSWORD}", f"{USER}:hunter2@and/more", "hunter2"])
def test_a_password_in_an_address_is_used_and_never_said(
    https: HttpsHost, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str
) -> None:
    ann = _let_in(https, shared, tmp_path, monkeypatch)
    git(ann, "remote", "set-url", "origin", https.address(shared, login=f"{login}@"))
    git(ann, "config", "--file", str(tmp_path / "gitconfig"), "--remove-section", "credential")
    if login == f"{USER}:{PASSWORD}":
        assert remote(ann).heads(["dev"])
        return
    with pytest.raises((NotPermitted, Unavailable)) as caught:
        remote(ann).heads(["dev"])
    said = f"{caught.value.message} {caught.value.hint}"
    assert "hunter2" not in said
    assert "and/more@" not in said


# --- what never answers -----------------------------------------------------------------------------------------------


@contextmanager
def deaf() -> Iterator[int]:
    """Listen on a port, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        yield port


@pytest.mark.parametrize("scheme", ["ssh", "https"])
def test_what_never_answers_is_given_up_with_all_that_was_started(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setattr(network, "_ASK", 2.0)
    with deaf() as port:
        git(tmp_path / "ann", "remote", "add", "origin", f"{scheme}://127.0.0.1:{port}/x.git")
        begun = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            remote(tmp_path / "ann").heads(["dev"])
    assert time.monotonic() - begun < 20
    assert "origin" in caught.value.message
    assert caught.value.hint == "git ls-remote origin"
    assert _processes(f"127.0.0.1:{port}") == _processes(f"-p {port}") == []


def _processes(mark: str) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in listed if mark in line and "git" in line]


# --- at a terminal ----------------------------------------------------------------------------------------------------

_ASK_REMOTE = (
    "import sys; from pathlib import Path; from kitchen.adapters.git import open_repository\n"
    "print('ANSWER', sorted(open_repository(Path(sys.argv[1])).remote.heads(['dev'])))"
)


def _at_a_terminal(folder: Path, answers: dict[str, str]) -> str:
    """Ask for a branch at a terminal of its own, where somebody answers questions; returns all that was shown."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["PYTHONPATH"] = str(REPOSITORY)
        os.execv(sys.executable, [sys.executable, "-c", _ASK_REMOTE, str(folder)])  # noqa: S606 - our own program
    shown, waiting = "", dict(answers)
    while True:
        try:
            told = os.read(terminal, 4096).decode(errors="replace")
        except OSError:
            break
        shown += told
        for question in [each for each in waiting if re.search(each, shown)]:
            os.write(terminal, f"{waiting.pop(question)}\n".encode())
    os.waitpid(pid, 0)
    os.close(terminal)
    return shown


def test_somebody_at_a_terminal_may_type_a_passphrase(
    ssh: SshHost, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = ssh.folder / f"locked-{tmp_path.name}"
    locked.write_text((ssh.folder / "person").read_text())
    locked.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "a long phrase", "-f", str(locked)], check=True)
    ann = _let_in(ssh, shared, tmp_path, monkeypatch, key=locked.name)
    with pytest.raises(NotPermitted):
        remote(ann).heads(["dev"])
    assert "ANSWER ['dev']" in _at_a_terminal(ann, {"Enter passphrase": "a long phrase"})


def test_somebody_at_a_terminal_may_type_a_password(
    https: HttpsHost, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = _let_in(https, shared, tmp_path, monkeypatch)
    git(ann, "config", "--file", str(tmp_path / "gitconfig"), "--remove-section", "credential")
    with pytest.raises(NotPermitted, match="Username"):
        remote(ann).heads(["dev"])
    shown = _at_a_terminal(ann, {"Username for": USER, "Password for": PASSWORD})
    assert "ANSWER ['dev']" in shown
    assert PASSWORD not in shown


def test_what_a_person_set_for_this_shell_counts(
    ssh: SshHost, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = _let_in(ssh, shared, tmp_path, monkeypatch)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_SSH_COMMAND", f"ssh -F {tmp_path / 'ssh_config'}")
    assert "dev" in remote(ann).heads(["dev"])
