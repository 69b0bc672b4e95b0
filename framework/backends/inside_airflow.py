"""For backends of this package that run inside Airflow."""

from __future__ import annotations

from framework.errors import AccessDenied

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def has_teams() -> bool | None:
    """The value of `[core] multi_team` of the Airflow in this process; None: there is no Airflow."""
    import sys

    for module in ("airflow.configuration", "airflow.sdk.configuration"):
        if (conf := getattr(sys.modules.get(module), "conf", None)) is not None:
            return bool(conf.getboolean("core", "multi_team", fallback=False))
    return None


def refusing_as_airflow(method: Callable[..., object]) -> Callable[..., object]:
    """The method, with Airflow's own error for a store that refuses; task-sdk has one since 1.2.2."""

    def refusing(*args: object, **kwargs: object) -> object:
        try:
            return method(*args, **kwargs)
        except AccessDenied as fault:
            denied = fault
        try:
            from airflow.sdk.exceptions import AirflowSecretsBackendAccessDenied
        except ImportError:
            raise denied from None
        raise AirflowSecretsBackendAccessDenied(str(denied)) from None

    return refusing
