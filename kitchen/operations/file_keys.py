"""Keys to one kitchen's files, lent to its tools and nodes for an hour, where the object store lends any."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from kitchen.domain.environment import Environment
from kitchen.domain.kitchen import Kitchen
from kitchen.domain.lent_keys import LentKeys, lender_of, own_files_policy
from kitchen.domain.secret import Secret
from kitchen.errors import KitchenError
from kitchen.ports import Bucket

_HOUR = 3600  # what every role allows
_LEFT = timedelta(minutes=15)  # with less, a node gets new ones
_AGAIN = timedelta(minutes=1)  # after a refusal


class FileKeys:
    """Lends keys; they are kept while they are good, and known to whoever masks what is printed."""

    def __init__(self, environment: Environment, bucket: Callable[[], Bucket], tell: Callable[[str], None]) -> None:
        self._environment = environment
        self._bucket = bucket
        self._tell = tell
        self._lent: dict[UUID, LentKeys] = {}
        self._refused: dict[UUID, datetime] = {}
        self.secrets: list[Secret] = []

    def variables(self, kitchen: Kitchen) -> dict[str, str]:
        """Return what leads a tool to the kitchen's files; nothing (and it is said why) where no keys are to be had.

        Who enters for the database's sake is not kept out by an object store that is down.
        """
        role, now = lender_of(self._environment), datetime.now(UTC)
        if role is None or now < self._refused.get(kitchen.id, now):
            return {}
        kept = self._lent.get(kitchen.id)
        if kept is None or kept.until - now < _LEFT:
            try:
                kept = self._new(role, kitchen)
            except KitchenError as error:
                self._refused[kitchen.id] = now + _AGAIN
                self._tell(f"no keys to the files of {kitchen.name}: {error.message}")
                return {}
        return kept.variables(self._environment)

    def _new(self, role: str, kitchen: Kitchen) -> LentKeys:
        policy = own_files_policy(self._environment, kitchen.storage_prefix)
        made = self._bucket().lend(role, f"kitchen-{kitchen.name}"[:64], policy, _HOUR)
        self.secrets += [made.secret_key, made.token]
        self._lent[kitchen.id] = made
        return made
