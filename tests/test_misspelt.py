"""Variables that begin like the application's and have no meaning are reported with the probable intention."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import World

from framework import App
from framework.options.misspelt import misspelt

SCHEMA = """
[server.options.port]
type = "integer"
default = 8080
[server.options.log_level]
default = "info"
["db.pool".options.size]
type = "integer"
default = 5
[mail.options.password]
sensitive = true
"""

MEANT = {
    "BILLING_SERVER_PORT": "BILLING__SERVER__PORT",
    "BILLING__SERVER_PORT": "BILLING__SERVER__PORT",
    "BILLING_SERVER__PORT": "BILLING__SERVER__PORT",
    "BILLING__PORT": "BILLING__SERVER__PORT",
    "BILLING_PORT": "BILLING__SERVER__PORT",
    "BILLING_SERVR_PORT": "BILLING__SERVER__PORT",
    "billing__server__port": "BILLING__SERVER__PORT",
    "Billing__Server__Port": "BILLING__SERVER__PORT",
    "BILLING___SERVER__PORT": "BILLING__SERVER__PORT",
    "BILLING__SERVER___PORT": "BILLING__SERVER__PORT",
    "BILLING__SERVER_LOG_LEVEL": "BILLING__SERVER__LOG_LEVEL",
    "BILLING_LOG_LEVEL": "BILLING__SERVER__LOG_LEVEL",
    "BILLING__LOGLEVEL": "BILLING__SERVER__LOG_LEVEL",
    "BILLING_DB_POOL_SIZE": "BILLING__DB_POOL__SIZE",
    "BILLING__DB__POOL__SIZE": "BILLING__DB_POOL__SIZE",
    "BILLING_MAIL_PASSWORD": "BILLING__MAIL__PASSWORD",
    "BILLING_MAIL_PASSWORD_FILE": "BILLING__MAIL__PASSWORD_FILE",
    "BILLING_MAIL__PASSWORD_SECRET": "BILLING__MAIL__PASSWORD_SECRET",
    "BILLING_SECRETS_BACKEND": "BILLING__SECRETS__BACKEND",
    "BILLING_CORE__FERNET_KEY": "BILLING__CORE__FERNET_KEY",
    "BILLING_CONNECTION_X": "BILLING_CONN_X",
    "BILLING_CONNECTIONS_X": "BILLING_CONN_X",
    "BILLING_CON_X": "BILLING_CONN_X",
    "BILLING_CONN__X": "BILLING_CONN_X",
    "BILLING__CONN__X": "BILLING_CONN_X",
    "BILLING__CONN_X": "BILLING_CONN_X",
    "billing_conn_x": "BILLING_CONN_X",
    "BILLING_VARIABLE_RATE": "BILLING_VAR_RATE",
    "BILLING_VARS_RATE": "BILLING_VAR_RATE",
    "BILLING_VAR__RATE": "BILLING_VAR_RATE",
    "BILLING_SECRET__X": "BILLING_SECRET_X",
    "BILLING_SECRETS_X": "BILLING_SECRET_X",
    "BILLING_HOEM": "BILLING_HOME",
    "BILLING_HOME_DIR": "BILLING_HOME",
    "billing_home": "BILLING_HOME",
    "BILLING_CONF": "BILLING_CONFIG",
    "BILLING_CONFG": "BILLING_CONFIG",
    "BILLING_CONFIG_FILE": "BILLING_CONFIG",
    "BILLING_ENVIRONMENT": "BILLING_ENV",
}

FINE = [
    "BILLING__SERVER__PORT",
    "BILLING__MAIL__PASSWORD_CMD",
    "BILLING_CONN_X",
    "BILLING_CONN_X_Y__Z",
    "BILLING_CONN__TEAM___X",
    "BILLING_VAR_RATE",
    "BILLING_SECRET_SMTP",
    "BILLING_HOME",
    "BILLING_CONFIG",
    "BILLING_ENV",
    "BILLING_API__X",
    "BILLING_API__SERVER__PORT",
    "BILLING_API_HOME",
    "BILLING_API_CONFIG",
    "BILLING_URL",
    "BILLING_VERSION",
    "BILLING_IMAGE_TAG",
    "BILLING__SECRETS__BACKEND_KWARG__URL",
    "BILLINGS_SERVER_PORT",
    "BILLING",
    "BILLING_",
    "SERVER_PORT",
]


def app(tmp_path: Path, **environ: str) -> App:
    (tmp_path / "schema.toml").write_text(SCHEMA)
    (tmp_path / "billing.cfg").write_text("[mail]\npassword_secret = smtp\n")
    return App("billing", home=str(tmp_path), schema=str(tmp_path / "schema.toml"), environ=environ)


@pytest.mark.parametrize("name", MEANT)
def test_the_probable_intention_is_suggested(tmp_path: Path, name: str) -> None:
    [found] = misspelt(app(tmp_path, **{name: "1"}).engine)
    assert (found.name, found.meant) == (name, MEANT[name])


@pytest.mark.parametrize("name", FINE)
def test_what_means_something_or_resembles_nothing_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / "1").touch()
    text = "test" if name == "BILLING_ENV" else f"{tmp_path}/1"
    assert not [*misspelt(app(tmp_path, **{name: text}).engine)]


def test_a_secret_that_is_referred_to_means_something(tmp_path: Path) -> None:
    made = app(tmp_path, BILLING_SECRET__X="1", BILLING__MAIL__PASSWORD_SECRET="/x")
    assert not [*misspelt(made.engine)]
    assert made.conf.get("mail", "password") == "1"


def test_without_a_schema_the_options_of_the_files_are_known(tmp_path: Path) -> None:
    (tmp_path / "billing.cfg").write_text("[server]\nport = 1\n")
    environ = {"BILLING_SERVER_PORT": "2", "BILLING__OTHER__KEY": "3", "BILLING__CONN__X": "4"}
    found = misspelt(App("billing", home=str(tmp_path), environ=environ).engine)
    assert {one.name: one.meant for one in found} == {
        "BILLING_SERVER_PORT": "BILLING__SERVER__PORT",
        "BILLING__CONN__X": "BILLING_CONN_X",
    }


def test_check_and_explain_say_it_with_the_place(world: World) -> None:
    world.write("schema.toml", SCHEMA)
    world.write(".env", "A=1\nBILLING_SERVER_PORT=9\n")
    world.project(schema="schema.toml", dotenv=[".env"])
    world.set(BILLING_HOEM="/x")
    status, out, _ = world.run("check")
    assert status == 0
    lines = out.splitlines()
    assert "warning: BILLING_HOEM: this variable is not read by the application; did you mean BILLING_HOME?" in lines
    assert [line for line in lines if line.startswith(("warning: HOME/.env:2:", "warning: .env:2:"))]
    assert world.run("check", "--strict")[0] == 1
    out = world.run("explain", "server", "port")[1]
    assert "near miss" in out and "did you mean BILLING__SERVER__PORT?" in out
    assert "near miss" not in world.run("explain", "server", "log_level")[1]


def test_a_variable_is_reported_once_as_an_option_that_is_not_declared(world: World) -> None:
    world.write("schema.toml", SCHEMA)
    world.project(schema="schema.toml")
    world.set(BILLING__SERVER__LOGLEVEL="x", BILLING___SERVER__PORT="1", BILLING__DB__POOL__SIZE="1")
    status, out, err = world.run("check")
    what = "no such option is declared; did you mean"
    assert sorted(out.splitlines()) == [
        f"error: BILLING__DB__POOL__SIZE: [db] pool__size: {what} BILLING__DB_POOL__SIZE?",
        f"error: BILLING__SERVER__LOGLEVEL: [server] loglevel: {what} BILLING__SERVER__LOG_LEVEL?",
        f"error: BILLING___SERVER__PORT: [_server] port: {what} BILLING__SERVER__PORT?",
    ]
    assert (status, err) == (1, "3 errors, 0 warnings\n")


@pytest.mark.parametrize("name", ["BILLING_PORT", "BILLING_SERVER_PORT", "BILLING_SERVER_PORT_80_TCP_PORT"])
def test_what_kubernetes_sets_for_a_service_is_not_a_mistake(tmp_path: Path, name: str) -> None:
    service = name.partition("_PORT")[0]
    environ = {f"{service}_PORT": "tcp://10.0.0.1:80", f"{service}_SERVICE_HOST": "10.0.0.1", name: "tcp://10.0.0.1:80"}
    assert not [*misspelt(app(tmp_path, **environ).engine)]
    assert [*misspelt(app(tmp_path, **{f"{service}_PORT": "80"}).engine)]


def test_names_in_the_list_of_sensitive_options_are_names_of_options(world: World) -> None:
    world.write("schema.toml", SCHEMA)
    world.write("billing.cfg", "[mail]\npassword = x\n")
    world.project(schema="schema.toml", sensitive=["mail.pasword", "server", "mail.*", "Server.Port", "a.b"])
    status, out, _ = world.run("check")
    assert status == 1
    place = out.splitlines()[0].split(": ")[1]
    assert place.startswith("pyproject.toml:")
    assert out.splitlines() == [
        f"error: {place}: sensitive: 'mail.pasword' is not an option; did you mean mail.password?",
        f"error: {place}: sensitive: 'server' is not an option; write section.key, or server.* for all options of a "
        "section",
        f"error: {place}: sensitive: 'a.b' is not an option; correct it, or remove it",
    ]


@pytest.mark.parametrize(
    "written, meant",
    [
        ("server.password", "mail.password"),  # the right key, in a section that has nothing like it
        ("srver.port", "server.port"),
        ("server.prt", "server.port"),
        ("mails.password", "mail.password"),
        ("server.log_levl", "server.log_level"),
    ],
)
def test_the_nearest_option(world: World, written: str, meant: str) -> None:
    (section, key), (right, name) = written.split("."), meant.split(".")
    world.write("schema.toml", SCHEMA)
    world.write("more.toml", f"[{section}]\n{key} = '1'\n")
    world.project(schema="schema.toml", config_files=["more.toml"])
    expected = f"error: more.toml:2: [{section}] {key}: no such option is declared; did you mean [{right}] {name}?"
    assert expected in world.run("check")[1].splitlines()
