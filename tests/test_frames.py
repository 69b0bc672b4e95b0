"""An error carries its message and nothing else: no exception of a library, no local variables of frames."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from conftest import World
from leftovers import all_modules, assert_carries_none, chain_of, error_of

from framework import App, Connection, Variable, errors
from framework.metastore import migrations
from framework.metastore.crypto import Keys, generate
from framework.testing import IsolatedApp, MemoryBackend, isolated

#: What must be found nowhere. It has no character that a format would escape.
CANARY = "Zq7CanaryInTheFrame"

SCHEMA = {
    "s": {
        "options": {
            name: {"type": kind, "sensitive": True}
            for name, kind in {
                "integer": "integer",
                "float": "float",
                "boolean": "boolean",
                "json": "json",
                "timedelta": "timedelta",
                "password": "string",
            }.items()
        }
    }
}


def app_of(world: World, **options: Any) -> App:
    return App("billing", home=str(world.home), **options)


# Files


FILES: dict[str, tuple[str, str | bytes]] = {
    "cfg, no UTF-8": ("billing.cfg", f"[s]\nx = {CANARY}\n".encode() + b"y = \xff\n"),
    "cfg, no header": ("billing.cfg", f"{CANARY} = 1\n"),
    "cfg, no equals": ("billing.cfg", f"[s]\n{CANARY}\n"),
    "cfg, twice": ("billing.cfg", f"[s]\nx = {CANARY}\nx = {CANARY}2\n"),
    "cfg, UTF-16": ("billing.cfg", f"[s]\nx = {CANARY}\n".encode("utf-16")),
    "toml, no UTF-8": ("a.toml", f"[s]\nx = '{CANARY}'\n".encode() + b"y = '\xff'\n"),
    "toml": ("a.toml", f"[s]\nx = {CANARY}\n"),
    "toml, open": ("a.toml", f"[s]\nx = '{CANARY}\n"),
    "yaml": ("a.yaml", f"s: {{x: {CANARY}\n"),
    "yaml, a tag": ("a.yaml", f"s: !!python/object:{CANARY} {{}}\n"),
    "yaml, a bad date": ("a.yaml", f"s: {{x: 2020-99-99, y: {CANARY}}}\n"),
    "json": ("a.json", f'{{"s": {{"x": "{CANARY}",}}}}'),
    "json, no UTF-8": ("a.json", f'{{"s": {{"x": "{CANARY}'.encode() + b'\xff"}}'),
    "json, a list": ("a.json", f'["{CANARY}"]'),
    "dotenv": (".env", f"A='{CANARY}\nB {CANARY}=\n"),
    "dotenv, no UTF-8": (".env", f"A={CANARY}\n".encode() + b"B=\xff\n"),
    "schema": ("schema.toml", f"[s.options.x]\ntype = '{CANARY}\n"),
}


@pytest.mark.parametrize("what", FILES)
def test_a_file_that_cannot_be_read(world: World, what: str) -> None:
    name, content = FILES[what]
    path = str(world.write(name, content))
    options: dict[str, Any] = {"config_files": [path]}
    if name in ("billing.cfg", ".env", "schema.toml"):
        options = {"billing.cfg": {}, ".env": {"dotenv": path}, "schema.toml": {"schema": path}}[name]
    error = error_of(app_of, world, **options)
    assert isinstance(error, errors.ConfigFileError)
    assert_carries_none(error, CANARY)


@pytest.mark.parametrize("what", ["cfg, no UTF-8", "toml", "yaml", "json", "dotenv"])
def test_a_reload_that_fails(world: World, what: str) -> None:
    name, content = FILES[what]
    start = {"a.json": "{}", ".env": "A=1\n"}.get(name, "")
    path = str(world.write(name, start))
    app = app_of(world, **({"dotenv": path} if name == ".env" else {"config_files": [path]}))
    world.write(name, content)
    assert_carries_none(error_of(app.reload), CANARY)


# Options


GETTERS = ("getint", "getfloat", "getboolean", "getjson", "gettimedelta", "getimport")
PLACES = ("environment", "cfg", "toml", "yaml", "json", "dotenv")


def planted(world: World, place: str, key: str, text: str) -> App:
    """An application with one sensitive option, written in this place."""
    if place == "environment":
        world.set(**{f"BILLING__S__{key.upper()}": text})
        return app_of(world, schema=SCHEMA)
    if place == "cfg":
        world.write("billing.cfg", f"[s]\n{key} = {text}\n")
        return app_of(world, schema=SCHEMA)
    if place == "dotenv":
        path = world.write(".env", f"BILLING__S__{key.upper()}='{text}'\n")
        return app_of(world, schema=SCHEMA, dotenv=str(path))
    content = f"[s]\n{key} = '{text}'\n" if place == "toml" else json.dumps({"s": {key: text}})
    return app_of(world, schema=SCHEMA, config_files=[str(world.write(f"a.{place}", content))])


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("getter", GETTERS)
def test_a_sensitive_option_that_does_not_convert(world: World, getter: str, place: str) -> None:
    app = planted(world, place, "password", CANARY)
    error = error_of(getattr(app.conf, getter), "s", "password")
    assert isinstance(error, errors.InvalidValue)
    assert_carries_none(error, CANARY)


@pytest.mark.parametrize("key", ["integer", "float", "boolean", "json", "timedelta"])
def test_a_sensitive_option_that_is_not_of_its_type(world: World, key: str) -> None:
    app = planted(world, "environment", key, CANARY)
    assert_carries_none(error_of(app.conf.value, "s", key), CANARY)


@pytest.mark.parametrize("getter", ["getint", "getfloat", "getboolean", "getlist"])
def test_a_fallback_that_does_not_convert(world: World, getter: str) -> None:
    fallback: Any = {CANARY: CANARY} if getter == "getlist" else CANARY
    assert_carries_none(error_of(getattr(app_of(world).conf, getter), "s", "x", fallback=fallback), CANARY)


@pytest.mark.parametrize("text", [f"%({CANARY})s", f"{CANARY}%", f"{CANARY} %(x"])
def test_interpolation_that_fails(world: World, text: str) -> None:
    app = planted(world, "cfg", "password", text)
    assert_carries_none(error_of(app.conf.get, "s", "password"), CANARY)


def test_the_frame_of_get_holds_no_fallback_and_no_environment(world: World) -> None:
    world.set(OTHER_PASSWORD=f"{CANARY}2")
    app = planted(world, "cfg", "password_secret", "not-there")
    assert_carries_none(error_of(app.conf.get, "s", "password", fallback=CANARY), CANARY)


POINTERS = {
    "cmd, a quote": f"password_cmd = echo '{CANARY}",
    "cmd, no program": f"password_cmd = /nowhere/program {CANARY}",
    "cmd, a status": f"password_cmd = sh -c 'echo {CANARY}; exit 3'",
    "cmd, no UTF-8": f"password_cmd = printf '{CANARY}\\377'",
    "secret, a value": f"password_secret = https://{CANARY}",
    "secret, a part": "password_secret = a#/b",
    "secret, no JSON": "password_secret = plain#/b",
    "secret, a fault": "password_secret = broken",
    "file, no UTF-8": "password_file = mounted",
    "file, none": f"password_file = {CANARY}",
}


@pytest.mark.parametrize("what", POINTERS)
def test_a_pointer_that_leads_nowhere(world: World, what: str) -> None:
    world.write("mounted", CANARY.encode() + b"\xff")
    world.write("billing.cfg", f"[s]\n{POINTERS[what]}\n[secrets]\nbackend = canary_backend.Canary\n")
    world.write(
        "canary_backend.py",
        "from framework import BaseSecretsBackend\n"
        "class Canary(BaseSecretsBackend):\n"
        "    def get_config(self, key):\n"
        f"        held = '{CANARY}'\n"
        f"        if key == 'broken': raise RuntimeError('{CANARY}')\n"
        "        return {'a': '{\"c\": \"%s\"}' % held, 'plain': held}.get(key)\n",
    )
    app = app_of(world, schema=SCHEMA)
    for act in (app.conf.get, app.conf.value, app.conf.getint, app.answer):
        assert_carries_none(error_of(act, "s", "password"), CANARY)
    failures = app.prefetch()
    for failure in (*failures.values(), app.conf.explain("s", "password").error):
        assert failure is not None
        assert_carries_none(failure, CANARY)


# Connections and variables


CONNECTIONS: dict[str, Callable[[], Any]] = {
    "a port": lambda: Connection.from_uri(f"a://u:{CANARY}@h:p"),
    "a host": lambda: Connection.from_uri(f"a://u:{CANARY}@[::1"),
    "no UTF-8": lambda: Connection.from_uri(f"a://u:{CANARY}%ff@h"),
    "no URI": lambda: Connection.from_uri(CANARY),
    "a line end": lambda: Connection.from_uri(f"a://u:{CANARY}\n@h"),
    "uri and fields": lambda: Connection(uri=f"a://u:{CANARY}@h", password=CANARY),
    "a type": lambda: Connection(password={CANARY: CANARY}),  # type: ignore[arg-type]
    "an extra": lambda: Connection(extra=f'{{"x": "{CANARY}"'),
    "an extra list": lambda: Connection(extra=[CANARY]),  # type: ignore[arg-type]
    "an id": lambda: Connection(conn_id=f"{CANARY} x"),
    "a surrogate": lambda: Connection(password=f"{CANARY}\udc80"),
    "JSON": lambda: Connection.from_json(f'{{"password": "{CANARY}",}}'),
    "a JSON list": lambda: Connection.from_json(f'["{CANARY}"]'),
    "a JSON field": lambda: Connection.from_json(json.dumps({CANARY: CANARY})),
    "a JSON port": lambda: Connection.from_json(json.dumps({"port": CANARY})),
    "JSON twice": lambda: Connection.from_json(f'{{"password": "{CANARY}", "password": "{CANARY}"}}'),
    "a text": lambda: Connection.from_text(f'{{"password": "{CANARY}"'),
    "no port of a URI": lambda: Connection(conn_type="a", host="h", port=-1, password=CANARY).get_uri(),
}


@pytest.mark.parametrize("what", CONNECTIONS)
def test_a_connection_that_cannot_be_read(what: str) -> None:
    error = error_of(CONNECTIONS[what])
    assert isinstance(error, errors.InvalidConnection)
    assert_carries_none(error, CANARY)


def test_a_connection_or_variable_of_the_environment(world: World) -> None:
    world.set(BILLING_CONN_A=f"a://u:{CANARY}@h:p", BILLING_VAR_A=f'{{"x": "{CANARY}"')
    app = app_of(world)
    assert_carries_none(error_of(app.get_connection, "a"), CANARY)
    assert_carries_none(error_of(app.get_variable, "a", deserialize_json=True), CANARY)
    app.use()
    assert_carries_none(error_of(Connection.get, "a"), CANARY)
    assert_carries_none(error_of(Variable.get, "a", deserialize_json=True), CANARY)
    assert_carries_none(error_of(Variable.set, "a", {CANARY: object()}, serialize_json=True), CANARY)
    assert_carries_none(error_of(Variable.set, "a", CANARY), CANARY)  # without a key, nothing is written


class Telling(MemoryBackend):
    """Its errors hold the secret in every place that an error has."""

    def get_config(self, key: str) -> str | None:
        return self._fail(key)

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        return self._fail(key)

    def get_connection(self, conn_id: str, team_name: str | None = None) -> Any:
        return self._fail(conn_id)

    def _fail(self, key: str) -> str | None:
        kinds: dict[str, type[Exception]] = {"value": ValueError, "key": KeyError, "os": OSError, "none": Exception}
        try:
            json.loads(f'"{CANARY}')
        except ValueError as fault:
            if key == "ours":
                raise errors.BackendUnavailable("the store does not answer") from fault
            raise kinds[key](CANARY) from fault


@pytest.mark.parametrize("key", ["value", "key", "os", "none", "ours"])
def test_a_backend_whose_errors_hold_secrets(key: str) -> None:
    app = IsolatedApp("billing", Telling(), home="/nonexistent", environ={"BILLING__DATABASE__SQL_ALCHEMY_CONN": ""})
    for act in (app.get_variable, app.get_connection, app.chain.variable, app.chain.connection, app.chain.config):
        error = error_of(act, key)
        assert isinstance(error, errors.SecretsError)
        assert_carries_none(error, CANARY)


# The metastore


def test_keys_and_tokens() -> None:
    for text in (CANARY, f"{generate()},{CANARY}", f"ü{CANARY}"):
        keys = Keys(text)
        assert_carries_none(error_of(keys.encrypt, CANARY), CANARY)
        assert_carries_none(error_of(keys.decrypt, CANARY, "row"), CANARY)
    assert_carries_none(error_of(Keys(generate()).encrypt, f"{CANARY}\udc80"), CANARY)
    assert_carries_none(error_of(Keys(generate()).decrypt, CANARY, "row"), CANARY)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{CANARY}@127.0.0.1:1/db",
        f"mysql://u:{CANARY}@127.0.0.1:1/db",
        f"sqlite:////nowhere/{CANARY}/x.db",
        f"nosuch://u:{CANARY}@h/db",
        f"postgresql://u:{CANARY}@h:port/db",
        CANARY,
    ],
)
@pytest.mark.external
def test_a_database_that_cannot_be_reached(world: World, url: str) -> None:
    world.set(BILLING__DATABASE__SQL_ALCHEMY_CONN=url, BILLING__CORE__FERNET_KEY=generate())
    world.set(BILLING__DATABASE__FAILOVER_TIMEOUT_SECONDS="0")
    app = app_of(world)
    secret = CANARY if "nowhere" not in url else "no path is a secret"
    for act in (
        lambda: app.get_variable("x"),
        lambda: app.store.set_variable("x", CANARY, None),
        lambda: app.store.set_connection(Connection("x", "a", password=CANARY)),
    ):
        error = error_of(act)
        assert isinstance(error, errors.FrameworkError)
        assert_carries_none(error, secret)


def test_what_is_bound_to_a_statement(world: World, place: Any) -> None:
    """A row that the database refuses: the driver's error holds the bound values."""
    world.set(BILLING__DATABASE__SQL_ALCHEMY_CONN=place.url, BILLING__CORE__FERNET_KEY=generate())
    app = app_of(world)
    migrations.migrate(app.store.database)
    app.store.set_variable("good", CANARY, None)
    for text in (f"{CANARY}\udc80", f"{CANARY}\0"):
        for act in (app.store.set_variable, Variable.set):
            app.use()
            try:
                act("x", text, None)
            except errors.FrameworkError as fault:
                assert_carries_none(fault, CANARY)
    assert_carries_none(error_of(app.store.write_many, [("variable", "good", CANARY, None)], overwrite=False), CANARY)


def test_kwargs_of_a_backend(world: World) -> None:
    for kwargs in (f'{{"token": "{CANARY}"', f'["{CANARY}"]', json.dumps({"no_such": CANARY})):
        world.set(BILLING__SECRETS__BACKEND="vault", BILLING__SECRETS__BACKEND_KWARGS=kwargs)
        assert_carries_none(error_of(app_of(world).get_variable, "x"), CANARY)


# The chain of errors


def test_what_the_caller_was_handling_stays() -> None:
    with isolated("billing") as app:
        try:
            raise KeyError("of the caller")
        except KeyError as own:
            error = error_of(app.conf.getint, "a", "b", fallback="x")
            assert error.__context__ is own


def test_an_error_of_the_caller_passes_as_it_is(world: World) -> None:
    """A callback's own error keeps its chain, its frames and their variables."""
    app = app_of(world)
    world.set(BILLING__A__PASSWORD_CMD="true")

    def progress(number: int) -> None:
        mine = "my own variable"
        try:
            raise KeyError(mine)
        except KeyError as fault:
            raise LookupError("stopped") from fault

    with pytest.raises(LookupError) as caught:
        app.prefetch([("a", "password")], progress)
    assert isinstance(caught.value.__cause__, KeyError)
    assert caught.traceback[-1].locals["mine"] == "my own variable"


def test_an_error_keeps_the_lines_of_its_way() -> None:
    """Frames are emptied, not cut off: where it happened can still be read."""
    error = error_of(Connection.from_uri, "a://u:p@h:p")
    names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert names[-1] == "read_uri"
    assert names.count("entered") < len(names) / 2 + 1


def test_a_cause_of_ours_stays(world: World) -> None:
    class Down(MemoryBackend):
        def get_config(self, key: str) -> str | None:
            raise errors.BackendUnavailable("it does not answer")

    environ = {"BILLING__DATABASE__SQL_ALCHEMY_CONN": "", "BILLING__S__PASSWORD_SECRET": "x"}
    app = IsolatedApp("billing", Down(), home="/nonexistent", environ=environ, schema=SCHEMA)
    error = error_of(app.conf.get, "s", "password")
    assert isinstance(error, errors.PointerError)
    assert [type(one) for one in chain_of(error)] == [errors.PointerError, errors.BackendUnavailable]


def test_a_log_record_shows_one_line_and_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise errors.InvalidSecret("it holds a\nline end \x1b[31m", where="a\rb")
    except errors.InvalidSecret as fault:
        logging.getLogger("billing").error("failed: %s", fault)
    assert caplog.records[-1].getMessage() == r"failed: a\rb: it holds a\nline end \x1b[31m"


def test_python_prints_no_secret_of_an_uncaught_error(world: World) -> None:
    """The whole way: an uncaught error, printed by rich with local variables."""
    world.write(
        "run.py",
        "from rich.traceback import install\n"
        "install(show_locals=True, width=500)\n"
        "import sys\n"
        "from framework import Connection\n"
        "Connection.from_uri(sys.stdin.read())\n",
    )
    done = subprocess.run(
        [sys.executable, "run.py"], input=f"a://u:{CANARY}@h:p", capture_output=True, text=True, cwd=world.home
    )
    assert done.returncode == 1 and "InvalidConnection" in done.stderr
    assert CANARY not in done.stderr


# Objects that are not whole


def _describes_itself(made: type) -> bool:
    """Whether `repr` of its objects is our code."""
    owner = next(base for base in made.__mro__ if "__repr__" in vars(base))
    return owner.__module__.startswith("framework")


@pytest.mark.external
def test_the_repr_of_an_object_that_is_not_whole_is_a_text() -> None:
    """A debugger, or a traceback with locals, shows an object whose constructor has failed."""
    seen = 0
    for module in all_modules():
        for value in vars(module).values():
            if isinstance(value, type) and value.__module__ == module.__name__ and _describes_itself(value):
                made = value.__new__(value)
                assert isinstance(repr(made), str)
                assert isinstance(str(made), str)
                seen += 1
    assert seen > 30
