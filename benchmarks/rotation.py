"""Passwords that are rotated under load: `python benchmarks/rotation.py [--seconds 60] [--rotations 10] [KIND…]`.

For PostgreSQL, MariaDB and Valkey, and for three orders of the change, eight threads ask at 200 requests a second while
the password changes again and again. Every connection is used for two seconds at most. Needs the test extra.

    failed     requests that raised
    refused    logins that the server refused, of a rotation on average
    p99        of the requests, in milliseconds; outside: of those that are not within two seconds after a change
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

TESTS = Path(__file__).parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "integrations")]

import sqlalchemy  # noqa: E402
from test_rotation import CLIENTS, Service, service_of  # noqa: E402

from framework.integrations.redis import connection_class  # noqa: E402
from framework.integrations.sqlalchemy import create_engine  # noqa: E402

THREADS, RATE, LIFETIME, GAP = 8, 200, 2.0, 1.0


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


def rotate(service: Service, order: str, number: int) -> None:
    service.number = number
    if order == "store first":
        service.in_store()
        service.app.get_connection("books", max_age=0)
        time.sleep(GAP)
        service.in_server()
    elif order == "server first":
        service.in_server()
        time.sleep(GAP)
        service.in_store()
    elif order == "both valid":
        service.user = f"{service.user}x"
        service.create(service.password(number))
        service.store.fields = {
            **service.store.fields,
            "login": service.user,
            "password": service.password(number),
        }
        service.app.get_connection("books", max_age=0)


def run(kind: str, order: str, seconds: float, rotations: int) -> tuple[int, int, int, float, float]:
    """Requests, failures, refused logins, and the 99th percentiles in milliseconds."""
    with tempfile.TemporaryDirectory() as folder, service_of(kind, Path(folder)) as service:
        ask, faults = client_of(service, kind), list[Exception]()
        times, gaps = list[tuple[float, float]](), list[tuple[float, float]]()
        ask()
        ends = time.monotonic() + seconds

        def work(number: int) -> None:
            due = time.monotonic() + number / RATE
            while due < ends:
                time.sleep(max(0.0, due - time.monotonic()))
                begin = time.monotonic()
                try:
                    ask()
                except Exception as fault:
                    faults.append(fault)
                times.append((begin, time.monotonic() - begin))
                due = max(due + THREADS / RATE, time.monotonic() - 1)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for number in range(1, rotations + 1):
            time.sleep(max(0.0, seconds / (rotations + 1) - (GAP if order != "both valid" else 0)))
            begin = time.monotonic()
            rotate(service, order, number)
            gaps.append((begin, time.monotonic() + 2))
        for thread in threads:
            thread.join()
        if faults:
            print(f"  {faults[0]!r}"[:200])
        every = [took for _, took in times]
        outside = [took for at, took in times if not any(begin <= at <= end for begin, end in gaps)]
        return len(times), len(faults), service.login.refused, p99(every), p99(outside)


def p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)] * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=list(CLIENTS), metavar="KIND", help=", ".join(CLIENTS))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rotations", type=int, default=10)
    args = parser.parse_args()
    print(
        f"{'server':<12} {'order':<14} {'requests':>9} {'failed':>7} {'refused':>8} {'p99 ms':>8} {'outside':>8}",
        flush=True,
    )
    for kind in args.kinds:
        for order in ("no rotation", "store first", "server first", "both valid"):
            rotations = 0 if order == "no rotation" else args.rotations
            requests, failed, refused, total, outside = run(kind, order, args.seconds, rotations)
            each = refused / rotations if rotations else 0
            print(
                f"{kind:<12} {order:<14} {requests:>9} {failed:>7} {each:>8.1f} {total:>8.1f} {outside:>8.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
