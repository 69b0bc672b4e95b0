"""An application's world: its name, home, schema, config and chain. This is the only place where they are combined."""

from __future__ import annotations

import os

from framework import current, given
from framework.bound import Bound, Settings
from framework.config import Config
from framework.errors import ConfigError, FrameworkError, MetastoreError, public, warn
from framework.masking import MIN_LENGTH, configure, safe_repr, should_hide_value_for_name
from framework.names import Names
from framework.options.engine import Engine
from framework.options.schema import of_application
from framework.reads import Reads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from framework.access import AccessLog
    from framework.chain.chain import Chain
    from framework.chain.link import Link
    from framework.layers.base import Layer
    from framework.layers.environment import Environment
    from framework.metastore.store import Store
    from framework.options.pointers import Pointers
    from framework.options.values import Answer, Table

    Path = str | os.PathLike[str]

#: What an option may be if its pointer leads nowhere.
_MISSING = ("error", "placeholder")


@public
class App(Reads, Bound[Settings]):
    """One application.

        app = App("billing", schema="schema.toml", config_files=["production.toml"])
        app.conf.get("core", "port")
        app.get_connection("warehouse")

    Args:
        name: all other names come from it: `BILLING__SECTION__KEY`, `BILLING_CONN_*`, `BILLING_HOME`, `billing.cfg`.
        schema: file, mapping or settings class (itself, or its `module:Class`) that declares the options; without one,
            an installed package of the application's name is asked for its `config_templates/config.yml`.
        home: the application's home; else `BILLING_HOME`, else `~/billing`.
        config: the main cfg file; else `BILLING_CONFIG`, else `billing.cfg` in the home. A named file must exist.
        config_files: more files (cfg, TOML, YAML, JSON); later ones win, all win over the main file. In this list and
            the next two `{env}` is the environment, `*` in the last part of a path any text, and a trailing `?` lets a
            file be missing.
        settings_files: dynaconf settings files, read as one layer below `config_files`.
        dynaconf: instead of files, the application's own `Dynaconf` object, or its `module:attribute`.
        settings_environments: whether the tables of the settings files are environments; if not given, they are if one
            is called `default` or has the name of the environment.
        root_section: the section of settings outside every table; without it they are not read.
        dotenv: `.env` files; the later one wins, the real environment wins over all.
        env: the environment, such as `production`; else `BILLING_ENV`, else `development`.
        environments: the only allowed ones.
        sensitive: fnmatch patterns on `section.key` that declare more options sensitive.
        env_style: `double`, or `single`, which also reads `BILLING_SECTION__KEY`, as dynaconf and pydantic-settings
            write it. A variable with two underscores after the name wins.
        missing_secrets: `error`, or `placeholder` for a build that needs no secrets: a pointer that leads nowhere then
            gives a made-up text, with a warning.
        environ: a mapping instead of `os.environ`, read live.
        access_log: a function that is called with an entry for each read; see the guide. `BILLING_ACCESS_LOG` in the
            process environment names a file instead.
        worker: run as a worker, as in Airflow. `[workers] secrets_backend`, if it is set, replaces the backends of
            `[secrets]`, also for `_secret` pointers, and there is no metastore.

    Raises:
        ConfigError: there is no such environment.
        ConfigFileError: a named file is missing, or a file is unreadable or malformed.
        SchemaError: the schema is not valid.
    """

    _clean = ("chain",)

    def __init__(
        self,
        name: str = "framework",
        *,
        schema: Path | Mapping[str, object] | type[Settings] | None = None,
        home: Path | None = None,
        config: Path | None = None,
        config_files: Path | Iterable[Path] | None = None,
        settings_files: Path | Iterable[Path] | None = None,
        dynaconf: object = None,
        settings_environments: bool | None = None,
        root_section: str | None = None,
        dotenv: Path | Iterable[Path] | None = None,
        env: str | None = None,
        environments: str | Iterable[str] | None = None,
        sensitive: str | Iterable[str] | None = None,
        env_style: str = "double",
        missing_secrets: str = "error",
        environ: Mapping[str, str] | None = None,
        worker: bool = False,
        access_log: Callable[[dict[str, Any]], object] | None = None,
    ) -> None:
        from framework.layers.sources import Sources

        super().__init__()
        given.text(name, "name", 'For example App("billing").')
        try:
            self.names = Names(name, single=given.choice(env_style, "env_style", ("double", "single")) == "single")
        except ValueError as fault:
            raise ConfigError(str(fault), where="App(name)", hint='For example App("billing").') from None
        self.name, self.worker = name, given.flag(worker, "worker")
        self._has_placeholders = given.choice(missing_secrets, "missing_secrets", _MISSING) == "placeholder"
        self.sensitive = given.texts(sensitive, "sensitive")
        process = os.environ if environ is None else given.mapping(environ, "environ")
        getenv = process.get
        self.access = _access_log(name, self.names.prefix, process, access_log)
        self.sources = Sources(
            self.names,
            environ=environ,
            env=given.optional(given.text, env, "env"),
            environments=given.optional(given.texts, environments, "environments"),
            dotenv=given.paths(dotenv, "dotenv", getenv),
            config=given.optional(given.path, config, "config", getenv),
            config_files=given.paths(config_files, "config_files", getenv),
            settings_files=given.paths(settings_files, "settings_files", getenv),
            dynaconf=given.optional(given.dynaconf, dynaconf, "dynaconf"),
            settings_environments=given.optional(given.flag, settings_environments, "settings_environments"),
            root_section=given.optional(given.text, root_section, "root_section"),
        )
        environment = self.sources.environment()
        self.home = self.sources.home(environment, home)
        self.schema = of_application(name, self._declared(schema, getenv))
        self._read_from(environment)
        self._configure_masking()
        self._tell_doubts(environment)

    def _read_from(self, environment: Environment) -> None:
        """Make the engine and its getters, over the files that an environment names."""
        self.environment = environment
        layers = self._layers(environment)
        self.engine = self._engine_of()(
            self.names,
            self.schema,
            environment,
            layers,
            self._pointers,
            patterns=self.sensitive,
            max_level=self._max_level,
        )
        self.conf = Config(self.engine)

    def _pointers(self, table: Table) -> Pointers:
        """What follows pointers, loaded with the first one."""
        if self._has_placeholders:
            from framework.options.placeholders import Placeholders as Kind
        else:
            from framework.options.pointers import Pointers as Kind  # type: ignore[assignment]
        return Kind(
            table,
            self.environment,
            lambda: self.chain,
            lambda: self.conf.getfloat("core", "command_timeout_seconds"),
            lambda: self.conf.getboolean("secrets", "allow_token_like_names"),
            self._held,
        )

    def _engine_of(self) -> Callable[..., Engine]:
        if self.access is None:
            return Engine
        from framework.options.logged import LoggedEngine

        access = self.access
        return lambda *given, **more: LoggedEngine(access, *given, **more)

    @classmethod
    def from_project(cls, directory: Path | None = None, **more: Any) -> App:
        """The application that the `pyproject.toml` of a directory describes in `[tool.framework]`.

        Args:
            directory: is trusted, because it is named. None: the folder `FRAMEWORK_PROJECT`, or else the working
                directory, in which the file, and all that it leads to, is checked.
            more: arguments of `App` that win over the file, such as `missing_secrets`.

        Raises:
            ConfigFileError: there is none, or it is malformed or cannot be trusted.
        """
        from framework import project

        named = None if directory is None else given.path(directory, "directory")
        found = project.here(must_exist=True) if named is None else project.find(named, named=True)
        return cls(**{**({} if found is None else found.settings), **more})

    # Finding files

    def main_file(self) -> tuple[str, bool]:
        """The main cfg file, and whether it was named. Empty: none at all."""
        return self.sources.main_file(self.environment, self.home)

    def watched_files(self) -> list[str]:
        """The files whose change makes a difference."""
        return self.sources.watched(self.environment, self.home)

    def _layers(self, environment: Environment) -> list[Layer]:
        """The file layers, high to low, and the defaults; the environment says which files."""
        from framework.layers.defaults import DefaultsLayer

        layers = self.sources.layers(environment, self.home, self._hides)
        main_file = self.sources.main_file(environment, self.home)[0]
        placeholders = {self.names.home: self.home, self.names.config: main_file}
        return [*layers, DefaultsLayer(self.schema, self.names, environment, placeholders)]

    def _hides(self, section: str, key: str) -> bool:
        """Whether a value must not be shown, before there are layers."""
        from fnmatch import fnmatchcase

        option = self.schema.option(section, key)
        if option is not None and option.sensitive:
            return True
        looks_so = (option is None or option.sensitivity is None) and should_hide_value_for_name(f"{section}.{key}")
        return looks_so or any(fnmatchcase(f"{section}.{key}", pattern.lower()) for pattern in self.sensitive)

    # The chain

    @property
    def chain(self) -> Chain:
        """Custom backends -> environment -> metastore, built when it is first needed."""
        chains = self.engine.reading.chains
        if not chains:
            self._build_chain(chains)
        return chains[0]  # threads that start together share the first one, and with it its clients and what it keeps

    @public
    def _build_chain(self, chains: list[Chain]) -> None:
        from framework.assembly import build_chain

        chains.append(build_chain(self))

    def custom_links(self) -> list[Link]:
        """The application's own backends, in order."""
        from framework.assembly import custom_links

        return custom_links(self)

    def _max_level(self, section: str, key: str) -> int | None:
        """Which levels of the chain may answer for an option's pointer; None: all of them."""
        from framework.assembly import max_level

        return max_level(self, section, key)

    @property
    def store(self) -> Store:
        """The metastore, for writing.

        Raises:
            MetastoreError: there is none.
        """
        if self.worker:
            raise MetastoreError("a worker has no metastore", where=f"App({self.name!r}, worker=True)")
        backend = self.chain.metastore.backend
        if not hasattr(backend, "store"):
            raise MetastoreError(
                "there is no metastore", where="[database] sql_alchemy_conn is empty", hint="Set it to a database URL."
            )
        store: Store = backend.store
        return store

    def answer(self, section: str, key: str) -> Answer:
        """The option with its origin.

        Raises:
            OptionNotFound: the option is not set.
        """
        return self.engine.required(section, key)

    def reload(self) -> None:
        """Read the files again, and forget all that was found before: pointers, links, kept values.

        The files are looked up again: patterns may match others, and `BILLING_ENV` may have changed.
        Nothing that was asked before, and is answered later, is kept. The schema and the home stay. `settings` that
        were asked for are made and checked first. If anything fails, nothing has changed. Functions that were passed to
        `on_change` are called afterwards.

        Raises:
            ConfigError: a file cannot be read, or what is set does not fit the class of `settings`.
        """
        self._reload(lambda trial: None)

    def _reload(self, check: Callable[[App], None]) -> None:
        """`reload`, after a check of what this application will become, which may raise an error."""
        from copy import copy

        with self._changing:  # of two at once, the one that began last wins
            known = [(one, one.values()) for one in self._all_following]
            trial = copy(self)
            trial._read_from(self.sources.environment())
            self._check_settings(trial)
            check(trial)
            self._tell_doubts(trial.environment)  # before anything changes: a warning may be an error here
            trial.engine.reading.chains.clear()  # their links ask the trial
            self.environment.become(trial.environment)
            self.engine.become(trial.engine)
        from framework.logs import INFO, log

        log(INFO, "%s: its files were read again", self.name)
        self._configure_masking()
        if self.engine.holds_secrets():
            self._follow_secrets()
        for following, before in known:
            following.reloaded(before)

    @staticmethod
    def _tell_doubts(environment: Environment) -> None:
        for place, what in environment.doubts:
            warn(f"{place}: {what}")

    def use(self) -> App[Settings]:
        """Make this the application that `framework.conf`, `Connection.get` and `Variable` speak of."""
        current.use(self)
        self._configure_masking()
        return self

    def _configure_masking(self) -> None:
        """Apply Airflow's options about masking, if the schema declares them.

        The masker is one for the process: the application that was made, used or reloaded last counts. A value that
        makes no sense is the default here; `check` names it.
        """
        if self.schema.option("core", "sensitive_var_conn_names") is None:
            return

        def read(get: Callable[..., Any], section: str, key: str, default: Any) -> Any:
            try:
                return get(section, key, fallback=default)
            except FrameworkError:
                return default

        configure(
            names=read(self.conf.getlist, "core", "sensitive_var_conn_names", []),
            hide_names=read(self.conf.getboolean, "core", "hide_sensitive_var_conn_fields", True),
            min_length=read(self.conf.getint, "logging", "min_length_masked_secret", MIN_LENGTH),
            app=self.name,
        )

    @safe_repr
    def __repr__(self) -> str:
        return f"<App {self.name} in {self.home}>"


def _access_log(name: str, prefix: str, process: Mapping[str, str], write: Any) -> AccessLog | None:
    if write is None and not process.get(f"{prefix}_ACCESS_LOG"):
        return None
    from framework.access import of_application

    if write is not None and not callable(write):
        raise given.wrong(write, "access_log", "a function that takes an entry")
    return of_application(name, prefix, process, write)
