"""Vault against a real OpenBao: names, values, versions, failures, threads, and the number of requests."""

from __future__ import annotations

import base64
import json
import logging
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

hvac = pytest.importorskip("hvac", reason="hvac is not installed")

from patience import GUARD, Clock, eventually  # noqa: E402
from proxy import FAULTS, Proxy  # noqa: E402
from servers_tls import Authority  # noqa: E402
from servers_vault import Bao, Relay, bao, proxy, relay, spare, speaker, vault_of  # noqa: E402, F401
from store_checks import by_threads, in_a_child, many, refused  # noqa: E402

from framework import App, errors  # noqa: E402
from framework.backends import retries  # noqa: E402
from framework.backends.vault import VaultBackend  # noqa: E402
from framework.testing import BackendContract  # noqa: E402

CANARY = "canary-s3cret"
FOLDERS = {"connection": "connections", "variable": "variables", "config": "config"}
DOWN = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("VAULT_TOKEN", "VAULT_ADDR", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def mount(bao: Bao) -> str:  # noqa: F811
    return bao.mount()


@pytest.fixture
def make(bao: Bao, mount: str) -> Any:  # noqa: F811
    return lambda **kwargs: VaultBackend(**{"url": bao.url, "token": "root", "mount_point": mount, **kwargs})


class TestContract(BackendContract):
    """The second version of the engine, by approle."""

    version = 2

    @pytest.fixture(autouse=True)
    def _store(self, bao: Bao, request: pytest.FixtureRequest) -> None:  # noqa: F811
        self.bao, self.mount, self.request = bao, bao.mount(self.version), request
        self.login = bao.approle(bao.reading(self.mount))
        self.no_policy = bao.approle("default")

    def made(self, **kwargs: Any) -> VaultBackend:
        given = {"url": self.bao.url, "mount_point": self.mount, "kv_engine_version": self.version, **self.login}
        return VaultBackend(**{**given, **kwargs})

    def backend(self) -> Any:
        return self.made()

    def put(self, kind: str, name: str, text: str) -> None:
        field = "conn_uri" if kind == "connection" else "value"
        self.bao.put(self.mount, f"{FOLDERS[kind]}/{name}", {field: text}, self.version)

    def failing(self) -> Any:
        yield self.made(auth_type="token", token="wrong"), errors.AccessDenied

    def in_trouble(self, trouble: str) -> Any:
        between, network = (self.request.getfixturevalue(name) for name in ("relay", "proxy"))
        if trouble in ("denied", "wrong credential", "down"):
            login: dict[str, Any] = {"denied": self.no_policy, "down": {"url": DOWN}}.get(
                trouble, {"secret_id": "wrong"}
            )
            return self.made(**login)
        if trouble == "expired token":
            backend = self.made()
            backend.get_variable("stored_name")
            self.bao.root.auth.token.revoke(backend._clients.get()._token)
            return backend
        if trouble == "sealed":
            spare: Bao = self.request.getfixturevalue("spare")
            backend = self.made(url=spare.url, auth_type="token", token="root")
            spare.root.sys.seal()
            return backend
        if trouble == "binary":
            self.bao.put(self.mount, "config/binary_name", {"value": None}, self.version)
            return self.made()
        if trouble.startswith("throttled"):
            many = 1000 if trouble.endswith("for long") else 2
            between.fault = lambda method, path: 429 if "/login" not in path and between.reads() <= many else None
            return self.made(url=between.url)
        if trouble in ("slow", "too slow"):
            between.delay = 20.0 if trouble == "too slow" else 0.5
            return self.made(url=between.url, timeout=0.2 if trouble == "too slow" else None)
        backend = self.made(url=f"http://127.0.0.1:{network.port}")
        backend.get_variable("stored_name")  # a login is not repeated unseen
        network.faults, network.always = ["reset"], "half" if trouble == "cut for long" else None
        return backend


class TestContractOfTheFirstVersion(TestContract):
    version = 1


# -- names ---------------------------------------------------------------------------------------------


def test_paths_are_tried_in_order(bao: Bao, mount: str, make: Any) -> None:  # noqa: F811
    bao.put(mount, "team/only", {"value": "of the team"})
    bao.put(mount, "both/only", {"value": "of all"})
    bao.put(mount, "both/common", {"value": "of all"})
    backend = make(variables_path=["team/", "both"])
    assert backend.get_variable("only") == "of the team"
    assert backend.get_variable("common") == "of all"
    assert backend.get_variable("gone") is None
    assert sorted(backend.list_names("variable")) == ["common", "only"]


def test_a_path_of_null_is_never_asked(relay: Relay, make: Any) -> None:  # noqa: F811
    backend = make(url=relay.url, connections_path=None, variables_path=None, config_path=None)
    assert backend.get_connection("x") is None
    assert backend.get_variable("x") is None
    assert backend.get_config("x") is None
    assert backend.get_config_version("x", "1") is None
    assert backend.list_names("variable") == []
    assert backend.get_many("variable", ["x"]) == {}
    assert relay.asked == []


def test_an_empty_path_means_the_bare_id(bao: Bao, mount: str, make: Any) -> None:  # noqa: F811
    bao.put(mount, "bare", {"value": "1"})
    bao.put(mount, "deep/er", {"value": "2"})
    backend = make(variables_path="")
    assert [backend.get_variable(name) for name in ("bare", "deep/er")] == ["1", "2"]
    assert sorted(backend.list_names("variable")) == ["bare", "deep/er"]


def test_a_global_path_comes_last_for_every_kind(bao: Bao, mount: str, make: Any) -> None:  # noqa: F811
    bao.put(mount, "all/x", {"value": "of all"})
    backend = make(global_secrets_path="all/", config_path=None, use_team_secrets_path=False)
    assert backend.get_variable("x") == backend.get_config("x") == "of all"


def test_without_a_mount_point_the_id_names_it(bao: Bao, mount: str, make: Any) -> None:  # noqa: F811
    bao.put(mount, "variables/x", {"value": "1"})
    bao.put(mount, "variables/deep/x", {"value": "2"})
    backend = make(mount_point=None)
    assert backend.get_variable(f"{mount}/x") == "1"
    assert backend.get_variable(f"{mount}/deep/x") == "2"
    assert backend.get_variable("x") is None
    assert backend.get_variable("no_such_mount/x") is None
    with pytest.raises(NotImplementedError):
        backend.list_names("variable")


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "a%2Fb",
        "ü🔑",
        "a#b",
        "a?b=c&d",
        "a\\b",
        "a.b",
        "a:b;c",
        "a+b",
        "*",
        "a'b\"c",
        "~",
        " a ",
        "x" * 300,
        "a/b",
    ],
)
def test_odd_names(bao: Bao, mount: str, make: Any, name: str) -> None:  # noqa: F811
    bao.put(mount, f"variables/{name}", {"value": name})
    assert make().get_variable(name) == name
    assert name in make().list_names("variable")


@pytest.mark.parametrize(
    "name", ["../config/other", "..", ".", "", "/x", "x/", "a//b", "a/./b", "a\nb", "a\0b", "\ud800", "a\x7fb"]
)
def test_names_that_no_secret_can_have_are_not_asked_for(
    relay: Relay,  # noqa: F811
    bao: Bao,  # noqa: F811
    mount: str,
    make: Any,
    name: str,
) -> None:
    for other in ("config/other", "variables/x", "variables/a/b"):
        bao.put(mount, other, {"value": "another's"})
    assert make(url=relay.url).get_variable(name) is None
    assert relay.reads() == 0


@pytest.mark.parametrize("version", [1, 2])
def test_list_names_walks_the_folders(bao: Bao, make: Any, version: int) -> None:  # noqa: F811
    mount, names = bao.mount(version), ["b", "deep/a", "deep/er/c", "a", "deep/er ü/c"]
    for name in names:
        bao.put(mount, f"variables/{name}", {"value": "1"}, version)
    backend = make(mount_point=mount, kv_engine_version=version, config_path="")
    assert sorted(backend.list_names("variable")) == sorted(names)
    assert sorted(backend.list_names("config")) == sorted(f"variables/{name}" for name in names)
    assert backend.list_names("connection") == []


# -- values --------------------------------------------------------------------------------------------


def test_a_connection_by_its_fields(bao: Bao, mount: str, make: Any) -> None:  # noqa: F811
    fields = {"conn_type": "postgres", "host": "db", "login": "me", "password": CANARY, "port": "5432"}
    bao.put(mount, "connections/text", {**fields, "extra": '{"ssl": true}'})
    bao.put(mount, "connections/typed", {**fields, "port": 5432, "extra": {"ssl": True}})
    for name in ("text", "typed"):
        connection = make().get_connection(name)
        assert (connection.conn_type, connection.port, connection.extra_dejson) == ("postgres", 5432, {"ssl": True})
        assert connection.password == CANARY


def test_a_company_s_own_fields(bao: Bao, mount: str, make: Any) -> None:  # noqa: F811
    bao.put(mount, "connections/rds", {"engine": "postgres", "username": "me", "endpoint": {"address": "db"}})
    backend = make()
    backend.connection_map = {"conn_type": "engine", "login": "username", "host": "endpoint.address"}
    connection = backend.get_connection("rds")
    assert (connection.conn_type, connection.login, connection.host) == ("postgres", "me", "db")


@pytest.mark.parametrize(
    ("value", "text"),
    [("", ""), ("a\r\nb ", "a\r\nb "), (5, "5"), (True, "true"), ({"a": [1, "ü"]}, '{"a": [1, "\\u00fc"]}')],
)
def test_values(bao: Bao, mount: str, make: Any, value: Any, text: str) -> None:  # noqa: F811
    bao.put(mount, "variables/x", {"value": value, "other": CANARY})
    assert make().get_variable("x") == text


@pytest.mark.parametrize("fields", [{"Value": CANARY}, {"value": None}, {}])
def test_a_secret_of_another_shape_is_invalid(bao: Bao, mount: str, make: Any, fields: dict[str, Any]) -> None:  # noqa: F811
    bao.put(mount, "config/x", fields)
    fault = refused(errors.InvalidSecret, lambda: make().get_config("x"), CANARY)
    assert fault.where == f"{mount}/data/config/x"


@pytest.mark.parametrize("fields", [{"conn_uri": [CANARY]}, {"password": CANARY, CANARY: "x"}, {"conn_uri": CANARY}])
def test_a_secret_that_is_not_a_connection(bao: Bao, mount: str, make: Any, fields: dict[str, Any]) -> None:  # noqa: F811
    bao.put(mount, "connections/x", fields)
    with pytest.raises(errors.InvalidSecret) as caught:
        make().get_connection("x")
    assert CANARY not in repr(caught.value)


@pytest.mark.parametrize("version", [1, 2])
def test_huge_and_binary_and_unicode(bao: Bao, version: int) -> None:  # noqa: F811
    mount = bao.mount(version)
    texts = {
        "huge": "ü" * 32 * 1024,
        "binary": base64.b64encode(bytes(range(256)) * 256).decode(),
        "unicode": "\u0000\u2028ü🔑\ufeff",
    }
    backend = VaultBackend(url=bao.url, token="root", mount_point=mount, kv_engine_version=version)
    for name, text in texts.items():
        bao.put(mount, f"variables/{name}", {"value": text}, version)
        assert backend.get_variable(name) == text


def test_half_a_letter_is_invalid(speaker: Any) -> None:  # noqa: F811
    server = speaker(vault_of(x="canary \ud800"))
    backend = VaultBackend(url=server.url, auth_type="github", token="x")
    refused(errors.InvalidSecret, lambda: backend.get_variable("x"), "canary")


# -- versions ------------------------------------------------------------------------------------------


def test_versions(bao: Bao, mount: str, make: Any) -> None:  # noqa: F811
    for text in ("one", "two", "three"):
        bao.put(mount, "config/x", {"value": text})
    backend, engine = make(), bao.root.secrets.kv.v2
    assert [backend.get_config_version("x", n) for n in ("1", "2", "3")] == ["one", "two", "three"]
    for no_version in ("0", "4", "-1", "abc", "AWSPREVIOUS", "1" * 30, "", "²"):
        assert backend.get_config_version("x", no_version) is None
    engine.delete_secret_versions("config/x", [2], mount_point=mount)
    assert backend.get_config_version("x", "2") is None
    engine.delete_latest_version_of_secret("config/x", mount_point=mount)
    assert backend.get_config("x") is None
    assert backend.get_config_version("x", "1") == "one"
    engine.destroy_secret_versions("config/x", [1], mount_point=mount)
    assert backend.get_config_version("x", "1") is None


def test_the_first_version_of_the_engine_keeps_no_versions(bao: Bao) -> None:  # noqa: F811
    backend = VaultBackend(url=bao.url, token="root", mount_point=bao.mount(1), kv_engine_version=1)
    with pytest.raises(NotImplementedError):
        backend.get_config_version("x", "1")


# -- failures ------------------------------------------------------------------------------------------


def test_denied_names_path_and_switch(bao: Bao, mount: str, make: Any, relay: Relay) -> None:  # noqa: F811
    bao.put(mount, "variables/x", {"value": CANARY})
    backend = make(url=relay.url, **bao.approle("default"))
    fault = refused(errors.AccessDenied, lambda: backend.get_variable("x"), CANARY, backend._kwargs["secret_id"])
    assert fault.where == f"{mount}/data/variables/x"
    assert '"read"' in fault.hint
    assert (relay.logins(), backend.logins) == (1, 1)  # a policy is not a reason to log in again
    backend.get_many("variable", [f"x{number}" for number in range(20)])
    assert relay.logins() == 1
    refused(errors.AccessDenied, lambda: backend.list_names("variable"))


@pytest.mark.parametrize("name", ["secret_id", "role_id"])
def test_wrong_credentials_are_denied(bao: Bao, make: Any, name: str) -> None:  # noqa: F811
    backend = make(**{**bao.approle("default"), name: CANARY})
    fault = refused(errors.AccessDenied, lambda: backend.get_variable("x"), CANARY)
    assert fault.where == "login by approle"
    assert "role_id, secret_id" in fault.hint


def test_a_wrong_token_is_denied(make: Any) -> None:
    refused(errors.AccessDenied, lambda: make(token=CANARY).get_variable("x"), CANARY)
    refused(errors.AccessDenied, lambda: make(token=f"{CANARY}\n").get_variable("x"), CANARY)
    with pytest.raises(errors.SecretsError) as caught:
        make(token=f"{CANARY}ü🔑").get_variable("x")
    assert CANARY not in repr(caught.value)


def test_sealed(spare: Bao) -> None:  # noqa: F811
    spare.put("secret", "variables/x", {"value": "1"})
    login = spare.approle(spare.reading("secret"))
    backend = VaultBackend(url=spare.url, **login)
    assert backend.get_variable("x") == "1"
    spare.root.sys.seal()
    assert "sealed" in refused(errors.BackendUnavailable, lambda: backend.get_variable("x")).what
    fresh = VaultBackend(url=spare.url, **login)
    assert refused(errors.BackendUnavailable, lambda: fresh.get_variable("x")).where == "login by approle"
    spare.unseal()
    assert eventually(lambda: backend.get_variable("x")) == "1"
    assert fresh.get_variable("x") == "1"
    assert backend.logins == 1


def test_unreachable_costs_one_login(make: Any, real_pauses: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("framework.chain.runner._A_WHILE", 0)
    backend = make(url=DOWN)
    fault = refused(errors.BackendUnavailable, lambda: backend.get_variable("x"))
    assert "127.0.0.1:9" in fault.what
    found = many(backend, [f"n{number}" for number in range(100)])
    assert {type(fault) for fault in found.values()} == {errors.BackendUnavailable}
    assert len({id(fault) for fault in found.values()}) == 100
    assert backend.logins <= 16  # as many as ask at once


def test_a_refused_login_is_not_tried_for_each_secret(make: Any, speaker: Any, clock: Clock) -> None:  # noqa: F811
    """Servers lock out who fails again and again. All of it is within one second."""
    server = speaker(lambda *_: (400, {"errors": ["invalid username or password"]}))
    found = many(make(url=server.url, auth_type="userpass", username="u", password=CANARY), [str(n) for n in range(99)])
    assert {type(fault) for fault in found.values()} == {errors.AccessDenied}
    assert len(server.asked) == 1


def test_threads_share_a_login_that_fails(make: Any, speaker: Any, clock: Clock) -> None:  # noqa: F811
    def answer(*_: Any) -> tuple[int, Any]:
        clock.until_looked_at(32)
        return 400, {"errors": ["invalid username or password"]}

    server = speaker(answer)
    backend = make(url=server.url, auth_type="userpass", username="u", password=CANARY)
    faults = by_threads(lambda: backend.get_variable("x"))
    assert {type(fault) for fault in faults} == {errors.AccessDenied}
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "word"), [(429, "too many"), (500, "500"), (502, "502"), (503, "sealed"), (504, "")]
)
def test_a_burst_is_waited_for_and_an_outage_reported(
    bao: Bao,  # noqa: F811
    mount: str,
    make: Any,
    relay: Relay,  # noqa: F811
    status: int,
    word: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retries, "FIRST", 0.01)
    bao.put(mount, "variables/x", {"value": "1"})
    backend = make(url=relay.url)
    backend.get_variable("x")
    relay.fault = lambda method, path: status if len(relay.asked) < 3 else None
    relay.asked.clear()
    assert backend.get_variable("x") == "1"
    assert len(relay.asked) == 3
    relay.fault = lambda method, path: status
    relay.asked.clear()
    fault = refused(errors.BackendUnavailable, lambda: backend.get_variable("x"), "canary")
    assert word in fault.what
    assert len(relay.asked) == (retries.TRIES if status == 429 else retries.TRIES_OF_A_FAILURE)


def test_a_real_quota(spare: Bao, real_pauses: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(retries, "LONGEST", 1.0)  # the interval of the first quota
    spare.put("secret", "variables/x", {"value": "1"})
    spare.root.write_data("sys/quotas/rate-limit/tight", data={"rate": 2, "interval": "1s", "path": "secret/"})
    backend = VaultBackend(url=spare.url, token="root")
    assert [backend.get_variable("x") for _ in range(6)] == ["1"] * 6  # 429 is waited for
    spare.root.write_data("sys/quotas/rate-limit/tight", data={"rate": 1, "interval": "60s", "path": "secret/"})
    backend.get_variable("x")
    assert "429" in refused(errors.BackendUnavailable, lambda: backend.get_variable("x")).what


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_login_is_sent_again(
    bao: Bao,  # noqa: F811
    mount: str,
    make: Any,
    relay: Relay,  # noqa: F811
    status: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retries, "FIRST", 0.01)
    bao.put(mount, "variables/x", {"value": "1"})
    relay.fault = lambda method, path: status if len(relay.asked) < 3 else None
    assert make(url=relay.url, **bao.approle(bao.reading(mount))).get_variable("x") == "1"
    relay.fault = lambda method, path: status
    refused(
        errors.BackendUnavailable, lambda: make(url=relay.url, **bao.approle("default")).get_variable("x"), "canary"
    )


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("asked", ["a read", "a login"])
def test_faults_of_the_network(bao: Bao, mount: str, make: Any, proxy: Proxy, fault: str, asked: str) -> None:  # noqa: F811
    bao.put(mount, "variables/x", {"value": f"{CANARY} and more of it"})
    timeout = 0.3 if fault == "hole" else GUARD
    backend = make(url=f"http://127.0.0.1:{proxy.port}", timeout=timeout, **bao.approle(bao.reading(mount)))

    def read() -> Any:
        if fault == "hole":  # in that time a busy machine may not answer at once
            return eventually(lambda: backend.get_variable("x"))
        return backend.get_variable("x")

    if asked == "a read":
        read()
    error = errors.BackendUnavailable
    if fault == "page":  # that is an answer, but none of Vault's
        error = errors.InvalidSecret
    proxy.always = fault
    refused(error, lambda: backend.get_variable("x"), CANARY, "cAnArY")
    proxy.always = None
    assert read() == f"{CANARY} and more of it"
    proxy.faults = [fault] if fault in ("reset", "busy") else []  # one is not noticed
    assert read() == f"{CANARY} and more of it"


@pytest.mark.parametrize("auth", ["token", "approle"])
def test_a_server_that_never_answers_is_asked_once(make: Any, speaker: Any, auth: str) -> None:  # noqa: F811
    """It took all of the time of the question; no caller waits for it twice."""
    never = threading.Event()

    def sleep(*question: Any) -> tuple[int, Any]:
        never.wait(GUARD)
        return 503, {}

    server = speaker(sleep)
    kwargs = {"token": "t"} if auth == "token" else {"auth_type": "approle", "role_id": "r", "secret_id": "s"}
    backend = make(url=server.url, timeout=0.3, **kwargs)
    assert "in time" in refused(errors.BackendUnavailable, lambda: backend.get_variable("x")).what
    assert len(server.asked) == 1
    never.set()


def test_a_renewal_that_never_comes_is_waited_for_once(make: Any, speaker: Any) -> None:  # noqa: F811
    never, asleep, answer = threading.Event(), threading.Event(), vault_of(x="1")

    def sleep(method: str, path: str, *rest: Any) -> tuple[int, Any]:
        if asleep.is_set():
            never.wait(GUARD)
        return answer(method, path, *rest)

    server = speaker(sleep)
    backend = make(url=server.url, timeout=GUARD, auth_type="approle", role_id="r", secret_id="s")
    assert backend.get_variable("x") == "1"
    session = backend._clients.get()
    waits_for(backend, 0.3)
    session._login._until = 0.0
    asleep.set()
    before = len(server.asked)
    assert "in time" in refused(errors.BackendUnavailable, lambda: backend.get_variable("x")).what
    assert len(server.asked) == before + 1
    never.set()


def waits_for(backend: VaultBackend, seconds: float) -> None:
    """From now on, and not for what a busy machine has answered before."""
    backend._clients.get().client.adapter._kwargs["timeout"] = seconds


def test_a_frozen_server_is_unavailable(spare: Bao, make: Any) -> None:  # noqa: F811
    mount = spare.mount()
    spare.put(mount, "variables/x", {"value": "1"})
    backend = make(url=spare.url, timeout=GUARD, **spare.approle(spare.reading(mount)), mount_point=mount)
    assert backend.get_variable("x") == "1"
    os.kill(spare._process.pid, signal.SIGSTOP)
    os.waitpid(spare._process.pid, os.WUNTRACED)  # until all of its threads have stopped
    waits_for(backend, 0.5)
    try:
        assert "in time" in refused(errors.BackendUnavailable, lambda: backend.get_variable("x")).what
    finally:
        os.kill(spare._process.pid, signal.SIGCONT)
    waits_for(backend, GUARD)
    assert backend.get_variable("x") == "1"


def test_slow(make: Any, relay: Relay) -> None:  # noqa: F811
    backend = make(url=relay.url, timeout=GUARD)
    backend.get_variable("x")
    waits_for(backend, 0.2)
    hangs = threading.Event()
    relay.fault = lambda *question: hangs.wait(GUARD) and None
    assert "in time" in refused(errors.BackendUnavailable, lambda: backend.get_variable("x")).what
    hangs.set()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, "<html>canary</html>", errors.InvalidSecret),
        (200, [], errors.InvalidSecret),
        (200, {"data": {"data": ["canary"]}}, errors.InvalidSecret),
        (200, {"data": None}, errors.InvalidSecret),
        (204, "", errors.InvalidSecret),
        (404, "<html>canary</html>", errors.BackendUnavailable),
        (404, {"errors": ["canary"]}, errors.BackendUnavailable),
        (400, {"errors": ["canary"]}, errors.InvalidSecret),
        (401, {"errors": ["canary"]}, errors.AccessDenied),
        (405, {"errors": ["canary"]}, errors.BackendUnavailable),
        (418, "canary", errors.BackendUnavailable),
        (501, {"errors": ["canary"]}, errors.BackendUnavailable),
    ],
)
def test_answers_that_make_no_sense(speaker: Any, status: int, body: Any, error: type[errors.SecretsError]) -> None:  # noqa: F811
    good = vault_of()
    server = speaker(lambda m, path, b, h: good(m, path, b, h) if "/login" in path else (status, body))
    backend = VaultBackend(url=server.url, auth_type="github", token="canary")
    refused(error, lambda: backend.get_variable("x"), "canary")


def test_where_nothing_is_mounted_is_not_absence(make: Any) -> None:
    assert "mount_point" in refused(errors.BackendUnavailable, lambda: make(mount_point="no").get_variable("x")).hint


def test_the_wrong_version_of_the_engine_is_not_absence(make: Any) -> None:
    fault = refused(errors.BackendUnavailable, lambda: make(kv_engine_version=1).get_variable("x"))
    assert "kv_engine_version" in fault.hint


def test_namespaces(bao: Bao, make: Any) -> None:  # noqa: F811
    refused(errors.BackendUnavailable, lambda: make(namespace="no").get_variable("x"))
    bao.root.write_data("sys/namespaces/team", data={})
    there = hvac.Client(url=bao.url, token="root", namespace="team")
    there.sys.enable_secrets_engine("kv", path="kv", options={"version": "1"})
    there.secrets.kv.v1.create_or_update_secret("variables/x", {"value": "of the team"}, mount_point="kv")
    backend = make(namespace="team", mount_point="kv", kv_engine_version=1)
    assert backend.get_variable("x") == "of the team"


def test_tls(speaker: Any, tmp_path: Path) -> None:  # noqa: F811
    authority = Authority(tmp_path)
    server = speaker(vault_of(x="1"), authority.context())
    kwargs = {"url": server.url, "auth_type": "github", "token": "x"}
    fault = refused(errors.BackendUnavailable, lambda: VaultBackend(**kwargs).get_variable("x"))
    assert "verify" in fault.hint
    trusting = VaultBackend(**kwargs, verify="ca.pem")
    trusting.bind("billing", str(tmp_path))  # relative to the file that names it
    assert trusting.get_variable("x") == "1"
    refused(errors.BackendUnavailable, lambda: VaultBackend(**kwargs, verify="/nonexistent").get_variable("x"))


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("verify", [False, "false"])
def test_tls_without_a_check(speaker: Any, tmp_path: Path, verify: Any) -> None:  # noqa: F811
    server = speaker(vault_of(x="1"), Authority(tmp_path).context())
    backend = VaultBackend(url=server.url, auth_type="github", token="x", verify=verify)
    assert backend.get_variable("x") == "1"


def test_a_standby_sends_on(speaker: Any) -> None:  # noqa: F811
    active = speaker(vault_of(x="1"))
    standby = speaker(lambda method, path, body, headers: (307, active.url + path))
    login = {"url": standby.url, "auth_type": "github", "token": CANARY}
    for allowed in (None, False):
        backend = VaultBackend(**login, allow_redirects=allowed)
        fault = refused(errors.BackendUnavailable, lambda backend=backend: backend.get_variable("x"), CANARY)
        assert f"{standby.url} redirects to {active.url}, which is not followed" in fault.what
        assert '"allow_redirects": true' in fault.hint
        assert fault.where == "login by github"
    assert active.asked == []  # neither the login nor a token went there
    assert VaultBackend(**login, allow_redirects=True).get_variable("x") == "1"


@pytest.mark.parametrize("allowed", [None, False, True])
def test_a_token_stays_with_its_server(speaker: Any, allowed: bool | None) -> None:  # noqa: F811
    other = speaker(vault_of(x="1"))

    def answer(method: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, Any]:
        if path.endswith("/x"):
            return 307, f"http://user:{CANARY}@127.0.0.1:{other.port}{path}"
        return vault_of()(method, path, body, headers)

    backend = VaultBackend(url=speaker(answer).url, auth_type="github", token="x", allow_redirects=allowed)
    if allowed:
        assert backend.get_variable("x") == "1"
        return
    fault = refused(errors.BackendUnavailable, lambda: backend.get_variable("x"), CANARY)
    assert fault.where == "secret/data/variables/x"
    assert f"redirects to {other.url}" in fault.what
    assert other.asked == []


def test_a_redirect_within_a_server(speaker: Any) -> None:  # noqa: F811
    vault = vault_of(x="1")

    def answer(method: str, path: str, *rest: Any) -> tuple[int, Any]:
        name, moved, _ = path.partition("?moved")
        return vault(method, name, *rest) if moved or "/auth/" in name else (307, f"{name}?moved")

    server = speaker(answer)
    assert VaultBackend(url=server.url, auth_type="github", token="x").get_variable("x") == "1"
    backend = VaultBackend(url=server.url, auth_type="github", token="x", allow_redirects=False)
    refused(errors.BackendUnavailable, lambda: backend.get_variable("x"))


def test_no_redirect_gives_up_encryption(speaker: Any, tmp_path: Path) -> None:  # noqa: F811
    authority, plain = Authority(tmp_path), speaker(vault_of(x="1"))
    server = speaker(lambda method, path, *_: (307, plain.url + path), authority.context())
    backend = VaultBackend(
        url=server.url, auth_type="github", token=CANARY, verify=str(authority.pem), allow_redirects=True
    )
    fault = refused(errors.BackendUnavailable, lambda: backend.get_variable("x"), CANARY)
    assert f"{server.url} redirects to {plain.url}, without encryption" in fault.what
    assert plain.asked == []


# -- many ----------------------------------------------------------------------------------------------


def test_get_many_distinguishes_absent_from_failed(bao: Bao, mount: str, make: Any) -> None:  # noqa: F811
    for name in ("a", "b/c", "denied", "broken"):
        bao.put(mount, f"variables/{name}", {"value": name} if name != "broken" else {"no": CANARY})
    rules = (
        f'path "{mount}/data/variables/*" {{ capabilities = ["read"] }}\n'
        f'path "{mount}/data/variables/denied" {{ capabilities = ["deny"] }}'
    )
    backend = make(**bao.approle(bao.policy(rules)))
    many = backend.get_many("variable", ["a", "gone", "b/c", "denied", "broken", "../x", "a"])
    assert {name: answer for name, answer in many.items() if isinstance(answer, str)} == {"a": "a", "b/c": "b/c"}
    failed = {name: type(answer) for name, answer in many.items() if not isinstance(answer, str)}
    assert failed == {"denied": errors.AccessDenied, "broken": errors.InvalidSecret}
    bao.put(mount, "connections/x", {"conn_uri": "http://host"})
    assert make().get_many("connection", ["x", "y"]) == {"x": "http://host"}


def _filled(bao: Bao, mount: str, number: int) -> list[str]:  # noqa: F811
    names = [f"name_{i}" for i in range(number)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: bao.put(mount, f"config/{name}", {"value": f"value of {name}"}), names))
    return names


def test_a_hundred_secrets_by_approle(bao: Bao, mount: str, make: Any, proxy: Proxy) -> None:  # noqa: F811
    names = _filled(bao, mount, 100)
    login = bao.approle(bao.reading(mount))
    proxy.latency = 0.02
    url = f"http://127.0.0.1:{proxy.port}"

    def ours() -> dict[str, Any]:
        return many(make(url=url, **login), names)

    assert ours() == {name: f"value of {name}" for name in names}
    assert proxy.requests == 101
    assert proxy.connections <= 16


def test_many_threads_have_one_client_and_one_login(bao: Bao, mount: str, make: Any, relay: Relay) -> None:  # noqa: F811
    bao.put(mount, "variables/x", {"value": "1"})
    relay.delay = 0.02
    backend = make(url=relay.url, **bao.approle(bao.reading(mount)))
    assert by_threads(lambda: backend.get_variable("x")) == ["1"] * 32
    assert (relay.logins(), backend.logins, len(relay.asked)) == (1, 1, 33)
    for _ in range(3):
        assert by_threads(lambda: backend.get_variable("x")) == ["1"] * 32
    assert relay.connections <= 32  # all were kept


def test_a_forked_child_has_its_own(bao: Bao, mount: str, make: Any, relay: Relay) -> None:  # noqa: F811
    bao.put(mount, "variables/x", {"value": "1"})
    backend = make(url=relay.url, **bao.approle(bao.reading(mount)))
    backend.get_variable("x")
    assert in_a_child(lambda: [backend.get_variable("x"), backend.get_variable("x"), backend.logins]) == ["1", "1", 1]
    assert backend.get_variable("x") == "1"
    assert (relay.logins(), backend.logins) == (2, 1)


# -- in an application ---------------------------------------------------------------------------------


def test_an_airflow_cfg_moves_over(bao: Bao, mount: str, tmp_path: Path) -> None:  # noqa: F811
    bao.put(mount, "config/dsn", {"value": f"postgresql://u:{CANARY}@db/x"})
    bao.put(mount, "variables/vat", {"value": "19"})
    for text in ("old", "new"):
        bao.put(mount, "config/pass", {"value": text})
    (tmp_path / "airflow.cfg").write_text(
        "[secrets]\nbackend = airflow.providers.hashicorp.secrets.vault.VaultBackend\n"
        f'backend_kwargs = {{"url": "{bao.url}", "token_path": "token", "mount_point": "{mount}"}}\n'
        "[database]\nsql_alchemy_conn_secret = dsn\n[smtp]\nsmtp_password_secret = pass?version=1\n"
    )
    (tmp_path / "token").write_text("root\n")
    app = App("airflow", home=str(tmp_path), environ={})
    assert app.conf.get("database", "sql_alchemy_conn") == f"postgresql://u:{CANARY}@db/x"
    assert app.conf.get("smtp", "smtp_password") == "old"
    assert app.get_variable("vat") == "19"


def test_one_kwarg_from_the_environment(bao: Bao, mount: str, tmp_path: Path) -> None:  # noqa: F811
    bao.put(mount, "variables/x", {"value": "1"}, 2)
    start = "BILLING__SECRETS__BACKEND_KWARG__"
    kwargs = {"URL": bao.url, "TOKEN": "root", "MOUNT_POINT": mount, "KV_ENGINE_VERSION": "2", "TIMEOUT": "5"}
    environ = {"BILLING__SECRETS__BACKEND": "vault", **{start + name: text for name, text in kwargs.items()}}
    assert App("billing", home=str(tmp_path), environ=environ).get_variable("x") == "1"


@pytest.mark.parametrize(
    ("kwargs", "word"),
    [
        ({"auth_type": "guess"}, "auth_type"),
        ({"auth_type": "approle"}, "role_id"),
        ({"auth_type": "token"}, "VAULT_TOKEN"),
        ({"auth_type": "jwt", "jwt_role": "x"}, "jwt_token or jwt_token_path"),
        ({"token": CANARY, "kv_engine_version": 3}, "kv_engine_version"),
        ({"token": CANARY, "variables_path": 5}, "variables_path"),
        ({"token": CANARY, "config_path": [5]}, "config_path"),
    ],
)
def test_wrong_arguments(kwargs: dict[str, Any], word: str) -> None:
    with pytest.raises(errors.BackendError) as caught:
        VaultBackend(**kwargs)
    assert word in str(caught.value)
    assert CANARY not in str(caught.value)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hvac", None)
    backend = VaultBackend(token="x")
    with pytest.raises(errors.BackendError, match=r"framework\[vault\]"):
        backend.get_variable("x")


def test_nothing_is_shown_or_logged(bao: Bao, mount: str, make: Any, caplog: Any, capsys: Any) -> None:  # noqa: F811
    caplog.set_level(logging.DEBUG)
    bao.put(mount, "variables/x", {"value": CANARY})
    login = bao.approle(bao.reading(mount))
    backend = make(**login)
    assert backend.get_variable("x") == CANARY
    session = backend._clients.get()
    shown = repr(backend) + repr(session) + caplog.text + json.dumps(capsys.readouterr())
    for secret in (CANARY, login["secret_id"], session._token):
        assert secret not in shown


def test_an_engine_without_versions_is_not_absence(bao: Bao, make: Any, relay: Relay) -> None:  # noqa: F811
    """It says of all that is asked of a newer one that it is not there."""
    mount = bao.mount(1)
    bao.put(mount, "variables/x", {"value": "1"}, 1)
    for login in ({}, bao.approle(bao.reading(mount))):
        backend = make(url=relay.url, mount_point=mount, **login)
        for _ in range(2):
            fault = refused(errors.BackendUnavailable, lambda backend=backend: backend.get_variable("x"))  # type: ignore[misc]
            assert "Set kv_engine_version to 1" in fault.hint
    fine = make(url=relay.url)
    relay.asked.clear()
    assert [fine.get_variable(name) for name in ("x", "y", "z")] == [None] * 3
    assert sum("internal/ui/mounts" in line for line in relay.asked) == 1, "asked once"


@pytest.mark.parametrize("body", [{"message": "no Route matched"}, {"detail": "Not Found"}, {}, {"code": 404}])
def test_the_404_of_a_gateway_is_not_absence(speaker: Any, body: Any) -> None:  # noqa: F811
    server = speaker(lambda *_: (404, body))
    backend = VaultBackend(url=server.url, token="t")
    refused(errors.BackendUnavailable, lambda: backend.get_variable("x"))
    refused(errors.BackendUnavailable, lambda: backend.list_names("variable"))


def test_no_part_of_a_url_s_password_is_shown(speaker: Any) -> None:  # noqa: F811
    backend = VaultBackend(url="http://user:cAn/ArY@127.0.0.1:9", token="t")
    fault = refused(errors.BackendUnavailable, lambda: backend.get_variable("x"), "cAn", "ArY")
    assert "user" not in str(fault)
    sending = speaker(lambda *_: (307, "http://user:cAn/ArY@127.0.0.1:9/v1/x"))
    fault = refused(
        errors.BackendUnavailable, lambda: VaultBackend(url=sending.url, token="t").get_variable("x"), "cAn", "user"
    )


@pytest.mark.parametrize("kwarg", ["token_path", "jwt_token_path"])
def test_a_token_pasted_where_a_path_belongs_is_not_shown(kwarg: str) -> None:
    kind = {"auth_type": "jwt", "jwt_role": "r"} if kwarg == "jwt_token_path" else {}
    backend = VaultBackend(url=DOWN, **{kwarg: "hvs.cAnArY-token", **kind})
    fault = refused(errors.BackendUnavailable, lambda: backend.get_variable("x"), "cAnArY")
    assert kwarg in fault.where


@pytest.mark.parametrize("name", ["auth/token/lookup-self", "sys/mounts", "identity/entity/id"])
def test_an_id_that_names_its_mount_reaches_engines_alone(relay: Relay, name: str) -> None:  # noqa: F811
    backend = VaultBackend(url=relay.url, token="root", mount_point=None, kv_engine_version=1, variables_path="")
    assert backend.get_variable(name) is None
    assert not any("lookup-self" in line and "variables" in line for line in relay.asked)
    assert not any(line.startswith("GET /v1/sys") for line in relay.asked)
