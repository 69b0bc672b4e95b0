"""A fleet that starts at once, at a store with quotas: `python benchmarks/fleet.py [--processes 200] [--quota 1.0]`.

Processes that each read 100 secrets of Secrets Manager start together. A proxy in front of moto counts their calls and
enforces AWS's quotas, or a part of them. Needs the test extra.

    --quota 0.1               a tenth of AWS's quotas
    --shared-cache URL        all processes share a cache on this server; it is asked twice, cold and warm

    p50, p99   seconds from the start of a process's first question to its last answer
    failed     processes that lack a secret
    calls      that the store answered, and in brackets those that it throttled
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "backends"))

import boto3  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402
from quotas import Quotas  # noqa: E402

SECRETS, BATCHES, SINGLES = 100, 100, 10_000
KEYS = {"aws_access_key_id": "k", "aws_secret_access_key": "s", "region_name": "eu-west-1"}
CHILD = """
import sys, time
from framework import App
app = App("billing", home=sys.argv[1], sensitive=["s.*"])
print("ready", flush=True)
sys.stdin.readline()
began = time.monotonic()
failures = app.prefetch()
print(time.monotonic() - began, len(failures), flush=True)
"""


def started(home: str, processes: int) -> list[tuple[float, int]]:
    """What each process took, and how many secrets it lacks; all begin when all are ready."""
    command = [sys.executable, "-c", CHILD, home]
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    found = []
    for child in children:
        assert child.stdout is not None
        seconds, failures = child.stdout.readline().split()
        found.append((float(seconds), int(failures)))
        child.wait()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=200)
    parser.add_argument("--quota", type=float, default=1.0)
    parser.add_argument("--shared-cache", metavar="URL")
    args = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    port = moto.get_host_and_port()[1]
    client = boto3.client("secretsmanager", endpoint_url=f"http://127.0.0.1:{port}", **KEYS)
    for number in range(SECRETS):
        client.create_secret(Name=f"billing/config/s{number}", SecretString=f"value {number}")
    with tempfile.TemporaryDirectory() as home:
        for name in ["cold", "warm"] if args.shared_cache else ["direct"]:
            with Quotas(port, BatchGetSecretValue=BATCHES * args.quota, GetSecretValue=SINGLES * args.quota) as quotas:
                kwargs = {**KEYS, "endpoint_url": f"http://127.0.0.1:{quotas.port}"}
                lines = ["[secrets]", "backend = aws_secrets_manager", f"backend_kwargs = {json.dumps(kwargs)}"]
                if args.shared_cache:
                    os.environ.setdefault("BILLING__SECRETS__SHARED_CACHE_KEY", "A" * 43 + "=")
                    lines.append(f"shared_cache_url = {args.shared_cache}")
                lines += ["[s]", *(f"k{number}_secret = s{number}" for number in range(SECRETS))]
                Path(home, "billing.cfg").write_text("\n".join(lines))
                found = started(home, args.processes)
            seconds = sorted(taken for taken, _ in found)
            failed = sum(failures > 0 for _, failures in found)
            p50, p99 = seconds[len(seconds) // 2], seconds[int(len(seconds) * 0.99)]
            print(
                f"{name}: {args.processes} processes, p50 {p50:.1f} s, p99 {p99:.1f} s, failed {failed}, calls "
                f"{quotas.answered.total()} ({quotas.throttled.total()})"
            )
    moto.stop()


if __name__ == "__main__":
    main()
