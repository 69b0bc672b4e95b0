"""Airflow's INI dialect: `[section]`, `key = value`, lines that continue a value, `%(name)s`.

The grammar is that of `configparser.ConfigParser(strict=True)` as Airflow sets it up, in one loop: names keep their
letters as they are written (Airflow's parser does not fold them), `=` or `:` ends a key, a line beginning with `#` or
`;` is a comment, and nothing after a value is.
"""

from __future__ import annotations

from framework.convert import expand
from framework.errors import ConfigError, ConfigFileError
from framework.files.text import read_file
from framework.layers.base import Layer
from framework.limits import FAULTS, GROWTH, REFERENCES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from framework.layers.base import Getenv

#: The section whose options are used where another section of the same file lacks them.
DEFAULT = "DEFAULT"


class CfgLayer(Layer):
    """A cfg file. Names are found in any case of letters; of two that differ in case only, the lower-case one wins.

    Args:
        name: what answers call the layer.
        path: the file.

    Raises:
        ConfigFileError: unreadable or malformed.
    """

    __slots__ = ("written", "lines", "_folded")
    interpolates = True

    def __init__(self, name: str, path: str) -> None:
        text, status = read_file(path)
        self.written, self.lines = parse(text, path)
        self._folded: dict[tuple[str, str], tuple[str, str]] = {}
        super().__init__(name, path, self.written if all(map(str.islower, self._names())) else self._fold())
        self.opened = {path: status}

    def _names(self) -> Iterator[str]:
        for section, options in self.written.items():
            yield section
            yield "".join(options) or section

    def _fold(self) -> dict[str, dict[str, str]]:
        folded: dict[str, dict[str, str]] = {}
        for section in sorted(self.written, key=str.islower):  # stable: lower-case spellings come last, and win
            if section == DEFAULT:
                continue
            options = folded.setdefault(section.lower(), {})  # an empty section has the options of DEFAULT
            for key in sorted(self.written[section], key=str.islower):
                options[key.lower()] = self.written[section][key]
                self._folded[section.lower(), key.lower()] = (section, key)
        return folded

    def find(self, section: str, key: str) -> tuple[object, str] | None:
        if section not in self.values:
            return None
        section, key = self._folded.get((section, key), (section, key))
        for place in (section, DEFAULT):
            text = self.written.get(place, {}).get(key)
            if text is not None:
                return text, f"{self.path}:{self.lines[place][key]}"
        return None

    def read(self, raw: object, section: str, key: str, where: str, getenv: Getenv) -> Any:
        return expand(self.reference(raw, section, key, where), getenv, where)

    def reference(self, raw: Any, section: str, key: str, where: str) -> str:
        written = self._folded.get((section, key), (section, key))[0]

        def lookup(name: str) -> str | None:
            text = self.written.get(written, {}).get(name)
            return self.written.get(DEFAULT, {}).get(name) if text is None else text

        return interpolate(raw, lookup, f"{where}: [{section}] {key}")


def parse(text: str, path: str) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, int]]]:
    """The options of a cfg file, as they are written, before any `%` or `$` in them means something.

    Args:
        text: the file's text, lines ending in newlines.
        path: what messages call the file.

    Returns:
        Section -> key -> text, names and order as in the file; and the same with the line of each key. `DEFAULT` is
        there like the others, if the file has it. (Two tables of texts and numbers, and not one of pairs: pairs are
        looked at by the garbage collector, again and again while a long file is read.)

    Raises:
        ConfigFileError: a line that is neither a header nor an option, a section or an option that is written twice
            (both lines are named). All the faults at once; of a line only its number is shown, for it may
            be a piece of a secret.
    """
    sections: dict[str, dict[str, str]] = {}
    lines: dict[str, dict[str, int]] = {}
    options: dict[str, str] | None = None
    places: dict[str, int] = {}
    headers: dict[str, int] = {}
    faults: list[tuple[int, str]] = []
    long_values: list[tuple[dict[str, str], str, list[str]]] = []
    section = key = ""
    value: list[str] = []  # the lines of the current value, once it has more than one
    indent = blanks = 0
    number = 0
    for line in text.split("\n"):
        number += 1
        body = line.strip()
        if not body:
            blanks += 1
            continue
        first = body[0]
        if first == "#" or first == ";":
            continue
        depth = 0 if line[0] == first else len(line) - len(line.lstrip())
        if depth > indent and key and options is not None:
            if not value:
                value = [options[key]]
                long_values.append((options, key, value))
            value.extend([""] * blanks)
            value.append(body)
            blanks = 0
            continue
        indent = depth
        if first == "[" and (end := body.rfind("]")) > 1:
            section, key = body[1:end], ""
            if section in headers and section != DEFAULT:
                faults.append((number, f"section [{section}] appears twice, first on line {headers[section]}"))
                options, places = {}, {}  # read on, but compare no further with the first one
            else:
                headers[section] = number
                options, places = sections.setdefault(section, {}), lines.setdefault(section, {})
            continue
        equals, colon = body.find("="), body.find(":")
        end = equals if colon < 0 or 0 <= equals < colon else colon
        if options is None:
            faults.append((number, "a line comes before the first [section]"))
            break  # what follows would be the same fault over and over
        if end <= 0:
            faults.append((number, "a line has no key" if end == 0 else "a line has no '=' or ':'"))
            key, value = "?", [""]  # swallows the lines that continue this one
            continue
        key, blanks = body[:end].rstrip(), 0
        if value:
            value = []
        if key in options:
            faults.append((number, f"option {key} of [{section}] appears twice, first on line {places[key]}"))
            value = [""]
        else:
            options[key] = body[end + 1 :].lstrip()
            places[key] = number
    if faults:
        raise _malformed(path, faults)
    for options, key, value in long_values:
        options[key] = "\n".join(value)
    return sections, lines


def _malformed(path: str, faults: list[tuple[int, str]]) -> ConfigFileError:
    texts = [faults[0][1], *(f"line {number}: {text}" for number, text in faults[1:FAULTS])]
    if len(faults) > FAULTS:
        texts.append(f"and {len(faults) - FAULTS} more")
    if faults[0][1].find(" twice, ") > 0:
        hint = "Keep one of the two, or write both as one."
    else:
        hint = "Write [section] and key = value, indent the lines that continue a value, begin a comment with '#'."
    return ConfigFileError("; ".join(texts), where=f"{path}:{faults[0][0]}", hint=hint)


def interpolate(text: str, lookup: Callable[[str], str | None], where: str) -> str:
    """The text with `%%` as `%` and `%(name)s` as the text of that option, as configparser's BasicInterpolation does.

    Args:
        text: an option's text as it is written.
        lookup: the text, as it is written, that the same section, or else `DEFAULT`, has under a name; names are
            taken letter by letter, as in Airflow.
        where: what messages call the option: file, line and name.

    Returns:
        The text itself if it holds no `%`.

    Raises:
        ConfigError: a `%` that is followed by neither `%` nor `(name)s`, a name that does not exist, or names that lead
            in a circle. The text is not shown.
    """
    if "%" not in text:
        return text
    return _interpolate(text, lookup, where, len(text) + GROWTH, {}, 1)[0]


def _interpolate(
    text: str,
    lookup: Callable[[str], str | None],
    where: str,
    limit: int,
    known: dict[str, tuple[str, int]],
    depth: int,
) -> tuple[str, int]:
    """The text, and how many options deep its names lead. Each name is worked out once, however often it is used."""
    if depth > REFERENCES:
        raise _too_deep(where)
    pieces: list[str] = []
    deepest = size = position = 0
    while (at := text.find("%", position)) >= 0:
        pieces.append(text[position:at])
        mark = text[at + 1 : at + 2]
        if mark == "%":
            pieces.append("%")
            position = at + 2
            continue
        close = text.find(")", at)
        if mark != "(" or close <= at + 2 or text[close + 1 : close + 2] != "s":
            raise ConfigError(
                "a '%' is followed by neither '%' nor '(name)s'",
                where=where,
                hint="Write '%%' for a literal '%'.",
            )
        name = text[at + 2 : close]
        if name not in known:
            found = lookup(name)
            if found is None:
                raise ConfigError(
                    "a %(name)s names an option that neither this section nor [DEFAULT] has",
                    where=where,
                    hint="Correct the name (upper and lower case must match), or write '%%' for a literal '%'.",
                )
            if "%" in found:
                known[name] = _interpolate(found, lookup, where, limit, known, depth + 1)
            else:
                known[name] = found, 0
        piece, below = known[name]
        deepest = max(deepest, below)
        size += len(piece)
        if size > limit:
            raise ConfigError(
                f"its %(name)s make the text longer by more than {GROWTH:,} characters",
                where=where,
                hint="Use fewer references, or write a literal '%' as '%%'.",
            )
        pieces.append(piece)
        position = close + 2
    if depth + deepest > REFERENCES:
        raise _too_deep(where)
    pieces.append(text[position:])
    return "".join(pieces), deepest + 1


def _too_deep(where: str) -> ConfigError:
    return ConfigError(
        f"%(name)s refers back to itself, or is nested more than {REFERENCES} options deep",
        where=where,
        hint="Write the text itself in one of them; a literal '%' is written '%%'.",
    )
