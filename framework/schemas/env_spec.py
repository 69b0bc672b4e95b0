"""Reads the `.env.schema` files of varlock: variables with their types and rules in comments (@env-spec)."""

from __future__ import annotations

from framework.parsing import TOO_DEEP
from framework.schemas.env_syntax import QUOTES, Call, Malformed, as_text, is_open, open_brackets, parse
from framework.schemas.translated import Translated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: Lines of one value, and characters of one decorator.
_MOST_LINES, _LONGEST = 1_000, 100_000
#: The section of variables whose names have no `__`.
SECTION = "env"

#: varlock's type -> ours, and what else is then known of the value.
_TYPES: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "number": {"type": "float"},
    "boolean": {"type": "boolean"},
    "url": {"type": "url"},
    "port": {"type": "integer", "minimum": 0, "maximum": 65535},
    "enum": {"type": "string"},
    "email": {"type": "string", "pattern": r"^[^@\s]+@[^@\s]+$"},
    "semver": {"type": "string", "pattern": r"^\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?$"},
    "uuid": {"type": "string", "pattern": r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"},
    "md5": {"type": "string", "pattern": r"^[0-9a-fA-F]{32}$"},
    "isoDate": {"type": "datetime"},
    "duration": {"type": "duration"},
    "array": {"type": "list"},
    "record": {"type": "object"},
    "simple-object": {"type": "object"},
}
#: The arguments of a type -> our words. Those of `array` are about its items.
_ARGUMENTS = {
    "minLength": "min_length",
    "maxLength": "max_length",
    "min": "minimum",
    "max": "maximum",
    "isDivisibleBy": "multiple_of",
    "unique": "unique_items",
}
#: Decorators of a variable that have no effect here, and need none.
_SILENT = ("icon", "tag", "auditIgnore", "dynamic", "static")
#: Decorators of the file that only concern varlock's own tools.
_OF_TOOLS = ("generateTypes", "redactLogs", "preventLeaks", "cache", "defaultDynamic")


def from_env_spec(text: str, path: str, prefix: str = "") -> Translated:
    """The schema of a `.env.schema` file.

    `SERVER__PORT` is [server] port; with the application's own prefix, `BILLING__SERVER__PORT` as well. A name without
    `__` is an option of the section [env].

    Args:
        text: the file. `path`: its name in messages.
        prefix: how the variables of the application begin, as in `BILLING`.
    """
    return _EnvSpec(text, path, prefix).read()


class _EnvSpec:
    def __init__(self, text: str, path: str, prefix: str) -> None:
        self.lines, self.path, self.prefix = text.split("\n"), path, prefix
        self.found = Translated(path)
        self.required: Any = "infer"
        self.sensitive: Any = True
        self.at = 0

    def read(self) -> Translated:
        comments: list[tuple[int, str]] = []
        in_header = True
        while self.at < len(self.lines):
            line, number = self.lines[self.at], self.at + 1
            self.at += 1
            body = line.strip()
            if body.startswith("#") and body.lstrip("# ")[:3] not in ("---", "==="):
                comments.append((number, body[1:].strip()))
                continue
            name, equals, rest = line.partition("=")
            if equals and body:
                if in_header and not any(text for _, text in comments):
                    in_header = False
                self._item(name.removeprefix("export ").strip(), rest, number, comments)
                in_header = False
            elif body and not body.startswith("#"):
                self._note(number, "there is no '='")
            elif in_header:  # an empty line or a divider ends a block of the header
                self._root(comments)
            comments = []
        if in_header:
            self._root(comments)
        return self.found

    def _note(self, number: int, what: str) -> None:
        self.found.unmapped.append((f"{self.path}:{number}", what))

    def _root(self, comments: list[tuple[int, str]]) -> None:
        for number, name, value in self._decorators(comments):
            if name == "defaultRequired" and value in (True, False, "infer"):
                self.required = value
            elif name == "defaultSensitive":
                self.sensitive = value
            elif name in ("currentEnv", "envFlag"):
                self._note(number, f"@{name}: the environment is that of --env or of the variable …_ENV")
            elif name not in _OF_TOOLS:
                self._note(number, f"@{name} has no counterpart")

    def _item(self, name: str, rest: str, number: int, comments: list[tuple[int, str]]) -> None:
        try:
            value, after = self._value(rest)
        except (Malformed, RecursionError) as fault:
            self._note(number, f"{name}: {_reason(fault)}")
            return
        if after.startswith("#"):
            comments = [*comments, (number, after[1:].strip())]
        parts = name.split("__")
        if self.prefix and parts[0] == self.prefix and len(parts) > 1:
            parts = parts[1:]
        if len(parts) > 2:
            self._note(number, f"{name} is neither SECTION__KEY nor a name without __")
            return
        section, key = (part.lower() for part in (parts if len(parts) == 2 else (SECTION, parts[0])))
        option = self._option(name, value, number, comments)
        self.found.add(section, key, option, f"{self.path}:{number}")

    def _option(self, name: str, value: object, number: int, comments: list[tuple[int, str]]) -> dict[str, Any]:
        marks: dict[str, tuple[int, Any]] = {}
        comments = _joined(comments)
        about: list[str] = [text for _, text in comments if text and not text.startswith("@")]
        for line, word, given in self._decorators(comments):
            if word in ("docs", "docsUrl"):
                urls = given.args if isinstance(given, Call) else [given]
                about.append(f"See {': '.join(map(str, urls))}.")
            else:
                marks[word] = line, given
        option = self._typed(name, marks.pop("type", (number, None)), value)
        if about:
            option["description"] = "\n".join(about)
        if isinstance(value, Call):
            how = "is made of other variables" if value.name == "ref" else f"is computed by {value.name}()"
            self._note(number, f"{name} {how}: it has no default here")
        elif value not in (None, ""):
            option["default"] = value if isinstance(value, (list, dict)) else as_text(value)
        self._required(name, option, marks, number)
        self._sensitive(name, option, marks, number)
        for word, (line, given) in marks.items():
            if word == "example" and not isinstance(given, Call):
                option["example"] = given
            elif word == "deprecated" and given is not False:
                option["deprecated"] = True
                option.update({} if given is True else {"deprecation_reason": str(given)})
            elif word not in (*_SILENT, "deprecated"):
                self._note(line, f"{name}: @{word} has no counterpart")
        return option

    def _typed(self, name: str, marks: tuple[int, Any], value: object) -> dict[str, object]:
        number, kind = marks
        if kind is None:
            inferred = {bool: "boolean", int: "integer", float: "float", list: "list", dict: "object"}
            return {"type": inferred.get(type(value), "string")}
        call = kind if isinstance(kind, Call) else Call(str(kind), [], {})
        if call.name not in _TYPES:
            self._note(number, f"{name}: the type {call.name} is not checked")
            return {"type": "string"}
        option = dict(_TYPES[call.name])
        if call.name == "enum":
            self._choices(name, option, call, number)
        elif call.name in ("array", "record") and call.args:
            self._of_items(name, option, call, number)
        for word, limit in call.named.items():
            self._argument(name, option, call.name, word, limit, number)
        return option

    def _of_items(self, name: str, option: dict[str, object], call: Call, number: int) -> None:
        inner = call.args[0] if isinstance(call.args[0], Call) else Call(str(call.args[0]), [], {})
        if call.name == "record" or inner.name not in _TYPES:
            self._note(number, f"{name}: the values of {call.name} are not checked")
        elif inner.name == "enum":
            self._choices(name, option, inner, number)
        else:
            kind = _TYPES[inner.name]
            option["items"] = kind["type"]
            if len(kind) > 1 or inner.named:
                self._note(number, f"{name}: of an item only the type {kind['type']} is checked")

    def _choices(self, name: str, option: dict[str, object], call: Call, number: int) -> None:
        if call.args and all(isinstance(word, (str, int, float)) for word in call.args):
            option["choices"] = [as_text(word) for word in call.args]
        else:
            self._note(number, f"{name}: the members of enum are computed, and not checked")

    def _argument(self, name: str, option: dict[str, object], kind: str, word: str, limit: object, number: int) -> None:
        pattern = _pattern(word, limit)
        if word == "isInt" and limit is True:
            option["type"] = "integer"
        elif word == "isLength" and _fits("minLength", limit, kind):
            option["min_length"] = option["max_length"] = limit
        elif pattern and "pattern" not in option and kind in ("string", "url"):
            option["pattern"] = pattern
        elif word in _ARGUMENTS and _fits(word, limit, kind):
            option[_ARGUMENTS[word]] = limit
        elif word not in ("allowEmpty", "isInt"):
            self._note(number, f"{name}: {word} of {kind} has no counterpart")

    def _required(
        self, name: str, option: dict[str, object], marks: dict[str, tuple[int, object]], number: int
    ) -> None:
        line, given = marks.pop("required", (number, None))
        if "optional" in marks:
            optional = marks.pop("optional")[1]
            given = not optional if isinstance(optional, bool) else None
        if given is None and self.required is True:
            given = True
        if isinstance(given, Call) and given.name == "forEnv" and given.args and not given.named:
            given = [str(env) for env in given.args]
        elif isinstance(given, Call):
            self._note(line, f"{name}: @required={given.name}(…) has no counterpart")
            return
        if given and "default" not in option:  # a default is enough there, and is not used here
            option["required"] = given

    def _sensitive(
        self, name: str, option: dict[str, object], marks: dict[str, tuple[int, object]], number: int
    ) -> None:
        line, given = marks.pop("sensitive", (number, None))
        if "public" in marks:
            public = marks.pop("public")[1]
            given = not public if isinstance(public, bool) else None
        if isinstance(given, dict):
            given = given.get("enabled", True)
        if given is None:
            default = self.sensitive
            if isinstance(default, Call) and default.name == "inferFromPrefix" and default.args:
                given = not name.startswith(str(default.args[0]))
            else:
                given = default if isinstance(default, bool) else True
        if not isinstance(given, bool):
            self._note(line, f"{name}: whether it is sensitive is computed, so it is")
            given = True
        option["sensitive"] = given

    # -- syntax

    def _decorators(self, comments: list[tuple[int, str]]) -> list[tuple[int, str, object]]:
        """The decorators of a block of comments: line, name and value."""
        found: list[tuple[int, str, Any]] = []
        for number, text in _joined(comments):
            while text.startswith("@"):
                end = next((at for at, letter in enumerate(text) if letter in " =("), len(text))
                name, text = text[1:end], text[end:]
                value: Any = True
                try:
                    if text.startswith("="):
                        value, text = parse(text[1:], " #")
                    elif text.startswith("("):
                        value, text = parse(f"{name}{text}", " #")
                except (Malformed, RecursionError) as fault:
                    self._note(number, f"@{name}: {_reason(fault)}")
                    break
                found.append((number, name, value))
                text = text.lstrip()
        return found

    def _value(self, text: str) -> tuple[object, str]:
        """The value of a variable, which may go on in the lines below, and what is after it."""
        text = text.strip()
        quote = next((quote for quote in QUOTES if text.startswith(quote)), "")
        if quote:
            text = self._continued(text, lambda last: quote in last, opened=text.find(quote, len(quote)) < 0)
        if len(quote) == 3:
            inner, _, after = text[3:].partition(quote)
            return inner.removeprefix("\n").removesuffix("\n"), after.strip()
        if not quote and is_open(text):
            depth = [open_brackets(text)]

            def is_closed(line: str) -> bool:
                depth[0] += open_brackets(line)
                return depth[0] <= 0

            text = self._continued(text, is_closed, opened=True)
        if text[:1] in ("", "#"):
            return None, text
        value, after = parse(text, "#")
        return value, after.strip()

    def _continued(self, text: str, ends: Callable[[str], bool], *, opened: bool) -> str:
        """A value with the lines below that belong to it. If it never ends, only its first line is lost."""
        lines, at = [text], self.at
        while opened:
            if at >= len(self.lines) or len(lines) > _MOST_LINES:
                raise Malformed("the quotes or brackets are not closed")
            lines.append(self.lines[at])
            opened = not ends(self.lines[at])
            at += 1
        self.at = at
        return "\n".join(lines)


def _fits(word: str, limit: object, kind: str) -> bool:
    """Whether an argument of a type is a constraint that we know of that type."""
    if word == "unique":
        return kind == "array" and isinstance(limit, bool)
    if word in ("minLength", "maxLength"):
        return kind in ("string", "array") and type(limit) is int and limit >= 0
    if kind == "duration":
        return word in ("min", "max") and isinstance(limit, str)
    return kind in ("number", "port") and type(limit) in (int, float)


def _reason(fault: Exception) -> str:
    return str(fault) if isinstance(fault, Malformed) else TOO_DEEP


def _joined(comments: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """The lines of a block of comments, a decorator that goes on in the next lines as one."""
    found: list[tuple[int, str]] = []
    depth = 0
    for number, text in comments:
        if depth > 0 and len(found[-1][1]) < _LONGEST:
            found[-1] = found[-1][0], f"{found[-1][1]} {text}"
            depth += open_brackets(text)
        else:
            found.append((number, text))
            depth = open_brackets(text) if text.startswith("@") else 0
    return found


def _pattern(word: str, limit: Any) -> str:
    """An argument of `string` as a regular expression; empty if it has none."""
    import re

    if word == "startsWith" and isinstance(limit, (str, int, float)):
        return f"^{re.escape(str(limit))}"
    if word == "endsWith" and isinstance(limit, (str, int, float)):
        return f"{re.escape(str(limit))}$"
    if word == "noTrailingSlash" and limit is True:
        return "[^/]$"
    if word != "matches":
        return ""
    flags = ""
    if isinstance(limit, Call) and limit.name == "regex" and limit.args:
        limit, flags = limit.args[0], "".join(map(str, limit.args[1:2]))
    elif isinstance(limit, str) and limit.startswith("/") and limit.rpartition("/")[2].isalpha():
        flags = limit.rpartition("/")[2]
        limit = limit.rpartition("/")[0][1:]
    elif isinstance(limit, str) and len(limit) > 1 and limit[0] == limit[-1] == "/":
        limit = limit[1:-1]
    if not isinstance(limit, str) or set(flags) - set("imsu"):
        return ""
    flags = flags.replace("u", "")
    pattern = f"(?{flags}){limit}" if flags else limit
    try:
        re.compile(pattern)
    except re.error:
        return ""
    return pattern
