"""Yandex Lockbox against the SDK's own servicers over TLS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("yandexcloud", reason="yandexcloud is not installed")

from patience import GUARD  # noqa: E402
from proxy import Proxy  # noqa: E402
from servers import free_port  # noqa: E402
from servers_tls import Authority  # noqa: E402
from servers_yandex import FOLDER, OAUTH, Code, Entry, Lockbox, Machine, authority, cloud  # noqa: E402, F401
from store_checks import StoreContract, by_threads, refused  # noqa: E402

from framework import App, Connection, errors  # noqa: E402
from framework.backends import AIRFLOW_TWINS, build, retries, yandex  # noqa: E402
from framework.backends.yandex import LockboxSecretBackend  # noqa: E402

# ruff: noqa: F811 - fixtures
FOLDERS = {"connection": "connections", "variable": "variables", "config": "config"}


@pytest.fixture
def make(cloud: Lockbox) -> Any:
    given = {"yc_oauth_token": OAUTH, "folder_id": FOLDER, "endpoint": cloud.address}
    return lambda **kwargs: LockboxSecretBackend(**{**given, **kwargs})


def free_address() -> str:
    return f"127.0.0.1:{free_port()}"


class TestContract(StoreContract):
    short, module, extra = "yandex_lockbox", "grpc", "yandex"
    odd_ids, tries = ("a b/ü",), 4 + retries.TRIES  # endpoints, login, two pages of the list, and the payload

    @pytest.fixture(autouse=True)
    def _store(self, cloud: Lockbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        self.cloud, self.monkeypatch = cloud, monkeypatch
        with ExitStack() as self.stack:
            yield

    def kwargs(self) -> dict[str, Any]:
        return {"yc_oauth_token": OAUTH, "folder_id": FOLDER, "endpoint": self.cloud.address}

    def store_at(self, name: str, text: str) -> None:
        if name not in [secret[1] for secret in self.cloud.secrets.values()]:
            self.cloud.put(name, text)

    def reads(self) -> int:
        return len(self.cloud.calls)

    def lists(self) -> int:
        return self.cloud.calls.count("list")

    def in_the_child(self, backend: Any) -> None:
        self.monkeypatch.setattr(retries, "FIRST", 0.2)  # gRPC's first call after a fork may fail

    @pytest.mark.usefixtures("real_pauses")
    def test_a_cut_connection_is_tried_again(self) -> None:  # gRPC waits 0.1 s before it connects again
        super().test_a_cut_connection_is_tried_again()

    def failing(self) -> Any:
        for kind in self.kinds:
            self.put(kind, "stored_name", self.sample(kind))
        for call, code, error in (
            ("list", Code.PERMISSION_DENIED, errors.AccessDenied),
            ("payload", Code.PERMISSION_DENIED, errors.AccessDenied),
            ("payload", Code.UNAUTHENTICATED, errors.AccessDenied),
            ("payload", Code.RESOURCE_EXHAUSTED, errors.BackendUnavailable),
            ("payload", Code.INTERNAL, errors.BackendUnavailable),
            ("payload", Code.UNKNOWN, errors.BackendUnavailable),
            ("list", Code.UNAVAILABLE, errors.BackendUnavailable),
            ("login", Code.UNAVAILABLE, errors.BackendUnavailable),
            ("endpoints", Code.INTERNAL, errors.BackendUnavailable),
            ("payload", Code.FAILED_PRECONDITION, errors.InvalidSecret),
        ):
            self.cloud.always = {call: code}
            yield self.backend(), error

    def in_trouble(self, trouble: str) -> Any:
        cloud = self.cloud
        if trouble == "denied":
            cloud.always = {"payload": Code.PERMISSION_DENIED}
        elif trouble == "wrong credential":
            return self.backend(yc_oauth_token="wrong")
        elif trouble == "down":
            return self.backend(endpoint=free_address())
        elif trouble == "expired token":
            backend = self.backend()
            backend.get_variable("stored_name")
            cloud.tokens.clear()
            return backend
        elif trouble == "binary":
            cloud.put("airflow/config/binary_name", b"\xff")
        elif trouble == "throttled":
            cloud.failures = {"payload": [Code.RESOURCE_EXHAUSTED, Code.UNAVAILABLE]}
        elif trouble == "throttled for long":
            cloud.always = {"payload": Code.RESOURCE_EXHAUSTED}
        elif trouble in ("slow", "too slow"):
            cloud.failures = {"payload": [6.0 if trouble == "too slow" else 0.6]}
            self.monkeypatch.setattr(yandex, "_TIMEOUT", 0.3 if trouble == "too slow" else GUARD)
        elif trouble.startswith("cut"):
            proxy: Proxy = self.stack.enter_context(Proxy(int(cloud.address.rpartition(":")[2])))
            proxy.faults, proxy.always = ["reset"], "reset" if trouble.endswith("for long") else None
            self.monkeypatch.setattr(retries, "FIRST", 0.4)
            cloud.address = f"127.0.0.1:{proxy.port}"
        else:
            return None
        return self.backend()


def test_the_sdk_itself_reads_from_this_server(cloud: Lockbox, authority: Authority) -> None:
    """So the server speaks as Yandex Cloud does."""
    import yandexcloud
    from yandex.cloud.lockbox.v1.payload_service_pb2 import GetPayloadRequest
    from yandex.cloud.lockbox.v1.payload_service_pb2_grpc import PayloadServiceStub

    secret_id = cloud.put("airflow/variables/vat", "19")
    for login in ({"service_account_key": cloud.key()}, {"iam_token": cloud.token()}):
        sdk = yandexcloud.SDK(endpoint=cloud.address, root_certificates=authority.certificate, **login)
        payload = sdk.client(PayloadServiceStub).Get(GetPayloadRequest(secret_id=secret_id))
        assert payload.entries[0].text_value == "19"


def test_what_a_payload_says(cloud: Lockbox, make: Any) -> None:
    name = "airflow/variables/"
    cloud.put(f"{name}huge", "x" * 65536)
    cloud.put(f"{name}empty", "")
    cloud.put(f"{name}bytes", "ü🔑".encode())
    cloud.put(f"{name}two", Entry(key="b", text_value="2"), Entry(key="a", text_value="1"))
    cloud.put(f"{name}mixed", Entry(key="a", text_value="1"), Entry(key="file", binary_value=b"\xff"))
    cloud.put(f"{name}binary", b"\xff\xfecanary")
    cloud.put(f"{name}nothing")
    backend = make()
    assert backend.get_variable("huge") == "x" * 65536
    assert backend.get_variable("empty") == ""
    assert backend.get_variable("bytes") == "ü🔑"
    assert json.loads(backend.get_variable("two")) == {"a": "1", "b": "2"}
    assert backend.get_variable("mixed") == "1"
    for bad in ("binary", "nothing"):
        fault = refused(errors.InvalidSecret, lambda bad=bad: backend.get_variable(bad), "canary")
        assert f"secret airflow/variables/{bad}" in fault.where


def test_connections_as_uri_json_entries_and_by_a_map(cloud: Lockbox, make: Any) -> None:
    cloud.put("airflow/connections/json", '{"conn_type": "http", "host": "h"}')
    cloud.put(
        "airflow/connections/fields",
        *(Entry(key=key, text_value=text) for key, text in (("conn_type", "pg"), ("login", "u"), ("password", "p"))),
    )
    cloud.put("airflow/connections/own", '{"user": "u"}')
    assert make().get_connection("json").host == "h"
    assert make().get_connection("fields").password == "p"
    backend = make()
    backend.connection_map = {"login": "user", "conn_type": {"const": "x"}}
    assert backend.get_connection("own").login == "u"


def test_versions(cloud: Lockbox, make: Any) -> None:
    cloud.put("airflow/config/pw", "old", version="one")
    cloud.put("airflow/config/pw", "new", version="two")
    backend = make()
    assert backend.get_config("pw") == "new"
    assert backend.get_config_version("pw", "one") == "old"
    assert backend.get_config_version("pw", "three") is None
    cloud.put("airflow/config/pw", "newest", version="three")
    assert backend.get_config("pw") == "newest", "the list keeps ids, not versions"


def test_two_secrets_of_one_name_are_invalid(cloud: Lockbox, make: Any) -> None:
    cloud.put("airflow/variables/vat", "canary")
    cloud.put("airflow/variables/vat", "canary")
    refused(errors.InvalidSecret, lambda: make().get_variable("vat"), "canary")


def test_requests_are_few(cloud: Lockbox, make: Any) -> None:
    names = [f"n{number}" for number in range(100)]
    for name in names:
        cloud.put(f"airflow/config/{name}", name)
    cloud.page = 1000
    many = make().get_many("config", [*names, "absent"])
    assert many == {name: name for name in names}
    counts = {name: cloud.calls.count(name) for name in ("endpoints", "login", "list", "payload")}
    assert counts == {"endpoints": 1, "login": 1, "list": 1, "payload": 100}


def test_many_map_each_failure(cloud: Lockbox, make: Any) -> None:
    for name in ("good", "denied", "inactive"):
        cloud.put(f"airflow/variables/{name}", name)
    many = make().get_many("variable", ["good", "denied", "absent", "inactive"])
    assert many["good"] == "good"
    assert isinstance(many["denied"], errors.AccessDenied)
    assert isinstance(many["inactive"], errors.InvalidSecret)
    assert set(many) == {"good", "denied", "inactive"}


def test_the_list_is_made_again_when_it_is_old(cloud: Lockbox, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = make()
    secret_id = cloud.put("airflow/variables/vat", "1")
    assert backend.get_variable("vat") == "1"
    cloud.put("airflow/variables/late", "2")
    assert backend.get_variable("late") is None
    monkeypatch.setattr(yandex, "_MISSING_FOR", -1.0)
    assert backend.get_variable("late") == "2"
    del cloud.secrets[secret_id]
    monkeypatch.setattr(yandex, "_MISSING_FOR", 60.0)
    assert backend.get_variable("vat") is None
    cloud.put("airflow/variables/late", "3")
    del cloud.secrets[next(iter(cloud.secrets))]
    assert backend.get_variable("late") == "3", "it was made anew under the same name"


def test_denied_says_which_role(cloud: Lockbox, make: Any) -> None:
    cloud.put("airflow/variables/denied", "canary-value")
    hidden = ("canary", OAUTH)
    fault = refused(errors.AccessDenied, lambda: make().get_variable("denied"), *hidden)
    assert "lockbox.payloadViewer" in fault.hint
    assert fault.where == f"Lockbox folder {FOLDER}, secret airflow/variables/denied"
    cloud.always = {"list": Code.PERMISSION_DENIED}
    fault = refused(errors.AccessDenied, lambda: make().get_variable("vat"), *hidden)
    assert "lockbox.viewer" in fault.hint
    fault = refused(errors.AccessDenied, lambda: make(yc_oauth_token="canary-wrong").get_variable("vat"), *hidden)
    assert fault.where == "Yandex IAM"


def test_no_such_folder(cloud: Lockbox, make: Any) -> None:
    for backend, message in ((make(folder_id="nowhere"), "Correct folder_id"), (make(folder_id=""), "Set folder_id")):
        with pytest.raises(errors.BackendError, match=message):
            backend.get_variable("vat")


def test_a_server_that_is_not_trusted(cloud: Lockbox, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yandex, "_ROOTS", None)
    refused(errors.BackendUnavailable, lambda: make().get_variable("vat"), OAUTH)
    assert cloud.calls == []


def test_a_token_is_kept_and_renewed(cloud: Lockbox, make: Any) -> None:
    cloud.put("airflow/variables/vat", "19")
    backend = make()
    for _ in range(5):
        assert backend.get_variable("vat") == "19"
    assert cloud.calls.count("login") == 1
    cloud.tokens.clear()  # revoked
    assert by_threads(lambda: backend.get_variable("vat")) == ["19"] * 32
    assert cloud.calls.count("login") == 2
    cloud.lasts = 10  # so near its end that it serves for a second
    short = make()
    assert short.get_variable("vat") == "19"
    short._clients.get().login._until = 0.0
    assert short.get_variable("vat") == "19"
    assert cloud.calls.count("login") == 4


def test_by_a_key_of_a_service_account(cloud: Lockbox, make: Any, tmp_path: Path) -> None:
    cloud.put("airflow/variables/vat", "19")
    key = json.dumps(cloud.key())
    (tmp_path / "key.json").write_text(key)
    for kwargs in ({"yc_sa_key_json": key}, {"yc_sa_key_json": cloud.key()}, {"yc_sa_key_json_path": "key.json"}):
        backend = make(yc_oauth_token=None, **kwargs)
        backend.bind("airflow", str(tmp_path))
        assert backend.get_variable("vat") == "19"
        assert cloud.claims["iss"] == "account-1"
        assert cloud.claims["aud"] == f"https://iam.{cloud.address}/iam/v1/tokens"
        assert cloud.claims["exp"] - cloud.claims["iat"] == 3600
    other = {**cloud.key(), "id": "canary-key"}
    fault = refused(
        errors.AccessDenied, lambda: make(yc_oauth_token=None, yc_sa_key_json=other).get_variable("vat"), "canary"
    )
    assert "the key of the service account was refused" in fault.what


@pytest.mark.parametrize("key", ["canary {", "[]", '{"id": "canary"}', {"id": 1}, {"private_key": "canary"}])
def test_an_invalid_key(make: Any, key: Any) -> None:
    with pytest.raises(errors.BackendError, match="this is not the key") as caught:
        make(yc_oauth_token=None, yc_sa_key_json=key).get_variable("vat")
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


def test_an_invalid_private_key(cloud: Lockbox, make: Any) -> None:
    key = {**cloud.key(), "private_key": "canary"}
    with pytest.raises(errors.BackendError, match="private key cannot be read") as caught:
        make(yc_oauth_token=None, yc_sa_key_json=key).get_variable("vat")
    assert "canary" not in str(caught.value)
    with pytest.raises(errors.BackendError, match="/absent: the key file cannot be read"):
        make(yc_oauth_token=None, yc_sa_key_json_path="/absent").get_variable("vat")


def test_by_the_service_account_of_the_machine(cloud: Lockbox, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.put("airflow/variables/vat", "19")
    for status in (200, 404):
        machine = Machine(cloud, status)
        monkeypatch.setenv("YC_METADATA_ADDR", machine.address)
        backend = make(yc_oauth_token=None)
        backend.find_connection = not_found
        if status == 200:
            assert backend.get_variable("vat") == "19"
        else:
            assert "404" in refused(errors.BackendUnavailable, lambda b=backend: b.get_variable("vat")).what
        machine.stop()
    monkeypatch.setenv("YC_METADATA_ADDR", free_address())
    backend = make(yc_oauth_token=None)
    backend.find_connection = not_found
    assert "yc_sa_key_json_path" in refused(errors.BackendUnavailable, lambda: backend.get_variable("vat")).hint


def not_found(conn_id: str) -> Connection:
    raise errors.ConnectionNotFound(f"{conn_id} not found")


def test_by_a_connection(cloud: Lockbox, tmp_path: Path) -> None:
    """Of the application's own chain, which finds it in the environment."""
    cloud.put("airflow/variables/vat", "19")
    cloud.put("billing/variables/vat", "7")
    twin = next(path for path, name in AIRFLOW_TWINS.items() if name == "yandex_lockbox")
    extra = {"oauth": OAUTH, "extra__yandexcloud__folder_id": FOLDER, "endpoint": cloud.address}
    for backend, answer in ((twin, "19"), ("yandex_lockbox", "7")):
        environ = {
            "BILLING__SECRETS__BACKEND": backend,
            "BILLING_CONN_YANDEXCLOUD_DEFAULT": json.dumps({"conn_type": "yandexcloud", "extra": extra}),
        }
        app = App("billing", home=str(tmp_path), environ=environ)
        assert app.get_variable("vat") == answer
        assert app.get_connection("yandexcloud_default").conn_type == "yandexcloud"


def test_a_connection_that_does_not_exist(cloud: Lockbox, make: Any, tmp_path: Path) -> None:
    backend = make(yc_oauth_token=None, yc_connection_id="mine")
    backend.find_connection = not_found
    with pytest.raises(errors.BackendError, match="the connection 'mine' is not found"):
        backend.get_variable("vat")
    assert backend.get_conn_value("mine") is None
    with pytest.raises(errors.BackendError, match="Keep one of them"):
        make(yc_connection_id="mine")


def test_one_client_one_login_and_one_list_for_all_threads(cloud: Lockbox, make: Any) -> None:
    cloud.page = 1000
    for number in range(50):
        cloud.put(f"airflow/variables/n{number}", str(number))
    backend = make()
    found = by_threads(lambda: [backend.get_variable(f"n{number}") for number in range(5)])
    assert found == [[str(number) for number in range(5)]] * 32
    assert {name: cloud.calls.count(name) for name in ("endpoints", "login", "list")} == {
        "endpoints": 1,
        "login": 1,
        "list": 1,
    }


def test_a_kwarg_from_the_environment(cloud: Lockbox, tmp_path: Path) -> None:
    cloud.put("billing/variables/vat", "19")
    start = "BILLING__SECRETS__BACKEND_KWARG__"
    environ = {
        "BILLING__SECRETS__BACKEND": "yandex_lockbox",
        f"{start}YC_SA_KEY_JSON": json.dumps(cloud.key()),
        f"{start}FOLDER_ID": FOLDER,
        f"{start}ENDPOINT": cloud.address,
    }
    app = App("billing", home=str(tmp_path), environ=environ)
    assert isinstance(build(app, "secrets"), LockboxSecretBackend)
    assert app.get_variable("vat") == "19"


def test_what_is_listed_but_not_found_is_not_absence(cloud: Lockbox, make: Any) -> None:
    cloud.put("airflow/variables/vat", "19")
    cloud.always = {"payload": Code.NOT_FOUND}
    assert "in the list" in refused(errors.BackendUnavailable, lambda: make().get_variable("vat")).what


def test_a_key_pasted_where_a_path_belongs_is_not_shown(make: Any) -> None:
    pasted = '{"id": "canary", "private_key": "-----BEGIN /canary/"}'
    backend = make(yc_oauth_token=None, yc_sa_key_json_path=pasted)
    with pytest.raises(errors.BackendError) as caught:
        backend.get_variable("vat")
    assert "canary" not in str(caught.value)
    assert "yc_sa_key_json_path" in str(caught.value)
