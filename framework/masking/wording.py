"""Messages are redacted here: what comes from outside is searched for secrets, our own words are not.

A password may be an ordinary word, `secret` or `postgres`. To hide it in `Check role_id, secret_id` protects nothing:
it damages the advice, and tells the reader what the password is. So the texts of our own code, which the compiled
modules hold as constants, and the names of arguments and options stay as they are.
"""

from __future__ import annotations

from framework.masking import redact, redact_around, redact_text
from framework.masking.search import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import CodeType
    from typing import Any

#: What may stand beside a name in a message. In `user:secret@host` and `password=secret` no name is meant.
_BEFORE, _AFTER = " \t\n'\"`[({,.", " \t\n'\"`])},.:=…"

#: What our modules call the lists of names that messages offer: fields of a connection, short names, access types.
_LISTED = ("FIELDS", "SHORT_NAMES", "ACCESS_TYPES", "KINDS", "COMMANDS")

#: Names of arguments and options, and of the links that every chain has.
_names: set[str] = {"environment", "metastore"}
_texts: set[str] = set()
_read: set[str] = set()


def add_names(names: Iterable[str]) -> None:
    """Names that messages may always show, as they stand in the configuration: of arguments and options."""
    _names.update(name for name in names if name.isidentifier() and _is_name(name.rstrip("0123456789")))


def redact_message(text: str) -> str:
    """A message of ours without the secrets that came into it from outside.

    The same as `redact_text`, but for words of our own that only look like a secret.
    """
    hidden = redact_text(text)
    if hidden == text:
        return text
    _read_our_modules()
    return redact_around(text, lambda text: [*_texts_in(text), *_names_in(text)])


def redact_fields(fields: Any) -> Any:
    """The same for the texts in the fields of an error; what else it holds is redacted as any value is."""
    if isinstance(fields, tuple):
        return tuple(map(redact_fields, fields))
    if isinstance(fields, dict):
        return {
            name: redact_message(said) if isinstance(said, str) else redact(said, name) for name, said in fields.items()
        }
    return redact_message(fields) if isinstance(fields, str) else redact(fields)


def safe_repr(describe: Callable[[Any], str]) -> Callable[[Any], str]:
    """Decorates `__repr__` and `__str__`: the text shows no known secret and no control character, and there always is
    one, also for an object whose constructor has failed and that a traceback with local variables prints."""

    def described(self: Any) -> str:
        try:
            return visible(redact_message(describe(self)), keep="\n")
        except Exception:
            return f"<{type(self).__name__}, not built>"

    return described


def _texts_in(text: str) -> Iterator[tuple[int, int]]:
    """Where a text has texts of our code."""
    for own in _texts:
        at = text.find(own)
        while at >= 0:
            yield at, at + len(own)
            at = text.find(own, at + 1)


def _names_in(text: str) -> Iterator[tuple[int, int]]:
    """Where a text has names of arguments, options and schemes; what is written `[section] key` is one."""
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
    """Where the scheme of a URL ends that begins with this word, as `postgresql://` or `mysql+pymysql://`; else 0."""
    if text[end : end + 1] == "+":
        end += 1
        while text[end : end + 1].isalnum():
            end += 1
    return end if text.startswith("://", end) else 0


def _is_name(text: str) -> bool:
    """Whether it is spelt like the name of an argument or an option, which no generated secret is."""
    return text.isascii() and text.replace("_", "").isalpha() and text.islower()


def _read_our_modules() -> None:
    """Read the constants of our own modules that are loaded; done only when a message would be damaged."""
    import sys

    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "framework" and name not in _read:
            _read.add(name)
            for listed in _LISTED:
                add_names(getattr(module, listed, ()))
            code = _code_of(module)
            if code is not None:
                _read_code(code, name)


def _code_of(module: Any) -> CodeType | None:
    """The compiled module; None if it is not to be had, and then its words are searched like any other."""
    from importlib.machinery import SourceFileLoader

    loader: Any = module.__loader__
    if not hasattr(loader, "get_code"):  # a tool has imported it by a loader of its own, as pytest does
        loader = SourceFileLoader(module.__name__, str(module.__file__))
    try:
        code: CodeType | None = loader.get_code(module.__name__)
    except (ImportError, OSError):
        return None
    return code


def _read_code(code: CodeType, module: str) -> None:
    """The texts of a module or function, and the names of a backend's arguments or of our own options."""
    if code.co_name == "__init__" and ".backends." in module:
        add_names(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount])
    constants: list[Any] = list(code.co_consts)
    while constants:
        constant = constants.pop()
        if isinstance(constant, str) and " " in constant and any(map(str.isalpha, constant)):
            between = constant.replace("}", "{").split("{")[::2]  # of `access is denied ({code})`
            _texts.update((constant, *(text for text in between if " " in text and any(map(str.isalpha, text)))))
        elif isinstance(constant, str) and module == "framework.options.own":
            add_names([constant])
        elif isinstance(constant, (tuple, frozenset)):
            constants += constant
        elif hasattr(constant, "co_consts"):
            _read_code(constant, module)
