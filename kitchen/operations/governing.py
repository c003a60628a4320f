"""What governs an environment that many share: its own branch, never the folder or the branch of who asks.

Where its servers are stands in the folder: nobody reaches them without their secrets. What may be done there (data,
masking, kitchens, roles, gates) is read from the commit of its branch: the remote's, where the project has one.
An embedded environment belongs to its one user, and the folder is what counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Protocol

from kitchen.domain.environment import DataSource, Environment
from kitchen.domain.masking import Policy
from kitchen.errors import InvalidInput, NotFound
from kitchen.files.environment import environments_from
from kitchen.files.loader import Document
from kitchen.operations.sharing import fetch_if_there, truth
from kitchen.ports import Control, Repository

FOLDER = "environments"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Governed:
    """An environment under the rules that one commit has for it."""

    environment: Environment
    branch: str
    commit: str
    files: Mapping[str, str]  # those of the commit's environments/, by name

    def __str__(self) -> str:
        return f"branch {self.branch} ({self.commit[:12]})"


class Services(Protocol):
    """What this needs of an environment."""

    environment: Environment
    governed: Governed | None

    @property
    def control(self) -> Control: ...


def govern(
    services: Services, repository: Repository, *, say: Say, asks: bool = True, may_be_new: bool = False,
    branch: str | None = None,
) -> None:  # fmt: skip
    """Have an environment that many share follow its own branch from here on; ``asks`` the remote where it stands.

    With ``may_be_new`` the folder counts, and that is said, as long as the branch has no file for the environment;
    with ``branch`` its server, which knows the branch, is not asked.
    Raises NotFound or InvalidInput where the branch has no rules for it, or wrong ones.
    """
    if services.environment.is_embedded or services.governed is not None:
        return
    try:
        services.governed = ruling(services, repository, say=say, asks=asks, branch=branch)
    except NotFound as missing:
        if not may_be_new:
            raise
        say(f"{missing.message}; the rules of this folder count until it is there")
        return
    services.environment = services.governed.environment


def ruling(
    services: Services, repository: Repository, *, say: Say, asks: bool = True, branch: str | None = None
) -> Governed:  # fmt: skip
    """Return what the branch of an environment says of it; raises NotFound or InvalidInput."""
    environment = services.environment
    if branch is None:
        standing = services.control.kitchens.get(environment.name)
        branch = (standing.branch if standing is not None else None) or environment.branch
    if asks:
        fetch_if_there(repository, [branch], say)
    return rules_of(environment, repository, branch)


def rules_of(environment: Environment, repository: Repository, branch: str) -> Governed:
    """Return an environment as the commit of a branch rules it; raises NotFound or InvalidInput."""
    commit = truth(repository, branch)
    if commit is None:
        raise NotFound(f"the branch {branch!r} of {environment.name!r} has no commit here", hint="git fetch")
    return at_commit(environment, repository, branch, commit)


def at_commit(environment: Environment, repository: Repository, branch: str, commit: str) -> Governed:
    """Return an environment as one commit of its branch rules it; raises NotFound or InvalidInput."""
    paths = [path for path in repository.files(commit, FOLDER) if path.endswith(".yaml") and path.count("/") == 1]
    files = {path.partition("/")[2]: repository.read(commit, path) or "" for path in paths}
    if f"{environment.name}.yaml" not in files:
        raise NotFound(
            f"{FOLDER}/{environment.name}.yaml is not in branch {branch} yet",
            hint=f"git commit it, and bring it into {branch}",
        )
    try:
        ruling = environments_from({f"{FOLDER}/{name}": text for name, text in files.items()}).get(environment.name)
    except InvalidInput as wrong:
        raise InvalidInput(f"branch {branch} ({commit[:12]}): {wrong.message}", hint=wrong.hint) from None
    governed = replace(
        environment, data=ruling.data, kitchens=ruling.kitchens, roles=ruling.roles, gates=ruling.gates
    )  # fmt: skip
    return Governed(governed, branch, commit, files)


def agreed_policy(governed: Governed) -> Policy:
    """Return the decisions that an environment's own branch has; raises NotFound or InvalidInput."""
    from kitchen.files.masking import policy_of  # noqa: PLC0415 - an SQL parser that most commands never need

    name = data_of(governed.environment).masking
    text = governed.files.get(name)
    if text is None:
        raise NotFound(
            f"{FOLDER}/{name} is not in {governed}",
            hint=f"git commit it, and bring it into {governed.branch}: kitchen merge, or git push",
        )
    digest = sha256(text.encode()).hexdigest()
    try:
        return policy_of(Document(text.removeprefix("\ufeff"), shown=f"{FOLDER}/{name}"), digest=digest)
    except InvalidInput as wrong:
        raise InvalidInput(f"{governed}: {wrong.message}", hint=wrong.hint) from None


def not_agreed(environment: Environment, policy: Policy, governed: Governed) -> tuple[str, ...]:
    """Return what of a folder's decisions a refresh would not use, for the environment's branch has others."""
    found = []
    agreed = governed.environment.data
    if environment.data != agreed:
        found.append(f"`data:` of {FOLDER}/{environment.name}.yaml")
    if agreed is None or agreed.masking not in governed.files or agreed_policy(governed).digest != policy.digest:
        found.append(policy.name)
    return tuple(found)


def data_of(environment: Environment) -> DataSource:
    """Return where an environment's data comes from; raises InvalidInput where it receives none."""
    if environment.data is None:
        raise InvalidInput(
            f"environment {environment.name!r} receives no data",
            hint="set data: {from: production, masking: masking.yaml} in its file below environments/",
        )
    return environment.data
