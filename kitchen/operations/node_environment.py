"""What the program of a node finds in its environment: the kitchen, its parameters, and only what it declares."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from kitchen.domain.environment import Environment
from kitchen.domain.kitchen import Kitchen
from kitchen.domain.lent_keys import lender_of
from kitchen.domain.recipe import Node, Recipe
from kitchen.domain.run import Run
from kitchen.domain.secret import Secret, SecretReference
from kitchen.domain.words import quoted
from kitchen.errors import InvalidInput, NotFound, NotPermitted
from kitchen.operations.enter import EnterServices, kitchen_environment
from kitchen.operations.external import PROVISIONER_PATH
from kitchen.operations.private_folders import private_folder
from kitchen.operations.secrets import KITCHENS_PATH, SUPERUSER_PATH
from kitchen.ports import SecretStore

# of our own environment a program inherits only what a tool needs to work at all: no secret of the person who types
_INHERITED = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|TERM|VIRTUAL_ENV|SSL_CERT_FILE|SSL_CERT_DIR"
    r"|REQUESTS_CA_BUNDLE|HTTPS?_PROXY|NO_PROXY|https?_proxy|no_proxy|PYTHONPATH|LD_LIBRARY_PATH"
)
_OWN = (PROVISIONER_PATH, SUPERUSER_PATH, KITCHENS_PATH, "masking")
_SECRET = re.compile(r"([a-z0-9_/-]+)#([a-z0-9_]+)")


class Services(EnterServices, Protocol):
    """What this needs of an environment."""

    @property
    def secrets(self) -> SecretStore: ...


@contextmanager
def node_environment(
    services: Services, kitchen: Kitchen, node: Node, *, run: Run, secrets: Mapping[str, Mapping[str, str]]
) -> Iterator[Mapping[str, str]]:
    """Return the environment of a node's program; the password file lives as long as the block."""
    inherited = {name: value for name, value in os.environ.items() if _INHERITED.fullmatch(name)}
    with private_folder("node") as private:
        yield {
            **inherited,
            **kitchen_environment(services, kitchen, private.path),
            "PGAPPNAME": f"kitchen {kitchen.name} {run.recipe}/{node.name}"[:63],
            "KITCHEN_RUN": str(run.id),
            "KITCHEN_PARAMETERS": json.dumps(run.parameters, default=str),
            **_declared(services.environment, node, secrets),
        }


# what kitchen itself keeps: logins of the provisioner, of people, of kitchens; a branch names none of them
_OWN_HEADS = frozenset(("provisioner", "superuser", "people", "kitchens", "doctor"))


def secrets_of(services: Services, kitchen: Kitchen, recipe: Recipe) -> dict[str, dict[str, str]]:
    """Return every secret that a recipe's nodes declare, by path: the kitchen's own, else the environment's.

    Raises InvalidInput or NotFound before anything runs.
    """
    found: dict[str, dict[str, str]] = {}
    for node in recipe.nodes:
        for reference in _references(services.environment, node):
            path, _ = _parts(reference, node)
            if path.partition("/")[0] in _OWN_HEADS or path in _lenders(services.environment):
                raise NotPermitted(
                    f"node {node.name!r} may not have the secret {path!r}: it opens more than its kitchen",
                    hint="kitchen secret set with another path",
                )
            if path not in found:
                kept = services.secrets.read(f"{kitchen.secret_path}/{path}") or services.secrets.read(path)
                if kept is None:
                    raise NotFound(
                        f"node {node.name!r} needs the secret {path!r}, which {kitchen.environment!r} has not",
                        hint=f"kitchen secret set {quoted(path)} -e {kitchen.environment}",
                    )
                found[path] = kept
    return found


def _lenders(environment: Environment) -> set[str]:
    """Return where the key to everybody's files is, for environments that lend each kitchen its own."""
    if lender_of(environment) is None:
        return set()
    found = (SecretReference.of(environment.storage.settings.get(name)) for name in ("access_key", "secret_key"))
    return {reference.path for reference in found if reference is not None}


def _references(environment: Environment, node: Node) -> Iterator[str]:
    yield from node.secrets
    for name in node.uses:
        for value in _connection(environment, node, name).values():
            if isinstance(value, Mapping) and "secret" in value:
                yield str(value["secret"])


def _declared(environment: Environment, node: Node, secrets: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for reference in node.secrets:
        path, key = _parts(reference, node)
        found["KITCHEN_SECRET_" + re.sub(r"\W", "_", f"{path}_{key}").upper()] = _value(secrets, path, key, node)
    for name in node.uses:
        connection: dict[str, object] = {}
        for setting, value in _connection(environment, node, name).items():
            if isinstance(value, Mapping) and "secret" in value:
                path, key = _parts(str(value["secret"]), node)
                connection[setting] = _value(secrets, path, key, node)
            else:
                connection[setting] = value
        found["KITCHEN_CONNECTION_" + re.sub(r"\W", "_", name).upper()] = json.dumps(connection)
    return found


def _connection(environment: Environment, node: Node, name: str) -> Mapping[str, object]:
    if name not in environment.connections:
        raise InvalidInput(
            f"node {node.name!r} uses the connection {name!r}, which environment {environment.name!r} does not declare",
            hint=f"connections: {{{name}: {{...}}}} in environments/{environment.name}.yaml",
        )
    return environment.connections[name]


def _parts(reference: str, node: Node) -> tuple[str, str]:
    found = _SECRET.fullmatch(reference)
    if found is None:
        raise InvalidInput(f"node {node.name!r}: {reference[:80]!r} names no secret: write path#key")
    if found[1].split("/")[0] in _OWN:
        raise InvalidInput(f"node {node.name!r}: the secret {found[1]!r} is kitchen's own")
    return found[1], found[2]


def _value(secrets: Mapping[str, Mapping[str, str]], path: str, key: str, node: Node) -> str:
    if key not in secrets[path]:
        raise NotFound(
            f"node {node.name!r}: the secret {path!r} has no key {key!r}", hint=f"kitchen secret get {quoted(path)}"
        )
    return secrets[path][key]


def hidden(secrets: Mapping[str, Mapping[str, str]]) -> list[Secret]:
    """Return the values that must never be shown."""
    return [Secret(value) for kept in secrets.values() for value in kept.values()]
