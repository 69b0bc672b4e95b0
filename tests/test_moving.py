"""What helps an application that moves over, and one that is built without its secrets."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import World

from framework import App, errors

SCHEMA: dict[str, Any] = {
    "db": {"options": {"pool": {"type": "integer", "default": "5"}, "password": {"type": "string", "sensitive": True}}},
    "db.replica": {"options": {"host": {"type": "string"}}},
}


def app_with(style: str = "single", **environ: str) -> App:
    return App("shop", schema=SCHEMA, env_style=style, environ=environ)


# One underscore after the name


def test_a_variable_with_one_underscore_sets_an_option() -> None:
    app = app_with(SHOP_DB__POOL="9", SHOP_DB_REPLICA__HOST="r", SHOP_OTHER__KEY="x")
    assert app.conf.getint("db", "pool") == 9
    assert app.conf.get("db.replica", "host") == "r"
    assert app.conf.get("other", "key") == "x"
    assert ("other", "key") in list(app.engine.entries())
    assert app.conf.explain("db", "pool").mentions[0].origin == "SHOP_DB__POOL"


def test_two_underscores_win() -> None:
    environ = {"SHOP_DB__POOL": "9"}
    app = App("shop", schema=SCHEMA, env_style="single", environ=environ)
    for _ in range(2):
        assert app.conf.getint("db", "pool") == 9
    environ["SHOP__DB__POOL"] = "7"
    for _ in range(2):
        assert app.conf.getint("db", "pool") == 7
        assert app.conf.get("db", "pool") == "7"
    del environ["SHOP__DB__POOL"], environ["SHOP_DB__POOL"]
    assert app.conf.getint("db", "pool") == 5
    environ["SHOP_DB__POOL"] = "8"
    assert app.conf.getint("db", "pool") == 8


def test_pointers_have_one_underscore_as_well() -> None:
    app = app_with(SHOP_DB__PASSWORD_SECRET="db-password", SHOP_SECRET_DB_PASSWORD="made-up")
    assert app.conf.get("db", "password") == "made-up"


def test_a_plain_variable_wins_over_a_pointer_however_they_are_spelt() -> None:
    app = app_with(SHOP__DB__PASSWORD_SECRET="gone", SHOP_DB__PASSWORD="made-up")
    assert app.conf.get("db", "password") == "made-up"


def test_names_of_connections_variables_and_secrets_set_no_option() -> None:
    app = app_with(SHOP_CONN_A__B="x://h", SHOP_VAR_A__B="v", SHOP_SECRET_A__B="s")
    assert not [name for name in app.engine.entries() if name[1] == "b"]
    assert app.get_variable("a__b") == "v"


def test_without_the_style_such_a_variable_sets_nothing() -> None:
    app = app_with("double", SHOP_DB__POOL="9")
    assert app.conf.getint("db", "pool") == 5


def test_the_style_is_a_setting_of_the_project(world: World) -> None:
    world.project(env_style="single")
    world.set(BILLING_DB__POOL="9")
    status, out, err = world.run("config", "get-value", "db", "pool")
    assert (status, out) == (0, "9\n"), err
    world.project(env_style="triple")
    assert "'double', 'single'" in world.run("dump")[2]


def test_dotenv_files_have_the_style_too(world: World) -> None:
    world.write(".env", "BILLING_DB__POOL=9\n")
    world.project(env_style="single", dotenv=[".env"])
    assert "# .env: .env:1\npool = 9\n" in world.run("dump", "--changed")[1]


# A build without secrets


def test_a_missing_secret_has_a_placeholder_and_a_warning() -> None:
    environ = {"SHOP__DB__PASSWORD_SECRET": "gone"}
    app = App("shop", schema=SCHEMA, missing_secrets="placeholder", environ=environ)
    with pytest.warns(errors.FrameworkWarning, match="'gone' not found.* A placeholder is used for .db. password"):
        assert app.conf.get("db", "password") == "missing-secret-db-password"
    assert app.prefetch() == {}


@pytest.mark.parametrize(("form", "text"), [("FILE", "/gone"), ("CMD", "no-such-program")])
def test_every_kind_of_pointer_has_one(form: str, text: str) -> None:
    environ = {f"SHOP__DB__PASSWORD_{form}": text}
    app = App("shop", schema=SCHEMA, missing_secrets="placeholder", environ=environ)
    with pytest.warns(errors.FrameworkWarning, match="placeholder"):
        assert app.conf.get("db", "password") == "missing-secret-db-password"


def test_a_secret_that_exists_has_no_placeholder() -> None:
    environ = {"SHOP__DB__PASSWORD_SECRET": "there", "SHOP_SECRET_THERE": "made-up"}
    app = App("shop", schema=SCHEMA, missing_secrets="placeholder", environ=environ)
    assert app.conf.get("db", "password") == "made-up"


def test_only_pointers_have_one() -> None:
    app = App("shop", schema=SCHEMA, missing_secrets="placeholder", environ={"SHOP__CORE__FERNET_KEY_SECRET": "gone"})
    with pytest.raises(errors.OptionNotFound):
        app.conf.get("db", "absent")
    with pytest.raises(errors.ConnectionNotFound):
        app.get_connection("absent")
    with pytest.raises(errors.PointerError):
        app.conf.get("core", "fernet_key")


def test_another_word_is_refused() -> None:
    with pytest.raises(errors.InvalidArgument, match=r"missing_secrets.*'error', 'placeholder'"):
        App("shop", missing_secrets="ignore")
