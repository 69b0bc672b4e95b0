"""Which names are pointers where nothing declares the option, and which references are pasted values."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from conftest import World

from framework import App, BaseSecretsBackend, errors
from framework.options.references import looks_like_token, parse_reference

CANARY = "kQ7vXz2RmT9pLw4Ns8Yb"

OPTIONS = {
    "hooks.build_cmd": "touch ran",
    "hooks.after_cmd": "touch ran",
    "oauth.client_secret": CANARY,
    "oauth.access_token_secret": CANARY,
    "auth.jwt_secret": CANARY,
    "auth.api_key_secret": CANARY,
    "log.log_file": "app.log",
    "tls.key_file": "server.key",
    "auth.token_file": "token.txt",
}


class Recording(BaseSecretsBackend):
    """A store that has nothing, and remembers every name that it was asked for."""

    asked: list[str] = []

    def get_config(self, key: str) -> str | None:
        self.asked.append(key)
        return None


@pytest.fixture
def recording(world: World) -> list[str]:
    Recording.asked.clear()
    world.set(BILLING__SECRETS__BACKEND="test_pointer_names.Recording")
    return Recording.asked


def write(world: World, layer: str, **settings: Any) -> None:
    """The options in one layer."""
    rows = [(*name.split("."), value) for name, value in OPTIONS.items()]
    if layer == "environment":
        world.set(**{f"BILLING__{s.upper()}__{k.upper()}": value for s, k, value in rows})
        world.project(**settings)
    elif layer == ".env":
        world.write(".env", "".join(f"BILLING__{s.upper()}__{k.upper()}='{value}'\n" for s, k, value in rows))
        world.project(dotenv=[".env"], **settings)
    else:
        tables: dict[str, dict[str, str]] = {}
        for s, k, value in rows:
            tables.setdefault(s, {})[k] = value
        cfg = {s: "".join(f"{k} = {v}\n" for k, v in table.items()) for s, table in tables.items()}
        toml = {s: "".join(f"{k} = {json.dumps(v)}\n" for k, v in table.items()) for s, table in tables.items()}
        name, text = {
            "main cfg": ("billing.cfg", "".join(f"[{s}]\n{lines}" for s, lines in cfg.items())),
            "TOML": ("more.toml", "".join(f"[{s}]\n{lines}" for s, lines in toml.items())),
            "YAML": ("more.yaml", json.dumps(tables)),
            "JSON": ("more.json", json.dumps(tables)),
            "settings": ("settings.yaml", json.dumps(tables)),
        }[layer]
        world.write(name, text)
        files = {"main cfg": {}, "settings": {"settings_files": [name]}}.get(layer, {"config_files": [name]})
        world.project(**files, **settings)


LAYERS = ("environment", ".env", "main cfg", "TOML", "YAML", "JSON", "settings")


@pytest.mark.parametrize("layer", LAYERS)
def test_an_undeclared_name_is_an_option_whatever_its_ending(world: World, recording: list[str], layer: str) -> None:
    write(world, layer)
    app = world.app()
    for name, value in OPTIONS.items():
        section, key = name.split(".")
        assert app.conf.get(section, key) == value
        assert app.conf.getsection(section)[key] == value
        assert key in app.conf.as_dict(display_sensitive=True)[section]
        with pytest.raises(errors.OptionNotFound):
            app.conf.get(section, key.rpartition("_")[0])
    assert app.prefetch() == {}
    for words in (
        *(("dump", "--format", form) for form in ("cfg", "json", "yaml", "toml", "env", "table")),
        ("check",),
        ("stats",),
        ("dump", "--plan"),
        ("config", "list", "--show-values"),
        ("explain", "oauth", "client_secret"),
        ("explain", "oauth", "client"),
    ):
        status, out, err = world.run(*words)
        assert CANARY not in out + err, words
        assert status == (1 if words == ("explain", "oauth", "client") else 0), (words, out, err)
    assert not (world.home / "ran").exists()
    assert recording == []


def test_check_explains_once_how_to_make_it_a_pointer(world: World) -> None:
    world.write("billing.cfg", "[oauth]\nclient_secret = zz\n[log]\nlog_file = app.log\n")
    world.set(BILLING__OAUTH__CLIENT_SECRET="yy")
    world.project()
    status, out, _ = world.run("check", "--strict")
    assert status == 0
    assert out.count('write sensitive = ["oauth.client"] if this is meant as a pointer') == 1
    assert out.count('write sensitive = ["log.log"] if this is meant as a pointer') == 1


def test_reading_an_option_warns_of_a_pointer_that_is_ignored(world: World) -> None:
    world.write("billing.cfg", "[oauth]\nclient_secret = zz\n")
    world.project()
    with pytest.raises(
        errors.OptionNotFound, match=r'billing.cfg:2 sets client_secret, .*sensitive = \["oauth.client"\]'
    ):
        world.app().conf.get("oauth", "client")


def test_an_unknown_schema_name_is_answered_with_how_to_make_it_a_pointer(world: World) -> None:
    world.write("schema.toml", "[server.options.port]\ntype = 'integer'\ndefault = 1\n")
    world.write("billing.cfg", "[oauth]\nclient_secret = zz\n")
    world.project(schema="schema.toml")
    status, out, _ = world.run("check")
    assert status == 1
    assert 'no such option is declared; write sensitive = ["oauth.client"] if this is meant as a pointer' in out


@pytest.mark.parametrize("key", ["password", "db_password", "smtp_passwd", "key_passphrase"])
@pytest.mark.parametrize("has_schema", [False, True])
def test_names_that_end_like_a_password_may_be_pointers(tmp_path: Path, key: str, has_schema: bool) -> None:
    (tmp_path / "billing.cfg").write_text(
        f"[x]\n{key}_secret = there\n[y]\n{key}_cmd = echo printed\n[z]\n{key}_file = f\n"
    )
    (tmp_path / "f").write_text("read\n")
    schema = {"server": {"options": {"port": {"type": "integer", "default": "1"}}}} if has_schema else None
    environ = {"BILLING_SECRET_THERE": "found", "PATH": os.environ["PATH"]}
    app = App("billing", home=str(tmp_path), environ=environ, schema=schema)
    assert [app.conf.get(section, key) for section in "xyz"] == ["found", "printed", "read"]
    assert app.conf.getsection("x") == {key: "found"}


def test_a_pattern_makes_a_pointer(tmp_path: Path) -> None:
    (tmp_path / "billing.cfg").write_text("[oauth]\nclient_secret = there\n")
    environ = {"BILLING_SECRET_THERE": "found"}
    app = App("billing", home=str(tmp_path), environ=environ, sensitive=["oauth.client"])
    assert app.conf.get("oauth", "client") == "found"


def test_a_reference_of_an_undeclared_option_is_not_shown_when_it_leads_nowhere(
    world: World, recording: list[str]
) -> None:
    """It may be the password itself."""
    world.write("billing.cfg", "[db]\npassword_secret = hunter2x\n")
    world.project()
    for words in (
        ("dump",),
        ("check",),
        ("stats",),
        ("config", "get-value", "db", "password"),
        ("explain", "db", "password"),
    ):
        _, out, err = world.run(*words)
        assert "hunter2x" not in out + err, words
    assert recording  # a name is what a pointer holds: the store was asked
    with pytest.raises(errors.PointerError) as caught:
        world.app().conf.get("db", "password")
    fault: BaseException | None = caught.value
    assert 'sensitive = ["db.password"]' in str(fault)
    while fault is not None:
        assert "hunter2x" not in f"{fault!r} {fault.args}"
        fault = fault.__cause__
    world.project(sensitive=["db.password"])
    assert "'hunter2x'" in world.run("config", "get-value", "db", "password")[2]


@pytest.mark.parametrize("name", ["n", "db", "pw1"])
def test_a_short_reference_is_hidden_and_the_message_can_be_read(world: World, name: str) -> None:
    world.write("billing.cfg", f"[s]\npassword_secret = {name}\n")
    world.project()
    _, _, err = world.run("config", "get-value", "s", "password")
    assert f"'{name}'" not in err
    assert f"_{name.upper()}" not in err
    assert "The reference is not shown, because [s] password is not declared" in err
    world.set(BILLING_SECRET_DB="1", BILLING_SECRET_N="1", BILLING_SECRET_PW1="1")
    world.write("billing.cfg", f"[s]\npassword_secret = {name}#/part\n")
    assert "has no such part" in world.run("config", "get-value", "s", "password")[2]


TOKENS = [
    "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a",
    "github_pat_" + "11ABCDEFG0abcdefghijkl",
    "glpat-" + "xxYYzz1122334455",
    "xoxb-" + "123456789012-abcdefABCDEF",
    "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "sk-" + "proj-abcDEF123456ghiJKL789",
    "AKIA" + "IOSFODNN7EXAMPLE",
    "AIza" + "SyA1234567890abcdefGHIJKLMNOP",
    "hvs." + "CAESIJ1234567890abcdef",
    "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    "npm_" + "abcdefghijklmnop1234567890",
    CANARY,
    "prod/" + CANARY,
    CANARY + "#/part",
    CANARY + "?version=1",
    "c2VjcmV0IHZhbHVl" + "cw==",
    "YWJj" + "ZA=",
    "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY",
    "0123456789abcdef" * 2,
    "DEADBEEF" * 5,
]

NAMES = [
    "smtp-password",
    "mail/keys",
    "npm_token",
    "sk-billing-database",
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:billing/db-AbCdEf",
    "projects/my-project/secrets/billing",
    "secret/data/BillingService/DatabasePassword",
    "/prod/billing/db/password1",
    "BILLING_DATABASE_PASSWORD_2",
    "billingDatabasePassword",
    "e6qk2v7mt0c1b5h9d3fa",
    "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    "projects/1234567890123456789012345678901234/secrets/x",
    "airflow--config--sql-alchemy-conn",
    "Prod/Billing/EuWest1/PrimaryDatabase/AdminPassword",
]


@pytest.mark.parametrize("text", TOKENS)
def test_what_has_the_shape_of_a_token_is_refused_unasked_and_unprinted(
    world: World, recording: list[str], text: str
) -> None:
    assert looks_like_token(text) or looks_like_token(text.partition("#")[0].partition("?")[0])
    world.write("schema.toml", "[a.options.key]\nsensitive = true\n")
    world.write("billing.cfg", f"[a]\nkey_secret = {text}\n[b]\npassword_secret = {text}\n")
    world.project(schema="schema.toml")
    for words in (("dump",), ("check",), ("stats",), ("explain", "a", "key"), ("policy", "--kind", "vault")):
        _, out, err = world.run(*words)
        assert text[:12] not in out + err, words
    with pytest.raises(errors.PointerError, match="looks like a token or key"):
        world.app().conf.get("a", "key")
    assert recording == []
    world.set(BILLING__SECRETS__ALLOW_TOKEN_LIKE_NAMES="true")
    with pytest.raises(errors.PointerError) as caught:
        world.app().conf.get("a", "key")
    assert "looks like a token" not in str(caught.value)
    assert recording or "?" in text  # this store keeps no versions, so it is not asked for one


@pytest.mark.parametrize("text", NAMES)
def test_names_of_secrets_are_read_as_names(text: str) -> None:
    assert parse_reference(text).name == text


def test_what_config_set_writes_is_read_by_the_same_rule(world: World) -> None:
    world.write("billing.cfg", "")
    world.project()
    status, _, err = world.run("config", "set", "db", "password_secret", CANARY)
    assert (status, CANARY in err) == (1, False)
    assert world.run("config", "set", "log", "log_file", "app.log")[0] == 0
    assert world.app().conf.get("log", "log_file") == "app.log"
