"""The getters over the engine: what applications call."""

from __future__ import annotations

from framework import convert, given
from framework.errors import ConfigError, FrameworkError, InvalidValue, clean, public, warn
from framework.given import MISSING
from framework.options.airflow_calls import AirflowCalls
from framework.options.compiled import compile
from framework.options.engine import text_of
from framework.options.explanation import Explanation, unconvertible
from framework.options.overrides import Override, held, overrides
from framework.options.values import Answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Iterator, Mapping
    from enum import Enum
    from typing import Any, TypeVar

    from framework.options.engine import Engine
    from framework.options.values import Mention

    E = TypeVar("E", bound=Enum)

_UNSET: Any = object()

_SOURCES = {"environment": "env var", "default": "default"}


@public
class Config(AirflowCalls):
    """The options of one application.

    Every getter takes `fallback`, which answers when the option is not set, and never when a pointer fails. An empty
    text means none where the schema declares a type and the default "": the fallback answers, or else None.
    Names of sections and keys may be given in any case of letters.
    """

    _clean = ("get",)

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._compiled = engine.compiled
        self._data = engine.environment.data

    def get(
        self,
        section: str,
        key: str = MISSING,
        *,
        fallback: Any = _UNSET,
        raw: bool = False,
        lookup_from_deprecated: bool = True,
        suppress_warnings: bool = False,
    ) -> Any:
        """The option as text.

        Args:
            section, key: the option, by its name or an older one.
            fallback: returned when the option is not set; `$VAR` and `~` in it are expanded.
            raw: the text as it is written: nothing expanded, no pointer followed.
            lookup_from_deprecated: whether older names count.
            suppress_warnings: whether to say nothing of older names and of what is deprecated.

        Every getter takes the last three as well.

        Raises:
            OptionNotFound: the option is not set and there is no fallback.
            PointerError: its pointer leads nowhere.
        """
        try:
            var, seen, absent, text = self._compiled[section, key]
            data = self._data
            if (
                (var not in data if seen is None else data[var] is seen)
                and not raw
                and lookup_from_deprecated
                and not (held and overrides.get())
            ):
                if absent is None:
                    return text
                first, second, third, rest = absent
                if (
                    first not in data
                    and second not in data
                    and third not in data
                    and (rest is None or data.keys().isdisjoint(rest))
                ):
                    return text
        except (KeyError, TypeError):  # not asked before, no text, or the variable that won is gone
            pass
        try:
            return self._resolved(section, key, fallback, raw, lookup_from_deprecated, suppress_warnings)
        except BaseException:
            fallback, data, seen, text = None, {}, None, ""  # values, which a traceback must not hold
            raise

    @public
    def _resolved(
        self, section: str, key: str, fallback: Any, raw: bool, old_names: bool, suppress_warnings: bool
    ) -> Any:
        if raw or suppress_warnings or not old_names:
            answer = self._answer(section, key, raw, old_names, suppress_warnings)
        else:
            answer = compile(self._engine, section, key)
        return text_of(answer) if answer is not None else self._fallback(section, key, fallback)

    def _answer(
        self,
        section: str,
        key: str,
        raw: bool = False,
        lookup_from_deprecated: bool = True,
        suppress_warnings: bool = False,
    ) -> Answer | None:
        """The answer as the arguments of a getter ask for it."""
        if not raw and not suppress_warnings:
            return self._engine.answer(section, key, old_names=lookup_from_deprecated)
        name = given.option(section, key)
        if lookup_from_deprecated:
            name = self._engine.current_name(*name)
        for mention in self._engine.mentions(*name, old_names=lookup_from_deprecated):
            return Answer(mention.raw, mention) if raw else self._engine.resolve(mention)
        return None

    def _fallback(self, section: str, key: str, fallback: Any) -> Any:
        if fallback is _UNSET:
            from framework.options.notices import not_found

            raise not_found(self._engine, section, key)
        return convert.expand(fallback, self._engine.environment.get) if isinstance(fallback, str) else fallback

    def _converted(self, section: str, key: str, fallback: Any, to: Callable[[Any], Any], **how: bool) -> Any:
        """The answer or else the fallback, converted."""
        answer = self._answer(section, key, **how)
        if answer is None:
            return self._converted_fallback(section, key, self._fallback(section, key, fallback), to)
        if answer.value == "" and self._empty_means_none(answer):
            try:
                return to("")
            except ValueError:
                given = None if fallback is _UNSET else self._fallback(section, key, fallback)
            return None if given is None else self._converted_fallback(section, key, given, to)
        return self._converted_answer(answer, to)

    def _empty_means_none(self, answer: Answer) -> bool:
        option = self._engine.schema.option(answer.mention.section, answer.mention.key)
        return option is not None and option.default == "" and option.type != "string"

    def _converted_answer(self, answer: Answer, to: Callable[[Any], Any]) -> Any:
        try:
            return to(answer.value)
        except ValueError as fault:
            raise unconvertible(self._engine, answer, str(fault)) from None

    def _converted_fallback(self, section: str, key: str, value: Any, to: Callable[[Any], Any]) -> Any:
        try:
            return to(value)
        except (ValueError, TypeError, AttributeError, OverflowError) as fault:
            what = str(fault) if isinstance(fault, ValueError) else "it has another type"
            where = f"[{section}] {key}"
            raise InvalidValue(f"the fallback does not convert: {what}", where=where, hint="Pass another.") from None

    def getboolean(self, section: str, key: str = MISSING, *, fallback: Any = _UNSET, **how: bool) -> bool:
        """`t`, `true`, `1`, `f`, `false`, `0` in any case; a `#` begins a comment."""
        flag: bool = self._converted(section, key, fallback, convert.to_bool, **how)
        return flag

    def getint(self, section: str, key: str = MISSING, *, fallback: Any = _UNSET, **how: bool) -> int:
        """A whole number, also written `8_080` or `8080.0`."""
        number: int = self._converted(section, key, _whole(fallback), convert.to_int, **how)
        return number

    def getfloat(self, section: str, key: str = MISSING, *, fallback: Any = _UNSET, **how: bool) -> float:
        """A number."""
        number: float = self._converted(section, key, fallback, convert.to_float, **how)
        return number

    def getlist(
        self, section: str, key: str = MISSING, delimiter: str = ",", *, fallback: Any = _UNSET, **how: bool
    ) -> list[Any]:
        """The stripped pieces between the delimiters; `["a", "b"]` is read as JSON. A list of a typed file, and a
        fallback of None, stay as they are."""
        given.delimiter(delimiter)

        def pieces(value: Any) -> list[Any] | None:
            return None if value is None else convert.to_list(value, delimiter)

        items: list[Any] = self._converted(section, key, fallback, pieces, **how)
        return items

    def getjson(self, section: str, key: str = MISSING, fallback: Any = None, **how: bool) -> Any:
        """What the JSON text stands for; the fallback, as it is, if the option is empty or not written."""
        answer = self._answer(section, key, **how)
        if answer is None or answer.value == "":
            return fallback
        return self._converted_answer(answer, convert.to_json)

    def gettimedelta(
        self, section: str, key: str = MISSING, fallback: Any = None, **how: bool
    ) -> datetime.timedelta | None:
        """A number of seconds as a timedelta; the fallback if the option is empty (as it is) or not written."""
        answer = self._answer(section, key, **how)
        if answer is not None:
            if answer.value == "":
                return fallback  # type: ignore[no-any-return]
            duration: datetime.timedelta = self._converted_answer(answer, convert.to_timedelta)
            return duration
        given: Any = self._fallback(section, key, _whole(fallback))
        if not given:
            return given  # type: ignore[no-any-return]
        made: datetime.timedelta = self._converted_fallback(section, key, given, convert.to_timedelta)
        return made

    def getenum(
        self, section: str, key: str = MISSING, enum_class: type[E] = MISSING, *, fallback: Any = _UNSET, **how: bool
    ) -> E:
        """The member of that name; the fallback's, if it is no member."""
        given.enum(enum_class, "enum_class")

        def member(value: Any) -> E:
            return convert.to_enum(value, enum_class)

        found: E
        try:
            found = self._converted(section, key, fallback, member, **how)
        except InvalidValue:
            if fallback in (_UNSET, None, ""):
                raise
            found = self._converted_fallback(section, key, fallback, member)
        return found

    def getenumlist(
        self,
        section: str,
        key: str = MISSING,
        enum_class: type[E] = MISSING,
        delimiter: str = ",",
        *,
        fallback: Any = _UNSET,
        **how: bool,
    ) -> list[E]:
        """The members named in a list; names that are none are left out, with a warning."""
        given.enum(enum_class, "enum_class"), given.delimiter(delimiter)
        fallback = [] if fallback is _UNSET else fallback
        members: list[E]
        members, strangers = self._converted(
            section, key, fallback, lambda value: convert.to_enumlist(value, enum_class, delimiter), **how
        )
        if strangers:
            warn(f"[{section}] {key}: {len(strangers)} of its items name no member of {enum_class.__name__}; left out")
        return members

    def getimport(self, section: str, key: str = MISSING, *, fallback: Any = _UNSET, **how: bool) -> Any:
        """The object at a dotted path; None for empty text."""
        return self._converted(section, key, fallback, lambda value: convert.to_import(value) if value else None, **how)

    def value(self, section: str, key: str = MISSING, *, fallback: Any = _UNSET) -> Any:
        """The option as the type that the schema declares; an undeclared one as it is written.

        Raises:
            OptionNotFound: it is not set and there is no fallback.
            InvalidValue: it does not convert, is none of the declared choices, or breaks a constraint.
        """
        answer = self._engine.answer(section, key)
        if answer is None:
            return self._fallback(section, key, fallback)
        return self.typed(answer)

    def typed(self, answer: Answer) -> Any:
        """An answer's value as the type that the schema declares."""
        option = self._engine.schema.option(answer.mention.section, answer.mention.key)
        if option is None:
            return answer.value
        return self._converted_answer(answer, option.convert)

    def has_option(self, section: str, key: str = MISSING, lookup_from_deprecated: bool = True) -> bool:
        """Whether the option is set. Runs and fetches nothing, and never raises."""
        name = given.option(section, key)
        if lookup_from_deprecated:
            name = self._engine.current_name(*name)
        return next(self._engine.mentions(*name, old_names=lookup_from_deprecated), None) is not None

    def is_sensitive(self, section: str, key: str = MISSING) -> bool:
        """Whether the option is declared sensitive."""
        return self._engine.is_sensitive(*self._engine.current_name(*given.option(section, key)))

    def getsection(self, section: str) -> dict[str, Any] | None:
        """Every option of a section, numbers and booleans converted as they look; None if there is no such section."""
        given.text(section, "section")
        keys = [key for name, key in self._engine.entries() if name == section]
        answers = {key: self._engine.answer(section, key) for key in keys}
        found = {key: convert.guess(answer.value) for key, answer in answers.items() if answer is not None}
        return found if keys else None

    def sections(self) -> list[str]:
        """The sections that are declared or written in a file, in order."""
        names = dict.fromkeys(self._engine.schema.sections)
        names.update(dict.fromkeys(section for section, _ in self._written_in_files()))
        return list(names)

    def options(self, section: str) -> list[str]:
        """The keys of a section that are declared or written in a file, in order.

        Raises:
            ConfigError: there is no such section.
        """
        if given.text(section, "section") not in self.sections():
            raise ConfigError("there is no such section", where=f"[{section}]", hint="See `config list`.")
        names = dict.fromkeys(self._engine.schema.options(section))
        names.update(dict.fromkeys(key for name, key in self._written_in_files() if name == section))
        return list(names)

    def _written_in_files(self) -> Iterator[tuple[str, str]]:
        for layer in reversed(self._engine.layers):
            if layer.path and layer.values:
                yield from layer.entries()

    def as_dict(
        self,
        display_source: bool = False,
        display_sensitive: bool = False,
        raw: bool = False,
        include_env: bool = True,
        include_cmds: bool = True,
        include_secret: bool = True,
    ) -> dict[str, dict[str, Any]]:
        """Every option with a value, sections and keys sorted as they are declared, then as they are found.

        A declared section of which no option has a value is there, empty.

        Args:
            display_source: values become (value, source), the source in Airflow's words.
            display_sensitive: show every value, and follow pointers; else secrets are hidden, as in `dump`.
            raw: values as a cfg file holds them: what is written in one as it is, `%` doubled in all else.
            include_env, include_cmds, include_secret: false leaves out what is written there.
        """
        left_out = [form for form, kept in (("cmd", include_cmds), ("secret", include_secret)) if not kept]
        result: dict[str, dict[str, Any]] = {section: {} for section in self._engine.schema.sections}
        for section, key in self._engine.entries():
            mention = self._listed(section, key, include_env, left_out)
            if mention is None:
                continue
            value = self._text(mention, raw=raw, hide=not display_sensitive)
            result.setdefault(section, {})[key] = (value, self.source(mention)) if display_source else value
        return result

    def _listed(self, section: str, key: str, include_env: bool, left_out: list[str]) -> Mention | None:
        """The mention that wins, unless it is left out: what it shadows is not what the application uses."""
        mention = next(self._engine.mentions(section, key), None)
        if mention is None or mention.form in left_out or (mention.layer == "environment" and not include_env):
            return None
        return mention

    def source(self, mention: Mention) -> str:
        """Where a mention stands, in Airflow's words: `env var`, `billing.cfg`, `default`, `cmd`, `secret`."""
        if mention.is_pointer:
            return mention.form
        if mention.layer == "main cfg":
            return self._engine.names.cfg()
        return _SOURCES.get(mention.layer, mention.layer)

    def explain(self, section: str, key: str = MISSING) -> Explanation:
        """Every mention of an option and what the first of them gives, values redacted."""
        name = self._engine.current_name(*given.option(section, key))
        mentions = list(self._engine.mentions(*name))
        answer, error = None, None
        if mentions:
            try:
                answer = self._engine.resolve(mentions[0])
            except FrameworkError as fault:
                error = clean(fault).with_traceback(None)
        return Explanation(name, mentions, answer, error, hidden=self._engine.is_hidden(*name))

    def override(self, values: Mapping[tuple[str, str], Any]) -> Override:
        """A block in which options have other values, in this context (thread or task) alone.

        with conf.override({("core", "port"): "1"}):
            ...
        """
        return Override(self._engine, given.options(values, "values"))


def _whole(fallback: Any) -> Any:
    """A fallback with a fraction is cut where a whole number is wanted, as in Airflow."""
    finite = isinstance(fallback, float) and abs(fallback) < float("inf")
    return int(fallback) if finite and fallback else fallback
