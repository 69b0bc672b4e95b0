"""From the text of an option to the value that an application wants, exactly as Airflow's getters convert.

A converter takes what a layer gave: text, or the typed value of a TOML, YAML or JSON file. It raises ValueError with
what is expected and an example, and never with the value, not even in the chain of its causes: the caller adds the
option and its origin (`InvalidValue`), and nothing can leak. No converter is asked about an option that is not set.

    get           text of a typed value: `to_text`; a fallback that is text is expanded, any other is given as it is
    getboolean    a fallback is converted like the text that `str` makes of it
    getint        a fallback is converted too; a number with a fraction is cut, as `int` does
    getfloat      a fallback is converted too
    getlist       a fallback that is text is split, a list is given as it is, anything else is an error
    getjson       the fallback answers for empty text as well; it is given as it is, neither expanded nor converted
    gettimedelta  the fallback answers for empty text as well, as it is; else one that is empty or zero is given so, any
                  other is converted (a number with a fraction is cut, a timedelta stays)
    getenum       the fallback answers for an unknown name as well, and must itself be a member
    getenumlist   a fallback is converted too; unknown names are left out, with a warning
    getimport     a fallback is converted too

The option is not set and there is no fallback: an error, except for getjson and gettimedelta, which give None, and
getenumlist, which gives an empty list.
"""

from __future__ import annotations

from framework.limits import GROWTH, NAMES, ROUNDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable
    from enum import Enum
    from typing import Any, TypeVar

    E = TypeVar("E", bound=Enum)

_WORDS = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}


def to_text(value: object) -> str:
    """What `get` gives for a typed value: `true`, `8080`, JSON for lists and tables, ISO 8601 for dates.

    Raises:
        ValueError: a table that JSON cannot hold.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple, dict)):
        import json

        try:
            return json.dumps(value, ensure_ascii=False, default=to_text)
        except (TypeError, ValueError, RecursionError):
            pass
        raise ValueError("expected a table with text keys, as in JSON")
    return str(value.isoformat() if hasattr(value, "isoformat") else value)


def guess(value: object) -> object:
    """What a text looks like: a whole number, a number, a boolean, else the text; typed values as they are."""
    if not isinstance(value, str):
        return value
    for to in (int, float, to_bool):
        try:
            return to(value)
        except ValueError:
            continue
    return value


def to_bool(value: object) -> bool:
    """`t`, `true`, `1`, `f`, `false`, `0` in any case of letters; what follows a `#` is a comment (`True # because`).

    Raises:
        ValueError: anything else; `yes` and `off` are not booleans in Airflow.
    """
    if isinstance(value, bool):
        return value
    word = str(value).partition("#")[0].strip().lower()
    if word in _WORDS:
        return _WORDS[word]
    raise ValueError("expected a boolean: true or false (also t, f, 1, 0)")


def to_int(value: object) -> int:
    """`8080`, also `8_080`, `8080.0` and `1e3`; a boolean of a file is 0 or 1.

    Raises:
        ValueError: anything else, also a number with a fraction.
    """
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            pass
    if isinstance(value, (str, float)):
        try:
            return _whole(value)
        except (ValueError, OverflowError):  # OverflowError: an infinite number
            pass
    raise ValueError("expected a whole number, such as 8080")


def _whole(value: str | float) -> int:
    number = float(value)
    if number != int(number):
        raise ValueError
    # Airflow goes over the float, which loses digits of 9007199254740993.0; these are still there in the text.
    whole, dot, fraction = str(value).strip().partition(".")
    return int(whole) if dot and whole.lstrip("+-").isdecimal() and not fraction.strip("0") else int(number)


def to_float(value: object) -> float:
    """Whatever Python's `float` takes: `0.5`, `1e3`, `inf`; a whole number of a file becomes a float.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, (str, int, float)):
        try:
            return float(value)
        except (ValueError, OverflowError):  # OverflowError: a whole number beyond every float
            pass
    raise ValueError("expected a number, such as 0.5")


def to_list(value: object, delimiter: str = ",") -> list[object]:
    """The pieces between the delimiters, without the white space around them; empty text is an empty list.

    A list in JSON form, `["a", "b"]`, is read as JSON, and a list of a file is taken as it is: with the types that the
    items have.

    Raises:
        ValueError: neither text nor a list.
    """
    if isinstance(value, str):
        if value[:1] in "[ \t\n" and (items := json_list(value)) is not None:
            return items
        return [piece.strip() for piece in value.split(delimiter)] if value else []
    if isinstance(value, (list, tuple)):
        return list(value)
    raise ValueError(f"expected a list, with {delimiter!r} between its items")


def json_list(text: str) -> list[object] | None:
    """The items of a list in JSON form; None for any other text."""
    text = text.strip()
    if text[:1] != "[" or text[-1:] != "]":
        return None
    from framework.parsing import Malformed, read_json

    try:
        items = read_json(text)
    except Malformed:
        return None
    return items if isinstance(items, list) else None


def to_json(value: object) -> Any:
    """The value of a JSON text, None for empty text; a typed value of a file is taken as it is.

    Raises:
        ValueError: the text is not JSON; says at which line and column it goes wrong.
    """
    if not isinstance(value, str):
        return value
    if not value:
        return None
    from framework.parsing import Malformed, read_json

    try:
        return read_json(value)
    except Malformed as error:
        place = f"; the error is at line {error.line}, column {error.column}" if error.column else ""
        place += f": {error.what}" if error.is_beyond else ""
    raise ValueError(f'expected JSON, such as {{"key": "value"}}{place}')


def to_timedelta(value: object) -> datetime.timedelta | None:
    """Whole seconds; None for empty text.

    Raises:
        ValueError: not a whole number, or beyond what a timedelta holds.
    """
    import datetime

    if value is None or value == "":
        return None
    if isinstance(value, datetime.timedelta):
        return value
    if isinstance(value, (str, int)):
        try:
            return datetime.timedelta(seconds=int(value))
        except (ValueError, OverflowError):
            pass
    raise ValueError("expected a whole number of seconds, such as 300")


def to_enum(value: object, enum_class: type[E]) -> E:
    """The member of that name, letter by letter.

    Raises:
        ValueError: no member has the name; lists those there are.
    """
    if isinstance(value, enum_class):
        return value
    members = enum_class.__members__
    if isinstance(value, str) and value in members:
        return members[value]
    raise ValueError(f"expected one of {', '.join(members)}")


def to_enumlist(value: object, enum_class: type[E], delimiter: str = ",") -> tuple[list[E], list[object]]:
    """The members that a list names, and the items that name none: Airflow leaves those out and warns.

    Raises:
        ValueError: neither text nor a list.
    """
    members: list[E] = []
    strangers: list[object] = []
    for item in to_list(value, delimiter):
        try:
            members.append(to_enum(item, enum_class))
        except ValueError:
            strangers.append(item)
    return members, strangers


def is_module(module: str, missing: str) -> bool:
    """Whether what is missing is the module itself, or a package that it is in."""
    return module == missing or module.startswith(f"{missing}.")


def why_not_imported(fault: BaseException, module: str) -> str:
    """Why a module cannot be imported, a clause. The text of the exception is left out: it may hold a secret."""
    if not isinstance(fault, ModuleNotFoundError) or not fault.name:
        return f"its module fails with {type(fault).__name__} when imported"
    if is_module(module, fault.name):
        return f"there is no module {fault.name}"
    return f"its module needs one that is not installed: {fault.name}"


def to_import(value: object) -> object:
    """What a dotted path such as `package.module.name` leads to; None for empty text.

    Raises:
        ValueError: not a dotted path, nothing is there, or the import of the module fails (then that is the cause).
    """
    if value is None or value == "":
        return None
    expected = "expected the dotted path of something in a module, such as package.module.name"
    module_name, _, name = value.rpartition(".") if isinstance(value, str) else ("", "", "")
    if not name or not all(module_name.split(".")):
        raise ValueError(expected)
    import importlib

    reason = ""
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if not is_module(module_name, error.name or ""):
            raise ValueError(f"{expected}; {why_not_imported(error, module_name)}") from error
        reason = "there is no such module"
    except UnicodeError:  # a name that no file can have
        reason = "there is no such module"
    except Exception as error:  # whatever a module does when it is imported
        raise ValueError(f"{expected}; {why_not_imported(error, module_name)}") from error
    else:
        if hasattr(module, name):
            return getattr(module, name)
        reason = "its module has no such name"
    raise ValueError(f"{expected}; {reason}")


def expand(text: object, getenv: Callable[[str], str | None], where: str = "") -> Any:
    """The text with `$VAR` and `${VAR}` as the environment has them and a leading `~` as a home, until nothing changes.

    As in Airflow: a name is ASCII letters, digits and `_`, in braces anything. A name that is not set stays as it is
    written. What a variable holds is expanded in turn. Unlike in Airflow, it always ends: a text that refers back to
    itself (`A=$B`, `B=$A`) or grows beyond the bounds (`A=x$A$A`) is left as it is written, as a whole.

    Args:
        text: the text; anything that is not text is given back.
        getenv: the value of an environment variable or None; asked for `HOME` too.
        where: file and line, or variable; if given, a text that is left because of a bound is warned about.

    Returns:
        The very object if there is nothing to expand.
    """
    if not isinstance(text, str) or ("$" not in text and text[:1] != "~"):
        return text
    limit, names = len(text) + GROWTH, NAMES + text.count("$")
    before = text
    for _ in range(ROUNDS):
        expanded, used = _expand_variables(before, getenv, limit, names)
        names -= used
        after = expand_home(expanded, getenv)
        if after == before:
            return after
        if len(after) > limit or names < 0:
            break
        before = after
    if where:
        from framework.errors import warn

        warn(f"{where}: $VAR or ~ expands without an end or beyond its limit; the text is left as written")
    return text


def _expand_variables(text: str, getenv: Callable[[str], str | None], limit: int, names: int) -> tuple[str, int]:
    """One round, as `os.path.expandvars` on POSIX does it, without its regular expression, and the names replaced.

    It stops at a text longer than `limit` and at more names than `names`.
    """
    pieces: list[str] = []
    done = size = used = 0
    last_brace = text.rfind("}")
    at = text.find("$")
    while at >= 0 and size <= limit and used <= names:
        name, end = _name_at(text, at + 1, last_brace)
        found = getenv(name) if name else None
        if found is not None:
            pieces += text[done:at], found
            size += len(found)
            used += 1
            done = end
        at = text.find("$", end)
    pieces.append(text[done:])
    return "".join(pieces), used


def _name_at(text: str, start: int, last_brace: int) -> tuple[str, int]:
    """The variable's name after a `$`, and the place after it; "" if there is none."""
    if text[start : start + 1] == "{":
        if start > last_brace:  # not looked for, again and again
            return "", start
        end = text.find("}", start)
        return text[start + 1 : end], end + 1
    end = start
    while (letter := text[end : end + 1]) == "_" or (letter.isascii() and letter.isalnum()):
        end += 1
    return text[start:end], end


def expand_home(text: str, getenv: Callable[[str], str | None]) -> str:
    """A leading `~` or `~user`, as `os.path.expanduser` on POSIX does it."""
    if text[:1] != "~":
        return text
    user, slash, rest = text[1:].partition("/")
    home = None if user else getenv("HOME")
    if home is None:
        try:
            import os
            import pwd

            home = pwd.getpwnam(user).pw_dir if user else pwd.getpwuid(os.getuid()).pw_dir
        except (ImportError, KeyError, ValueError):  # no such system, no such user, no name that a user can have
            return text
    return home.rstrip("/") + slash + rest or "/"


def with_a_home(getenv: Callable[[str], str | None]) -> Callable[[str], str | None]:
    """The same look-up, but an empty `HOME` counts as not set: a `~` never means `/`."""

    def look_up(name: str) -> str | None:
        text = getenv(name)
        return None if name == "HOME" and not text else text

    return look_up
