"""An Akeyless API for the tests: what it is sent must be a message of the vendor's own package, field by field."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

akeyless = pytest.importorskip("akeyless", reason="akeyless is not installed")
pytest.importorskip("urllib3", reason="urllib3 is not installed")

from servers_tls import Handler, Server  # noqa: E402

ID, KEY = "p-made-up", "canary-access-key"
MESSAGES = {"auth": akeyless.Auth, "get-secret-value": akeyless.GetSecretValue, "list-items": akeyless.ListItems}


class Vault:
    """The API.

    Attributes:
        secrets: name -> the values of its versions.
        refused: names that no one may read.
        calls: the name and the body of every call so far.
        failures: (status, headers) of the next answers of a call, one each; a status of 0 cuts the connection, 1 cuts
            the answer short, 2 answers what is not JSON.
        always: the same for every answer of a call.
        partial: whether a call for several names leaves out those that it has no value for.
        delay: seconds before each answer.
    """

    def __init__(self) -> None:
        self.secrets: dict[str, list[Any]] = {}
        self.refused, self.tokens = set[str](), set[str]()
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.failures: dict[str, list[tuple[int, dict[str, str]]]] = {}
        self.always: dict[str, tuple[int, dict[str, str]]] = {}
        self.partial, self.delay, self.page = False, 0.0, 3
        self.cloud_ids = {"canary-cloud-id"}
        self._lock = threading.Lock()
        self.server = Server(self.answer)
        self.url = f"http://127.0.0.1:{self.server.port}"

    def count(self, call: str) -> int:
        return [name for name, _ in self.calls].count(call)

    def put(self, name: str, value: Any) -> None:
        self.secrets.setdefault(name, []).append(value)

    def answer(self, handler: Handler, method: str) -> None:
        call, body = handler.path.strip("/"), json.loads(handler.body() or b"{}")
        with self._lock:
            self.calls.append((call, body))
            planned = self.failures.get(call) or ([self.always[call]] if call in self.always else [])
            failure = planned.pop(0) if planned else None
        time.sleep(self.delay)
        if failure is not None:
            status, headers = failure
            if status in (0, 1):
                handler.cut(b'{"canary": ' if status else b"")
            else:
                handler.reply(200 if status == 2 else status, b"canary", headers)
            return
        message = MESSAGES.get(call)
        if method != "POST" or message is None or handler.headers["Content-Type"] != "application/json":
            handler.reply(404, b"<html>canary</html>")
            return
        assert set(body) <= set(message.attribute_map.values()), body
        fields = {field: body[name] for field, name in message.attribute_map.items() if name in body}
        request = message(**fields)  # refuses a required field that is missing
        status, reply = getattr(self, "_" + call.replace("-", "_"))(request)
        handler.reply(status, reply)

    def _auth(self, asked: Any) -> tuple[int, Any]:
        by_key = asked.access_type == "access_key" and asked.access_key == KEY
        if asked.access_id != ID or not (by_key or asked.cloud_id in self.cloud_ids):
            return 401, {"error": "canary: Unauthorized"}
        with self._lock:
            token = f"t-canary-token-{len(self.calls)}"
            self.tokens.add(token)
        return 200, akeyless.ApiClient().sanitize_for_serialization(akeyless.AuthOutput(token=token))

    def _get_secret_value(self, message: Any) -> tuple[int, Any]:
        if (message.token or message.uid_token) not in self.tokens:
            return 401, {"error": "canary: the token is not valid"}
        found: dict[str, Any] = {}
        for name in message.names:
            versions = self.secrets.get(name)
            if name in self.refused:
                return 403, {"error": f"canary: Unauthorized access to {name}"}
            version = message.version or len(versions or ())
            if versions and 0 < version <= len(versions):
                found[name] = versions[version - 1]
            elif not self.partial:
                return 404, {"error": f"canary: {name} is not found"}
        return 200, found

    def _list_items(self, asked: Any) -> tuple[int, Any]:
        if (asked.token or asked.uid_token) not in self.tokens:
            return 401, {"error": "canary: the token is not valid"}
        names = [name for name in sorted(self.secrets) if name.startswith(asked.path.rstrip("/") + "/")]
        start = int(asked.pagination_token or 0)
        end = start + self.page
        items = [akeyless.Item(item_name=name, item_type="STATIC_SECRET") for name in names[start:end]]
        output = akeyless.ListItemsInPathOutput(items=items, next_page=str(end) if end < len(names) else "")
        return 200, akeyless.ApiClient().sanitize_for_serialization(output)


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    made = Vault()
    yield made
    made.server.stop()
