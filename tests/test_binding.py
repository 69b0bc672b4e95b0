"""Settings as a class: what each kind of class declares, how an object of it is made, and how faults are reported."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import datetime
import decimal
import enum
import fractions
import ipaddress
import pathlib
import re
import traceback
import typing
import uuid
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional

import annotated_types as at
import attrs
import msgspec
import pydantic
import pytest
import typing_extensions
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from framework import App, Secret, Sensitive
from framework.errors import InvalidValue, SchemaError, SettingsError

HIDDEN = "hunter22-correct-horse"


def bound(cls: type, section: str = "server", /, **environ: str) -> Any:
    """An object of a class, from variables such as `SERVER__PORT`."""
    return application(**environ).bind(cls, section)


def application(schema: Any = None, **environ: str) -> App:
    variables = {f"BILLING__{name}": text for name, text in environ.items()}
    return App("billing", schema=schema, home="/nonexistent", environ=variables)


def refused(cls: type, section: str = "server", /, **environ: str) -> list[str]:
    """What is reported about the values."""
    with pytest.raises(SettingsError) as caught:
        bound(cls, section, **environ)
    return [str(fault) for fault in caught.value.faults]


# The kinds of classes


@dataclasses.dataclass(frozen=True)
class DataclassTls:
    cert: pathlib.Path
    key: Secret


@dataclasses.dataclass(frozen=True)
class DataclassServer:
    port: Annotated[int, at.Ge(1), at.Le(65535)] = 8000
    origins: list[str] = dataclasses.field(default_factory=list)
    tls: DataclassTls | None = None


@dataclasses.dataclass(frozen=True)
class DataclassSettings:
    server: DataclassServer


class PydanticTls(BaseModel):
    cert: pathlib.Path
    key: pydantic.SecretStr


class PydanticServer(BaseModel):
    port: int = Field(8000, ge=1, le=65535)
    origins: list[str] = []
    tls: PydanticTls | None = None


class PydanticSettings(BaseModel):
    server: PydanticServer


class DictTls(typing.TypedDict):
    cert: pathlib.Path
    key: Annotated[str, Sensitive]


class DictServer(typing.TypedDict):
    port: Annotated[int, at.Ge(1), at.Le(65535)]
    origins: typing_extensions.NotRequired[list[str]]
    tls: typing_extensions.NotRequired[DictTls]


class DictSettings(typing.TypedDict):
    server: DictServer


class TupleTls(NamedTuple):
    cert: pathlib.Path
    key: Secret


class TupleServer(NamedTuple):
    port: Annotated[int, at.Interval(ge=1, le=65535)] = 8000
    origins: list[str] = []  # noqa: RUF012
    tls: TupleTls | None = None


class TupleSettings(NamedTuple):
    server: TupleServer


@attrs.frozen
class AttrsTls:
    cert: pathlib.Path
    key: Secret


@attrs.frozen
class AttrsServer:
    port: Annotated[int, at.Ge(1), at.Le(65535)] = 8000
    origins: list[str] = attrs.Factory(list)
    tls: AttrsTls | None = None


@attrs.frozen
class AttrsSettings:
    server: AttrsServer


class StructTls(msgspec.Struct):
    cert: pathlib.Path
    key: Secret


class StructServer(msgspec.Struct):
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 8000
    origins: list[str] = msgspec.field(default_factory=list)
    tls: StructTls | None = None


class StructSettings(msgspec.Struct):
    server: StructServer


@pydantic.dataclasses.dataclass
class PydanticDataTls:
    cert: pathlib.Path
    key: pydantic.SecretStr


@pydantic.dataclasses.dataclass
class PydanticDataServer:
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    origins: list[str] = Field(default_factory=list)
    tls: PydanticDataTls | None = None


@pydantic.dataclasses.dataclass
class PydanticDataSettings:
    server: PydanticDataServer


KINDS = [
    DataclassSettings,
    PydanticSettings,
    DictSettings,
    TupleSettings,
    AttrsSettings,
    StructSettings,
    PydanticDataSettings,
]


def get(made: Any, name: str) -> Any:
    return made[name] if isinstance(made, dict) else getattr(made, name)


@pytest.mark.parametrize("cls", KINDS, ids=lambda cls: cls.__name__)
class TestKinds:
    def test_what_is_set_becomes_an_object(self, cls: type) -> None:
        app = application(
            cls,
            SERVER__PORT="8_080",
            SERVER__ORIGINS="a, b",
            SERVER_TLS__CERT="/etc/cert",
            SERVER_TLS__KEY=HIDDEN,
        )
        made = app.bind(cls)
        assert type(made) is (dict if cls is DictSettings else cls)
        server = get(made, "server")
        assert get(server, "port") == 8080
        assert get(server, "origins") == ["a", "b"]
        tls = get(server, "tls")
        assert get(tls, "cert") == pathlib.Path("/etc/cert")
        key = get(tls, "key")
        assert (key.get_secret_value() if hasattr(key, "get_secret_value") else key) == HIDDEN
        assert app.conf.getint("server", "port") == 8080
        assert app.conf.value("server.tls", "cert") == pathlib.Path("/etc/cert")

    def test_it_declares_the_options(self, cls: type) -> None:
        app = application(cls)
        assert app.schema.options("server") == ["port", "origins"]
        assert app.schema.options("server.tls") == ["cert", "key"]
        port, key = app.schema.option("server", "port"), app.schema.option("server.tls", "key")
        assert port and key
        assert (port.type, port.constraints) == ("integer", {"minimum": 1, "maximum": 65535})
        assert port.default == (None if cls is DictSettings else 8000)
        assert port.required is (cls is DictSettings)
        assert key.sensitive and not key.required  # the section may be left out
        assert port.place.endswith("Server.port")

    def test_what_is_not_written_is_left_to_the_class(self, cls: type) -> None:
        made = get(application(cls, SERVER__PORT="1").bind(cls), "server")
        if cls is DictSettings:
            assert made == {"port": 1}
        else:
            assert (made.port, made.origins, made.tls) == (1, [], None)
            assert made.origins is not application(cls, SERVER__PORT="1").bind(cls).server.origins or cls in (
                TupleSettings,
            )

    def test_all_faults_are_reported_at_once(self, cls: type) -> None:
        reported = refused(cls, "", SERVER__PORT="70000", SERVER_TLS__CERT="", SERVER__ORIGINS='["a", 5]')
        assert reported == [
            "BILLING__SERVER__PORT: [server] port: expected at most 65535, not '70000'",
            "BILLING__SERVER_TLS__CERT: [server.tls] cert: expected a path, such as /var/lib/app, not ''. "
            "It is set, and empty: write a value, or remove it.",
            "[server.tls] key: the option is not set. It is declared without a default: "
            "set BILLING__SERVER_TLS__KEY or write it in a file.",
        ]

    def test_a_fault_shows_no_secret(self, cls: type) -> None:
        app = application(cls, SERVER__PORT="1", SERVER_TLS__KEY=HIDDEN)
        with pytest.raises(SettingsError) as caught:
            app.bind(cls)
        assert HIDDEN not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)


def test_the_getters_and_the_class_never_differ() -> None:
    @dataclasses.dataclass
    class Server:
        number: int
        share: float
        flag: bool
        names: list[str]
        wait: datetime.timedelta
        text: str

    Server.__annotations__ = typing.get_type_hints(Server)
    cases: dict[str, list[str]] = {
        "NUMBER": ["1", " 7 ", "8_080", "8080.0", "1e3", "", "0x10", "7.5", "true", "٣"],
        "SHARE": ["1", "0.5", "1e3", "inf", "nan", "", "half", "1_0.0"],
        "FLAG": ["t", "TRUE", "1", "false # because", "yes", "on", "off", "", "2"],
        "NAMES": ["a,b", " a , b ", "", '["a", "b"]', "a", "[a", '["a"'],
        "WAIT": ["5", "300", ""],
        "TEXT": ["", " x ", "1", "true", "null"],
    }
    getters = dict(zip(cases, ("getint", "getfloat", "getboolean", "getlist", "gettimedelta", "get"), strict=True))
    good = {"NUMBER": "1", "SHARE": "1", "FLAG": "t", "NAMES": "a", "WAIT": "5", "TEXT": "x"}
    for name, texts in cases.items():
        for text in texts:
            app = application(**{f"SERVER__{key}": value for key, value in {**good, name: text}.items()})
            try:
                expected = getattr(app.conf, getters[name])("server", name.lower())
            except InvalidValue:
                with pytest.raises(SettingsError):
                    app.bind(Server, "server")
            else:
                if name == "WAIT" and not text:  # the getter has no duration there, and the class needs one
                    continue
                found = getattr(app.bind(Server, "server"), name.lower())
                assert found == expected or (found != found and expected != expected), (name, text)
                assert type(found) is type(expected)


def test_what_a_list_of_anything_holds_is_as_conf_value_has_it() -> None:
    cls = dataclasses.make_dataclass("Server", [("it", list[Any])])
    app = application(dataclasses.make_dataclass("Settings", [("server", cls)]), SERVER__IT='["a", 5, null]')
    assert app.bind(cls, "server").it == app.conf.value("server", "it") == ["a", 5, None]


# Types


class Colour(enum.Enum):
    red = 1
    green = 2


class Access(enum.Flag):
    read = 1
    write = 2
    run = 4


class IntAccess(enum.IntFlag):
    read = 1


UserId = NewType("UserId", int)


class Name(str):
    pass


class Peer(NamedTuple):
    host: str
    port: Annotated[int, at.Gt(0)] = 80


@dataclasses.dataclass
class Node:
    name: str
    below: list[Node] = dataclasses.field(default_factory=list)


UUID = uuid.UUID("12345678-1234-5678-1234-567812345678")

TYPES: list[tuple[Any, str, Any]] = [
    (str, "x", "x"),
    (int, "5", 5),
    (Optional[int], "5", 5),
    (Optional[int], "", None),
    (Optional[str], "", ""),
    (int | None, "", None),
    (float, "5", 5.0),
    (bool, "T", True),
    (decimal.Decimal, "9.95", decimal.Decimal("9.95")),
    (datetime.timedelta, "1h30m", datetime.timedelta(minutes=90)),
    (datetime.timedelta, "90", datetime.timedelta(seconds=90)),
    (datetime.datetime, "2024-05-01T12:00:00Z", datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.timezone.utc)),
    (datetime.date, "2024-05-01", datetime.date(2024, 5, 1)),
    (datetime.time, "12:30", datetime.time(12, 30)),
    (pathlib.Path, "/etc", pathlib.Path("/etc")),
    (pathlib.PurePosixPath, "/etc", pathlib.PurePosixPath("/etc")),
    (uuid.UUID, str(UUID), UUID),
    (ipaddress.IPv4Address, "192.0.2.1", ipaddress.IPv4Address("192.0.2.1")),
    (ipaddress.IPv6Network, "2001:db8::/32", ipaddress.IPv6Network("2001:db8::/32")),
    (re.Pattern, "a+", re.compile("a+")),
    (re.Pattern[str], "a+", re.compile("a+")),
    (Colour, "green", Colour.green),
    (Access, "read, write", Access.read | Access.write),
    (Access, "read|write", Access.read | Access.write),
    (Access, "", Access(0)),
    (IntAccess, '["read"]', IntAccess.read),
    (bytes, "é", "é".encode()),
    (ipaddress.IPv4Interface, "192.0.2.5/24", ipaddress.IPv4Interface("192.0.2.5/24")),
    (fractions.Fraction, "1/3", fractions.Fraction(1, 3)),
    (UserId, "5", 5),
    (Name, "x", Name("x")),
    (Literal["a", "b"], "b", "b"),
    (Literal[1, 2], "2", 2),
    (Literal["a", 5, True], "5", 5),
    (Literal["a", None], "a", "a"),
    (list[int], "1, 2", [1, 2]),
    (list[int], "[1, 2]", [1, 2]),
    (list, "a, b", ["a", "b"]),
    (list, '["a", 5, null]', ["a", 5, None]),
    (list[Any], "a, b", ["a", "b"]),
    (dict[tuple[int, ...], int], '{"1,2": 1}', {(1, 2): 1}),
    (tuple, "a", ("a",)),
    (typing.List[str], "a", ["a"]),  # noqa: UP006
    (list[list[int]], "[[1], [2, 3]]", [[1], [2, 3]]),
    (tuple[int, ...], "1, 2", (1, 2)),
    (tuple[str, int], "a, 5", ("a", 5)),
    (set[str], "a, b, a", {"a", "b"}),
    (frozenset[int], "1, 1", frozenset({1})),
    (collections.abc.Sequence[int], "1", [1]),
    (collections.deque[int], "1", collections.deque([1])),
    (list[Colour], "red, green", [Colour.red, Colour.green]),
    (dict[str, int], '{"a": "5"}', {"a": 5}),
    (dict[int, str], '{"5": "a"}', {5: "a"}),
    (dict[str, Any], '{"a": [1, null]}', {"a": [1, None]}),
    (dict, '{"a": 1}', {"a": 1}),
    (collections.abc.Mapping[str, list[int]], '{"a": "1,2"}', {"a": [1, 2]}),
    (int | str, "5", 5),
    (int | str, "a", "a"),
    (str | int, "5", "5"),
    (bool | int, "7", 7),
    (list[Peer], '[{"host": "a"}, {"host": "b", "port": "5"}]', [Peer("a"), Peer("b", 5)]),
    (tuple[Peer, ...], '[{"host": "a"}]', (Peer("a"),)),
    (dict[str, Peer], '{"x": {"host": "a"}}', {"x": Peer("a")}),
    (list[Node], '[{"name": "a", "below": [{"name": "b"}]}]', [Node("a", [Node("b")])]),
    (type[Exception], "builtins.ValueError", ValueError),
    (typing.Callable[..., str], "builtins.repr", repr),
    (Annotated[int | None, at.Ge(1)], "5", 5),
    (Optional[Annotated[int, at.Ge(1)]], "5", 5),
    (Annotated[str, typing_extensions.Doc("x")], "a", "a"),
    (pydantic.PositiveInt, "5", 5),
    (pydantic.HttpUrl, "https://example.com/", pydantic.HttpUrl("https://example.com/")),
    (pydantic.ByteSize, "1kb", pydantic.ByteSize(1000)),
    (list[pydantic.HttpUrl], "https://a.example/", [pydantic.HttpUrl("https://a.example/")]),
    (pydantic.SecretBytes, HIDDEN, pydantic.SecretBytes(HIDDEN.encode())),
    (pydantic.Json[list[int]], "[1]", [1]),
    (Annotated[str, pydantic.AfterValidator(str.upper)], "a", "A"),
    (Annotated[list[str], pydantic.BeforeValidator(lambda text: text.split(";"))], "a;b", ["a", "b"]),
    (Annotated[str, pydantic.StringConstraints(strip_whitespace=True, max_length=1)], " a ", "a"),
]


@pytest.mark.parametrize(("annotation", "text", "expected"), TYPES, ids=[f"{a} {t}"[:60] for a, t, _ in TYPES])
@pytest.mark.parametrize("kind", ["dataclass", "pydantic", "attrs", "msgspec", "NamedTuple", "TypedDict"])
def test_types(annotation: Any, text: str, expected: Any, kind: str) -> None:
    if kind == "pydantic":
        config = pydantic.ConfigDict(arbitrary_types_allowed=True)
        cls = pydantic.create_model("Server", __config__=config, it=(annotation, ...))
    else:
        make: dict[str, Any] = {
            "dataclass": lambda: dataclasses.make_dataclass("Server", [("it", annotation)]),
            "attrs": lambda: attrs.make_class("Server", {"it": attrs.field(type=annotation)}),
            "msgspec": lambda: msgspec.defstruct("Server", [("it", annotation)]),
            "NamedTuple": lambda: NamedTuple("Server", [("it", annotation)]),
            "TypedDict": lambda: typing.TypedDict("Server", {"it": annotation}),
        }
        cls = make[kind]()
    found = get(bound(cls, SERVER__IT=text), "it")
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "text", "expected"),
    [
        (int, "x", "[server] it: expected a whole number, such as 8080, not 'x'"),
        (bool, "yes", "[server] it: expected a boolean: true or false (also t, f, 1, 0), not 'yes'"),
        (Colour, "blue", "[server] it: expected one of red, green, not 'blue'"),
        (Access, "read, fly", "[server] it: expected one of read, write, run, not 'read, fly'"),
        (Literal["a", "b"], "c", "[server] it: expected one of 'a', 'b', not 'c'"),
        (list[int], "1, x", "[server] it[1]: expected a whole number, such as 8080, not 'x'"),
        (tuple[int, str], "1", "[server] it: expected a list of 2 items, not of 1, not '1'"),
        (dict[str, int], '{"a": "x"}', "[server] it.a: expected a whole number, such as 8080, not 'x'"),
        (dict[str, int], "[1]", '[server] it: expected a table, such as {"key": "value"}, not \'[1]\''),
        (
            dict[str, int],
            "{",
            '[server] it: expected JSON, such as {"key": "value"}; the error is at line 1, column 2',
        ),
        (list[Peer], '[{"host": 1, "prot": 2}]', "[server] it[0].prot: there is no such key; did you mean port?"),
        (list[Peer], "[{}]", "[server] it[0].host: a value is required"),
        (list[Peer], '[{"host": "a", "port": 0}]', "[server] it[0].port: expected more than 0"),
        (list[Peer], "a, b", "[server] it: expected JSON"),
        (list[Node], '[{"name": "a", "below": [{}]}]', "[server] it[0].below[0].name: a value is required"),
        (datetime.date, "x", "[server] it: expected a date, such as 2024-05-01, not 'x'"),
        (uuid.UUID, "x", "[server] it: expected a UUID, such as "),
        (int | bool, "x", "[server] it: expected a whole number, such as 8080; or expected a boolean: "),
        (Annotated[int, at.MultipleOf(5)], "7", "[server] it: expected a multiple of 5, not '7'"),
        (Annotated[float, at.MultipleOf(0.1)], "0.25", "[server] it: expected a multiple of 0.1, not '0.25'"),
        (Annotated[int, at.Gt(5)], "5", "[server] it: expected more than 5, not '5'"),
        (Annotated[int, at.Lt(5)], "5", "[server] it: expected less than 5, not '5'"),
        (Annotated[str, at.Len(2, 3)], "a", "[server] it: expected a length of at least 2, not 'a'"),
        (Annotated[list[str], at.MaxLen(1)], "a, b", "[server] it: expected a length of at most 1, not 'a, b'"),
        (Annotated[dict[str, int], at.MinLen(1)], "{}", "[server] it: expected a length of at least 1, not '{}'"),
        (list[Annotated[int, at.Ge(1)]], "1, 0", "[server] it[1]: expected at least 1, not '0'"),
        (
            Annotated[str, msgspec.Meta(pattern="^a")],
            "b",
            "[server] it: expected text that matches the pattern '^a'",
        ),
        (Annotated[str, Field(pattern="^a")], "b", "[server] it: expected text that matches the pattern '^a'"),
        (
            Annotated[str, at.Predicate(str.islower)],
            "A",
            "[server] it: expected a value for which str.islower holds",
        ),
        (
            Annotated[datetime.timedelta, at.Le(datetime.timedelta(minutes=1))],
            "2m",
            "[server] it: expected at most 60s, not '2m'",
        ),
        (Annotated[pathlib.Path, at.MaxLen(2)], "/etc", "[server] it: expected a length of at most 2"),
        (set[str | dict], "[{}]", "[server] it: expected a list of text or numbers"),  # type: ignore[type-arg]
        (dict[list[int], int], '{"1": 1}', "[server] it.1: expected a key that is text or a number"),
        (dict[frozenset[int], int], "5", '[server] it: expected a table, such as {"key": "value"}'),
        (
            Annotated[datetime.date, at.Ge(datetime.date(2024, 1, 1))],
            "2023-12-31",
            "[server] it: expected at least 2024-01-01",
        ),
        (Annotated[str, at.Ge(1)], "x", "[server] it: expected a value that can be compared with 1, not 'x'"),
        (type[Exception], "builtins.int", "[server] it: expected the dotted path of a subclass of Exception"),
        (typing.Callable[[], str], "string.digits", "[server] it: expected the dotted path of a function or class"),
        (pydantic.HttpUrl, "x", "[server] it: Input should be a valid URL, relative URL without a base"),
        (list[pydantic.HttpUrl], "https://a.example, x", "[server] it[1]: Input should be a valid URL"),
        (Annotated[str, pydantic.AfterValidator(int)], "x", "[server] it: a validator refuses it (ValueError"),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["dataclass", "pydantic"])
def test_what_does_not_fit(annotation: Any, text: str, expected: str, kind: str) -> None:
    if kind == "pydantic":
        cls = pydantic.create_model("Server", it=(annotation, ...))
    else:
        cls = dataclasses.make_dataclass("Server", [("it", annotation)])
    (reported,) = refused(cls, SERVER__IT=text)
    assert reported.startswith(f"BILLING__SERVER__IT: {expected}"), reported


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (Any, "an option cannot have the type Any"),
        (object, "an option cannot have the type object"),
        (complex, "an option cannot have the type complex"),
        (DataclassTls | Peer, "the annotation allows several classes, and nothing distinguishes them"),
        (list[DataclassTls | Peer], "the annotation allows several classes, and nothing distinguishes them"),
        (Annotated[datetime.datetime, at.Timezone("UTC")], "Timezone is not supported"),
        (Annotated[str, msgspec.Meta(pattern="(a+)+")], "a repetition of a repetition, such as (a+)+"),
    ],
    ids=str,
)
def test_what_no_option_can_be(annotation: Any, expected: str) -> None:
    cls = dataclasses.make_dataclass("Server", [("it", annotation)])
    with pytest.raises(SchemaError) as caught:
        bound(cls)
    assert str(caught.value).startswith(f"{__name__}.Server.it: {expected}") or "types.Server.it" in str(caught.value)
    assert caught.value.what.startswith(expected)


# Whatever is annotated, and whatever is set

PIECES: list[Any] = [annotation for annotation, _, _ in TYPES]
PIECES += [bytes, Any, complex, None, pydantic.RootModel[int], DataclassTls, PydanticTls, DictTls, AttrsTls, StructTls]
MARKS = [at.Ge(1), at.Len(1, 2), Sensitive, pydantic.AfterValidator(lambda value: value + 1), at.Predicate(str.isdigit)]
TEXTS = [text for _, text, _ in TYPES]
TEXTS += ["null", "[null]", "[[1]]", '{"a": {"a": 1}}', '[{"host": "h", "port": 0}]', "1e400", "\0", "é", "{", '"s"']


def annotations() -> st.SearchStrategy[Any]:
    def around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.one_of(
            inner.map(lambda one: list[one]),  # type: ignore[valid-type]
            inner.map(lambda one: Optional[one]),
            st.tuples(inner, inner).map(lambda two: typing.Union[two]),  # type: ignore[arg-type]
            st.tuples(inner, inner).map(lambda two: dict[two]),  # type: ignore[misc]
            inner.map(lambda one: frozenset[one]),  # type: ignore[valid-type]
            st.tuples(inner, st.sampled_from(MARKS)).map(lambda two: Annotated[two]),  # type: ignore[arg-type]
        )

    return st.recursive(st.sampled_from(PIECES), around, max_leaves=4)


@settings(max_examples=300, deadline=None)
@given(
    annotation=annotations(),
    text=st.sampled_from(TEXTS),
    kind=st.sampled_from(["dataclass", "pydantic", "TypedDict", "attrs"]),
)
def test_any_class_and_any_text_give_an_object_or_a_framework_error(annotation: Any, text: str, kind: str) -> None:
    make: dict[str, Any] = {
        "dataclass": lambda: dataclasses.make_dataclass("Server", [("it", annotation)]),
        "pydantic": lambda: pydantic.create_model("Server", it=(annotation, ...)),
        "TypedDict": lambda: typing.TypedDict("Server", {"it": annotation}),
        "attrs": lambda: attrs.make_class("Server", {"it": attrs.field(type=annotation)}),
    }
    try:
        cls = make[kind]()
    except Exception:
        assume(False)
    with contextlib.suppress(SchemaError, SettingsError):
        bound(cls, SERVER__IT=text, SERVER_IT__CERT=text, SERVER_IT__KEY=text)
