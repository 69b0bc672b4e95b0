"""The link that answers from the metastore, by `framework.metastore`."""

from __future__ import annotations

from framework.backends.base import BaseSecretsBackend
from framework.errors import BackendUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeVar

    from framework.connection import Connection
    from framework.errors import SecretsError
    from framework.metastore.replica import Replica
    from framework.metastore.store import Store

    T = TypeVar("T")


class MetastoreBackend(BaseSecretsBackend):
    """Connections, variables and config secrets of the database.

    Args:
        store: the opened metastore.
        replica: is asked first.
        is_last: it is asked only if the database itself does not answer.

    Attributes:
        without_replica: the same, for questions whose answer must be of now.
        replica_last: the same, for questions whose answer is of now if the database answers.
    """

    remote = False

    def __init__(self, store: Store, replica: Replica | None = None, *, is_last: bool = False) -> None:
        self.store, self.replica, self._is_last = store, replica, is_last
        self.may_hang = store.database.bounded  # a server, not a file
        self.without_replica = self if replica is None else MetastoreBackend(store)
        self.replica_last = self if replica is None or is_last else MetastoreBackend(store, replica, is_last=True)

    def get_connection(self, conn_id: str, team_name: str | None = None) -> Connection | None:
        return self._get("connection", conn_id, lambda store: store.get_connection(conn_id, team_name))

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        return self._get("variable", key, lambda store: store.get_variable(key, team_name))

    def get_config(self, key: str) -> str | None:
        return self._get("config", key, lambda store: store.get_config(key))

    def get_many(self, kind: str, names: Iterable[str]) -> Mapping[str, str | SecretsError]:
        if self.replica is None:
            return self.store.get_many(kind, names)  # type: ignore[return-value]
        wanted = list(names)
        found = self.replica.get_many(kind, wanted)
        rest = [name for name in wanted if name not in found]
        return {**found, **(self.store.get_many(kind, rest) if rest else {})}  # type: ignore[dict-item]

    def list_names(self, kind: str) -> Iterable[str]:
        return self.store.list_names(kind)

    def _get(self, kind: str, name: str, question: Callable[[Store], T | None]) -> T | None:
        if self.replica is None:
            return question(self.store)
        if not self._is_last:
            found = self.replica.get(kind, name, question)
            return question(self.store) if found is None else found
        try:
            return question(self.store)
        except BackendUnavailable:
            if (found := self.replica.get(kind, name, question)) is None:
                raise
            return found
