"""Every error that `framework` raises on purpose.

    FrameworkError
    ├── ConfigError                      an option, a file or the application itself
    │   ├── OptionNotFound               nobody writes the option and it has no default
    │   │   └── MandatoryOptionNotFound  `get_mandatory_value` found none (also an InvalidValue)
    │   ├── InvalidValue                 the text does not convert (also a ValueError)
    │   ├── ConfigFileError              a file is unreadable, malformed or not to be trusted
    │   │   └── SchemaError              a schema file says something that cannot be
    │   ├── PointerError                 a _cmd, _secret or _file could not be followed
    │   └── BackendError                 a link of the chain cannot be built
    ├── NotFound                         every link was asked and nobody has it
    │   ├── ConnectionNotFound
    │   └── VariableNotFound             (also a KeyError, as in Airflow)
    ├── SecretsError                     a link failed: never to be taken for absence
    │   ├── AccessDenied                 the store answers, and refuses
    │   ├── BackendUnavailable           the store does not answer
    │   └── InvalidSecret                the store's answer makes no sense (also a ValueError)
    │       ├── InvalidConnection        a URI, JSON or field that is no connection
    │       ├── FileParseError           a secrets file with faults, each with its line
    │       │   └── UnsupportedFileType
    │       └── NotUnique
    │           ├── ConnectionNotUnique
    │           └── VariableNotUnique
    └── MetastoreError                   the database refused a write or a command
        └── NoFernetKey                  without a key nothing is written

A message says what happened, `where` (file:line, variable name, link), and `hint` what to do.
Texts are redacted when they are shown, so a secret registered later is hidden as well; our own words stay.
"""

from __future__ import annotations

from framework.files.limits import FAULTS
from framework.wording import redact_fields, redact_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Kind = TypeVar("Kind", bound="FrameworkError")


class FrameworkError(Exception):
    """Root of the tree.

    Args:
        what: what happened, a clause without a full stop.
        where: the place: `billing.cfg:12`, a variable's name, a link and a path.
        hint: what to do about it, a sentence.
    """

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.hint = what, where, hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return redact_message(f"{text}. {self.hint}" if self.hint else text)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def again(self: Kind) -> Kind:
        """The same error as an object of its own, for one more who is told."""
        return _unpickled(type(self), self.args, self.__dict__)

    def __reduce__(self) -> tuple[Any, ...]:
        """Fields and all, whatever the constructor takes; redacted, for another process knows none of the secrets."""
        return _unpickled, (type(self), redact_fields(self.args), redact_fields(self.__dict__))


def _unpickled(kind: type[Kind], args: tuple[Any, ...], fields: dict[str, Any]) -> Kind:
    error = kind.__new__(kind, *args)
    error.__dict__.update(fields)
    return error


class ConfigError(FrameworkError):
    """An option, a file or the application itself (Airflow's AirflowConfigException)."""


class OptionNotFound(ConfigError):
    """Nobody writes the option and it has no default."""


class InvalidValue(ConfigError, ValueError):
    """The text of an option or variable does not convert to the type asked for."""


class MandatoryOptionNotFound(OptionNotFound, InvalidValue):
    """`get_mandatory_value` found no value (also a ValueError)."""


class ConfigFileError(ConfigError):
    """A configuration file is unreadable, malformed or not to be trusted."""


class SchemaError(ConfigFileError):
    """A schema says something that cannot be; names file, section and key."""


class PointerError(ConfigError):
    """A `_cmd`, `_secret` or `_file` could not be followed; it never becomes the default."""


class BackendError(ConfigError):
    """A link of the chain cannot be built: its class, its kwargs, its options."""


class NotFound(FrameworkError):
    """Every link was asked and nobody has it (Airflow's AirflowNotFoundException)."""


class ConnectionNotFound(NotFound):
    """No link has the connection."""


class VariableNotFound(NotFound, KeyError):
    """No link has the variable."""


class SecretsError(FrameworkError):
    """A link failed. The search stops, for a failure is not an absence."""


class AccessDenied(SecretsError):
    """The store answers, and refuses."""


class BackendUnavailable(SecretsError):
    """The store does not answer, or not in time."""


class InvalidSecret(SecretsError, ValueError):
    """The store's answer makes no sense."""


class InvalidConnection(InvalidSecret):
    """A URI, a JSON text or a field that is no connection."""


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
    """A secrets file with an ending that nobody reads."""


class NotUnique(InvalidSecret):
    """A secrets file gives one name two values."""


class ConnectionNotUnique(NotUnique):
    """A secrets file holds several connections under one id."""


class VariableNotUnique(NotUnique):
    """A secrets file holds several values under one key."""


class MetastoreError(FrameworkError):
    """The database refused a write or a command."""


class NoFernetKey(MetastoreError):
    """A write without `[core] fernet_key`: there is no silent plain text."""


class FrameworkWarning(UserWarning):
    """Something works, but not as it is written: a shadowed write, an ignored pointer, a link passed over."""


#: Told of our warnings instead of Python's `warnings`: the command line prints them itself.
listener: Callable[[str], None] | None = None


def warn(message: str, category: type[Warning] = FrameworkWarning) -> None:
    """Warn, redacted, at the line of the caller outside of this package."""
    if listener is not None:
        listener(redact_message(message))
        return
    import sys
    import warnings

    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "framework":
        frame, level = frame.f_back, level + 1
    warnings.warn(redact_message(message), category, stacklevel=level)
