"""The embedded services of environments: which there are, and stopping them."""

from __future__ import annotations

from typing import Protocol

from kitchen.domain.environment import Chain, Environment
from kitchen.errors import InvalidInput


class EmbeddedServer(Protocol):
    """A server that this machine runs for one environment."""

    def start(self) -> object:
        """Make and start it; done already is success."""
        ...

    def stop(self) -> bool:
        """Stop it; says whether there was one."""
        ...

    def is_running(self) -> bool:
        """Say whether it takes connections."""
        ...

    @property
    def tcp(self) -> tuple[str, int]:
        """Return where clients without sockets connect."""
        ...

    @property
    def runs_as(self) -> str:
        """Return the user of the operating system that it runs as."""
        ...


class Services(Protocol):
    """What stopping needs."""

    @property
    def environment(self) -> Environment: ...
    @property
    def embedded(self) -> EmbeddedServer | None: ...


def from_the_top(chain: Chain) -> tuple[Environment, ...]:
    """Return the environments, parents before their children."""
    found = [chain.top()]
    for environment in found:
        found.extend(chain.children(environment.name))
    return tuple(found)


def chosen(chain: Chain, name: str | None) -> tuple[Environment, ...]:
    """Return the environment called name, else all with embedded services, from the top; raises NotFound."""
    if name is not None:
        return (chain.get(name),)
    return tuple(environment for environment in from_the_top(chain) if environment.is_embedded)


def shut_down(services: Services) -> bool:
    """Stop an environment's embedded server; says whether it ran. What is in it stays."""
    if services.embedded is None:
        raise InvalidInput(
            f"environment {services.environment.name!r} has no embedded services to stop",
            hint="kitchen environment show",
        )
    return services.embedded.stop()
