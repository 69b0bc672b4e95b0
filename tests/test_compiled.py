"""Getters that cache return the same as getters that resolve each time."""

from __future__ import annotations

import enum
import os
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from hostile import usual
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from patience import GUARD

from framework import App, errors

#: How many examples, if not the same few each time: see `test_fuzz.py`.
MANY = int(os.environ.get("FRAMEWORK_FUZZ_EXAMPLES", "0"))


class Colour(enum.Enum):
    RED = 1
    GREEN = 2


SCHEMA: dict[str, Any] = {
    "s": {
        "options": {
            "plain": {"type": "string", "default": "a"},
            "number": {"type": "integer", "default": "1", "maximum": 100},
            "ratio": {"type": "float", "default": "$RATIO"},
            "flag": {"type": "boolean", "default": "false"},
            "items": {"type": "list", "default": "x, y"},
            "table": {"type": "json", "default": '{"a": [1, {"b": 2}]}'},
            "empty": {"type": "integer", "default": ""},
            "path": {"type": "path"},
            "module": {"type": "import", "default": "os.path"},
            "colour": {"type": "string", "default": "RED"},
            "pause": {"type": "duration", "default": "5m"},
            "renamed": {"type": "string", "renamed_from": [{"section": "s", "key": "older", "since": "1"}]},
            "moved": {
                "type": "string",
                "renamed_from": [{"section": f"t{n}", "key": "k", "since": "1"} for n in range(5)],
            },
            "token": {"type": "string", "sensitive": True},
        }
    }
}

#: Every getter that keeps something, on the options that it makes sense for, and some more.
GETTERS: dict[str, Callable[[Any, str], Any]] = {
    "get": lambda conf, key: conf.get("s", key),
    "get, a fallback": lambda conf, key: conf.get("s", key, fallback="$A"),
    "capitals": lambda conf, key: conf.get("S", key.upper(), fallback=None),
    "getint": lambda conf, key: conf.getint("s", key),
    "getint, a fallback": lambda conf, key: conf.getint("s", key, fallback="5"),
    "getfloat": lambda conf, key: conf.getfloat("s", key, fallback="$RATIO"),
    "getboolean": lambda conf, key: conf.getboolean("s", key, fallback=None),
    "getlist": lambda conf, key: conf.getlist("s", key, fallback=None),
    "getlist, a delimiter": lambda conf, key: conf.getlist("s", key, ";", fallback=["f"]),
    "getlist, a named delimiter": lambda conf, key: conf.getlist("s", key, delimiter="x", fallback=None),
    "getjson": lambda conf, key: conf.getjson("s", key, {"f": 1}),
    "gettimedelta": lambda conf, key: conf.gettimedelta("s", key, fallback="7"),
    "getenum": lambda conf, key: conf.getenum("s", key, Colour),
    "getenum, a fallback": lambda conf, key: conf.getenum("s", key, Colour, fallback="GREEN"),
    "getenumlist": lambda conf, key: conf.getenumlist("s", key, Colour),
    "value": lambda conf, key: conf.value("s", key),
    "value, a fallback": lambda conf, key: conf.value("s", key, fallback=["f"]),
    "raw": lambda conf, key: conf.get("s", key, raw=True, fallback=None),
    "no old names": lambda conf, key: conf.get("s", key, lookup_from_deprecated=False, fallback=None),
}

KEYS = [*SCHEMA["s"]["options"], "older", "loose", "loose_password"]

VARIABLES = [
    *("A", "B", "C", "RATIO", "HOME"),
    *(f"BILLING__S__{key.upper()}" for key in KEYS),
    *(f"BILLING__S__TOKEN_{form}" for form in ("CMD", "SECRET", "FILE")),
    *("BILLING_SECRET_NAME", "BILLING__T1__K", "BILLING__T4__K", "BILLING__S__LOOSE_PASSWORD_SECRET"),
]

TEXTS = [
    *("", "7", "700", "1.5", "t", "RED", "RED, x", "x, y", "x;y", '["a", "b"]', '{"a": [1]}', "name", "/dev/null"),
    *("$A", "${B}", "$A$B", "x$C", "$RATIO", "~", "~/x", "$HOME/y", "~root", "$$", "5%", "echo 5"),
]

CFGS = [
    "",
    "[s]\nplain = %(number)s and $A\nnumber = 12\nratio = 2.5\ncolour = GREEN\ntoken = plain\n",
    "[s]\nplain = ~/here\nolder = from the file\nflag = t\ntoken_cmd = echo of-a-command\nloose = %%x\n",
    "[s]\nnumber = $B\nitems = $A, b\nempty = 3\ntoken_secret = name\npath = $HOME/x\n[t4]\nk = an older section\n",
]

TOMLS = [
    "",
    '[s]\nitems = ["a", [1, 2]]\npath = "~/typed"\nloose = {b = [1], d = 2020-01-01}\n',
    '[s]\ntable = [{a = 1}]\nnumber = 3\nplain = "$A"\n',
]


class Anew(Mapping[str, str]):
    """The same variables, as a mapping for which nothing can be kept: looking into it might change it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        return self._environ[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)

    def __missing__(self, name: str) -> str:
        raise KeyError(name)


class Pair:
    """An application, and one that keeps nothing, of the same files and variables."""

    def __init__(self, folder: Path, environ: MutableMapping[str, str]) -> None:
        self.folder, self.environ = folder, environ
        self.write("", "")
        named: dict[str, Any] = {
            "schema": SCHEMA,
            "home": str(folder),
            "config_files": [str(folder / "more.toml")],
            "sensitive": ["s.loose_password"],
        }
        self.kept = App("billing", **named, environ=None if environ is os.environ else environ)
        self.anew = App("billing", **named, environ=Anew(environ))

    def write(self, cfg: str, toml: str) -> None:
        (self.folder / "billing.cfg").write_text(cfg)
        (self.folder / "more.toml").write_text(toml)

    def reload(self) -> None:
        self.kept.reload()
        self.anew.reload()

    def compare(self) -> None:
        for key in KEYS:
            for name, read in GETTERS.items():
                assert outcome(read, self.kept.conf, key) == outcome(read, self.anew.conf, key), (name, key)
        assert outcome(section, self.kept.conf, "s") == outcome(section, self.anew.conf, "s")
        assert not self.anew.engine.compiled and not self.anew.engine.typed


def section(conf: Any, name: str) -> Any:
    return conf.getsection(name)


def outcome(read: Callable[[Any, str], Any], conf: Any, key: str) -> Any:
    """What a getter returns, or how it fails; what it returns is changed afterwards, as its caller may."""
    try:
        value = read(conf, key)
    except errors.FrameworkError as error:
        return type(error), str(error)
    shown = type(value), repr(value)
    if isinstance(value, dict):
        for inner in value.values():
            if isinstance(inner, list):
                inner.append("changed")
        value["changed"] = 1
    elif isinstance(value, list):
        value.append("changed")
    return shown


STEPS = st.one_of(
    st.tuples(st.just("set"), st.sampled_from(VARIABLES), st.sampled_from(TEXTS)),
    st.tuples(st.just("set"), st.sampled_from(VARIABLES), st.sampled_from(TEXTS)),
    st.tuples(st.just("unset"), st.sampled_from(VARIABLES), st.just("")),
    st.tuples(st.just("override"), st.sampled_from(KEYS), st.sampled_from(TEXTS)),
    st.tuples(st.just("reload"), st.sampled_from(CFGS), st.sampled_from(TOMLS)),
)


@pytest.mark.parametrize("is_process", [False, True])
@settings(
    max_examples=MANY or usual(12),
    derandomize=not MANY,
    deadline=None,
    database=None,
    phases=[Phase.generate],  # to make an example smaller takes minutes, and these are small
    suppress_health_check=list(HealthCheck),
)
@given(steps=st.lists(STEPS, max_size=6))
@pytest.mark.filterwarnings("ignore")
def test_what_is_kept_is_what_would_be_found(
    steps: list[tuple[str, str, str]], is_process: bool, tmp_path: Path
) -> None:
    before = dict(os.environ)
    environ: MutableMapping[str, str] = os.environ if is_process else {"PATH": os.environ["PATH"]}
    for name in VARIABLES:
        environ.pop(name, None)
    try:
        pair = Pair(tmp_path, environ)
        pair.compare()
        for act, what, text in steps:
            if act == "set":
                environ[what] = text
            elif act == "unset":
                environ.pop(what, None)
            elif act == "reload":
                pair.write(what, text)
                pair.reload()
            else:
                values = {("s", what): text}
                with pair.kept.conf.override(values), pair.anew.conf.override(values):
                    pair.compare()
            pair.compare()
            pair.compare()
    finally:
        os.environ.clear()
        os.environ.update(before)


# What is kept is not looked for again


ENVIRON = {
    "PATH": os.environ["PATH"],
    "HOME": "/home/me",
    "A": "41",
    "RATIO": "2.5",
    "BILLING__S__NUMBER": "$A",
    "BILLING__S__ITEMS": "a, $A",
    "BILLING__S__PATH": "~/x",
    "BILLING__S__TOKEN_SECRET": "name",
    "BILLING_SECRET_NAME": "sesame",
}

KEPT: dict[str, Callable[[Any], Any]] = {
    "get": lambda conf: conf.get("s", "number"),
    "get of a secret": lambda conf: conf.get("s", "token"),
    "get, not set": lambda conf: conf.get("s", "nowhere", fallback="f"),
    "getint": lambda conf: conf.getint("s", "number"),
    "getint, not set": lambda conf: conf.getint("s", "nowhere", fallback="5"),
    "getint, empty": lambda conf: conf.getint("s", "empty", fallback="5"),
    "getfloat": lambda conf: conf.getfloat("s", "ratio"),
    "getboolean": lambda conf: conf.getboolean("s", "flag"),
    "getlist": lambda conf: conf.getlist("s", "items"),
    "getlist, a delimiter": lambda conf: conf.getlist("s", "items", delimiter=";"),
    "getjson": lambda conf: conf.getjson("s", "table"),
    "getjson, not set": lambda conf: conf.getjson("s", "nowhere", {}),
    "gettimedelta": lambda conf: conf.gettimedelta("s", "number"),
    "getenum": lambda conf: conf.getenum("s", "colour", Colour),
    "getenum, a fallback": lambda conf: conf.getenum("s", "plain", Colour, fallback="RED"),
    "getenumlist": lambda conf: conf.getenumlist("s", "colour", Colour),
    "value": lambda conf: conf.value("s", "number"),
    "value of a path": lambda conf: conf.value("s", "path"),
    "value of a table": lambda conf: conf.value("s", "table"),
    "value of a secret": lambda conf: conf.value("s", "token"),
    "getsection": lambda conf: conf.getsection("s"),
}


def application(folder: Path, environ: dict[str, str] | None = None, **more: Any) -> App:
    return App("billing", schema=SCHEMA, home=str(folder), environ=ENVIRON if environ is None else environ, **more)


@pytest.mark.parametrize("name", KEPT)
def test_a_second_read_asks_no_link(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = application(tmp_path)
    first = KEPT[name](app.conf)

    def asked(*_: Any, **__: Any) -> Any:
        raise AssertionError("it is looked for again")

    monkeypatch.setattr(app.engine, "answer", asked)
    assert KEPT[name](app.conf) == first
    assert KEPT[name](app.conf) == first


@pytest.mark.parametrize("name", ["get", "getint", "gettimedelta", "value", "getlist", "getsection"])
def test_a_variable_in_a_text_is_read_live(name: str, tmp_path: Path) -> None:
    environ = {**ENVIRON, "A": "$B", "B": "7"}
    app = application(tmp_path, environ)
    seen = []
    for value in ("7", "8", "9"):
        environ["B"] = value
        seen.append(repr(KEPT[name](app.conf)))
        assert repr(KEPT[name](app.conf)) == seen[-1]
    assert len(set(seen)) == 3


def test_other_letters_and_other_arguments_have_values_of_their_own(tmp_path: Path) -> None:
    conf = application(tmp_path).conf
    for _ in range(2):
        assert conf.getlist("s", "items") == ["a", "41"]
        assert conf.getlist("s", "items", ";") == ["a, 41"]
        assert conf.getlist("S", "Items") == ["a", "41"]
        assert conf.getint("s", "number") == conf.getfloat("s", "number") == 41
        assert type(conf.getfloat("s", "number")) is float
        assert conf.getenum("s", "colour", Colour) is Colour.RED


def test_arguments_that_no_getter_has_are_refused_each_time(tmp_path: Path) -> None:
    conf = application(tmp_path).conf
    for _ in range(2):
        with pytest.raises(TypeError):
            conf.getint("s", "number", no_such_argument=True)
        with pytest.raises(TypeError):
            conf.getlist("s", "items", ",", ",")
        with pytest.raises(errors.InvalidArgument):
            conf.getlist("s", "items", "")


def test_an_imported_object_is_looked_up_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = application(tmp_path).conf
    assert conf.value("s", "module") is conf.getimport("s", "module") is os.path
    monkeypatch.setattr(os, "path", "another")
    assert conf.value("s", "module") == conf.getimport("s", "module") == "another"


def test_a_path_follows_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "more.toml").write_text('[s]\npath = "~/typed"\n')
    app = App("billing", schema=SCHEMA, home=str(tmp_path), config_files=[str(tmp_path / "more.toml")])
    for home in ("/home/one", "/home/two"):
        monkeypatch.setenv("HOME", home)
        assert app.conf.value("s", "path") == Path(home, "typed")
        monkeypatch.setenv("BILLING__S__PATH", "~/written")
        assert app.conf.value("s", "path") == Path(home, "written")
        monkeypatch.delenv("BILLING__S__PATH")


# What a getter returns is the caller's own


FILES = {
    "more.toml": "[s]\nloose = [1, [2], {a = 3}]\nitems = [1, [2], {a = 3}]\ntable = {a = [1], d = 2020-01-01}\n",
    "more.yaml": "s:\n  loose: &x [1, [2], {a: 3}]\n  items: *x\n  table: {a: [1], d: 2020-01-01}\n",
    "more.json": '{"s": {"loose": [1, [2], {"a": 3}], "items": [1, [2], {"a": 3}], "table": {"a": [1]}}}',
}

OWN: dict[str, Callable[[App], Any]] = {
    "value": lambda app: app.conf.value("s", "loose"),
    "value of a declared list": lambda app: app.conf.value("s", "items"),
    "value of a declared table": lambda app: app.conf.value("s", "table"),
    "getjson": lambda app: app.conf.getjson("s", "table"),
    "getjson of a list": lambda app: app.conf.getjson("s", "items"),
    "getjson, raw": lambda app: app.conf.getjson("s", "table", raw=True),
    "getlist": lambda app: app.conf.getlist("s", "items"),
    "getlist, raw": lambda app: app.conf.getlist("s", "items", raw=True),
    "getsection": lambda app: app.conf.getsection("s"),
    "answer": lambda app: app.answer("s", "table").value,
    "explain": lambda app: app.conf.explain("s", "table").answer.value,  # type: ignore[union-attr]
}


def change(value: Any) -> None:
    """Change a value and all that is in it."""
    if isinstance(value, dict):
        for inner in value.values():
            change(inner)
        value["changed"] = "changed"
    elif isinstance(value, list):
        for inner in value:
            change(inner)
        value.append("changed")


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("source", [*FILES, "a mapping for a schema", "override"])
def test_a_value_that_is_changed_is_changed_for_its_caller_alone(source: str, name: str, tmp_path: Path) -> None:
    values: dict[str, Any] = {"loose": [1, [2], {"a": 3}], "items": [1, [2], {"a": 3}], "table": {"a": [1]}}
    schema: Any = SCHEMA
    if source == "a mapping for a schema":
        schema = {"s": {"options": {key: {"type": "json", "default": value} for key, value in values.items()}}}
    elif source != "override":
        (tmp_path / source).write_text(FILES[source])
    files = [str(tmp_path / source)] if source in FILES else []
    app = App("billing", schema=schema, home=str(tmp_path), config_files=files, environ={})
    overridden = {("s", key): value for key, value in values.items()} if source == "override" else {}
    with app.conf.override(overridden):
        before = repr(OWN[name](app))
        for _ in range(3):
            found = OWN[name](app)
            assert repr(found) == before
            change(found)
        for other in OWN.values():
            assert "changed" not in repr(other(app))
        app.conf.getlist("s", "items").append("changed")
        assert "changed" not in app.conf.get("s", "items")


#: Getters of an option that is not set -> fallbacks with which nothing has to be computed the second time.
FALLBACKS: dict[str, tuple[Callable[[Any, Any], Any], list[Any]]] = {
    "getint": (lambda conf, fallback: conf.getint("s", "nowhere", fallback=fallback), [5, 2.0, "7", True]),
    "getfloat": (lambda conf, fallback: conf.getfloat("s", "nowhere", fallback=fallback), [5, 2.5, "7"]),
    "getboolean": (lambda conf, fallback: conf.getboolean("s", "nowhere", fallback=fallback), [True, False, "f"]),
    "getlist": (lambda conf, fallback: conf.getlist("s", "nowhere", fallback=fallback), ["a, b", None, ""]),
    "gettimedelta": (lambda conf, fallback: conf.gettimedelta("s", "nowhere", fallback), [5, None, "7"]),
    "getjson": (lambda conf, fallback: conf.getjson("s", "nowhere", fallback=fallback), [5, None, "{}"]),
    "getenum": (lambda conf, fallback: conf.getenum("s", "nowhere", Colour, fallback=fallback), ["RED", "GREEN"]),
    "value": (lambda conf, fallback: conf.value("s", "nowhere", fallback=fallback), [5, 5.0, True, None, "x"]),
    "getint, empty": (lambda conf, fallback: conf.getint("s", "empty", fallback=fallback), [5, "7", None]),
}


@pytest.mark.parametrize("name", FALLBACKS)
def test_what_a_fallback_becomes_is_kept(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call, fallbacks = FALLBACKS[name]
    environ = dict(ENVIRON)
    conf = application(tmp_path, environ).conf
    fresh = [call(application(tmp_path).conf, fallback) for fallback in fallbacks]
    for fallback, expected in [*zip(fallbacks, fresh, strict=True)] * 2:
        for _ in range(3):
            found = call(conf, fallback)
            assert found == expected
            assert type(found) is type(expected)
        with monkeypatch.context() as patch:
            patch.setattr(type(conf), "_answer", lambda *_, **__: pytest.fail("it is computed again"))
            assert call(conf, fallback) == expected
    if name == "getlist":
        call(conf, fallbacks[0]).append("changed")
        assert call(conf, fallbacks[0]) == fresh[0]
    environ["BILLING__S__NOWHERE"] = "RED" if name == "getenum" else "1"
    assert (call(conf, fallbacks[0]) == fresh[0]) == (name in ("getboolean", "getenum", "getint, empty"))


def test_a_fallback_with_a_variable_in_it_is_read_live(tmp_path: Path) -> None:
    environ = dict(ENVIRON)
    conf, fallback = application(tmp_path, environ).conf, "$A"
    for value in ("41", "42"):
        environ["A"] = value
        for _ in range(3):
            assert conf.getint("s", "nowhere", fallback=fallback) == int(value)
            assert conf.getfloat("s", "empty", fallback=fallback) == int(value)
    home = "~"
    for value in ("/a", "/b"):
        environ["HOME"] = value
        for _ in range(3):
            assert conf.value("s", "nowhere", fallback=home) == value


def test_a_fallback_stays_the_callers_own(tmp_path: Path) -> None:
    conf, fallback = application(tmp_path).conf, {"a": 1}
    for _ in range(2):
        assert conf.getjson("s", "nowhere", fallback) is fallback
        assert conf.value("s", "nowhere", fallback=fallback) is fallback


# Reloads


def test_a_value_that_was_found_before_a_reload_is_not_kept_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "billing.cfg").write_text("[s]\nnumber = 1\nitems = old\n")
    app = application(tmp_path, {})
    found, go = threading.Event(), threading.Event()
    engine_answer = app.engine.answer

    def answer_and_wait(*args: Any, **how: Any) -> Any:
        answer = engine_answer(*args, **how)
        found.set()
        assert go.wait(GUARD)
        return answer

    monkeypatch.setattr(app.engine, "answer", answer_and_wait)
    reads = [
        lambda: app.conf.getint("s", "number"),
        lambda: app.conf.value("s", "number"),
        lambda: app.conf.getlist("s", "items"),
        lambda: app.conf.getsection("s"),
    ]
    threads = [threading.Thread(target=read) for read in reads]
    for thread in threads:
        found.clear()
        thread.start()
        assert found.wait(GUARD)
    (tmp_path / "billing.cfg").write_text("[s]\nnumber = 2\nitems = new\n")
    app.reload()
    go.set()
    for thread in threads:
        thread.join(GUARD)
    assert app.conf.getint("s", "number") == app.conf.value("s", "number") == 2
    assert app.conf.getlist("s", "items") == ["new"]
    section = app.conf.getsection("s")
    assert section is not None and section["number"] == 2


def test_a_reload_that_fails_leaves_every_getter_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "billing.cfg").write_text("[s]\nnumber = 1\nitems = $FROM_DOTENV\n")
    (tmp_path / ".env").write_text("FROM_DOTENV=old\n")
    app = application(tmp_path, {}, dotenv=str(tmp_path / ".env"))
    before = {name: repr(KEPT[name](app.conf)) for name in ("getint", "getlist", "value", "getsection")}
    (tmp_path / ".env").write_text("FROM_DOTENV=new\n")
    (tmp_path / "billing.cfg").write_text("no section\n")
    with pytest.raises(errors.ConfigFileError):
        app.reload()
    assert {name: repr(KEPT[name](app.conf)) for name in before} == before
    assert app.conf.get("s", "items") == "old"
    (tmp_path / "billing.cfg").write_text("[s]\nnumber = 2\nitems = $FROM_DOTENV\n")
    app.reload()
    assert app.conf.getint("s", "number") == 2
    assert app.conf.getlist("s", "items") == ["new"]
    section = app.conf.getsection("s")
    assert section is not None and section["items"] == "new"


def test_what_a_class_declares_later_is_seen_by_every_getter(tmp_path: Path) -> None:
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Later:
        number: int = 5
        more: int = 6

    (tmp_path / "billing.cfg").write_text("[later]\nnumber = 7\n")
    app = App("billing", home=str(tmp_path), environ={})
    for _ in range(2):
        assert app.conf.value("later", "number") == "7"
        assert app.conf.getint("later", "more", fallback=1) == 1
        assert app.conf.getsection("later") == {"number": 7}
    app.bind(Later, "later")
    for _ in range(2):
        assert app.conf.value("later", "number") == 7
        assert app.conf.getint("later", "more", fallback=1) == 6
        assert app.conf.getsection("later") == {"number": 7, "more": 6}


# A variable that changes while it is read


@pytest.mark.parametrize("before", ["1", None])
@pytest.mark.parametrize("meanwhile", ["2", None])
@pytest.mark.parametrize("variable", ["BILLING__S__NUMBER", "A"])
@pytest.mark.parametrize("name", ["get", "getint", "value", "getsection"])
def test_a_variable_that_is_set_back_during_a_read(
    name: str, variable: str, before: str | None, meanwhile: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same object is there before and after the read, and another one while it looks."""
    (tmp_path / "billing.cfg").write_text("[s]\nnumber = $A\n")
    environ: dict[str, str] = {"A": "3"}

    def put(text: str | None) -> None:
        environ.pop(variable, None)
        if text is not None:
            environ[variable] = text

    put(before)
    app = application(tmp_path, environ)
    find = app.engine.answer

    def answer_between_changes(*args: Any, **how: Any) -> Any:
        put(meanwhile)
        try:
            return find(*args, **how)
        finally:
            put(before)

    def read(conf: Any, key: str) -> Any:
        return KEPT[name](conf)

    expected = outcome(read, application(tmp_path, environ).conf, "")
    with monkeypatch.context() as patch:
        patch.setattr(app.engine, "answer", answer_between_changes)
        outcome(read, app.conf, "")
    for _ in range(2):
        assert outcome(read, app.conf, "") == expected
