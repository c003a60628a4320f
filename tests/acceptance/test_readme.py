"""Every command that the README shows in a shell block is run, in the order in which it stands there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.acceptance.conftest import Demo
from tests.support import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_the_readme_has_shell_blocks() -> None:
    assert len(BLOCKS) >= 6
    assert BLOCKS[0].count("make ") == 2


def test_paragraphs_are_as_wide_as_their_neighbours() -> None:
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.DOTALL | re.MULTILINE).splitlines()
    assert [line for line in prose if len(line) > 150 and not line.startswith("|")] == []


def test_the_two_commands_exist() -> None:
    """They are what runs this very test and the tour; here only that make knows how."""
    for line in BLOCKS[0].splitlines():
        planned = subprocess.run(
            ["make", "-n", *shlex.split(line, comments=True)[1:]],
            cwd=REPOSITORY,
            check=False,
            capture_output=True,
            text=True,
        )
        assert planned.returncode == 0, planned.stderr
        assert "kitchen demo" in planned.stdout or "pytest" in planned.stdout


def test_a_newcomer_can_type_the_rest(demo: Demo) -> None:
    clone = demo.root.parent
    subprocess.run(["git", "init", "-q", clone], check=True)  # it is one: no project may be made inside it
    shim = clone / ".venv" / "bin" / "kitchen"
    shim.parent.mkdir(parents=True)
    shim.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m kitchen "$@"\n')
    shim.chmod(0o755)
    (shim.parent / "activate").write_text(f"PATH={shlex.quote(str(shim.parent))}:$PATH\n")
    script = "set -euxo pipefail\n" + "\n".join(BLOCKS[1:])
    person = {  # a newcomer has told git who they are
        "GIT_AUTHOR_NAME": "New Comer", "GIT_AUTHOR_EMAIL": "new@comer.example",
        "GIT_COMMITTER_NAME": "New Comer", "GIT_COMMITTER_EMAIL": "new@comer.example",
    }  # fmt: skip
    answer = subprocess.run(
        ["bash", "-c", script], cwd=clone, env={**demo.environ, **person}, check=False, capture_output=True,
        text=True, timeout=600, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-5000:]
    assert "Which weekdays bring the most" in demo.git("log", "--format=%s", "main")


def test_words_that_look_like_commands_are_commands() -> None:
    """`kitchen x` anywhere in the README: x is a command."""
    from kitchen.cli import COMMANDS

    named = set(re.findall(r"`kitchen ([a-z]+)", README))
    assert named
    assert named <= set(COMMANDS)


def test_paths_that_the_readme_names_exist() -> None:
    for named in ("environments", "recipes", "environments/masking.yaml", "Makefile", ".ci/run", "requirements.lock"):
        assert (Path(REPOSITORY) / named).exists(), named
