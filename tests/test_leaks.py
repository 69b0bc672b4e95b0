"""No leak: canaries are planted in every place that may hold a secret, and no output contains a part of one."""

from __future__ import annotations

import base64
import json
import logging
import os
import sys
import traceback
import urllib.parse
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from io import StringIO
from typing import Any

import pytest
from conftest import World
from leftovers import all_modules
from test_errors import CASES, STORES

from framework import App, Connection, Variable, errors, masking
from framework.metastore import crypto
from framework.testing import isolated

FORMATS = ("cfg", "json", "yaml", "toml", "env", "table")
SHAPES = ("plain", "url", "base64", "pem", "json", "odd")
FERNET_KEY = crypto.generate()

#: What must never be seen: the innermost secret of every canary, line by line.
NEEDLES: dict[str, str] = {}
#: The same in every derived form: form -> the needle that it is made of.
FORBIDDEN: dict[str, str] = {}


def forms(needle: str) -> Iterator[str]:
    """A secret as it may be written: quoted, escaped, in base64 at each of the three alignments."""
    data = needle.encode()
    yield from (needle, needle.swapcase(), urllib.parse.quote(needle, safe=""), urllib.parse.quote_plus(needle))
    yield from (json.dumps(needle)[1:-1], json.dumps(needle, ensure_ascii=False)[1:-1])
    yield from (repr(needle)[1:-1], ascii(needle)[1:-1], repr(data)[2:-1], data.hex())
    for pad in range(3):
        encoded = base64.b64encode(b"\0" * pad + data)[(0, 2, 3)[pad] :].decode().rstrip("=")
        yield from (encoded[:-2], encoded[:-2].translate(str.maketrans("+/", "-_")))


def plant(place: str, shape: str) -> str:
    """A new secret of this shape, which must not appear in any output from now on."""
    core = f"Zq{place.replace('.', '').replace('_', '').replace(' ', '').title()}{shape.title()}Canary7"
    needles = [core]
    if shape == "url":
        secret = f"postgres://user:{core}@host:5432/db"
    elif shape == "base64":
        secret = base64.b64encode(f"{core} in base64".encode()).decode()
        needles = [secret]
    elif shape == "pem":
        needles = [f"{core}Line{number}Of3" for number in range(3)]
        secret = "\n".join(["-----BEGIN KEY-----", *needles, "-----END KEY-----"])
    elif shape == "json":
        secret = json.dumps({"user": "bob", "deep": [{"password": core}]})
    elif shape == "odd":
        secret = f"{core}%s'\"ü€🔑 {core[::-1]}"
        needles = [secret, core, core[::-1]]
    else:
        secret = core
    for needle in needles:
        NEEDLES[needle] = place
        FORBIDDEN.update(dict.fromkeys(forms(needle), needle))
    return secret


def assert_clean(text: object, what: object = "") -> None:
    shown = str(text)
    found = [needle for form, needle in FORBIDDEN.items() if form in shown]
    assert not found, f"{what} shows {found[0]}:\n{shown}"


def cfg_of(options: dict[str, str]) -> str:
    return "".join(f"{k} = {v.replace('%', '%%')}\n".replace("\n", "\n    ").rstrip(" ") for k, v in options.items())


def toml_of(options: dict[str, str]) -> str:
    return "".join(f"{key} = {json.dumps(text, ensure_ascii=False)}\n" for key, text in options.items())


LAYERS = (
    "environ",
    "dotenv",
    "cfg",
    "toml",
    "yaml",
    "json",
    "default",
    *(("dynaconf",) if find_spec("dynaconf") else ()),
)


class Planted:
    """The application with canaries everywhere.

    Attributes:
        options: what each sensitive option of the section `vault` holds.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        NEEDLES.clear()
        FORBIDDEN.clear()
        self.options: dict[str, str] = {}
        self.by_layer = {layer: {f"{layer}_{shape}": plant(layer, shape) for shape in SHAPES} for layer in LAYERS}
        for options in self.by_layer.values():
            self.options.update(options)
        self.pointers: dict[str, str] = {}
        self._files()
        self._chain()
        self._project()

    def _files(self) -> None:
        world, layers = self.world, self.by_layer
        world.set(**{f"BILLING__VAULT__{key.upper()}": text for key, text in layers["environ"].items()})
        quoted = {key: text.replace("\\", "\\\\").replace("'", "\\'") for key, text in layers["dotenv"].items()}
        world.write(".env", "".join(f"BILLING__VAULT__{key.upper()}='{text}'\n" for key, text in quoted.items()))
        world.write("a.toml", f"[vault]\n{toml_of(layers['toml'])}")
        world.write("b.yaml", json.dumps({"vault": layers["yaml"]}, ensure_ascii=False))
        table = {"password": plant("table", "plain"), "list": [plant("table", "url")]}
        links = [plant("links", "url"), "plain"]
        open_ = {"link": plant("open", "url"), "table": table, "text": json.dumps(table), "links": links}
        world.write("c.json", json.dumps({"vault": layers["json"], "open": open_}))
        if "dynaconf" in layers:
            world.write("settings.toml", f"[default.vault]\n{toml_of(layers['dynaconf'])}")

    def _chain(self) -> None:
        """Pointers to a command, a file and each of the links; connections and variables of each link."""
        world = self.world
        world.set(BILLING__CORE__FERNET_KEY=FERNET_KEY)
        FORBIDDEN.update(dict.fromkeys(forms(FERNET_KEY), FERNET_KEY))
        configs, variables, connections, lines = {}, {}, {}, []
        for shape in SHAPES:
            for place, value in (
                (p, plant(p, shape)) for p in ("command", "mounted", "local", "metastore", "envsecret")
            ):
                key = f"{place}_{shape}"
                self.pointers[key] = value
                if place in ("command", "mounted"):
                    world.write(f"run/{key}", value + "\n")
                    lines.append(
                        f"{key}_cmd = cat '{world.home}/run/{key}'" if place == "command" else f"{key}_file = run/{key}"
                    )
                else:
                    lines.append(f"{key}_secret = app/{key}")
                if place == "local":
                    configs[f"app/{key}"] = value
                elif place == "envsecret":
                    world.set(**{f"BILLING_SECRET_APP_{key.upper()}": value})
            variables[f"local_{shape}_token"] = plant("localvariable", shape)
            world.set(**{f"BILLING_VAR_ENV_{shape}_PASSWORD".upper(): plant("envvariable", shape)})
        variables["table"] = {"password": plant("variabletable", "plain"), "fine": "seen"}
        variables["text"] = json.dumps({"api_key": plant("variabletext", "plain"), "fine": "seen"})
        variables["link"] = plant("variablelink", "url")
        connections["files"] = {"conn_type": "http", "host": "h", "password": plant("connpassword", "odd")}
        connections["key_file"] = {"conn_type": "gcp", "extra": {"keyfile_dict": plant("connextra", "json")}}
        world.set(BILLING_CONN_WAREHOUSE=plant("connuri", "url"))
        world.write("configs.json", json.dumps(configs))
        world.write("variables.json", json.dumps(variables))
        world.write("connections.json", json.dumps(connections))
        self.lines = lines

    def _project(self) -> None:
        world = self.world
        schema = ""
        for key in (*self.options, *self.pointers):
            schema += f"[vault.options.{key}]\nsensitive = true\n"
            if key.startswith("default_"):
                schema += toml_of({"default": self.options[key].replace("%", "%%")})
        for key, type_ in (("link", "string"), ("table", "object"), ("text", "object"), ("links", "list")):
            schema += f"[open.options.{key}]\ntype = '{type_}'\n"
        schema += "[open.options.number]\ntype = 'integer'\nsensitive = true\n"
        world.write("schema.toml", schema)
        world.write("stores.py", STORES)
        kwargs = {f"{k}s_file_path": f"{k}s.json" for k in ("config", "variable", "connection")}
        url = f"sqlite:///{world.home}/billing.db?key={plant('databaseurl', 'plain')}"
        world.write(
            "billing.cfg",
            f"[vault]\n{cfg_of(self.by_layer['cfg'])}"
            + "".join(f"{line}\n" for line in self.lines)
            + f"[database]\nsql_alchemy_conn = {url}\n"
            + "[secrets]\nbackends = files, kwargs\n"
            + f"[secrets.files]\nbackend = local_filesystem\nbackend_kwargs = {json.dumps(kwargs)}\n"
            + f'[secrets.kwargs]\nbackend = stores.Plain\nbackend_kwargs = {{"token": "{plant("kwargs", "plain")}"}}\n'
            + f"[open]\nnumber = {plant('number', 'plain')}\n[undeclared]\npass = {plant('undeclared', 'plain')}\n",
        )
        world.set(BILLING__SECRETS_KWARGS__BACKEND_KWARG__TOKEN=plant("onekwarg", "plain"))
        settings = {"settings_files": ["settings.toml"]} if "dynaconf" in self.by_layer else {}
        world.project(schema="schema.toml", config_files=["a.toml", "b.yaml", "c.json"], dotenv=[".env"], **settings)
        app = world.app().use()
        for shape in SHAPES:
            app.store.set_config(f"app/metastore_{shape}", self.pointers[f"metastore_{shape}"])
            app.store.set_variable(f"db_{shape}_secret", plant("dbvariable", shape))
            extra = {"token": plant("dbextra", shape)}
            made = Connection(
                f"db_{shape}", "ftp", host="h", login="me", password=plant("dbpassword", shape), extra=extra
            )
            app.store.set_connection(made)


@pytest.fixture
def planted(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Planted]:
    monkeypatch.delitem(sys.modules, "stores", raising=False)
    yield Planted(world)
    NEEDLES.clear()
    FORBIDDEN.clear()


def test_the_canaries_are_where_they_are_planted(planted: Planted) -> None:
    """What a user asks for by name is in clear: this proves that the other tests look for existing values."""
    app = planted.world.app()
    for key, secret in {**planted.options, **planted.pointers}.items():
        assert app.conf.get("vault", key) == secret, key
    assert app.get_connection("db_odd").password in NEEDLES
    assert app.get_connection("key_file").extra_dejson["keyfile_dict"]
    assert "Canary7" in app.get_connection("warehouse").password  # type: ignore[operator]
    for name in ("db_plain_secret", "env_plain_password", "local_plain_token"):
        assert app.get_variable(name) in NEEDLES
    assert planted.world.run("config", "get-value", "vault", "cfg_odd") == (0, planted.options["cfg_odd"] + "\n", "")


def test_show_secrets_shows_them(planted: Planted) -> None:
    words = ("dump", "--show-secrets", "--format", "json", "--connections", "--variables")
    _, out, _ = planted.world.run(*words)
    shown = json.loads(out)
    for key, secret in {**planted.options, **planted.pointers}.items():
        assert shown["vault"][key] == secret
    assert "Canary7" in shown["connections"]["warehouse"]
    assert shown["variables"]["db_odd_secret"] in NEEDLES
    assert "Canary7" in shown["open"]["link"]


@pytest.mark.parametrize("more", [(), ("--sources", "--connections", "--variables"), ("--offline", "--changed")])
@pytest.mark.parametrize("format_", FORMATS)
def test_dump(format_: str, more: tuple[str, ...], planted: Planted) -> None:
    status, out, err = planted.world.run("dump", "--format", format_, *more)
    assert (status, err) == (0, "")
    assert "vault" in out.lower()
    assert_clean(out, format_)


def test_every_other_command(planted: Planted) -> None:
    run = planted.world.run
    commands = [("check",), ("check", "--strict", "--output", "json"), ("config", "list"), ("config", "list", "-a")]
    commands += [
        ("config", "list", "--show-values", "-d", "-e", "-s", "-V"),
        ("fernet", "generate"),
        ("dump", "--nope"),
    ]
    for key in (*planted.options, *planted.pointers):
        commands.append(("explain", "vault", key, "--output", "json"))
    for section, key in (("open", "link"), ("open", "table"), ("open", "text"), ("open", "links"), ("open", "number")):
        commands += [("explain", section, key), ("explain", section, key, "--output", "plain")]
    for section, key in (
        ("core", "fernet_key"),
        ("database", "sql_alchemy_conn"),
        ("secrets.kwargs", "backend_kwargs"),
    ):
        commands.append(("explain", section, key))
    commands += [("config", "lint"), ("config", "update"), ("config", "list", "--show-values", "--output", "json")]
    commands += [("explain", "--connection", name) for name in ("warehouse", "db_odd", "nobody")]
    commands += [("explain", "--variable", name) for name in ("db_odd_secret", "text", "nobody")]
    for words in commands:
        _, out, err = run(*words)
        assert_clean(out + err, words)


def test_what_other_programs_get(planted: Planted) -> None:
    """`exec`, `export` and `render` give secrets to other programs, and none to who reads their messages."""
    from framework.delivery.formats import DIALECTS, FORMATS

    world, run = planted.world, planted.world.run
    files = [name for name in FORMATS if name != "github"]  # which prints secrets for the runner to hide
    commands = [("export", "--format", name, "-o", f"out.{name}") for name in files]
    commands += [("export", "--format", "dotenv", "--dialect", name, "-o", "out.env") for name in DIALECTS]
    commands += [("export", "--format", "docker"), ("export", "--prefix", "own", "--format", "docker")]
    commands += [("export", "--map", f"vault.{key}=B-C") for key in ("cfg_odd", "command_pem")]
    commands += [("export", "--map", f"{kind}:nobody=X") for kind in ("conn", "var", "secret")]
    commands += [("exec", "--", "no-such-program"), ("exec", "--only", "vault.nobody", "--", "true")]
    placeholders = [f"@vault.{key}@" for key in (*planted.options, *planted.pointers)]
    placeholders += ["@conn:warehouse@", "@conn:db_odd.password@", "@var:db_pem_secret@", "@secret:app/local_odd@"]
    world.write("a.in", " ".join(placeholders))
    world.write("b.in", "".join(f"x = {name[:-1]}|{how}@\n" for name in placeholders for how in ("json", "base64")))
    world.write("c.in", "".join(f"x = {name[:-1]}|dotenv@\n" for name in placeholders))
    commands += [("render", "a.in"), ("render", "b.in", "-o", "b.out"), ("render", "c.in")]
    for words in commands:
        _, out, err = run(*words)
        assert_clean(out + err, words)
    text = (world.home / "b.out").read_text()
    assert "Canary7" in text and (world.home / "b.out").stat().st_mode & 0o777 == 0o600
    old = [plant("yesterday", shape) for shape in SHAPES]  # what the file held before, which no store knows today
    lines = text.split("\n")
    for number, secret in enumerate(old):
        lines[number] = f"x = {json.dumps(secret)}"
    world.write("b.out", "\n".join([*lines, *old]))
    status, out, err = run("render", "b.in", "-o", "b.out", "--diff")
    assert status == 1 and "@@" in out
    assert_clean(out + err, "render --diff")


def test_redact(planted: Planted) -> None:
    from framework.cli.commands.redact import _learn
    from framework.masking.stream import Stream

    app = planted.world.app().use()
    assert list(_learn(app)) == []
    seen = [*planted.options.values(), *planted.pointers.values(), app.conf.get("open", "link"), FERNET_KEY]
    known = ("table", "connuri", "dbpassword", "envvariable")
    seen += [needle for needle, place in NEEDLES.items() if place in known and "dd" not in needle]
    stream, out = Stream(), b""
    for secret in seen:
        for form in (secret, repr(secret), json.dumps({"a": secret}), urllib.parse.quote(secret, safe="")):
            for piece in form[: len(form) // 2], form[len(form) // 2 :], "\n", *form, " ":
                out += stream.feed(piece.encode())
        out += stream.feed(b"in base64: " + base64.b64encode(f"user:{secret}".encode()) + b"\n")
    out += stream.close()
    assert out.count(b"***") > len(seen)
    assert_clean(out.decode(), "redact")


def objects_under(root: object) -> Iterator[object]:
    """Every object of this package that can be reached from another."""
    pending, seen = [root], set()
    while pending:
        thing = pending.pop()
        if id(thing) in seen or isinstance(thing, (str, bytes, int, float, type(None), type)):
            continue
        seen.add(id(thing))
        if isinstance(thing, dict):
            pending += [*thing, *thing.values()]
        elif isinstance(thing, (list, tuple, set, frozenset)):
            pending += thing
        elif type(thing).__module__.partition(".")[0] in ("framework", "stores"):
            yield thing
            pending.append(getattr(thing, "__dict__", None))
            for kind in type(thing).__mro__:
                pending += [getattr(thing, name, None) for name in getattr(kind, "__slots__", ())]


def test_repr_of_everything(planted: Planted) -> None:
    app = planted.world.app().use()
    held: list[object] = [app, app.chain, app.store, app.conf, [link.backend for link in app.chain.links]]
    held += [app.get_connection(name) for name in ("warehouse", "db_odd", "key_file", "files")]
    for section, key in app.engine.entries():
        held += [app.conf.explain(section, key), list(app.engine.mentions(section, key))]
        if app.conf.has_option(section, key):
            held.append(app.answer(section, key))
    kinds = set()
    for thing in objects_under(held):
        kinds.add(type(thing).__name__)
        assert_clean(repr(thing), type(thing))
        assert_clean(str(thing), type(thing))
    wanted = {"App", "Config", "Engine", "Chain", "Link", "LocalFilesystemBackend", "Plain", "Connection", "Mention"}
    assert wanted <= kinds
    assert {"Answer", "Explanation", "Store", "Keys", "Schema", "Option", "CfgLayer", "DotEnv", "SecretsFile"} <= kinds


def test_logs(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    app = planted.world.app()
    for key in (*planted.options, *planted.pointers):
        app.conf.get("vault", key)
    for name in ("warehouse", "db_odd", "db_json", "key_file"):
        app.get_connection(name)
    app.get_variable("db_pem_secret")
    seen = {**planted.options, **planted.pointers, "key": FERNET_KEY}
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(extra_field)s", defaults={"extra_field": ""}))
    log = logging.getLogger("test_leaks")
    log.propagate = False
    monkeypatch.setattr(log, "handlers", [handler])
    factory = logging.getLogRecordFactory()
    app.conf.get("core", "fernet_key")
    try:
        masking.install(log)
        for secret in seen.values():
            for form in (secret, repr(secret), json.dumps({"a": secret}), urllib.parse.quote(secret, safe="")):
                log.error("before %s after", form)
                log.error(f"before {form} after", extra={"extra_field": {"password": form}})
            log.error("in base64: %s", base64.b64encode(f"user:{secret}".encode()).decode())
            log.error("dict %(a)s", {"a": secret})
            for line in secret.splitlines():
                log.error(line)
            try:
                raise RuntimeError(f"refused: {secret}")
            except RuntimeError:
                log.exception("failed", stack_info=True)
    finally:
        logging.setLogRecordFactory(factory)
    assert stream.getvalue().count("***") > len(seen)
    assert_clean(stream.getvalue(), "log")


def trace_of(act: Any, *args: Any) -> str:
    try:
        act(*args)
    except Exception as fault:
        chained: list[BaseException | None] = [fault, fault.__cause__]
        if not fault.__suppress_context__:
            chained.append(fault.__context__)
        return "\n".join([*traceback.format_exception(fault), *map(repr, chained), *map(str, chained)])
    raise AssertionError("no error")


def test_errors_and_their_tracebacks(planted: Planted) -> None:
    app = planted.world.app().use()
    conf = app.conf
    for key in (*planted.options, *planted.pointers):
        if not key.endswith("json"):
            assert_clean(trace_of(conf.getjson, "vault", key), key)
        for get in (conf.getboolean, conf.getint, conf.getfloat, conf.getimport):
            assert_clean(trace_of(get, "vault", key), (get.__name__, key))
        assert_clean(trace_of(conf.getenum, "vault", key, errors_enum()), key)
    assert_clean(trace_of(conf.value, "open", "number"))
    for name in ("db_odd_secret", "db_pem_secret", "env_plain_password"):
        assert_clean(trace_of(app.get_variable, name, None, True), name)
    for key, secret in planted.options.items():
        assert_clean(trace_of(Connection.from_json, "{" + secret), key)
        assert_clean(trace_of(Connection.from_uri, "no uri " + secret), key)
        assert_clean(trace_of(lambda text=secret: Connection("a", extra="{" + text)), key)
        assert_clean(trace_of(Variable.set, "a", {secret}, None, True), key)
        assert_clean(trace_of(app.chain.connection, "nobody"), key)
    planted.world.set(
        BILLING_CONN_WAREHOUSE=plant("broken", "plain"), BILLING__CORE__FERNET_KEY=plant("badkey", "plain")
    )
    for name in ("warehouse", "db_plain"):
        assert_clean(trace_of(planted.world.app().get_connection, name), name)


def errors_enum() -> Any:
    import enum

    return enum.Enum("Colour", ["red", "green"])


def test_foreign_exceptions_are_not_chained(world: World) -> None:
    """The error of a backend's driver may hold the secret; it is neither shown nor chained."""
    FORBIDDEN.clear()
    secret = plant("driver", "plain")

    class Store:
        def get_variable(self, key: str) -> str:
            raise RuntimeError(f"bad reply: {secret}") if key == "raises" else KeyError(secret)

        def get_config(self, key: str) -> str:
            try:
                return str(int(secret))
            except ValueError as fault:
                raise errors.InvalidSecret("it is no number") from fault

        def get_connection(self, conn_id: str) -> str:
            return secret

        def list_names(self, kind: str) -> list[str]:
            raise OSError(secret)

    with isolated("billing", {("core", "token_secret"): "x"}) as app:
        app.chain.links[0]._backend = Store()
        for act in (
            lambda: app.get_variable("raises"),
            lambda: app.get_variable("key"),
            lambda: app.get_connection("x"),
            lambda: app.list_names("variable"),
            lambda: app.conf.get("core", "token"),
        ):
            assert_clean(trace_of(act))
    FORBIDDEN.clear()


def test_warnings(planted: Planted) -> None:
    world = planted.world
    world.set(BILLING_VAR_DB_PLAIN_SECRET="x", BILLING__OPEN__LINK_CMD="echo " + plant("ignoredpointer", "plain"))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        app = world.app().use()
        Variable.set("db_plain_secret", plant("written", "plain"))
        app.conf.get("open", "link")
    assert len(seen) == 2
    assert_clean([str(one.message) for one in seen])


def test_what_becomes_known_as_a_secret_later(world: World) -> None:
    """An option that is looked at before the secret is known holds it as well, by mistake."""
    FORBIDDEN.clear()
    secret = plant("later", "plain")
    world.write(
        "schema.toml", "[a.options.number]\ntype = 'integer'\n[a.options.text]\n[b.options.it]\nsensitive = true\n"
    )
    world.write("billing.cfg", f"[a]\nnumber = {secret}\ntext = see {secret}\n[b]\nit_cmd = echo {secret}\n")
    world.project(schema="schema.toml")
    for words in (("check",), ("dump",), ("dump", "--format", "json")):
        masking.reset()
        assert_clean(world.run(*words), words)
    FORBIDDEN.clear()


def test_a_command_gets_the_process_environment_and_no_more(planted: Planted) -> None:
    world = planted.world
    world.set(BILLING__VAULT__CFG_PLAIN_CMD=f"sh -c 'env > {world.home}/child; echo x'")
    world.write("billing.cfg", "")
    assert world.app().conf.get("vault", "cfg_plain") == "x"
    child = (world.home / "child").read_text()
    for name, text in os.environ.items():
        if "\n" not in text and name not in ("_", "PWD", "OLDPWD", "SHLVL"):
            assert f"{name}={text}" in child
    mine = ("environ", "envsecret", "envvariable", "connuri", "onekwarg")
    assert [needle for needle, place in NEEDLES.items() if needle in child and place not in mine] == []
    assert "DOTENV" not in child.upper()
    assert [name for name in os.environ if "DOTENV" in name] == []


CANARY = "Zq7ErrorCanary"


@pytest.mark.parametrize("name", CASES)
def test_commands_in_the_face_of_every_error(name: str, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("stores", "broken", "needy"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    FORBIDDEN.clear()
    FORBIDDEN.update(dict.fromkeys(forms(CANARY), CANARY))
    write = world.write

    def planted(path: str, text: str | bytes, mode: int = 0o600) -> Any:
        old, new = ("hunter2", CANARY) if isinstance(text, str) else (b"hunter2", CANARY.encode())
        return write(path, text.replace(old, new), mode)  # type: ignore[arg-type]

    monkeypatch.setattr(world, "write", planted)
    case = CASES[name]
    case.write(world)
    world.set(**{variable: text.replace("hunter2", CANARY) for variable, text in case.env.items()})
    everything = ("dump", "--format", "json", "--sources", "--connections", "--variables")
    for words in (
        everything,
        ("dump",),
        ("check",),
        ("explain", "core", "password"),
        ("config", "list", "--show-values"),
    ):
        status, out, err = world.run("--project", ".", *words)
        assert status in (0, 1, 3)
        assert_clean(out + err, words)
        assert "Traceback" not in err
    FORBIDDEN.clear()


def test_the_helper_sees_every_form() -> None:
    FORBIDDEN.clear()
    secret = plant("helper", "odd")
    for text in (
        secret,
        f"x{urllib.parse.quote(secret)}y",
        json.dumps([secret]),
        repr(secret),
        base64.b64encode(b"a" + secret.encode() + b"b").decode(),
        base64.b64encode(b"ab" + secret.encode()).decode(),
        base64.b64encode(secret.encode()).decode(),
    ):
        with pytest.raises(AssertionError, match="shows"):
            assert_clean(text)
    FORBIDDEN.clear()


def test_app_of_another_kind_of_settings(world: World) -> None:
    """A user's own Dynaconf-like object."""
    FORBIDDEN.clear()
    secret = plant("object", "plain")
    world.write(
        "mine.py",
        f"class Mine:\n    def as_dict(self):\n        return {{'CORE': {{'PASSWORD': {secret!r}}}}}\nit = Mine()\n",
    )
    sys.modules.pop("mine", None)
    app = App("billing", home=str(world.home), dynaconf="mine:it")
    assert app.conf.get("core", "password") == secret
    assert_clean(app.conf.explain("core", "password"))
    assert_clean([repr(thing) for thing in objects_under(app)])
    FORBIDDEN.clear()


C = "Zq7Hunter2Canary"


@pytest.mark.parametrize(
    ("url", "where"),
    [
        (f"postgresql://h/db?user=me@t&password={C}", "postgresql://…"),
        (f"postgresql+psycopg://me:{C}", "postgresql://…"),
        (f"postgresql://u:1?{C}@h/db", "postgresql://…"),
        (f"postgresql://h/db&password={C}", "postgresql://…"),
        (f"mysql://me:{C}/x@h:3306/db?charset=utf8", "mysql://h:3306/db"),
        ("postgresql://u:p@[::1]:5432/db", "postgresql://[::1]:5432/db"),
        ("postgresql://h:5432/db?sslmode=require", "postgresql://h:5432/db"),
        ("postgresql:///db?host=/run", "postgresql:///db"),
    ],
)
def test_where_of_a_server(url: str, where: str) -> None:
    from framework.metastore.servers import Server

    assert Server(url).where == where


def test_only_harmless_parameters_of_a_database_are_shown() -> None:
    pytest.importorskip("psycopg")
    from framework.metastore.servers import Server

    shown = Server(f"postgresql://u:{C}@h/db?sslmode=require&passwrd={C}&options=-c%20x={C}").url()
    assert C not in shown
    assert "sslmode=require" in shown


def test_lists_with_values_learn_first_and_show_then(world: World) -> None:
    world.set(
        BILLING_CONN_A=f"http://{C}@h",
        BILLING_CONN_N=json.dumps({"login": "a", "password": C, "host": "h"}),
        BILLING_CONN_J=json.dumps({"conn_type": "x", "extra": {"said": json.dumps([json.dumps({"token": C + "2"})])}}),
        BILLING_CONN_H=json.dumps({"conn_type": "x", "extra": {"header": f"Bearer {C}3"}}),
        BILLING_CONN_B=json.dumps({"conn_type": "x", "host": "bob:Zq8Hunter2@nohost"}),
        BILLING_VAR_A=f"is {C}4",
        BILLING_VAR_B_PASSWORD=f"{C}4",
        BILLING_VAR_J=json.dumps({"a": [json.dumps({"password": "Zq9Hunter2"})]}),
    )
    for words in (
        ("connections", "list", "--show-values", "-o", "json"),
        ("connections", "list", "--show-values", "--hide-sensitive"),
        ("variables", "list", "--show-values"),
        ("dump", "--variables", "--connections"),
    ):
        masking.reset()
        status, out, err = world.run(*words)
        assert (status, err) == (0, "")
        assert not [secret for secret in (C, "Zq8Hunter2", "Zq9Hunter2") if secret in out], out
    masking.reset()
    out = world.run("connections", "list", "--show-values", "-o", "json")[1]
    rows = {row["conn_id"]: row for row in json.loads(out)}
    assert rows["n"]["get_uri"] == "//a:***@h"
    assert rows["h"]["extra_dejson"] == {"header": "Bearer ***"}
    assert rows["h"]["get_uri"] == "x:///?header=Bearer+***"
    assert rows["b"]["host"] == "***@nohost"


def test_host_with_a_password() -> None:
    from framework.probing.probe import probe

    connection = Connection("a", "postgres", host=f"bob:{C}@nohost.invalid")
    assert C not in repr(connection)
    assert C not in str([step.row() for step in probe(connection, 1)])


@pytest.mark.parametrize("suffix", ["cmd", "file"])
def test_a_secret_in_the_place_of_a_pointer(suffix: str, world: World) -> None:
    world.write("billing.cfg", f"[core]\npassword_{suffix} = {C}\n")
    with pytest.raises(errors.PointerError) as caught:
        world.app().conf.get("core", "password")
    assert C not in str(caught.value)


def test_a_secret_in_the_place_of_a_name(world: World) -> None:
    world.set(BILLING__CORE__FERNET_KEY=FERNET_KEY)
    world.write("c.json", json.dumps({"a": {"conn_type": "x", C: "b"}}))
    _, out, err = world.run("connections", "import", "c.json")
    assert "no field is called" in err
    assert C not in out + err


@pytest.mark.external
def test_errors_survive_pickling() -> None:
    import pickle

    list(all_modules())
    fault = errors.FileParseError("a.json", [(3, "no JSON")])
    again = pickle.loads(pickle.dumps(fault))
    assert (type(again), str(again), again.faults) == (errors.FileParseError, str(fault), fault.faults)
    masking.add_mask(C)
    kinds = [errors.FrameworkError]
    for kind in kinds:
        kinds += kind.__subclasses__()
        fault = kind.__new__(kind)  # some constructors take other arguments
        errors.FrameworkError.__init__(fault, f"a {C}", where="b", hint="c.")
        data = pickle.dumps(fault)
        assert C.encode() not in data
        again = pickle.loads(data)
        assert (type(again), again.where, again.what) == (kind, "b", "a ***")


def test_yaml_of_a_wrong_kind(world: World) -> None:
    world.project(config_files=["a.yaml"])
    world.write("a.yaml", f"core:\n  password: !!timestamp {C}\n")
    status, out, err = world.run("config", "get-value", "core", "password")
    assert status != 0
    assert C not in out + err
    assert "Traceback" not in out + err
