"""One chain for everything an application has to know when it starts.

    from framework import App, conf, Connection, Variable

    app = App("billing").use()
    conf.get("core", "port")            # BILLING__CORE__PORT, .env, files, default
    Connection.get("warehouse")         # backend -> environment -> metastore
    Variable.get("regions", default=[])

Importing this module reads nothing: each name is resolved on its first use (PEP 562).
"""

from __future__ import annotations

from framework import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from framework import errors as errors
    from framework.app import App as App
    from framework.backends.base import BaseSecretsBackend as BaseSecretsBackend
    from framework.binding.secret import Secret as Secret
    from framework.binding.secret import Sensitive as Sensitive
    from framework.config import Config
    from framework.connection import Connection as Connection
    from framework.variable import Variable as Variable

    conf: Config

__version__ = "0.1.0"

__all__ = ["App", "BaseSecretsBackend", "Connection", "Secret", "Sensitive", "Variable", "conf", "errors"]

_WHERE = {
    "App": "framework.app",
    "BaseSecretsBackend": "framework.backends.base",
    "Connection": "framework.connection",
    "Secret": "framework.binding.secret",
    "Sensitive": "framework.binding.secret",
    "Variable": "framework.variable",
}


def __getattr__(name: str) -> Any:
    value: Any
    if name == "conf":
        value = current.CurrentProxy("conf")
    elif name in _WHERE:
        # importlib would load more than this package does
        value = getattr(__import__(_WHERE[name], fromlist=(name,)), name)
    elif name == "errors":
        return __import__("framework.errors", fromlist=(name,))
    else:
        raise AttributeError(f"module 'framework' has no attribute {name!r}")
    globals()[name] = value
    return value


def _find_app() -> Any:
    from framework.discovery import found

    return found()


current.found_by(_find_app)
