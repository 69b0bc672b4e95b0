"""JSON, TOML and YAML texts read within bounds: every fault of every parser becomes one error that repeats nothing.

Each parser reports faults in its own way: with the text in the error, or as an accidental exception of Python
(KeyError, OverflowError, RecursionError). Here each of these becomes `Malformed`, with its line.
"""

from __future__ import annotations

from framework.limits import DEPTH, DIGITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    #: A table of a data file, or of a schema in its shape: texts, numbers, dates, lists and tables by name.
    Table = Mapping[str, Any]

TOO_DEEP = f"it is nested too deeply, more than {DEPTH} levels"
TOO_MANY_DIGITS = f"a number has more than {DIGITS:,} digits"
TOO_LARGE = "it does not fit in memory"

#: A hexadecimal number with this many digits is near the bound.
_LONG = DIGITS * 8 // 10
_OTHER_BYTES = bytes(byte for byte in range(256) if byte not in b'[]{}"')
_STEPS = [0] * 256
_STEPS[ord("[")] = _STEPS[ord("{")] = 1
_STEPS[ord("]")] = _STEPS[ord("}")] = -1


class Malformed(ValueError):
    """A text is not what its format allows, or is beyond a bound. Nothing of the text is in the message.

    Attributes:
        line, column: where, from 1; 0 if unknown.
        what: what is wrong, a clause.
    """

    @property
    def is_beyond(self) -> bool:
        """Whether the text may be well-formed, but is beyond a bound."""
        return self.what in (TOO_DEEP, TOO_LARGE, TOO_MANY_DIGITS)

    def __init__(self, line: int, what: str, column: int = 0) -> None:
        super().__init__(f"line {line}: {what}" if line else what)
        self.line, self.what, self.column = line, what, column


def read_json(text: str | bytes, **hooks: Any) -> Any:
    """The value of a JSON text.

    Args:
        text: the text.
        hooks: as `json.loads` takes them. A hook may raise ValueError: the text is malformed then.

    Raises:
        Malformed: not JSON, nested too deeply, or a number with too many digits.
    """
    import json

    fault: Malformed | None = None
    try:
        if isinstance(text, (bytes, bytearray)):
            text = text.decode(json.detect_encoding(text), "surrogatepass")
        deep = deep_place(text)
        if deep >= 0:
            fault = _malformed_at(text, deep, TOO_DEEP)
        elif len(text) > DIGITS and (long := long_number_place(text)) >= 0:
            fault = _malformed_at(text, long, TOO_MANY_DIGITS)
        else:
            return json.loads(text, **hooks)
    except json.JSONDecodeError as error:
        fault = Malformed(error.lineno, error.msg, error.colno)
    except UnicodeError:
        fault = Malformed(0, "it is not UTF-8")
    except ValueError:  # a lower limit of digits that was set for this process, or a hook
        fault = Malformed(0, "a number cannot be read")
    except RecursionError:  # the stack was nearly full before
        fault = Malformed(0, TOO_DEEP)
    except MemoryError:
        fault = Malformed(0, TOO_LARGE)
    raise fault  # outside the handlers: the parser's error carries the text


def deep_place(text: str, level: int = 0) -> int:
    """Where a JSON text is nested deeper than `DEPTH`, or -1. A text that is not JSON may get either answer.

    Args:
        text: the text, or a part of one that begins outside a string.
        level: how many tables and lists are open where it begins.
    """
    if level + text.count("[") + text.count("{") <= DEPTH:
        return -1
    from itertools import accumulate

    plain = text.replace("\\\\", "").replace('\\"', "").encode("utf-8", "surrogatepass")
    marks = b"".join(plain.translate(None, _OTHER_BYTES).split(b'"')[::2])  # the brackets outside strings
    if level + max(accumulate(map(_STEPS.__getitem__, marks)), default=0) <= DEPTH:
        return -1
    import re

    for found in re.finditer(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', text, re.DOTALL):
        level += _STEPS[ord(found[0][0])]
        if level > DEPTH:
            return found.start()
    return -1


def long_number_place(text: str, start: int = 0) -> int:
    """Where a JSON text has a whole number of more than `DIGITS` digits, or -1."""
    import re

    if not re.search(rf"[0-9]{{{DIGITS + 1}}}", text):
        return -1
    for found in re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[0-9]+([.eE]?)', re.DOTALL).finditer(text, start):
        if found[0][0] != '"' and not found[1] and len(found[0]) > DIGITS:
            return found.start()
    return -1


def _malformed_at(text: str, place: int, what: str) -> Malformed:
    return Malformed(text.count("\n", 0, place) + 1, what, place - text.rfind("\n", 0, place))


def json_names(text: str) -> Iterator[tuple[list[str], int, int]]:
    """Every name of a JSON text: its trail, its line, and the line of the same name before it in the same object, or 0.

    The text is known to be JSON, so a string before a colon is a name.
    """
    import json
    import re

    number, counted = 1, 0
    trail: list[str] = []
    seen: list[dict[str, int]] = []
    for found in re.finditer(r'"([^"\\]*(?:\\.[^"\\]*)*)"([ \t\n]*:)?|[{}]', text):
        if found[0] == "{":
            seen.append({})
            trail.append("")
        elif found[0] == "}":
            seen.pop()
            trail.pop()
        elif found[2]:
            number += text.count("\n", counted, found.start())
            counted = found.start()
            name = json.loads(f'"{found[1]}"') if "\\" in found[1] else found[1]
            trail[-1] = name
            yield trail, number, seen[-1].get(name, 0)
            seen[-1].setdefault(name, number)


def read_toml(text: str) -> dict[str, object]:
    """The table of a TOML text.

    Raises:
        Malformed: not TOML, nested too deeply (also by dots in a key), or a number with too many digits.
    """
    tomli: Any = _toml_parser()
    fault = _toml_too_deep(text)
    if fault is None:
        try:
            table: dict[str, Any] = tomli.loads(text)
            if max(map(len, text.split("\n"))) <= _LONG or not any(map(_is_beyond, _leaves(table))):
                return table
            fault = Malformed(_longest_line(text), TOO_MANY_DIGITS)
        except tomli.TOMLDecodeError as error:
            fault = _malformed_toml(error)
        except ValueError:  # a whole number that Python does not read
            fault = Malformed(_longest_line(text), TOO_MANY_DIGITS)
        except RecursionError:
            fault = Malformed(0, TOO_DEEP)
        except Exception as error:
            fault = Malformed(0, f"the parser fails with {type(error).__name__}")
    raise fault


def _toml_parser() -> object:
    """tomli; or Python's own parser where that is not there, and in a subinterpreter: a compiled tomli has one state
    for the whole process, and loading it there breaks it everywhere else."""
    for name in ("tomllib", "tomli") if _is_subinterpreter() else ("tomli", "tomllib"):
        try:
            return __import__(name)
        except ImportError:
            continue
    raise Malformed(0, "no parser can be loaded here: Python 3.11 or newer has one")


def _is_subinterpreter() -> bool:
    import sys

    try:
        known: Any = __import__("_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters")
    except ImportError:
        return False
    return bool(known.get_current() != known.get_main())


def _malformed_toml(error: Any) -> Malformed:
    """tomllib has the place only in its text: `… (at line 3, column 5)`."""
    what, place = str(error), (0, 0)
    if hasattr(error, "lineno"):
        what, place = error.msg, (error.lineno, error.colno)
    elif what.endswith(")") and " (at line " in what:
        what, _, written = what.rpartition(" (at line ")
        line, _, column = written[:-1].partition(", column ")
        place = int(line), int(column)
    is_twice = what.startswith("Cannot declare ")  # and the table's name
    return Malformed(place[0], "a table is declared twice" if is_twice else without_values(what), place[1])


def _toml_too_deep(text: str) -> Malformed | None:
    """tomli takes a time that grows with the square of the dots in one key, and an array's depth from the stack."""
    is_flat = text.count("[") + text.count("{") <= DEPTH
    if is_flat and all(line.count(".") <= DEPTH for line in text.split("\n")):
        return None
    import re

    depth = dots = 0
    strings = r'"""[^\\]*?(?:\\.[^\\]*?)*?"""|' + r"'''.*?'''|" + r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"|' + r"'[^'\n]*'"
    for found in re.finditer(rf"{strings}|#[^\n]*|[\[\]{{}}.=,\n]", text, re.DOTALL):
        mark = found[0][0]
        if mark == ".":
            dots += 1
        elif mark in "[]{}":
            depth = max(0, depth + _STEPS[ord(mark)])
            dots = 0
        elif mark in "=,\n":
            dots = 0
        if depth > DEPTH or dots >= DEPTH:
            return _malformed_at(text, found.start(), TOO_DEEP)
    return None


def _longest_line(text: str) -> int:
    lines = text.split("\n")
    return max(range(len(lines)), key=lambda number: len(lines[number])) + 1


def _leaves(value: object) -> Iterator[object]:
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending += value.values()
        elif isinstance(value, list):
            pending += value
        else:
            yield value


def _is_beyond(value: object) -> bool:
    return isinstance(value, int) and value.bit_length() > DIGITS * 3.321


def without_values(what: str) -> str:
    """A parser's message up to the first thing that it quotes: that may be a piece of a secret."""
    if '"' not in what and all(len(piece) == 1 for piece in what.split("'")[1::2]):
        return what  # it quotes marks such as ',' only
    return what.split("'")[0].split('"')[0].strip() or "a character that is not allowed here"
