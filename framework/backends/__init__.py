"""The secrets backends: a file or a folder each. `base` is their interface, `registry` lists them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from framework.backends.factory import build as build
    from framework.backends.registry import AIRFLOW_TWINS as AIRFLOW_TWINS
    from framework.backends.registry import RETIRED_PATHS as RETIRED_PATHS
    from framework.backends.registry import SHORT_NAMES as SHORT_NAMES
    from framework.backends.registry import find_class as find_class

_WHERE = {
    "build": "framework.backends.factory",
    "find_class": "framework.backends.registry",
    "AIRFLOW_TWINS": "framework.backends.registry",
    "RETIRED_PATHS": "framework.backends.registry",
    "SHORT_NAMES": "framework.backends.registry",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_WHERE[name]), name)
