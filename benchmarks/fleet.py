"""A fleet that starts at once, at a store with quotas: `python benchmarks/fleet.py [--processes 200] [PART ...]`.

Processes that each read 100 secrets of Secrets Manager start together. The store is moto behind AWS's quotas, or a part
of them, in its own process; the shared cache is a Valkey. Needs the test extra. Its parts, in this order:

    direct    without a shared cache
    shared    with one: a cold start, and a warm one
    rotated   a password is changed in a server and in the store, and all log in again; then once more, but the store
              is five seconds late. Without a shared cache each process asks for itself, so it has one
    broken    with a shared cache that is dead, hangs, or is killed while they start
    poisoned  one process, and a shared cache that somebody has written to, in eleven ways

    p50, p99   seconds from the start of a process's first question to its last answer. On one machine they are mostly
               the time until so many processes have had their turn
    failed     processes that lack a secret, or could not log in
    calls      that the store answered, and in brackets those that it throttled
    faults     commands that the shared cache did not answer, at most in one process
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import fleet  # noqa: E402
import redis  # noqa: E402
from cryptography.fernet import Fernet  # noqa: E402
from servers import free_port, valkey  # noqa: E402

SECRETS, LATE = 100, 5.0
QUOTAS = {"BatchGetSecretValue": 100.0, "GetSecretValue": 10_000.0}
KEY = Fernet.generate_key().decode()


class Bench:
    """What all parts have in common.

    Args:
        home: of the application.
        store: has all secrets.
        processes: how many there are.
        quota: the part of AWS's quotas that the fleet may use.
    """

    def __init__(self, home: Path, store: fleet.Store, processes: int, quota: float) -> None:
        self.home, self.store, self.processes = home, store, processes
        self.quotas = {name: number * quota for name, number in QUOTAS.items()}

    def start(self, title: str, url: str = "", meanwhile: Callable[[], None] = lambda: None) -> None:
        """Start a fleet, and print what happened."""
        options = {"shared_cache_url": url, "shared_cache_key": KEY} if url else {}
        fleet.configure(self.home, self.store, names=SECRETS, **options)
        with fleet.Fleet(self.home, self.processes, ["prefetch"], SECRETS) as started:
            self.store.begin(**self.quotas)
            other = threading.Thread(target=meanwhile)
            other.start()
            started.go()
            other.join()
            found = started.reports()
        right = [f"canary-value-{number}" for number in range(SECRETS)]
        self.show(title, found, 0, sum(one["values"] != right for one in found))

    def show(self, title: str, found: list[dict[str, Any]], step: int, failed: int) -> None:
        seconds = sorted(one["seconds"][step] for one in found)
        p50, p99 = seconds[len(seconds) // 2], seconds[int(len(seconds) * 0.99)]
        calls, faults = self.store.reads, max(one["stats"][0].get("shared faults", 0) for one in found)
        print(
            f"{title}: {len(found)} processes, p50 {p50:.1f} s, p99 {p99:.1f} s, failed {failed}, calls {calls} "
            f"({self.store.throttled}), faults {faults}",
            flush=True,
        )

    def rotate(self, url: str, port: int) -> None:
        """Change a password under a fleet, once at once and once late in the store."""
        admin = redis.Redis(port=port)
        fleet.configure(self.home, self.store, shared_cache_url=url, shared_cache_key=KEY)
        titles = ["first login", "rotated", f"store {LATE:g} s late"]
        calls, throttled = [], []
        with fleet.Fleet(self.home, self.processes, ["login"] * 3) as started:
            for number in range(len(titles)):
                password = f"password {number}"
                fleet.change_password(admin, password)
                late = threading.Timer(LATE if number == 2 else 0, fleet.put_password, [self.store, port, password])
                late.start()
                if number < 2:
                    late.join()
                self.store.begin(**self.quotas)
                began = time.monotonic()
                started.go()
                late.join()
                calls.append(self.store.reads)
                throttled.append((self.store.throttled, time.monotonic() - began))
            found = started.reports()
        failed = sum(bool(one["failures"]) for one in found)
        for number, title in enumerate(titles):
            seconds = sorted(one["seconds"][number] for one in found)
            p50, p99 = seconds[len(seconds) // 2], seconds[int(len(seconds) * 0.99)]
            print(
                f"{title}: {len(found)} processes, p50 {p50:.1f} s, p99 {p99:.1f} s, failed {failed}, calls "
                f"{calls[number]} ({throttled[number][0]}) in {throttled[number][1]:.1f} s",
                flush=True,
            )


@contextmanager
def cache() -> Iterator[int]:
    with tempfile.TemporaryDirectory() as folder, valkey(Path(folder)) as port:
        yield port


def url_of(port: int) -> str:
    return f"redis://127.0.0.1:{port}/0"


def broken(bench: Bench) -> None:
    bench.start("dead", url_of(free_port()))
    for title, sign in (("hung", signal.SIGSTOP), ("killed", signal.SIGKILL)):
        with cache() as port:
            server = redis.Redis(port=port)
            process = int(server.info("server")["process_id"])

            def end(server: redis.Redis = server, process: int = process) -> None:
                while not server.dbsize():  # somebody has begun to ask
                    time.sleep(0.001)
                os.kill(process, signal.SIGKILL)

            if sign == signal.SIGSTOP:
                os.kill(process, sign)
            bench.start(title, url_of(port), end if sign == signal.SIGKILL else lambda: None)


def poisoned(home: Path) -> None:
    import warnings

    from test_shared_cache import POISONS, Ledger, application

    warnings.simplefilter("ignore")
    for poison in POISONS:
        with cache() as port:
            Ledger.rows, Ledger.asked = {("variable", "v"): "right"}, []
            application(home, url_of(port)).get_variable("v", default=None)  # packages are loaded
            redis.Redis(port=port).flushall()
            app = application(home, url_of(port))
            app.chain.custom[0].shared_cache()
            poison(redis.Redis(port=port), app)
            began = time.monotonic()
            value = app.get_variable("v")
            print(f"{poison.__name__.strip('_')}: {value}, {(time.monotonic() - began) * 1000:.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="which parts (default: all)")
    parser.add_argument("--processes", type=int, default=200)
    parser.add_argument("--quota", type=float, default=1.0, help="the part of AWS's quotas that there is")
    args = parser.parse_args()
    parts = args.parts or ["direct", "shared", "rotated", "broken", "poisoned"]
    with tempfile.TemporaryDirectory() as folder, fleet.store() as store:
        home = Path(folder, "home")
        for number in range(SECRETS):
            store.put(f"fleet/canary-name-{number}", f"canary-value-{number}")
        bench = Bench(home, store, args.processes, args.quota)
        for part in parts:
            if part == "direct":
                bench.start("direct")
            elif part == "broken":
                broken(bench)
            elif part == "poisoned":
                poisoned(home)
            else:
                with cache() as port:
                    if part == "rotated":
                        bench.rotate(url_of(port), port)
                    else:
                        bench.start("cold", url_of(port))
                        bench.start("warm", url_of(port))


if __name__ == "__main__":
    main()
