"""`python -m framework dump` as a whole process: a small application, examples/billing, a real Airflow home."""

from __future__ import annotations

import os
import statistics
import tempfile
from importlib.util import find_spec

from timing import BARE, ROOT, Program, Row, airflow_python, median, milliseconds, processes, python, ratio

OURS = "an application of 30 options: cfg, TOML schema and file, `.env`, local secrets, SQLite"
BILLING = "examples/billing, which has a dynaconf file too"
DYNACONF = "`import dynaconf`"
AIRFLOW, PEER = "a home of Airflow: `python -m framework --name airflow dump`", "`airflow config list`"


def rows(quick: bool) -> list[Row]:
    rounds = 7 if quick else 21
    with tempfile.TemporaryDirectory() as folder:
        return [*_applications(folder, rounds), *_airflow(folder, rounds)]


def _applications(folder: str, rounds: int) -> list[Row]:
    import applications

    applications.make(folder)
    programs = {BARE: python("-c", "pass"), OURS: python("-m", "framework", "--project", folder, "dump")}
    if find_spec("dynaconf"):
        billing = os.path.join(ROOT, "examples", "billing")
        programs[BILLING] = python("-m", "framework", "--project", billing, "dump")
        programs[DYNACONF] = python("-c", "import dynaconf")
    times = processes(programs, rounds)
    found = [
        Row(BARE, milliseconds(median(times, BARE))),
        _judged(OURS, median(times, OURS), ratio(times, OURS, BARE)),
    ]
    if BILLING in times:
        found.append(Row(BILLING, milliseconds(median(times, BILLING)), f"{ratio(times, BILLING, BARE):.1f}x"))
        found.append(Row(DYNACONF, milliseconds(median(times, DYNACONF)), f"{ratio(times, DYNACONF, BARE):.1f}x"))
        turns = list(zip(times[BILLING], times[DYNACONF], times[BARE], strict=True))
        rest = statistics.median(whole - (peer - bare) for whole, peer, bare in turns)
        relative = statistics.median((whole - (peer - bare)) / bare for whole, peer, bare in turns)
        found.append(_judged("examples/billing without what `import dynaconf` adds", rest, relative))
    return found


def _judged(what: str, time: float, relative: float) -> Row:
    target = "at most 130 ms (8x bare Python)"
    return Row(what, milliseconds(time), f"{relative:.1f}x", target, time <= 130 and relative <= 8)


def _airflow(folder: str, rounds: int) -> list[Row]:
    """Airflow writes its home with its first command, which is the one before the clock starts."""
    peer = airflow_python()
    if peer is None:
        return []
    home = {"AIRFLOW_HOME": os.path.join(folder, "airflow"), "PYTHONPATH": ROOT}
    programs = {
        PEER: Program([peer, "-m", "airflow", "config", "list"], home, folder),
        AIRFLOW: Program([peer, "-m", "framework", "--name", "airflow", "dump"], home, folder),
    }
    times = processes(programs, rounds)
    faster = ratio(times, PEER, AIRFLOW)
    time, target = milliseconds(median(times, AIRFLOW)), "at least 12x faster"
    return [
        Row(AIRFLOW, time, f"{faster:.1f}x faster", target, faster >= 12),
        Row(PEER, milliseconds(median(times, PEER))),
    ]
