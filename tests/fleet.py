"""A fleet: many processes that start at once, and a store with quotas that counts what it is asked.

The store is a separate process, and the processes of the fleet have loaded all packages before they start: so what is
measured is what they ask, and not how long one machine takes to load Python two hundred times.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "backends"))

from patience import GUARD, PATIENT  # noqa: E402
from quotas import THROTTLED, Limits  # noqa: E402

KEYS = {"aws_access_key_id": "AKIAMADEUPMADEUPMADE", "aws_secret_access_key": "canary-of-the-aws-key"}
READS = ("GetSecretValue", "BatchGetSecretValue")

#: Forks processes that take steps together, each when this program is told to go on. Each writes a file with what
#: happened. A step is `prefetch`, or `login` of the connection `books` at the Redis server that it names.
_CHILDREN = """
import gc, json, os, sys
from time import monotonic, process_time
import botocore.session, botocore.config, redis, cryptography.fernet, framework
from framework import App
import framework.assembly, framework.sharing, framework.backends.aws
from framework.integrations.rotation import Rotating
from redis.backoff import NoBackoff
from redis.retry import Retry

home, count, names, *steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:]
with open(os.path.join(home, "loads.cfg"), "w") as file:
    file.write("[secrets]\\nshared_cache_url = redis://127.0.0.1:9/0\\n[many]\\npassword_cmd = true\\n")
warmed = App("loads", home=home, environ={}, sensitive=["many.*"])  # loads what is loaded on first use
warmed.prefetch(), warmed.stats()
gc.freeze()
gates = [os.pipe() for step in steps]
ready, done = os.pipe()

def log_in(one):
    server = redis.Redis(one.host, one.port, username=one.login, password=one.password, retry=Retry(NoBackoff(), 0))
    with server as client:
        return client.ping()

def process(number):
    for _, go in gates:
        os.close(go)
    report = {"failures": [], "seconds": [], "cpu": [], "values": []}
    app = rotating = None
    for step, (start, _) in zip(steps, gates):
        os.read(start, 1)
        began, used = monotonic(), process_time()
        try:
            if app is None:
                app = App("fleet", home=home, schema=os.path.join(home, "schema.json"))
                rotating = Rotating("books", app, 120)
            if step == "login":
                rotating.run(log_in)
            else:
                report["failures"] += [str(fault) for fault in app.prefetch().values()][:2]
        except BaseException as fault:
            report["failures"].append(repr(fault))
        report["seconds"].append(monotonic() - began)
        report["cpu"].append(process_time() - used)
        os.write(done, b".")
    if app is not None:
        report["values"] = [app.conf.get("many", f"k{n}") for n in range(0 if report["failures"] else names)]
        report["stats"] = app.stats()
    with open(os.path.join(home, f"done-{number}"), "w") as file:
        json.dump(report, file)

children = []
for number in range(count):
    pid = os.fork()
    if not pid:
        try:
            process(number)
        finally:
            os._exit(0)
    children.append(pid)
os.close(done)
for _, go in gates:
    sys.stdin.readline()
    os.close(go)
    left = count
    while left and (part := os.read(ready, left)):
        left -= len(part)
    print("done", flush=True)
for pid in children:
    os.waitpid(pid, 0)
"""


class Fleet:
    """Processes that are ready to take steps together. `with` it, they are ended with the block.

    Args:
        home: of the application, see `configure`.
        processes: how many.
        steps: what each of them does, see `_CHILDREN`.
        names: how many options of `[many]` are read in the end.
    """

    def __init__(self, home: Path, processes: int, steps: list[str], names: int = 0) -> None:
        for path in home.glob("done-*"):
            path.unlink()
        self.home, self.processes = home, processes
        words = [sys.executable, "-c", _CHILDREN, str(home), str(processes), str(names), *steps]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "FLEET"))}
        self._errors = (home / "stderr").open("w+")
        self._program = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, env=environment
        )

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        self._program.kill()
        self._program.communicate()
        self._errors.close()

    def go(self) -> None:
        """Let all take the next step, and wait until all have taken it."""
        assert self._program.stdin is not None and self._program.stdout is not None
        self._program.stdin.write("go\n")
        self._program.stdin.flush()
        assert self._program.stdout.readline() == "done\n", self.stderr[-2000:]

    @property
    def stderr(self) -> str:
        return (self.home / "stderr").read_text()

    def reports(self) -> list[dict[str, Any]]:
        """What each found, failed and counted, after the last step."""
        self._program.wait(GUARD)
        found = [json.loads(path.read_text()) for path in self.home.glob("done-*")]
        assert len(found) == self.processes, self.stderr[-2000:]
        return [{**each, "stderr": self.stderr} for each in found]


class Store:
    """moto's Secrets Manager, in its own process.

    Attributes:
        url: where it is.
    """

    def __init__(self) -> None:
        self._server = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True)
        assert self._server.stdout is not None
        self._port = int(self._server.stdout.readline())
        self.url = f"http://127.0.0.1:{self._port}"

    def put(self, name: str, value: str) -> None:
        """Create a secret, or give it a new value."""
        fault = self._asked("CreateSecret", Name=name, SecretString=value, ClientRequestToken="x" * 40)
        if "ResourceExists" in fault:
            fault = self._asked(
                "PutSecretValue", SecretId=name, SecretString=value, ClientRequestToken=os.urandom(20).hex()
            )
        assert "__type" not in fault, fault

    def _asked(self, operation: str, **arguments: str) -> str:
        key = f"AWS4-HMAC-SHA256 Credential={KEYS['aws_access_key_id']}/20260101/eu-west-1/secretsmanager/aws4_request"
        headers = {"X-Amz-Target": f"secretsmanager.{operation}", "Authorization": key}
        return self._answer("POST", "/", json.dumps(arguments), headers)

    def _answer(self, method: str, path: str, body: str = "", headers: dict[str, str] | None = None) -> str:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=GUARD)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse().read().decode()
        connection.close()
        return answer

    def begin(self, **per_second: float) -> None:
        """Count from nothing, and answer so many calls of these operations a second."""
        self._answer("POST", "/counts", json.dumps(per_second))

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """`answered` and `throttled`: operation -> how many calls."""
        return json.loads(self._answer("GET", "/counts"))  # type: ignore[no-any-return]

    @property
    def reads(self) -> int:
        """How often values were asked for and given."""
        answered = self.counts["answered"]
        return sum(answered.get(name, 0) for name in READS)

    @property
    def throttled(self) -> int:
        """How often values were asked for in vain."""
        return sum(self.counts["throttled"].values())

    def stop(self) -> None:
        self._server.kill()
        self._server.communicate()


@contextmanager
def store() -> Iterator[Store]:
    made = Store()
    try:
        yield made
    finally:
        made.stop()


def serve() -> None:
    """The process of a `Store`. Answers to reads are kept until something is written: AWS is faster than moto."""
    from moto.server import DomainDispatcherApplication, create_backend_app  # type: ignore[attr-defined]
    from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_request(self, *_: Any) -> None:
            pass

    moto = DomainDispatcherApplication(create_backend_app)
    lock, limits = threading.Lock(), Limits()
    kept: dict[tuple[str, bytes], tuple[str, bytes]] = {}

    def answered(environ: dict[str, Any], operation: str, body: bytes) -> tuple[str, bytes]:
        if environ["PATH_INFO"] == "/counts":
            if environ["REQUEST_METHOD"] == "POST":
                limits.begin(json.loads(body))
            return "200 OK", json.dumps({"answered": limits.answered, "throttled": limits.throttled}).encode()
        if not limits.takes(operation):
            return "400 Bad Request", THROTTLED
        with lock:  # moto is not for threads
            if (operation, body) not in kept:
                status: list[str] = []
                answer = b"".join(moto(environ, lambda given, headers, fault=None: status.append(given)))
                if operation not in READS:
                    kept.clear()
                    return status[0], answer
                kept[operation, body] = status[0], answer
            return kept[operation, body]

    def application(environ: dict[str, Any], respond: Any) -> list[bytes]:
        from io import BytesIO

        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        status, answer = answered(environ, operation, body)
        kind = "application/x-amz-json-1.1" if operation else "text/xml"
        respond(status, [("Content-Type", kind), ("Content-Length", str(len(answer)))])
        return [answer]

    ThreadedWSGIServer.request_queue_size = 1024
    server = ThreadedWSGIServer("127.0.0.1", 0, application, handler=Quiet)
    print(server.port, flush=True)
    server.serve_forever()


def configure(
    home: Path, store: Store, *, names: int = 0, backend: dict[str, Any] | None = None, **secrets: Any
) -> None:
    """Write the cfg of an application with a number of `_secret` pointers, and the options of `[secrets]`."""
    kwargs = {
        "region_name": "eu-west-1",
        "endpoint_url": store.url,
        "config_prefix": "fleet",
        "connections_prefix": "fleet",
        **KEYS,
        **(backend or {}),
    }
    lines = ["[secrets]", "backend = aws_secrets_manager", f"backend_kwargs = {json.dumps(kwargs)}"]
    secrets = {**PATIENT, **secrets}
    lines += [f"{name} = {value}" for name, value in secrets.items()]
    lines += ["[many]", *(f"k{number}_secret = canary-name-{number}" for number in range(names))]
    home.mkdir(exist_ok=True)
    (home / "fleet.cfg").write_text("\n".join(lines) + "\n")
    schema = {f"k{number}": {"sensitive": True, "type": "string"} for number in range(names)}
    (home / "schema.json").write_text(json.dumps({"many": {"options": schema}}))


def change_password(server: Any, password: str) -> None:
    """Let the user `books` of a Redis server log in with this password alone."""
    given = {"reset_passwords": True, "passwords": [f"+{password}"], "commands": ["+ping"]}
    server.acl_setuser("books", enabled=True, **given)


def put_password(store: Store, port: int, password: str) -> None:
    """Store that login as the connection `books`."""
    login = {"conn_type": "redis", "host": "127.0.0.1", "port": port, "login": "books", "password": password}
    store.put("fleet/books", json.dumps(login))


def run(home: Path, processes: int, names: int) -> list[dict[str, Any]]:
    """Let a fleet prefetch all options, and wait for all: what each found, failed and counted."""
    with Fleet(home, processes, ["prefetch"], names) as fleet:
        fleet.go()
        return fleet.reports()


if __name__ == "__main__":
    serve()
