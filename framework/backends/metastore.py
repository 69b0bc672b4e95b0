"""The link that answers from the metastore, by `framework.metastore`."""

from __future__ import annotations

from framework.backends.base import BaseSecretsBackend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from framework.connection import Connection
    from framework.errors import SecretsError
    from framework.metastore.store import Store


class MetastoreBackend(BaseSecretsBackend):
    """Connections, variables and config secrets of the database.

    Args:
        store: the opened metastore.
    """

    remote = False

    def __init__(self, store: Store) -> None:
        self.store = store
        self.may_hang = store.database.bounded  # a server, not a file

    def get_connection(self, conn_id: str, team_name: str | None = None) -> Connection | None:
        return self.store.get_connection(conn_id, team_name)

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        return self.store.get_variable(key, team_name)

    def get_config(self, key: str) -> str | None:
        return self.store.get_config(key)

    def get_many(self, kind: str, names: Iterable[str]) -> Mapping[str, str | SecretsError]:
        return self.store.get_many(kind, names)  # type: ignore[return-value]

    def list_names(self, kind: str) -> Iterable[str]:
        return self.store.list_names(kind)
