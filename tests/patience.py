"""For tests in which time matters: a clock that they move themselves, and waits for what happens, not for how long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from framework.errors import FrameworkError

#: A last guard against a hang, in seconds: far more than a busy machine needs.
GUARD = 120.0
#: Options of `[secrets]` with which only what hangs or stays away is given up: a busy machine may be slow to answer and
#: to renew a lease.
PATIENT = {
    f"{name}_seconds": GUARD
    for name in ("resolve_timeout", "shared_cache_timeout", "shared_cache_wait", "shared_cache_lease")
}
#: The same in the environment of the application `shop`.
PATIENT_SHOP = {f"SHOP__SECRETS__{name.upper()}": str(seconds) for name, seconds in PATIENT.items()}


class Clock:
    """Replaces `monotonic` where answers, logins and tokens expire. It moves only when a test moves it."""

    MODULES = (
        *(f"framework.chain.{name}" for name in ("batches", "cache", "chain", "link", "shared")),
        *(f"framework.options.{name}" for name in ("followed", "pointers", "refresh")),
        *("framework.given", "framework.lifetime", "framework.backends.session", "framework.backends.vault.session"),
    )

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self._looks, self._change = 1000.0, 0, threading.Condition()
        for module in self.MODULES:
            monkeypatch.setattr(f"{module}.monotonic", self._look)

    def _look(self) -> float:
        with self._change:
            self._looks += 1
            self._change.notify_all()
        return self.now

    def until_looked_at(self, times: int) -> None:
        """Wait until this many calls have asked for the time."""
        with self._change:
            assert self._change.wait_for(lambda: self._looks >= times, GUARD), f"{self._looks} of {times}"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def clock_from(happened: Callable[[], Any]) -> Callable[[], float]:
    """A `monotonic` that stands still until something has happened: until then a busy machine takes its time."""
    began, since = time.monotonic(), list[float]()

    def now() -> float:
        if not since and happened():
            since.append(time.monotonic())
        return began + (time.monotonic() - since[0] if since else 0.0)

    return now


def threads_named(*names: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name in names]


def is_alive(pid: int) -> bool:
    """Whether a process runs. One that has ended, and that its parent has not asked about, does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def until(happened: Callable[[], Any]) -> None:
    """Wait until something has happened of which there is no event."""
    end = time.monotonic() + GUARD
    while not happened():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.005)


def in_threads(act: Callable[[], Any], count: int) -> None:
    """Call a function in this many threads at once, and wait for all of them."""
    threads = [threading.Thread(target=act) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def eventually(ask: Callable[[], Any]) -> Any:
    """The answer, as soon as a store is back."""
    end = time.monotonic() + GUARD
    while True:
        try:
            return ask()
        except FrameworkError:
            assert time.monotonic() < end, "it does not come back"
            time.sleep(0.05)
