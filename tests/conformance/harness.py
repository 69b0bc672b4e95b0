"""Compares what we answer with what Airflow answered, row by row, and counts.

A file of the oracle holds cases, a case holds rows: one result each. A test says which file it
reads, asks the product and hands over the answers; it runs once for each case, under the case's id:

    @of_file("connections_uri.json")          # rows=…: what the rows of a case are, if not `default_rows`
    def test_uri(case):
        case.compare("core", lambda: ask(case.data["uri"]), secrets=[case.data["uri"]])

Every row ends in one of three ways, and a row that no one compared has failed:
compared (equal), differing by rule (`differences.toml`, or one of the two built-in rules), failed.
"""

from __future__ import annotations

import datetime
import enum
import json
import os
import re
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from framework import errors

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).parent
QUIRK = "airflow_quirk: better than Airflow"
MORE_HIDDEN = "a listing hides what dump hides: options with sensitive names, and values that contain a secret"
SDK = "sdk: of Airflow's two connection classes we have one, which answers as core"

#: Errors that the oracle names, and ours. Where it names another, any error will do.
ERRORS: dict[str, type[Exception]] = {
    "AirflowException": errors.FrameworkError,
    "AirflowConfigException": errors.ConfigError,
    "AirflowNotFoundException": errors.NotFound,
    "AirflowFileParseException": errors.FileParseError,
    "AirflowUnsupportedFileTypeException": errors.UnsupportedFileType,
    "ConnectionNotUnique": errors.ConnectionNotUnique,
    "VariableNotUnique": errors.VariableNotUnique,
    "KeyError": KeyError,
    "ValueError": ValueError,
    "JSONDecodeError": ValueError,
}
#: What may be raised where Airflow's answer is not to be copied.
DELIBERATE = (errors.FrameworkError, ValueError, TypeError, KeyError)
_HIDDEN = re.compile(r"^< hidden >$|\*\*\*")
#: Texts below this length are not looked for in messages.
SHORTEST_SECRET = 5

# -- values ------------------------------------------------------------------------------------


def decode(value: Any) -> Any:
    """An input of the oracle as Python has it: `{"$tuple": [1]}` is `(1,)`."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(tag, inner)] = value.items()
        if tag == "$dict":
            return {decode(key): decode(item) for key, item in inner}
        if tag in _DECODERS:
            return _DECODERS[tag](inner)
    return {key: decode(item) for key, item in value.items()}


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "$float": float,
    "$tuple": lambda inner: tuple(decode(inner)),
    "$set": lambda inner: set(decode(inner)),
    "$bytes": bytes.fromhex,
    "$date": datetime.date.fromisoformat,
    "$datetime": datetime.datetime.fromisoformat,
    "$timedelta": lambda inner: datetime.timedelta(*inner),
}


def encode(value: Any) -> Any:
    """An answer of ours as the oracle writes it; the opposite of `decode`."""
    if value is None or (isinstance(value, (str, int, Refusal)) and not isinstance(value, enum.Enum)):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else {"$float": str(value)}
    if isinstance(value, enum.Enum):
        return {"$enum": value.name}
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {key: encode(item) for key, item in value.items()}
        return {"$dict": [[encode(key), encode(item)] for key, item in value.items()]}
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, tuple):
        return {"$tuple": [encode(item) for item in value]}
    if isinstance(value, (set, frozenset)):
        return {"$set": sorted((encode(item) for item in value), key=repr)}
    if isinstance(value, bytes):
        return {"$bytes": value.hex()}
    if isinstance(value, datetime.datetime):
        return {"$datetime": value.isoformat()}
    if isinstance(value, datetime.date):
        return {"$date": value.isoformat()}
    if isinstance(value, datetime.timedelta):
        return {"$timedelta": [value.days, value.seconds, value.microseconds]}
    if isinstance(value, ModuleType):
        return {"$import": value.__name__}
    if callable(value) and hasattr(value, "__qualname__"):
        return {"$import": f"{value.__module__}.{value.__qualname__}"}
    return {"$object": type(value).__name__}


class Refusal:
    """An error in the place of an answer, or of a part of one."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def shown(self) -> str:
        """Everything that a log would show of it, chained errors included."""
        return "\n".join([*_chain(self.error), "".join(traceback.format_exception_only(self.error))])

    def __repr__(self) -> str:
        return f"<raised {type(self.error).__name__}: {self.error}>"


def _chain(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield f"{error!s} {error!r} {error.args!r}"
        error = error.__cause__ or error.__context__


def attempt(ask: Callable[[], Any]) -> Any:
    """What `ask` returns, or the Refusal that stands for what it raises."""
    try:
        return ask()
    except Exception as error:  # whatever it is, it is the answer
        return Refusal(error)


def is_error(expected: Any) -> bool:
    return isinstance(expected, dict) and isinstance(expected.get("error"), str)


def same(expected: Any, got: Any) -> bool:
    """Equal in value and in type; an error is compared by its type, loosely."""
    if is_error(expected) or isinstance(got, Refusal):
        if not (is_error(expected) and isinstance(got, Refusal)):
            return False
        return isinstance(got.error, ERRORS.get(expected["error"], Exception))
    if isinstance(expected, dict) and len(expected) == 1 and "$random" in expected:
        return isinstance(got, str) and len(got) == expected["$random"]
    if type(expected) is not type(got):
        return False
    if isinstance(expected, dict):
        return expected.keys() == got.keys() and all(same(expected[key], got[key]) for key in expected)
    if isinstance(expected, list):
        return len(expected) == len(got) and all(map(same, expected, got))
    return bool(expected == got)


# -- the world of a case -----------------------------------------------------------------------


def replace_tmp(value: Any, tmp: str | os.PathLike[str]) -> Any:
    """The value with the reader's directory in place of `{TMP}`, in keys as well."""
    if isinstance(value, str):
        return value.replace("{TMP}", os.fspath(tmp))
    if isinstance(value, list):
        return [replace_tmp(item, tmp) for item in value]
    if isinstance(value, dict):
        return {replace_tmp(key, tmp): replace_tmp(item, tmp) for key, item in value.items()}
    return value


def hide_tmp(value: Any, tmp: str | os.PathLike[str]) -> Any:
    """The opposite: an answer of ours with `{TMP}` in place of the directory."""
    if isinstance(value, str):
        return value.replace(os.fspath(tmp), "{TMP}")
    if isinstance(value, list):
        return [hide_tmp(item, tmp) for item in value]
    if isinstance(value, dict):
        return {hide_tmp(key, tmp): hide_tmp(item, tmp) for key, item in value.items()}
    return value


def write_files(files: dict[str, str] | None, tmp: Path) -> None:
    """Put a case's files into the directory, `{TMP}` inside them replaced."""
    for name, text in (files or {}).items():
        path = tmp / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(replace_tmp(text, tmp), encoding="utf-8")


def environment(tmp: Path, *more: dict[str, str | None] | None, home: str = "{TMP}/home") -> dict[str, str]:
    """The oracle's base environment and what the case adds, for `App(name="airflow", environ=…)`; null unsets."""
    variables: dict[str, str | None] = {
        "HOME": "/h/tester",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "PATH": os.environ.get("PATH", os.defpath),
        "AIRFLOW_HOME": home,
    }
    for added in more:
        variables.update(added or {})
    return {name: replace_tmp(value, tmp) for name, value in variables.items() if value is not None}


# -- rules -------------------------------------------------------------------------------------

#: Predicates by name: do the inputs of this row (`case.inputs`, `row.inputs`) call for the rule?
PREDICATES: dict[str, Callable[[Case, Row], bool]] = {}
#: Checks by name: is this (encoded) answer what we promise instead?
CHECKS: dict[str, Callable[[Case, Row, Any], bool]] = {}


def predicate(function: Callable[[Case, Row], bool]) -> Callable[[Case, Row], bool]:
    """Register a predicate under the function's name. It sees inputs: never ids, never expected results."""
    PREDICATES[function.__name__] = function
    return function


def check(function: Callable[[Case, Row, Any], bool]) -> Callable[[Case, Row, Any], bool]:
    """Register a check under the function's name."""
    CHECKS[function.__name__] = function
    return function


class Rule:
    """A deliberate difference: which rows, which sentence of the design demands it, what we answer instead.

    Attributes:
        parts: the keys of the result that it is about, where it is not about all of it.
    """

    def __init__(
        self, name: str, files: list[str], predicate: str, sentence: str, instead: str, parts: Iterable[str] = ()
    ) -> None:
        self.name, self.files, self.sentence, self.parts = name, files, sentence, frozenset(parts)
        self.predicate = PREDICATES[predicate]
        self.check = CHECKS.get(instead) or raised(getattr(errors, instead))

    def kept(self, case: Case, row: Row, got: Any) -> bool:
        """Whether the answer is the promised one; a check that stumbles over it says no."""
        return attempt(lambda: self.check(case, row, got)) is True


def raised(error: type[Exception]) -> Callable[[Case, Row, Any], bool]:
    """The check for `instead = "InvalidConnection"`."""
    return lambda case, row, got: isinstance(got, Refusal) and isinstance(got.error, error)


def load_rules() -> list[Rule]:
    """The rules of `differences.toml`; a misspelt predicate or check is an error here."""
    with (HERE / "differences.toml").open("rb") as file:
        return [Rule(**table) for table in tomllib.load(file).get("rule", [])]


# -- rows and cases ----------------------------------------------------------------------------

_OUTCOMES = {
    "id", "group", "airflow_quirk", "quirk_reason", "quirk_scope", "core", "sdk", "sanitize_conn_id", "results", "load",
    "expect", "steps", "gets", "get", "result", "error", "bases", "log", "has_option", "is_sensitive", "warnings",
    "redacted", "possible", "hide", "hidden", "shown", "hides_password", "merged",
}  # fmt: skip


class Row:
    """One result of a case.

    Args:
        name: what is compared: `core`, `results.getint`, `gets[3]`.
        expected: Airflow's result.
        data: the row's own table, if it has one (an entry of `gets` or `steps`): inputs and marks of its own.
    """

    def __init__(self, name: str, expected: Any, data: dict[str, Any] | None = None) -> None:
        self.name, self.expected, self.data = name, expected, data or {}
        self.key = name.partition("[")[0].rpartition(".")[2]
        outcomes = _OUTCOMES | {"value"} if self.key == "gets" else _OUTCOMES
        self.inputs = {key: value for key, value in self.data.items() if key not in outcomes}

    def excused(self, marks: dict[str, Any]) -> set[str] | None:
        """The keys of the result that the marks call a quirk; None for all of it."""
        if not marks.get("airflow_quirk"):
            return set()
        if "quirk_scope" not in marks:
            return None
        keys = set()
        for scope in marks["quirk_scope"]:
            head, _, rest = scope.partition(".")
            if scope in (self.key, self.data.get("op")) or self.name.startswith(f"{scope}."):
                return None
            keys.add(rest if rest and head == self.key else scope)
        return keys


def default_rows(case: Case) -> Iterator[Row]:
    """The rows of the shapes that several files share."""
    data = case.data
    for name in ("core", "sdk", "load", "sanitize_conn_id"):
        if name in data:
            yield Row(name, data[name])
    for name, expected in data.get("results", {}).items():
        yield Row(f"results.{name}", expected)
    for number, step in enumerate(data.get("steps", [])):
        yield Row(f"steps[{number}]", step, step)
    expect = data.get("expect")
    if isinstance(expect, dict) and not expect.keys() & {"value", "error", "never_ends"}:
        for name, expected in expect.items():
            if name == "gets":
                for number, get in enumerate(expected):
                    yield Row(f"gets[{number}]", get, get)
            else:
                yield Row(name, expected)
    elif expect is not None:
        yield Row("expect", expect)


def of_file(
    file: str, rows: Callable[[Case], Iterable[Row]] = default_rows
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A test that takes `case` runs once for each case of the file."""

    def mark(test: Callable[..., None]) -> Callable[..., None]:
        test.oracle = (file, rows)  # type: ignore[attr-defined]  # read by conftest.py
        return test

    return mark


class Case:
    """One case of a file.

    Attributes:
        file: the file's name.
        data: the case as it is written; `shared` is the file around it, without the cases.
        inputs: `data` without any result.
        rows: its rows by name.
    """

    def __init__(self, file: str, data: dict[str, Any], shared: dict[str, Any], tally: Tally) -> None:
        self.file, self.data, self.shared, self.tally = file, data, shared, tally
        self.id: str = data["id"]
        self.inputs = {key: value for key, value in data.items() if key not in _OUTCOMES}
        self.rows: dict[str, Row] = {}
        self._outcomes: dict[str, str] = {}
        self._failures: list[str] = []

    def expect(self, rows: Iterable[Row]) -> None:
        """Say what the rows are, before any is compared."""
        for row in rows:
            assert row.name not in self.rows, f"two rows called {row.name} in {self.id}"
            self.rows[row.name] = row

    def compare(self, name: str, ask: Callable[[], Any], secrets: Iterable[str] = ()) -> None:
        """Ask, and note how the answer compares.

        Args:
            name: the row's name.
            ask: returns our answer in Python's types, shaped as the expected result is, or raises.
                A part of the answer may be made with `attempt`.
            secrets: what no error may repeat.
        """
        row = self.rows[name]
        got = encode(attempt(ask))
        outcome = self._outcome(row, got)
        for text in secrets:
            if len(text) >= SHORTEST_SECRET and any(text in refusal.shown() for refusal in _refusals(got)):
                outcome = "failed"
                self._failures.append(f"{name}: an error repeats a secret")
        if outcome == "failed":
            self._failures.append(
                f"{name}{_differing(row.expected, got)}\n  Airflow: {row.expected!r}\n  we:      {got!r}"
            )
        self._outcomes[name] = outcome

    def _outcome(self, row: Row, got: Any) -> str:
        """`equal`, the name of a rule, or `failed`."""
        if row.name.startswith("as_dict.") and "sensitive" not in row.name:
            bare = _uncovered(row.expected, got)
            if bare != got and (outcome := self._judged(row, bare)) != "failed":
                return MORE_HIDDEN if outcome == "equal" else outcome
        return self._judged(row, got)

    def _judged(self, row: Row, got: Any) -> str:
        excused: set[str] | None = set()
        for marks in (self.data, row.data):
            more = row.excused(marks)
            excused = None if more is None or excused is None else excused | more
        quirk = excused is None or bool(excused and _mentions(row.expected, excused))
        if excused is None or _same_but(row.expected, got, excused):
            return self._unexpected(got) or (QUIRK if quirk else "equal")
        all_keys = set(row.expected) | set(got) if isinstance(row.expected, dict) and isinstance(got, dict) else set()
        applied = ""
        for rule in self.tally.rules:
            if self.file not in rule.files or not rule.predicate(self, row):
                continue
            if not rule.parts:
                return rule.name if rule.kept(self, row, got) else "failed"
            if not _same_but(row.expected, got, all_keys - rule.parts) and rule.kept(self, row, got):
                excused, applied = excused | rule.parts, applied or rule.name
                if _same_but(row.expected, got, excused):
                    return self._unexpected(got) or applied
        if row.name == "sdk":
            return SDK if self._outcome(self.rows["core"], got) != "failed" else "failed"
        if quirk and isinstance(got, Refusal) and isinstance(got.error, errors.FrameworkError):
            return QUIRK  # refused altogether instead of losing a part
        return "failed"

    def _unexpected(self, got: Any) -> str:
        """`failed` if something unexpected was raised."""
        return "" if all(isinstance(refusal.error, DELIBERATE) for refusal in _refusals(got)) else "failed"

    def finish(self) -> str:
        """Count the rows; returns the text of what failed."""
        for name in self.rows:
            if name not in self._outcomes:
                self._outcomes[name] = "failed"
                self._failures.append(f"{name}: not compared")
        self.tally.add(self.file, self._outcomes.values())
        return "\n".join(self._failures)


def _uncovered(expected: Any, got: Any) -> Any:
    """A listing with Airflow's value wherever ours is hidden, wholly or in parts."""
    if isinstance(got, dict) and isinstance(expected, dict):
        return {name: _uncovered(expected.get(name), value) for name, value in got.items()}
    if isinstance(got, (list, tuple)) and isinstance(expected, (list, tuple)) and len(got) == len(expected):
        return [_uncovered(*pair) for pair in zip(expected, got, strict=True)]
    return expected if isinstance(got, str) and isinstance(expected, str) and _HIDDEN.search(got) else got


def _refusals(got: Any) -> Iterator[Refusal]:
    if isinstance(got, Refusal):
        yield got
    elif isinstance(got, (dict, list)):
        for item in got.values() if isinstance(got, dict) else got:
            yield from _refusals(item)


def _differing(expected: Any, got: Any) -> str:
    """Where two tables differ, for the reader of a failure."""
    if not (isinstance(expected, dict) and isinstance(got, dict)):
        return ""
    keys = [k for k in {**expected, **got} if k not in expected or k not in got or not same(expected[k], got[k])]
    return f" ({', '.join(keys)})"


def _mentions(expected: Any, keys: set[str]) -> bool:
    return isinstance(expected, dict) and bool(expected.keys() & keys)


def _same_but(expected: Any, got: Any, excused: set[str]) -> bool:
    """Equal, whatever the excused keys say."""
    if not (isinstance(expected, dict) and isinstance(got, dict) and excused):
        return same(expected, got)
    keys = (expected.keys() | got.keys()) - excused
    return all(key in expected and key in got and same(expected[key], got[key]) for key in keys)


# -- counting ----------------------------------------------------------------------------------


class Tally:
    """How the rows of each file ended."""

    def __init__(self) -> None:
        self.rules = load_rules()
        self.files: dict[str, Counter[str]] = {}

    def add(self, file: str, outcomes: Iterable[str]) -> None:
        self.files.setdefault(file, Counter()).update(outcomes)

    def lines(self) -> Iterator[str]:
        """A line for each file; its three figures add up to all rows."""
        for file, counts in sorted(self.files.items()):
            by_rule = {name: count for name, count in counts.most_common() if name not in ("equal", "failed")}
            named = "".join(f"\n    {count:6} {name}" for name, count in by_rule.items())
            yield (
                f"{file}: {counts.total()} rows: {counts['equal']} compared, "
                f"{sum(by_rule.values())} differing by rule, {counts['failed']} failed{named}"
            )


def load_cases(oracle: Path, file: str, tally: Tally) -> list[Case]:
    """The cases of a file; none if the folder does not have it."""
    path = oracle / file
    if not path.exists():
        return []
    content = json.loads(path.read_text(encoding="utf-8"))
    cases = content.pop("cases", [])
    return [Case(file, data, content, tally) for data in cases]


# -- predicates and checks: connections ----------------------------------------------------------


@predicate
def scheme_without_slashes(case: Case, row: Row) -> bool:
    """`postgres:db.example.org/shop`, `jdbc:mysql://u:p@h`: a scheme, but not `://` after it."""
    scheme, colon, rest = case.inputs["uri"].partition(":")
    valid = scheme[:1].isalpha() and scheme.isascii() and all(c.isalnum() or c in "+-." for c in scheme)
    return bool(colon) and valid and not rest.startswith("//")


@predicate
def capital_scheme_before_protocol(case: Case, row: Row) -> bool:
    """`HTTP://https://u:p@h`: Airflow takes the protocol for the host, and the credentials for the schema."""
    scheme, separator, rest = case.inputs["uri"].partition("://")
    return bool(separator) and scheme != scheme.lower() and "://" in rest


@check
def read_as_in_lower_case(case: Case, row: Row, got: Any) -> bool:
    """The same as of the URI whose scheme is written in lower case."""
    from framework.connection import Connection

    scheme, separator, rest = case.inputs["uri"].partition("://")
    other = attempt(lambda: Connection.from_uri(uri=scheme.lower() + separator + rest))
    if isinstance(got, Refusal) or isinstance(other, Refusal):
        return isinstance(got, Refusal) and isinstance(other, Refusal)
    return bool(got["host"] == other.host and got["login"] == other.login and got["schema"] == other.schema)


@predicate
def extra_holds_json_texts(case: Case, row: Row) -> bool:
    """`{"a": "1"}`: written as `?a=1` it would come back as the number."""
    fields = _json(case.inputs["text"])
    extra = fields.get("extra") if isinstance(fields, dict) else None
    extra = _json(extra) if isinstance(extra, str) else extra
    return isinstance(extra, dict) and any(isinstance(value, str) and _json(value) != value for value in extra.values())


def _json(text: str) -> Any:
    """What the text says as JSON, or else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


@check
def uri_gives_extra_back(case: Case, row: Row, got: Any) -> bool:
    """The URI reads back as the same `extra`; all else is as Airflow has it."""
    from framework.connection import Connection

    again = Connection.from_uri(uri=got["get_uri"])
    return encode(again.extra_dejson) == got["extra_dejson"] and _same_but(row.expected, got, {"get_uri"})


# -- predicates and checks: local files ----------------------------------------------------------


def _uris_in(case: Case) -> list[str]:
    return re.findall(r"[\w+.-]+://[^\"\s]*", case.inputs.get("text", ""))


@predicate
def uri_that_airflow_cuts(case: Case, row: Row) -> bool:
    """`http://h/s#c`, `http://http://h`: connections_uri.json marks as a quirk that the rest of such a URI is lost."""
    return row.name == "connections" and any(
        "#" in uri or uri.partition("://")[2].startswith(uri.partition("://")[0] + "://") for uri in _uris_in(case)
    )


@check
def read_as_any_uri(case: Case, row: Row, got: Any) -> bool:
    """Each connection is what `Connection.from_uri` makes of its URI, or else the file is refused."""
    from framework.connection import Connection

    read = [attempt(lambda uri=uri: Connection.from_uri(uri)) for uri in _uris_in(case)]
    if isinstance(got, Refusal) or any(isinstance(made, Refusal) for made in read):
        return isinstance(got, Refusal) and any(isinstance(made, Refusal) for made in read)
    return [made.to_dict(prune_empty=True) for made in read] == [
        Connection(**{**fields, "conn_id": None}).to_dict(prune_empty=True) for fields in got["value"].values()
    ]


@predicate
def comment_after_a_blank(case: Case, row: Row) -> bool:
    return " #" in str(case.data.get("uri") or case.data.get("text"))


@check
def read_without_comment(case: Case, row: Row, got: Any) -> bool:
    """What the same text without its comment is read as."""
    from framework.connection import Connection

    text = str(case.data.get("uri") or case.data.get("text")).partition(" #")[0].rstrip()
    return isinstance(got, dict) and got["get_uri"] == Connection.from_uri(text).get_uri()


@predicate
def env_file_with_byte_order_mark(case: Case, row: Row) -> bool:
    """Airflow makes the byte order mark a part of the first name, which is not found then."""
    mark = "\ufeff" if "text" in case.inputs else "efbbbf"
    text = case.inputs.get("text", case.inputs.get("bytes", ""))
    return str(case.inputs.get("file", "")).lower().endswith(".env") and text.startswith(mark)
