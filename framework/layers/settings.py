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
from framework.layers.data import file_sections
from framework.layers.environment import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

_LOADERS = {".toml": "toml_loader", ".yaml": "yaml_loader", ".yml": "yaml_loader", ".json": "json_loader"}


#: Tables of a settings file that are in every environment. Dynaconf says `dynaconf` for `default` as well.
_SHARED = ("default", "dynaconf", "global")
#: Tables that are probably environments.
_USUAL = ("development", "testing", "staging", "production")


def read_settings(
    paths: Sequence[str],
    env: str,
    divided: bool | None = None,
    root_section: str | None = None,
    environments: Sequence[str] | None = None,
) -> tuple[Layer, str]:
    """The settings files as a layer, and what is probably a mistake about environments; empty if nothing is.

    Args:
        paths: the files, later ones over earlier ones, with their companions.
        env: dynaconf's environment, such as `development`; used where the files are divided into environments.
        divided: whether they are; None: they are if one of their tables is `default` or called like `env`.
        root_section: the section of the settings outside every table.
        environments: the only ones that there are, or None for any.

    Raises:
        ConfigFileError: a file is missing, unreadable or malformed.
    """
    opened = {path: read_file(path) for path in paths}
    texts = {path: text for path, (text, _) in opened.items()}
    read = {path: read_table(path, text=text) for path, text in texts.items()}  # our own: errors without values
    tables = {str(name).lower() for table, _ in read.values() for name, inner in table.items() if not _is_plain(inner)}
    is_divided = bool({"default", env.lower()} & tables) if divided is None else divided
    settings = _load(texts, env, is_divided)
    places = _Places({path: found for path, (_, found) in read.items()}, env if is_divided else "")
    layer = SettingsLayer("settings", paths[-1], settings, root_section, places.find)
    if is_divided:
        layer.unread += _outside_of_environments(read, environments)
    layer.opened = {path: status for path, (_, status) in opened.items()}
    return layer, "" if env.lower() in tables else _doubt(tables, env, divided, is_divided)


def _outside_of_environments(
    read: Mapping[str, tuple[Mapping[str, object], Mapping[tuple[str, ...], str]]], environments: Sequence[str] | None
) -> Iterator[tuple[str, str]]:
    """What dynaconf never reads in files that are divided into environments, as (place, what)."""
    known = {*_SHARED, *(name.lower() for name in environments or ())}
    for path, (table, places) in read.items():
        for key, value in table.items():
            name = str(key).lower()
            place = next((place for trail, place in places.items() if trail[:1] == (str(key),)), path)
            if _is_for_anchors(name, place):
                continue
            if _is_plain(value) and not _is_dynaconfs(name):
                yield place, f"{name} is outside every environment, and not read: put it under [default]"
            elif not _is_plain(value) and environments is not None and name not in known:
                yield place, f"[{name}] is not read: there is no environment of that name ({', '.join(environments)})"


def _is_plain(value: object) -> bool:
    """Whether a value cannot be a table: an empty section of YAML is one."""
    return value is not None and not isinstance(value, dict)


def _doubt(tables: set[str], env: str, divided: bool | None, is_divided: bool) -> str:
    """The warning where no table is of the environment `env`; empty if there is nothing to warn about."""
    others = [name for name in tables if name not in _SHARED and (is_divided or name in _USUAL)]
    if not others:
        return ""
    near = nearest(env.lower(), others)
    what = f"no settings file has a table for the environment {env!r}, only for {', '.join(sorted(others))}."
    if divided is None and not is_divided:
        return f"{what} If these are environments, write settings_environments = true, or else false."
    return f"{what} Did you mean {near}?" if near else f"{what} Correct the name, or list it in environments = […]."


class SettingsLayer(Layer):
    """Several files in one layer: which of them holds a value, its origin says.

    Attributes:
        unread: settings that are not read, as (place, what).
    """

    __slots__ = ("unread",)

    def __init__(
        self,
        name: str,
        path: str,
        settings: Mapping[str, object],
        root_section: str | None,
        place_of: Callable[[tuple[str, ...]], str],
    ) -> None:
        values: dict[str, dict[str, tuple[object, str]]] = {}
        self.unread: list[tuple[str, str]] = []
        settings = {
            key: value for key, value in settings.items() if not _is_for_anchors(str(key), place_of((str(key),)))
        }
        for key, value in settings.items():
            if isinstance(value, dict):
                file_sections(values, (str(key),), value, place_of)
        root = None if root_section is None else values.setdefault(root_section.lower(), {})
        for key, value in settings.items():
            place = place_of((str(key),))
            if isinstance(value, dict) or value is None or _is_dynaconfs(str(key).lower()):
                continue
            if root is None:
                what = f"{str(key).lower()} is outside every table, and not read: set root_section, a section for it"
                self.unread.append((place, what))
            elif str(key).lower() in root:
                what = f"[{root_section}] {str(key).lower()} is also written outside every table"
                raise ConfigFileError(what, where=place, hint="Keep one of the two, or choose another root_section.")
            else:
                root[str(key).lower()] = value, place
        super().__init__(name, path, values)

    def file_of(self, origin: str) -> str:
        path, _, line = origin.rpartition(":")
        path = path if line.isdecimal() else origin.partition("#")[0]
        return next((file for file in self.opened if file == path), path)  # as it was named, or found


def _is_dynaconfs(key: str) -> bool:
    """Whether a setting is for dynaconf itself."""
    return key.startswith("dynaconf_") or key.endswith("_for_dynaconf") or key == "load_dotenv"


def read_object(given: Any, root_section: str | None, hides: Callable[[str, str], bool]) -> Layer:
    """A user's own `Dynaconf` object, itself or its `module:attribute`, taken as it is.

    Args:
        given: the object, or where it is.
        root_section: the section of the settings outside every table.
        hides: whether the value of an option, (section, key), must not be shown.

    Raises:
        ConfigFileError: there is no such object, or one of its validators fails.
    """
    path = given if isinstance(given, str) else f"the {type(given).__name__} object"
    module, _, attribute = path.partition(":")
    try:
        settings = (getattr(modules.import_module(module), attribute) if given is path else given).as_dict()
    except FrameworkError:  # it says itself what is wrong, as an untrusted module does
        raise
    except Exception as fault:
        what, failed = type(fault).__name__, _failed(fault, root_section, hides)
        if given is path and isinstance(fault, ImportError):
            from framework.convert import why_not_imported

            what = why_not_imported(fault, module)
    else:
        return SettingsLayer("settings", "", settings, root_section, lambda trail: path)
    if failed:
        raise ConfigFileError(f"a validator of the settings fails: {failed}", where=path, hint="Correct the setting.")
    raise ConfigFileError(
        f"the settings object cannot be loaded ({what})", where=path, hint="Write dynaconf = 'module:attribute'."
    )


def _failed(fault: Exception, root_section: str | None, hides: Callable[[str, str], bool]) -> str:
    """What failing validators say, each in its own words; empty if it is another error.

    What they say holds values. A value is shown if it is a plain word or number and no secret.
    """
    import re
    import sys

    validators = sys.modules.get("dynaconf.validator")
    if validators is None or not isinstance(fault, validators.ValidationError):
        return ""

    def in_order(text: str, names: Sequence[str]) -> str:
        secret = any(hides(*_option(name, root_section)) for name in names)

        def value(found: re.Match[str]) -> str:
            shown = not secret and re.fullmatch(r"[\w.+-]{1,40}", found[2])
            return f"{found[1]}{found[2] if shown else '< hidden >'}{found[3]}"

        text = re.sub(r"(?s)( but it is )(.*?)( in env )", value, text)
        return re.sub(r"(?s)( invalid for \S+?\()(.*?)(\) in env )", value, text)

    lines = []
    for validator, message in fault.details:
        names = [str(name) for name in _names_of(validator)]
        if any("{value" in text for text in _own_words(validator)):  # it is not known where in it the value is
            lines.append(f"that of {', '.join(names)}, whose message holds the value")
        else:
            lines.append(in_order(str(message), names))
    return "; ".join(lines) or "its message is not shown"


def _names_of(validator: object) -> Iterator[str]:
    """The settings of a validator, also of one that is made of two."""
    yield from getattr(validator, "names", None) or ()
    for inner in getattr(validator, "validators", None) or ():
        yield from _names_of(inner)


def _own_words(validator: object) -> Iterator[str]:
    """The messages that its author wrote."""
    usual = getattr(validator, "default_messages", {})
    for name, text in (getattr(validator, "messages", None) or {}).items():
        if text != usual.get(name):
            yield str(text)
    for inner in getattr(validator, "validators", None) or ():
        yield from _own_words(inner)


def _option(name: str, root_section: str | None) -> tuple[str, str]:
    section, _, key = name.lower().replace("__", ".").rpartition(".")
    return section or root_section or "", key


def tokens(layer: Layer) -> list[tuple[str, str, str]]:
    """The options whose text is a dynaconf `@token`, which is not evaluated: (section, key, place)."""
    return [
        (section, key, place)
        for section, options in layer.values.items()
        for key, (value, place) in options.items()
        if isinstance(value, str) and value.startswith("@") and value[1:2].isalpha()
    ]


def companions(path: str) -> list[str]:
    """The files beside a settings file that are read after it, if they are there.

    Raises:
        ConfigFileError: unsupported file extension.
    """
    folder, name = folder_of(path), os.path.basename(path)
    stem, ending = os.path.splitext(name)
    if ending.lower() not in _LOADERS:
        raise ConfigFileError("unsupported file extension", where=path, hint=f"Use one of {', '.join(_LOADERS)}.")
    return [inside(folder, f"{stem}.local{ending}"), inside(folder, f".secrets{ending}")]


def _load(texts: Mapping[str, str], env: str, divided: bool) -> dict[str, object]:
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
        NESTED_SEPARATOR_FOR_DYNACONF="__",
        DOTTED_LOOKUP_FOR_DYNACONF=True,
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
    values: dict[str, Any] = settings.as_dict()
    del values["DYNABOXIFY"]
    return values


class _Places:
    """Where values are written, in files that may write `a__b` for `b` in the table `a`.

    Args:
        places: for each file the trails of its keys, with their places.
        env: the environment, if the files are divided into environments.
    """

    def __init__(self, places: Mapping[str, Mapping[tuple[str, ...], str]], env: str) -> None:
        self._places = {
            path: {_plain(trail): place for trail, place in found.items()} for path, found in places.items()
        }
        self._starts: tuple[tuple[str, ...], ...] = (("global",), _plain((env,)), ("dynaconf",), ("default",))
        self._starts = self._starts if env else ((),)

    def find(self, trail: tuple[str, ...]) -> str:
        """The last file that has it, in it the environment before `default`."""
        plain = _plain(trail)
        for path in reversed(self._places):
            for start in self._starts:
                place = self._places[path].get((*start, *plain))
                if place is not None:
                    return place
        return next(reversed(self._places), "")


def _plain(trail: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(piece for step in trail for piece in step.lower().replace("__", ".").split("."))


def _is_for_anchors(name: str, place: str) -> bool:
    """Whether a table of YAML only holds what aliases repeat elsewhere."""
    return name.lower().startswith(("x-", ".")) and place.rpartition(":")[0].lower().endswith((".yaml", ".yml"))
