"""A Kubernetes API server for the tests: kmock's emulator on 127.0.0.1, with label selectors and scripted failures."""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import GUARD

kmock = pytest.importorskip("kmock", reason="kmock is not installed")
pytest.importorskip("kubernetes", reason="kubernetes is not installed")

import aiohttp.test_utils  # noqa: E402
import aiohttp.web  # noqa: E402 - it comes with kmock

TOKEN = "canary-token-of-the-cluster"


class Cluster:
    """An API server in its own thread.

    Args:
        tls: to serve HTTPS.

    Attributes:
        requests: the selector of every list call so far.
        failures: (status, headers, body) of the next answers, one each; a status of 0 cuts the connection.
        always: the same for every answer, if set.
        tokens: the bearer tokens that are valid.
        delay: seconds before each answer.
        page: how many secrets one answer holds.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self.requests: list[dict[str, str]] = []
        self.failures: list[tuple[int, dict[str, str], str]] = []
        self.always: tuple[int, dict[str, str], str] | None = None
        self.tokens, self.delay, self.page = {TOKEN}, 0.0, 0
        self.connections = set[Any]()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(GUARD)

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        cluster = self

        class Emulator(kmock.KubernetesEmulator):  # type: ignore[misc,name-defined]
            """What kmock leaves out: authentication and label selectors. RBAC is scripted."""

            async def __call__(self, request: Any) -> Any:
                raw = request
                cluster.connections.add(raw.transport.get_extra_info("peername"))
                cluster.requests.append(dict(raw.query))
                if cluster.delay:
                    await asyncio.sleep(cluster.delay)
                failure = cluster.failures.pop(0) if cluster.failures else cluster.always
                if failure is not None:
                    status, headers, body = failure
                    if status == 0:
                        raw.transport.abort()
                        return aiohttp.web.Response()
                    if status == 206:  # an answer that ends early
                        response = aiohttp.web.StreamResponse(headers={"Content-Length": "5000"})
                        await response.prepare(raw)
                        await response.write(body.encode())
                        raw.transport.close()
                        return response
                    return aiohttp.web.Response(status=status, headers=headers, text=body)
                if raw.headers.get("Authorization", "").partition(" ")[2] not in cluster.tokens:
                    return aiohttp.web.json_response({"kind": "Status", "code": 401}, status=401)
                return await super().__call__(request)

            async def _serve_list(self, request: Any) -> Any:
                answer = await super()._serve_list(request)
                items = [item for item in answer["items"] if matches(item, request.params.get("labelSelector", ""))]
                start = int(request.params.get("continue", "0"))
                if start:
                    assert "resourceVersion" not in request.params  # as the server demands
                end = start + cluster.page if cluster.page else len(items)
                more = {"continue": str(end)} if end < len(items) else {}
                return {**answer, "items": items[start:end], "metadata": {"resourceVersion": "7", **more}}

        class Listener(aiohttp.test_utils.RawTestServer):
            async def start_server(self, **more: Any) -> None:  # type: ignore[override]
                await super().start_server(**more, ssl=cluster.tls)

        listening = kmock.Server(Emulator(), host="127.0.0.1", server_cls=Listener)
        async with listening.handler as self.emulator, listening as server:
            self.emulator.resources["v1/secrets"] = {"namespaced": True, "kind": "Secret", "verbs": ["list", "create"]}
            self.url = str(server.url).rstrip("/")
            self._ready.set()
            await self._end.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(GUARD)

    def put(
        self, labels: dict[str, str], data: dict[str, bytes | str], name: str | None = None, namespace: str = "prod"
    ) -> None:
        name = name or "secret-" + re.sub(r"[^a-z0-9]", "-", "-".join(labels.values()).lower())
        encoded = {
            key: text if isinstance(text, str) else base64.b64encode(text).decode() for key, text in data.items()
        }
        body = {"metadata": {"name": name, "namespace": namespace, "labels": labels}, "data": encoded}
        self.emulator.objects["v1/secrets", namespace, name] = body

    def kubeconfig(self, folder: Path, token: str = TOKEN, url: str | None = None, namespace: str = "prod") -> str:
        path = folder / "kubeconfig"
        path.write_text(
            f"""
apiVersion: v1
kind: Config
current-context: here
contexts:
- {{name: here, context: {{cluster: c, user: u, namespace: {namespace}}}}}
- {{name: other, context: {{cluster: c, user: u, namespace: other}}}}
clusters:
- {{name: c, cluster: {{server: "{url or self.url}"}}}}
users:
- {{name: u, user: {{token: "{token}"}}}}
"""
        )
        return str(path)


def matches(item: dict[str, Any], selector: str) -> bool:
    """Whether a secret has the labels: `a=b`, `a in (b,c)`, `a`, `!a`, with commas between."""
    labels = item["metadata"].get("labels", {})
    for part in re.findall(r"[^,(]+(?:\([^)]*\))?", selector):
        if part.startswith("!"):
            fits = part[1:] not in labels
        elif found := re.fullmatch(r"(\S+) in \((.*)\)", part):
            fits = labels.get(found[1]) in found[2].split(",")
        elif "=" in part:
            key, _, value = part.partition("=")
            fits = labels.get(key) == value
        else:
            fits = part in labels
        if not fits:
            return False
    return True


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    yield made
    made.stop()
