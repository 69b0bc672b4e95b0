"""Answers with a lifetime of their own, of any backend: who keeps them, for how long, and what is asked again."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from patience import GUARD, Clock, until

from framework import App, BaseSecretsBackend, errors
from framework.chain.cache import Cache
from framework.chain.link import Link
from framework.lifetime import Expiring, Lifetime, Looking, refuse_if_looking


class Tokens(BaseSecretsBackend):
    """Answers with a new token each time, good for some seconds."""

    def __init__(self, seconds: float, *, is_lease: bool = False) -> None:
        self.seconds, self.is_lease, self.asked = seconds, is_lease, 0
        self.anew: list[tuple[str, str]] = []
        self.fault: errors.SecretsError | None = None

    def ask_anew(self, kind: str, name: str) -> None:
        self.anew.append((kind, name))

    def _token(self) -> Expiring:
        if self.fault is not None:
            raise self.fault.again()
        refuse_if_looking("the token", "store")
        self.asked += 1
        return Expiring(f"token-{self.asked}", Lifetime(self.seconds, is_lease=self.is_lease))

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        token = self._token()
        return Expiring(f"postgres://user:{token}@host/books", token.lifetime)

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        return self._token()

    def get_config(self, key: str) -> str | None:
        return self._token()


def app_over(backend: BaseSecretsBackend, home: Path, stale: float = 0, **environ: str) -> App:
    class Over(App):
        def custom_links(self) -> list[Link]:
            return [Link("tokens", 1, lambda: backend, cache=Cache(900, 60, stale))]

    return Over("billing", home=home, environ=environ)


def test_it_is_kept_no_longer_than_its_lifetime(tmp_path: Path, clock: Clock) -> None:
    backend = Tokens(30)
    app = app_over(backend, tmp_path)
    assert [app.get_connection("w").password for _ in range(3)] == ["token-1"] * 3
    assert app.get_variable("v") == app.get_variable("v") == "token-2"
    clock.now += 29
    assert app.get_connection("w").password == "token-1"
    clock.now += 1
    assert app.get_connection("w").password == "token-3" and app.get_variable("v") == "token-4"


def test_it_is_kept_no_longer_than_others_either(tmp_path: Path, clock: Clock) -> None:
    backend = Tokens(5000)
    app = app_over(backend, tmp_path)
    app.get_connection("w")
    clock.now += 1000
    assert app.get_connection("w").password == "token-2"


def test_an_expired_answer_is_never_used_during_an_outage(tmp_path: Path, clock: Clock) -> None:
    backend = Tokens(30)
    app = app_over(backend, tmp_path, stale=600)
    app.get_connection("w")
    backend.fault = errors.BackendUnavailable("it is down")
    clock.now += 31
    with pytest.raises(errors.BackendUnavailable):
        app.get_connection("w")


def test_a_fresh_read_notifies_the_backend(tmp_path: Path) -> None:
    backend = Tokens(30)
    app = app_over(backend, tmp_path)
    app.get_connection("w")
    assert backend.anew == []
    assert app.get_connection("w", max_age=0).password == "token-2" and backend.anew == [("connection", "w")]


def test_a_connection_carries_it(tmp_path: Path) -> None:
    found = app_over(Tokens(30), tmp_path).get_connection("w")
    assert found.lifetime is not None and found.lifetime.is_current and "token" not in repr(found.lifetime)
    found.lifetime.end()
    assert not found.lifetime.is_current


def test_an_option_is_refreshed_before_it_ends(tmp_path: Path) -> None:
    backend = Tokens(1.5)
    app = app_over(backend, tmp_path, BILLING__DB__PASSWORD_SECRET="t", BILLING__DB__OTHER_PASSWORD_SECRET="t")
    changed = threading.Event()
    app.on_change("db", "password", lambda section, key: changed.set())
    assert app.conf.get("db", "password") == "token-1"
    assert changed.wait(GUARD)
    until(lambda: app.conf.get("db", "password") != "token-1")


def test_an_option_that_cannot_be_refreshed_keeps_its_value(tmp_path: Path) -> None:
    backend = Tokens(600)
    app = app_over(backend, tmp_path, BILLING__DB__PASSWORD_SECRET="t")
    assert app.conf.get("db", "password") == "token-1"
    backend.fault = errors.BackendUnavailable("it is down")
    assert "it is down" in str(app.refresh()["db", "password"])
    assert app.conf.get("db", "password") == "token-1"


def test_looking_issues_nothing(tmp_path: Path) -> None:
    backend = Tokens(30)
    app = app_over(backend, tmp_path, BILLING__DB__PASSWORD_SECRET="t")
    assert app.prefetch() == {}
    assert "is issued on use" in str(app.conf.explain("db", "password"))
    assert ("tokens", "found, issued on use") in app.chain.explain("connection", "w")
    assert app.chain.shadowing("connection", "w") == ("tokens", [])
    with Looking(), pytest.raises(errors.IssuedOnUse):
        app.get_connection("w")
    assert backend.asked == 0 and app.stats()[0]["failures"] == 0
    assert app.conf.get("db", "password") == "token-1"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_lease_of_the_parent_is_not_for_the_child(tmp_path: Path) -> None:
    app = app_over(Tokens(600, is_lease=True), tmp_path, BILLING__DB__PASSWORD_SECRET="t")
    before = app.conf.get("db", "password"), app.get_connection("w").password, app.get_variable("v")
    read, write = os.pipe()
    pid = os.fork()
    if not pid:  # pragma: no cover
        after: Any = app.conf.get("db", "password"), app.get_connection("w").password, app.get_variable("v")
        os.write(write, repr(after).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert before == ("token-1", "token-2", "token-3")
    assert os.read(read, 1000).decode() == repr(("token-4", "token-5", "token-6"))
    assert app.conf.get("db", "password") == "token-1"
