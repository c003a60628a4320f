"""Says which empty tables of a kitchen hide full ones below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitchen.cli import output

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kitchen.app import Services
    from kitchen.domain.kitchen import Kitchen
    from kitchen.ports import Relation


def hiding(services: Services, kitchen: Kitchen) -> tuple[Relation, ...]:
    """Return the kitchen's own tables that are empty and hide one that is not."""
    with services.sessions.open(services.credentials(kitchen), application=f"kitchen {kitchen.name} look") as session:
        return services.tables.hiding(session, services.layer(kitchen))


def tell(hidden: Iterable[Relation]) -> None:
    """Warn of tables that hide others."""
    for one in hidden:
        output.warn(
            f"your own {one.logical} is empty and hides {one.over}, which is not: where that is not meant, drop it"
            f" (CREATE TABLE IF NOT EXISTS makes one) and type kitchen hydrate {one.logical}"
        )
