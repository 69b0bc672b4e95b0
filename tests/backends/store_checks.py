"""What the tests of several stores ask of every one of them."""

from __future__ import annotations

import json
import os
import threading
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from framework.errors import SecretsError
from framework.link import Link
from framework.parallel import Runner


def refused(error: type[SecretsError], ask: Callable[[], Any], *canaries: str) -> SecretsError:
    """The error that a look-up raises: of exactly this type, without a cause, and with no canary in any text of it."""
    with pytest.raises(error) as caught:
        ask()
    fault = caught.value
    assert type(fault) is error, type(fault)
    assert fault.__cause__ is None
    assert fault.__context__ is None
    shown = "".join(traceback.format_exception_only(fault))
    for canary in canaries:
        assert canary not in shown + repr(fault) + fault.what + fault.where + fault.hint
    assert fault.where, "the error says where"
    assert fault.hint, "the error says what to do"
    return fault


def by_threads(ask: Callable[[], Any], count: int = 32) -> list[Any]:
    """What as many threads get, all starting at once."""
    start, found = threading.Barrier(count), list[Any]()

    def run() -> None:
        start.wait()
        try:
            found.append(ask())
        except Exception as fault:
            found.append(fault)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


def many(backend: Any, names: list[str], workers: int = 16) -> dict[str, Any]:
    """What the chain gets when it asks for config secrets at once: values and errors; absent ones are left out."""
    runner = Runner(workers, 60, lambda: TimeoutError("a call was late"))
    said = Link("store", 1, lambda: backend).ask_many([(name, None) for name in names], runner)
    return {name: outcome for name, outcome in zip(names, said, strict=True) if outcome is not None}


def in_a_child(ask: Callable[[], Any]) -> Any:
    """What a forked child gets."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said: Any = ask()
        except BaseException as fault:
            said = f"{type(fault).__name__}: {fault}"
        os.write(write, json.dumps(said).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return json.loads(text)
