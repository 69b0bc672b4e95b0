"""Values that are probably not what was intended: changed on the way, or kept where their owner does not expect it.

Each of these is well-formed, so that no reader can refuse it. `check` reports them, one function for each
kind. An option is looked at where it is written first; a shadowed value is not reported. A sensitive value is never
shown.
"""

from __future__ import annotations

from framework.convert import expand, json_list, to_text
from framework.errors import FrameworkError
from framework.files.scalars import Written, scalars
from framework.inspection.problem import Problem
from framework.layers.base import EnvironmentLayer
from framework.layers.cfg import CfgLayer
from framework.options.types import TYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from framework.layers.base import Layer
    from framework.options.declaration import Option
    from framework.options.engine import Engine
    from framework.options.values import Mention

#: Types whose value may hold any mark, or is checked by its own reader.
_STRUCTURES = ("json", "object")
#: Words of a shell, and what it finds inside words.
_SHELL_WORDS = ("|", "||", "&&", "&", ";", ">", ">>", "<")
_SHELL_MARKS = ("|", "$(", "`")
#: What surrounds the name of a variable that is used on purpose; the empty text is an end.
_BESIDE = ("", *"/:@=,?&; ")
#: Characters that are invisible, or look like a space.
_UNSEEN = "\u00a0\u00ad\u200b\u200c\u200d\u2007\u202f\u2060\ufeff"


def surprises(engine: Engine) -> Iterator[Problem]:
    """A problem for every such value."""
    files = _Files(engine)
    for section, key in engine.entries():
        mention = next(engine.mentions(section, key), None)
        if mention is not None and mention.form == "plain" and mention.layer not in ("default", "override"):
            about = _About(engine, mention)
            code, found = _of_text(about) if isinstance(mention.raw, str) else ("", None)
            if found is None:
                code, found = "read-otherwise", files.read_otherwise(about)
            if found is not None:
                yield Problem("warning", code, mention.origin, f"[{section}] {key}: {found}.", (section, key))
        if mention is not None and mention.form == "cmd" and (mark := _shell_mark(str(mention.raw))):
            what = f"no shell runs the command, so {mark} is one of its words: write sh -c '…' if you need a shell"
            yield Problem(
                "warning", "shell-in-command", mention.origin, f"[{section}] {key}_cmd: {what}.", (section, key)
            )
    yield from files.not_set()
    yield from _cut_in_dotenv(engine)


class _About:
    """What is known of an option that is looked at.

    Attributes:
        mention: the writing that wins.
        option: its declaration, or None.
        type: the declared type; empty if it is not declared.
        family: the type's: text, number or list.
        hidden: whether its value must not be shown.
        is_text: whether a text is wanted: it is declared so, or undeclared and named like a password.
    """

    def __init__(self, engine: Engine, mention: Mention) -> None:
        section, key = mention.section, mention.key
        self.engine, self.mention = engine, mention
        self.option: Option | None = engine.schema.option(section, key)
        self.type = self.option.type if self.option is not None else ""
        self.hidden = engine.is_hidden(section, key) or engine.may_point(section, key)
        self.family = TYPES[self.type].family if self.type else ""
        self.is_text = self.family == "text" or (not self.type and engine.may_point(section, key))


# Texts


def _of_text(about: _About) -> tuple[str, str | None]:
    """The code and the message of the first kind that is found."""
    for code, kind in _KINDS.items():
        found = kind(about, about.mention.raw)
        if found is not None:
            return code, found
    return "", None


def _line_end(about: _About, text: str) -> str | None:
    """A variable of a file with Windows line ends, read by a program that knows none."""
    if not text.endswith("\r"):
        return None
    return (
        "the value ends with a carriage return (\\r), as in Windows line endings: save the file that sets it with \\n"
    )


def _unseen(about: _About, text: str) -> str | None:
    """An invisible or unusual space: at an end, or in a value that is not prose."""
    found = next((letter for letter in text if letter in _UNSEEN), None)
    is_prose = " " in text.strip() and text == text.strip(_UNSEEN)
    if found is None or (is_prose and not about.hidden):
        return None
    return f"the value holds an invisible character (U+{ord(found):04X}): remove it"


def _comment(about: _About, text: str) -> str | None:
    """`h # web` in a cfg file, where a comment has its own line."""
    if not isinstance(about.mention.source, CfgLayer) or about.type in ("boolean", *_STRUCTURES):
        return None
    line = text.partition("\n")[0]
    mark = next((mark for mark in "#;" if f" {mark} " in line or f"\t{mark} " in line), None)
    if mark is None or line[:1] in "[{\"'":
        return None
    return f"what follows {mark!r} is part of the value: a comment needs a line of its own in a cfg file"


def _quotes(about: _About, text: str) -> str | None:
    """`"x"` where nothing takes the quotes off."""
    if not isinstance(about.mention.source, (CfgLayer, EnvironmentLayer)) or about.type in _STRUCTURES:
        return None
    if about.mention.layer == ".env":  # they were inside others
        return None
    if about.type and about.family not in ("text", "list"):  # an error, which says so
        return None
    if len(text) < 2 or text[0] not in "\"'" or text[-1] != text[0]:
        return None
    if text.count(text[0]) > 2 and about.family != "list":
        return None
    return f"the quotes ({text[0]}) are part of the value: write it without them"


def _broken_list(about: _About, text: str) -> str | None:
    """`['a', 'b']`, which is not JSON, and so one text with commas."""
    text = text.strip()
    if about.family != "list" or text[:1] != "[" or text[-1:] != "]" or json_list(text) is not None:
        return None
    return 'the brackets become part of the items, because it is not JSON: write a, b or ["a", "b"]'


def _empty_item(about: _About, text: str) -> str | None:
    """`a, b,`: the comma at the end makes one more item."""
    if about.family != "list" or json_list(text) is not None or not text.strip():
        return None
    if all(item.strip() for item in text.split(",")):
        return None
    return "an extra comma makes an empty item: remove it"


def _blank(about: _About, text: str) -> str | None:
    """` x`, which a variable keeps."""
    if about.mention.layer != "environment" or not text or text == text.strip():
        return None
    if about.family != "text" and not (not about.type and about.hidden):
        return None
    return "the value begins or ends with white space: remove it, unless you want it"


def _expanded(about: _About, text: str) -> str | None:
    """`pa$USER-word`: a secret in which `$NAME` was replaced by chance."""
    if not about.hidden or not isinstance(about.mention.source, (CfgLayer, EnvironmentLayer)):
        return None
    if not _is_replaced_by_chance(text, about.engine.environment.get):
        return None
    pointer = f"{about.mention.key}_file or {about.mention.key}_secret"
    return (
        "a $NAME or ~ in the text was replaced, so the value is not what is written. "
        f"Nothing is expanded in TOML, YAML and JSON files, nor behind a pointer ({pointer}): put the value there, "
        "or write ${NAME} if you mean the variable"
    )


def _is_replaced_by_chance(text: str, getenv: Callable[[str], str | None]) -> bool:
    """Whether the name of a user is replaced, or of a variable: one in braces, or by itself as in `x://u:$PW@h/$NAME`,
    is meant."""
    if text[:1] == "~" and text[1:2] not in ("", "/"):
        return bool(expand(text, getenv) != text)
    if "$" not in text:
        return False
    import re

    for found in re.finditer(r"\$(\w+)", text, re.ASCII):
        beside = text[: found.start()][-1:], text[found.end() :][:1]
        if getenv(found[1]) is not None and not all(mark in _BESIDE for mark in beside):
            return True
    return False


def _empty(about: _About, text: str) -> str | None:
    """A required option that is set to nothing."""
    option = about.option
    if text.strip() or option is None or not option.required:
        return None
    if not option.is_required(about.engine.environment.env):
        return None
    return "it is required, and set to an empty text"


_KINDS: dict[str, Callable[[_About, str], str | None]] = {
    "carriage-return": _line_end,
    "invisible-character": _unseen,
    "comment-in-value": _comment,
    "quotes-in-value": _quotes,
    "list-not-json": _broken_list,
    "comma-too-many": _empty_item,
    "blank-at-end": _blank,
    "expanded-by-chance": _expanded,
    "required-empty": _empty,
}


def _shell_mark(command: str) -> str | None:
    """A mark that only a shell understands, outside quotes."""
    import shlex

    try:
        words = shlex.split(command, posix=False)  # keeps quotes and backslashes
    except ValueError:
        return None
    for word in words:
        if word in _SHELL_WORDS or word.startswith("2>"):
            return word
        if word[0] not in "\"'" and (mark := next((mark for mark in _SHELL_MARKS if mark in word), None)):
            return mark
    return None


# Typed files


class _Files:
    """The scalars of the typed files as they are written, each file read once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._found: dict[str, dict[tuple[str, str], Written]] = {}

    def _scalars(self, layer: Layer) -> dict[tuple[str, str], Written]:
        path = layer.path
        if path not in self._found:
            try:
                self._found[path] = scalars(path) if layer.name == "config file" else {}
            except FrameworkError:  # it has changed since it was read, and is no such file any more
                self._found[path] = {}
        return self._found[path]

    def read_otherwise(self, about: _About) -> str | None:
        """A scalar of a typed file that YAML, TOML or JSON reads as something else than the text that is written."""
        mention = about.mention
        written = None if isinstance(mention.raw, str) else self._scalars(mention.source).get(mention.name)
        if written is None or isinstance(mention.raw, (dict, list)):
            return None
        read = to_text(mention.raw)
        if about.is_text:
            if read == written.text:
                return None
            if about.hidden:
                return f"{written.format} does not read the value as the text that is written: put it in quotes"
            return (
                f'{written.text} is read as {read}: put it in quotes, {mention.name[1]}{written.mark}"{written.text}"'
            )
        if about.family == "number" and isinstance(mention.raw, bool):
            return f"{written.text} is read as {int(mention.raw)}, because the option is a number: write a number"
        if about.family == "number" and _is_another_number(written):
            number = "the number" if about.hidden else f"{written.text} is read as {read}, because it"
            return f"{number} is a number in base 8 or 60 in YAML: write a plain one, or use quotes"
        return None

    def not_set(self) -> Iterator[Problem]:
        """A declared text that a file sets to `null`, which is not text: the option is not set there."""
        for layer in self._engine.layers:
            for name, written in self._scalars(layer).items() if layer.path else ():
                option = self._engine.schema.option(*name)
                if written.is_null and option is not None and TYPES[option.type].family == "text":
                    what = f"{written.text} means that it is not set here: put it in quotes if you mean the text."
                    yield Problem("note", "null", written.place, f"[{name[0]}] {name[1]}: {what}", name)


def _is_another_number(written: Written) -> bool:
    """`010`, which is 8, and `12:30`, which is 750: numbers only to YAML."""
    text = written.text.lstrip("+-")
    return written.format == "YAML" and (":" in text or (len(text) > 1 and text[0] == "0" and text.isdigit()))


# .env files


def _cut_in_dotenv(engine: Engine) -> Iterator[Problem]:
    """A secret of a `.env` file that ends where a ` #` begins a comment."""
    from framework.files.text import read_text

    for file in engine.environment.dotenv:
        try:
            lines = read_text(file.path).split("\n")
        except FrameworkError:
            continue
        for name, (value, number) in file.values.items():
            line = lines[number - 1] if number <= len(lines) else ""
            written = line.partition("=")[2].strip()
            is_cut = " #" in written and written[:1] not in "\"'" and " #" not in value
            if is_cut and _is_secret(engine, name):
                what = "what follows ' #' is a comment and not part of the value: put the value in quotes if it is."
                yield Problem("warning", "cut-by-comment", f"{file.path}:{number}", f"{name}: {what}")


def _is_secret(engine: Engine, name: str) -> bool:
    """Whether a variable holds what must not be shown."""
    from framework.masking import should_hide_value_for_name

    if not name.startswith(f"{engine.names.prefix}_"):
        return False
    for option in engine.schema:
        if engine.names.option(option.section, option.name) == name:
            return engine.is_hidden(option.section, option.name)
    return name.startswith((engine.names.secret(""), engine.names.connection(""))) or should_hide_value_for_name(name)
