"""Arguments of the public functions: accepted in every sensible form, else refused by their name."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import World

from framework import App, Connection, Variable, conf, errors, masking
from framework.cli.output import short
from framework.files.tables import read_table
from framework.metastore import database
from framework.names import Names
from framework.options.references import parse_reference
from framework.testing import MemoryBackend, isolated

WRONG = [5, 1.5, b"bytes", object(), [b"x"], {"a": 1}]


@pytest.fixture
def app(world: World) -> App:
    world.write("billing.cfg", "[server]\nport = 8080\n[mail]\npwd = hunter2-canary\n")
    return world.app().use()


@pytest.mark.parametrize("argument", ["home", "config", "config_files", "settings_files", "dotenv", "schema"])
@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: type(wrong).__name__)
def test_an_invalid_path_is_refused_with_the_name_of_the_argument(world: World, argument: str, wrong: Any) -> None:
    if argument == "schema" and isinstance(wrong, dict):
        return  # a schema may be a mapping
    with pytest.raises(errors.InvalidArgument) as caught:
        App("billing", **{argument: wrong})
    assert caught.value.where.startswith(argument)
    assert isinstance(caught.value, TypeError) and isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "form",
    [str, Path, lambda path: f"~/{path.name}", lambda path: path.name],
    ids=["text", "path", "tilde", "relative"],
)
def test_each_path_may_be_text_or_a_path_and_begin_with_a_tilde(world: World, form: Callable[[Path], Any]) -> None:
    world.write("home/billing.cfg", "[a]\nfrom_home = 1\n")
    main = form(world.write("main.cfg", "[a]\nfrom_main = 2\n"))
    more = form(world.write("more.toml", "[a]\nfrom_more = 3\n"))
    dotenv = form(world.write("my.env", "BILLING__A__FROM_ENV=4\n"))
    schema = form(world.write("schema.toml", "[a.options.declared]\ndefault = 5\n"))
    app = App("billing", home=form(world.home / "home"), config=main, config_files=more, dotenv=dotenv, schema=schema)
    os.chdir("/")
    app.reload()
    assert [app.conf.getint("a", key) for key in ("from_main", "from_more", "from_env", "declared")] == [2, 3, 4, 5]
    assert app.home == str(world.home / "home")
    os.chdir(world.home)
    assert App("billing", home=form(world.home / "home")).conf.get("a", "from_home") == "1"


def test_a_home_as_a_path_reads_its_metastore(world: World) -> None:
    app = App("billing", home=world.home / "inner")
    assert app.get_variable("absent", "the default") == "the default"


@pytest.mark.parametrize(
    "given",
    ["mail.pwd", ["mail.pwd"], ("mail.pwd",), {"mail.pwd"}, iter(["mail.pwd"])],
    ids=["text", "list", "tuple", "set", "iterator"],
)
def test_a_list_may_be_one_item_or_any_iterable(app: App, given: Any) -> None:
    again = App("billing", home=app.home, sensitive=given)
    assert again.conf.is_sensitive("mail", "pwd") and not again.conf.is_sensitive("server", "port")


def test_a_dynaconf_object_itself_is_taken(world: World) -> None:
    dynaconf = pytest.importorskip("dynaconf")
    settings = dynaconf.Dynaconf(settings_files=[str(world.write("s.toml", "[server]\nport = 7\n"))])
    assert App("billing", home=world.home, dynaconf=settings).conf.getint("server", "port") == 7
    with pytest.raises(errors.InvalidArgument, match="^dynaconf: "):
        App("billing", dynaconf=5)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: type(wrong).__name__)
@pytest.mark.parametrize(
    "call",
    [
        lambda app, wrong: app.conf.get(wrong, "k"),
        lambda app, wrong: app.conf.get("s", wrong),
        lambda app, wrong: app.conf.get("s", wrong, raw=True),
        lambda app, wrong: app.conf.getint(wrong, "k"),
        lambda app, wrong: app.conf.getlist("s", wrong),
        lambda app, wrong: app.conf.value(wrong, "k"),
        lambda app, wrong: app.conf.has_option(wrong, "k"),
        lambda app, wrong: app.conf.is_sensitive("s", wrong),
        lambda app, wrong: app.conf.getsection(wrong),
        lambda app, wrong: app.conf.options(wrong),
        lambda app, wrong: app.conf.has_section(wrong),
        lambda app, wrong: app.conf.explain(wrong, "k"),
        lambda app, wrong: app.conf.get_default_value("s", wrong),
        lambda app, wrong: app.conf.get_mandatory_value(wrong, "k"),
        lambda app, wrong: app.answer("s", wrong),
        lambda app, wrong: app.get_connection(wrong),
        lambda app, wrong: Connection.get(wrong),
        lambda app, wrong: app.get_variable(wrong),
        lambda app, wrong: Variable.get(wrong, "default"),
        lambda app, wrong: Variable.set(wrong, "v"),
        lambda app, wrong: Variable.keys(wrong),
        lambda app, wrong: app.list_names(wrong),
        lambda app, wrong: app.warn_if_shadowed("variable", wrong),
        lambda app, wrong: app.test_connection(wrong),
        lambda app, wrong: App(wrong),
        lambda app, wrong: App("billing", worker=wrong),
        lambda app, wrong: App.from_project(wrong),
        lambda app, wrong: Names(wrong),
        lambda app, wrong: Names("billing").option(wrong, "k"),
        lambda app, wrong: Names("billing").secret(wrong),
        lambda app, wrong: masking.redact_text(wrong),
    ],
)
def test_a_wrong_type_is_a_mistake_of_the_caller(app: App, call: Callable[[App, Any], Any], wrong: Any) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        call(app, wrong)
    assert ": expected " in str(caught.value) or "no such kind" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "call, argument",
    [
        (lambda: App("billing", environ=["A=b"]), "environ"),
        (lambda: App("billing", sensitive=[b"x"]), "sensitive[0]"),
        (lambda: App("billing", dotenv=["a", 5]), "dotenv[1]"),
        (lambda: conf.override({"s.k": 1}), "values"),
        (lambda: conf.override({"sk": 1}), "values"),
        (lambda: conf.override([("s", "k")]), "values"),
        (lambda: isolated("billing", {"s.k": 1}), "options"),
        (lambda: isolated("billing", environ=["A"]), "environ"),
        (lambda: MemoryBackend(variables=["a"]), "variables"),
        (lambda: masking.redact_text(None), "text"),  # type: ignore[arg-type]
        (lambda: masking.configure(names=5), "names"),  # type: ignore[arg-type]
        (lambda: masking.configure(min_length="5"), "min_length"),  # type: ignore[arg-type]
    ],
)
def test_the_error_names_the_argument(app: App, call: Callable[[], Any], argument: str) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        call()
    assert caught.value.where == argument


def test_one_sensitive_name_is_not_a_list_of_letters() -> None:
    masking.configure(names="my_pin")
    assert masking.redact({"my_pin": "12345", "m": "shown"}) == {"my_pin": "***", "m": "shown"}


def test_explain_shows_how_an_option_is_read(app: App) -> None:
    with pytest.raises(AttributeError, match=r'conf\.get\("server", "port"\)'):
        _ = conf.server.port
    for asked in (conf, app.conf):
        with pytest.raises(errors.InvalidArgument, match=r'conf\.get\("server", "port"\)'):
            _ = asked["server"]
        for getter in ("get", "getint", "getboolean", "getlist", "getjson", "value", "has_option"):
            with pytest.raises(errors.InvalidArgument, match=r'conf\.get\("server", "port"\)'):
                getattr(asked, getter)("server.port")


def test_python_code_without_a_project_gets_an_explanation(tmp_path: Path) -> None:
    code = """
from framework import conf, Connection, Variable, errors
for ask in (lambda: conf.get("a", "b"), lambda: Connection.get("a"), lambda: Variable.get("a")):
    try:
        ask()
    except errors.FrameworkError as fault:
        print("No project was found here" in str(fault), "[tool.framework]" in str(fault))
"""
    environ = {name: text for name, text in os.environ.items() if not name.startswith("FRAMEWORK")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "True True\n" * 3, done.stderr


# Where it runs


@pytest.mark.parametrize(
    "here, text, shown",
    [
        ("/", "/etc/app.cfg:3: the value a/b of /x", "/etc/app.cfg:3: the value a/b of /x"),
        ("/srv/app", "/srv/app/app.cfg:3: [a] b", "app.cfg:3: [a] b"),
        ("/srv", "sqlite:////srv/x.db, /mnt/srv/x, '/srv/y'", "sqlite:////srv/x.db, /mnt/srv/x, 'y'"),
        ("/srv/app", "/srv/application/x", "/srv/application/x"),
    ],
)
def test_paths_are_shortened_as_paths(monkeypatch: pytest.MonkeyPatch, here: str, text: str, shown: str) -> None:
    monkeypatch.setattr(os, "getcwd", lambda: here)
    assert short(text) == shown


@pytest.mark.parametrize("variable", ["BILLING_HOME", "BILLING_CONFIG"])
def test_an_empty_variable_counts_as_not_set(world: World, variable: str) -> None:
    world.write("billing/billing.cfg", "[a]\nb = found\n")
    world.set(**{variable: "", "HOME": str(world.home)})
    app = App("billing")
    assert app.home == str(world.home / "billing") and app.conf.get("a", "b") == "found"


@pytest.mark.parametrize("home", [None, ""])
def test_without_a_home_directory_the_variable_to_set_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch, home: str | None
) -> None:
    def nobody(_: object) -> Any:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    environ = {} if home is None else {"HOME": home}
    with pytest.raises(errors.ConfigError, match="^BILLING_HOME: .*Set BILLING_HOME to an absolute path"):
        App("billing", environ=environ)
    with pytest.raises(errors.InvalidArgument, match="^config: "):
        App("billing", environ=environ, config="~/x.cfg")
    assert App("billing", environ={**environ, "BILLING_HOME": "/srv"}).home == "/srv"


# Files and URLs


def test_yaml_sections_may_be_empty_and_anchors_have_a_place(world: World) -> None:
    text = "x-base: &base\n  port: 1\n.hidden: [1]\nserver:\n#  port: 8080\nmail:\n  <<: *base\n"
    app = App("billing", home=world.home, config_files=world.write("a.yaml", text))
    assert app.conf.getint("mail", "port") == 1
    assert app.conf.sections() and "x-base" not in app.conf.sections() and ".hidden" not in app.conf.sections()
    with pytest.raises(errors.OptionNotFound):
        app.conf.get("server", "port")


def test_anchors_in_dynaconfs_files_are_not_settings(world: World) -> None:
    pytest.importorskip("dynaconf")
    text = "x-base: &base\n  port: 1\nmail: *base\n"
    app = App("billing", home=world.home, settings_files=world.write("s.yaml", text))
    assert app.conf.getint("mail", "port") == 1 and "x-base" not in app.conf.sections()


@pytest.mark.parametrize("value", ["!!binary aGk=", "[!!binary aGk=]"])
def test_binary_is_refused_with_its_line(world: World, value: str) -> None:
    path = world.write("a.yaml", f"server:\n  port: 1\n  blob: {value}\n")
    with pytest.raises(errors.ConfigFileError, match=r"a\.yaml:3: 'blob' is !!binary"):
        App("billing", home=world.home, config_files=path)


@pytest.mark.parametrize(
    "name, text, words",
    [
        ("a.yaml", "- server\n", "a list, .* Write `server:`"),
        ("a.yaml", "server\n", "a single value, .* Write `server:`"),
        ("a.json", "[1]", 'a list, .* Write {"server": {"port": 8080}}'),
    ],
)
def test_a_value_that_is_not_a_table_is_answered_with_how_to_write_one(
    world: World, name: str, text: str, words: str
) -> None:
    with pytest.raises(errors.ConfigFileError, match=words):
        read_table(str(world.write(name, text)))


@pytest.mark.parametrize(
    "text, part", [("sec#/Access%20Key", "/Access Key"), ("sec#/a%25b", "/a%b"), ("sec#/%C3%BC", "/ü")]
)
def test_a_part_is_percent_encoded(text: str, part: str) -> None:
    assert parse_reference(text).part == part


def test_a_part_with_a_blank_is_found(world: World) -> None:
    world.set(BILLING_SECRET_SEC='{"Access Key": "abc"}', BILLING__MAIL__PASSWORD_SECRET="sec#/Access%20Key")
    assert world.app().conf.get("mail", "password") == "abc"
    with pytest.raises(ValueError, match="%25"):
        parse_reference("sec#/%FF")


@pytest.mark.parametrize(
    "url, code",
    [
        ("postgresql://me:p@ss@host/db", "%40"),
        ("mysql://me@corp:pass@host/db", "%40"),
        ("postgresql+psycopg://me:p/ss@host/db", "%2F"),
    ],
)
def test_a_character_that_ends_the_password_is_reported(url: str, code: str) -> None:
    with pytest.raises(errors.BackendError, match=f"Write {code}") as caught:
        database.open(url)
    assert "ss@" not in str(caught.value)
    database.open(url.replace("p@ss", "p%40ss").replace("me@corp", "me%40corp").replace("p/ss", "p%2Fss"))


@pytest.mark.parametrize("name", ["getenum", "getenumlist"])
@pytest.mark.parametrize("enum_class", [5, int, "x", None])
def test_an_invalid_enum_class(name: str, enum_class: object) -> None:
    conf = App("billing", environ={"BILLING__S__K": "1"}).conf
    with pytest.raises(errors.InvalidArgument, match="enum_class: expected a subclass of enum.Enum, not"):
        getattr(conf, name)("s", "k", enum_class)
    with pytest.raises(errors.InvalidArgument, match="enum_class: the enum class is missing"):
        getattr(conf, name)("s", "k")


@pytest.mark.parametrize("delimiter", ["", 5, None, b","])
def test_an_invalid_delimiter_is_refused(delimiter: object) -> None:
    conf = App("billing", environ={"BILLING__S__K": "1"}).conf
    with pytest.raises(errors.InvalidArgument, match="delimiter: "):
        conf.getlist("s", "k", delimiter)  # type: ignore[arg-type]
