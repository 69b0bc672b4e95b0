"""Akeyless against a server that takes and gives the messages of the vendor's own package."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("akeyless", reason="akeyless is not installed")

from patience import GUARD, Clock  # noqa: E402
from servers_akeyless import ID, KEY, Vault, vault  # noqa: E402, F401
from servers_tls import Server  # noqa: E402
from store_checks import StoreContract, by_threads, refused  # noqa: E402

from framework import errors  # noqa: E402
from framework.backends import akeyless, retries  # noqa: E402
from framework.backends.akeyless import AkeylessBackend  # noqa: E402

# ruff: noqa: F811 - fixtures
FOLDERS = {"connection": "connections", "variable": "variables", "config": "config"}
VAR = "/airflow/variables/"


@pytest.fixture
def make(vault: Vault) -> Any:
    return lambda **kwargs: AkeylessBackend(**{"access_id": ID, "access_key": KEY, "api_url": vault.url, **kwargs})


class TestContract(StoreContract):
    short, module, extra, start = "akeyless", "urllib3", "akeyless", "/"
    odd_ids, tries = ("a b/ü",), retries.TRIES

    @pytest.fixture(autouse=True)
    def _store(self, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
        self.vault, self.monkeypatch = vault, monkeypatch

    def kwargs(self) -> dict[str, Any]:
        return {"access_id": ID, "access_key": KEY, "api_url": self.vault.url}

    def store_at(self, name: str, text: str) -> None:
        self.vault.put(name, text)

    def reads(self) -> int:
        return self.vault.count("get-secret-value")

    def lists(self) -> int:
        return self.vault.count("list-items")

    def failing(self) -> Any:
        for kind in self.kinds:
            self.put(kind, "stored_name", self.sample(kind))
        yield self.backend(api_url=f"{self.vault.url}/elsewhere"), errors.BackendUnavailable
        yield self.backend(access_type="uid", uid_token="u-x", api_url=f"{self.vault.url}/x"), errors.BackendUnavailable
        yield self.backend(access_type="uid", uid_token="u-canary-unknown"), errors.AccessDenied
        for status, error in (
            (400, errors.InvalidSecret),
            (401, errors.AccessDenied),
            (403, errors.AccessDenied),
            (302, errors.BackendUnavailable),
            (429, errors.BackendUnavailable),
            (500, errors.BackendUnavailable),
            (503, errors.BackendUnavailable),
            (0, errors.BackendUnavailable),
            (1, errors.BackendUnavailable),
            (2, errors.BackendUnavailable),
        ):
            self.vault.always = {"get-secret-value": (status, {"Location": self.vault.url})}
            yield self.backend(), error
        for status in (404, 429, 500, 0, 1, 2):
            self.vault.always = {"auth": (status, {})}
            yield self.backend(), errors.BackendUnavailable

    def in_trouble(self, trouble: str) -> Any:
        vault, call = self.vault, "get-secret-value"
        if trouble == "denied":
            vault.refused = {f"/airflow/{folder}/stored_name" for folder in FOLDERS.values()}
        elif trouble == "wrong credential":
            return self.backend(access_key="wrong")
        elif trouble == "down":
            return self.backend(api_url="http://127.0.0.1:9")
        elif trouble == "expired token":
            backend = self.backend()
            backend.get_variable("stored_name")
            vault.tokens.clear()
            return backend
        elif trouble == "binary":
            vault.put("/airflow/config/binary_name", 7)
        elif trouble in ("slow", "too slow"):
            vault.delay = 6.0 if trouble == "too slow" else 0.4
            self.monkeypatch.setattr(akeyless, "_READ", 0.1 if trouble == "too slow" else GUARD)
        elif trouble.partition(" ")[0] in ("throttled", "cut"):
            failure: tuple[int, dict[str, str]] = (429 if trouble.startswith("throttled") else 1, {})
            if trouble.endswith("for long"):
                vault.always = {call: failure}
            vault.failures = {call: [failure]}
        else:
            return None
        return self.backend()


def test_the_vendors_package_reads_from_this_server(vault: Vault) -> None:
    """So the server speaks as Akeyless does."""
    import akeyless as vendors

    vault.put(f"{VAR}vat", "19")
    api = vendors.V2Api(vendors.ApiClient(vendors.Configuration(host=vault.url)))
    token = api.auth(vendors.Auth(access_id=ID, access_key=KEY)).token
    assert api.get_secret_value(vendors.GetSecretValue(names=[f"{VAR}vat"], token=token)) == {f"{VAR}vat": "19"}
    assert api.list_items(vendors.ListItems(path="/airflow", token=token)).items[0].item_name == f"{VAR}vat"
    with pytest.raises(vendors.ApiException) as caught:
        api.get_secret_value(vendors.GetSecretValue(names=["/none"], token=token))
    assert caught.value.status == 404


def test_values(vault: Vault, make: Any) -> None:
    for name, value in {
        "huge": "x" * 65536,
        "empty": "",
        "field": '{"value": "ü🔑", "note": 1}',
        "number": '{"value": 7}',
        "other": '{"a": 1}',
        "object": {"a": "b"},
        "broken": '{"value": ',
    }.items():
        vault.put(f"{VAR}{name}", value)
    vault.put("/airflow/config/field", '{"value": "pw"}')
    backend = make()
    assert backend.get_variable("huge") == "x" * 65536
    assert backend.get_variable("empty") == ""
    assert backend.get_variable("field") == "ü🔑"
    assert backend.get_variable("number") == "7"
    assert backend.get_variable("other") == '{"a": 1}'
    assert json.loads(backend.get_variable("object")) == {"a": "b"}
    assert backend.get_variable("broken") == '{"value": '
    assert backend.get_config("field") == "pw"
    assert backend.get_many("variable", ["field", "number"]) == {"field": "ü🔑", "number": "7"}


@pytest.mark.parametrize("value", [7, True, 1.5])
def test_what_is_not_text_is_invalid(vault: Vault, make: Any, value: Any) -> None:
    vault.put(f"{VAR}bad", value)
    assert refused(errors.InvalidSecret, lambda: make().get_variable("bad")).where == f"Akeyless, {VAR}bad"
    assert isinstance(make().get_many("variable", ["bad", "x"])["bad"], errors.InvalidSecret)


def test_connections_as_uri_conn_uri_fields_and_by_a_map(vault: Vault, make: Any) -> None:
    for name, value in {
        "uri": "pg://u:p@h:1/s",
        "conn_uri": '{"conn_uri": "pg://u:p@h:1/s", "note": "x"}',
        "fields": '{"conn_type": "pg", "login": "u", "password": "p", "host": "h", "port": 1, "schema": "s"}',
        "text": '"pg://u:p@h:1/s"',
        "own": '{"user": "u"}',
    }.items():
        vault.put(f"/airflow/connections/{name}", value)
    for name in ("uri", "conn_uri", "fields", "text"):
        found = make().get_connection(name)
        assert (found.conn_id, found.get_uri()) == (name, "pg://u:p@h:1/s")
    backend = make()
    assert backend.deserialize_connection("x", backend.get_many("connection", ["conn_uri"])["conn_uri"]).port == 1
    backend.connection_map = {"login": "user", "conn_type": {"const": "x"}}
    assert backend.get_connection("own").login == "u"


def test_versions(vault: Vault, make: Any) -> None:
    vault.put("/airflow/config/pw", "old")
    vault.put("/airflow/config/pw", "new")
    backend = make()
    assert backend.get_config("pw") == "new"
    assert backend.get_config_version("pw", "1") == "old"
    assert backend.get_config_version("pw", "3") is None
    assert backend.get_config_version("pw", "latest") is None


@pytest.mark.parametrize("partial", [False, True])
def test_many_at_once(vault: Vault, make: Any, partial: bool) -> None:
    names = [f"n{number}" for number in range(100)]
    vault.partial = partial
    for name in names:
        vault.put(f"{VAR}{name}", name)
    backend = make()
    assert backend.get_many("variable", names) == {name: name for name in names}
    assert vault.count("get-secret-value") == 2
    vault.refused = {f"{VAR}n7"}
    many = backend.get_many("variable", [*names[:50], "absent"])
    assert isinstance(many.pop("n7"), errors.AccessDenied)
    assert many == {name: name for name in names[:50] if name != "n7"}
    assert vault.count("get-secret-value") - 2 <= 20


def test_a_failing_batch_is_the_failure_of_each_name(vault: Vault, make: Any) -> None:
    vault.always = {"get-secret-value": (500, {})}
    many = make().get_many("variable", ["a", "b"])
    assert [type(fault) for fault in many.values()] == [errors.BackendUnavailable] * 2
    assert many["a"].where == f"Akeyless, {VAR}a"
    many = make(access_key="wrong").get_many("variable", ["a", "b"])
    assert [type(fault) for fault in many.values()] == [errors.AccessDenied] * 2


def test_names_are_listed_over_pages(vault: Vault, make: Any) -> None:
    for number in range(7):
        vault.put(f"{VAR}n{number}", "1")
    vault.put("/airflow/variables_other/x", "1")
    assert make().list_names("variable") == [f"n{number}" for number in range(7)]
    assert vault.count("list-items") == 3
    assert make(variables_path="/none").list_names("variable") == []
    vault.always = {"list-items": (403, {})}
    refused(errors.AccessDenied, lambda: make().list_names("variable"))


def test_denied(vault: Vault, make: Any) -> None:
    vault.refused = {f"{VAR}vat"}
    fault = refused(errors.AccessDenied, lambda: make().get_variable("vat"), "canary", KEY)
    assert fault.where == f"Akeyless, {VAR}vat"
    assert "access role" in fault.hint
    fault = refused(errors.AccessDenied, lambda: make(access_key="canary-wrong").get_variable("vat"), "canary")
    assert fault.where == "Akeyless, login"


def test_throttled_a_little_and_for_good(vault: Vault, make: Any) -> None:
    vault.put(f"{VAR}vat", "19")
    vault.failures = {"get-secret-value": [(429, {"Retry-After": "0"}), (503, {})], "auth": [(0, {})]}
    assert make().get_variable("vat") == "19"
    vault.always = {"get-secret-value": (429, {})}
    vault.calls.clear()
    assert "429" in refused(errors.BackendUnavailable, lambda: make().get_variable("vat"), "canary").what
    assert vault.count("get-secret-value") == retries.TRIES


def test_slow(vault: Vault, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(akeyless, "_READ", 0.1)
    vault.delay = 6.0
    fault = refused(errors.BackendUnavailable, lambda: make().get_variable("vat"), KEY)
    assert "ReadTimeoutError" in fault.what
    assert len(vault.calls) == 1


def test_half_an_answer_is_asked_for_again(vault: Vault, make: Any) -> None:
    vault.put(f"{VAR}vat", "19")
    for status in (0, 1, 2):
        vault.failures = {"get-secret-value": [(status, {})]}
        assert make().get_variable("vat") == "19"


def test_a_login_is_kept_and_renewed(vault: Vault, make: Any, clock: Clock) -> None:
    vault.put(f"{VAR}vat", "19")
    backend = make()
    for _ in range(5):
        assert backend.get_variable("vat") == "19"
    assert vault.count("auth") == 1
    vault.tokens.clear()  # they ended
    assert by_threads(lambda: backend.get_variable("vat")) == ["19"] * 32
    assert vault.count("auth") == 2
    short = make(token_ttl=1)
    assert short.get_variable("vat") == "19"
    clock.now += 1.1
    assert short.get_variable("vat") == "19"
    assert vault.count("auth") == 4


def test_by_a_universal_identity(vault: Vault, make: Any) -> None:
    vault.put(f"{VAR}vat", "19")
    vault.tokens = {"u-made-up", "t-made-up"}
    for token in ("u-made-up", "t-made-up"):
        assert make(access_type="uid", uid_token=token).get_variable("vat") == "19"
    assert [sorted(body) for _, body in vault.calls] == [["names", "uid-token"], ["names", "token"]]


@pytest.mark.parametrize("kind", ["aws_iam", "gcp", "azure_ad"])
def test_by_the_identity_of_a_cloud(vault: Vault, make: Any, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    vault.put(f"{VAR}vat", "19")
    asked: list[Any] = []

    class CloudId:
        def generate(self) -> str:
            asked.append("aws_iam")
            return "canary-cloud-id"

        def generateGcp(self, audience: str) -> str:
            asked.append(audience)
            return "canary-cloud-id"

        def generateAzure(self, object_id: str) -> str:
            asked.append(object_id)
            return "canary-cloud-id"

    module = types.ModuleType("akeyless_cloud_id")
    monkeypatch.setitem(sys.modules, "akeyless_cloud_id", module)
    backend = make(access_type=kind, access_key=None, gcp_audience="gcp", azure_object_id="azure_ad")
    with pytest.raises(errors.BackendError, match="pip install"):
        backend.get_variable("vat")
    module.CloudId = CloudId  # type: ignore[attr-defined]
    assert backend.get_variable("vat") == "19"
    assert asked == [kind]
    assert vault.calls[0][1]["access-type"] == kind

    def fails(*_: Any) -> str:
        raise OSError("canary")

    for method in ("generate", "generateGcp", "generateAzure"):
        monkeypatch.setattr(CloudId, method, fails)
    refused(errors.BackendUnavailable, lambda: make(access_type=kind).get_variable("vat"), "canary")


def test_wrong_kwargs() -> None:
    for kwargs, message in (
        ({"access_type": "saml"}, "Use one of api_key, uid"),
        ({"access_id": "x"}, "Set access_key in backend_kwargs"),
        ({}, "Set access_id and access_key"),
        ({"access_type": "uid"}, "Set uid_token"),
        ({"access_type": "gcp"}, "Set access_id"),
    ):
        with pytest.raises(errors.BackendError, match=message):
            AkeylessBackend(**kwargs)


def test_over_tls_and_through_a_proxy(vault: Vault, make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from servers_tls import Authority

    authority = Authority(tmp_path)
    server = Server(vault.answer, authority.context())
    vault.put(f"{VAR}vat", "19")
    url = f"https://127.0.0.1:{server.port}"
    refused(errors.BackendUnavailable, lambda: make(api_url=url).get_variable("vat"), KEY)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.pem))
    assert make(api_url=url).get_variable("vat") == "19"
    server.stop()
    seen: list[str] = []
    proxy = Server(lambda handler, method: (seen.append(handler.path), handler.body(), handler.reply(503))[2])
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
    refused(errors.BackendUnavailable, lambda: make(api_url="http://akeyless.example").get_variable("vat"), KEY)
    assert seen[0] == "http://akeyless.example/auth"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert make().get_variable("vat") == "19"
    proxy.stop()


@pytest.mark.parametrize("body", [b'{"message": "no Route matched"}', b"{}", b"<html></html>"])
def test_the_404_of_a_gateway_is_not_absence(body: bytes) -> None:
    def answer(handler: Any, method: str) -> None:
        handler.body()
        if handler.path == "/auth":
            handler.reply(200, {"token": "t"})
        else:
            handler.reply(404, body)

    server = Server(answer)
    backend = AkeylessBackend(access_id=ID, access_key=KEY, api_url=f"http://127.0.0.1:{server.port}")
    refused(errors.BackendUnavailable, lambda: backend.get_variable("x"))
    refused(errors.BackendUnavailable, lambda: backend.list_names("variable"))
    server.stop()
