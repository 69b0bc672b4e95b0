"""The methods of an application for settings classes. What they use is loaded when there is a class."""

from __future__ import annotations

from framework import given
from framework.errors import ConfigError, public, warn
from framework.options.values import held, overrides

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Generic

    from typing_extensions import TypeVar

    from framework.binding.plan import Plan
    from framework.options.engine import Engine
    from framework.options.schema import Schema

    #: The class of `settings`, which editors and type checkers know by it.
    Settings = TypeVar("Settings", default=Any)
    Class = TypeVar("Class")
    Result = TypeVar("Result")
else:
    Settings, Generic = None, {None: object}  # importing `typing` takes longer than the rest of a start


@public
class Bound(Generic[Settings]):
    """The methods of an application for settings classes.

    Attributes:
        schema_class: the class that is the schema, or None.
        plans: what is read for each class and section.
    """

    _clean = ("settings",)

    name: str
    schema: Schema
    engine: Engine
    prefetch: Callable[..., Any]

    if not TYPE_CHECKING:

        def __class_getitem__(cls, name: object) -> type:
            return cls

    def __init__(self) -> None:
        self.schema_class: type | None = None
        self.plans: dict[tuple[type, str], Plan] = {}

    def _declared(self, schema: object, getenv: Callable[[str], str | None]) -> Any:
        """A schema that was passed: a mapping, a path, or what a class declares, itself or at `module:Class`."""
        if not isinstance(schema, type) and not hasattr(schema, "__origin__") and not given.is_object_path(schema):
            if schema is None or hasattr(schema, "keys"):
                return schema
            if isinstance(schema, str) or hasattr(type(schema), "__fspath__"):
                return given.path(schema, "schema", getenv)
            raise given.wrong(schema, "schema", "a path, a mapping of sections or a class")
        from framework.binding.plan import Plan
        from framework.binding.settings import checked, class_at

        cls = class_at(schema) if isinstance(schema, str) else checked(schema, "schema")
        self.schema_class, plan = cls, Plan(cls)
        self.plans[cls, ""] = plan
        return plan.declared()

    def bind(self, cls: type[Class], section: str = "") -> Class:
        """An object of a class from what is set: a snapshot, which later changes do not reach.

            settings = app.bind(Settings)           # each field is a class, and a section
            server = app.bind(Server, "server")     # each field is an option of [server]

        Args:
            cls: a dataclass, pydantic BaseModel, TypedDict, NamedTuple, attrs class or msgspec.Struct. Its options are
                declared from now on, where the schema does not declare them.
            section: the section of its options.

        Raises:
            SchemaError: the class is not valid as a schema.
            SettingsError: what is set does not fit the class. Has all faults.
        """
        from framework.binding.settings import bind

        made: Class = bind(self, cls, section)
        return made

    @property
    def settings(self) -> Settings:
        """The current object of the class that is the schema: made when it is first asked for, and by `reload()`.

        Raises:
            ConfigError: the schema is not a class.
            SettingsError: what is set does not fit the class.
        """
        made: Settings | None = self.engine.reading.settings
        if made is None or (held and self._overridden()):
            return self._made_settings()
        return made

    @public
    def _made_settings(self) -> Settings:
        if self.schema_class is None:
            hint = "Pass schema=Settings, or write schema = module:Settings in the project file."
            raise ConfigError("the schema is not a class", where=f"App({self.name!r}).settings", hint=hint)
        reading = self.engine.reading  # if a reload comes between, the object stays in this one
        made: Settings = self.bind(self.schema_class)
        if self._overridden():  # which apply in this context only
            return made
        reading.settings = made if reading.settings is None else reading.settings  # another thread may be first
        kept: Settings = reading.settings
        return kept

    def _renew_settings(self) -> None:
        """Make the settings again after a refresh, if they were asked for. If that fails, the old ones stay."""
        reading = self.engine.reading
        if reading.settings is None or self.schema_class is None:
            return
        try:
            reading.settings = in_no_context(lambda: self.bind(self.schema_class))  # type: ignore[arg-type]
        except ConfigError as fault:
            warn(f"the previous settings stay in use: {fault}")

    def _overridden(self) -> Mapping[tuple[str, str], object]:
        """The options that are overridden in this context."""
        layers = overrides.get()
        mine = layers.get(self.engine) if layers else None
        sections = mine.values.items() if mine is not None else ()
        return {(section, key): found[0] for section, options in sections for key, found in options.items()}

    def _check_settings(self, trial: Bound[Settings]) -> None:
        """Make the settings of an application that this one will become, if those of this one were asked for.

        Raises:
            SettingsError: what is set there does not fit the class.
        """
        if self.engine.reading.settings is None:
            return
        if not (overridden := self._overridden()):
            trial._made_settings()
            return
        from framework.options.overrides import Override

        with Override(trial.engine, overridden):
            trial._made_settings()


def in_no_context(call: Callable[[], Result]) -> Result:
    """What a call returns where nothing is overridden."""
    from contextvars import Context

    return Context().run(call)
