"""What the library logs: logins, fallbacks, stale answers, look-ups; never a value, and nothing without logging."""

from __future__ import annotations

import logging
import subprocess
import sys
import warnings
from typing import Any

import pytest
from conftest import World

from framework import App, BaseSecretsBackend, errors, masking

CANARY = "zebracanary-9"


class Store(BaseSecretsBackend):
    """A store that can be made to fail, and counts its logins."""

    remote = True
    fails = False

    def __init__(self) -> None:
        self.logins = 0

    def get_variable(self, key: str) -> str | None:
        self.logins = max(self.logins, 1)
        if Store.fails:
            raise errors.BackendUnavailable("it does not answer")
        return CANARY if key == "vat" else None

    get_config = get_conn_value = get_variable


@pytest.fixture
def app(world: World, monkeypatch: pytest.MonkeyPatch) -> App:
    monkeypatch.setattr(Store, "fails", False)
    world.set(BILLING__SECRETS__BACKEND=f"{__name__}.Store", BILLING_VAR_OTHER=CANARY)
    return world.app()


def texts(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    assert CANARY not in caplog.text and all(record.name == "framework" for record in caplog.records)
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_look_ups_and_logins(app: App, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "framework")
    name = app.chain.custom[0].name
    assert app.get_variable("vat") == CANARY
    assert texts(caplog) == [("INFO", f"{name}: logged in"), ("DEBUG", f"variable 'vat': found in the link {name}")]
    caplog.clear()
    app.get_variable("other")
    app.get_variable("none", default=None)
    assert texts(caplog) == [
        ("DEBUG", "variable 'other': found in the link environment"),
        ("DEBUG", "variable 'none': found nowhere"),
    ]
    caplog.clear()
    app.chain.custom[0].backend.logins += 1
    app.get_variable("third", default=None)
    assert texts(caplog)[0] == ("INFO", f"{name}: logged in again")


def test_a_pointer_is_a_look_up(world: World, app: App, caplog: pytest.LogCaptureFixture) -> None:
    world.set(BILLING__MAIL__PASSWORD_SECRET="vat", BILLING__MAIL__OTHER_PASSWORD_SECRET="vat")
    caplog.set_level(logging.DEBUG, "framework")
    assert app.conf.get("mail", "password") == CANARY
    assert (
        len([text for _, text in texts(caplog) if text.endswith(f": found in the link {app.chain.custom[0].name}")])
        == 1
    )
    app.reload()
    caplog.clear()
    assert app.prefetch() == {}
    assert any("found in the link" in text for _, text in texts(caplog))


def test_fallbacks_and_stale_answers(world: World, app: App, caplog: pytest.LogCaptureFixture) -> None:
    world.set(BILLING__SECRETS__CACHE_TTL_SECONDS="0.0001", BILLING__SECRETS__STALE_IF_ERROR_SECONDS="60")
    world.set(BILLING__SECRETS__ON_FAILURE="next")
    caplog.set_level(logging.WARNING, "framework")
    app.get_variable("vat")
    Store.fails = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert app.get_variable("other") == CANARY
        fallback = texts(caplog)
        caplog.clear()
        assert app.get_variable("vat") == CANARY
    assert len(fallback) == 1 and fallback[0][0] == "WARNING"
    assert fallback[0][1].endswith("it does not answer. The next link is asked, because [secrets] on_failure = next.")
    [(level, text)] = texts(caplog)
    assert level == "WARNING" and "Its answer from" in text and "is used meanwhile" in text


def test_a_reload(app: App, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "framework")
    app.reload()
    assert texts(caplog) == [("INFO", "billing: its files were read again")]


def test_what_is_a_secret_by_now_is_redacted(app: App, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "framework")
    masking.add_mask("pasted-secret-42")
    app.get_variable("pasted-secret-42", default=None)
    app.get_variable("a\nb", default=None)
    assert [text for level, text in texts(caplog) if level == "DEBUG"] == [
        "variable '***': found nowhere",
        "variable 'a\\nb': found nowhere",
    ]


def run(code: str, **more: Any) -> Any:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, **more)


def test_nothing_is_imported_for_it(world: World) -> None:
    code = (
        "import sys; from framework import App; app = App('billing', environ={'BILLING_VAR_X': '1'}); "
        "app.get_variable('x'); app.reload(); print('logging' in sys.modules)"
    )
    assert run(code, cwd=world.home).stdout == "False\n"


def test_nothing_is_printed_unless_asked_for(world: World) -> None:
    code = (
        "import logging, warnings; warnings.simplefilter('ignore'); from framework.logs import WARNING, log; "
        "log(WARNING, 'a fallback')"
    )
    assert run(code, cwd=world.home).stderr == ""
    assert (
        run(f"import logging; logging.basicConfig(); {code}", cwd=world.home).stderr == "WARNING:framework:a fallback\n"
    )
