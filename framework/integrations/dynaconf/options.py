"""Gives dynaconf every option of this application, typed by its schema: `[db] pool` is `settings.DB.POOL`.

    LOADERS_FOR_DYNACONF = ["dynaconf.loaders.env_loader", "framework.integrations.dynaconf.options"]

A later loader wins, so its place in the list says what it wins over. The options of this package itself (`[secrets]`,
`[database] sql_alchemy_conn` and so on) are left out.
"""

from __future__ import annotations

from typing import Any

from framework.errors import ConfigError, SettingsError, public
from framework.integrations.dynaconf import application


@public
def load(obj: Any, env: str | None = None, silent: bool | None = None, key: str | None = None, **_: object) -> None:
    """Called by dynaconf.

    Args:
        obj: the settings.
        env, silent: not used: an option that cannot be resolved is never passed over.
        key: only this setting, which is the first part of a section's name.

    Raises:
        ConfigError: an option cannot be resolved, or does not convert.
        SettingsError: several are like that; all of them are named.
    """
    app = application()
    names = [name for name in app.engine.entries() if key is None or name[0].partition(".")[0] == key.lower()]
    names = [name for name in names if (declared := app.schema.option(*name)) is None or not declared.own]
    faults = list(app.prefetch(names).values())
    settings: dict[str, Any] = {}
    for section, option in names if not faults else ():
        if not app.conf.has_option(section, option):
            continue
        try:
            value = app.conf.value(section, option)
        except ConfigError as fault:
            faults.append(fault)
            continue
        inside = settings
        for part in section.split("."):
            inside = inside.setdefault(part, {})
        inside[option] = value
    if faults:
        raise faults[0] if len(faults) == 1 else SettingsError(app.name, faults)
    for name, values in settings.items():
        obj.set(name.upper(), values, loader_identifier="framework", merge=True)
