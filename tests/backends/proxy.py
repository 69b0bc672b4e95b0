"""A TCP proxy on 127.0.0.1 that counts requests, makes them slow, and breaks them in the ways that networks do.

    with Proxy(port) as proxy:
        proxy.latency = 0.02
        ask(f"http://127.0.0.1:{proxy.port}")
        assert proxy.requests == 1

A request is what the client sends until the server is heard: right for HTTP/1.1 as its clients speak it, whatever the
protocol inside; with TLS the handshake counts as well. A fault strikes at the next request:

    reset        the connection is reset, and the server never hears of it
    half         half of the answer, then the end of the connection
    cut          the answer without its last byte, then the end of the connection
    hole         nothing is ever answered
    busy         HTTP 503 without a body
    page         HTTP 200 with the web page of a gateway
    bytes        whatever they are is the answer
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

from patience import GUARD

PAGE = b"<html>cAnArY: please log in to this network</html>"
FAULTS = ("reset", "half", "cut", "hole", "busy", "page")
_SAID = {
    "busy": b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    "page": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(PAGE), PAGE),
}


class Proxy:
    """The proxy, in its own thread while the block lasts.

    Args:
        target: the port of the server on 127.0.0.1.
        latency: seconds added to each request.

    Attributes:
        port: where to connect.
        requests, connections: how many so far.
        heads: the start of each request, for tests that count one kind of them.
        faults: the faults of the next requests, one each; `always` is that of all others, or None.
        only: which requests may meet a fault, by their head.
    """

    def __init__(self, target: int, latency: float = 0.0) -> None:
        self.target, self.latency = target, latency
        self.only: Callable[[bytes], bool] = lambda head: True
        self.reset()
        self._ready = threading.Event()

    def reset(self) -> None:
        """Count from nothing, without faults."""
        self.connections = 0
        self.heads: list[bytes] = []
        self.faults: list[str | bytes] = []
        self.always: str | bytes | None = None

    @property
    def requests(self) -> int:
        return len(self.heads)

    def __enter__(self) -> Proxy:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(GUARD)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(GUARD)

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._client, "127.0.0.1", 0, backlog=256)
        self.port: int = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there: Any = None
        state: dict[str, Any] = {"asking": False, "fault": None}
        answers: asyncio.Task[None] | None = None
        try:
            there_reader, there = await asyncio.open_connection("127.0.0.1", self.target)
            _at_once(writer, there)
            answers = asyncio.create_task(self._answers(there_reader, writer, state))
            while data := await reader.read(1 << 16):
                if not state["asking"]:
                    state.update(asking=True, fault=self._next(data))
                    await asyncio.sleep(self.latency)
                fault = state["fault"]
                if fault == "reset":
                    linger = struct.pack("ii", 1, 0)
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    return
                if fault in _SAID or isinstance(fault, bytes):
                    writer.write(fault if isinstance(fault, bytes) else _SAID[fault])
                    while await reader.read(1 << 16):  # the rest of the request, until the client hangs up
                        pass
                    return
                if fault != "hole":
                    there.write(data)
                    await there.drain()
        except OSError:
            pass  # whoever is at either end hung up
        finally:
            if answers is not None:
                answers.cancel()
            for end in (writer, there):
                if end is not None:
                    end.close()

    def _next(self, data: bytes) -> str | bytes | None:
        self.heads.append(data[:2000])
        if not self.only(data):
            return None
        return self.faults.pop(0) if self.faults else self.always

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: dict[str, Any]) -> None:
        try:
            while data := await reader.read(1 << 20):
                state["asking"] = False
                if state["fault"] in ("half", "cut"):
                    data = await _whole(reader, data)
                    writer.write(data[: len(data) // 2] if state["fault"] == "half" else data[:-1])
                    await writer.drain()
                    break
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


async def _whole(reader: asyncio.StreamReader, data: bytes) -> bytes:
    """The answer: all of it, if it is HTTP/1.1 and says where it ends; else as far as it comes without a pause."""
    while True:
        missing = _is_missing(data)
        if missing is False:
            return data
        try:
            more = await asyncio.wait_for(reader.read(1 << 20), GUARD if missing else 0.05)
        except asyncio.TimeoutError:
            return data
        if not more:
            return data
        data += more


def _is_missing(data: bytes) -> bool | None:
    """Whether a part of an answer is missing; None: it does not say."""
    if not data.startswith(b"HTTP/1."):
        return None
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return True
    if length := re.search(rb"(?i)\r\ncontent-length: *(\d+)", head):
        return len(body) < int(length[1])
    if re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head):
        return not body.endswith(b"0\r\n\r\n")
    return None


def _at_once(*writers: asyncio.StreamWriter) -> None:
    for writer in writers:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
