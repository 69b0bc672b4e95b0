"""Compiled answers: what makes a getter as fast as a dictionary and yet live.

A compiled answer holds as long as the environment does not change. It is a tuple, because unpacking one is the
fastest thing there is: (var, raw, absent, value).

    var     the winning variable's name, or the option's own where no variable wins, as the dictionary beneath
            `os.environ` knows it
    raw     the very object that the variable held, or None: not set
    absent  None, or three other names that would win if they were set, and `others`
    value   the option's text, or what a typed getter makes of it, or a `Known` answer

Most compiled answers have None for `others`. It is (more, variables, fresh), each of which may be None:

    more       a set of more names that would win if they were set
    variables  those in the option's text, as (name, the very object that it held, or None)
    fresh      the function that makes a value for the caller of the one that is kept; `Known` where that is one
"""

from __future__ import annotations

from framework import given
from framework.errors import public
from framework.given import MISSING
from framework.options.values import held, overrides

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping
    from typing import Any, Protocol, TypeVar

    from framework.options.engine import Engine
    from framework.options.values import Absent, Answer, Compiled

    Getter = TypeVar("Getter", bound=Callable[..., Any])
    Place = TypeVar("Place", bound=Hashable)

    class Getting(Protocol):
        """What a compiled getter needs of its object."""

        _engine: Engine
        _typed: dict[tuple[str, str, Hashable], Compiled]
        _data: Mapping[Any, Any]


#: A fallback that was not passed.
UNSET: Any = object()

#: Used where there are fewer than three names: no variable can have such a name.
_NO_NAME = "\0"


class Known:
    """An answer that is kept because the value depends on the getter's fallback. It takes the place of a `Recorder`.

    Attributes:
        answer: the answer, or None if the option is not set.
        last: the latest fallback that can be kept, what the getter made of it, and the function that makes a value for
            the caller of that, or None. The next call that passes the same object needs no more.
    """

    __slots__ = ("answer", "last")

    def __init__(self, answer: Answer | None) -> None:
        self.answer = answer
        self.last: tuple[Any, Any, Callable[[Any], Any] | None] = (Known, None, None)

    def converted(self) -> None:
        """Nothing is kept of it."""

    def returned(self, value: object, fallback: Any) -> None:
        """Keep what the getter returned for a fallback, if it depends on nothing else."""
        if self.answer is not None and self.answer.value != "":
            return  # such as a path below HOME
        kind = type(fallback)
        if fallback is UNSET or kind in _FIXED or (kind is str and "$" not in fallback and fallback[:1] != "~"):
            self.last = (fallback, *_kept(value))


#: Types of fallbacks that cannot change, and in which nothing is expanded.
_FIXED = frozenset((int, float, bool, type(None)))


def unchanged(variables: Iterable[tuple[object, object]], data: Mapping[object, object]) -> bool:
    """Whether each of these names has the very object that it had, or still none."""
    for name, raw in variables:  # noqa: SIM110 (a generator takes longer than all the rest)
        if data.get(name) is not raw:
            return False
    return True


def holds(kept: Compiled, data: Mapping[object, object]) -> bool:
    """Whether a compiled answer holds in an environment: what a getter looks at, one step after the other."""
    var, raw, absent, _ = kept
    if data.get(var) is not raw:
        return False
    if absent is None:
        return True
    first, second, third, others = absent
    if first in data or second in data or third in data:
        return False
    more, variables, _ = others or (None, None, None)
    return (more is None or data.keys().isdisjoint(more)) and (variables is None or unchanged(variables, data))


class Recorder:
    """Resolves an option for one getter, and notes what its answer depends on, so that the value can be kept.

    What is found is noted before it is used: what changes later is noticed by the next call.
    """

    __slots__ = (
        "_engine",
        "_reading",
        "_name",
        "_spelled",
        "_names",
        "_raws",
        "_variables",
        "_is_steady",
        "_found",
        "_is_final",
    )

    def __init__(self, engine: Engine, section: str, key: str) -> None:
        self._engine, self._name = engine, given.option(section, key)
        self._reading = engine.reading  # an answer from before a reload is not kept after it
        environment = engine.environment
        self._spelled = engine.variables(*self._name)
        self._names = [environment.encode(name) for name in self._spelled]
        self._raws = [environment.data.get(name) for name in self._names]
        self._variables: dict[Any, Any] = {}
        self._is_steady, self._is_final = True, False
        self._found: Answer | None = UNSET

    @property
    def answer(self) -> Answer | None:
        """The option's answer, looked for once."""
        if self._found is UNSET:
            self._found = self._engine.answer(*self._name, getenv=self._getenv)
        return self._found

    def _getenv(self, name: str) -> str | None:
        environment = self._engine.environment
        encoded = environment.encode(name)
        raw = environment.data.get(encoded)
        if self._variables.setdefault(encoded, raw) is not raw:
            self._is_steady = False
        return environment.find_with(name, raw)[0]

    def converted(self) -> None:
        """The value is made of the answer, and not of a fallback."""
        self._is_final = True

    def _is_found_in(self, winner: int | None) -> bool:
        """Whether the answer is from the variable that was set when the search began, and from its text."""
        answer, environment = self.answer, self._engine.environment
        if answer is None or not self._engine.is_process(answer.mention.source):
            return winner is None
        mention = answer.mention
        if winner is None or mention.origin != self._spelled[winner]:
            return False
        return bool(mention.raw == environment.decode(self._raws[winner]))

    def keep(self, table: dict[Place, Compiled], place: Place, value: object) -> None:
        """Keep what the getter returned, unless it depends on more than can be checked."""
        answer, data = self.answer, self._engine.environment.data
        winner = next((place for place, raw in enumerate(self._raws) if raw is not None), None)
        if not self._is_steady or not self._is_found_in(winner):
            return  # the environment changed meanwhile
        if overrides.get() or hasattr(data, "__missing__"):
            return  # a defaultdict, say: looking into it, as a getter does, would write
        if answer is not None and answer.mention.is_pointer and _is_restricted():
            return  # inside a link, where less can be seen
        kept, fresh = _kept(value) if self._is_final else (Known(answer), Known)
        names = self._names[1:] if winner is None else self._names[:winner]
        others = (frozenset(names[3:]) or None, tuple(self._variables.items()) or None, fresh)
        absent: Absent | None = None
        if names or any(others):
            while len(names) < 3:
                names.append(names[0] if names else self._engine.environment.encode(_NO_NAME))
            absent = (*names[:3], others if any(others) else None)
        self._engine.keep(
            self._reading, table, place, (self._names[winner or 0], self._raws[winner or 0], absent, kept)
        )


def _kept(value: object) -> tuple[object, Callable[[object], object] | None]:
    """See `kept_form`."""
    if isinstance(value, (str, int, float)):
        return value, None
    from framework.copies import kept_form

    return kept_form(value)


def _is_restricted() -> bool:
    from framework.chain.level import is_restricted

    return is_restricted()


def compiled(kind: str, *, fallback_is_third: bool = False) -> Callable[[Getter], Getter]:
    """Decorates a getter that converts: what it returns is kept for the next call.

    Args:
        kind: the kind of its values; other arguments make kinds of their own.
        fallback_is_third: whether the third argument is the fallback, which makes none.
    """

    def decorate(method: Getter) -> Getter:
        def with_arguments(extra: tuple[object, ...], how: Mapping[str, object]) -> Hashable:
            return kind if fallback_is_third and not how else (kind, *extra, *how.items())

        again = public(method)

        @public
        def resolved(
            self: Getting, section: str, key: str, extra: tuple[object, ...], how: dict[str, object]
        ) -> object:
            if not _ONCE.isdisjoint(how):
                return method(self, section, key, *extra, **how)
            record = Recorder(self._engine, section, key)
            value = method(self, section, key, *extra, record=record, **how)
            how.pop("fallback", None)
            place = section, key, with_arguments(extra, how) if extra or how else kind
            record.keep(self._engine.typed, place, value)
            return value

        def getter(
            self: Getting, section: str, key: str = MISSING, *extra: object, fallback: object = UNSET, **how: object
        ) -> object:
            known = None
            try:
                asked = kind if not extra and not how else with_arguments(extra, how)
                var, seen, absent, value = self._typed[section, key, asked]
                data = self._data
                if (var not in data if seen is None else data[var] is seen) and not (held and overrides.get()):
                    if absent is None:
                        return value
                    first, second, third, others = absent
                    if first not in data and second not in data and third not in data:
                        if others is None:
                            return value
                        more, variables, fresh = others
                        if (more is None or data.keys().isdisjoint(more)) and (
                            variables is None or unchanged(variables, data)
                        ):
                            if fresh is None:
                                return value
                            if fresh is not Known:
                                return fresh(value)
                            known, passed = value, extra[0] if fallback_is_third and extra else fallback
                            last, value, fresh = known.last
                            if last is passed:
                                return value if fresh is None else fresh(value)
            except (KeyError, TypeError):  # not asked before, no text, or the variable that won is gone
                pass
            try:
                if fallback is not UNSET:
                    how["fallback"] = fallback
                if known is None:
                    return resolved(self, section, key, extra, how)
                value = again(self, section, key, *extra, record=known, **how)
                known.returned(value, passed)
                return value
            except BaseException:
                extra, how, fallback, data, seen, value, known = (), {}, None, {}, None, None, None
                passed = last = None
                raise  # a traceback must hold no values

        for name in ("__module__", "__name__", "__qualname__", "__doc__", "__annotations__"):
            setattr(getter, name, getattr(method, name))
        getter.__wrapped__ = method  # type: ignore[attr-defined] # for inspect.signature
        return getter  # type: ignore[return-value]

    return decorate


#: Arguments with which nothing is kept.
_ONCE = frozenset(("raw", "lookup_from_deprecated", "suppress_warnings"))
