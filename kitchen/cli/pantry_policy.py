"""Which masking decisions count for a pantry command: those of this folder, or those of the environment's branch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kitchen.app import App, Services
from kitchen.cli import output
from kitchen.domain.words import quoted
from kitchen.errors import InvalidInput, KitchenError, NotFound

if TYPE_CHECKING:
    from kitchen.domain.masking import Policy
    from kitchen.operations.governing import Governed
    from kitchen.ports import PantryVersion

_SHOWN = 10


def policy_of(app: App, services: Services, *, may_be_absent: bool = False) -> tuple[Path, Policy]:
    """Return the masking policy of an environment and its file; raises InvalidInput or NotFound."""
    from kitchen.domain.masking import Policy
    from kitchen.files.masking import read_policy
    from kitchen.operations.governing import data_of

    data = data_of(services.environment)
    folder = (app.root / "environments").resolve()
    path = (folder / data.masking).resolve()
    if not path.is_relative_to(folder):
        raise InvalidInput(
            f"the masking policy {data.masking!r} is not below environments/", hint="data: {masking: masking.yaml}"
        )
    if may_be_absent and not path.exists():
        return path, Policy(name=shown(path))
    return path, read_policy(path)


def governing_policy(app: App, services: Services) -> Policy:
    """Return the decisions that a refresh goes by: many share an environment, and those of its own branch count."""
    from kitchen.operations.governing import agreed_policy, govern

    govern(services, app.repository, say=output.warn)
    if services.governed is None:
        return policy_of(app, services)[1]
    output.say(f"masking and data: settings are those of {services.governed}, not of this folder")
    return agreed_policy(services.governed)


@contextmanager
def pointing_to_decisions(app: App, services: Services) -> Iterator[None]:
    """Say of a refused refresh how decisions that the branch above or this folder has get into the one that counts."""
    from kitchen.operations.pantry_check import Uncovered

    try:
        yield
    except Uncovered as refused:
        if services.governed is not None and refused.undecided:
            refused.hint = _way_in(app, services, services.governed, refused.undecided) or refused.hint
        raise


def _way_in(app: App, services: Services, governed: Governed, undecided: Sequence[str]) -> str | None:
    from kitchen.operations.governing import agreed_policy, data_of, rules_of

    name = services.environment.name
    with suppress(KitchenError):
        above = app.environments.get(data_of(services.environment).source)
        theirs = replace(rules_of(above, app.repository, above.branch), environment=services.environment)
        if _decides(agreed_policy(theirs), undecided):
            return f"kitchen update {name}: {theirs} decides them, {governed.branch} not yet"
    with suppress(KitchenError):
        path, ours = policy_of(app, services)
        if _decides(ours, undecided):
            return f"git commit {quoted(shown(path))}, which decides them, and bring it into {governed.branch}"
    return None


def _decides(policy: Policy, columns: Sequence[str]) -> bool:
    from kitchen.domain.layout import TableName

    parts = [column.split(".") for column in columns]
    return all(len(part) == 3 and policy.decided(TableName(*part[:2]), part[2]) is not None for part in parts)


def judging_policy(app: App, services: Services, version: PantryVersion) -> tuple[Policy, tuple[str, ...]]:
    """Return the decisions that a version was made under, and in which ones those of today differ.

    One that was made before they were kept is judged by those of today.
    """
    from kitchen.domain.masking_document import differences, recorded, to_document

    made_under = recorded(version.manifest)
    try:
        today = governing_policy(app, services)
    except NotFound as missing:
        if made_under is None:
            raise
        output.say(f"{missing.message}: v{version.version} is judged by what it was made under")
        return made_under, ()
    if made_under is None:
        output.say(f"v{version.version} does not say what was decided when it was made: it is judged by today's")
        return today, ()
    differing = differences(to_document(made_under), to_document(today))
    if differing:
        more = f" and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
        output.warn(
            f"v{version.version} is judged by what it was made under; today's {today.name} decides otherwise about"
            f" {', '.join(differing[:_SHOWN])}{more}"
        )
    return made_under, differing


def not_agreed(app: App, services: Services, policy: Policy) -> list[str]:
    """Say and return which decisions of this folder a refresh would not use yet: many share the environment."""
    from kitchen.operations import governing

    if services.environment.is_embedded:
        return []
    try:
        governed = governing.ruling(services, app.repository, say=output.warn)
    except NotFound as missing:
        output.warn(f"a refresh would be refused: {missing.message}")
        return [policy.name]
    found = governing.not_agreed(services.environment, policy, governed)
    if found:
        output.warn(
            f"{' and '.join(found)} of this folder is not what a refresh would use: that is {governed}, which has"
            f" another or none; commit it, and bring it into {governed.branch}"
        )
    return list(found)


def shown(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
