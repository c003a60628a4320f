"""Interactive shells that know where they are: the person's own settings first, then what leads into the kitchen.

A person's start-up files may say PGHOST or PGSERVICE; what they set of that kind is put right after them, or psql would
work somewhere else than the prompt says. So is the folder.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kitchen.errors import NotFound

_NO_SHELLS = frozenset({"nologin", "false", "true"})  # of accounts that nobody logs in to


@dataclass(frozen=True, slots=True)
class Shell:
    """What to start, and the variables that it needs besides those of the kitchen."""

    words: tuple[str, ...]
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Inside:
    """What a shell is to say and to lead to."""

    prompt: str
    folder: Path
    variables: Mapping[str, str]
    bin_dir: Path | None  # of the clients that fit the server


def shell_program() -> str:
    """Return the person's own shell; raises NotFound where SHELL names a program that is not there."""
    program = os.environ.get("SHELL") or "/bin/sh"
    if Path(program).name in _NO_SHELLS:
        return "/bin/sh"
    if shutil.which(program) is None:
        raise NotFound(f"SHELL names {program}, which is no program here", hint="SHELL=/bin/sh kitchen enter")
    return program


def shell_of(place: str, folder: Path, private: Path, inside: Mapping[str, str], bin_dir: Path | None) -> Shell:
    """Return the person's shell with ``place`` in its prompt; its start-up files lie in ``private``.

    ``inside`` are the kitchen's variables, ``bin_dir`` holds the clients that fit its server.
    """
    program = shell_program()
    make = _SHELLS.get(Path(program).name, _plain)
    return make(program, private, _Inside(f"({place}) ", folder, inside, bin_dir))


def _bash(program: str, private: Path, inside: _Inside) -> Shell:
    rc, prompt = private / "bashrc", shlex.quote(inside.prompt)
    rc.write_text(
        "[ -f /etc/bash.bashrc ] && . /etc/bash.bashrc\n[ -f ~/.bashrc ] && . ~/.bashrc\n"
        f"{_put_right(inside)}"
        # some themes write the prompt anew each time; from bash 5.1 on, their commands may be a list
        f"_kitchen_prompt() {{ case $PS1 in *{prompt}*) ;; *) PS1={prompt}$PS1 ;; esac; }}\n"
        "_kitchen_prompt\n"
        "case $(declare -p PROMPT_COMMAND 2>/dev/null) in\n"
        "'declare -a'*) PROMPT_COMMAND+=(_kitchen_prompt) ;;\n"
        "*) PROMPT_COMMAND+=$'\\n_kitchen_prompt' ;;\n"
        "esac\n"
    )
    return Shell((program, "--rcfile", str(rc), "-i"), {})


def _zsh(program: str, private: Path, inside: _Inside) -> Shell:
    home, prompt = shlex.quote(os.environ.get("ZDOTDIR") or str(Path.home())), shlex.quote(inside.prompt)
    (private / ".zshenv").write_text(
        f'ZDOTDIR={home}\n[ -f "$ZDOTDIR/.zshenv" ] && . "$ZDOTDIR/.zshenv"\n'
        f"_kitchen_home=${{ZDOTDIR:-{home}}}\nZDOTDIR={shlex.quote(str(private))}\n"
    )
    (private / ".zshrc").write_text(
        "ZDOTDIR=$_kitchen_home; unset _kitchen_home\n"
        # the system's own zshrc, read before, may have named a file in our folder, which is gone at the end
        f'case ${{HISTFILE-}} in {shlex.quote(str(private))}/*) HISTFILE="$ZDOTDIR/.zsh_history" ;; esac\n'
        '[ -f "$ZDOTDIR/.zshrc" ] && . "$ZDOTDIR/.zshrc"\n'
        f"{_put_right(inside)}"
        f"_kitchen_prompt() {{ case $PROMPT in *{prompt}*) ;; *) PROMPT={prompt}$PROMPT ;; esac; }}\n"
        "_kitchen_prompt\nprecmd_functions+=(_kitchen_prompt)\n"
    )
    return Shell((program, "-i"), {"ZDOTDIR": str(private)})


def _fish(program: str, private: Path, inside: _Inside) -> Shell:
    lines = ["for name in (set -n | string match -r '^PG[A-Z]+$'); set -e $name; end"]
    lines += [f"set -gx {name} {_fish_quoted(value)}" for name, value in _led(inside.variables).items()]
    if inside.bin_dir is not None:
        lines.append(f"set -gx PATH {_fish_quoted(str(inside.bin_dir))} $PATH")
    folder = _fish_quoted(str(inside.folder))
    lines += [
        f"test $PWD = {folder}; or cd {folder}",
        "functions -q fish_prompt; and functions -c fish_prompt _kitchen_fish_prompt",
        "function _kitchen_status; return $argv[1]; end",
        "function fish_prompt",
        "    set -l last $status",  # which many prompts show
        f"    echo -n {_fish_quoted(inside.prompt)}",
        "    if functions -q _kitchen_fish_prompt",
        "        _kitchen_status $last",
        "        _kitchen_fish_prompt",
        "    else",
        "        echo -n '> '",
        "    end",
        "end",
    ]
    start = private / "kitchen.fish"
    start.write_text("\n".join(lines) + "\n")
    return Shell((program, "-i", "-C", f"source {_fish_quoted(str(start))}"), {})


def _plain(program: str, private: Path, inside: _Inside) -> Shell:
    """What POSIX promises of any shell: an interactive one reads the file that ENV names."""
    start = private / "shrc"
    own = os.environ.get("ENV")
    read = f"[ -f {shlex.quote(own)} ] && . {shlex.quote(own)}\n" if own else ""
    mark = "# " if os.geteuid() == 0 else "$ "
    start.write_text(f"{read}{_put_right(inside)}PS1={shlex.quote(inside.prompt + mark)}\n")
    return Shell((program, "-i"), {"ENV": str(start)})


_SHELLS: Mapping[str, Callable[[str, Path, _Inside], Shell]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}


def _led(inside: Mapping[str, str]) -> dict[str, str]:
    """Return those of the kitchen's variables that lead tools to it."""
    return {name: value for name, value in inside.items() if name.startswith(("PG", "KITCHEN"))}


def _put_right(inside: _Inside) -> str:
    led, folder = _led(inside.variables), shlex.quote(str(inside.folder))
    foreign = ("PGSERVICE", "PGSERVICEFILE", "PGHOSTADDR", "PGPASSWORD", "PGTARGETSESSIONATTRS", "PGREQUIREAUTH")
    lines = [f"unset {' '.join(name for name in foreign if name not in led)}"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in led.items()]
    if inside.bin_dir is not None:
        lines.append(f'export PATH={shlex.quote(str(inside.bin_dir))}:"$PATH"')
    lines.append(f'[ "$PWD" = {folder} ] || cd -- {folder}')
    return "\n".join(lines) + "\n"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
