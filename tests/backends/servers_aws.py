"""AWS on 127.0.0.1: moto's server for what the stores do, ministack for what IAM refuses."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

pytest.importorskip("boto3", reason="boto3 is not installed")
pytest.importorskip("moto", reason="moto is not installed")

import boto3  # noqa: E402
from botocore.config import Config  # noqa: E402
from botocore.loaders import JSONFileLoader  # noqa: E402
from moto.server import DomainDispatcherApplication, ThreadedMotoServer  # type: ignore[attr-defined] # noqa: E402
from patience import GUARD, until  # noqa: E402
from proxy import Proxy  # noqa: E402
from servers import free_port, is_open  # noqa: E402

REGION = "eu-west-1"
SECRET_KEY = "cAnArY-of-the-secret-key"
KEYS = {"aws_access_key_id": "AKIAMADEUPMADEUPMADE", "aws_secret_access_key": SECRET_KEY}


def client(service: str, port: int, **more: Any) -> Any:
    """boto3's own client: what an administrator uses to fill a store."""
    config = Config(
        connect_timeout=GUARD, read_timeout=GUARD, max_pool_connections=32, retries={"total_max_attempts": 2}
    )
    kwargs = {"region_name": REGION, "endpoint_url": f"http://127.0.0.1:{port}", "config": config, **KEYS, **more}
    return boto3.client(service, **kwargs)


class Aws:
    """A server and a proxy before it.

    Attributes:
        port: the server itself.
        proxy: the way that the backends under test take.
    """

    def __init__(self, port: int, proxy: Proxy) -> None:
        self.port, self.proxy = port, proxy
        self.secrets, self.parameters = client("secretsmanager", port), client("ssm", port)

    def kwargs(self, **more: Any) -> dict[str, Any]:
        """What a backend is given to get here."""
        return {"region_name": REGION, "endpoint_url": f"http://127.0.0.1:{self.proxy.port}", **KEYS, **more}

    def put_secret(self, name: str, value: str | bytes) -> None:
        kwargs = {"SecretString": value} if isinstance(value, str) else {"SecretBinary": value}
        try:
            self.secrets.create_secret(Name=name, **kwargs)
        except self.secrets.exceptions.ResourceExistsException:
            self.secrets.put_secret_value(SecretId=name, **kwargs)

    def put_parameter(self, name: str, value: str) -> None:
        self.parameters.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)


#: Every backend has its own session, which would read and parse the same large files again.
_service_data = functools.cache(JSONFileLoader().load_file)


@pytest.fixture(autouse=True)
def no_aws_around(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No credentials, settings or proxies of this machine; and tries follow each other at once."""
    monkeypatch.setattr("botocore.loaders.JSONFileLoader.load_file", lambda self, path: _service_data(path))
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0.01)
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    folder = tmp_path_factory.getbasetemp()
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "no-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="session")
def moto_port() -> Iterator[int]:
    """moto, which answers one request at a time: its tables are not for threads."""
    lock, answer = threading.Lock(), DomainDispatcherApplication.__call__

    def answer_alone(*given: Any) -> Any:
        with lock:
            return answer(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DomainDispatcherApplication, "__call__", answer_alone)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        yield server.get_host_and_port()[1]
        server.stop()


@pytest.fixture
def aws(moto_port: int) -> Iterator[Aws]:
    """An empty AWS."""
    import urllib.request

    request = urllib.request.Request(f"http://127.0.0.1:{moto_port}/moto-api/reset", method="POST")
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=GUARD).close()
    with Proxy(moto_port) as proxy:
        yield Aws(moto_port, proxy)


class Guarded:
    """ministack with IAM: an administrator, and users with a policy each."""

    ADMIN = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}

    def __init__(self, port: int) -> None:
        self.port = port
        self._iam = client("iam", port, **self.ADMIN)
        self.secrets = client("secretsmanager", port, **self.ADMIN)
        self.parameters = client("ssm", port, **self.ADMIN)

    def user(self, *statements: dict[str, Any]) -> dict[str, Any]:
        """A new user's way in: kwargs of a backend."""
        name = f"user-{uuid4()}"
        self._iam.create_user(UserName=name)
        if statements:
            policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
            self._iam.put_user_policy(UserName=name, PolicyName="made", PolicyDocument=policy)
        key = self._iam.create_access_key(UserName=name)["AccessKey"]
        return {
            "region_name": REGION,
            "endpoint_url": f"http://127.0.0.1:{self.port}",
            "aws_access_key_id": key["AccessKeyId"],
            "aws_secret_access_key": key["SecretAccessKey"],
        }


@pytest.fixture(scope="session")
def ministack_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    pytest.importorskip("ministack", reason="ministack is not installed")
    port, folder = free_port(), tmp_path_factory.mktemp("ministack")
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "AUTH": "true", "GATEWAY_PORT": str(port)}
    command = [
        sys.executable,
        "-m",
        "hypercorn",
        "ministack.app:app",
        "--bind",
        f"127.0.0.1:{port}",
        "--keep-alive",
        "600",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, cwd=folder, stdout=log, stderr=log)
    try:
        until(lambda: is_open(port) or process.poll() is not None)
        assert process.poll() is None, (folder / "log").read_text(errors="replace")[-2000:]
        yield port
    finally:
        process.terminate()
        process.wait(GUARD)


@pytest.fixture
def guarded(ministack_port: int) -> Guarded:
    """An AWS whose IAM refuses."""
    return Guarded(ministack_port)
