"""Turns what a backend returns and raises into ours: it may be a class written for Airflow, or any other."""

from __future__ import annotations

from framework.errors import AccessDenied, BackendUnavailable, InvalidSecret, SecretsError
from framework.masking import add_mask, should_hide_value_for_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from framework.connection import Connection


def checked(kind: str, key: str, value: object) -> object:
    """A backend's value as its kind needs it: our Connection, or what can be written as text or JSON.

    Raises:
        InvalidSecret: it is of another type, or no valid connection.
    """
    if value is None:
        return None
    if kind == "connection":
        return _connection(value, key)
    if isinstance(value, (str, bool, int, float, list, dict)) or hasattr(value, "isoformat"):
        return value
    raise InvalidSecret(f"the backend answered with {type(value).__name__}", hint="It must be text, or None.")


def _connection(value: object, conn_id: str) -> Connection | None:
    """The value as our own Connection: a backend written for Airflow may return Airflow's."""
    from framework.connection import FIELDS, Connection

    if isinstance(value, Connection):
        return value
    if isinstance(value, str):
        return Connection.from_text(value, conn_id=conn_id) if value else None
    try:
        fields = {name: getattr(value, name) for name in FIELDS}
    except AttributeError:
        fields = None
    if fields is None:
        raise InvalidSecret(f"get_connection returned a {type(value).__name__}", hint="Return a Connection or None.")
    return Connection(**{**fields, "conn_id": conn_id})


def for_caller(kind: str, key: str, value: Any) -> object:
    """A link's value for one caller: its secrets are masked, and nothing that the caller changes is shared."""
    if kind == "connection":
        from framework.connection import handed_out

        return None if value is None else handed_out(value)
    if kind == "variable" and value is not None and should_hide_value_for_name(key):
        add_mask(value)
    if isinstance(value, (list, dict)):
        from copy import deepcopy

        return deepcopy(value)
    return value


def how_to_stop_asking(backend: object, kind: str, hint: str) -> str:
    """A sentence about the kwarg that stops it, unless the hint names it."""
    switch = getattr(backend, "switches", {}).get(kind)
    if switch is None or switch in hint:
        return ""
    return f'To stop asking it, set "{switch}": null in its backend_kwargs.'


def translated(fault: BaseException, where: str) -> SecretsError:
    """The error for a foreign exception. Its text may hold secrets, so only its type and place are shown."""
    if any(kind.__name__ == "AirflowSecretsBackendAccessDenied" for kind in type(fault).__mro__):
        return AccessDenied("the backend refuses (AirflowSecretsBackendAccessDenied)", where=where)
    trace = fault.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
    hint = "A backend raises AccessDenied, BackendUnavailable or InvalidSecret; anything else counts as unavailable."
    return BackendUnavailable(f"the backend raised {type(fault).__name__}{place}", where=where, hint=hint)
