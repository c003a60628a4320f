"""``kitchen secret``: values come from a prompt, standard input or a file, never from the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from kitchen.app import Services
from kitchen.cli import output
from kitchen.cli.options import changing_options, current_app, environment_option, json_option
from kitchen.domain.kitchen import Kitchen
from kitchen.domain.words import quoted
from kitchen.errors import InvalidInput, KitchenError, NotFound

of_kitchen = click.option("-k", "--kitchen", metavar="K", help="A kitchen: its own secrets, not the environment's.")


@click.group("secret")
def secret_command() -> None:
    """Secrets of an environment.

    With -k, those of one kitchen, which are deleted with it. A file refers to one as {secret: PATH#KEY}.
    """


@secret_command.command("list")
@environment_option
@of_kitchen
@json_option
def list_(environment: str | None, kitchen: str | None, as_json: bool) -> None:
    """List the paths of secrets; no value is shown."""
    from kitchen.operations.secrets import list_secrets

    services, found = _place(environment, kitchen)
    paths = list_secrets(services, found)
    if as_json:
        output.emit_json({"environment": services.environment.name, "kitchen": kitchen, "secrets": paths})
        return
    output.table(["secret"], [(path,) for path in paths])


@secret_command.command("get")
@click.argument("path")
@click.argument("key", required=False)
@click.option("--reveal", is_flag=True, help="Print values, not only the names of keys.")
@environment_option
@of_kitchen
@json_option
def get(
    *, path: str, key: str | None, reveal: bool, environment: str | None, kitchen: str | None, as_json: bool
) -> None:
    """Show the keys of a secret, or with --reveal its values (of one KEY: the bare value)."""
    from kitchen.operations.secrets import get_secret

    services, found = _place(environment, kitchen)
    kept = get_secret(services, found, path)
    if key is not None and key not in kept:
        raise NotFound(
            f"the secret {path!r} has no key {key!r} (it has: {', '.join(sorted(kept))})",
            hint=f"kitchen secret get {quoted(path)}",
        )
    shown = {name: value if reveal else "***" for name, value in kept.items() if key in (None, name)}
    if as_json:
        output.emit_json({"path": path, "values": shown})
    elif key is not None and reveal:
        output.emit(kept[key])
    else:
        output.table(["key", "value"], sorted(shown.items()))


@secret_command.command("set")
@click.argument("path")
@click.argument("keys", nargs=-1, required=True, metavar="KEY…")
@environment_option
@of_kitchen
@changing_options
def set_(
    *, path: str, keys: tuple[str, ...], environment: str | None, kitchen: str | None, dry_run: bool, yes: bool
) -> None:
    """Set keys of a secret, leaving its others.

    KEY asks for the value on a terminal and takes it from standard input elsewhere; KEY=- takes it from standard input,
    KEY=@FILE from a file. A value in the command itself would be seen by every process of the machine: it is refused.
    """
    from kitchen.operations.secrets import set_secret

    sources = [_source(key) for key in keys]
    if sum(source in ("", "-") for _, source in sources) > 1 and not sys.stdin.isatty():
        raise InvalidInput(
            "standard input holds one value, and several keys ask for it", hint="one command for each key"
        )
    services, found = _place(environment, kitchen)
    names = ", ".join(name for name, _ in sources)
    if dry_run:
        output.say(f"would set {names} of the secret {path!r} in {services.environment.name!r}")
        return
    set_secret(services, found, path, {name: _value(name, source) for name, source in sources})
    output.done(f"set {names} of the secret {path!r} in {services.environment.name!r}")


@secret_command.command("delete")
@click.argument("path")
@environment_option
@of_kitchen
@changing_options
def delete(*, path: str, environment: str | None, kitchen: str | None, dry_run: bool, yes: bool) -> None:
    """Delete a secret with all its versions."""
    from kitchen.operations.secrets import delete_secret, get_secret

    services, found = _place(environment, kitchen)
    keys = ", ".join(sorted(get_secret(services, found, path)))
    if dry_run:
        output.say(f"would delete the secret {path!r} ({keys}) in {services.environment.name!r}")
        return
    output.confirm(f"Delete the secret {path!r} ({keys}) in {services.environment.name!r}?", yes=yes)
    delete_secret(services, found, path)
    output.done(f"deleted the secret {path!r}")


@secret_command.command("rotate")
@click.argument("path")
@environment_option
def rotate(path: str, environment: str | None) -> None:
    """(Not there yet.) Give a secret that kitchen made a new value."""
    raise KitchenError("kitchen secret rotate is not there yet", hint=f"kitchen secret set {quoted(path)} KEY")


def _place(environment: str | None, kitchen: str | None) -> tuple[Services, Kitchen | None]:
    app = current_app()
    if kitchen is not None:
        return app.find(kitchen, environment)
    return app.workbench(environment), None


def _source(text: str) -> tuple[str, str]:
    """Return the key and where its value is: "" (ask), "-" or "@file"."""
    key, sign, source = text.partition("=")
    if sign and source != "-" and not source.startswith("@"):
        raise InvalidInput(
            f"the value of {key!r} stands in the command, where every process of this machine can read it",
            hint=f"kitchen secret set PATH {key} (asks for it), or {key}=- (standard input), or {key}=@FILE",
        )
    if not key or not all(sign.isalnum() or sign in "_.-" for sign in key) or not key.isascii() or len(key) > 64:
        raise InvalidInput(
            "a key of a secret is made of letters, digits, _ . and -, at most 64",
            hint="kitchen secret set PATH password",
        )
    return key, source


def _value(key: str, source: str) -> str:
    if source.startswith("@"):
        try:
            return Path(source[1:]).read_text()
        except OSError as wrong:
            raise InvalidInput(f"the file for {key!r} cannot be read: {wrong.strerror}", hint=f"{key}=@FILE") from None
        except UnicodeDecodeError:
            raise InvalidInput(
                f"the file for {key!r} is not text", hint="kitchen files put FILE, for what is none"
            ) from None
    if source == "" and sys.stdin.isatty():
        answer: str = click.prompt(key, hide_input=True, err=True)
        return answer
    value = sys.stdin.read()
    value = value.removesuffix("\n")  # of `echo`; a file's own ending is kept with KEY=@FILE
    if not value:
        raise InvalidInput(f"no value for {key!r} on standard input", hint=f"kitchen secret set PATH {key}=@FILE")
    return value
