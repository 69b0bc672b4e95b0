"""Types, constraints and required options: what `value` and `check` make of them."""

from __future__ import annotations

import datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from conftest import World

from framework import App
from framework.errors import InvalidValue, OptionNotFound
from framework.options.types import TYPES

CANARY = "canary-5rT"
UTC = datetime.timezone.utc


def app_of(option: dict[str, Any], text: str | None = None, **environ: str) -> App:
    if text is not None:
        environ["BILLING__A__B"] = text
    return App("billing", schema={"a": {"options": {"b": option}}}, home="/nowhere", environ=environ)


def value(option: dict[str, Any], text: str | None = None) -> Any:
    return app_of(option, text).conf.value("a", "b")


def refused(option: dict[str, Any], text: str) -> str:
    """The error message about a value; a sensitive value is never shown."""
    with pytest.raises(InvalidValue) as caught:
        value({**option, "sensitive": True}, text)
    assert text not in str(caught.value) or len(text) < 3
    message = str(caught.value)
    with pytest.raises(InvalidValue):
        value(option, text)
    start = "BILLING__A__B: [a] b: "
    assert message.startswith(start)
    return message.removeprefix(start).removesuffix(".")


seconds = datetime.timedelta(seconds=1)

VALUES = [
    *[("duration", text, n * seconds) for text, n in [("30s", 30), ("5m", 300), ("1h30m", 5400), ("1h 30m", 5400)]],
    *[
        ("duration", text, n * seconds)
        for text, n in [("1.5h", 5400), ("PT5M", 300), ("P1DT12H", 129600), ("P2W", 1209600)]
    ],
    *[("duration", text, n * seconds) for text, n in [("300", 300), ("2d", 172800), ("0s", 0), ("250ms", 0.25)]],
    *[("bytes", text, n) for text, n in [("64MiB", 64 << 20), ("10kB", 10_000), ("512", 512), ("1.5GiB", 3 << 29)]],
    *[("bytes", text, n) for text, n in [("10 MB", 10_000_000), ("64Mi", 64 << 20), ("10K", 10_000), ("0B", 0)]],
    ("decimal", "9.95", Decimal("9.95")),
    ("decimal", "-1e3", Decimal(-1000)),
    ("datetime", "2024-05-01T12:00:00Z", datetime.datetime(2024, 5, 1, 12, tzinfo=UTC)),
    ("datetime", "2024-05-01 12:00:00", datetime.datetime(2024, 5, 1, 12)),
    ("datetime", "2024-05-01", datetime.datetime(2024, 5, 1)),
    *[
        ("url", text, text)
        for text in ("https://a.example/x?y=1#z", "sqlite:///x.db", "redis://h:6379/0", "http://[::1]:80")
    ],
    ("path", "/var/lib/x", Path("/var/lib/x")),
    ("path", "x/y", Path("x/y")),
]


@pytest.mark.parametrize(("type_", "text", "expected"), VALUES)
def test_a_type_reads(type_: str, text: str, expected: Any) -> None:
    found = value({"type": type_}, text)
    assert found == expected
    assert type(found) is type(expected)


WRONG = {
    "duration": [
        "",
        "-5m",
        "m",
        "5x",
        "1m1h",
        "1m1m",
        "P",
        "PT",
        "P1M",
        "P1Y",
        "1e3",
        "5m x",
        "\u0663s",
        "9" * 60,
    ],
    "bytes": ["", "B", "-1", "0.3B", "1ib", "12x", "1kk", "1 000", "1.", ".5k", "9" * 300],
    "decimal": ["", "NaN", "sNaN", "Infinity", "x", "1,5"],
    "datetime": ["", "x", "2024-13-01", "13:07", "Z"],
    "url": [
        "",
        "x",
        "mailto:a@b",
        "ftp://",
        "http:///x",
        "//h/x",
        "http://[::1",
        "http://h:99999",
        "http://a b",
        "http://a\nb",
    ],
    "path": ["", "a\0b"],
}


@pytest.mark.parametrize(("type_", "text"), [(type_, text) for type_, texts in WRONG.items() for text in texts])
def test_a_type_refuses(type_: str, text: str) -> None:
    assert "expected " in refused({"type": type_}, text)


def test_a_leading_tilde_of_a_path_is_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "c.toml").write_text('[a]\nb = "~/x"\n')
    schema = {"a": {"options": {"b": {"type": "path"}}}}
    app = App("billing", schema=schema, home=str(tmp_path), config_files=[str(tmp_path / "c.toml")], environ={})
    assert app.conf.value("a", "b") == tmp_path / "x"


def test_typed_files_give_the_value_itself(tmp_path: Path) -> None:
    written = {
        "when": ("datetime", "2024-05-01T12:00:00Z", datetime.datetime(2024, 5, 1, 12, tzinfo=UTC)),
        "day": ("datetime", "2024-05-01", datetime.datetime(2024, 5, 1)),
        "wait": ("duration", "5", 5 * seconds),
        "price": ("decimal", "0.1", Decimal("0.1")),
        "size": ("bytes", "4096", 4096),
    }
    (tmp_path / "c.toml").write_text("[a]\n" + "".join(f"{key} = {text}\n" for key, (_, text, _) in written.items()))
    schema = {"a": {"options": {key: {"type": type_} for key, (type_, _, _) in written.items()}}}
    app = App("billing", schema=schema, home=str(tmp_path), config_files=[str(tmp_path / "c.toml")], environ={})
    assert {key: app.conf.value("a", key) for key in written} == {key: found for key, (_, _, found) in written.items()}


EMPTY = ". It is set, and empty: write a value, or remove it"
RULES: list[tuple[dict[str, Any], list[str], dict[str, str]]] = [
    ({"type": "integer", "minimum": 1}, ["1", "2"], {"0": "expected at least 1"}),
    ({"type": "integer", "maximum": 9}, ["9", "-5"], {"10": "expected at most 9"}),
    (
        {"type": "float", "exclusive_minimum": 0},
        ["0.1", "inf"],
        {"0": "expected more than 0", "nan": "expected more than 0"},
    ),
    ({"type": "float", "exclusive_maximum": 1}, ["0.9"], {"1.0": "expected less than 1"}),
    ({"type": "decimal", "minimum": "0.01"}, ["0.01"], {"0.009": "expected at least 0.01"}),
    (
        {"type": "duration", "minimum": "1s", "maximum": "PT1H"},
        ["1h"],
        {"0.5s": "expected at least 1s", "61m": "expected at most PT1H"},
    ),
    ({"type": "timedelta", "maximum": 60}, ["60"], {"61": "expected at most 60"}),
    ({"type": "bytes", "maximum": "1MiB"}, ["1024KiB"], {"2MiB": "expected at most 1MiB"}),
    (
        {"type": "datetime", "minimum": "2024-01-01T00:00:00Z"},
        ["2024-01-01T01:00:00+01:00"],
        {
            "2023-12-31T00:00:00Z": "expected at least 2024-01-01T00:00:00Z",
            "2025-01-01": "expected a time with its offset to UTC, like the limit 2024-01-01T00:00:00Z",
        },
    ),
    (
        {"min_length": 2, "max_length": 3},
        ["ab", "äöü"],
        {"a": "expected a length of at least 2", "abcd": "expected a length of at most 3"},
    ),
    ({"pattern": "^[a-z]+$"}, ["ab"], {"aB": "expected text that matches the pattern '^[a-z]+$'"}),
    ({"pattern": "b"}, ["abc"], {"xyz": "expected text that matches the pattern 'b'"}),
    ({"pattern": "a", "type": "path"}, ["/a"], {"/x": "expected text that matches the pattern 'a'"}),
    (
        {"type": "url", "pattern": "^https:"},
        ["https://a"],
        {"http://a": "expected text that matches the pattern '^https:'"},
    ),
    ({"type": "integer", "choices": [1, 2]}, ["1", "2.0"], {"3": "expected one of '1', '2'"}),
    ({"type": "boolean", "choices": [True]}, ["true", "1"], {"false": "expected one of 'true'"}),
    ({"choices": ["a", "b"]}, ["a"], {"A": "expected one of 'a', 'b'", "": f"expected one of 'a', 'b'{EMPTY}"}),
    ({"type": "list", "choices": ["a", "b"]}, ["a", "b, a", ""], {"a, xyz": "item 2: expected one of 'a', 'b'"}),
    ({"type": "list", "items": "integer"}, ["1, 2"], {"1, x2z": "item 2: expected a whole number, such as 8080"}),
    ({"type": "list", "items": "integer", "choices": [1, 2]}, ["1, 2"], {"333": "item 1: expected one of '1', '2'"}),
    ({"type": "array", "unique_items": True}, ["a, b"], {"axx, axx": "expected a list without duplicates"}),
    (
        {"type": "list", "items": "integer", "unique_items": True},
        ["1, 2"],
        {"111, 111.0": "expected a list without duplicates"},
    ),
]


@pytest.mark.parametrize(("option", "good", "bad"), RULES, ids=[str(rule[0]) for rule in RULES])
def test_a_constraint(option: dict[str, Any], good: list[str], bad: dict[str, str]) -> None:
    for text in good:
        value(option, text)
    for text, expected in bad.items():
        assert refused(option, text) == expected


def test_items_have_their_type() -> None:
    assert value({"type": "list", "items": "duration"}, "1s, 2s") == [seconds, 2 * seconds]


def test_a_pattern_is_not_tried_on_a_long_text() -> None:
    assert "of at most 10000 characters" in refused({"pattern": "a$"}, "a" * 10_001)


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a*)*", "((a+))+", "(a|b+)*", r"(\w+\s?)+$", "(a+b?)+", "x(?:(?=(a+)+))"]
)
def test_a_pattern_that_can_take_endless_time_is_refused(pattern: str) -> None:
    with pytest.raises(Exception, match="can take practically forever"):
        app_of({"pattern": pattern})


@pytest.mark.parametrize(
    "pattern", ["^a+$", r"^([a-z]+\.)+[a-z]+$", r"^/([^/]+/)*$", r"\d+(\.\d+)?", "(ab)+", "[a-z]+(-[a-z]+)*"]
)
def test_a_pattern_that_ends_is_taken(pattern: str) -> None:
    assert app_of({"pattern": pattern})


def test_defaults_are_held_against_the_constraints_when_they_are_known() -> None:
    app = app_of({"type": "integer", "default": "$N", "maximum": 5}, N="7")
    with pytest.raises(InvalidValue, match=r"\[a\] b: expected at most 5, not '7'"):
        app.conf.value("a", "b")


class Colour(Enum):
    RED = 1


@pytest.mark.parametrize("type_", list(TYPES))
def test_an_empty_text_means_none_where_the_default_is_empty(type_: str, world: World) -> None:
    option = {"type": type_, "default": ""}
    none = {"string": "", "list": [], "array": []}.get(type_)
    for text in (None, ""):
        assert value(option, text) == none
    if type_ == "string":
        return
    conf = app_of(option, "").conf
    assert conf.getlist("a", "b") == []
    assert conf.getenumlist("a", "b", Colour) == []
    for none in (conf.getint("a", "b"), conf.getfloat("a", "b"), conf.getboolean("a", "b"), conf.getjson("a", "b")):
        assert none is None
    for none in (conf.gettimedelta("a", "b"), conf.getenum("a", "b", Colour), conf.getimport("a", "b")):
        assert none is None
    assert conf.getint("a", "b", fallback="5") == 5
    assert conf.getenum("a", "b", Colour, fallback="RED") is Colour.RED
    world.write("schema.toml", f"[a.options.b]\ntype = '{type_}'\ndefault = ''\n")
    world.project(schema="schema.toml")
    world.set(BILLING__A__B="")
    assert world.run("check") == (0, "", "0 errors, 0 warnings\n")


def test_an_empty_text_is_wrong_where_the_default_is_not_empty() -> None:
    for option in ({"type": "integer"}, {"type": "integer", "default": "5"}):
        assert refused(option, "") == f"expected a whole number, such as 8080{EMPTY}"
        with pytest.raises(InvalidValue):
            app_of(option, "").conf.getint("a", "b")


SCHEMA = """\
server:
  options:
    port: {type: integer, required: true}
    host:
      required: [production, staging]
      default: localhost
    token:
      sensitive: true
      required: true
    note: {}
"""


def test_check_reports_all_required_options_that_are_not_set(world: World) -> None:
    world.write("schema.yaml", SCHEMA)
    world.project(schema="schema.yaml")
    port = (
        "error: schema.yaml:3: [server] port is required and not set. Set BILLING__SERVER__PORT, or write `port = …` "
        "under [server] in billing.cfg."
    )
    host = (
        "error: schema.yaml:4: [server] host is required in production and not set. Set BILLING__SERVER__HOST, or "
        "write `host = …` under [server] in billing.cfg."
    )
    token = (
        "error: schema.yaml:7: [server] token is required and not set. Set BILLING__SERVER__TOKEN, or write "
        "`token_secret = NAME` under [server] in billing.cfg."
    )
    assert world.run("check") == (1, f"{port}\n{token}\n", "2 errors, 0 warnings\n")
    assert world.run("config", "get-value", "server", "host")[1] == "localhost\n"
    world.set(BILLING_ENV="production")
    status, out, _ = world.run("check", "--offline")
    assert (status, out) == (1, f"{port}\n{host}\n{token}\n")
    conf = world.app().conf
    for key in ("port", "host", "token"):
        with pytest.raises(OptionNotFound, match=f"It is required: set BILLING__SERVER__{key.upper()} or write it"):
            conf.get("server", key)
    assert not conf.has_option("server", "host")
    assert conf.get("server", "host", fallback="x") == "x"
    assert "required" in world.run("explain", "server", "host")[1] + world.run("explain", "server", "host")[2]
    world.write("billing.cfg", "[server]\nport = 1\nhost = h\ntoken_file = token\n")
    world.write("token", CANARY)
    assert world.run("check")[:2] == (0, "")


def test_an_empty_name_of_the_environment_is_the_default_one(world: World) -> None:
    world.write("schema.yaml", "a:\n  options:\n    b: {required: [development]}\n")
    world.project(schema="schema.yaml")
    world.set(BILLING_ENV="")
    assert "[a] b is required in development and not set" in world.run("check")[1]
    world.set(BILLING_ENV="test")
    assert world.run("check")[:2] == (0, "")


def test_check_reports_each_broken_constraint_and_shows_no_secret(world: World) -> None:
    world.write(
        "schema.yaml",
        "a:\n  options:\n    n: {type: integer, minimum: 1}\n    s: {sensitive: true, pattern: '^x'}\n"
        "    d: {type: duration, default: $D, maximum: 1m}\n",
    )
    world.project(schema="schema.yaml")
    world.write("billing.cfg", f"[a]\nn = 0\ns = {CANARY}\n")
    world.set(D="2m")
    status, out, err = world.run("check")
    assert status == 1
    assert out.splitlines() == [
        "error: billing.cfg:2: [a] n: expected at least 1, not '0'.",
        "error: billing.cfg:3: [a] s: expected text that matches the pattern '^x'.",
        "error: schema.yaml:5: [a] d: expected at most 1m, not '2m'.",
    ]
    assert CANARY not in out + err


def test_check_warns_of_a_name_that_looks_secret(world: World) -> None:
    world.write(
        "schema.yaml",
        "mail:\n  options:\n    password: {}\n    api_token: {}\n    db_password: {sensitive: true}\n"
        "    token_url: {sensitive: false}\n    secret_mode: {type: boolean}\n    passwd: {}\n",
    )
    world.project(schema="schema.yaml", sensitive=["mail.passwd"])
    status, out, _ = world.run("check")
    what = (
        "looks like a secret and is not declared sensitive: declare sensitive = true, or sensitive = false if it is "
        "not a secret."
    )
    assert out.splitlines() == [
        f"warning: schema.yaml:3: [mail] password {what}",
        f"warning: schema.yaml:4: [mail] api_token {what}",
    ]
    assert status == 0
    assert world.run("check", "--strict")[0] == 1


def test_check_takes_no_number_path_or_tokenizer_for_a_secret(world: World) -> None:
    world.write(
        "schema.yaml",
        "auth:\n  options:\n    token_ttl: {type: duration}\n    max_tokens: {type: integer}\n    tokenizer: {}\n"
        "    private_key_path: {type: path}\n    password_expires: {type: datetime}\n    secret_class: {type: import}\n"
        "    secretary_name: {}\n    passwordless_login: {}\n",
    )
    world.project(schema="schema.yaml")
    assert world.run("check")[:2] == (0, "")
