"""Options as text that reads back: what cfg, TOML and `.env` files can hold, and how each of them writes it.

Each function gives the text, or None where the format cannot hold it: that becomes a comment, so that what is written
never reads back as something else. Anything but a simple text is tried with the readers before it counts: ours, and
for cfg files Python's `configparser` as well.
"""

from __future__ import annotations

from framework.convert import expand, to_text
from framework.errors import FrameworkError
from framework.masking.search import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from framework.layers.environment import Environment

#: What a shell, and every reader of `.env` files, takes as it is.
_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:,@%+-")


def comment(text: str) -> str:
    """A comment of one line, in any of the formats."""
    return f"# {' '.join(visible(text).split())}".rstrip()


def stays(environment: Environment, text: str) -> bool:
    """Whether nothing in the text would be expanded, were it written in a cfg file or a variable."""
    return ("$" not in text and text[:1] != "~") or bool(expand(text, environment.get) == text)


def plain_list(value: object) -> str | None:
    """A list of plain items as cfg files and variables hold it and `getlist` reads it, `a, b`; None for any other."""
    return ", ".join(map(to_text, value)) if isinstance(value, list) and all(map(_is_plain, value)) else None


def _is_plain(item: object) -> bool:
    return isinstance(item, (bool, int, float)) or (
        isinstance(item, str) and item != "" and "," not in item and item.strip() == item
    )


# cfg


def cfg_section(name: str) -> str:
    """The header of a section, or a comment where a cfg file cannot hold the name."""
    header = f"[{name}]"
    simple = name.isascii() and name.replace("_", "").replace(".", "").isalnum() and name != "DEFAULT"
    return header if simple or _cfg_reads(f"{header}\nx = 1\n", name, "x", "1") else comment(header)


def cfg_line(environment: Environment, key: str, text: str) -> str:
    """An option, its `%` doubled; or a comment where a cfg file cannot hold the text."""
    return cfg_written(key, text.replace("%", "%%")) if stays(environment, text) else _cfg_cannot(key, text)


def cfg_written(key: str, raw: str) -> str:
    """An option whose text is as a cfg file has it, with each `%` and `$` meaning what it means there."""
    head, *rest = raw.split("\n")
    line = "\n".join([f"{key} = {head}" if head else f"{key} =", *(f"    {line}" for line in rest)])
    lines = raw.split("\n")
    simple = all(line.isprintable() and line.strip() == line for line in lines)
    if len(lines) > 1:  # an empty line may be dropped, and a comment sign begins a comment
        simple = simple and all(line and line[0] not in "#;" for line in lines)
    if simple and key.replace("_", "").isalnum():
        return line
    return line if _cfg_reads(f"[s]\n{line}\n", "s", key, raw) else _cfg_cannot(key, raw)


def _cfg_cannot(key: str, text: str) -> str:
    return f"{comment(f'{key} = {text!r}')} (a cfg file cannot hold this text)"


def commented(text: str) -> list[str]:
    """The lines of a text as comments of a cfg file."""
    return [f"# {visible(line)}".rstrip() for line in text.split("\n")]


def commented_option(key: str, text: str) -> list[str]:
    """An option as a comment of a cfg file."""
    first, *rest = text.split("\n")
    return [f"{comment(f'{key} =')} {visible(first)}", *(f"#     {visible(line)}".rstrip() for line in rest)]


def _cfg_reads(written: str, section: str, key: str, raw: str) -> bool:
    """Whether a cfg file with this text holds that option and nothing else, for every reader."""
    import configparser

    from framework.layers.cfg import parse

    wanted = {section: {key: raw}}
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # names keep their letters, as in Airflow
    try:
        written.encode()
        read = written.replace("\r\n", "\n").replace("\r", "\n")  # as both open files
        parser.read_string(read)
        return parse(read, "")[0] == wanted == {name: dict(parser[name]) for name in parser.sections()}
    except (FrameworkError, configparser.Error, ValueError, AttributeError):
        return False


# TOML


def toml_key(key: str) -> str:
    """A key or the name of a table; every text can be one but what is not Unicode, see `toml_value`."""
    bare = key.replace("_", "").replace("-", "").isalnum() and key.isascii()
    return key if bare else _toml_text(key)


def toml_value(value: object) -> str | None:
    """A value; None for what TOML lacks: null, keys that are not text, texts that are not Unicode."""
    try:
        return _toml(value)
    except (ValueError, RecursionError):
        return None


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("a key is not text")
        return "{" + ", ".join(f"{toml_key(key)} = {_toml(inner)}" for key, inner in value.items()) + "}"
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if not isinstance(value, str):
        raise ValueError("TOML has no such value")
    return _toml_text(value)


def _toml_text(text: str) -> str:
    import json

    text.encode()
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


# .env


def env_line(name: str, text: str) -> str | None:
    """A line that shells and every reader of `.env` files understand alike, whatever their dialect."""
    if not (name.isascii() and name.replace("_", "a").isalnum() and not name[0].isdigit()):
        return None
    value = env_value(text)
    return None if value is None else f"{name}={value}"


def env_value(text: str) -> str | None:
    """What follows the `=` of such a line; None if no way of writing it is read the same by all readers."""
    if not _fits(text):
        return None
    if text and _BARE.issuperset(text):
        return text
    if not any(mark in text for mark in ("'", "\\", "${")):
        return f"'{text}'"
    return None if any(mark in text for mark in '"\\$`') else f'"{text}"'


def _fits(text: str) -> bool:
    """Whether a variable and a file of UTF-8 can hold the text; a line end of Windows' would be another one."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text and "\r" not in text
