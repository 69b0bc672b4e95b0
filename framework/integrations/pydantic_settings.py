"""A source for pydantic-settings: an existing `BaseSettings` class is filled from files, pointers and the chain.

    class Settings(BaseSettings):
        server: Server
        debug: bool = False

        @classmethod
        def settings_customise_sources(cls, settings_cls, init_settings, env_settings, **others):
            return init_settings, env_settings, FrameworkSource(settings_cls, app)

The class keeps its models, validators, aliases and prefixes; the other sources stay as they are, before it or after it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import AliasChoices, AliasPath, BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource

from framework import convert
from framework.binding.secret import Secret
from framework.errors import InvalidValue, public
from framework.integrations import application

if TYPE_CHECKING:
    from framework.app import App
    from framework.options.values import Answer

#: The section of fields that are not models, where neither the source nor the application names one.
SECTION = "app"


class FrameworkSource(PydanticBaseSettingsSource):
    """The options of an application as a source of settings.

    A field that is a model or a dataclass is a section: `server: Server` is `[server]`, and a model inside it
    `[server.tls]`. Any other field is an option, called like the field; one outside every model is in `section`.
    A name that is not set is left out, so that the field's default, or the next source, gives it.

    Args:
        settings_cls: the class, as `settings_customise_sources` gets it.
        app: the application; None: the current one.
        section: of the fields outside every model; None: the application's `root_section`, or `app`.

    Raises (when the class is made):
        PointerError: a pointer leads nowhere.
        InvalidValue: a value does not convert to the type that the schema declares, or is not JSON where the field
            takes a table.
    """

    def __init__(self, settings_cls: type[BaseSettings], app: App | None = None, *, section: str | None = None) -> None:
        super().__init__(settings_cls)
        self.app = app or application()
        self.section = section or self.app.sources.root_section or SECTION
        self._sections = {name for name, _ in self.app.engine.entries()}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """A field's value (None if it is not set), the key under which the class takes it, and False: it is ready."""
        return self._value("", field_name, field), field_name, False

    @public
    def __call__(self) -> dict[str, Any]:
        """The values of all fields that are set."""
        self._sections = {name for name, _ in self.app.engine.entries()}
        return self._fields(self.settings_cls, "")

    def _fields(self, model: type, section: str) -> dict[str, object]:
        found: dict[str, Any] = {}
        for name, field in _fields_of(model):
            value = self._value(section, name, field)
            if value is not None:
                _put(found, _path_of(model, name, field), value)
        return found

    def _value(self, section: str, name: str, field: FieldInfo) -> object:
        """What the options say of one field, or None."""
        kinds = _kinds(field.annotation)
        keys = (name, *(alias[0] for alias in _aliases(field) if len(alias) == 1))
        answers = (self._option(section or self.section, key, kinds, NoDecode not in field.metadata) for key in keys)
        value = next((answer for answer in answers if answer is not None), None)
        inner = f"{section}.{name}".lstrip(".").lower()
        if not self._has(inner):
            return value
        given: dict[str, Any] = {}
        for kind in kinds:
            if _is_model(kind):
                given |= self._fields(kind, inner)
            elif _is_table(kind):
                given |= self.app.conf.getsection(inner) or {}
        if isinstance(value, Mapping):
            given = {**value, **given}
        return given or value

    def _has(self, section: str) -> bool:
        return any(name == section or name.startswith(f"{section}.") for name in self._sections)

    def _option(self, section: str, key: str, kinds: list[object], decode: bool) -> object:
        conf = self.app.conf
        if not conf.has_option(section, key):
            return None
        answer = self.app.answer(section, key)
        if answer.value == "" and self.config.get("env_ignore_empty"):
            return None
        value = conf.typed(answer)
        if isinstance(value, str) and decode:
            value = self._decoded(answer, kinds)
        if answer.sensitive and isinstance(value, str):
            return Secret(value)  # errors of pydantic show what they were given
        return value

    def _decoded(self, answer: Answer, kinds: Sequence[object]) -> object:
        """A text for a field that takes a list or a table: JSON, or the pieces between commas."""
        text: str = answer.value
        if str in kinds or not text:
            return text
        if any(_is_model(kind) or _is_table(kind) for kind in kinds):
            try:
                return convert.to_json(text)
            except ValueError as fault:
                where = f"[{answer.mention.section}] {answer.mention.key} in {answer.mention.origin}"
                raise InvalidValue(str(fault), where=where, hint="Write a JSON object, or a section.") from None
        return convert.to_list(text) if any(_is_list(kind) for kind in kinds) else text


def _fields_of(model: type) -> Iterable[tuple[str, FieldInfo]]:
    """The name and the declaration of each field of a model or a dataclass."""
    fields: dict[str, FieldInfo] | None = getattr(model, "model_fields", None)
    if fields is not None:
        return fields.items()
    hints = get_type_hints(model, include_extras=True)
    names = [field.name for field in dataclasses.fields(model) if field.init]
    return [(name, FieldInfo.from_annotation(hints[name])) for name in names]


def _path_of(model: type, name: str, field: FieldInfo) -> list[str]:
    """Where the model looks for a field: under its name, or under its first alias."""
    config: Any = getattr(model, "model_config", {})
    if config.get("populate_by_name") or config.get("validate_by_name"):
        return [name]
    return next(iter(_aliases(field)), [name])


def _aliases(field: FieldInfo) -> list[list[str]]:
    """The aliases of a field, each as the names that lead to it."""
    alias = field.validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
    paths = [choice.path if isinstance(choice, AliasPath) else [choice] for choice in choices]
    return [[str(step) for step in path] for path in paths if all(isinstance(step, str) for step in path)]


def _put(found: dict[str, Any], path: list[str], value: object) -> None:
    for step in path[:-1]:
        found = found.setdefault(step, {})
    found[path[-1]] = value


def _kinds(annotation: object) -> list[Any]:
    """The types that a field takes, without `Annotated`, `Optional` and unions around them."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kinds(get_args(annotation)[0])
    if origin is Union or origin is UnionType:
        return [kind for one in get_args(annotation) if one is not type(None) for kind in _kinds(one)]
    return [annotation]


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and (issubclass(kind, BaseModel) or dataclasses.is_dataclass(kind))


def _is_table(kind: object) -> bool:
    origin = get_origin(kind) or kind
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _is_list(kind: object) -> bool:
    origin = get_origin(kind) or kind
    if not isinstance(origin, type) or not issubclass(origin, Iterable):
        return False
    return not issubclass(origin, (str, bytes, Mapping)) and not _is_model(kind)
