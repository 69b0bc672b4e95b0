"""Google Cloud Secret Manager through Google's own client, over gRPC and TLS, against a server on this machine."""

from __future__ import annotations

import json
import logging
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
from store_checks import OneByOneContract, by_threads, in_a_child, refused  # noqa: E402

from framework import errors  # noqa: E402
from framework.backends import gcp  # noqa: E402
from framework.backends.gcp import GcpSecretManagerBackend  # noqa: E402

KEY = service_account()
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
    monkeypatch.setattr(gcp, "_CALL_SECONDS", GUARD)
    made = SecretManager(authority)
    yield made
    made.close()


@pytest.fixture
def sign_in() -> Iterator[SignIn]:
    made = SignIn()
    yield made
    made.server.stop()


def give_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test in which a call fails until its time is over."""
    monkeypatch.setattr(gcp, "_CALL_SECONDS", 2.0)


def backend_of(store: SecretManager, **kwargs: Any) -> GcpSecretManagerBackend:
    return GcpSecretManagerBackend(
        **{"gcp_keyfile_dict": KEY, "api_endpoint": f"localhost:{store.port}", **kwargs}  # type: ignore[arg-type]
    )


def federated(store: SecretManager, sign_in: SignIn, folder: Path, **kwargs: Any) -> GcpSecretManagerBackend:
    config = workload(sign_in.url, folder)
    return backend_of(store, gcp_keyfile_dict=None, gcp_credential_config_file=config, project_id="acme", **kwargs)


def always(code: str) -> Any:
    def fail(name: str) -> None:
        raise Refused(code)

    return fail


def first(*codes: str) -> Any:
    failures = iter(codes)

    def fail(name: str) -> None:
        if code := next(failures, ""):
            raise Refused(code)

    return fail


class TestContract(OneByOneContract):
    short, module, extra, sep = "gcp_secret_manager", "google.cloud.secretmanager_v1", "gcp", "-"
    odd_ids, keeps_separators = ("A_b-9__",), True
    bad_ids = ("a.b", "a b", "ü", "a/b", "x/versions/1", "a\n", "../x", "n" * 250, "a%2Fb", "a:b")

    @pytest.fixture(autouse=True)
    def _store(self, store: SecretManager, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        self.store, self.monkeypatch = store, monkeypatch
        with ExitStack() as self.stack:
            yield

    def kwargs(self) -> dict[str, Any]:
        return {"gcp_keyfile_dict": KEY, "api_endpoint": f"localhost:{self.store.port}"}

    def store_at(self, name: str, text: str) -> None:
        self.store.put(name, text.encode())

    def reads(self) -> int:
        return len(self.store.calls)

    def lists(self) -> int:
        return self.store.lists

    def on_read(self, act: Any) -> None:
        self.store.fail = act

    def denial(self) -> Exception:
        return Refused("PERMISSION_DENIED")

    def in_the_child(self, backend: Any) -> None:
        backend._endpoint = f"localhost:{self.store.rest.port}"

    @pytest.mark.usefixtures("real_pauses")
    def test_a_cut_connection_is_tried_again(self) -> None:  # gRPC waits 0.1 s before it connects again
        super().test_a_cut_connection_is_tried_again()

    def failing(self) -> Any:
        for code, error in (
            ("PERMISSION_DENIED", errors.AccessDenied),
            ("FAILED_PRECONDITION", errors.InvalidSecret),
            ("INTERNAL", errors.BackendUnavailable),
        ):
            self.store.fail = always(code)
            yield backend_of(self.store), error

    def in_trouble(self, trouble: str) -> Any:
        if trouble in ("down", "too slow") or trouble.endswith("for long"):
            give_up_soon(self.monkeypatch)
        if trouble == "down":
            self.store.stop()
        elif trouble == "binary":
            self.store.put("airflow-config-binary_name", b"\xff")
        elif trouble in ("denied", "throttled for long"):
            self.store.fail = always("PERMISSION_DENIED" if trouble == "denied" else "RESOURCE_EXHAUSTED")
        elif trouble == "wrong credential":
            self.store.tokens = set()
        elif trouble == "expired token":
            self.store.fail = first("UNAUTHENTICATED")
        elif trouble == "throttled":
            self.store.fail = first("RESOURCE_EXHAUSTED", "UNAVAILABLE")
        elif trouble in ("slow", "too slow"):
            self.store.fail = lambda name: time.sleep(6 if trouble == "too slow" else 0.4)
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
def test_each_status_is_what_it_is(
    store: SecretManager, code: str, error: Any, tries: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_up_soon(monkeypatch)
    store.put("airflow-variables-x", b"value-canary")
    store.fail = always(code)
    fault = refused(error, lambda: backend_of(store).get_variable("x"), *CANARIES)
    assert code in str(fault)
    assert "airflow-variables-x" in str(fault)
    assert len(store.calls) == tries if tries else len(store.calls) > 1, "tried again, but not for ever"


def test_a_refusal_names_the_permission_and_the_kwarg(store: SecretManager) -> None:
    store.fail = always("PERMISSION_DENIED")
    backend = backend_of(store)
    message = str(refused(errors.AccessDenied, lambda: backend.get_connection("x")))
    assert "secretmanager.versions.access" in message
    assert "secretmanager.secrets.list" in str(refused(errors.AccessDenied, lambda: backend.list_names("config")))


def test_a_cut_connection(store: SecretManager, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("airflow-variables-x", b"here")
    give_up_soon(monkeypatch)
    backend = backend_of(store)
    assert eventually(lambda: backend.get_variable("x")) == "here"
    store.stop()
    refused(errors.BackendUnavailable, lambda: backend.get_variable("x"), *CANARIES)
    monkeypatch.setattr(gcp, "_CALL_SECONDS", 8.0)
    store.start()
    assert eventually(lambda: backend.get_variable("x")) == "here"  # a channel waits before it looks again


def test_an_unreachable_or_untrusted_server(
    store: SecretManager, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_up_soon(monkeypatch)
    refused(errors.BackendUnavailable, lambda: backend_of(store, api_endpoint="localhost:9").get_variable("x"))
    other = SecretManager(Authority(tmp_path))
    try:
        other.put("airflow-variables-x", b"value-canary")
        refused(errors.BackendUnavailable, lambda: backend_of(other).get_variable("x"), *CANARIES)
        assert other.seen == [], "no token goes to a server that is not trusted"
    finally:
        other.close()


# -- values, names, versions -------------------------------------------------------------------------


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


# -- login -------------------------------------------------------------------------------------------


def test_a_key_file_next_to_the_file_that_names_it(store: SecretManager, tmp_path: Path) -> None:
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
    config: Any = workload(sign_in.url, tmp_path)
    config = {"text": json.dumps(config), "path": write(tmp_path, "config.json", config), "dict": config}[form]
    backend = backend_of(store, gcp_keyfile_dict=None, gcp_credential_config_file=config, project_id="acme")
    assert backend.get_variable("x") == "here"
    assert store.seen == ["Bearer token-canary-0"]


def test_no_credentials_at_all(store: SecretManager) -> None:
    fault = refused(errors.AccessDenied, lambda: backend_of(store, gcp_keyfile_dict=None).get_variable("x"))
    assert "gcp_key_path" in fault.hint


@pytest.mark.parametrize("key", [{"type": "service_account"}, {**KEY, "private_key": "key-canary"}, {"a": "b"}])
def test_an_invalid_key(store: SecretManager, key: Any) -> None:
    with pytest.raises(errors.BackendError, match="gcp_keyfile_dict does not hold Google Cloud credentials") as caught:
        backend_of(store, gcp_keyfile_dict=key).get_variable("x")
    assert caught.value.__cause__ is caught.value.__context__ is None
    with pytest.raises(errors.BackendError, match="cannot be given together"):
        backend_of(store, gcp_key_path="x")


def test_a_refused_sign_in_is_denied_and_an_unreachable_one_unavailable(
    store: SecretManager, sign_in: SignIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in.status = 400
    refused(errors.AccessDenied, lambda: federated(store, sign_in, tmp_path).get_variable("x"), *CANARIES)
    sign_in.server.stop()
    refused(errors.BackendUnavailable, lambda: federated(store, sign_in, tmp_path).get_variable("x"), *CANARIES)
    assert store.calls == []


def test_a_token_that_the_store_no_longer_knows_is_fetched_again_once(
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


def test_impersonation_uses_googles_own_endpoint(store: SecretManager, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_a_gateway_s_answer_over_rest_is_not_absence(store: SecretManager, status: int, body: bytes) -> None:
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
