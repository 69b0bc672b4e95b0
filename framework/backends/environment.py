"""The link that answers from environment variables and the `.env` files."""

from __future__ import annotations

from framework.backends.base import TeamsBackend
from framework.errors import InvalidConnection, InvalidSecret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from framework.connection import Connection
    from framework.layers.environment import Environment
    from framework.names import Names


class EnvironmentVariablesBackend(TeamsBackend):
    """`BILLING_CONN_{ID}`, `BILLING_VAR_{KEY}`, `BILLING_SECRET_{NAME}`.

    Args:
        names: the names of variables of the application.
        environment: where they are read, live.
        references: every config secret that the configuration refers to; the same object while nothing has changed.
            Two that lead to the same variable could get each other's value, so both fail if it is set.
    """

    remote = False
    team_sep = "___"
    _is_bound = True
    _clean = ("get_connection",)  # called for every read; App cleans the error

    def __init__(self, names: Names, environment: Environment, references: Callable[[], Sequence[str]]) -> None:
        self._names, self._environment, self._references = names, environment, references
        self._referred: tuple[object, dict[str, list[str]]] = None, {}  # the references, and by variable
        self._read: dict[str, tuple[str, Connection]] = {}  # conn_id -> its text, and the connection made of it

    def get_connection(self, conn_id: str, team_name: str | None = None) -> Connection | None:
        """The connection. It is the same object while the variable has the same text; the link hands out copies."""
        text = self.get_conn_value(conn_id, team_name)
        if not text:
            self._read.pop(conn_id, None)
            return None
        known = self._read.get(conn_id)
        if known is not None and known[0] == text:
            return known[1]
        try:
            connection = self.deserialize_connection(conn_id, text)
        except InvalidConnection as fault:
            fault.where = self._environment.find(self._names.connection(conn_id))[1]
            raise
        self._read[conn_id] = text, connection
        return connection

    def wrong_team(self, team: str) -> str:
        if team != team.lower():
            return "in a variable's name the team could be another one, in lower case"
        return super().wrong_team(team)

    def _look_up(self, kind: str, secret_id: str, team: str | None = None) -> str | None:
        return super()._look_up(kind, secret_id, team) if team else self._get(kind, secret_id)

    def _get(self, kind: str, secret_id: str, version: str | None = None, team: str | None = None) -> str | None:
        name_of = self._names.connection if kind == "connection" else self._names.variable
        if team:  # `BILLING_CONN__{TEAM}___{ID}`; an empty one does not count
            return self._environment.get(name_of(f"_{team}{self.team_sep}{secret_id}")) or None
        return self._environment.get(name_of(secret_id))

    def get_config(self, key: str) -> str | None:
        variable = self._names.secret(key)
        text, origin = self._environment.find(variable)
        if text is None:
            return None
        for other in self._referring_to(variable):
            if other != key:
                raise InvalidSecret(
                    f"the references {key!r} and {other!r} both mean the variable {variable}",
                    where=origin,
                    hint="Rename one of them.",
                )
        return text

    def _referring_to(self, variable: str) -> list[str]:
        references = self._references()
        if self._referred[0] is not references:
            by_variable: dict[str, list[str]] = {}
            for name in references:
                by_variable.setdefault(self._names.secret(name), []).append(name)
            self._referred = references, by_variable
        return self._referred[1].get(variable, [])

    def places(self, kind: str, key: str) -> list[str]:
        """The variable that is read."""
        name_of = {"connection": self._names.connection, "variable": self._names.variable}
        return [name_of.get(kind, self._names.secret)(key)]

    def list_names(self, kind: str) -> Iterable[str]:
        """The ids in lower case, because variables do not keep their case."""
        start = {"connection": self._names.connection(""), "variable": self._names.variable("")}.get(kind)
        start = self._names.secret("") if start is None else start
        return sorted(name.lower() for name in self._environment.starting(start))
