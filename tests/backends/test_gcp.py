"""Google Cloud Secret Manager through Google's own client, over gRPC and TLS, against a server on this machine."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("google.cloud.secretmanager_v1", reason="google-cloud-secret-manager is not installed")

import grpc  # noqa: E402
from patience import GUARD, eventually  # noqa: E402
from proxy import Proxy  # noqa: E402
from servers_gcp import Refused, SecretManager, SignIn, service_account, workload, write  # noqa: E402
from servers_tls import Authority  # noqa: E402
from store_checks import StoreContract, by_threads, in_a_child, many, refused  # noqa: E402

from framework import errors  # noqa: E402
from framework.backends import gcp  # noqa: E402
from framework.backends.gcp import GcpSecretManagerBackend  # noqa: E402
from framework.chain import runner as parallel

KEY = service_account()
FOLDERS = {"connection": "airflow-connections", "variable": "airflow-variables", "config": "airflow-config"}
CANARIES = ("sdk-text-canary", "value-canary", "token-canary", "platform-token-canary", KEY["private_key"][40:80])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("gcp"))


@pytest.fixture
def store(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretManager]:
    real = gcp._channel

    def trusting(host: str, **more: Any) -> grpc.Channel:
        return real(host, **{**more, "ssl_credentials": grpc.ssl_channel_credentials(authority.root)})

    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", "/nonexistent")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.pem))
    monkeypatch.setattr(gcp, "_channel", trusting)
    monkeypatch.setattr(gcp, "_CALL_SECONDS", 1.5)
    made = SecretManager(authority)
    yield made
    made.close()


@pytest.fixture
def sign_in() -> Iterator[SignIn]:
    made = SignIn()
    yield made
    made.server.stop()


def backend_of(store: SecretManager, **kwargs: Any) -> GcpSecretManagerBackend:
    return GcpSecretManagerBackend(
        **{"gcp_keyfile_dict": KEY, "api_endpoint": f"localhost:{store.port}", **kwargs}  # type: ignore[arg-type]
    )


def federated(store: SecretManager, sign_in: SignIn, folder: Path, **kwargs: Any) -> GcpSecretManagerBackend:
    said = workload(sign_in.url, folder)
    return backend_of(store, gcp_keyfile_dict=None, gcp_credential_config_file=said, project_id="acme", **kwargs)


def always(code: str) -> Any:
    def fail(name: str) -> None:
        raise Refused(code)

    return fail


def once(code: str) -> Any:
    failures = [code]

    def fail(name: str) -> None:
        if failures:
            raise Refused(failures.pop())

    return fail


class TestContract(StoreContract):
    short, module, extra, sep = "gcp_secret_manager", "google.cloud.secretmanager_v1", "gcp", "-"

    @pytest.fixture(autouse=True)
    def _store(self, store: SecretManager) -> Iterator[None]:
        self.store = store
        with ExitStack() as self.stack:
            yield

    def kwargs(self) -> dict[str, Any]:
        return {"gcp_keyfile_dict": KEY, "api_endpoint": f"localhost:{self.store.port}"}

    def store_at(self, name: str, text: str) -> None:
        self.store.put(name, text.encode())

    def reads(self) -> int:
        return len(self.store.calls)

    def in_the_child(self, backend: Any) -> None:
        backend._endpoint = f"localhost:{self.store.rest.port}"

    def failing(self) -> Any:
        for code, error in (
            ("PERMISSION_DENIED", errors.AccessDenied),
            ("FAILED_PRECONDITION", errors.InvalidSecret),
            ("INTERNAL", errors.BackendUnavailable),
        ):
            self.store.fail = always(code)
            yield backend_of(self.store), error

    def in_trouble(self, trouble: str) -> Any:
        if trouble == "down":
            self.store.stop()
        elif trouble == "binary":
            self.store.put("airflow-config-binary_name", b"\xff")
        elif trouble in ("denied", "throttled for long"):
            self.store.fail = always("PERMISSION_DENIED" if trouble == "denied" else "RESOURCE_EXHAUSTED")
        elif trouble == "wrong credential":
            self.store.tokens = set()
        elif trouble in ("expired token", "throttled"):
            self.store.fail = once("UNAUTHENTICATED" if trouble == "expired token" else "RESOURCE_EXHAUSTED")
        elif trouble in ("slow", "too slow"):
            self.store.fail = lambda name: time.sleep(3 if trouble == "too slow" else 0.4)
        elif trouble.startswith("cut"):
            proxy: Proxy = self.stack.enter_context(Proxy(self.store.port))
            proxy.faults, proxy.always = ["reset"], "reset" if trouble == "cut for long" else None
            return backend_of(self.store, api_endpoint=f"localhost:{proxy.port}")
        else:
            return None
        return backend_of(self.store)


@pytest.mark.parametrize(
    ("code", "error", "tries"),
    [
        ("PERMISSION_DENIED", errors.AccessDenied, 1),
        ("UNAUTHENTICATED", errors.AccessDenied, 2),
        ("FAILED_PRECONDITION", errors.InvalidSecret, 1),
        ("INVALID_ARGUMENT", errors.InvalidSecret, 1),
        ("RESOURCE_EXHAUSTED", errors.BackendUnavailable, None),
        ("UNAVAILABLE", errors.BackendUnavailable, None),
        ("INTERNAL", errors.BackendUnavailable, 1),
        ("UNKNOWN", errors.BackendUnavailable, 1),
        ("DEADLINE_EXCEEDED", errors.BackendUnavailable, 1),
        ("UNIMPLEMENTED", errors.BackendUnavailable, 1),
    ],
)
def test_each_status_is_what_it_is(store: SecretManager, code: str, error: Any, tries: int | None) -> None:
    store.put("airflow-variables-x", b"value-canary")
    store.fail = always(code)
    fault = refused(error, lambda: backend_of(store).get_variable("x"), *CANARIES)
    assert code in str(fault)
    assert "airflow-variables-x" in str(fault)
    assert len(store.calls) == tries if tries else len(store.calls) > 1, "tried again, but not for ever"


def test_a_refusal_names_the_permission_and_the_kwarg(store: SecretManager) -> None:
    store.fail = always("PERMISSION_DENIED")
    backend = backend_of(store)
    said = str(refused(errors.AccessDenied, lambda: backend.get_connection("x")))
    assert "secretmanager.versions.access" in said
    assert "secretmanager.secrets.list" in str(refused(errors.AccessDenied, lambda: backend.list_names("config")))


def test_a_store_that_comes_back_is_waited_for(store: SecretManager) -> None:
    store.put("airflow-variables-x", b"here")
    for code in ("RESOURCE_EXHAUSTED", "UNAVAILABLE"):
        failures = [code, code]

        def fail(name: str, failures: list[str] = failures) -> None:
            if failures:
                raise Refused(failures.pop())

        store.fail = fail
        assert backend_of(store).get_variable("x") == "here"


def test_a_cut_connection(store: SecretManager, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("airflow-variables-x", b"here")
    backend = backend_of(store)
    assert backend.get_variable("x") == "here"
    store.stop()
    refused(errors.BackendUnavailable, lambda: backend.get_variable("x"), *CANARIES)
    monkeypatch.setattr(gcp, "_CALL_SECONDS", 8.0)
    store.start()
    assert eventually(lambda: backend.get_variable("x")) == "here"  # a channel waits before it looks again


def test_a_slow_store_is_left(store: SecretManager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gcp, "_CALL_SECONDS", 1.0)
    store.put("airflow-variables-x", b"here")
    hangs = threading.Event()
    store.fail = lambda name: hangs.wait(GUARD)
    refused(errors.BackendUnavailable, lambda: backend_of(store).get_variable("x"))
    hangs.set()


def test_nobody_listens_or_is_trusted(store: SecretManager, authority: Authority, tmp_path: Path) -> None:
    refused(errors.BackendUnavailable, lambda: backend_of(store, api_endpoint="localhost:9").get_variable("x"))
    other = SecretManager(Authority(tmp_path))
    try:
        other.put("airflow-variables-x", b"value-canary")
        refused(errors.BackendUnavailable, lambda: backend_of(other).get_variable("x"), *CANARIES)
        assert other.seen == [], "no token goes to a server that is not trusted"
    finally:
        other.close()


# -- values, names, versions -------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "a", "ü🔑\n", " ", "x" * 65536, "a\0b", "%s {x} $HOME"])
def test_texts_come_as_they_are(store: SecretManager, text: str) -> None:
    store.put("airflow-config-x", text.encode())
    assert backend_of(store).get_config("x") == text


def test_bytes_that_are_no_text_are_invalid_and_unshown(store: SecretManager) -> None:
    store.put("airflow-config-x", b"value-canary\xff")
    refused(errors.InvalidSecret, lambda: backend_of(store).get_config("x"), *CANARIES)


@pytest.mark.parametrize(
    "name", ["a.b", "a b", "ü", "a/b", "x/versions/1", "a\n", "../x", "", "n" * 250, "a%2Fb", "a:b"]
)
def test_names_that_secret_manager_cannot_hold_are_never_asked_for(store: SecretManager, name: str) -> None:
    backend = backend_of(store, variables_prefix="" if not name else "airflow-variables")
    assert backend.get_variable(name) is None
    assert store.calls == []
    assert backend.get_many("variable", [name, name]) == {}


def test_names_with_all_that_is_allowed(store: SecretManager) -> None:
    store.put("airflow-variables-A_b-9__", b"here")
    assert backend_of(store).get_variable("A_b-9__") == "here"


def test_prefixes(store: SecretManager) -> None:
    store.put("vat", b"bare")
    store.put("own--vat", b"own")
    store.put("own_vat", b"under")
    store.put("billing-variables-vat", b"billing")
    assert backend_of(store, variables_prefix="").get_variable("vat") == "bare"
    assert backend_of(store, variables_prefix="own-").get_variable("vat") == "own", "a separator at the end stays"
    assert backend_of(store, variables_prefix="own", sep="_").get_variable("vat") == "under"
    backend = backend_of(store)
    backend.bind("billing", "")
    assert backend.get_variable("vat") == "billing"
    store.calls.clear()
    none = backend_of(store, connections_prefix=None, variables_prefix=None, config_prefix=None)
    assert (none.get_connection("x"), none.get_variable("x"), none.get_config("x")) == (None, None, None)
    assert none.list_names("variable") == []
    assert store.calls == []
    with pytest.raises(errors.BackendError, match="connections_prefix"):
        backend_of(store, connections_prefix="airflow/connections")


def test_versions(store: SecretManager) -> None:
    for data in (b"one", b"two"):
        store.put("airflow-config-x", data)
    backend = backend_of(store)
    assert backend.get_config("x") == "two"
    assert backend.get_config_version("x", "1") == "one"
    assert backend.get_config_version("x", "latest") == "two"
    assert backend.get_config_version("x", "3") is None
    calls = len(store.calls)
    assert backend.get_config_version("x", "1/../../y") is None
    assert len(store.calls) == calls
    store.disabled.add(("airflow-config-x", 1))
    refused(errors.InvalidSecret, lambda: backend.get_config_version("x", "1"))
    assert backend.get_config("x") == "two"


# -- many --------------------------------------------------------------------------------------------


def test_many_at_once(store: SecretManager) -> None:
    names = [f"n{number}" for number in range(100)]
    for name in names:
        store.put(f"airflow-config-{name}", name.encode())
    store.put("airflow-config-bytes", b"\xff")
    at_once, most, lock = [0], [0], threading.Condition()

    def fail(name: str) -> None:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
            lock.notify_all()
            lock.wait_for(lambda: most[0] >= 8, 30)
        time.sleep(0.02)  # more than may be would be seen
        with lock:
            at_once[0] -= 1
        if name.endswith("denied"):
            raise Refused("PERMISSION_DENIED")

    store.fail = fail
    backend = backend_of(store)
    found = many(backend, [*names, "gone", "denied", "bytes", "no name"])
    assert {name: found[name] for name in names} == dict(zip(names, names, strict=True))
    assert isinstance(found["denied"], errors.AccessDenied)
    assert isinstance(found["bytes"], errors.InvalidSecret)
    assert set(found) == {*names, "denied", "bytes"}
    assert len(store.calls) == 103, "one request a name"
    assert 8 <= most[0] <= 16
    assert backend.logins == 1
    assert backend.get_many("config", []) == {}


def test_many_of_a_store_that_is_down_cost_the_time_of_one(
    store: SecretManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gcp, "_CALL_SECONDS", 1.0)
    monkeypatch.setattr(parallel, "_A_WHILE", 0)
    store.stop()
    found = many(backend_of(store), [f"n{number}" for number in range(100)])
    assert len(found) == 100
    spared = [fault for fault in found.values() if "it was not asked for" in str(fault)]
    assert len(spared) >= 100 - 31, "16 had failed, and 15 were under way"
    assert {type(fault) for fault in found.values()} == {errors.BackendUnavailable}


def test_lists_page_by_page(store: SecretManager) -> None:
    for number in range(7):
        store.put(f"airflow-variables-n{number}", b"x")
    store.put("airflow-connections-c", b"x")
    store.put("other-airflow-variables-n", b"x")
    backend = backend_of(store)
    assert backend.list_names("variable") == [f"n{number}" for number in range(7)]
    assert store.lists == 4
    assert backend.list_names("connection") == ["c"]
    assert backend_of(store, config_prefix="").list_names("config") == sorted(name for _, name in store.secrets)


# -- login -------------------------------------------------------------------------------------------


def test_a_key_file_beside_the_file_that_names_it(store: SecretManager, tmp_path: Path) -> None:
    store.put("airflow-variables-x", b"here")
    write(tmp_path, "key.json", KEY)
    backend = backend_of(store, gcp_keyfile_dict=None, gcp_key_path="key.json")
    backend.bind("airflow", str(tmp_path))
    assert backend.get_variable("x") == "here"


def test_a_key_with_escaped_line_breaks(store: SecretManager) -> None:
    store.put("airflow-variables-x", b"here")
    escaped = {**KEY, "private_key": KEY["private_key"].replace("\n", "\\n")}
    assert backend_of(store, gcp_keyfile_dict=escaped).get_variable("x") == "here"


def test_application_default_credentials(store: SecretManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("airflow-variables-x", b"here")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", write(tmp_path, "key.json", KEY))
    assert backend_of(store, gcp_keyfile_dict=None).get_variable("x") == "here"


def test_another_project(store: SecretManager) -> None:
    store.put("airflow-variables-x", b"other", project="other")
    assert backend_of(store, project_id="other").get_variable("x") == "other"
    assert backend_of(store).get_variable("x") is None


@pytest.mark.parametrize("form", ["dict", "text", "path"])
def test_workload_identity_federation(store: SecretManager, sign_in: SignIn, tmp_path: Path, form: str) -> None:
    store.put("airflow-variables-x", b"here")
    said: Any = workload(sign_in.url, tmp_path)
    said = json.dumps(said) if form == "text" else write(tmp_path, "config.json", said) if form == "path" else said
    backend = backend_of(store, gcp_keyfile_dict=None, gcp_credential_config_file=said, project_id="acme")
    assert backend.get_variable("x") == "here"
    assert store.seen == ["Bearer token-canary-0"]


def test_no_credentials_at_all(store: SecretManager) -> None:
    fault = refused(errors.AccessDenied, lambda: backend_of(store, gcp_keyfile_dict=None).get_variable("x"))
    assert "gcp_key_path" in fault.hint


@pytest.mark.parametrize("key", [{"type": "service_account"}, {**KEY, "private_key": "key-canary"}, {"a": "b"}])
def test_a_key_that_is_none(store: SecretManager, key: Any) -> None:
    with pytest.raises(errors.BackendError, match="gcp_keyfile_dict does not hold Google Cloud credentials") as caught:
        backend_of(store, gcp_keyfile_dict=key).get_variable("x")
    assert caught.value.__cause__ is caught.value.__context__ is None
    with pytest.raises(errors.BackendError, match="cannot be given together"):
        backend_of(store, gcp_key_path="x")


def test_a_refused_sign_in_is_denied_and_one_that_is_away_unavailable(
    store: SecretManager, sign_in: SignIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in.status = 400
    refused(errors.AccessDenied, lambda: federated(store, sign_in, tmp_path).get_variable("x"), *CANARIES)
    sign_in.server.stop()
    refused(errors.BackendUnavailable, lambda: federated(store, sign_in, tmp_path).get_variable("x"), *CANARIES)
    assert store.calls == []


def test_a_token_that_the_store_no_longer_knows_is_fetched_anew_once(
    store: SecretManager, sign_in: SignIn, tmp_path: Path
) -> None:
    store.put("airflow-variables-x", b"here")
    backend = federated(store, sign_in, tmp_path)
    assert backend.get_variable("x") == "here"
    store.tokens = {"token-canary-1"}
    assert by_threads(lambda: backend.get_variable("x")) == ["here"] * 32
    assert sign_in.given == ["token-canary-0", "token-canary-1"]
    assert backend.logins == 2
    store.tokens = set()
    refused(errors.AccessDenied, lambda: backend.get_variable("x"), *CANARIES)


def test_a_token_is_renewed_before_it_ends(store: SecretManager, sign_in: SignIn, tmp_path: Path) -> None:
    store.put("airflow-variables-x", b"here")
    sign_in.seconds = 60  # less than the margin
    backend = federated(store, sign_in, tmp_path)
    assert [backend.get_variable("x") for _ in range(3)] == ["here"] * 3
    assert len(sign_in.given) >= 3


def test_impersonation_is_asked_of_googles_own_endpoint(store: SecretManager, monkeypatch: pytest.MonkeyPatch) -> None:
    from google.auth import impersonated_credentials

    asked = []

    def refresh(self: Any, request: Any) -> None:
        asked.append((self._target_principal, list(self._delegates), list(self._target_scopes)))
        self.token, self.expiry = "impersonated", None

    monkeypatch.setattr(impersonated_credentials.Credentials, "refresh", refresh)
    store.put("airflow-variables-x", b"here", project="books")
    chain = ["first@acme.iam.gserviceaccount.com", "last@books.iam.gserviceaccount.com"]
    backend = backend_of(store, impersonation_chain=chain, gcp_scopes="one, two")
    assert backend.get_variable("x") == "here"
    assert asked == [(chain[1], chain[:1], ["one", "two"])]
    assert store.seen == ["Bearer impersonated"]


# -- one client, threads, forks ----------------------------------------------------------------------


def test_one_login_for_all_threads(store: SecretManager, sign_in: SignIn, tmp_path: Path) -> None:
    store.put("airflow-variables-x", b"here")
    sign_in.wait = 0.1
    backend = federated(store, sign_in, tmp_path)
    assert by_threads(lambda: backend.get_variable("x")) == ["here"] * 32
    assert backend.logins == len(sign_in.given) == 1


def test_a_forked_child_makes_its_own_client_and_speaks_rest(store: SecretManager) -> None:
    store.put("airflow-variables-x", "hereü".encode())
    store.put("airflow-variables-bytes", b"\xff")
    store.put("airflow-variables-off", b"x")
    store.disabled.add(("airflow-variables-off", 1))
    backend = backend_of(store)
    assert backend.get_variable("x") == "hereü"

    def in_child() -> Any:
        backend._endpoint = f"localhost:{store.rest.port}"
        found: list[Any] = [backend.get_variable("x"), backend.get_variable("gone"), backend.list_names("variable")]
        for name in ("bytes", "off"):
            try:
                backend.get_variable(name)
            except errors.SecretsError as fault:
                found.append([type(fault).__name__, "canary" in str(fault)])
        return [*found, sorted(backend.get_many("variable", ["x", "gone", "off"]))]

    assert in_a_child(in_child) == [
        *("hereü", None, ["bytes", "off", "x"], ["InvalidSecret", False], ["InvalidSecret", False]),
        ["off", "x"],
    ]
    assert backend.get_variable("x") == "hereü", "the parent's client is as it was"


@pytest.mark.parametrize(
    ("code", "name"), [("PERMISSION_DENIED", "AccessDenied"), ("UNAVAILABLE", "BackendUnavailable")]
)
def test_failures_over_rest(store: SecretManager, code: str, name: str) -> None:
    backend = backend_of(store)
    backend.get_variable("x")

    def in_child() -> str:
        backend._endpoint = f"localhost:{store.rest.port}"
        store.fail = always(code)
        try:
            return str(backend.get_variable("x"))
        except errors.SecretsError as fault:
            return type(fault).__name__

    store.fail = always(code)
    assert in_a_child(in_child) == name


@pytest.mark.parametrize(
    ("status", "body"), [(404, b"<html>nothing here</html>"), (404, b'{"message": "no route"}'), (200, b"{}")]
)
def test_a_gateway_s_answer_over_rest_is_no_absence(store: SecretManager, status: int, body: bytes) -> None:
    backend = backend_of(store)
    backend.get_variable("x")

    def in_child() -> str:
        backend._endpoint = f"localhost:{store.rest.port}"
        try:
            return str(backend.get_variable("x"))
        except errors.SecretsError as fault:
            return type(fault).__name__

    store.rest.answer = lambda handler, method: handler.reply(status, body)
    assert in_a_child(in_child) == "BackendUnavailable"


# -- what is shown -----------------------------------------------------------------------------------


def test_nothing_secret_in_logs_and_reprs(
    store: SecretManager, sign_in: SignIn, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import base64

    google = logging.getLogger("google")
    google.propagate, before = True, google.propagate
    caplog.set_level(logging.DEBUG)
    try:
        store.put("airflow-variables-x", b"value-canary")
        backend = federated(store, sign_in, tmp_path)
        assert backend.get_variable("x") == "value-canary"
        backend.list_names("variable")
        store.fail = always("PERMISSION_DENIED")
        refused(errors.AccessDenied, lambda: backend.get_variable("x"), *CANARIES)
    finally:
        google.propagate = before
    shown = repr(backend) + "".join(f"{record.__dict__} {record.getMessage()}" for record in caplog.records)
    for canary in (*CANARIES[1:], base64.b64encode(b"value-canary").decode()):
        assert canary not in shown


def test_nothing_is_printed(store: SecretManager, capfd: pytest.CaptureFixture[str]) -> None:
    store.fail = always("PERMISSION_DENIED")
    refused(errors.AccessDenied, lambda: backend_of(store).get_variable("x"))
    refused(errors.AccessDenied, lambda: backend_of(store, gcp_keyfile_dict=None).get_variable("x"))
    out, err = capfd.readouterr()
    assert "canary" not in out + err


# -- in an application -------------------------------------------------------------------------------
