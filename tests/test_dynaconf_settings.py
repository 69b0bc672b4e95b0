"""dynaconf's settings files as it reads them itself: environments, merging, settings outside tables, validators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from conftest import World
from dynaconf import Dynaconf

from framework import App
from framework.errors import ConfigFileError, OptionNotFound

BASE = """\
debug = true

[database]
host = "localhost"
ports = [1, 2]

[database.pool]
size = 5

[database.pool.limits]
wait = 30
"""
DIVIDED = """\
[default]
debug = true
port = 80

[default.database]
host = "localhost"
user = "u"

[default.database.pool]
size = 5
wait = 1

[production]
debug = false

[production.database]
dynaconf_merge = true
host = "db.example"

[global.server]
name = "everywhere"
"""

#: What is tried: the files in order, the environment, and whether the tables are environments.
CASES: dict[str, tuple[dict[str, str], str, bool]] = {
    "nested": ({"a.toml": BASE}, "development", False),
    "merge by a dunder key": (
        {"a.toml": BASE, "b.toml": 'DATABASE__HOST = "h"\nDATABASE__POOL__SIZE = 9\n'},
        "x",
        False,
    ),
    "dunder key alone": ({"a.toml": "DATABASES__DEFAULT__NAME = 'n'\ndatabases__password = 'p'\n"}, "x", False),
    "dunder key merges": ({"a.toml": BASE, "b.toml": "[database]\ndynaconf_merge = true\nuser = 'u'\n"}, "x", False),
    "a table replaces": ({"a.toml": BASE, "b.toml": "[database]\nuser = 'u'\n"}, "x", False),
    "a list merges": ({"a.toml": BASE, "b.toml": "[database]\nports = [3, 'dynaconf_merge']\n"}, "x", False),
    "one key merges": ({"a.toml": BASE, "b.toml": "database__ports = ['dynaconf_merge', 3]\n"}, "x", False),
    "divided": ({"a.toml": DIVIDED}, "production", True),
    "no such table": ({"a.toml": DIVIDED}, "staging", True),
    "dunder in an environment": (
        {"a.toml": DIVIDED, "b.toml": "[production]\nDATABASE__POOL__SIZE = 9\n[default]\ndatabase__user = 'other'\n"},
        "production",
        True,
    ),
    "global wins": (
        {"a.toml": '[global.server]\nname = "g"\n[production.server]\nname = "p"\n[default.server]\nname = "d"\n'},
        "production",
        True,
    ),
    "global alone": ({"a.toml": '[global.server]\nname = "g"\n'}, "production", True),
    "a section called default": ({"a.toml": "[default]\nx = 1\n[production]\nx = 2\n"}, "production", False),
    "yaml": (
        {"a.yaml": "production:\n  server: {port: 1}\ndefault:\n  server: {port: 2, host: h}\n"},
        "production",
        True,
    ),
    "json": ({"a.json": '{"database": {"pool": {"size": 1}}, "database__pool__size": 2}'}, "x", False),
    "dotted lookup off": ({"a.toml": "dynaconf_dotted_lookup = false\n[default]\na__b = 1\n"}, "x", True),
}


def leaves(table: Any, trail: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Everything in a tree that is not a table, by its trail in lower case."""
    for key, value in table.items():
        inner = (*trail, str(key).lower())
        if isinstance(value, dict):
            yield from leaves(value, inner)
        else:
            yield inner, value


@pytest.mark.parametrize("case", CASES)
def test_what_dynaconf_reads_is_read(world: World, case: str) -> None:
    files, env, divided = CASES[case]
    for name, text in files.items():
        world.write(name, text)
    real = Dynaconf(
        settings_files=[str(world.home / name) for name in files],
        environments=divided,
        env=env,
        envvar_prefix="NOTHING",
    )
    expected = {("app", *trail)[-max(2, len(trail)) :]: value for trail, value in leaves(real.as_dict())}
    app = App(
        "billing",
        home=str(world.home),
        env=env,
        settings_files=list(files),
        settings_environments=divided,
        root_section="app",
    )
    assert expected
    for trail, value in expected.items():
        section, key = ".".join(trail[:-1]), trail[-1]
        assert app.conf.value(section, key) == value, trail
        assert (
            app.conf.explain(section, key)
            .mentions[0]
            .origin.startswith(tuple(f"{world.home}/{name}" for name in files))
        )
    layer = next(layer for layer in app.engine.layers if layer.name == "settings")
    tables = {name for name in layer.entries() if isinstance(layer.find(*name)[0], dict)}  # type: ignore[index]
    assert set(layer.entries()) - tables == {(".".join(trail[:-1]), trail[-1]) for trail in expected}


@pytest.mark.parametrize(
    "value", ["@int 5", "@jinja {{ 1 + 1 }}", "@format {this.x}", "@del", "@merge x=1", "@read_file /x"]
)
def test_a_token_stays_text_wherever_it_is(world: World, value: str) -> None:
    world.write("a.toml", f"database__size = '{value}'\nsize = '{value}'\n[server]\nsize = '{value}'\n")
    app = App("billing", home=str(world.home), settings_files=["a.toml"], root_section="app")
    assert [app.conf.value(section, "size") for section in ("database", "app", "server")] == [value] * 3


def test_settings_outside_of_tables_are_reported_until_they_have_a_section(world: World) -> None:
    world.project(settings_files=["settings.toml"])
    world.write("settings.toml", "debug = true\nport = 1\ndynaconf_merge = true\n[server]\nhost = 'h'\n")
    status, out, err = world.run("check")
    assert (status, out, err) == (
        1,
        "error: settings.toml:1: debug is outside every table, and not read: set root_section, a section for it\n"
        "error: settings.toml:2: port is outside every table, and not read: set root_section, a section for it\n",
        "2 errors, 0 warnings\n",
    )
    world.project(settings_files=["settings.toml"], root_section="app")
    assert world.run("check") == (0, "", "0 errors, 0 warnings\n")
    assert world.run("config", "get-value", "app", "port")[:2] == (0, "1\n")
    assert world.app().answer("app", "debug").mention.origin == f"{world.home}/settings.toml:1"


def test_a_root_section_that_is_a_table_is_joined_unless_both_say_the_same(world: World) -> None:
    world.project(settings_files=["settings.toml"], root_section="App")
    world.write("settings.toml", "port = 1\n[app]\nhost = 'h'\n")
    assert world.app().conf.getsection("app") == {"host": "h", "port": 1}
    world.write("settings.toml", "host = 'x'\n[app]\nhost = 'h'\n")
    with pytest.raises(ConfigFileError, match="settings.toml:1: \\[App\\] host is also written outside"):
        world.app()


def test_settings_environments_overrules_the_guess(world: World) -> None:
    world.write("settings.toml", "[default]\nx = 1\n[production]\nx = 2\n[production.server]\nport = 1\n")
    world.set(BILLING_ENV="production")
    world.project(settings_files=["settings.toml"], settings_environments=False)
    conf = world.app().conf
    assert (conf.value("default", "x"), conf.value("production", "x")) == (1, 2)
    assert conf.value("production.server", "port") == 1
    world.project(settings_files=["settings.toml"], settings_environments=True, root_section="app")
    conf = world.app().conf
    assert (conf.value("app", "x"), conf.value("server", "port")) == (2, 1)
    with pytest.raises(OptionNotFound):
        conf.get("production", "x")


@pytest.mark.parametrize(
    ("text", "settings", "hint"),
    [
        ("[default.s]\na = 1\n[production.s]\na = 2\n", {}, "Did you mean production?"),
        ("[development.s]\na = 1\n[production.s]\na = 2\n", {}, "write settings_environments = true, or else false."),
        ("[eu.s]\na = 1\n[production.s]\na = 2\n", {"settings_environments": True}, "Did you mean production?"),
        ("[eu.s]\na = 1\n", {"settings_environments": True}, "list it in environments"),
    ],
)
def test_an_environment_that_no_file_has_is_reported(
    world: World, text: str, settings: dict[str, Any], hint: str
) -> None:
    world.project(settings_files=["settings.toml"], **settings)
    world.write("settings.toml", text)
    world.set(BILLING_ENV="prodution")
    with pytest.warns(UserWarning, match="no settings file has a table for the environment 'prodution', only for"):
        world.app()
    status, out, err = world.run("check")
    assert (status, err) == (1, "1 error, 0 warnings\n")
    assert out.startswith("error: BILLING_ENV: no settings file has a table for the environment 'prodution', only for ")
    assert out.endswith(f"{hint}\n") or hint in out
    world.project(
        settings_files=["settings.toml"], environments=["prodution", "production", "development", "eu"], **settings
    )
    assert world.run("check")[0] == 0


def test_what_no_environment_can_have_is_reported(world: World) -> None:
    settings = {"settings_files": ["settings.toml"], "settings_environments": True}
    world.project(**settings, root_section="app", environments=["development", "production"])
    world.write("settings.toml", "debug = true\n[default]\nport = 1\n[production.s]\na = 1\n[prodution.s]\na = 2\n")
    assert world.run("check") == (
        1,
        "error: settings.toml:1: debug is outside every environment, and not read: put it under [default]\n"
        "error: settings.toml:6: [prodution] is not read: there is no environment of that name (development, "
        "production)\n",
        "2 errors, 0 warnings\n",
    )


@pytest.mark.parametrize("text", ["[server]\nport = 1\n", "[default.s]\na = 1\n", "[global.s]\na = 1\n[default]\n"])
def test_settings_that_are_of_every_environment_are_fine(world: World, text: str) -> None:
    world.project(settings_files=["settings.toml"])
    world.write("settings.toml", text)
    world.set(BILLING_ENV="staging")
    assert world.run("check") == (0, "", "0 errors, 0 warnings\n")


OBJECT = """\
from dynaconf import Dynaconf, Validator
settings = Dynaconf(settings_files=["settings.toml"], envvar_prefix="NOTHING", validators=[{}])
"""


@pytest.mark.parametrize(
    ("validator", "words"),
    [
        ('Validator("PORT", gte=1024)', "PORT must gte 1024 but it is 80 in env main"),
        ('Validator("server.host", must_exist=True)', "server.host is required in env main"),
        ('Validator("MAIL.PASSWORD", eq="x")', "MAIL.PASSWORD must eq x but it is < hidden > in env main"),
        ('Validator("MAIL", is_type_of=list)', "but it is < hidden > in env main"),
        (
            'Validator("MAIL__PASSWORD", condition=lambda v: False)',
            "MAIL__PASSWORD invalid for <lambda>(< hidden >) in",
        ),
        ('Validator("PORT", condition=lambda v: v > 99)', "PORT invalid for <lambda>(80) in env main"),
        ('Validator("LONG", eq="x")', "LONG must eq x but it is < hidden > in env main"),
        ('Validator("PORT", gte=100) & Validator("MAIL.PASSWORD", eq="x")', "PORT must gte 100 but it is"),
        ('Validator("PORT", gte=100) | Validator("MAIL.PASSWORD", eq="x")', "combined validators failed"),
        (
            'Validator("PORT", gte=1, messages={"operations": "take {value}!"}), Validator("NO", must_exist=True)',
            "NO is",
        ),
        ('Validator("MAIL.PASSWORD", eq="x", messages={"operations": "is {value}!"})', "that of MAIL.PASSWORD, whose"),
    ],
)
def test_a_failing_validator_is_reported_in_its_own_words(world: World, validator: str, words: str) -> None:
    secret = "hunter2-canary"
    world.write("settings.toml", f"port = 80\nlong = 'postgres://u:{secret}@h'\n[mail]\npassword = '{secret}'\n")
    world.write("our_settings.py", OBJECT.format(validator))
    world.project(dynaconf="our_settings:settings")
    status, out, err = world.run("dump")
    assert (status, out) == (1, "")
    assert err.startswith("error: our_settings:settings: a validator of the settings fails: ")
    assert words in err
    assert secret not in err


def test_the_settings_of_an_object_have_sections_as_those_of_files(world: World) -> None:
    world.write("settings.toml", "port = 80\n[database.pool]\nsize = 1\n")
    world.write("our_settings.py", OBJECT.format(""))
    world.project(dynaconf="our_settings:settings")
    assert world.app().conf.value("database.pool", "size") == 1
    assert "our_settings:settings: port is outside every table" in world.run("check")[1]
    world.project(dynaconf="our_settings:settings", root_section="app")
    assert world.app().conf.value("app", "port") == 80
    assert world.run("check")[0] == 0
