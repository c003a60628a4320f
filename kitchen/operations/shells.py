"""Interactive shells that know where they are: the person's own settings first, then what leads into the kitchen.

A person's start-up files may say PGHOST or PGSERVICE; what they set of that kind is put right after them, or psql would
work somewhere else than the prompt says.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

_NO_SHELLS = frozenset({"nologin", "false", "true"})  # of accounts that nobody logs in to


@dataclass(frozen=True, slots=True)
class Shell:
    """What to start, and the variables that it needs besides those of the kitchen."""

    words: tuple[str, ...]
    variables: Mapping[str, str]


def shell_of(place: str, private: Path, inside: Mapping[str, str], bin_dir: Path | None) -> Shell:
    """Return the person's shell with ``place`` in its prompt; its start-up files lie in ``private``.

    ``inside`` are the kitchen's variables, ``bin_dir`` holds the clients that fit its server.
    """
    program = os.environ.get("SHELL") or "/bin/sh"
    if Path(program).name in _NO_SHELLS:
        program = "/bin/sh"
    make = _SHELLS.get(Path(program).name, _plain)
    return make(program, f"({place}) ", private, inside, bin_dir)


def _bash(program: str, prompt: str, private: Path, inside: Mapping[str, str], bin_dir: Path | None) -> Shell:
    rc = private / "bashrc"
    rc.write_text(
        "[ -f /etc/bash.bashrc ] && . /etc/bash.bashrc\n[ -f ~/.bashrc ] && . ~/.bashrc\n"
        f"{_put_right(inside, bin_dir)}"
        # some themes write the prompt anew each time
        f"_kitchen_prompt() {{ case $PS1 in *{shlex.quote(prompt)}*) ;; *) PS1={shlex.quote(prompt)}$PS1 ;; esac; }}\n"
        "_kitchen_prompt\nPROMPT_COMMAND+=$'\\n_kitchen_prompt'\n"
    )
    return Shell((program, "--rcfile", str(rc), "-i"), {})


def _zsh(program: str, prompt: str, private: Path, inside: Mapping[str, str], bin_dir: Path | None) -> Shell:
    home = shlex.quote(os.environ.get("ZDOTDIR") or str(Path.home()))
    (private / ".zshenv").write_text(
        f'ZDOTDIR={home}\n[ -f "$ZDOTDIR/.zshenv" ] && . "$ZDOTDIR/.zshenv"\n'
        f"_kitchen_home=${{ZDOTDIR:-{home}}}\nZDOTDIR={shlex.quote(str(private))}\n"
    )
    (private / ".zshrc").write_text(
        "ZDOTDIR=$_kitchen_home; unset _kitchen_home\n"
        # the system's own zshrc, read before, may have named a file in our folder, which is gone at the end
        f'case $HISTFILE in {shlex.quote(str(private))}/*) HISTFILE="$ZDOTDIR/.zsh_history" ;; esac\n'
        '[ -f "$ZDOTDIR/.zshrc" ] && . "$ZDOTDIR/.zshrc"\n'
        f"{_put_right(inside, bin_dir)}"
        f"_kitchen_prompt() {{ case $PROMPT in *{shlex.quote(prompt)}*) ;; "
        f"*) PROMPT={shlex.quote(prompt)}$PROMPT ;; esac; }}\n"
        "_kitchen_prompt\nprecmd_functions+=(_kitchen_prompt)\n"
    )
    return Shell((program, "-i"), {"ZDOTDIR": str(private)})


def _fish(program: str, prompt: str, private: Path, inside: Mapping[str, str], bin_dir: Path | None) -> Shell:
    lines = ["for name in (set -n | string match -r '^PG[A-Z]+$'); set -e $name; end"]
    lines += [f"set -gx {name} {_fish_quoted(value)}" for name, value in _led(inside).items()]
    if bin_dir is not None:
        lines.append(f"set -gx PATH {_fish_quoted(str(bin_dir))} $PATH")
    lines += [
        "functions -q fish_prompt; and functions -c fish_prompt _kitchen_fish_prompt",
        f"function fish_prompt; echo -n {_fish_quoted(prompt)}",
        "    functions -q _kitchen_fish_prompt; and _kitchen_fish_prompt; or echo -n '> '",
        "end",
    ]
    start = private / "kitchen.fish"
    start.write_text("\n".join(lines) + "\n")
    return Shell((program, "-i", "-C", f"source {_fish_quoted(str(start))}"), {})


def _plain(program: str, prompt: str, private: Path, inside: Mapping[str, str], bin_dir: Path | None) -> Shell:
    """What POSIX promises of any shell: an interactive one reads the file that ENV names."""
    start = private / "shrc"
    own = os.environ.get("ENV")
    read = f"[ -f {shlex.quote(own)} ] && . {shlex.quote(own)}\n" if own else ""
    mark = "# " if os.geteuid() == 0 else "$ "
    start.write_text(f"{read}{_put_right(inside, bin_dir)}PS1={shlex.quote(prompt + mark)}\n")
    return Shell((program, "-i"), {"ENV": str(start)})


_Make = Callable[[str, str, Path, Mapping[str, str], "Path | None"], Shell]
_SHELLS: Mapping[str, _Make] = {"bash": _bash, "zsh": _zsh, "fish": _fish}


def _led(inside: Mapping[str, str]) -> dict[str, str]:
    """Return those of the kitchen's variables that lead tools to it."""
    return {name: value for name, value in inside.items() if name.startswith(("PG", "KITCHEN"))}


def _put_right(inside: Mapping[str, str], bin_dir: Path | None) -> str:
    led = _led(inside)
    foreign = ("PGSERVICE", "PGSERVICEFILE", "PGHOSTADDR", "PGPASSWORD", "PGTARGETSESSIONATTRS", "PGREQUIREAUTH")
    lines = [f"unset {' '.join(name for name in foreign if name not in led)}"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in led.items()]
    if bin_dir is not None:
        lines.append(f'export PATH={shlex.quote(str(bin_dir))}:"$PATH"')
    return "\n".join(lines) + "\n"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
