"""What callers pass: taken in every form that makes sense, else refused by the name of the argument.

A path may be text or a PathLike and may begin with `~`. It is made absolute here, so a later `os.chdir` changes
nothing. A list may be one item or any iterable.
"""

from __future__ import annotations

import os
from time import monotonic

from framework.convert import expand_home, with_a_home
from framework.errors import InvalidArgument
from framework.errors import wrong as wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    T = TypeVar("T")

#: The default of an argument that must be given, so that the error can show what to write.
MISSING: Any = object()


def optional(take: Callable[..., T], given: object, *about: object) -> T | None:
    """The argument as `take` takes it; None stays. Raises: as `take`."""
    return None if given is None else take(given, *about)


def text(given: object, argument: str, hint: str = "") -> str:
    """The argument, which must be text.

    Raises:
        InvalidArgument: it is not.
    """
    if isinstance(given, str):
        return given
    raise wrong(given, argument, "text", hint)


def choice(given: object, argument: str, choices: tuple[str, ...]) -> str:
    """The argument, which must be one of the choices. Raises: as `text`."""
    if given not in choices:
        raise wrong(given, argument, f"one of {', '.join(map(repr, choices))}")
    return str(given)


def flag(given: object, argument: str) -> bool:
    """The argument, which must be true or false. Raises: as `text`."""
    if isinstance(given, bool):
        return given
    raise wrong(given, argument, "True or False")


def seconds(given: object, argument: str) -> float:
    """The argument, which must be a time of more than nothing. Raises: as `text`."""
    expected = "a number of seconds above 0"
    if (number := _number(given, argument, expected)) > 0:
        return number
    raise InvalidArgument(f"expected {expected}, not this one", where=argument)


def since(max_age: object) -> float | None:
    """The time on the monotonic clock after which an answer must have been asked for, from the argument `max_age`.

    Raises: as `text`.
    """
    if max_age is None:
        return None
    expected = "a number of seconds, 0 or more"
    if (number := _number(max_age, "max_age", expected)) >= 0:
        return monotonic() - number
    raise InvalidArgument(f"expected {expected}, not this one", where="max_age")


def _number(given: object, argument: str, expected: str) -> float:
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        return given
    raise wrong(given, argument, expected)


def enum(given: object, argument: str) -> Any:
    """The argument, which must be a subclass of Enum. Raises: as `text`."""
    if isinstance(given, type) and hasattr(given, "__members__"):
        return given
    if given is MISSING:
        raise InvalidArgument("the enum class is missing", where=argument, hint="Pass a subclass of enum.Enum.")
    raise wrong(given, argument, "a subclass of enum.Enum")


def delimiter(given: object) -> str:
    """The argument `delimiter`, which must be text that is not empty. Raises: as `text`."""
    if text(given, "delimiter"):
        return str(given)
    raise InvalidArgument("the delimiter is empty", where="delimiter", hint='For example ",".')


def kind(given: object) -> str:
    """The argument `kind`, one of three words. Raises: as `text`."""
    if given in ("connection", "variable", "config"):
        return str(given)
    raise InvalidArgument("no such kind", where="kind", hint="Pass connection, variable or config.")


def mapping(given: Any, argument: str) -> Mapping[Any, Any]:
    """The argument, which must be a mapping. Raises: as `text`."""
    if isinstance(given, dict) or (hasattr(given, "keys") and hasattr(given, "get")):
        return given  # type: ignore[no-any-return]
    raise wrong(given, argument, "a mapping")


def dynaconf(given: object, argument: str) -> Any:
    """The argument, which must be a Dynaconf object, or the place of one as text. Raises: as `text`."""
    if isinstance(given, str) or callable(getattr(given, "as_dict", None)):
        return given
    raise wrong(given, argument, "a Dynaconf object or module:attribute")


def is_object_path(given: object) -> bool:
    """Whether an argument is the place of an object, `module:Name`, and not the path of a file."""
    module, colon, name = given.partition(":") if isinstance(given, str) else ("", "", "")
    return bool(colon) and all(step.isidentifier() for step in (*module.split("."), *name.split(".")))


def items(given: object, argument: str, what: str = "a string or a list of strings") -> list[object]:
    """One item or several as a list; None gives an empty list. Raises: as `text`."""
    if given is None:
        return []
    if isinstance(given, str) or hasattr(type(given), "__fspath__"):
        return [given]
    if isinstance(given, (bytes, bytearray, memoryview)) or hasattr(given, "keys") or not hasattr(given, "__iter__"):
        raise wrong(given, argument, what)
    return list(given)


def texts(given: object, argument: str) -> list[str]:
    """One text or several as a list. Raises: as `text`."""
    found = items(given, argument)
    if isinstance(given, list) and all(isinstance(item, str) for item in given):
        return given  # it may know its place
    return [text(item, argument if given is item else f"{argument}[{i}]") for i, item in enumerate(found)]


def paths(given: object, argument: str, getenv: Callable[[str], str | None] = os.environ.get) -> list[str]:
    """One path or several as a list. Raises: as `path`."""
    found = items(given, argument, "a path or a list of paths")
    return [_entry(item, argument if given is item else f"{argument}[{i}]", getenv) for i, item in enumerate(found)]


def _entry(given: Any, argument: str, getenv: Callable[[str], str | None]) -> str:
    """A path in a list, which may be a pattern; `*` in the path of the working directory does not count."""
    from framework.files.lists import FilePattern
    from framework.files.trust import Typed

    named = path(given, argument, getenv)
    written = os.fspath(given)
    if os.path.isabs(written) or written.startswith("~") or isinstance(given, Typed):
        return named
    return FilePattern(os.getcwd(), written)


def path(given: object, argument: str, getenv: Callable[[str], str | None] = os.environ.get) -> str:
    """A path, absolute and with its `~` expanded.

    Args:
        getenv: finds `HOME`.

    Raises:
        InvalidArgument: it is not a path, is empty, or starts at an unknown home or in a working directory that was
            removed.
    """
    named = expanded(given, argument, getenv)
    if os.path.isabs(named):
        return named
    from framework.files.trust import with_trust_of

    try:
        return with_trust_of(named, os.path.abspath(named))
    except FileNotFoundError:
        pass
    raise InvalidArgument("the working directory was removed", where=argument, hint="Pass an absolute path.")


def expanded(given: Any, argument: str, getenv: Callable[[str], str | None] = os.environ.get) -> str:
    """A path as text with its `~` expanded, which may be relative. Raises: as `path`."""
    named = os.fspath(given) if hasattr(type(given), "__fspath__") else given
    if not isinstance(named, str):
        raise wrong(given, argument, "a path (text or a PathLike)")
    if not named:
        raise InvalidArgument("the path is empty", where=argument, hint="Pass a path, or leave the argument out.")
    if named[0] == "~":
        named = expand_home(named, with_a_home(getenv))
        if named[0] == "~":
            hint = "Set HOME, or pass an absolute path."
            raise InvalidArgument("the home directory of '~' is unknown", where=argument, hint=hint)
    return named


def option(section: object, key: object) -> tuple[str, str]:
    """The name of an option, in lower case.

    Raises:
        InvalidArgument: one of the two is missing or no text.
    """
    if isinstance(section, str) and isinstance(key, str):
        return section.lower(), key.lower()
    if key is MISSING:
        what = "the key is missing"
        first, _, last = section.rpartition(".") if isinstance(section, str) else ("", "", "")
        how = f'"{first}", "{last}"' if first and last else '"server", "port"'
        raise InvalidArgument(what, where="key", hint=f"Pass the section and the key: conf.get({how}).")
    argument = "key" if isinstance(section, str) else "section"
    raise wrong(key if argument == "key" else section, argument, "text", 'For example conf.get("server", "port").')


def options(given: object, argument: str) -> dict[tuple[str, str], object]:
    """Values by (section, key), in lower case.

    Raises:
        InvalidArgument: it is not a mapping, or another kind of key is in it.
    """
    return {_pair(name, argument): value for name, value in dict(mapping(given, argument)).items()}


def pairs(given: object, argument: str) -> list[tuple[str, str]] | None:
    """Names of options, as (section, key) in lower case; one pair or several, or None. Raises: as `options`."""
    if given is None:
        return None
    is_one = isinstance(given, tuple) and len(given) == 2 and all(isinstance(part, str) for part in given)
    found = [given] if is_one else items(given, argument, "pairs of section and key")
    return [_pair(name, argument) for name in found]


def _pair(name: object, argument: str) -> tuple[str, str]:
    if isinstance(name, (tuple, list)) and len(name) == 2 and all(isinstance(part, str) for part in name):
        return option(*name)
    section, _, key = name.rpartition(".") if isinstance(name, str) else ("", "", "")
    how = f'("{section}", "{key}")' if section and key else '("server", "port")'
    raise InvalidArgument("each option is named by a pair, section and key", where=argument, hint=f"Write {how}.")
