"""Connections, variables and config secrets in local files: JSON, YAML and `.env`, by the extension of the name.

A syntax error makes the whole file unreadable. An error in an entry (a duplicate name, a connection with an unknown
field) concerns only that entry. The functions read a whole file and report all errors at once.
"""

from __future__ import annotations

import os

from framework import given
from framework.backends.base import BaseSecretsBackend
from framework.errors import (
    BackendError,
    ConnectionNotUnique,
    FileParseError,
    InvalidConnection,
    InvalidSecret,
    NotUnique,
    SecretsError,
    VariableNotUnique,
)
from framework.files.entries import NOTHING, shown_name
from framework.files.secrets import SecretsFile
from framework.files.trust import inside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from framework.connection import Connection
    from framework.files.entries import Entry, Fault

#: The fields of a connection in a file; `team_name` is Airflow's and ignored.
_FIELDS = (
    *("conn_id", "conn_type", "description", "host", "login", "password", "schema", "port"),
    *("extra", "extra_dejson", "uri", "team_name"),
)


def load_variables(file_path: str) -> dict[str, Any]:
    """Every variable of a file, with the types of JSON or YAML.

    Args:
        file_path: the file.

    Returns:
        Key -> value.

    Raises:
        VariableNotUnique: all duplicate keys.
        FileParseError: all errors, each with its line; UnsupportedFileType: the file extension is not supported.
        BackendUnavailable: the file is missing; AccessDenied if it may not be read.
    """
    return _load(file_path, lambda entry: entry.sound(VariableNotUnique))


def load_configs_dict(file_path: str) -> dict[str, Any]:
    """Every config secret of a file; a list of one stands for its element, as in Airflow.

    Args, Returns, Raises: as `load_variables`; a longer or empty list is a VariableNotUnique as well.
    """
    return _load(file_path, lambda entry: entry.only(VariableNotUnique))


def load_connections_dict(file_path: str) -> dict[str, Connection]:
    """Every connection of a file; a list of one stands for its element, an empty list for none, as in Airflow.

    Args, Returns, Raises: as `load_variables`, with ConnectionNotUnique; InvalidConnection: an entry is not a
    connection.
    """
    made = _load(file_path, LocalFilesystemBackend(connections_file_path=file_path).connection_in)
    return {conn_id: connection for conn_id, connection in made.items() if connection is not None}


class LocalFilesystemBackend(BaseSecretsBackend):
    """Connections, variables and config secrets from files; Airflow's class of this name, with the same kwargs.

    A path may begin with `~`; a relative one starts at the folder of the file that names it. The file must exist; None:
    there is no file. A value of `null` is absent.

    Args:
        variables_file_path: the file of the variables.
        connections_file_path: the file of the connections: each is a URI, a JSON object as text, or a table of fields.
        configs_file_path: the file of the config secrets; other values become text (`5`, `true`, JSON).

    Raises:
        TypeError: an argument is not a path.
    """

    remote = False

    def __init__(
        self,
        variables_file_path: str | None = None,
        connections_file_path: str | None = None,
        configs_file_path: str | None = None,
    ) -> None:
        self.variables_file = _path("variables_file_path", variables_file_path)
        self.connections_file = _path("connections_file_path", connections_file_path)
        self.configs_file = _path("configs_file_path", configs_file_path)
        self._files: dict[tuple[str, str], SecretsFile] = {}

    def get_connection(self, conn_id: str, team_name: str | None = None) -> Connection | None:
        """The connection, a new object for each call.

        Raises:
            InvalidConnection: the entry is not a connection; ConnectionNotUnique: it is several.
            FileParseError, BackendUnavailable, AccessDenied: as `load_variables`.
        """
        entry = self._find("connection", conn_id)
        return None if entry is None else self.connection_in(entry)

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        """The connection as it is in the file; a table of fields as JSON. Raises: as `get_connection`."""
        entry = self._find("connection", conn_id)
        if entry is None or isinstance(value := entry.one(ConnectionNotUnique), str):
            return None if entry is None else value
        connection = self.connection_in(entry)
        return None if connection is None else connection.as_json()

    def get_variable(self, key: str, team_name: str | None = None) -> Any:
        """The variable as it is in the file: text, or a value of JSON or YAML, as in Airflow.

        Raises: as `load_variables`, for this key alone.
        """
        entry = self._find("variable", key)
        if entry is None:
            return None
        value = entry.sound(VariableNotUnique)
        if isinstance(value, (list, dict, set)):
            from copy import deepcopy

            return deepcopy(value)  # the caller may change it
        return value

    def get_config(self, key: str) -> str | None:
        """The config secret as text.

        Raises: as `load_configs_dict`, for this key alone; InvalidSecret: the value has no text.
        """
        entry = self._find("config", key)
        if entry is None or (value := entry.only(VariableNotUnique)) is None:
            return None
        from framework.convert import to_text

        try:
            return value.decode("utf-8") if isinstance(value, bytes) else to_text(value)
        except ValueError:
            what = f"{shown_name(key)} has a value that cannot be written as text"
            raise InvalidSecret(what, where=entry.place, hint="Write text.") from None

    def get_many(self, kind: str, names: Iterable[str]) -> Mapping[str, str | SecretsError]:
        """Several values of one kind; absent names are left out, failed ones map to their error."""
        getters: dict[str, Callable[[str], Any]] = {
            "connection": self.get_conn_value,
            "variable": self.get_variable,
            "config": self.get_config,
        }
        get = getters[kind]
        found: dict[str, str | SecretsError] = {}
        for name in names:
            try:
                value = get(name)
            except SecretsError as error:
                value = error
            if value is not None:
                found[name] = value
        return found

    def list_names(self, kind: str) -> list[str]:
        """The names of one kind, in the order of the file. Raises: as `load_variables`, for the file as a whole."""
        file = self._file(kind)
        entries = {} if file is None else file.entries()
        return [name for name, entry in entries.items() if isinstance(name, str) and not entry.is_absent]

    def places(self, kind: str, name: str) -> list[str]:
        file = self._file(kind)
        return [] if file is None else [file.path]

    def _find(self, kind: str, name: str) -> Entry | None:
        file = self._file(kind)
        entries = {} if file is None else file.entries()
        entry = entries.get(name) or entries.get((name,))
        if entry is None or entry.is_absent:
            return None
        if entry.not_text:
            raise FileParseError(entry.path, [entry.not_text])
        return entry

    def _file(self, kind: str) -> SecretsFile | None:
        path = getattr(self, f"{kind}s_file")
        if not path:
            return None
        # Only now, because `bind` sets the directory after the constructor.
        path = inside(self.directory, os.path.expanduser(path))
        return self._files.get((kind, path)) or self._files.setdefault(
            (kind, path), SecretsFile(path, f"{kind}s_file_path")
        )

    def connection_in(self, entry: Entry) -> Connection | None:
        value = entry.one(ConnectionNotUnique)
        if value is NOTHING:
            return None
        try:
            if not isinstance(entry.key, str):
                raise InvalidConnection("its id is not text", hint="Put it in quotes.")
            if isinstance(value, str) and not value.strip():  # an empty connection, as in Airflow
                value = dict.fromkeys(("conn_type", "host", "schema"), "") if value else {}
            if isinstance(value, str):
                return self.deserialize_connection(entry.key, value)
            fields, connection_class = _fields(entry.key, value), self._get_connection_class()
            if self._connection_class is not None and isinstance(fields.get("extra"), dict):
                from framework.connection import Connection

                fields["extra"] = Connection(extra=fields["extra"]).extra  # Airflow's workers accept only text
            return connection_class(**fields)
        except InvalidConnection as error:
            fault = InvalidConnection(
                f"connection {shown_name(entry.key)}: {error.what}", where=entry.place, hint=error.hint
            )
        raise fault


def _path(kwarg: str, value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, (str, os.PathLike)):
        path = os.fspath(value)
        if path.lstrip()[:1] in ("{", "[") or not path.isprintable():  # not shown: it may be the secrets themselves
            hint = "Write the text into a file, and name the file here."
            raise BackendError(f"{kwarg} is not a path", hint=hint)
        return path
    raise given.wrong(value, kwarg, "a path or null")


def _load(path: str, read: Callable[[Entry], object]) -> dict[Any, Any]:
    values: dict[Any, Any] = {}
    failed: list[tuple[Entry, SecretsError]] = []
    for entry in SecretsFile(os.path.expanduser(path)).entries().values():
        try:
            values[entry.key] = read(entry)
        except SecretsError as error:
            failed.append((entry, error))
    if not failed:
        return values
    first = failed[0][1]
    if len(failed) == 1:
        raise first
    if all(isinstance(error, NotUnique) for _, error in failed):
        raise type(first)("; ".join(error.what for _, error in failed), where=path, hint="Keep one of each.")
    faults: list[Fault] = []
    for entry, failure in failed:
        faults += failure.faults if isinstance(failure, FileParseError) else [(entry.lines[0], failure.what)]
    raise FileParseError(path, faults)


def _fields(conn_id: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidConnection("it is neither text nor a table of fields", hint="Write a URI or fields.")
    unknown = [shown_name(key) for key in value if key not in _FIELDS]
    if unknown:
        known = ", ".join(_FIELDS[:-1])
        raise InvalidConnection(f"no field is called {' or '.join(unknown)}", hint=f"The fields are {known}.")
    if "extra" in value and "extra_dejson" in value:
        raise InvalidConnection("it has both extra and extra_dejson", hint="Keep one of them.")
    if value.get("conn_id", conn_id) != conn_id:
        raise InvalidConnection("its conn_id differs from its name", hint="Correct it, or leave it out.")
    fields = {key: inner for key, inner in value.items() if key not in ("team_name", "extra_dejson")}
    if "port" in fields:
        from framework.connection import read_port

        fields["port"] = read_port(fields["port"])
    if "extra_dejson" in value:
        import json

        try:
            fields["extra"] = json.dumps(value["extra_dejson"])
        except (TypeError, ValueError):
            fields = {}
        if not fields:
            hint = "Write text, numbers, lists and tables."
            raise InvalidConnection("extra_dejson cannot be written as JSON", hint=hint)
    return {**fields, "conn_id": conn_id}
