"""dynaconf's settings filled from our chain and our options, by loaders that dynaconf runs itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from framework import current, errors, masking
from framework.backends.base import BaseSecretsBackend

dynaconf = pytest.importorskip("dynaconf")

OPTIONS, SECRETS = "framework.integrations.dynaconf.options", "framework.integrations.dynaconf.secrets"
ENV = "dynaconf.loaders.env_loader"
CANARY = "canary-smtp-password"


def settings(*loaders: str, **options: Any) -> Any:
    return dynaconf.Dynaconf(
        settings_files=["settings.toml"], envvar_prefix="SHOP", LOADERS_FOR_DYNACONF=list(loaders), **options
    )


@pytest.fixture
def shop(world: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A dynaconf project whose application is ours, found in the working directory."""
    world.project(schema="schema.toml", config_files=["app.toml"])
    world.write("schema.toml", '[pool.options.size]\ntype = "integer"\ndefault = "3"\n')
    world.write("app.toml", '[db]\nuser = "app"\n[db.tls]\ncert = "c.pem"\n')
    world.write("settings.toml", "")
    current.use(world.app())
    return world


def test_a_secret_takes_the_place_of_its_reference(shop: Any) -> None:
    shop.set(BILLING_SECRET_SMTP_PASSWORD=CANARY, BILLING_SECRET_PAIR=json.dumps({"user": "u", "pass": "p-canary"}))
    shop.write(
        "settings.toml",
        '[db]\npassword = "@secret smtp-password"\nhost = "h"\n'
        'parts = ["@secret pair#/user", {again = "@secret pair#/pass"}]\n',
    )
    found = settings(ENV, SECRETS)
    assert found.DB.PASSWORD == CANARY
    assert found.db.parts[0] == "u"
    assert found.db.parts[1].again == "p-canary"
    assert found.DB.HOST == "h"
    assert CANARY not in masking.redact(f"{found.DB.PASSWORD}")


def test_a_variable_may_hold_a_reference(shop: Any) -> None:
    shop.set(BILLING_SECRET_SMTP_PASSWORD=CANARY, SHOP_DB__PASSWORD="@secret smtp-password")
    assert settings(ENV, SECRETS).DB.PASSWORD == CANARY


def test_reload_asks_again(shop: Any) -> None:
    shop.set(BILLING_SECRET_KEY="old")
    shop.write("settings.toml", 'key = "@secret key"')
    found = settings(SECRETS)
    assert found.KEY == "old"
    shop.set(BILLING_SECRET_KEY="new")
    found.reload()
    assert found.KEY == "new"


class Counting(BaseSecretsBackend):
    calls: list[Any] = []

    def get_config(self, key: str) -> str | None:
        type(self).calls.append(key)
        return f"value of {key}"

    def get_many(self, kind: str, names: Any) -> dict[str, str]:  # type: ignore[override]
        type(self).calls.append(list(names))
        return {name: f"value of {name}" for name in type(self).calls[-1]}


def test_many_secrets_are_asked_for_together(shop: Any) -> None:
    Counting.calls.clear()
    shop.set(BILLING__SECRETS__BACKEND=f"{__name__}.Counting")
    current.use(shop.app())
    shop.write("settings.toml", "\n".join(f'k{number} = "@secret s{number}"' for number in range(40)))
    assert settings(SECRETS).K39 == "value of s39"
    assert len(Counting.calls) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@secret gone", r"dynaconf setting DB\.PASSWORD: secret 'gone' not found"),
        ("@secret two words", r"DB\.PASSWORD: this looks like a value"),
        ("@secret ", "DB.PASSWORD: the reference is empty"),
        ("@secret pair#/nope", r"DB\.PASSWORD: the secret 'pair' of .*: its value has no such part"),
    ],
)
def test_a_secret_that_is_missing_is_named_with_its_setting(shop: Any, text: str, message: str) -> None:
    shop.set(BILLING_SECRET_PAIR='{"canary-part": "canary"}', SHOP_DB__PASSWORD=text)
    with pytest.raises(errors.PointerError, match=message) as caught:
        _ = settings(ENV, SECRETS).DB
    assert "canary" not in str(caught.value)


def test_all_that_are_missing_are_named_at_once(shop: Any) -> None:
    shop.write("settings.toml", 'a = "@secret one"\nb = "@secret two"\n')
    with pytest.raises(errors.SettingsError, match=r"(?s)2 faults.*A: .*'one'.*B: .*'two'"):
        _ = settings(SECRETS).A


def test_our_options_are_settings_with_the_types_of_the_schema(shop: Any) -> None:
    shop.set(BILLING__POOL__SIZE="9", BILLING__EXTRA__NEW="x")
    found = settings(OPTIONS)
    assert found.POOL.SIZE == 9
    assert found.DB.USER == "app"
    assert found.DB.TLS.CERT == "c.pem"
    assert found.EXTRA.NEW == "x"
    assert "SECRETS" not in found
    assert "fernet_key" not in found.get("CORE", {})


def test_the_order_of_the_loaders_says_who_wins(shop: Any) -> None:
    shop.set(SHOP_DB__USER="of the variable")
    assert settings(OPTIONS, ENV).DB.USER == "of the variable"
    assert settings(ENV, OPTIONS).DB.USER == "app"


def test_options_that_fail_are_named_at_once(shop: Any) -> None:
    shop.set(BILLING__POOL__SIZE="many")
    shop.write("app.toml", '[db]\npassword_secret = "gone"\n[mail]\npassword_secret = "gone-too"\n')
    shop.project(config_files=["app.toml"], sensitive=["*.password"])
    current.use(shop.app())
    with pytest.raises(errors.ConfigError, match=r"(?s)'gone'.*'gone-too'"):
        _ = settings(OPTIONS).DB


def test_an_application_that_reads_these_settings_is_a_circle_and_refused(shop: Any) -> None:
    shop.project(dynaconf="our_settings:settings")
    shop.write(
        "our_settings.py",
        "from dynaconf import Dynaconf\n"
        f"settings = Dynaconf(settings_files=['settings.toml'], LOADERS_FOR_DYNACONF=[{OPTIONS!r}])\n",
    )
    done = subprocess.run(
        [sys.executable, "-c", "from our_settings import settings; settings.X"],
        cwd=shop.home,
        capture_output=True,
        text=True,
        env={"PATH": "", "HOME": str(shop.home), "PYTHONPATH": str(Path(errors.__file__).parents[1])},
    )
    assert done.returncode == 1
    assert "LOADERS_FOR_DYNACONF" in done.stderr
    assert "RecursionError" not in done.stderr
