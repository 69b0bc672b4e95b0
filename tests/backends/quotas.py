"""An HTTP server in front of moto that counts the calls of each operation, and enforces quotas as AWS does.

with Quotas(port, BatchGetSecretValue=10) as quotas:
    ask(f"http://127.0.0.1:{quotas.port}")
    assert quotas.answered["BatchGetSecretValue"] == 5
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Mapping
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Any

from patience import GUARD

#: What AWS answers to a call beyond a quota, with the status 400.
THROTTLED = json.dumps({"__type": "ThrottlingException", "message": "Rate exceeded"}).encode()


class Limits:
    """Counts calls, and says which of them a quota allows.

    Attributes:
        answered, throttled: operation -> how many.
    """

    def __init__(self, per_second: Mapping[str, float] | None = None) -> None:
        self._lock = threading.Lock()
        self.begin(per_second or {})

    def begin(self, per_second: Mapping[str, float]) -> None:
        """Count from nothing.

        Args:
            per_second: operation -> how many calls a second are answered; as many may come at once.
        """
        with self._lock:
            self.answered: Counter[str] = Counter()
            self.throttled: Counter[str] = Counter()
            self._limits = dict(per_second)
            self._left: dict[str, tuple[float, float]] = {}  # how many may still come, and since when

    def takes(self, operation: str) -> bool:
        """Whether a call is answered; it is counted."""
        with self._lock:
            limit, now = self._limits.get(operation), monotonic()
            if limit is not None:
                left, since = self._left.get(operation, (limit, now))
                left = min(limit, left + (now - since) * limit)
                self._left[operation] = (max(left - 1, 0) if left >= 1 else left, now)
                if left < 1:
                    self.throttled[operation] += 1
                    return False
            self.answered[operation] += 1
            return True


class Quotas(Limits):
    """The server, in its own threads while the block lasts.

    Args:
        target: the port of moto on 127.0.0.1.
        **per_second: operation -> how many calls a second are answered; as many may come at once.

    Attributes:
        port: where to connect.
    """

    def __init__(self, target: int, **per_second: float) -> None:
        super().__init__(per_second)
        quotas = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
                if quotas.takes(operation):
                    status, answer = quotas._asked(target, self.path, body, dict(self.headers.items()))
                else:
                    status, answer = 400, THROTTLED
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *words: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 1024

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._here = threading.local()

    def __enter__(self) -> Quotas:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _asked(self, target: int, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = getattr(self._here, "connection", None)
        if connection is None:
            connection = self._here.connection = HTTPConnection("127.0.0.1", target, timeout=GUARD)
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
