"""The interface of a secrets backend: Airflow's, so that its provider backends are backends here."""

from __future__ import annotations

from framework.errors import public

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from framework.backends.named import StoreBackend as StoreBackend
    from framework.connection import Connection
    from framework.errors import SecretsError

#: The three kinds that a backend may serve.
KINDS = ("connection", "variable", "config")


class BaseSecretsBackend:
    """Subclass this and implement `get_conn_value` or `get_connection`; the rest is optional.

    A method returns the value, or None if it does not exist. A value that is good for a limited time is returned as
    `lifetime.Expiring(text, seconds)`. For anything else it raises `errors.AccessDenied`,
    `errors.BackendUnavailable` or `errors.InvalidSecret`; any other exception counts as unavailable. A method that
    raises NotImplementedError is skipped: the backend does not serve that kind.

    The parameter `team_name` is Airflow's: the team of the task, for a backend that runs inside an Airflow with
    `[core] multi_team`. Our own chain has no teams, and never passes one.

    Attributes:
        app_name: the application that the backend was bound to.
        directory: where relative paths in its kwargs start: the folder of the file that names them.
        remote: whether a lookup is a call to another machine, so that its answers are cached.
        shares: whether its answers may be for other processes, see `identity`.
        batch_size: how many names one call of `get_many` takes; 1: the store has no such call, and names are asked for
            one by one, in parallel; None: any number.
        keeps_versions: whether `get_config_version` works, if the class has it.
        other_versions: versions of a connection that a server may have while its password is rotated, the likeliest
            first; see `docs/guides/rotation.md`. The class has `get_connection_version` for them.
        max_workers: how many calls are made at once, `[secrets] max_workers`; as many connections are kept.
        connection_map: the names of the fields in a company's own JSON (`docs/guides/own-backend.md`), or None.
        retired: names of kwargs that are ignored with a warning.
        switches: kind -> the kwarg that, set to null, stops this backend from being asked for that kind.
        find_connection: finds a connection of the application, for a backend that logs in with one; it asks only
            the levels below the backend. None if no application has bound the backend.
    """

    remote: bool = True
    shares: bool = True
    batch_size: int | None = None
    keeps_versions: bool = True
    other_versions: tuple[str, ...] = ()
    max_workers: int = 16
    connection_map: Mapping[str, Any] | None = None
    find_connection: Callable[[str], Connection] | None = None
    switches: Mapping[str, str] = {}
    retired: Iterable[str] | None = None

    made_from: Callable[[], str] | None = None  # a digest of its class and kwargs, if an application has built it
    app_name: str = "airflow"
    directory: str = ""
    _connection_class: type[Connection] | None = None
    _is_bound: bool = False

    def __init_subclass__(cls) -> None:
        if cls.__module__.startswith("framework."):  # inside Airflow ours are called without a chain around them
            public(cls)

    def bind(self, app_name: str, directory: str) -> None:
        """Called once by the application that uses the backend, before the first lookup."""
        self.app_name, self.directory, self._is_bound = app_name, directory, True

    def has_teams(self, team_name: str | None) -> bool:
        """Whether the store may hold secrets of teams.

        Without Airflow, and in an application of this package, only if a team is given.
        """
        if not self._is_bound:
            from framework.backends.inside_airflow import has_teams

            if (has := has_teams()) is not None:
                return has
        return bool(team_name)

    def asks_for(self, kind: str, name: str) -> bool:
        """Whether the kwargs let the store be asked for this."""
        return True

    def places(self, kind: str, name: str) -> list[str]:
        """What the store is asked for, in order, for messages; empty if that is only the name."""
        return []

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        """The connection as the store holds it: by default a URI or a JSON object."""
        raise NotImplementedError

    def get_connection(self, conn_id: str, team_name: str | None = None) -> Connection | None:
        """The connection with the id `conn_id`; None also for empty text, as in Airflow."""
        value = self.get_conn_value(conn_id, team_name) if team_name else self.get_conn_value(conn_id)
        return self._made(conn_id, value)

    def _made(self, conn_id: str, value: str | None) -> Connection | None:
        """The connection for what the store holds; None for empty text."""
        if value is not None and not isinstance(value, str):
            from framework.errors import InvalidSecret

            raise InvalidSecret(f"get_conn_value returned {type(value).__name__}", hint="Return text or None.")
        if not value:
            return None
        made = self.deserialize_connection(conn_id, value)
        if (lifetime := getattr(value, "lifetime", None)) is not None:
            made.lifetime = lifetime
        return made

    def ask_anew(self, kind: str, name: str) -> None:
        """Called before a read that must not come from what this backend keeps itself, such as a lease."""

    def deserialize_connection(self, conn_id: str, value: str) -> Connection:
        """Read what `get_conn_value` returned; override it for a company's own format.

        Raises:
            InvalidConnection: the text is neither a URI nor a JSON object of a connection.
        """
        if self.connection_map is not None:
            from framework.backends.fields import mapped

            value = mapped(conn_id, value, self.connection_map)
        connection_class, text = self._get_connection_class(), value.strip()
        if text.startswith("{"):
            return connection_class.from_json(value=text, conn_id=conn_id)
        return connection_class(conn_id=conn_id, uri=text)

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        """The variable with the key `key`, or None."""
        raise NotImplementedError

    def get_config(self, key: str) -> str | None:
        """The config secret that a `_secret` pointer names, or None."""
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

    def identity(self) -> str | None:
        """Who asks the store, for `[secrets] shared_cache_url`; None: its answers are not shared with other processes.

        Processes share answers if this text, the class, its kwargs and the application's name are the same. So it names
        the principal (account, role, token) and whatever else decides which answer a process gets and the kwargs do not
        say: a server, region or namespace from the environment, the content of a file. Return an empty text if the
        kwargs say everything. The text is not shown, and only a digest of it leaves the process.
        """
        return None

    def _set_connection_class(self, conn_class: type[Connection]) -> None:
        """Airflow calls this to have its own connections built. From then on a refusal is raised as Airflow's error,
        because its search continues after any other one."""
        from framework.backends.inside_airflow import refusing_as_airflow

        self._connection_class = conn_class
        for name in ("get_connection", "get_variable"):
            setattr(self, name, refusing_as_airflow(getattr(self, name)))

    def _get_connection_class(self) -> type[Connection]:
        """Ours, or Airflow's inside Airflow, which takes the same arguments."""
        if self._connection_class is None:
            from framework.connection import Connection

            return Connection
        return self._connection_class

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"  # never the attributes: a kwarg may be a credential


class KindsBackend(BaseSecretsBackend):
    """A backend that reads connections, variables and config secrets the same way: by `_get` of a subclass."""

    def _get(self, kind: str, secret_id: str) -> str | None:
        raise NotImplementedError

    def _look_up(self, kind: str, secret_id: str, team: str | None = None) -> str | None:
        """What a team may see; in this class, the same as without a team."""
        return self._get(kind, secret_id)

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        return self._look_up("connection", conn_id, team_name)

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        return self._look_up("variable", key, team_name)

    def get_config(self, key: str) -> str | None:
        return self._look_up("config", key)

    def get_many(self, kind: str, names: Iterable[str]) -> Mapping[str, str | SecretsError]:
        return read_each(lambda name: self._get(kind, name), names)


class TeamsBackend(KindsBackend):
    """A backend that serves the teams of an Airflow as Airflow's own class for the store does.

    A team's secrets have the same names, and a name that could belong to another team is refused.

    Attributes:
        team_sep: what separates a team's name and an id.
        guards: the kinds whose ids must not contain it.
        falls_back: whether a team may read secrets that belong to no team.
    """

    team_sep: str = ""
    guards: tuple[str, ...] = KINDS
    falls_back: bool = True

    _clean: tuple[str, ...] = ("refusal", "wrong_team", "has_own_secrets", "shared_folder")  # they raise no error

    def _get(self, kind: str, secret_id: str, version: str | None = None, team: str | None = None) -> str | None:
        """The secret, or that of a team; None if it does not exist. A version is given only if the store has them."""
        raise NotImplementedError

    def _look_up(self, kind: str, secret_id: str, team: str | None = None) -> str | None:
        if reason := self.refusal(kind, secret_id, team):
            from framework.errors import warn

            warn(f"{type(self).__name__}: {kind} {secret_id!r} is not looked up: {reason}")
            return None
        if team and self.has_own_secrets(team):
            value = self._get(kind, secret_id, None, team)
            if value is not None or not self.falls_back:
                return value
        return self._get(kind, secret_id, None, self.shared_folder(kind, team))

    def has_own_secrets(self, team: str) -> bool:
        """Whether the team has its own secrets."""
        return True

    def shared_folder(self, kind: str, team: str | None) -> str | None:
        """The folder of secrets that belong to no team, in place of the team's name; None: there is no such folder."""
        return None

    def refusal(self, kind: str, secret_id: str, team: str | None) -> str:
        """Why it is not looked up: its name in the store could belong to another team. Else empty.

        More is refused than in Airflow: team `ops` and id `-x` would be team `ops-` and id `x`.
        """
        if team and (wrong := self.wrong_team(team)):
            return wrong
        if not self.has_teams(team):
            return ""
        if kind in self.guards and (sep := self.team_sep) in secret_id:
            return f"{sep!r} separates the names of a team and a secret, so this could be another team's"
        if team and secret_id.startswith(edge := self.team_sep[:1]):
            return f"with {edge!r} at its start it could be another team's"
        return ""

    def wrong_team(self, team: str) -> str:
        """Why the team's name is not valid, or could be that of another team in this store. Else empty."""
        is_name = team.isascii() and team.replace("-", "").replace("_", "").isalnum()
        return "" if is_name else "the name of the team has other characters than letters, digits, '-' and '_'"


def read_each(read: Callable[[str], str | None], names: Iterable[str]) -> dict[str, str | SecretsError]:
    """The values of several names, one by one: absent names are left out, failed ones map to their error."""
    from framework.errors import SecretsError

    found: dict[str, str | SecretsError] = {}
    for name in names:
        try:
            value: str | SecretsError | None = read(name)
        except SecretsError as fault:
            value = fault
        if value is not None:
            found[name] = value
    return found


def __getattr__(name: str) -> Any:
    """`StoreBackend` is in `named`; users' classes import it from here."""
    if name != "StoreBackend":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return import_module("framework.backends.named").StoreBackend
