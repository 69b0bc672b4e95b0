"""Kubernetes Secrets against kmock's emulator over a socket."""

from __future__ import annotations

import base64
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from patience import GUARD

pytest.importorskip("kmock", reason="kmock is not installed")

from servers_kubernetes import TOKEN, Cluster, cluster  # noqa: E402, F401
from servers_tls import Authority  # noqa: E402
from store_checks import by_threads, in_a_child, refused  # noqa: E402

from framework import App, errors  # noqa: E402
from framework.backends import AIRFLOW_TWINS, build, kubernetes, retries  # noqa: E402
from framework.backends.kubernetes import KubernetesSecretsBackend  # noqa: E402
from framework.testing import BackendContract  # noqa: E402

CONN, VAR, CONFIG = (f"airflow.apache.org/{name}" for name in ("connection-id", "variable-key", "config-key"))
LABELS = {"connection": CONN, "variable": VAR, "config": CONFIG}
DOWN = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KUBERNETES_SERVICE_HOST", "KUBECONFIG", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def make(cluster: Cluster, tmp_path: Path) -> Any:  # noqa: F811
    path = cluster.kubeconfig(tmp_path)
    return lambda **kwargs: KubernetesSecretsBackend(**{"kubeconfig": path, **kwargs})


class TestContract(BackendContract):
    @pytest.fixture(autouse=True)
    def _store(self, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
        self.cluster, self.folder, self.monkeypatch = cluster, tmp_path, monkeypatch

    def backend(self) -> Any:
        return KubernetesSecretsBackend(kubeconfig=self.cluster.kubeconfig(self.folder))

    def put(self, kind: str, name: str, text: str) -> None:
        self.cluster.put({LABELS[kind]: name}, {"value": text.encode()}, f"{kind}-{name}".replace("_", "-"))

    def in_trouble(self, trouble: str) -> Any:
        api, more = self.cluster, dict[str, Any]()
        if trouble == "denied":
            api.always = (403, {}, '{"kind": "Status", "reason": "Forbidden"}')
        elif trouble == "wrong credential":
            more["token"] = "wrong"
        elif trouble == "down":
            more["url"] = DOWN
        elif trouble == "expired token":
            backend = self.backend()
            backend.get_variable("stored_name")
            api.tokens = {"fresh"}
            api.kubeconfig(self.folder, token="fresh")  # whoever renews it writes the file
            return backend
        elif trouble == "binary":
            api.put({LABELS["config"]: "binary_name"}, {"value": b"\xff"})
        elif trouble.startswith("throttled"):
            failure = (429, {"Retry-After": "0"}, "")
            api.failures, api.always = [failure], failure if trouble.endswith("for long") else None
        elif trouble.startswith("cut"):
            cut = (206, {}, '{"items": [')
            api.failures, api.always = [cut], cut if trouble.endswith("for long") else None
        elif trouble in ("slow", "too slow"):
            api.delay = 3.0 if trouble == "too slow" else 0.5
            self.monkeypatch.setattr(kubernetes, "_TIMEOUTS", (GUARD, 0.2 if trouble == "too slow" else GUARD))
        else:
            return None
        return KubernetesSecretsBackend(kubeconfig=api.kubeconfig(self.folder, **more))


def test_the_three_kinds_have_their_labels_and_keys(cluster: Cluster, make: Any) -> None:  # noqa: F811
    cluster.put({CONN: "db"}, {"value": b"postgres://u:p@h/x"})
    cluster.put({VAR: "vat"}, {"value": "19 ü🔑".encode()})
    cluster.put({CONFIG: "smtp"}, {"value": b"pw", "other": b"no"})
    backend = make()
    assert backend.get_connection("db").password == "p"
    assert (backend.get_variable("vat"), backend.get_config("smtp")) == ("19 ü🔑", "pw")
    assert make(config_data_key="other").get_config("smtp") == "no"
    assert make(config_label=VAR).get_config("vat") == "19 ü🔑"
    assert cluster.requests[0] == {"labelSelector": f"{CONN}=db,!airflow.apache.org/team", "resourceVersion": "0"}


def test_a_connection_as_json_and_by_a_map(cluster: Cluster, make: Any) -> None:  # noqa: F811
    cluster.put({CONN: "json"}, {"value": b'{"conn_type": "http", "host": "h", "port": 8080}'})
    cluster.put({CONN: "mapped"}, {"value": b'{"username": "u", "endpoint": {"address": "a"}}'})
    assert make().get_connection("json").port == 8080
    backend = make()
    backend.connection_map = {"login": "username", "host": "endpoint.address", "conn_type": {"const": "x"}}
    assert backend.get_connection("mapped").get_uri() == "x://u@a"


def test_a_label_of_null_is_never_asked_for(cluster: Cluster, make: Any) -> None:  # noqa: F811
    backend = make(connections_label=None, variables_label=None, config_label=None, kubeconfig="/nowhere")
    assert backend.get_conn_value("x") is backend.get_variable("x") is backend.get_config("x") is None
    assert backend.get_many("variable", ["x"]) == {}
    assert backend.list_names("variable") == []
    assert cluster.requests == []


@pytest.mark.parametrize("name", ["a,b=c", "a b", "", "-a", "a/b", "x" * 64, "ü", "a)", "!a", "a\n"])
def test_what_no_label_can_say_is_absent_and_never_sent(cluster: Cluster, make: Any, name: str) -> None:  # noqa: F811
    assert make().get_variable(name) is None
    assert make().get_many("variable", [name]) == {}
    assert cluster.requests == []


@pytest.mark.parametrize("name", ["a", "a.b_c-d", "X" * 63, "0"])
def test_what_a_label_can_say_is_found(cluster: Cluster, make: Any, name: str) -> None:  # noqa: F811
    cluster.put({VAR: name}, {"value": b"1"})
    assert make().get_variable(name) == "1"


def test_two_secrets_with_one_label_are_invalid(cluster: Cluster, make: Any) -> None:  # noqa: F811
    cluster.put({VAR: "vat"}, {"value": b"canary-one"}, "first")
    cluster.put({VAR: "vat"}, {"value": b"canary-two"}, "second")
    cluster.put({VAR: "other"}, {"value": b"fine"}, "third")
    fault = refused(errors.InvalidSecret, lambda: make().get_variable("vat"), "canary")
    assert "first, second" in fault.what
    many = make().get_many("variable", ["vat", "other"])
    assert many["other"] == "fine"
    assert isinstance(many["vat"], errors.InvalidSecret)


def test_a_secret_of_a_team_is_left_out(cluster: Cluster, make: Any) -> None:  # noqa: F811
    cluster.put({VAR: "vat", "airflow.apache.org/team": "red"}, {"value": b"7"}, "red")
    assert make().get_variable("vat") is None
    assert make(team_label=None).get_variable("vat") == "7"
    cluster.put({VAR: "vat"}, {"value": b"19"}, "all")
    assert make().get_variable("vat") == "19"


@pytest.mark.parametrize("value", [b"\xff\xfe\x00", "canary no base64 !", "Y2FuYXJ5"[:-1]])
def test_what_is_not_text_is_invalid(cluster: Cluster, make: Any, value: Any) -> None:  # noqa: F811
    cluster.put({VAR: "bad"}, {"value": value}, "holder")
    fault = refused(errors.InvalidSecret, lambda: make().get_variable("bad"), "canary")
    assert "secret holder" in fault.where


def test_a_secret_without_the_key_is_invalid(cluster: Cluster, make: Any) -> None:  # noqa: F811
    cluster.put({VAR: "bad"}, {"password": b"canary"}, "holder")
    fault = refused(errors.InvalidSecret, lambda: make().get_variable("bad"), "canary")
    assert "variables_data_key" in fault.hint
    refused(errors.InvalidSecret, lambda: make(config_label=VAR).get_config("bad"))


def test_empty_and_huge_texts(cluster: Cluster, make: Any) -> None:  # noqa: F811
    cluster.put({VAR: "empty"}, {"value": b""})
    cluster.put({VAR: "huge"}, {"value": b"x" * 65536})
    assert make().get_variable("empty") == ""
    assert make().get_variable("huge") == "x" * 65536


def test_many_names_are_one_call_for_each_hundred(cluster: Cluster, make: Any) -> None:  # noqa: F811
    names = [f"n{number}" for number in range(250)]
    for name in names:
        cluster.put({VAR: name}, {"value": name.encode()})
    cluster.put({VAR: "bad"}, {"value": b"\xff"})
    many = make().get_many("variable", [*names, "absent", "no/label", "bad", "n1"])
    assert {name: many[name] for name in names} == {name: name for name in names}
    assert isinstance(many.pop("bad"), errors.InvalidSecret)
    assert set(many) == set(names)
    assert len(cluster.requests) == 3


def test_a_failing_batch_is_the_failure_of_each_name(cluster: Cluster, make: Any) -> None:  # noqa: F811
    cluster.always = (403, {}, "")
    many = make().get_many("variable", ["a", "b"])
    assert [type(fault) for fault in many.values()] == [errors.AccessDenied] * 2
    assert many["a"] is not many["b"]


def test_names_are_listed_over_pages(cluster: Cluster, make: Any) -> None:  # noqa: F811
    for number in range(7):
        cluster.put({VAR: f"n{number}"}, {"value": b"1"})
    cluster.put({CONN: "db"}, {"value": b"1"})
    cluster.page = 3
    assert make().list_names("variable") == [f"n{number}" for number in range(7)]
    assert len(cluster.requests) == 3


def test_the_namespace(cluster: Cluster, make: Any, tmp_path: Path) -> None:  # noqa: F811
    cluster.put({VAR: "vat"}, {"value": b"prod"})
    cluster.put({VAR: "vat"}, {"value": b"other"}, namespace="other")
    assert make().get_variable("vat") == "prod"
    assert make(namespace="other").get_variable("vat") == "other"
    assert make(context="other").get_variable("vat") == "other"
    (tmp_path / "none").mkdir()
    text = Path(cluster.kubeconfig(tmp_path / "none")).read_text().replace(", namespace: prod", "")
    (tmp_path / "none" / "kubeconfig").write_text(text)
    with pytest.raises(errors.BackendError, match="Set namespace in backend_kwargs"):
        make(kubeconfig=str(tmp_path / "none" / "kubeconfig")).get_variable("vat")


def test_in_a_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the service account's files, over TLS."""
    from kubernetes.config import incluster_config

    authority = Authority(tmp_path)
    cluster = Cluster(authority.context())  # noqa: F811
    for name, text in (("token", TOKEN), ("namespace", "prod\n")):
        (tmp_path / name).write_text(text)
    host, port = cluster.url.removeprefix("https://").split(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(authority.pem))
    monkeypatch.setattr(kubernetes, "NAMESPACE_FILE", str(tmp_path / "namespace"))
    cluster.put({VAR: "vat"}, {"value": b"19"})
    assert KubernetesSecretsBackend().get_variable("vat") == "19"
    monkeypatch.setattr(kubernetes, "NAMESPACE_FILE", str(tmp_path / "absent"))
    with pytest.raises(errors.BackendError, match="the namespace is not known"):
        KubernetesSecretsBackend().get_variable("vat")
    assert KubernetesSecretsBackend("prod").get_variable("vat") == "19"
    (tmp_path / "other").mkdir()
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(Authority(tmp_path / "other").pem))
    fault = refused(errors.BackendUnavailable, lambda: KubernetesSecretsBackend("prod").get_variable("vat"))
    assert "SSLError" in fault.what
    cluster.stop()


def test_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("canary: [")
    for backend in (
        KubernetesSecretsBackend(kubeconfig=str(tmp_path / "absent")),
        KubernetesSecretsBackend(kubeconfig=str(tmp_path / "broken")),
    ):
        with pytest.raises(errors.BackendError, match="cannot log in with") as caught:
            backend.get_variable("vat")
        assert "canary" not in str(caught.value)
        assert caught.value.__context__ is None


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "kubernetes", None)
    with pytest.raises(errors.BackendError, match=r"pip install 'framework\[kubernetes\]'"):
        KubernetesSecretsBackend(namespace="x").get_variable("vat")


def test_denied(cluster: Cluster, make: Any) -> None:  # noqa: F811
    cluster.always = (403, {}, '{"message": "canary: secrets is forbidden"}')
    fault = refused(errors.AccessDenied, lambda: make().get_variable("vat"), "canary", TOKEN)
    assert fault.where == "Kubernetes namespace prod"
    assert '"list" on "secrets"' in fault.hint
    assert len(cluster.requests) == 1


def test_an_expired_login_is_renewed_once(cluster: Cluster, make: Any, tmp_path: Path) -> None:  # noqa: F811
    cluster.put({VAR: "vat"}, {"value": b"19"})
    backend = make()
    assert backend.get_variable("vat") == "19"
    cluster.tokens = {"fresh"}
    refused(errors.AccessDenied, lambda: backend.get_variable("vat"), TOKEN)
    assert len(cluster.requests) == 3
    cluster.kubeconfig(tmp_path, token="fresh")
    assert backend.get_variable("vat") == "19"


def test_throttled_a_little_and_for_good(cluster: Cluster, make: Any) -> None:  # noqa: F811
    cluster.put({VAR: "vat"}, {"value": b"19"})
    cluster.failures = [(429, {"Retry-After": "0"}, ""), (503, {}, "")]
    assert make().get_variable("vat") == "19"
    assert len(cluster.requests) == 3
    cluster.always = (429, {}, "canary")
    fault = refused(errors.BackendUnavailable, lambda: make().get_variable("vat"), "canary")
    assert "429" in fault.what
    assert len(cluster.requests) == 3 + retries.TRIES


@pytest.mark.parametrize("status", [400, 404, 500, 302])
def test_any_other_status_is_not_absence(cluster: Cluster, make: Any, status: int) -> None:  # noqa: F811
    cluster.always = (status, {"Location": "/x"}, "canary")
    assert str(status) in refused(errors.BackendUnavailable, lambda: make().get_variable("vat"), "canary").what


@pytest.mark.parametrize("body", ["canary", "[]", '{"kind": "canary"}', ""])
def test_an_answer_that_is_not_a_list_is_not_absence(cluster: Cluster, make: Any, body: str) -> None:  # noqa: F811
    cluster.always = (200, {}, body)
    refused(errors.BackendUnavailable, lambda: make().get_variable("vat"), "canary")


def test_cut_connections(cluster: Cluster, make: Any) -> None:  # noqa: F811
    cluster.put({VAR: "vat"}, {"value": b"19"})
    for status in (0, 206):
        cluster.failures = [(status, {}, '{"items": [')]
        assert make().get_variable("vat") == "19"
        cluster.always = (status, {}, '{"items": []')
        refused(errors.BackendUnavailable, lambda: make().get_variable("vat"))
        cluster.always = None


def test_slow(cluster: Cluster, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(kubernetes, "_TIMEOUTS", (GUARD, 0.2))
    cluster.delay = 3.0
    fault = refused(errors.BackendUnavailable, lambda: make().get_variable("vat"))
    assert "ReadTimeoutError" in fault.what


def test_nothing_of_a_secret_is_logged(cluster: Cluster, make: Any, caplog: pytest.LogCaptureFixture) -> None:  # noqa: F811
    caplog.set_level(logging.DEBUG)
    cluster.put({VAR: "vat"}, {"value": b"canary-value"})
    backend = make()
    assert backend.get_variable("vat") == "canary-value"
    backend.list_names("variable")
    backend.get_many("variable", ["vat"])
    for hidden in ("canary-value", base64.b64encode(b"canary-value").decode(), TOKEN):
        assert hidden not in caplog.text + repr(backend) + repr(vars(backend))


def test_one_client_for_all_threads(cluster: Cluster, make: Any) -> None:  # noqa: F811
    cluster.put({VAR: "vat"}, {"value": b"19"})
    backend, made = make(), list[Any]()
    log_in = backend._clients._make
    backend._clients._make = lambda: made.append(1) or log_in()
    assert by_threads(lambda: backend.get_variable("vat")) == ["19"] * 32
    assert len(made) == 1
    assert len(cluster.requests) == 32
    before = len(cluster.connections)
    for _ in range(20):
        backend.get_variable("vat")
    assert len(cluster.connections) == before, "connections are used again"


def test_a_child_has_its_own_client(cluster: Cluster, make: Any) -> None:  # noqa: F811
    cluster.put({VAR: "vat"}, {"value": b"19"})
    backend = make()
    assert backend.get_variable("vat") == "19"
    parent = id(backend._clients.get()[0].api_client.rest_client)
    answer = in_a_child(lambda: [backend.get_variable("vat"), id(backend._clients.get()[0].api_client.rest_client)])
    assert answer[0] == "19"
    assert answer[1] != parent
    assert backend.get_variable("vat") == "19"


def test_by_its_short_name_and_by_airflows(cluster: Cluster, tmp_path: Path) -> None:  # noqa: F811
    path = cluster.kubeconfig(tmp_path)
    cluster.put({VAR: "vat"}, {"value": b"19"})
    twin = next(path for path, name in AIRFLOW_TWINS.items() if name == "kubernetes")
    for backend in ("kubernetes", twin):
        app = App("billing", home=str(tmp_path), environ={"BILLING__SECRETS__BACKEND": backend})
        os.environ.pop("KUBECONFIG", None)
        with app.conf.override({("secrets", "backend_kwargs"): f'{{"kubeconfig": "{path}"}}'}):
            assert isinstance(build(app, "secrets"), KubernetesSecretsBackend)
            assert app.get_variable("vat") == "19"


@pytest.mark.parametrize(
    "body",
    [
        '{"items": 0, "error": "login please"}',
        '{"items": []}',
        '{"kind": "Status", "items": [], "metadata": {}}',
        '{"items": null, "metadata": {}}',
    ],
)
def test_a_page_with_items_is_not_yet_a_list_of_secrets(cluster: Cluster, make: Any, body: str) -> None:  # noqa: F811
    cluster.always = (200, {}, body)
    refused(errors.BackendUnavailable, lambda: make().get_variable("vat"))


def test_pages_that_go_round_end(cluster: Cluster, make: Any) -> None:  # noqa: F811
    cluster.always = (200, {}, '{"kind": "SecretList", "items": [], "metadata": {"continue": "again"}}')
    assert "its pages repeat" in refused(errors.BackendUnavailable, lambda: make().get_variable("vat")).what


def test_what_a_program_of_the_kubeconfig_prints_is_not_logged(
    cluster: Cluster,  # noqa: F811
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = Path(cluster.kubeconfig(tmp_path))
    program = (
        "exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, "
        "command: sh, args: [-c, 'echo canary-printed >&2; exit 1']}"
    )
    text = path.read_text()
    path.write_text(text.replace(f'token: "{TOKEN}"', program))
    caplog.set_level(logging.DEBUG)
    backend = KubernetesSecretsBackend(kubeconfig=str(path))
    with pytest.raises(errors.FrameworkError) as caught:
        backend.get_variable("vat")
    assert "canary" not in caplog.text + str(caught.value)


def test_a_child_leaves_the_keys_of_its_parent(cluster: Cluster, make: Any) -> None:  # noqa: F811
    """The package writes them to temporary files, and removes those when a process ends."""
    from kubernetes.config import kube_config

    cluster.put({VAR: "vat"}, {"value": b"19"})
    assert make().get_variable("vat") == "19"
    file = Path(kube_config._create_temp_file_with_content("canary-key"))
    assert in_a_child(lambda: kube_config._cleanup_temp_files()) is None
    assert file.read_text() == "canary-key"
    kube_config._cleanup_temp_files()
    assert not file.exists()
