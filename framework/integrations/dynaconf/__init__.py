"""Loaders for dynaconf: `options` gives it this application's options, `secrets` what `@secret NAME` refers to.

    LOADERS_FOR_DYNACONF = [
        "dynaconf.loaders.env_loader",
        "framework.integrations.dynaconf.options",
        "framework.integrations.dynaconf.secrets",
    ]

The order is dynaconf's: a later loader wins.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from framework.errors import ConfigError
from framework.integrations import application as current_application

if TYPE_CHECKING:
    from framework.app import App

_at_work: ContextVar[bool] = ContextVar("framework_dynaconf_loader", default=False)


def application() -> App:
    """The current application, for a loader.

    Raises:
        ConfigError: the application is being made and reads these settings: each would wait for the other.
    """
    if _at_work.get():
        raise ConfigError(
            "the application reads these settings, so they cannot be loaded from it",
            where="LOADERS_FOR_DYNACONF",
            hint="Keep either the loader, or dynaconf = … of the application.",
        )
    token = _at_work.set(True)
    try:
        return current_application()
    finally:
        _at_work.reset(token)
