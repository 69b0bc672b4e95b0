"""What a secrets backend is: Airflow's surface, so that its provider backends are backends here."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from framework.connection import Connection
    from framework.errors import SecretsError

#: The three kinds that a backend may serve.
KINDS = ("connection", "variable", "config")


class BaseSecretsBackend:
    """Subclass this and implement `get_conn_value` or `get_connection`; the rest is optional.

    A method returns the value, or None if the store does not have it. To say anything else it
    raises `errors.AccessDenied`, `errors.BackendUnavailable` or `errors.InvalidSecret`; whatever
    else it raises counts as unavailable. A method that raises NotImplementedError says that the
    backend does not serve that kind, and is skipped.

    The parameter `team_name` is Airflow's; it is there so that a backend of ours runs inside
    Airflow, and is never given here.

    Attributes:
        app_name: the application that the backend was bound to.
        directory: where relative paths among its kwargs start: the folder of the file that names them.
    """

    app_name: str = "airflow"
    directory: str = ""
    _connection_class: type[Any] | None = None

    def bind(self, app_name: str, directory: str) -> None:
        """Called once by the application that uses the backend, before the first lookup."""
        self.app_name, self.directory = app_name, directory

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        """The connection as the store holds it: by default a URI or a JSON object."""
        raise NotImplementedError

    def get_connection(self, conn_id: str, team_name: str | None = None) -> Connection | None:
        """The connection called `conn_id`; None also for empty text, as in Airflow."""
        value = self.get_conn_value(conn_id)
        return self.deserialize_connection(conn_id, value) if value else None

    def deserialize_connection(self, conn_id: str, value: str) -> Connection:
        """Read what `get_conn_value` returned; override it for a company's own format.

        Raises:
            InvalidConnection: the text is neither a URI nor a JSON object of a connection.
        """
        connection_class = self._get_connection_class()  # inside Airflow it is Airflow's, which has from_json alone
        text = value.strip()
        made: Connection = (
            connection_class.from_json(text, conn_id=conn_id)
            if text.startswith("{")
            else connection_class(conn_id=conn_id, uri=text)
        )
        return made

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        """The variable called `key`, or None."""
        raise NotImplementedError

    def get_config(self, key: str) -> str | None:
        """What a `_secret` pointer names, or None."""
        return None

    def get_many(self, kind: str, names: Iterable[str]) -> Mapping[str, str | SecretsError]:
        """Optional: several values of one kind at once; absent names are left out, failed ones map to their error."""
        raise NotImplementedError

    def list_names(self, kind: str) -> Iterable[str]:
        """Optional: the names of one kind, `connection`, `variable` or `config`."""
        raise NotImplementedError

    @staticmethod
    def build_path(path_prefix: str, secret_id: str, sep: str = "/") -> str:
        """A secret's name in a store: prefix, separator, id."""
        return f"{path_prefix}{sep}{secret_id}"

    def _set_connection_class(self, conn_class: type[Any]) -> None:
        """Airflow calls this to have its own connections built."""
        self._connection_class = conn_class

    def _get_connection_class(self) -> type[Any]:
        if self._connection_class is None:
            from framework.connection import Connection

            return Connection
        return self._connection_class

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"  # never the attributes: a kwarg may be a credential
