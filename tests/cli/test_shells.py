"""bash, zsh and fish on a terminal: the prompt of a kitchen over a person's own, and real names at the press of tab."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import Bench, opened
from tests.cli.kitchens import leaving_nothing
from tests.cli.terminals import Terminal, terminal
from tests.support import Project, missing

# where a person's own settings stand, which lead elsewhere, set a prompt, and end in another folder
_OWN = {
    "bash": (".bashrc", """
        export PGHOST=elsewhere PGSERVICE=other
        alias greet='echo aliased'
        HISTFILE=~/history
        PROMPT_COMMAND=('PS1="first> "' 'PS1="mine[$?]> "')
        cd /
        """),
    "zsh": (".zshrc", """
        export PGHOST=elsewhere PGSERVICE=other
        alias greet='echo aliased'
        HISTFILE=~/history SAVEHIST=9 HISTSIZE=9
        setopt nounset nopromptsp nopromptcr
        theme() { PROMPT='mine[%?]> ' }
        precmd_functions+=(theme)
        cd /
        """),
    "fish": (".config/fish/config.fish", """
        set -gx PGHOST elsewhere
        set -gx PGSERVICE other
        set -g fish_greeting
        alias greet 'echo aliased'
        function fish_prompt; echo -n "mine[$status]> "; end
        cd /
        """),
}  # fmt: skip
_COMPLETES = {
    "bash": 'eval "$(_KITCHEN_COMPLETE=bash_source kitchen)"',
    "zsh": 'autoload -Uz compinit; compinit -u -D; eval "$(_KITCHEN_COMPLETE=zsh_source kitchen)"',
    "fish": "_KITCHEN_COMPLETE=fish_source kitchen > ~/.config/fish/completions/kitchen.fish",
}


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with opened("production", "dev") as made:
        yield made


@pytest.fixture
def shop(bench: Bench) -> Iterator[Project]:
    with leaving_nothing(bench) as project:
        yield project


@pytest.fixture(params=["bash", "zsh", "fish"])
def shell(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if shutil.which(name) is None:
        missing(name, "it is not installed")
    return name


@pytest.fixture
def environ(shop: Project, shell: str, tmp_path: Path) -> dict[str, str]:
    """Return the environment of somebody who likes a shell, and has the command line on the path."""
    file, text = _OWN[shell]
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text("\n".join(line.strip() for line in text.splitlines()) + "\n")
    (tmp_path / ".config" / "fish" / "completions").mkdir(parents=True, exist_ok=True)
    command = tmp_path / "bin" / "kitchen"
    command.parent.mkdir()
    command.write_text(f"#!{sys.executable}\nfrom kitchen.cli import main\n\nmain()\n")
    command.chmod(0o755)
    own = {name: value for name, value in shop.environ.items() if name not in ("ENV", "ZDOTDIR", "XDG_CONFIG_HOME")}
    path = f"{command.parent}:{own['PATH']}"
    return {**own, "HOME": str(tmp_path), "SHELL": str(shutil.which(shell)), "PATH": path}


def test_the_kitchens_sign_stays_over_a_persons_own(
    shop: Project, environ: dict[str, str], tmp_path: Path, shell: str
) -> None:
    shop.kitchen("create", "profit")
    with terminal(["kitchen", "enter", "profit"], folder=shop.root, environ=environ) as screen:
        screen.sees("exit: back")
        screen.sees("(dev/profit) mine[0]> ")
        screen.type("false\n")
        screen.sees("(dev/profit) mine[1]> ")
        screen.type("greet\n")
        screen.sees("\naliased\n")
        screen.sees("(dev/profit) mine[0]> ")
        screen.type("pwd; psql -X -A -t -c 'SELECT 3 * 3, current_user'\n")
        assert f"{shop.root}/.kitchen/worktrees/profit\n" in screen.sees("9|kitchen__dev__profit__owner\n")
        screen.sees("(dev/profit) mine[0]> ")
        screen.type("kitchen enter dev\n")
        screen.sees("what others see")
        screen.sees("(dev) mine[0]> ")
        screen.type("exit 4\n")
        screen.sees("(dev/profit) mine[4]> ")
        screen.type("exit 7\n")
        assert screen.left() == 7
    history = tmp_path / (".local/share/fish/fish_history" if shell == "fish" else "history")
    assert "psql -X -A -t" in history.read_text(), "kept where the person keeps it"


def _completing(screen: Terminal, shell: str) -> None:
    screen.sees("mine[0]> ")
    screen.type(f"{_COMPLETES[shell]}\n")
    screen.sees("mine[0]> ")


def test_real_names_are_completed(shop: Project, environ: dict[str, str], shell: str) -> None:
    """Also in fish, which ships completions for another program of that name."""
    shop.kitchen("create", "profit")
    start = "cd $PROJECT\n"
    with terminal([shell, "-i"], folder=shop.root, environ={**environ, "PROJECT": str(shop.root)}) as screen:
        _completing(screen, shell)
        screen.type(start)
        screen.sees("mine[0]> ")
        for typed, becomes in (
            ("kitchen status prof", "it "),
            ("kitchen create other --parent prof", "it "),
            ("kitchen create --branch prof", "it "),
            ("kitchen enter -e produ", "ction "),
            ("kitchen pantry ref", "resh "),
        ):
            screen.type(f"{typed}\t")
            said = screen.sees(becomes)
            assert "No such" not in said
            assert "Usage" not in said
            screen.type("\x15")
        screen.type("exit 3\n")
        assert screen.left() == 3


def test_a_shell_that_is_not_there_is_named(shop: Project) -> None:
    shop.environ["SHELL"] = "/nowhere/nu"
    try:
        said = shop.kitchen("enter", "dev", expect=3).stderr
    finally:
        del shop.environ["SHELL"]
    assert "SHELL names /nowhere/nu, which is no program here" in said
    assert "SHELL=/bin/sh kitchen enter" in said
    assert "what others see" not in said


def test_a_command_without_dashes_is_told_where_it_goes(shop: Project) -> None:
    assert "kitchen enter K -- CMD" in shop.kitchen("enter", "dev", "psql", expect=2).stderr
