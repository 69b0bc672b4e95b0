"""Passwords that are rotated under load: `python benchmarks/rotation.py [--seconds 60] [--rotations 10] [KIND…]`.

For PostgreSQL, MariaDB and Valkey, and for three orders of the change, eight threads ask at 200 requests a second while
the password changes again and again. Every connection is used for two seconds at most, so two requests of a hundred
include a login. Each run is preceded by one without rotations, or with `--beside` accompanied by one. Needs the test
extra. The whole takes 18 times `--seconds`; 9 times with `--beside`.

    failed     requests that raised
    refused    logins that the server refused, of a rotation on average
    p99        of the requests, in milliseconds
    outside    the same of the requests that did not begin in a gap: while neither the old nor the new password could
               work, because the server had changed and the store had not
    without    the same without rotations
    ratio      of these two
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import sqlalchemy  # noqa: E402
from rotating import CLIENTS, ORDERS, Service, service_of  # noqa: E402

from framework.integrations.redis import connection_class  # noqa: E402
from framework.integrations.sqlalchemy import create_engine  # noqa: E402

THREADS, RATE, LIFETIME, GAP = 8, 200, 2.0, 1.0


class Run:
    """What was measured.

    Attributes:
        requests, failed, refused: how many there were.
        p99, outside: see the module.
    """

    def __init__(
        self, times: list[tuple[float, float]], gaps: list[tuple[float, float]], faults: list[Exception], refused: int
    ) -> None:
        self.requests, self.failed, self.refused = len(times), len(faults), refused
        self.p99 = p99([took for _, took in times])
        self.outside = p99([took for at, took in times if not any(begin <= at <= end for begin, end in gaps)])
        if faults:
            print(f"  {faults[0]!r}"[:200])


def client_of(service: Service, kind: str) -> Callable[[], object]:
    """A client with a pool, whose connections are renewed every `LIFETIME` seconds."""
    if kind != "valkey":
        engine = create_engine(service.app, "books", pool_size=THREADS, pool_recycle=int(LIFETIME))
        # Requests that wait for a change open all connections. So that renewing them counts everywhere, all are open
        # from the start.
        for connection in [engine.connect() for _ in range(THREADS)]:
            connection.close()

        def ask() -> object:
            with engine.connect() as connection:
                return connection.execute(sqlalchemy.text("SELECT 42")).scalar()

        return ask
    import redis

    made = connection_class("books", redis.Connection, app=service.app)
    pool = redis.ConnectionPool(connection_class=made)
    client, renewed = redis.Redis(connection_pool=pool), [time.monotonic()]

    def ask_valkey() -> object:
        if time.monotonic() - renewed[0] > LIFETIME:
            renewed[0] = time.monotonic()
            pool.disconnect(inuse_connections=False)
        return 42 if client.ping() else None

    return ask_valkey


class Load:
    """Eight threads that ask one service.

    Attributes:
        times: when each request began, and how long it took.
        faults: what was raised.
    """

    def __init__(self, service: Service, kind: str, seconds: float) -> None:
        self._ask, self._ends = client_of(service, kind), time.monotonic() + seconds
        self.times, self.faults = list[tuple[float, float]](), list[Exception]()
        self._ask()
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(THREADS)]

    def _work(self, number: int) -> None:
        due = time.monotonic() + number / RATE
        while due < self._ends:
            time.sleep(max(0.0, due - time.monotonic()))
            begin = time.monotonic()
            try:
                self._ask()
            except Exception as fault:
                self.faults.append(fault)
            self.times.append((begin, time.monotonic() - begin))
            due = max(due + THREADS / RATE, time.monotonic() - 1)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()


def run(kind: str, order: str, seconds: float, rotations: int, *, beside: bool = False) -> list[Run]:
    """What was measured of a service, and, with `beside`, of another one at the same time that is not rotated."""
    with contextlib.ExitStack() as stack:
        services = [
            stack.enter_context(service_of(kind, Path(stack.enter_context(tempfile.TemporaryDirectory()))))
            for _ in range(2 if beside else 1)
        ]
        loads, gaps = [Load(service, kind, seconds) for service in services], list[tuple[float, float]]()
        for load in loads:
            load.start()
        for _ in range(rotations):
            time.sleep(max(0.0, seconds / (rotations + 1) - GAP))
            begin = time.monotonic()
            services[0].rotate(order, lambda: time.sleep(GAP))
            if order == "server first":
                gaps.append((begin, time.monotonic()))
        for load in loads:
            load.join()
        return [
            Run(load.times, gaps, load.faults, service.login.refused)
            for load, service in zip(loads, services, strict=True)
        ]


def p99(times: list[float]) -> float:
    """In milliseconds."""
    return sorted(times)[int(len(times) * 0.99)] * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=list(CLIENTS), metavar="KIND", help=", ".join(CLIENTS))
    parser.add_argument("--seconds", type=float, default=60, help="of each run")
    parser.add_argument("--rotations", type=int, default=10, help="in each run")
    parser.add_argument(
        "--beside",
        action="store_true",
        help="measure without rotations at the same time, with a second service: where other programs run, too",
    )
    args = parser.parse_args()
    names = ("server", "order", "requests", "failed", "refused", "p99", "outside", "without", "ratio")
    print("{:<12} {:<14} {:>9} {:>7} {:>8} {:>8} {:>8} {:>8} {:>6}".format(*names), flush=True)
    for kind in args.kinds:
        for order in ORDERS:
            if args.beside:
                found, without = run(kind, order, args.seconds, args.rotations, beside=True)
            else:
                (without,) = run(kind, order, args.seconds, 0)
                (found,) = run(kind, order, args.seconds, args.rotations)
            print(
                f"{kind:<12} {order:<14} {found.requests:>9} {found.failed + without.failed:>7} "
                f"{found.refused / args.rotations:>8.1f} {found.p99:>8.1f} {found.outside:>8.1f} "
                f"{without.outside:>8.1f} {found.outside / without.outside:>6.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
