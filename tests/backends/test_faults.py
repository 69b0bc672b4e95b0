"""Every store behind a network that fails: what comes back is right or an error, and nothing of a secret is logged.

A proxy is between the backend and its server, and breaks what goes through it. Beside the store there is an
environment that would answer, if a failure were taken for absence.
"""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import eventually
from proxy import FAULTS, Proxy
from store_checks import many

from framework import App, errors
from framework.chain.link import Link
from framework.chain.runner import outcome_of

# ruff: noqa: F401, F811 - fixtures
pytest.importorskip("kmock", reason="kmock is not installed")
pytest.importorskip("yandexcloud", reason="yandexcloud is not installed")

import servers_akeyless
import servers_gcp
import servers_kubernetes
import servers_yandex
from servers_aws import Aws, aws, moto_port, no_aws_around
from servers_azure import Vault as AzureVault
from servers_tls import Authority
from servers_vault import Bao, bao

from framework.backends import akeyless, azure, gcp, kubernetes, retries, yandex
from framework.backends.aws import SecretsManagerBackend, SystemsManagerParameterStoreBackend
from framework.backends.vault import VaultBackend

CANARY = "cAnArY-value"


class Store:
    """A server, and how a backend reaches it through the proxy.

    Attributes:
        make: makes a backend for this port.
        put: stores a config secret.
        may_come_through: whether a fault may miss: over HTTP/2 what follows an answer is not a part of it.
    """

    def __init__(
        self, port: int, make: Callable[[int], Any], put: Callable[[str, str], Any], *, may_come_through: bool = False
    ) -> None:
        self.port, self.make, self.put, self.may_come_through = port, make, put, may_come_through


def fast(monkeypatch: pytest.MonkeyPatch, module: Any, **settings: Any) -> None:
    """A failing network is noticed soon. A busy machine may take longer for an answer as well: see `eventually`."""
    for name, value in settings.items():
        monkeypatch.setattr(module, name, value)


def aws_store(request: pytest.FixtureRequest, backend_class: Any) -> Iterator[Store]:
    found: Aws = request.getfixturevalue("aws")
    config = {"connect_timeout": 1, "read_timeout": 0.5, "retries": {"total_max_attempts": 2}}

    def make(port: int) -> Any:
        return backend_class(**found.kwargs(endpoint_url=f"http://127.0.0.1:{port}", config=config))

    put = found.put_secret if backend_class is SecretsManagerBackend else found.put_parameter
    start = "" if backend_class is SecretsManagerBackend else "/"
    yield Store(found.port, make, lambda name, text: put(f"{start}airflow/config/{name}", text))


def vault_store(request: pytest.FixtureRequest, version: int) -> Iterator[Store]:
    found: Bao = request.getfixturevalue("bao")
    mount = found.mount(version)
    login = found.approle(found.reading(mount))

    def make(port: int) -> Any:
        url = f"http://127.0.0.1:{port}"
        return VaultBackend(url=url, mount_point=mount, kv_engine_version=version, timeout=0.5, **login)

    yield Store(
        int(found.url.rpartition(":")[2]),
        make,
        lambda name, text: found.put(mount, f"config/{name}", {"value": text}, version),
    )


def gcp_store(request: pytest.FixtureRequest, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Store]:
    authority = Authority(folder)
    real, trusted = gcp._channel, servers_gcp.grpc.ssl_channel_credentials(authority.root)
    fast(
        patch, gcp, _channel=lambda host, **more: real(host, **{**more, "ssl_credentials": trusted}), _CALL_SECONDS=1.5
    )
    server, key = servers_gcp.SecretManager(authority), servers_gcp.service_account()

    def make(port: int) -> Any:
        return gcp.GcpSecretManagerBackend(gcp_keyfile_dict=key, api_endpoint=f"localhost:{port}")

    def put(name: str, text: str) -> None:
        server.put(f"airflow-config-{name}", text.encode())

    yield Store(server.port, make, put, may_come_through=True)
    server.close()


def azure_store(request: pytest.FixtureRequest, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Store]:
    server = AzureVault(Authority(folder))
    quick = {"connection_timeout": 1, "read_timeout": 0.5, "retry_total": 1, "retry_backoff_factor": 0.05}

    def make(port: int) -> Any:
        return azure.AzureKeyVaultBackend(**{**server.kwargs, **quick, "vault_url": f"https://localhost:{port}"})

    yield Store(server.server.port, make, lambda name, text: server.put(f"airflow-config-{name}", text))
    server.server.stop()


def kubernetes_store(request: pytest.FixtureRequest, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Store]:
    fast(patch, kubernetes, _TIMEOUTS=(1, 0.5))
    cluster = servers_kubernetes.Cluster()

    def make(port: int) -> Any:
        config = cluster.kubeconfig(folder, url=f"http://127.0.0.1:{port}")
        return kubernetes.KubernetesSecretsBackend(kubeconfig=config)

    label = "airflow.apache.org/config-key"
    yield Store(
        int(cluster.url.rpartition(":")[2]),
        make,
        lambda name, text: cluster.put({label: name}, {"value": text.encode()}),
    )
    cluster.stop()


def yandex_store(request: pytest.FixtureRequest, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Store]:
    authority = Authority(folder)
    fast(patch, yandex, _TIMEOUT=0.6, _ROOTS=authority.certificate)
    cloud = servers_yandex.Lockbox(authority)
    port = int(cloud.address.rpartition(":")[2])

    def make(port: int) -> Any:
        cloud.address = f"127.0.0.1:{port}"  # what it says of its services
        oauth, folder_id = servers_yandex.OAUTH, servers_yandex.FOLDER
        return yandex.LockboxSecretBackend(yc_oauth_token=oauth, folder_id=folder_id, endpoint=cloud.address)

    yield Store(port, make, lambda name, text: cloud.put(f"airflow/config/{name}", text), may_come_through=True)
    cloud.stop()


def akeyless_store(request: pytest.FixtureRequest, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Store]:
    fast(patch, akeyless, _CONNECT=1.0, _READ=0.5)
    server = servers_akeyless.Vault()

    def make(port: int) -> Any:
        access = {"access_id": servers_akeyless.ID, "access_key": servers_akeyless.KEY}
        return akeyless.AkeylessBackend(api_url=f"http://127.0.0.1:{port}", **access)

    yield Store(server.server.port, make, lambda name, text: server.put(f"/airflow/config/{name}", text))
    server.server.stop()


STORES: dict[str, Callable[..., Iterator[Store]]] = {
    "aws_secrets_manager": lambda request, *_: aws_store(request, SecretsManagerBackend),
    "aws_ssm": lambda request, *_: aws_store(request, SystemsManagerParameterStoreBackend),
    "vault": lambda request, *_: vault_store(request, 2),
    "vault, kv 1": lambda request, *_: vault_store(request, 1),
    "gcp_secret_manager": gcp_store,
    "azure_key_vault": azure_store,
    "kubernetes": kubernetes_store,
    "yandex_lockbox": yandex_store,
    "akeyless": akeyless_store,
}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("VAULT_"):
            monkeypatch.delenv(name)
    yield from STORES[request.param](request, tmp_path, monkeypatch)


@pytest.fixture
def proxy(store: Store) -> Iterator[Proxy]:
    with Proxy(store.port) as made:
        yield made


def over(backend: Any, home: Path, **environ: str) -> App:
    """An application with the store as its first link, and an environment that has every secret as well."""

    class Over(App):
        def custom_links(self) -> list[Link]:
            return [Link("store", 1, lambda: backend)]

    (home / "billing.cfg").write_text("[s]\nk_secret = k\nother_secret = other\n")
    environ = {"BILLING_SECRET_K": "the next link's", "BILLING_SECRET_OTHER": "the next link's", **environ}
    return Over("billing", home=str(home), environ=environ, sensitive=["s.*"])


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_an_error_and_never_the_next_link_s_value_and_passes(
    store: Store, proxy: Proxy, fault: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: Any
) -> None:
    store.put("k", f"{CANARY} k")
    store.put("other", f"{CANARY} other")
    caplog.set_level(logging.DEBUG)
    backend = store.make(proxy.port)
    app = over(backend, tmp_path)
    if fault in FAULTS[::2]:  # half of them strike a client that is at work, half of them one that logs in
        assert eventually(lambda: app.conf.get("s", "other")) == f"{CANARY} other"
    proxy.always = fault
    single = outcome_of(lambda: app.conf.get("s", "k"))
    again = over(backend, tmp_path)
    failures = again.prefetch()
    both = [failures.get(("s", key)) or again.conf.get("s", key) for key in ("k", "other")]
    for outcome, key in ((single, "k"), (both[0], "k"), (both[1], "other")):
        if not store.may_come_through or isinstance(outcome, Exception):
            assert isinstance(outcome, errors.PointerError)
            assert isinstance(outcome.__cause__, (errors.BackendUnavailable, errors.InvalidSecret))
        else:
            assert outcome == f"{CANARY} {key}"
    proxy.always = None
    assert eventually(lambda: app.conf.get("s", "k")) == f"{CANARY} k"
    printed = "".join(capfd.readouterr())
    texts = [str(outcome) for outcome in (single, *both) if isinstance(outcome, Exception)]
    for text in (*texts, caplog.text, printed, repr(backend)):
        assert "cAnArY" not in text


@pytest.mark.parametrize("seed", range(2))
def test_among_faults_every_answer_is_right_or_an_error(store: Store, proxy: Proxy, seed: int) -> None:
    names = [f"n{number}" for number in range(6)]
    for name in names:
        store.put(name, f"{CANARY} {name}")
    backend, dice = store.make(proxy.port), random.Random(seed)
    assert eventually(lambda: backend.get_config("n0")) == f"{CANARY} n0"
    for _ in range(6):
        proxy.faults = [dice.choice(["", "", "", "reset", "half", "cut", "busy", "page"]) for _ in range(20)]
        proxy.latency = dice.choice([0.0, 0.05])
        for name, answer in {**dict.fromkeys([*names, "gone"]), **many(backend, [*names, "gone"])}.items():
            assert answer == (f"{CANARY} {name}" if name != "gone" else None) or isinstance(answer, errors.SecretsError)
    proxy.faults, proxy.latency = [], 0.0
    assert eventually(lambda: backend.get_config("n5")) == f"{CANARY} n5"


def test_a_slow_store_is_waited_for(store: Store, proxy: Proxy) -> None:
    store.put("k", f"{CANARY} k")
    proxy.latency = 0.1
    backend = store.make(proxy.port)
    assert eventually(lambda: backend.get_config("k")) == f"{CANARY} k"
