"""What an application is read from: in which environment it runs, and which files take part there."""

from __future__ import annotations

import os

from framework import given
from framework.errors import ConfigError, ConfigFileError
from framework.files import trust
from framework.files.lists import PLACEHOLDER, Look, environments_with_files, is_absent, look_for
from framework.layers.environment import DEFAULT, USUAL, DotEnv, Environment, config_in, home_in, is_name, nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from framework.layers.base import Layer
    from framework.names import Names

#: Words in file names at the place of an environment's name, in files that belong to no environment.
_NEVER = frozenset(
    ("pyproject", "schema", "base", "default", "defaults", "common", "local", "example", "sample", "template", "dist")
)


class Sources:
    """The files of an application. Nothing is kept of what is in them.

    Args:
        names: the spellings of the application.
        environ: a mapping instead of `os.environ`.
        env: the environment that was given to the application, if any.
        environments: the only ones that there are, or None for any.
        dotenv, config_files, settings_files: entries, see `files/lists.py`.
        config: the main cfg file, if it was given.
        dynaconf: a `Dynaconf` object, or its `module:attribute`.
        settings_environments: whether the tables of the settings files are environments; None: as they look.
        root_section: the section of settings outside every table.
    """

    def __init__(
        self,
        names: Names,
        *,
        environ: Mapping[str, str] | None,
        env: str | None,
        environments: Sequence[str] | None,
        dotenv: Sequence[str],
        config: str | None,
        config_files: Sequence[str],
        settings_files: Sequence[str],
        dynaconf: object,
        settings_environments: bool | None,
        root_section: str | None,
    ) -> None:
        self.names, self._environ, self._env, self._config = names, environ, env or "", config
        self._dotenv, self._config_files, self._settings_files = dotenv, config_files, settings_files
        #: The project file that was looked for, if any was.
        self.project = ""
        self._dynaconf, self._divided, self.root_section = dynaconf, settings_environments, root_section
        self._place = getattr(environments, "place", "") or f"App({names.app!r}, environments=…)"
        self.environments = None if environments is None else list(environments)
        if self.environments is not None and not all(map(is_name, self.environments or [""])):
            raise ConfigError("environments must be a list of names", where=self._place, hint=_SPELLING)

    # Which environment

    def environment(self) -> Environment:
        """The variables of the process and the `.env` files, and which environment they say this is.

        It is the one that was given, or else of the process, or else of a `.env` file whose own name does not depend
        on it, or else `development`.

        Raises:
            ConfigError: there is no such environment.
            ConfigFileError: a `.env` file is missing, unreadable or malformed, or names another environment.
        """
        made = Environment(self._environ)
        made.given = self.names.env if self._env else ""
        env, place = self._env or made.find_in_process(self.names.env)[0], _GIVEN if self._env else self.names.env
        if env:  # before a file is read
            self._accept(env, place)
        fixed = [None if _depends(entry) else _read(entry, "") for entry in self._dotenv]
        if not env:
            env, place = self._named_in(fixed) or (DEFAULT, "")
            self._accept(env, place)
        every = [_read(entry, env) if read is None else read for entry, read in zip(self._dotenv, fixed, strict=True)]
        made.env = env
        for entry, read in zip(reversed(self._dotenv), reversed(every), strict=True):
            for look, file in reversed(read):
                made.looks.append(look)
                if file is not None:
                    made.dotenv.append(file)
                    if _depends(entry):
                        self._refuse_another(env, file)
        if self.environments is None:
            made.doubts += self._without_files(env, place)
        return made

    def _named_in(self, read: Iterable[list[tuple[Look, DotEnv | None]] | None]) -> tuple[str, str] | None:
        """The environment that the last of these `.env` files names, and where."""
        found = [file.find(self.names.env) for files in read for _, file in files or () if file is not None]
        return next(((text, place) for text, place in reversed(found) if text), None)

    def _accept(self, env: str, place: str) -> None:
        if not is_name(env):
            raise ConfigError(f"{env!r} cannot be the name of an environment", where=place, hint=_SPELLING)
        if self.environments is None or env in self.environments:
            return
        there_are = f"the environments are {', '.join(self.environments)} ({self._place})"
        if not place:
            what = f"no environment is selected, and {DEFAULT} is not one of them: {there_are}"
            raise ConfigError(what, where=self.names.env, hint=f"Pass --env NAME, or set {self.names.env}.")
        what = f"there is no environment {env!r}; {there_are}"
        near = nearest(env, self.environments)
        raise ConfigError(what, where=place, hint=f"Did you mean {near}?" if near else "Use one of them.")

    def _refuse_another(self, env: str, file: DotEnv) -> None:
        text, place = file.find(self.names.env)
        if text and text != env:
            what = f"this file is read because the environment is {env}, but it sets the environment to {text!r}"
            raise ConfigFileError(what, where=place, hint=f"Remove {self.names.env} from it.")

    def _without_files(self, env: str, place: str) -> Iterable[tuple[str, str]]:
        """The warning if no file is of this environment, and some are of others."""
        every = (*self._dotenv, *self._config_files, *self._settings_files)
        entries = [entry for entry in every if _depends(entry)]
        if any(look.found for entry in entries for look in look_for("", entry, env)):
            return
        # With `main.toml` and `{env}.toml`, main is not an environment.
        named = {look.path for entry in every if not _depends(entry) for look in look_for("", entry, env)}
        found = {
            word
            for entry in entries
            for word in environments_with_files(entry)
            if is_name(word) and not {look.path for look in look_for("", entry, word) if look.found} <= named
        }
        others = [word for word in found if (word not in _NEVER if place else word in USUAL)]
        if not others:
            return
        looked_for = ", ".join(dict.fromkeys(map(_written, entries)))
        what = f"no file {looked_for} exists for the environment {env!r}, only for {', '.join(sorted(others))}."
        near = nearest(env, others)
        if not place:
            what = f"no environment is named, so it is {env!r}, and {what} Pass --env NAME, or set {self.names.env}."
        elif near:
            what += f" Did you mean {near}?"
        yield place or self.names.env, f"{what} If {env!r} is right, list it in environments = […]."

    # Which files

    def home(self, environment: Environment, named: str | os.PathLike[str] | None) -> str:
        """The application's home: as given, or as the environment says, or a folder of its name in the user's."""
        if named is None:
            return home_in(environment, self.names)
        from framework.convert import expand

        getenv = environment.get
        return given.path(
            trust.with_trust_of(named, expand(named, getenv)) if isinstance(named, str) else named, "home", getenv
        )

    def main_file(self, environment: Environment, home: str) -> tuple[str, bool]:
        """The main cfg file, and whether it was named."""
        named = self._config or config_in(environment, self.names)
        if named is not None:
            return named, True
        return trust.with_trust_of(home, os.path.join(home, self.names.cfg())), False

    def layers(self, environment: Environment, home: str, hides: Callable[[str, str], bool]) -> list[Layer]:
        """The file layers, high to low. What was looked for is noted in `environment`.

        Args:
            environment: says which files.
            home: the application's home.
            hides: whether the value of an option, (section, key), must not be shown.

        Raises:
            ConfigFileError: a file is missing, unreadable or malformed.
        """
        layers: list[Layer] = []
        for entry in reversed(self._config_files):
            for look in reversed(look_for("config file", entry, environment.env)):
                environment.looks.append(look)
                if not _is_there(look, environment.env):
                    continue
                if os.path.splitext(look.path)[1].lower() in (".toml", ".yaml", ".yml", ".json"):
                    from framework.layers.data import read_layer

                    layers.append(read_layer(look.path))
                else:
                    layers.append(_cfg_layer("config file", look.path))
        if self._settings_files or self._dynaconf is not None:
            layers += self._settings_layers(environment, hides)
        path, named = self.main_file(environment, home)
        look = Look("main cfg", path, path, found=not is_absent(path), must_exist=named)
        environment.looks.append(look)
        if look.wanted:
            layers.append(_cfg_layer("main cfg", path))
        return layers

    def watched(self, environment: Environment, home: str) -> list[str]:
        """The files whose change makes a difference: those that were looked for, and what patterns match by now."""
        paths = dict.fromkeys(look.path for look in environment.looks)
        for entry in (*self._dotenv, *self._config_files, *self._settings_files):
            try:
                paths.update(dict.fromkeys(look.path for look in look_for("", entry, environment.env)))
            except ConfigFileError:  # its folder is gone: a reload says so
                paths[f"{_written(entry)} "] = None
        return list(paths)

    def _settings_layers(self, environment: Environment, hides: Callable[[str, str], bool]) -> Iterable[Layer]:
        from framework.layers import settings

        if self._dynaconf is not None and self._settings_files:
            where = f"App({self.names.app!r})"
            raise ConfigFileError(
                "dynaconf and settings_files are both given", where=where, hint="Use only one of them."
            )
        if self._dynaconf is not None:
            yield settings.read_object(self._dynaconf, self.root_section, hides)
            return
        looks: dict[str, Look] = {}
        for entry in self._settings_files:
            for look in look_for("settings", entry, environment.env):
                looks.setdefault(look.path, look)
                for path in settings.companions(look.path) if _is_there(look, environment.env) else ():
                    looks.setdefault(
                        path, Look("settings", path, look.written, found=not is_absent(path), must_exist=False)
                    )
        environment.looks += reversed(looks.values())
        paths = [look.path for look in looks.values() if look.found]
        if paths:
            layer, doubt = settings.read_settings(
                paths, environment.env, self._divided, self.root_section, self.environments
            )
            if doubt and environment.env not in (self.environments or ()):
                environment.doubts.append((self._chosen_by(environment), doubt))
            yield layer

    def _chosen_by(self, environment: Environment) -> str:
        return _GIVEN if environment.given else environment.find(self.names.env)[1]


_GIVEN = "--env, or App(env=)"
_SPELLING = "Use letters, digits, '_', '.' and '-', with a letter or digit first."


def _written(entry: str) -> str:
    return getattr(entry, "written", entry)


def _depends(entry: str) -> bool:
    return PLACEHOLDER in _written(entry)


def _is_there(look: Look, env: str) -> bool:
    """Whether a file is there to be read.

    Raises:
        ConfigFileError: it is missing, and must not be.
    """
    if look.found or not look.wanted:
        return look.found
    which = f"The environment is {env!r}. " if PLACEHOLDER in look.written else ""
    hint = f"{which}Create it, correct the path, or write {look.written}? if it may be missing."
    raise ConfigFileError("the file does not exist", where=look.path, hint=hint)


def _read(entry: str, env: str) -> list[tuple[Look, DotEnv | None]]:
    """The `.env` files of an entry."""
    return [(look, DotEnv(look.path) if _is_there(look, env) else None) for look in look_for(".env", entry, env)]


def _cfg_layer(name: str, path: str) -> Layer:
    from framework.layers.cfg import CfgLayer

    return CfgLayer(name, path)
