"""An application's world: its name, home, schema, config and chain. The only place where they are put together."""

from __future__ import annotations

import os

from framework import backends, current, project
from framework.answer import Answer
from framework.backends.base import BaseSecretsBackend
from framework.chain import ENVIRONMENT, METASTORE, Chain, Link
from framework.config import Config
from framework.engine import Engine
from framework.environment import DotEnv, Environment
from framework.errors import BackendError, ConfigError, ConfigFileError, MetastoreError, warn
from framework.layers.base import Layer
from framework.masking import add_mask, configure, should_hide_value_for_name
from framework.names import Names
from framework.pointers import Pointers, parse_reference
from framework.schema import of_application
from framework.variable import UNSET, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from framework.connection import Connection
    from framework.metastore.store import Store


class App:
    """One application.

        app = App("billing", schema="schema.toml", config_files=["production.toml"])
        app.conf.get("core", "port")
        app.get_connection("warehouse")

    Args:
        name: gives every spelling: `BILLING__SECTION__KEY`, `BILLING_CONN_*`, `BILLING_HOME`, `billing.cfg`.
        schema: file or mapping that declares the options; without one, an installed package of the application's
            name is asked for its `config_templates/config.yml`.
        home: the application's home; else `BILLING_HOME`, else `~/billing`.
        config: the main cfg file; else `BILLING_CONFIG`, else `billing.cfg` in the home. Named, it must exist.
        config_files: more files (cfg, TOML, YAML, JSON); later ones win, all win over the main file.
        settings_files: dynaconf settings files, read as one layer below `config_files`.
        settings: a `Dynaconf` object of the application's own, `module:attribute`, instead.
        dotenv: `.env` files; the later one wins, the real environment wins over all.
        sensitive: fnmatch patterns on `section.key` that declare more options sensitive.
        environ: a mapping instead of `os.environ`, read live.

    Raises:
        ConfigFileError: a named file is missing, or a file is unreadable or malformed.
        SchemaError: the schema says something that cannot be.
    """

    def __init__(
        self,
        name: str = "framework",
        *,
        schema: str | Mapping[str, Any] | None = None,
        home: str | None = None,
        config: str | None = None,
        config_files: Sequence[str] | None = None,
        settings_files: Sequence[str] | None = None,
        settings: str | None = None,
        dotenv: str | Sequence[str] | None = None,
        sensitive: Sequence[str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        try:
            self.names = Names(name)
        except ValueError as fault:
            raise ConfigError(str(fault), where="App(name)", hint='For example App("billing").') from None
        self.name = name
        self._dotenv = [dotenv] if isinstance(dotenv, str) else list(dotenv or ())
        self._config, self._config_files = config, list(config_files or ())
        self._settings_files, self._settings = list(settings_files or ()), settings
        self.environment = Environment(environ, self._dotenv)
        self.home = self._home(home)
        self.schema = of_application(name, schema)
        self._chain: Chain | None = None
        self._pointers = Pointers(self.environment, lambda: self.chain, self._command_timeout)
        self.engine = Engine(
            self.names,
            self.schema,
            self.environment,
            self._layers(),
            self._pointers,
            patterns=sensitive or (),
            reach=self._reach,
        )
        self.conf = Config(self.engine)

    @classmethod
    def from_project(cls, directory: str = ".") -> App:
        """The application that the `pyproject.toml` of a directory describes in `[tool.framework]`.

        Raises:
            ConfigFileError: there is none, or it is malformed.
        """
        here = project.find(directory, named=True)
        assert here is not None, "a named project is found or an error"
        return cls(**here.said)

    # Finding files

    def _home(self, home: str | None) -> str:
        from framework.convert import expand

        if home is None:
            home = self.environment.get(self.names.home)
        text: str = expand(f"~/{self.name}" if home is None else home, self.environment.get)
        return text

    def main_file(self) -> tuple[str, bool]:
        """The main cfg file, and whether somebody named it. Empty: none at all."""
        from framework.convert import expand

        named = self._config
        if named is None:
            named = expand(self.environment.get(self.names.config), self.environment.get)  # as in Airflow
        return (os.path.join(self.home, self.names.cfg()), False) if named is None else (named, True)

    def _layers(self) -> list[Layer]:
        """The file layers, high to low, and the defaults."""
        from framework.layers.cfg import CfgLayer

        layers: list[Layer] = []
        for path in reversed(self._config_files):
            if os.path.splitext(path)[1].lower() in (".toml", ".yaml", ".yml", ".json"):
                from framework.layers.data import read_layer

                layers.append(read_layer(path))
            else:
                layers.append(CfgLayer("config file", path, self.environment))
        if self._settings_files or self._settings:
            layers.append(self._settings_layer())
        path, named = self.main_file()
        if path and (named or os.path.exists(path)):
            layers.append(CfgLayer("main cfg", path, self.environment))
        layers.append(self._defaults())
        return layers

    def _settings_layer(self) -> Layer:
        from framework.layers import settings

        if self._settings and self._settings_files:
            raise ConfigFileError(
                "settings and settings_files are both given", where=f"App({self.name!r})", hint="Give one of them."
            )
        if self._settings:
            return settings.read_object(self._settings)
        return settings.read_settings(self._settings_files, self.environment.get(self.names.env) or "development")

    def _defaults(self) -> Layer:
        from framework.layers.defaults import DefaultsLayer

        values: dict[str, dict[str, tuple[Any, str]]] = {}
        for option in self.schema:
            if option.default is not None:
                default = option.default
                if isinstance(default, (bool, int, float)):
                    default = str(default)  # as Airflow's parser has it; value() makes it typed again
                if option.own:
                    default = default.replace("{HOME}", f"{{{self.names.home}}}").replace("{APP}", self.name)
                values.setdefault(option.section, {})[option.name] = (default, "default")
        return DefaultsLayer(
            values, self.environment, {self.names.home: self.home, self.names.config: self.main_file()[0]}
        )

    # The chain

    @property
    def chain(self) -> Chain:
        """Custom backends -> environment -> metastore, built when it is first needed."""
        if self._chain is None:
            self._chain = self._build_chain()
        return self._chain

    def _build_chain(self) -> Chain:
        links = self.custom_links()
        links.append(Link("environment", ENVIRONMENT, self._make_environment_link))
        links.append(Link("metastore", METASTORE, self._make_metastore_link))
        return Chain(
            links,
            on_failure=lambda: str(self.conf.value("secrets", "on_failure")),
            config_links=lambda: self.conf.getlist("secrets", "config_links"),
        )

    def custom_links(self) -> list[Link]:
        """The application's own backends, in order."""
        return [
            Link(_link_name(section, self.conf.get(section, "backend")), stratum, self._maker(section), custom=True)
            for stratum, section in enumerate(self.backend_sections(), 1)
        ]

    def backend_sections(self) -> list[str]:
        """The sections that describe the custom backends, in order.

        Raises:
            BackendError: `backend` and `backends` are both set, or a name is given twice.
        """
        names = self.conf.getlist("secrets", "backends")
        backend = self.conf.get("secrets", "backend")
        if names and backend:
            raise BackendError(
                "backend and backends are both set",
                where=f"{self.answer('secrets', 'backend').mention.origin}: [secrets]",
                hint="Name the one in backends as well.",
            )
        if len(set(names)) < len(names):
            where = f"{self.answer('secrets', 'backends').mention.origin}: [secrets] backends"
            raise BackendError("a name is given twice", where=where, hint="Name each once.")
        return [f"secrets.{name.lower()}" for name in names] if names else ["secrets"] if backend else []

    def _maker(self, section: str) -> Any:
        ours = {
            "airflow.secrets.environment_variables.EnvironmentVariablesBackend": self._make_environment_link,
            "airflow.secrets.metastore.MetastoreBackend": self._make_metastore_link,
        }
        return ours.get(self.conf.get(section, "backend").strip()) or (lambda: backends.build(self, section))

    def _make_environment_link(self) -> Any:
        from framework.backends.env_link import EnvironmentVariablesBackend

        return EnvironmentVariablesBackend(self.names, self.environment, self.references)

    def _make_metastore_link(self) -> Any:
        url = self.conf.get("database", "sql_alchemy_conn")
        if not url:
            return BaseSecretsBackend()  # serves nothing
        from framework.backends.metastore_link import MetastoreBackend
        from framework.metastore import database
        from framework.metastore.crypto import Keys
        from framework.metastore.store import Store

        ours = (option := self.schema.option("database", "sql_alchemy_conn")) is None or option.own
        keys = Keys(lambda: self.conf.get("core", "fernet_key", fallback=""))
        try:
            return MetastoreBackend(Store(database.open(url, create=ours), keys))
        except BackendError as fault:
            fault.where = f"{self.answer('database', 'sql_alchemy_conn').mention.origin}: {fault.where}"
            raise

    def _reach(self, section: str, key: str) -> int | None:
        """Which strata may answer for an option that a link is built from: those below that link."""
        if (section, key) in (("core", "fernet_key"), ("database", "sql_alchemy_conn")):
            return METASTORE
        if section.partition(".")[0] == "secrets" and key.startswith("backend_kwarg"):
            sections = self.backend_sections()
            return sections.index(section) + 1 if section in sections else 1
        return None

    def _command_timeout(self) -> float:
        return self.conf.getfloat("core", "command_timeout_seconds")

    def references(self) -> Iterator[str]:
        """The config secrets that the configuration refers to, in any layer."""
        for section, key in self.engine.entries():
            for mention in self.engine.mentions(section, key):
                if mention.form == "secret":
                    try:
                        yield parse_reference(
                            mention.source.reference(mention.raw, section, f"{key}_secret", mention.origin)
                        ).name
                    except (ValueError, ConfigError):
                        continue  # told when it is followed

    @property
    def store(self) -> Store:
        """The metastore, for writing.

        Raises:
            MetastoreError: there is none.
        """
        backend = self.chain.links[-1].backend
        if not hasattr(backend, "store"):
            raise MetastoreError(
                "there is no metastore", where="[database] sql_alchemy_conn is empty", hint="Set it to a database URL."
            )
        store: Store = backend.store
        return store

    # What applications call

    def get_connection(self, conn_id: str) -> Connection:
        """The connection from the first link that has it; its password and secret extras are masked from now on.

        Raises:
            ConnectionNotFound: every link was asked.
            SecretsError: a link failed.
        """
        connection, _ = self.chain.connection(conn_id)
        for secret in connection.secrets():
            add_mask(secret)
        return connection

    def get_variable(self, key: str, default: Any = UNSET, deserialize_json: bool = False) -> Any:
        """The variable from the first link that has it; see `Variable.get`."""
        return read(self, key, default, deserialize_json)

    def hide_variable(self, key: str, value: Any) -> None:
        """Mask a variable's value from now on if its key looks like a secret's."""
        if should_hide_value_for_name(key):
            add_mask(value)

    def list_names(self, kind: str) -> list[str]:
        """The names of one kind that the links can list, sorted, each once.

        Raises:
            SecretsError: a link failed.
        """
        return sorted({name for link in self.chain.links for name in self.chain.names_of(link, kind)})

    def warn_if_shadowed(self, kind: str, key: str) -> None:
        """Warn if a link before the metastore has the key, so that a write would not be read."""
        link = self.chain.shadowing(kind, key)
        if link is not None:
            warn(
                f"the {kind} {key!r} is written to the metastore, but the link {link} has it too and is asked first: "
                "reads still return that one"
            )

    def answer(self, section: str, key: str) -> Answer:
        """The option with its origin.

        Raises:
            OptionNotFound: nobody writes it.
        """
        return self.engine.required(section, key)

    def reload(self) -> None:
        """Read the files again, and forget every pointer, link and cached value."""
        self.environment.dotenv = [DotEnv(path) for path in reversed(self._dotenv)]
        self.engine.load(self._layers())
        self._chain = None

    def use(self) -> App:
        """Make this the application that `framework.conf`, `Connection.get` and `Variable` speak of."""
        current.use(self)
        self._configure_masking()
        return self

    def _configure_masking(self) -> None:
        """Obey Airflow's options about masking, where the schema declares them."""
        if self.schema.option("core", "sensitive_var_conn_names") is not None:
            configure(names=self.conf.getlist("core", "sensitive_var_conn_names", fallback=[]), app=self.name)

    def __repr__(self) -> str:
        return f"<App {self.name} in {self.home}>"


def found() -> App:
    """The application of this process: `FRAMEWORK_APP`, the project file of the working directory, or `framework`."""
    named = os.environ.get("FRAMEWORK_APP")
    if named:
        return named_by(named, "FRAMEWORK_APP")
    here = project.find(os.getcwd(), named=False)
    return App() if here is None else App(**here.said)


def named_by(path: str, where: str) -> App:
    """The application at `module:attribute`.

    Raises:
        ConfigError: there is none.
    """
    import importlib

    module, _, attribute = path.partition(":")
    try:
        made = getattr(importlib.import_module(module), attribute, None)
    except Exception as fault:
        what = f"{type(fault).__name__} while it was imported"
    else:
        if isinstance(made, App):
            return made
        what = f"{module} has no {attribute!r}" if made is None else f"it is of type {type(made).__name__}, not App"
    raise ConfigError(f"{path!r} is no application: {what}", where=where, hint="Write module:attribute.")


def _link_name(section: str, backend: str) -> str:
    return section.partition(".")[2] or backend.rpartition(".")[2]
