"""A fleet: many processes that start at once, and a store that counts what it is asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

KEYS = {"aws_access_key_id": "AKIAMADEUPMADEUPMADE", "aws_secret_access_key": "canary-of-the-aws-key"}

#: Forks processes that start together; each prefetches all options, and writes a file with what happened.
_START = """
import json, os, sys
from time import monotonic
import botocore.session, botocore.config, redis, cryptography.fernet, framework
from framework import App
import framework.assembly, framework.sharing, framework.backends.aws

count, home = int(sys.argv[1]), sys.argv[2]
start, go = os.pipe()
children = []
for number in range(count):
    pid = os.fork()
    if not pid:
        os.close(go)
        os.read(start, 1)
        began, process = monotonic(), number
        try:
            app = App("fleet", home=home, schema=os.path.join(home, "schema.json"))
            failures = [str(fault) for fault in app.prefetch().values()]
            names = range(0 if failures else int(sys.argv[3]))
            values = [app.conf.get("many", f"k{number}") for number in names]
            done = {"failures": failures[:2], "values": values, "stats": app.stats(), "seconds": monotonic() - began}
        except BaseException as fault:
            done = {"failures": [repr(fault)]}
        with open(os.path.join(home, f"done-{process}"), "w") as file:
            json.dump(done, file)
        os._exit(0)
    children.append(pid)
os.close(start)
os.close(go)
for pid in children:
    os.waitpid(pid, 0)
"""


class _Quiet(WSGIRequestHandler):
    def log_request(self, *_: Any) -> None:
        pass


class Store:
    """moto's Secrets Manager, which counts the calls of each kind.

    Attributes:
        url: where it is.
        calls: operation -> how often it was asked for.
        client: an administrator's.
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._lock = threading.Lock()
        application = DomainDispatcherApplication(create_backend_app)

        def counting(environ: dict[str, Any], respond: Any) -> Any:
            target = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
            with self._lock:
                self.calls[target] += environ.get("HTTP_X_TEST_ADMIN") is None
            return application(environ, respond)

        self._server = make_server("127.0.0.1", 0, counting, threaded=True, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self._server.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.client = boto3.client("secretsmanager", region_name="eu-west-1", endpoint_url=self.url, **KEYS)

    def put(self, name: str, value: str) -> None:
        try:
            self.client.create_secret(Name=name, SecretString=value)
        except self.client.exceptions.ResourceExistsException:
            self.client.put_secret_value(SecretId=name, SecretString=value)

    @property
    def reads(self) -> int:
        """How often values were asked for."""
        return self.calls["GetSecretValue"] + self.calls["BatchGetSecretValue"]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def store() -> Iterator[Store]:
    made = Store()
    try:
        yield made
    finally:
        made.stop()


def configure(
    home: Path, store: Store, *, names: int = 0, backend: dict[str, Any] | None = None, **secrets: Any
) -> None:
    """Write the cfg of an application with a number of `_secret` pointers, and the options of `[secrets]`."""
    kwargs = {
        "region_name": "eu-west-1",
        "endpoint_url": store.url,
        "config_prefix": "fleet",
        **KEYS,
        **(backend or {}),
    }
    lines = ["[secrets]", "backend = aws_secrets_manager", f"backend_kwargs = {json.dumps(kwargs)}"]
    lines += [f"{name} = {value}" for name, value in secrets.items()]
    lines += ["[many]", *(f"k{number}_secret = canary-name-{number}" for number in range(names))]
    home.mkdir(exist_ok=True)
    (home / "fleet.cfg").write_text("\n".join(lines) + "\n")
    schema = {f"k{number}": {"sensitive": True, "type": "string"} for number in range(names)}
    (home / "schema.json").write_text(json.dumps({"many": {"options": schema}}))


def run(home: Path, processes: int, names: int) -> list[dict[str, Any]]:
    """Start them, and wait for all: what each found, failed and counted."""
    for path in home.glob("done-*"):
        path.unlink()
    words = [sys.executable, "-c", _START, str(processes), str(home), str(names)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "FLEET"))}
    done = subprocess.run(words, capture_output=True, text=True, timeout=240, env=environment)
    found = [json.loads(path.read_text()) for path in home.glob("done-*")]
    assert len(found) == processes, done.stderr[-2000:]
    return [{**each, "stderr": done.stderr} for each in found]
