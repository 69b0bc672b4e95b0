"""Backends for a store of named texts: how an id becomes a name, and a name an id."""

from __future__ import annotations

from framework import given
from framework.backends.base import TeamsBackend, read_each

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Mapping
    from typing import Any

    from framework.connection import Connection
    from framework.errors import BackendError, SecretsError

#: The default of a prefix: it begins with the application's name, which is known when the backend is bound.
DEFAULT: Any = object()


class StoreBackend(TeamsBackend):
    """A backend for a store of named texts: a secret's name is a prefix, a separator and the id.

    A subclass reads one name (`read`), and where the store can, several at once (`read_many`).

    Args:
        connections_prefix, variables_prefix, config_prefix: where the secrets of a kind are; None: the store is not
            asked for that kind; empty: the bare id. By default the application's name and the kind's.
        sep: between prefix and id.
        connections_lookup_pattern, variables_lookup_pattern, config_lookup_pattern: regular expressions, matched from
            the start and without case; the store is not asked for an id that does not match.
    """

    batch_size = 1
    team_sep = "--"
    switches = {"connection": "connections_prefix", "variable": "variables_prefix", "config": "config_prefix"}

    #: What follows the application's name in a default prefix.
    folders: Mapping[str, str] = {"connection": "/connections", "variable": "/variables", "config": "/config"}

    def __init__(
        self,
        connections_prefix: str | None = DEFAULT,
        variables_prefix: str | None = DEFAULT,
        config_prefix: str | None = DEFAULT,
        sep: str = "/",
        connections_lookup_pattern: str | None = None,
        variables_lookup_pattern: str | None = None,
        config_lookup_pattern: str | None = None,
    ) -> None:
        self.sep = given.text(sep, "sep")
        self._prefixes = {"connection": connections_prefix, "variable": variables_prefix, "config": config_prefix}
        self._patterns = {
            "connection": _compiled("connections_lookup_pattern", connections_lookup_pattern),
            "variable": _compiled("variables_lookup_pattern", variables_lookup_pattern),
            "config": _compiled("config_lookup_pattern", config_lookup_pattern),
        }
        for kind, prefix in self._prefixes.items():
            if prefix is not None and prefix is not DEFAULT and not isinstance(prefix, str):
                raise _wrong(self.switches[kind], "neither text nor null")

    def prefix(self, kind: str) -> str | None:
        """Where the secrets of a kind are; None: the store has none."""
        prefix = self._prefixes[kind]
        return f"{self.app_name}{self.folders[kind]}" if prefix is DEFAULT else prefix

    def given_prefix(self, kind: str) -> str | None:
        """The prefix from the kwargs; None also for the default."""
        return None if self._prefixes[kind] is DEFAULT else self._prefixes[kind]

    def name_of(self, kind: str, secret_id: str, team: str | None = None) -> str | None:
        """The name of a secret, or of a team's, in the store; None if the store is not asked for it."""
        prefix, pattern = self.prefix(kind), self._patterns[kind]
        if prefix is None or (pattern is not None and not pattern.match(secret_id)):
            return None
        return self.joined(prefix, f"{team}{self.team_sep}{secret_id}" if team else secret_id)

    def asks_for(self, kind: str, name: str) -> bool:
        return self.name_of(kind, name) is not None

    def places(self, kind: str, name: str) -> list[str]:
        return [place] if (place := self.name_of(kind, name)) is not None and place != name else []

    def joined(self, prefix: str, secret_id: str) -> str:
        """The name for a prefix and an id; the id alone if the prefix is empty."""
        return self.build_path(prefix.removesuffix(self.sep), secret_id, self.sep) if prefix else secret_id

    def read(self, name: str, version: str | None = None) -> str | None:
        """The text under a name of the store, or None.

        Raises:
            AccessDenied, BackendUnavailable, InvalidSecret: as the store answers.
        """
        raise NotImplementedError

    def read_many(self, names: list[str]) -> Mapping[str, str | SecretsError]:
        """Several texts; absent names are left out, failed ones map to their error. For a store with a batch call."""
        return read_each(self.read, names)

    def read_elsewhere(self, name: str) -> str | None:
        """The text under a name outside every prefix: `backend-test` checks that it is refused."""
        return self.read(self.joined("", name))

    def names_below(self, start: str) -> Iterable[str]:
        """The names in the store that begin with `start`; others are ignored. For a store that can list.

        Raises:
            AccessDenied, BackendUnavailable: as the store answers.
        """
        raise NotImplementedError

    def list_names(self, kind: str) -> list[str]:
        """The ids of one kind that the store would be asked for. Raises: as `names_below`."""
        prefix = self.prefix(kind)
        if prefix is None:
            return []
        start = self.joined(prefix, "")
        ids = [self.id_in(name, start) for name in self.names_below(start)]
        return [secret_id for secret_id in ids if secret_id and self.name_of(kind, secret_id)]

    def id_in(self, name: str, start: str) -> str:
        """The rest of a name after `start`; empty if it does not begin with it."""
        return name[len(start) :] if name.startswith(start) else ""

    def _get(self, kind: str, secret_id: str, version: str | None = None, team: str | None = None) -> str | None:
        name = self.name_of(kind, secret_id, team)
        return None if name is None else self.read(name, version)

    def get_config_version(self, key: str, version: str) -> str | None:
        """One version of a config secret, by the store's own name for the version."""
        return self._get("config", key, version)

    def get_connection_version(self, conn_id: str, version: str) -> Connection | None:
        """One version of a connection, see `other_versions`; None if the store does not have it."""
        return self._made(conn_id, self._get("connection", conn_id, version))

    def get_many(self, kind: str, names: Iterable[str]) -> Mapping[str, str | SecretsError]:
        asked = {secret_id: name for secret_id in names if (name := self.name_of(kind, secret_id)) is not None}
        values = self.read_many(list(dict.fromkeys(asked.values())))  # two ids may have one name in the store
        return {secret_id: values[name] for secret_id, name in asked.items() if name in values}


#: The kwargs of `StoreBackend`.
_KWARGS = (
    *("connections_prefix", "variables_prefix", "config_prefix", "sep"),
    *("connections_lookup_pattern", "variables_lookup_pattern", "config_lookup_pattern"),
)


def names_among(kwargs: dict[str, object]) -> dict[str, object]:
    """The kwargs of `StoreBackend`, removed from a dictionary whose rest goes to the client."""
    return {name: kwargs.pop(name) for name in _KWARGS if name in kwargs}


def _compiled(kwarg: str, pattern: str | None) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    import re

    try:
        return re.compile(pattern, re.IGNORECASE)
    except (re.error, TypeError) as fault:
        what = getattr(fault, "msg", "it is not text")
    raise _wrong(kwarg, f"not a valid regular expression ({what})")


def _wrong(kwarg: str, what: str) -> BackendError:
    from framework.errors import BackendError

    return BackendError(f"{kwarg} is {what}", hint="Correct it in backend_kwargs.")
