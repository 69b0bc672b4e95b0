"""Variables of the current application, with Airflow's calls."""

from __future__ import annotations

from framework import current, given
from framework.errors import InvalidValue, VariableNotFound, public

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from framework.current import Application

#: No default was given.
UNSET: Any = given.MISSING


@public
class Variable:
    """Reads go through the chain, writes go to the metastore."""

    @classmethod
    def get(
        cls, key: str, default: object = UNSET, deserialize_json: bool = False, *, default_var: object = UNSET
    ) -> Any:
        """The variable's value.

        Args:
            key: its name.
            default: returned as it is when the variable is not found; never when a link fails.
            deserialize_json: parse the text as JSON.
            default_var: Airflow 2's name for `default`.

        Raises:
            VariableNotFound: it is not found and there is no default (also a KeyError).
            InvalidValue: the text is not JSON (also a ValueError); it is not in the message.
            SecretsError: a link failed.
        """
        return read(current.app(), key, default_var if default is UNSET else default, deserialize_json)

    @classmethod
    def set(cls, key: str, value: object, description: str | None = None, serialize_json: bool = False) -> None:
        """Write the variable to the metastore; warn if an earlier link shadows it.

        Args:
            key: its name.
            value: text; a number or a boolean is stored as Python writes it (`5`, `True`), as in Airflow. Anything else
                needs `serialize_json`.
            description: free text; None keeps the old one.
            serialize_json: store the value as JSON text, indented by two as in Airflow.

        Raises:
            NoFernetKey: `[core] fernet_key` is empty.
            InvalidValue: the value is neither text nor a number nor a boolean, or JSON cannot hold it.
            MetastoreError: the database refused the write.
        """
        text = _text(_checked(key), value, serialize_json)
        if description is not None:
            given.text(description, "description")
        app = current.app()
        app.warn_if_shadowed("variable", key)
        app.store.set_variable(key, text, description)

    @classmethod
    def update(cls, key: str, value: object, serialize_json: bool = False) -> None:
        """Write a new value for a variable that the metastore has; its description stays.

        Raises:
            VariableNotFound: the metastore does not have it, even if another link does.
            NoFernetKey, InvalidValue, MetastoreError: as for `set`.
        """
        text = _text(_checked(key), value, serialize_json)
        app = current.app()
        app.warn_if_shadowed("variable", key)
        if not app.store.update_variable(key, text):
            raise VariableNotFound(f"the metastore has no variable {key!r}", hint="Variable.set() creates one.")

    @classmethod
    def delete(cls, key: str) -> int:
        """Delete the variable from the metastore and return the number of deleted rows, 0 or 1."""
        return 0 if not key else current.app().store.delete_variable(_checked(key))

    @classmethod
    def setdefault(
        cls, key: str, default: object, description: str | None = None, deserialize_json: bool = False
    ) -> Any:
        """The variable's value if a link has it; else write the default to the metastore and return it."""
        value = cls.get(key, None, deserialize_json=deserialize_json)
        if value is not None:
            return value
        if default is None:
            raise InvalidValue("the default must not be None", where=f"variable {key!r}", hint="Pass a value.")
        cls.set(key, default, description=description, serialize_json=deserialize_json)
        return default

    @classmethod
    def get_variable_from_secrets(cls, key: str, team_name: None = None) -> Any:
        """Airflow's name for `Variable.get(key, None)`: the value as text, or None if no link has it."""
        _without_team(team_name)
        return cls.get(key, None)

    @classmethod
    def check_for_write_conflict(cls, key: str, team_name: None = None) -> None:
        """Warn if a link before the metastore has the variable, because reads would return that one."""
        _without_team(team_name)
        current.app().warn_if_shadowed("variable", _checked(key))

    @classmethod
    def keys(cls, prefix: str | None = None) -> list[str]:
        """The keys with this prefix from all links that can list their names, sorted."""
        prefix = "" if prefix is None else given.text(prefix, "prefix")
        return [key for key in current.app().list_names("variable") if key.startswith(prefix)]


def read(app: Application, key: str, default: object, deserialize_json: bool, since: float | None = None) -> Any:
    """`Variable.get` for one application. `since`: see `Link.ask`."""
    try:
        value, link = app.chain.variable(_checked(key), since)
    except VariableNotFound:
        if default is UNSET:
            raise
        return default
    return _parsed(value, f"variable {key!r} of {link}") if deserialize_json else value


def _without_team(team_name: object) -> None:
    if team_name is not None:
        raise InvalidValue("teams are not supported", where="team_name", hint="Leave it out.")


def _checked(key: object) -> str:
    return given.text(key, "key", 'For example "regions".')


def _parsed(text: object, where: str) -> object:
    from framework.parsing import Malformed, read_json

    if not isinstance(text, str):
        return text  # a value with a type, from a typed file
    try:
        return read_json(text)
    except Malformed as fault:
        what = f"line {fault.line} column {fault.column}: {fault.what}" if fault.line else fault.what
        hint = "Correct it, or read it as text."
        raise InvalidValue(f"its text is not JSON ({what})", where=where, hint=hint) from None


def _text(key: str, value: object, serialize_json: bool) -> str:
    if serialize_json:
        import json

        try:
            return json.dumps(value, indent=2)
        except (TypeError, ValueError, RecursionError):
            where, hint = f"variable {key!r}", "Pass text, numbers, lists."
            raise InvalidValue("JSON cannot hold the value", where=where, hint=hint) from None
    if isinstance(value, (int, float)):  # bool is an int
        return str(value)
    if not isinstance(value, str):
        raise InvalidValue(
            f"the value is not text but {type(value).__name__}",
            where=f"variable {key!r}",
            hint="Pass text, or serialize_json=True.",
        )
    return value
