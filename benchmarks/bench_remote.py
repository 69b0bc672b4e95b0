"""Options out of remote stores, cold: compared with the store's own SDK by hand, and with Airflow.

The stores are real servers on this machine, in their own processes, behind a proxy in another that counts requests
and adds 20 ms to each: about what a store in the same region takes. On the clock is `app.prefetch()` and the `get` of
every option. The client is made before (but for Vault, whose login counts), for us and for those beside us.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from random import Random
from time import perf_counter
from typing import Any

from timing import ROOT, Row, Times, airflow_python, median, milliseconds, ratio

SERVERS = os.path.join(ROOT, "tests", "backends")
LATENCY = 0.02
KEYS = {"aws_access_key_id": "made-up", "aws_secret_access_key": "made-up", "region_name": "eu-west-1"}
NEEDED = ("boto3", "moto", "hvac", "pytest")

_PROXY = """
import os, sys
sys.path.insert(0, {servers!r})
from proxy import Proxy
with Proxy({target}, {latency}) as proxy:
    print(proxy.port, flush=True)
    for _ in sys.stdin:
        print(proxy.requests, flush=True)
        proxy.reset()
    os._exit(0)  # whoever is still connected has no more to say
"""

#: The same options by Airflow's own classes, in Airflow's own way; it follows pointers of its sensitive options alone.
_AIRFLOW = """
import sys
from time import perf_counter
from airflow.configuration import conf
conf.sensitive_config_values = {("s", f"k{n}") for n in range(100)}
assert conf.get("s", "k0") == "value of s0"
start = perf_counter()
assert all(conf.get("s", f"k{n}") == f"value of s{n}" for n in range(100))
print((perf_counter() - start) * 1000, file=sys.stderr)
"""


class Proxy:
    """The proxy of the tests, in its own process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.port = int(self._line())

    def requests(self) -> int:
        """How many there were since the last call."""
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)
        return int(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


class Store:
    """One store, filled, and what 100 options of it may cost.

    Attributes:
        title: its name in the table; sdk: what it is asked with by hand.
        short: our name of the backend; airflow: its class there.
        kwargs: what both are given.
        by_hand: makes a function that fetches so many secrets, with everything set up that is not on the clock.
        limit: how many times as long as by hand we may take; requests: how many there may be.
    """

    title = sdk = short = airflow = ""
    limit, requests, batch = 1.5, 0, 1

    def __init__(self, proxy: Proxy, kwargs: dict[str, Any]) -> None:
        self.proxy, self.kwargs = proxy, kwargs

    def by_hand(self, number: int) -> Callable[[], dict[str, str]]:
        raise NotImplementedError

    @staticmethod
    def threads() -> ThreadPoolExecutor:
        return ThreadPoolExecutor(16)  # as [secrets] max_workers has it


class Parameters(Store):
    title, sdk, short, requests = "SSM", "boto3", "aws_ssm", 12
    airflow = "airflow.providers.amazon.aws.secrets.systems_manager.SystemsManagerParameterStoreBackend"
    service, batch = "ssm", 10

    def client(self) -> Any:
        """Made and used once, so that it has a connection."""
        import boto3
        from botocore.config import Config

        settings = {key: text for key, text in self.kwargs.items() if key in KEYS or key == "endpoint_url"}
        client = boto3.client(self.service, config=Config(max_pool_connections=16), **settings)
        self.fetch(client, ["/none"])
        return client

    def by_hand(self, number: int) -> Callable[[], dict[str, str]]:
        client = self.client()
        names = [f"/bench/config/s{n}"[len(self.lead) :] for n in range(number)]
        batches = [names[i : i + self.batch] for i in range(0, number, self.batch)]

        def run() -> dict[str, str]:
            with self.threads() as pool:
                parts = list(pool.map(partial(self.fetch, client), batches))
            return {name: text for part in parts for name, text in part.items()}

        return run

    lead = ""

    def fetch(self, client: Any, names: list[str]) -> dict[str, str]:
        response = client.get_parameters(Names=names, WithDecryption=True)
        return {entry["Name"]: entry["Value"] for entry in response["Parameters"]}


class Secrets(Parameters):
    title, short, requests = "Secrets Manager", "aws_secrets_manager", 7
    airflow = "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend"
    service, batch, lead = "secretsmanager", 20, "/"

    def fetch(self, client: Any, names: list[str]) -> dict[str, str]:
        response = client.batch_get_secret_value(SecretIdList=names)
        return {entry["Name"]: entry["SecretString"] for entry in response["SecretValues"]}


class Vault(Store):
    title, sdk, short, requests, limit = "Vault, login by approle", "hvac", "vault", 102, 1.2
    airflow = "airflow.providers.hashicorp.secrets.vault.VaultBackend"

    def by_hand(self, number: int) -> Callable[[], dict[str, str]]:
        import hvac
        from requests import Session
        from requests.adapters import HTTPAdapter

        def run() -> dict[str, str]:
            session = Session()
            session.mount("http://", HTTPAdapter(pool_maxsize=16))
            client = hvac.Client(url=self.kwargs["url"], session=session)
            client.auth.approle.login(self.kwargs["role_id"], self.kwargs["secret_id"])

            def fetch(name: str) -> str:
                read = client.secrets.kv.v2.read_secret_version
                response = read(f"bench/config/{name}", mount_point="secret", raise_on_deleted_version=True)
                text: str = response["data"]["data"]["value"]
                return text

            names = [f"s{n}" for n in range(number)]
            with self.threads() as pool:
                return dict(zip(names, pool.map(fetch, names), strict=True))

        return run


def rows(quick: bool) -> list[Row]:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        return [Row(f"not measured: there is no {', '.join(missing)} (pip install 'framework[test]')", "")]
    found = []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
        for store in _stores(stack):
            found += _beside_the_sdk(store, folder, 3 if quick else 11)
            found += _many_threads(store, folder)
            if not quick and airflow_python() is not None:
                found += _beside_airflow(store, folder)
    return found


def _beside_the_sdk(store: Store, folder: str, rounds: int) -> list[Row]:
    times: Times = {}
    asked: dict[int, int] = {}
    for turn in range(rounds + 1):
        taken = {}
        for number in (100, 500):
            taken[f"hand {number}"] = _time(store.by_hand(number), number)
            app = _app(store, folder, number)
            store.proxy.requests()
            taken[f"ours {number}"] = _time(partial(_read, app, number), number)
            asked[number] = store.proxy.requests()
            taken[f"again {number}"] = _time(partial(_read, app, number), number)
            assert store.proxy.requests() == 0, "what is known was asked again"
            taken[f"cold {number}"] = _time(lambda number=number: _read(_new_app(folder), number), number)  # type: ignore[misc]
        if turn:
            for name, time in taken.items():
                times.setdefault(name, []).append(time)
    title, hand, within = f"{store.title}, 100 options", f"{store.sdk} by hand, in parallel", f"within {store.limit}x"

    def row(what: str, name: str, base: str, of: str, target: str = "", limit: float | None = None) -> Row:
        slower = ratio(times, name, base)
        met = None if limit is None else slower <= limit
        return Row(what, milliseconds(median(times, name)), f"{slower:.2f}x{of}", target, met)

    found = [
        Row(f"{title}: {hand}", milliseconds(median(times, "hand 100")), "1x"),
        row(title, "ours 100", "hand 100", "", within, store.limit),
        Row("… requests", f"{asked[100]}", "", f"at most {store.requests}", asked[100] <= store.requests),
        Row("… again, without a request", milliseconds(median(times, "again 100"))),
        row(f"… 500 options: {hand}", "hand 500", "hand 100", " of its 100"),
        row(
            "… 500 options", "ours 500", "hand 500", f" of by hand, {ratio(times, 'ours 500', 'ours 100'):.2f}x of 100"
        ),
    ]
    if store.batch == 1:  # 500 requests can but take five times as long as 100
        return found
    return [
        *found,
        Row("… 100 options, from `App(…)` on, with its own client", milliseconds(median(times, "cold 100"))),
        row("… 500 options, from `App(…)` on", "cold 500", "cold 100", " of 100", "at most 2.5x", 2.5),
    ]


def _time(fetch: Callable[[], dict[str, str]], number: int) -> float:
    """Milliseconds."""
    start = perf_counter()
    found = fetch()
    taken = (perf_counter() - start) * 1000
    assert len(found) == number
    assert set(found.values()) == {f"value of s{n}" for n in range(number)}
    return taken


def _app(store: Store, folder: str, number: int) -> Any:
    """An application of so many options, which has a client, but for Vault."""
    _write(store, os.path.join(folder, "bench.cfg"), store.short, number)
    app = _new_app(folder)
    if isinstance(store, Parameters):
        app.get_variable("none", default=None)
    return app


def _new_app(folder: str) -> Any:
    from framework import App

    return App("bench", home=folder, environ={"BENCH__DATABASE__SQL_ALCHEMY_CONN": ""}, sensitive=["s.*"])


def _write(store: Store, path: str, backend: str, number: int) -> None:
    pointers = "".join(f"k{n}_secret = s{n}\n" for n in range(number))
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"[secrets]\nbackend = {backend}\nbackend_kwargs = {json.dumps(store.kwargs)}\n[s]\n{pointers}")


def _read(app: Any, number: int) -> dict[str, str]:
    assert app.prefetch() == {}
    return {f"s{n}": app.conf.get("s", f"k{n}") for n in range(number)}


def _many_threads(store: Store, folder: str) -> list[Row]:
    """Each of 32 threads reads 32 of 50 secrets in its own order, and nobody has read any before."""
    app = _app(store, folder, 50)
    store.proxy.requests()
    start = threading.Barrier(33)

    def read(first: int) -> None:
        order = Random(first).sample(range(50), 32)
        start.wait()
        for n in order:
            assert app.conf.get("s", f"k{n}") == f"value of s{n}"

    with ThreadPoolExecutor(32) as pool:
        done = [pool.submit(read, number) for number in range(32)]
        start.wait()
        began = perf_counter()
        for one in done:
            one.result()
        taken = (perf_counter() - began) * 1000
    asked = store.proxy.requests() - (0 if isinstance(store, Parameters) else 1)
    what = f"{store.title}, 1,024 reads of 50 secrets by 32 threads: {asked} requests for values"
    return [Row(what, milliseconds(taken), "", "at most 50 requests", asked <= 50)]


def _beside_airflow(store: Store, folder: str) -> list[Row]:
    """One run of Airflow, which takes its time, and one of ours right after it."""
    home = os.path.join(folder, "airflow")
    os.makedirs(home, exist_ok=True)
    _write(store, os.path.join(home, "airflow.cfg"), store.airflow, 100)
    environ = {"PATH": os.environ["PATH"], "HOME": home, "AIRFLOW_HOME": home, "_AIRFLOW__AS_LIBRARY": "1"}
    environ["AWS_EC2_METADATA_DISABLED"] = "true"
    words = [airflow_python() or "", "-c", _AIRFLOW]
    store.proxy.requests()
    done = subprocess.run(words, env=environ, cwd=home, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        return [Row(f"Airflow cannot be asked: {last[:100]}", "")]
    theirs, asked = float(done.stderr.strip().splitlines()[-1]), store.proxy.requests()
    app = _app(store, folder, 100)
    ours = _time(partial(_read, app, 100), 100)
    name = f"… Airflow's `conf.get` of 100 options, {asked} requests with a first one"
    faster = theirs / ours
    target, met = ("", None) if store.batch == 1 else ("we: at least 100x faster", faster >= 100)
    return [Row(name, milliseconds(theirs), f"{faster:.0f}x", target, met)]


# The servers


def _stores(stack: ExitStack) -> Iterator[Store]:
    sys.path.insert(0, SERVERS)
    import boto3
    import servers_vault

    port = stack.enter_context(_moto())
    arguments = {**KEYS, "endpoint_url": f"http://127.0.0.1:{port}"}
    ssm, secrets = boto3.client("ssm", **arguments), boto3.client("secretsmanager", **arguments)
    bao = servers_vault.Bao()
    stack.callback(bao.stop)
    with ThreadPoolExecutor(4) as pool:
        for n in range(500):
            text = f"value of s{n}"
            pool.submit(ssm.put_parameter, Name=f"/bench/config/s{n}", Value=text, Type="SecureString")
            pool.submit(secrets.create_secret, Name=f"bench/config/s{n}", SecretString=text)
            pool.submit(bao.put, "secret", f"bench/config/s{n}", {"value": text})
    aws = stack.enter_context(_proxy(port))
    kwargs = {**KEYS, "endpoint_url": f"http://127.0.0.1:{aws.port}"}
    yield Parameters(aws, {**kwargs, "config_prefix": "/bench/config"})
    yield Secrets(aws, {**kwargs, "config_prefix": "bench/config"})
    vault = stack.enter_context(_proxy(int(bao.url.rpartition(":")[2])))
    login = bao.approle(bao.reading("secret"))
    yield Vault(vault, {"url": f"http://127.0.0.1:{vault.port}", "config_path": "bench/config", **login})


@contextmanager
def _moto() -> Iterator[int]:
    import socket
    from time import sleep

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def _proxy(target: int) -> Iterator[Proxy]:
    code = _PROXY.format(servers=SERVERS, target=target, latency=LATENCY)
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Proxy(process)
    finally:
        process.communicate()
