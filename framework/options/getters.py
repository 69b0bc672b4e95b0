"""The getters of `Config`: an option as text, or as the type that the caller wants."""

from __future__ import annotations

from framework import convert, given
from framework.errors import InvalidArgument, InvalidValue, public, warn
from framework.given import MISSING
from framework.options.compiled import UNSET, Known, Recorder, compiled, holds, unchanged
from framework.options.engine import text_of
from framework.options.values import Answer, held, overrides

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Mapping
    from enum import Enum
    from typing import Any, TypedDict, TypeVar

    from typing_extensions import Unpack

    from framework.options.declaration import Option
    from framework.options.engine import Engine

    E = TypeVar("E", bound=Enum)
    T = TypeVar("T")

    class How(TypedDict, total=False):
        """What every getter takes, so that type checkers know it."""

        raw: bool
        lookup_from_deprecated: bool
        suppress_warnings: bool


@public
class Getters:
    """Every getter takes `fallback`, which answers when the option is not set, and never when a pointer fails. An empty
    text means none where the schema declares a type and the default "": the fallback answers, or else None.
    Names of sections and keys may be given in any case of letters. A list or table is the caller's own.
    """

    _clean = (
        *("get", "getboolean", "getint", "getfloat", "getlist", "getjson", "gettimedelta", "getenum", "getenumlist"),
        "value",
    )

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._compiled, self._typed = engine.compiled, engine.typed
        self._data, self._getenv = engine.environment.data, engine.environment.get

    def get(self, section: str, key: str = MISSING, *, fallback: object = UNSET, **how: Unpack[How]) -> Any:
        """The option as text.

        Args:
            section, key: the option, by its name or an older one.
            fallback: returned when the option is not set; `$VAR` and `~` in it are expanded.
            how: what every getter takes:
                raw: true: the text as it is written: nothing expanded, no pointer followed.
                lookup_from_deprecated: false: older names do not count.
                suppress_warnings: true: no warnings of older names and of what is deprecated.

        Raises:
            InvalidArgument: there is no such argument.
            OptionNotFound: the option is not set and there is no fallback.
            PointerError: its pointer leads nowhere.
        """
        try:
            var, seen, absent, text = self._compiled[section, key]
            data = self._data
            if (var not in data if seen is None else data[var] is seen) and not how and not (held and overrides.get()):
                if absent is None:
                    return text
                first, second, third, others = absent
                if first not in data and second not in data and third not in data:
                    if others is None:
                        return text
                    more, variables, fresh = others
                    if (more is None or data.keys().isdisjoint(more)) and (
                        variables is None or unchanged(variables, data)
                    ):
                        if fresh is None:
                            return text
                        if fallback is not UNSET:  # it is known that the option is not set
                            return convert.expand(fallback, self._getenv)
        except (KeyError, TypeError):  # not asked before, no text, or the variable that won is gone
            pass
        try:
            return self._resolved(section, key, fallback, **how)
        except BaseException:
            fallback, data, seen, text = None, {}, None, None  # values, which a traceback must not hold
            raise

    @public
    def _resolved(self, section: str, key: str, fallback: object, **how: Unpack[How]) -> object:
        if how:
            answer = self._answer(section, key, **how)
            return self._fallback(section, key, fallback) if answer is None else text_of(answer)
        record = Recorder(self._engine, section, key)
        text = None if record.answer is None else text_of(record.answer)
        if text is not None:
            record.converted()
        record.keep(self._compiled, (section, key), text)
        return self._fallback(section, key, fallback) if text is None else text

    def _answer(
        self,
        section: str,
        key: str,
        raw: bool = False,
        lookup_from_deprecated: bool = True,
        suppress_warnings: bool = False,
        record: Recorder | Known | None = None,
        **others: object,
    ) -> Answer | None:
        """The answer as the arguments of a getter ask for it. `record` is a `Recorder`, or what is `Known`."""
        for argument in others:
            hint = "A getter takes fallback, raw, lookup_from_deprecated and suppress_warnings."
            raise InvalidArgument("there is no such argument", where=argument, hint=hint)
        if record is not None:
            return record.answer
        if not raw and not suppress_warnings:
            return self._engine.answer(section, key, old_names=lookup_from_deprecated)
        name = given.option(section, key)
        if lookup_from_deprecated:
            name = self._engine.current_name(*name)
        for mention in self._engine.mentions(*name, old_names=lookup_from_deprecated):
            if not raw:
                return self._engine.resolve(mention)
            from framework.copies import copied

            return Answer(copied(mention.raw), mention)
        return None

    def _fallback(self, section: str, key: str, fallback: object) -> object:
        if fallback is UNSET:
            from framework.options.notices import not_found

            raise not_found(self._engine, section, key)
        return convert.expand(fallback, self._getenv)

    def _converted(
        self,
        section: str,
        key: str,
        fallback: object,
        to: Callable[[object], T],
        record: Recorder | Known | None = None,
        **how: Unpack[How],
    ) -> T:
        """The answer or else the fallback, converted."""
        answer = self._answer(section, key, record=record, **how)
        if answer is None:
            return self._converted_fallback(section, key, self._fallback(section, key, fallback), to)
        if answer.value == "" and self._empty_means_none(answer):
            try:
                return to("")
            except ValueError:
                given = None if fallback is UNSET else self._fallback(section, key, fallback)
            # The types do not say that an option may be empty: its schema does.
            return None if given is None else self._converted_fallback(section, key, given, to)  # type: ignore[return-value]
        return self._converted_answer(answer, to, record)

    def _empty_means_none(self, answer: Answer) -> bool:
        option = self._option_of(answer)
        return option is not None and option.default == "" and option.type != "string"

    def _option_of(self, answer: Answer) -> Option | None:
        return self._engine.spec(answer.mention.section, answer.mention.key).option

    def _converted_answer(
        self, answer: Answer, to: Callable[[object], T], record: Recorder | Known | None = None, **how: Unpack[How]
    ) -> T:
        try:
            value = to(answer.value)
        except ValueError as fault:
            from framework.options.explanation import unconvertible

            raise unconvertible(self._engine, answer, str(fault)) from None
        if record is not None:
            record.converted()
        return value

    def _converted_fallback(self, section: str, key: str, value: object, to: Callable[[object], T]) -> T:
        try:
            return to(value)
        except (ValueError, TypeError, AttributeError, OverflowError) as fault:
            what = str(fault) if isinstance(fault, ValueError) else "it has another type"
            where = f"[{section}] {key}"
            raise InvalidValue(f"the fallback does not convert: {what}", where=where, hint="Pass another.") from None

    @compiled("boolean")
    def getboolean(self, section: str, key: str = MISSING, *, fallback: object = UNSET, **how: Unpack[How]) -> bool:
        """`t`, `true`, `1`, `f`, `false`, `0` in any case; a `#` begins a comment."""
        return self._converted(section, key, fallback, convert.to_bool, **how)

    @compiled("int")
    def getint(self, section: str, key: str = MISSING, *, fallback: object = UNSET, **how: Unpack[How]) -> int:
        """A whole number, also written `8_080` or `8080.0`."""
        return self._converted(section, key, _whole(fallback), convert.to_int, **how)

    @compiled("float")
    def getfloat(self, section: str, key: str = MISSING, *, fallback: object = UNSET, **how: Unpack[How]) -> float:
        """A number."""
        return self._converted(section, key, fallback, convert.to_float, **how)

    @compiled("list")
    def getlist(
        self, section: str, key: str = MISSING, delimiter: str = ",", *, fallback: object = UNSET, **how: Unpack[How]
    ) -> list[Any]:
        """The stripped pieces between the delimiters; `["a", "b"]` is read as JSON. A list of a typed file, and a
        fallback of None, stay as they are."""
        given.delimiter(delimiter)

        def pieces(value: object) -> list[Any]:
            return None if value is None else convert.to_list(value, delimiter)  # type: ignore[return-value]

        return self._converted(section, key, fallback, pieces, **how)

    @compiled("json", fallback_is_third=True)
    def getjson(self, section: str, key: str = MISSING, fallback: object = None, **how: Unpack[How]) -> Any:
        """The value of the JSON text; the fallback, as it is, if the option is empty or not set."""
        answer = self._answer(section, key, **how)
        if answer is None or answer.value == "":
            return fallback
        return self._converted_answer(answer, convert.to_json, **how)

    @compiled("timedelta", fallback_is_third=True)
    def gettimedelta(
        self, section: str, key: str = MISSING, fallback: Any = None, **how: Unpack[How]
    ) -> datetime.timedelta | None:
        """A number of seconds as a timedelta; the fallback if the option is empty (as it is) or not set."""
        answer = self._answer(section, key, **how)
        if answer is not None and answer.value != "":
            return self._converted_answer(answer, convert.to_timedelta, **how)
        if answer is None:
            fallback = self._fallback(section, key, _whole(fallback))
            if fallback:
                return self._converted_fallback(section, key, fallback, convert.to_timedelta)
        return fallback  # type: ignore[no-any-return]

    @compiled("enum")
    def getenum(
        self,
        section: str,
        key: str = MISSING,
        enum_class: type[E] = MISSING,
        *,
        fallback: object = UNSET,
        **how: Unpack[How],
    ) -> E:
        """The member of that name; the fallback's, if it is not a member."""
        given.enum(enum_class, "enum_class")

        def member(value: object) -> E:
            return convert.to_enum(value, enum_class)

        try:
            return self._converted(section, key, fallback, member, **how)
        except InvalidValue:
            if fallback in (UNSET, None, ""):
                raise
            return self._converted_fallback(section, key, fallback, member)

    @compiled("enumlist")
    def getenumlist(
        self,
        section: str,
        key: str = MISSING,
        enum_class: type[E] = MISSING,
        delimiter: str = ",",
        *,
        fallback: object = UNSET,
        **how: Unpack[How],
    ) -> list[E]:
        """The members named in a list; other names are left out, with a warning."""
        given.enum(enum_class, "enum_class"), given.delimiter(delimiter)
        members, strangers = self._converted(
            section,
            key,
            [] if fallback is UNSET else fallback,
            lambda value: convert.to_enumlist(value, enum_class, delimiter),
            **how,
        )
        if strangers:
            warn(f"[{section}] {key}: {len(strangers)} of its items name no member of {enum_class.__name__}; left out")
        return members

    def getimport(self, section: str, key: str = MISSING, *, fallback: object = UNSET, **how: Unpack[How]) -> Any:
        """The object at a dotted path; None for empty text. It is looked up each time."""
        return self._converted(section, key, fallback, lambda value: convert.to_import(value) if value else None, **how)

    @compiled("value")
    def value(self, section: str, key: str = MISSING, *, fallback: object = UNSET, **how: Unpack[How]) -> Any:
        """The option as the type that the schema declares; an undeclared one as it is written.

        Raises:
            OptionNotFound: it is not set and there is no fallback.
            InvalidValue: it does not convert, is not one of the declared choices, or breaks a constraint.
        """
        answer = self._answer(section, key, **how)
        if answer is None:
            return self._fallback(section, key, fallback)
        if _depends_on_more(self._option_of(answer), answer.value):
            return self.typed(answer)
        return self._converted_answer(answer, self._type_of(answer), **how)

    def typed(self, answer: Answer) -> object:
        """An answer's value as the type that the schema declares."""
        return self._converted_answer(answer, self._type_of(answer))

    def _type_of(self, answer: Answer) -> Callable[[object], object]:
        option = self._option_of(answer)
        return _as_it_is if option is None else option.convert

    def getsection(self, section: str) -> dict[str, Any] | None:
        """Every option of a section, numbers and booleans converted as they look; None if there is no such section."""
        given.text(section, "section")
        reading, data = self._engine.reading, self._data
        if (held and overrides.get()) or type(data) is not dict:
            return self._section(section)
        environ, sections = reading.sections
        if environ != data:
            environ, sections = reading.sections = dict(data), {}
        if section not in sections:
            from framework.copies import kept_form

            found = self._section(section)
            if self._is_of(environ, section, found):
                sections[section] = kept_form(found)
            return found
        kept, fresh = sections[section]
        return kept if fresh is None else fresh(kept)  # type: ignore[no-any-return]

    def _section(self, section: str) -> dict[str, object] | None:
        keys = self._engine.keys(section)
        values = ((key, self._guess(section, key)) for key in keys)
        return {key: value for key, value in values if value is not UNSET} if keys else None

    def _is_of(self, environ: Mapping[object, object], section: str, found: Mapping[str, object] | None) -> bool:
        """Whether a section was read in this environment: no variable changed, or changed and changed back."""
        from framework.copies import kept_form

        for key in self._engine.keys(section):
            kept = self._typed.get((section, key, "guess"))
            if kept is None or not holds(kept, environ):
                return False
            value, _ = kept_form(UNSET if found is None else found.get(key, UNSET))
            if (value is not UNSET) if type(kept[3]) is Known else (value is not kept[3] and value != kept[3]):
                return False
        return True

    @compiled("guess")
    def _guess(self, section: str, key: str, **how: Unpack[How]) -> object:
        """The option as it looks, or `UNSET`: an option of a section that has changed elsewhere is found at once."""
        answer = self._answer(section, key, **how)
        return UNSET if answer is None else self._converted_answer(answer, convert.guess, **how)


def _as_it_is(value: object) -> object:
    return value


def _depends_on_more(option: Option | None, value: object) -> bool:
    """Whether a value depends on more than its text: on a module, or on the home that a path begins with."""
    if option is None:
        return False
    types = option.type, option.items
    return "import" in types or ("path" in types and "~" in str(value))


def _whole(fallback: object) -> object:
    """A fallback with a fraction is cut where a whole number is wanted, as in Airflow."""
    if isinstance(fallback, float) and fallback and abs(fallback) < float("inf"):
        return int(fallback)
    return fallback
