"""Every error that `framework` raises on purpose.

    FrameworkError
    ├── ConfigError                      an option, a file or the application itself
    │   ├── OptionNotFound               the option is not set and has no default
    │   │   └── MandatoryOptionNotFound  `get_mandatory_value` found none (also an InvalidValue)
    │   ├── InvalidValue                 the text does not convert (also a ValueError)
    │   │   └── InvalidArgument          the caller passed a wrong type (also a TypeError)
    │   ├── SettingsError                what is set does not fit a settings class
    │   ├── ConfigFileError              a file is unreadable, malformed or not to be trusted
    │   │   └── SchemaError              a schema is not valid
    │   ├── PointerError                 a _cmd, _secret or _file could not be followed
    │   └── BackendError                 a link of the chain cannot be built
    ├── NotFound                         every link was asked and none has it
    │   ├── ConnectionNotFound
    │   └── VariableNotFound             (also a KeyError, as in Airflow)
    ├── SecretsError                     a link failed, which does not mean that the name is absent
    │   ├── AccessDenied                 the store answers, and refuses
    │   ├── BackendUnavailable           the store does not answer
    │   └── InvalidSecret                the store's answer is not valid (also a ValueError)
    │       ├── InvalidConnection        a URI, JSON or field of a connection is not valid
    │       ├── FileParseError           a secrets file with faults, each with its line
    │       │   └── UnsupportedFileType
    │       └── NotUnique
    │           ├── ConnectionNotUnique
    │           └── VariableNotUnique
    ├── IssuedOnUse                      it would be issued, and is only looked at
    └── MetastoreError                   the database refused a write or a command
        ├── MetastoreUnavailable         it does not answer, or refuses the login
        └── NoFernetKey                  nothing is written without a key

A message says what happened, `where` (file:line, variable name, link), and `hint` what to do.
It is redacted when it is shown, so a secret that is registered later is hidden as well; our own words stay. Control
characters are shown as escapes (`\\x1b`, `\\n`), so a message is one line.

An error that leaves a public method holds nothing but its message: see `clean`.
"""

from __future__ import annotations

from _contextvars import ContextVar  # its module loads more than we need

from framework.limits import FAULTS
from framework.masking import known, safe_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType
    from typing import Any, NoReturn, TypeVar

    Kind = TypeVar("Kind", bound="FrameworkError")
    Made = TypeVar("Made")
    Public = TypeVar("Public", bound=Callable[..., Any])


class FrameworkError(Exception):
    """Root of the tree.

    Args:
        what: what happened, a clause without a full stop.
        where: the place: `billing.cfg:12`, a variable's name, a link and a path.
        hint: what to do about it, a sentence.
    """

    what = where = hint = ""  # for an error that was made without its constructor

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.hint = what, where, hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return safe_text(f"{text}. {self.hint}" if self.hint else text)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def again(self: Kind) -> Kind:
        """A copy of the error, for one more caller."""
        return _unpickled(type(self), self.args, self.__dict__)

    def __reduce__(self) -> tuple[object, ...]:
        """With all fields, whatever the constructor takes. They are redacted: the other process knows no secrets."""
        from framework.masking.wording import redact_fields

        return _unpickled, (type(self), redact_fields(self.args), redact_fields(self.__dict__))


def _unpickled(kind: type[Kind], args: tuple[object, ...], fields: Mapping[str, object]) -> Kind:
    error = kind.__new__(kind, *args)
    error.__dict__.update(fields)
    return error


class ConfigError(FrameworkError):
    """An option, a file or the application itself (Airflow's AirflowConfigException)."""


class OptionNotFound(ConfigError):
    """The option is not set and has no default."""


class InvalidValue(ConfigError, ValueError):
    """The text of an option or variable does not convert to the type asked for."""


class InvalidArgument(InvalidValue, TypeError):
    """An argument has a wrong type or form. `where` is its name; its value is not in the message."""


def wrong(given: object, argument: str, expected: str, hint: str = "") -> InvalidArgument:
    """The error of an argument of a wrong type. The value is not in the message, because it may be a secret."""
    return InvalidArgument(f"expected {expected}, not {type(given).__name__}", where=argument, hint=hint)


known.refuse_with(wrong)


class MandatoryOptionNotFound(OptionNotFound, InvalidValue):
    """`get_mandatory_value` found no value (also a ValueError)."""


class SettingsError(ConfigError):
    """What is set does not fit a settings class: everything that is wrong, a line each.

    Args:
        name: the class.
        faults: every fault.

    Attributes:
        faults: every fault as an error of its own: OptionNotFound, InvalidValue, PointerError, …
    """

    faults: tuple[FrameworkError, ...] = ()  # for an error that was made without its constructor

    def __init__(self, name: str, faults: Iterable[FrameworkError]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(str(fault).rstrip(".") for fault in self.faults), where=name)

    def __str__(self) -> str:
        count = f"{len(self.faults)} faults" if len(self.faults) > 1 else "1 fault"
        return "\n  ".join([f"{safe_text(self.where)}: {count}", *map(str, self.faults)])


class ConfigFileError(ConfigError):
    """A configuration file is unreadable, malformed or not to be trusted."""


class SchemaError(ConfigFileError):
    """A schema is not valid; names file, section and key."""


class PointerError(ConfigError):
    """A `_cmd`, `_secret` or `_file` could not be followed; it never becomes the default.

    Attributes:
        is_absent: whether every link was asked, and none has the secret.
    """

    is_absent = False


class BackendError(ConfigError):
    """A link of the chain cannot be built: its class, its kwargs, its options."""


class NotFound(FrameworkError):
    """Every link was asked and none has it (Airflow's AirflowNotFoundException).

    Attributes:
        plain: `what` without the names that the stores were asked for, which may spell a secret name; or empty.
    """

    plain = ""


class ConnectionNotFound(NotFound):
    """No link has the connection."""


class VariableNotFound(NotFound, KeyError):
    """No link has the variable."""


class SecretsError(FrameworkError):
    """A link failed. The search stops, because a failure does not mean absence."""


class AccessDenied(SecretsError):
    """The store answers, and refuses."""


class BackendUnavailable(SecretsError):
    """The store does not answer, or not in time."""


class InvalidSecret(SecretsError, ValueError):
    """The store's answer is not valid."""


class InvalidConnection(InvalidSecret):
    """A URI, a JSON text or a field of a connection is not valid."""


class FileParseError(InvalidSecret):
    """A secrets file with faults (Airflow's AirflowFileParseException).

    Args:
        path: the file.
        faults: every fault, as (line, message); line 0 stands for the file as a whole.
    """

    def __init__(self, path: str, faults: list[tuple[int, str]]) -> None:
        lines = "; ".join(f"line {line}: {text}" if line else text for line, text in faults[:FAULTS])
        if len(faults) > FAULTS:
            lines += f"; and {len(faults) - FAULTS} more"
        super().__init__(lines, where=path)
        self.path, self.faults = path, faults


class UnsupportedFileType(FileParseError):
    """A secrets file with an unsupported extension."""


class NotUnique(InvalidSecret):
    """A secrets file gives one name two values."""


class ConnectionNotUnique(NotUnique):
    """A secrets file holds several connections under one id."""


class VariableNotUnique(NotUnique):
    """A secrets file holds several values under one key."""


class IssuedOnUse(FrameworkError):
    """A store would issue it to the reader, and this command only looks."""


class MetastoreError(FrameworkError):
    """The database refused a write or a command."""


class MetastoreUnavailable(MetastoreError):
    """The database does not answer, or refuses the login."""


class NoFernetKey(MetastoreError):
    """A write without `[core] fernet_key`: nothing is stored as plain text."""


class FrameworkWarning(UserWarning):
    """Something does not work as it is configured: a shadowed write, an ignored pointer, a link that was skipped."""


def clean(error: Kind) -> Kind:
    """The same error with nothing but its message.

    Its context is dropped, and so is a cause that is not our error: a parser's error holds the whole text, a driver's
    the bound values. The frames of its traceback are emptied. A traceback still shows their lines, but a report that
    prints local variables finds none. Frames that still run are left alone.
    """
    below: BaseException | None = error
    while isinstance(below, FrameworkError):
        _empty(below.__traceback__, ours=False)
        below.__context__ = None
        if not isinstance(below.__cause__, FrameworkError):
            below.__cause__ = None
        below = below.__cause__
    return error


def _empty(trace: TracebackType | None, *, ours: bool) -> None:
    """Clear the local variables of the frames of a traceback, or only of the frames of this package."""
    while trace is not None:
        frame = trace.tb_frame
        if not ours or frame.f_globals.get("__name__", "").partition(".")[0] == "framework":
            try:
                frame.clear()
            except RuntimeError:  # it still runs
                pass
        trace = trace.tb_next


def public(given: Public) -> Public:
    """Decorates what applications call: a function, or a class with its public methods. Errors leave it clean.

    A class lists in `_clean` the methods that need no wrapper, or are called too often for one.

    An exception that the caller is handling stays the context of the error. Errors that are not ours keep their chain;
    only our frames are emptied.
    """
    if isinstance(given, type):
        _make_methods_public(given)
        return given
    return _public_function(given)


def _public_function(function: Public) -> Public:
    def entered(*args: object, **kwargs: object) -> Any:
        try:
            return function(*args, **kwargs)
        except FrameworkError as error:
            failure = error
        except BaseException as error:
            _empty(error.__traceback__, ours=True)
            args, kwargs = (), {}
            raise
        args, kwargs = (), {}  # they may be the secret
        try:
            clean(failure)
            raise failure.with_traceback(failure.__traceback__ and failure.__traceback__.tb_next)  # this frame once
        finally:
            del failure  # it holds this frame

    for name in ("__module__", "__name__", "__qualname__", "__doc__", "__annotations__"):
        setattr(entered, name, getattr(function, name))
    entered.__wrapped__ = function  # type: ignore[attr-defined] # for inspect.signature
    return entered  # type: ignore[return-value] # it takes and returns the same


def _make_methods_public(made: type) -> None:
    for name, member in list(vars(made).items()):
        if (name.startswith("_") and name != "__init__") or name in vars(made).get("_clean", ()):
            continue
        if isinstance(member, (classmethod, staticmethod)):
            setattr(made, name, type(member)(_public_function(member.__func__)))
        elif isinstance(member, property) and member.fget is not None:
            setattr(made, name, property(_public_function(member.fget), member.fset, member.fdel, member.__doc__))
        elif hasattr(member, "__code__") and not member.__code__.co_flags & 0x2A0:  # nor a generator or a coroutine
            setattr(made, name, _public_function(member))


#: Called with the warnings of this context instead of Python's `warnings`: a command prints them, a page shows them.
listener: ContextVar[Callable[[str], object] | None] = ContextVar("framework_listener", default=None)


def warn(message: str, category: type[Warning] = FrameworkWarning) -> None:
    """Warn, redacted and in one line. The warning's place is the caller outside this package."""
    message = safe_text(message)
    if (listen := listener.get()) is not None:
        listen(message)
        return
    import sys
    import warnings

    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "framework":
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


class Instead:
    """An attribute that Airflow's class has and ours does not: the error says what to use instead.

    These are descriptors, because a `__getattr__` would make the lookup of every other attribute slower.
    """

    __slots__ = ("_name", "_owner", "_instead")

    def __init__(self, owner: str, name: str, instead: str) -> None:
        self._owner, self._name, self._instead = owner, name, instead

    def __get__(self, instance: object, owner: type) -> NoReturn:
        raise AttributeError(f"{self._owner} has no {self._name!r}: {self._instead}")


def without(owner: str, instead: dict[str, str]) -> Callable[[type[Made]], type[Made]]:
    """Decorates a class without these attributes of Airflow's; the values say what to use instead."""

    def decorate(made: type[Made]) -> type[Made]:
        for name, what in instead.items():
            setattr(made, name, Instead(owner, name, what))
        return made

    return decorate
