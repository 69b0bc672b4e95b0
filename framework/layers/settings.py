"""A project's dynaconf settings as one layer: read by dynaconf, with its environments, merging and `.secrets.*`.

Dynaconf alone would obey `SETTINGS_FILE_FOR_DYNACONF`, look for more files, read `.env` files, cast what looks like a
`@token` and run a `dynaconf_hooks.py`. Here it reads the files that were named, and nothing else.
"""

from __future__ import annotations

import os

from framework.errors import ConfigFileError, FrameworkError
from framework.files import modules
from framework.files.tables import read_table
from framework.files.text import read_file
from framework.files.trust import folder_of, inside
from framework.layers.base import Layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_LOADERS = {".toml": "toml_loader", ".yaml": "yaml_loader", ".yml": "yaml_loader", ".json": "json_loader"}


def read_settings(paths: Sequence[str], env: str) -> Layer:
    """The settings files as a layer.

    Args:
        paths: the files, later ones over earlier ones; beside each its `.local.` twin and the folder's `.secrets.*`.
        env: dynaconf's environment, such as `development`; used where the files are divided into environments.

    Raises:
        ConfigFileError: a file is missing, unreadable or malformed.
    """
    opened = {path: read_file(path) for path in _with_companions(paths)}
    texts = {path: text for path, (text, _) in opened.items()}
    read = {path: read_table(path, text=text) for path, text in texts.items()}  # our own: errors without values
    divided = any(name.lower() in ("default", env.lower()) for table, _ in read.values() for name in table)
    said = _load(texts, env, divided)
    values: dict[str, dict[str, tuple[Any, str]]] = {}
    places = {
        path: {tuple(step.lower() for step in trail): place for trail, place in found.items()}
        for path, (_, found) in read.items()
    }
    for section, table in said.items():
        if isinstance(table, dict):
            values[section.lower()] = {
                str(key).lower(): (value, _place(places, env if divided else "", section, str(key)))
                for key, value in table.items()
                if value is not None
            }
    layer = SettingsLayer("settings", paths[-1], values)
    layer.opened = {path: status for path, (_, status) in opened.items()}
    return layer


class SettingsLayer(Layer):
    """Several files in one layer: which of them holds a value, its origin says."""

    def file_of(self, origin: str) -> str:
        path, _, line = origin.rpartition(":")
        path = path if line.isdecimal() else origin.partition("#")[0]
        return next((file for file in self.opened if file == path), path)  # as it was named, or found


def read_object(path: str) -> Layer:
    """A user's own `Dynaconf` object, `module:attribute`, taken as it is.

    Raises:
        ConfigFileError: there is no such object.
    """
    module, _, attribute = path.partition(":")
    try:
        said = getattr(modules.import_module(module), attribute).as_dict()
    except modules.UntrustedModule:
        raise
    except Exception as fault:
        what = type(fault).__name__
    else:
        values = {
            str(section).lower(): {str(key).lower(): (value, path) for key, value in table.items() if value is not None}
            for section, table in said.items()
            if isinstance(table, dict)
        }
        return Layer("settings", "", values)
    raise ConfigFileError(
        f"the settings object cannot be had ({what})", where=path, hint="Write settings = 'module:attribute'."
    )


def tokens(layer: Layer) -> list[tuple[str, str, str]]:
    """The options whose text is a dynaconf `@token`, which is not evaluated: (section, key, place)."""
    return [
        (section, key, place)
        for section, options in layer.values.items()
        for key, (value, place) in options.items()
        if isinstance(value, str) and value.startswith("@") and value[1:2].isalpha()
    ]


def _with_companions(paths: Sequence[str]) -> list[str]:
    found: list[str] = []
    for path in paths:
        folder, name = folder_of(path), os.path.basename(path)
        stem, ending = os.path.splitext(name)
        if ending.lower() not in _LOADERS:
            raise ConfigFileError(
                "the ending is none that can be read", where=path, hint=f"Use one of {', '.join(_LOADERS)}."
            )
        companions = [inside(folder, f"{stem}.local{ending}"), inside(folder, f".secrets{ending}")]
        found += [path, *(file for file in companions if os.path.exists(file))]
    return list(dict.fromkeys(found))


def _load(texts: Mapping[str, str], env: str, divided: bool) -> dict[str, Any]:
    """What dynaconf makes of the files, which were read already: it opens none of them."""
    from importlib import import_module

    try:
        from dynaconf.base import Settings
    except ImportError:
        raise ConfigFileError(
            "settings_files need dynaconf", where=next(iter(texts)), hint="pip install 'framework[dynaconf]'."
        ) from None

    class Quiet(Settings):  # type: ignore[misc]
        @property
        def environ(self) -> dict[str, str]:
            return {}

    settings = Quiet(
        dynaconf_skip_loaders=True,
        dynaconf_skip_validators=True,
        ENVIRONMENTS_FOR_DYNACONF=divided,
        ENV_FOR_DYNACONF=env,
        DEFAULT_ENV_FOR_DYNACONF="default",
        MAIN_ENV_FOR_DYNACONF="main",
        FORCE_ENV_FOR_DYNACONF=None,
        ENVVAR_PREFIX_FOR_DYNACONF=False,
        AUTO_CAST_FOR_DYNACONF=False,
        YAML_LOADER_FOR_DYNACONF="safe_load",
        DOTTED_LOOKUP_FOR_DYNACONF=False,
        DYNABOXIFY=False,
    )
    for path, text in texts.items():
        loader = import_module(f"dynaconf.loaders.{_LOADERS[os.path.splitext(path)[1].lower()]}")
        try:  # what does not end as a file's name does is taken for a file's text
            loader.load(settings, env=env if divided else "_envless", filename=[f"{text}\n"])
        except FrameworkError:
            raise
        except Exception as fault:  # whatever its parsers say may hold a value
            what = type(fault).__name__
        else:
            continue
        raise ConfigFileError(f"dynaconf cannot read it ({what})", where=path, hint="Correct the file.")
    said: dict[str, Any] = settings.as_dict()
    return said


def _place(places: dict[str, dict[tuple[str, ...], str]], env: str, section: str, key: str) -> str:
    """Where a value is written: the last file that has it, the environment before `default`."""
    for path in reversed(places):
        for start in ((env.lower(),), ("default",), ("global",)) if env else ((),):
            place = places[path].get((*start, section.lower(), key.lower()))
            if place is not None:
                return place
    return next(reversed(places), "")
