"""Redacts messages: text from outside is searched for secrets, the words of our own code are not.

A password may be an ordinary word, such as `secret` or `postgres`. Hiding it in `Check role_id, secret_id` would
protect nothing: it would spoil the advice, and show the reader what the password is. So the texts of our own code,
which are constants of the compiled modules, and the names of arguments and options stay as they are.
"""

from __future__ import annotations

from framework.masking import known, redact, redact_around, redact_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import CodeType, ModuleType

#: What may precede and follow a name in a message. In `user:secret@host` and `password=secret` there is no name.
_BEFORE, _AFTER = " \t\n'\"`[({,.", " \t\n'\"`])},.:=…"

#: The lists in our modules with names that messages show: fields of a connection, short names, access types.
_LISTED = ("FIELDS", "SHORT_NAMES", "ACCESS_TYPES", "KINDS", "COMMANDS")

#: Names of arguments and options, and of the links that every chain has.
_names: set[str] = {"environment", "metastore"}
_texts: set[str] = set()
_read: set[str] = set()


def _add_names(names: Iterable[str]) -> None:
    """Add names of arguments and options that messages may always show."""
    _names.update(name for name in names if name.isidentifier() and _is_name(name.rstrip("0123456789")))


def redact_message(text: str) -> str:
    """A message without the secrets in it: as `redact_text`, except for our own words that equal a secret."""
    hidden = redact_text(text)
    if hidden == text:
        return text
    _add_names(list(known.argument_names))  # another thread may build a backend
    _read_our_modules()
    return redact_around(text, lambda text: [*_texts_in(text), *_names_in(text)])


def redact_fields(fields: object) -> object:
    """The fields of an error: texts as `redact_message`, other values as `redact`."""
    if isinstance(fields, tuple):
        return tuple(map(redact_fields, fields))
    if isinstance(fields, dict):
        return {
            name: redact_message(field) if isinstance(field, str) else redact(field, name)
            for name, field in fields.items()
        }
    return redact_message(fields) if isinstance(fields, str) else redact(fields)


def _texts_in(text: str) -> Iterator[tuple[int, int]]:
    """Where a text has texts of our own code."""
    for own in list(_texts):  # another thread may read a module
        at = text.find(own)
        while at >= 0:
            yield at, at + len(own)
            at = text.find(own, at + 1)


def _names_in(text: str) -> Iterator[tuple[int, int]]:
    """Where a text has names of arguments, options (also as `[section] key`) and schemes of URLs."""
    at, size = 0, len(text)
    while at < size:
        end = at
        while end < size and (text[end].isalnum() or text[end] in "_-"):
            end += 1
        name, before, after = text[at:end], text[at - 1 : at] or " ", text[end : end + 2] or " "
        is_option = (before == "[" and after == "] ") or text[at - 2 : at] == "] "
        if (name in _names and before in _BEFORE and after[0] in _AFTER) or (is_option and _is_name(name)):
            yield at, end
        elif before in _BEFORE and _is_name(name) and (colon := _end_of_scheme(text, end)):
            yield at, colon
        at = end + 1


def _end_of_scheme(text: str, end: int) -> int:
    """The end of a scheme that begins with this word, such as `postgresql://` or `mysql+pymysql://`; else 0."""
    if text[end : end + 1] == "+":
        end += 1
        while text[end : end + 1].isalnum():
            end += 1
    return end if text.startswith("://", end) else 0


def _is_name(text: str) -> bool:
    """Whether it is spelled like the name of an argument or an option; generated secrets are not."""
    return text.isascii() and text.replace("_", "").isalpha() and text.islower()


def _read_our_modules() -> None:
    """Read the constants of our loaded modules. Called only when a message holds something that equals a secret."""
    import sys

    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "framework" and name not in _read:
            _read.add(name)
            for listed in _LISTED:
                _add_names(getattr(module, listed, ()))
            code = _code_of(module)
            if code is not None:
                _read_code(code, name)


def _code_of(module: ModuleType) -> CodeType | None:
    """The compiled module; None if it cannot be read, and then its words are searched like all others."""
    from importlib.machinery import SourceFileLoader

    get_code: Callable[[str], CodeType | None] | None = getattr(module.__loader__, "get_code", None)
    if get_code is None:  # a tool has imported it with its own loader, as pytest does
        get_code = SourceFileLoader(module.__name__, str(module.__file__)).get_code
    try:
        return get_code(module.__name__)
    except (ImportError, OSError):
        return None


def _read_code(code: CodeType, module: str) -> None:
    """The texts of a module, class or function, and the names of a backend's arguments or of our own options."""
    if ".backends." in module:
        if code.co_name == "__init__":
            _add_names(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount])
        elif "__annotations__" in code.co_names:  # a class that has the arguments as fields
            _add_names(name for name in code.co_consts if isinstance(name, str) and name in code.co_names)
    constants: list[object] = list(code.co_consts)
    while constants:
        constant = constants.pop()
        if isinstance(constant, str) and " " in constant and any(map(str.isalpha, constant)):
            between = constant.replace("}", "{").split("{")[::2]  # of `access is denied ({code})`
            _texts.update((constant, *(text for text in between if " " in text and any(map(str.isalpha, text)))))
        elif isinstance(constant, str) and module == "framework.options.own":
            _add_names([constant])
        elif isinstance(constant, (tuple, frozenset)):
            constants += constant
        elif isinstance(constant, type(code)):
            _read_code(constant, module)
