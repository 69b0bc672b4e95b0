"""Reads from a replica of the database. What it lacks or cannot answer is read from the primary."""

from __future__ import annotations

from time import monotonic

from framework import errors
from framework.logs import log_and_show
from framework.metastore.hosts import REST
from framework.metastore.store import REMEMBERED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeVar

    from framework.metastore.store import Store

    T = TypeVar("T")


class Replica:
    """A replica of the database, which may be behind and may be down.

    Only a value of it counts. An absence or a failure says nothing, because the row may be on its way. What this
    process has written itself is not asked for here at all.

    Args:
        store: the rows of the replica.
        primary: the rows themselves.
    """

    __slots__ = ("store", "_primary", "_resting_until")

    def __init__(self, store: Store, primary: Store) -> None:
        self.store, self._primary, self._resting_until = store, primary, 0.0
        primary.written = set()

    def get(self, kind: str, name: str, question: Callable[[Store], T | None]) -> T | None:
        """What the replica has for one name; None if the primary is to be asked.

        Raises:
            BackendError: a key is malformed, or the URL of the replica is not valid.
        """
        return None if self._is_written(kind, name) else self._try(question)

    def get_many(self, kind: str, names: Iterable[str]) -> Mapping[str, object]:
        """The names that the replica has a valid value for. Raises: as `get`."""
        asked = [name for name in names if not self._is_written(kind, name)]
        found = self._try(lambda store: store.get_many(kind, asked)) if asked else None
        return {name: value for name, value in (found or {}).items() if not isinstance(value, errors.SecretsError)}

    def _is_written(self, kind: str, name: str) -> bool:
        """Whether this process has written the row, or too many rows to remember each."""
        written = self._primary.written or ()
        return (kind, name) in written or len(written) >= REMEMBERED

    def _try(self, question: Callable[[Store], T | None]) -> T | None:
        if monotonic() < self._resting_until:
            return None
        try:
            return question(self.store)
        except errors.InvalidSecret:  # of an old key or an old table, perhaps: the primary's row is the one that counts
            return None
        except errors.SecretsError as error:
            failure = error.what
        self._resting_until = monotonic() + REST
        text = (
            f"the replica {self.store.database.where} failed, and the primary is asked instead for a while: {failure}"
        )
        log_and_show(text)
        return None
