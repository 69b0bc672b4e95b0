"""The process environment, read live, over the `.env` files that were named.

The layer that answers options and the link that answers connections both read here.
"""

from __future__ import annotations

import os

from framework.errors import ConfigError, ConfigFileError
from framework.limits import BLANKS, FAULTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import ModuleType
    from typing import Any

    from framework.files.lists import Look
    from framework.names import Names

#: The environment of an application for which none is selected.
DEFAULT = "development"
#: The usual names of environments. If none is selected, other words are not taken for environments.
USUAL = frozenset(
    ("dev", "development", "test", "testing", "qa", "ci", "stage", "staging", "preprod", "prod", "production", "live")
)


class DotEnv:
    """One `.env` file, as python-dotenv reads it: not interpolated, never written to `os.environ`.

    Attributes:
        values: name -> (text, line).
        status: the file, as it was when it was opened.
    """

    __slots__ = ("path", "values", "status")

    def __init__(self, path: str) -> None:
        from framework.files.text import read_file

        self.path = path
        self.values: dict[str, tuple[str, int]] = {}
        faults = []
        text, self.status = read_file(path)
        if (line := _line_with_many_blanks(text)) > 0:
            what = f"a line has more than {BLANKS:,} spaces in a row"
            raise ConfigFileError(what, where=f"{path}:{line}", hint="Remove the spaces.")
        plain = _plain(text)
        if plain is not None:
            self.values = plain
            return
        from io import StringIO

        for binding in _dotenv().parse_stream(StringIO(text)):
            if binding.error:
                faults.append(binding.original.line)
            elif binding.key is not None and binding.value is not None:
                written = binding.original.string
                blank = written[: len(written) - len(written.lstrip())]
                ends = blank.count("\n") + blank.count("\r") - blank.count("\r\n")
                self.values[binding.key] = binding.value, binding.original.line + ends
        if faults:
            lines = ", ".join(map(str, faults[:FAULTS])) + (", …" if len(faults) > FAULTS else "")
            raise ConfigFileError(
                f"line {lines} cannot be read",
                where=f"{path}:{faults[0]}",
                hint="Write NAME=value, quoted where needed.",
            )

    def find(self, name: str) -> tuple[str | None, str]:
        """The text under `name` and its place, `path:line`."""
        text, line = self.values.get(name, (None, 0))
        return text, f"{self.path}:{line}"

    def names(self) -> list[str]:
        return list(self.values)


def _line_with_many_blanks(text: str) -> int:
    """The first line with more spaces in a row than `BLANKS`, or 0: python-dotenv takes a time that grows with the
    square of them."""
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > BLANKS:
            import re

            if any(len(blanks) > BLANKS for blanks in re.findall(r"\s+", line)):
                return number
    return 0


def _plain(text: str) -> dict[str, tuple[str, int]] | None:
    """The values of a text that holds nothing but blank lines, comments and simple `NAME=value` lines; else None.

    Loading python-dotenv's parser takes longer than the rest of a start. It reads such a text in the same way.
    """
    if "\r" in text:
        return None
    values: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line or line[0] == "#":
            continue
        name, equals, value = line.removeprefix("export ").partition("=")
        if not equals or not name.isidentifier() or not name.isascii():
            return None
        if value[:1] in ("'", '"'):
            quote, value = value[0], value[1:-1] if value[-1:] == value[0] and len(value) > 1 else "\\"
            if "\\" in value or quote in value:
                return None
        elif value != value.strip() or "#" in value:
            return None
        values[name] = value, number
    return values


def _dotenv() -> ModuleType:
    """python-dotenv's parser without the package around it, which imports logging, tempfile and pathlib: that takes
    longer than the rest of a start."""
    import sys
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    package = None if "dotenv" in sys.modules else PathFinder.find_spec("dotenv")
    spec = package and PathFinder.find_spec("dotenv.parser", package.submodule_search_locations)
    if spec and spec.loader:
        parser = module_from_spec(spec)
        spec.loader.exec_module(parser)
        return parser
    from dotenv import parser as imported

    return imported


def is_name(text: str) -> bool:
    """Whether an environment may have this name: the name becomes a part of paths."""
    plain = text.replace("_", "").replace(".", "").replace("-", "")
    return text.isascii() and text[:1].isalnum() and plain.isalnum() and ".." not in text


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The word that was probably intended."""
    from difflib import get_close_matches

    by_plain = {known.lower(): known for known in words}
    start = [known for plain, known in by_plain.items() if plain.startswith(word.lower())]
    near = [by_plain[plain] for plain in get_close_matches(word.lower(), by_plain, 1, 0.7)]
    return next(iter([*near, *start]), None)


def home_in(environment: Environment, names: Names) -> str:
    """The home of an application: `BILLING_HOME`, or else `~/billing`. Empty text counts as not set: Docker Compose
    writes that for a variable that it does not know.

    Raises:
        ConfigError: no home directory is known for `~`.
    """
    return _named_by(environment, names.home, f"~/{names.app}") or ""


def config_in(environment: Environment, names: Names) -> str | None:
    """The main cfg file that `BILLING_CONFIG` names, or None. Raises: as `home_in`."""
    return _named_by(environment, names.config, "")


def _named_by(environment: Environment, variable: str, default: str) -> str | None:
    from framework.convert import expand, with_a_home
    from framework.files.trust import found

    named = environment.get(variable)
    path: str = expand(named or default, with_a_home(environment.get))
    if path[:1] == "~":
        what = "the home directory of this user is not known: HOME is not set, and no passwd entry names one"
        raise ConfigError(what, where=variable, hint=f"Set {variable} to an absolute path.")
    if not path or (named and os.path.isabs(path)):
        return path or None
    return found(path, f"set {variable} to its absolute path")


class Environment:
    """Names and their texts: the process environment first, then the `.env` files, the last one first.

    Args:
        environ: a mapping to read instead of `os.environ`; it is read live as well.
        dotenv: paths of `.env` files.

    Attributes:
        data: the dictionary beneath `os.environ`. Reading it costs a tenth of what reading `os.environ` costs.
        encode: a name as `data` knows it.
        env: the environment in which the application runs, such as `production`.
        given: the variable that `env` stands in for, if the environment was passed to the application; else empty.
        looks: every file that was looked for.
        doubts: what is probably a mistake in the choice of the environment, as (place, what).
    """

    __slots__ = ("data", "encode", "decode", "dotenv", "env", "given", "looks", "doubts")

    def __init__(self, environ: Mapping[str, str] | None = None, dotenv: Sequence[str] = ()) -> None:
        self.data: Mapping[Any, Any]
        self.encode: Callable[[str], Any]
        self.decode: Callable[[Any], str]
        source = os.environ if environ is None else environ
        if isinstance(source, os._Environ) and hasattr(source, "_data"):
            self.data, self.encode, self.decode = source._data, source.encodekey, source.decodevalue
        else:
            self.data, self.encode, self.decode = source, str, str
        self.dotenv = [DotEnv(path) for path in reversed(dotenv)]
        self.env, self.given = DEFAULT, ""
        self.looks: list[Look] = []
        self.doubts: list[tuple[str, str]] = []

    def become(self, other: Environment) -> None:
        """Take over what was read for another one of the same process."""
        self.dotenv, self.env, self.given = other.dotenv, other.env, other.given
        self.looks, self.doubts = other.looks, other.doubts

    def get(self, name: str) -> str | None:
        """The text under `name`, or None."""
        return self.find(name)[0]

    def find(self, name: str) -> tuple[str | None, str]:
        """The text under `name` and where it is from: the name itself or `path:line`."""
        return self.find_with(name, self.data.get(self.encode(name)))

    def find_with(self, name: str, raw: object) -> tuple[str | None, str]:
        """The same where it is known what the process has under the name: `raw`, or None."""
        if name == self.given:
            return self.env, name
        if raw is not None:
            return self.decode(raw), name
        for file in self.dotenv:
            text, place = file.find(name)
            if text is not None:
                return text, place
        return None, name

    def starting(self, prefix: str) -> dict[str, tuple[str, str]]:
        """Everything whose name starts with `prefix`: the name's rest -> (text, origin)."""
        start = len(prefix)
        found = {name[start:]: self.find(name) for name in self.names() if name.startswith(prefix)}
        return {rest: (text, origin) for rest, (text, origin) in found.items() if text is not None}

    def names(self) -> Iterator[str]:
        """Every name, of the process and of the files, each once."""
        seen: set[str] = set()
        for name in self._all_names():
            if name not in seen:
                seen.add(name)
                yield name

    def find_in_process(self, name: str) -> tuple[str | None, str]:
        """The text under `name` in the process environment alone."""
        raw = self.data.get(self.encode(name))
        return (None if raw is None else self.decode(raw)), name

    def process(self) -> dict[str, str]:
        """The process environment, for a program that is started; no `.env` file is in it."""
        variables = {self.decode(name): self.decode(text) for name, text in self.data.items()}
        return variables | {self.given: self.env} if self.given else variables

    def process_names(self) -> list[str]:
        """The names in the process environment alone."""
        return [self.decode(name) for name in self.data]

    def _all_names(self) -> Iterable[str]:
        yield from self.process_names()
        for file in self.dotenv:
            yield from file.values
