"""Clocks that take turns, and the rows that come out. Needs nothing but the standard library.

The machine is never quiet, so everything that is compared runs in the same round, one after the other, round after
round. Shown is the median of the rounds; a ratio or a difference is the median of those within each round. Of calls
the processor's time is taken, so that waiting for a neighbour does not count.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter, process_time
from timeit import Timer
from typing import NamedTuple

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

#: What is run, by the name that it has in the table -> milliseconds (processes) or nanoseconds (calls) of each round.
Times = dict[str, list[float]]

BARE = "bare Python"


class Row(NamedTuple):
    """One line of the table."""

    what: str
    median: str
    relative: str = ""
    target: str = ""
    met: bool | None = None


class Program(NamedTuple):
    """A whole process that is timed."""

    words: Sequence[str]
    environ: Mapping[str, str] = {}
    folder: str | None = None


def python(*words: str, environ: Mapping[str, str] = {}, folder: str | None = None) -> Program:
    """This Python, with the framework of this checkout."""
    return Program([sys.executable, *words], {"PYTHONPATH": ROOT, **environ}, folder)


def airflow_python() -> str | None:
    """The Python of an installed Apache Airflow, where the caller names one."""
    return os.environ.get("FRAMEWORK_AIRFLOW_PYTHON") or None


def processes(
    programs: Mapping[str, Program], rounds: int, before: Callable[[Program], object] = lambda program: None
) -> Times:
    """Milliseconds from start to end of each process. All run once before, so that their `.pyc` files are there.

    Args:
        programs: by the name that each has in the table.
        rounds: how often.
        before: called before each start, off the clock.

    Raises:
        RuntimeError: one of them fails; its last words are in the message.
    """
    # Without compiled files each start would compile everything: nobody runs like that.
    base = {name: text for name, text in os.environ.items() if not name.startswith(("PYTHON", "FRAMEWORK_", "AIRFLOW"))}
    times: Times = {name: [] for name in programs}
    for turn in range(rounds + 1):
        for name, program in programs.items():
            environ = {**base, **program.environ}
            before(program)
            start = perf_counter()
            done = subprocess.run(program.words, env=environ, cwd=program.folder, capture_output=True)
            taken = (perf_counter() - start) * 1000
            if done.returncode:
                raise RuntimeError(f"{name} ended with status {done.returncode}: {done.stderr.decode()[-2000:]}")
            if turn:
                times[name].append(taken)
    return times


def calls(expressions: Mapping[str, str], names: Mapping[str, object], rounds: int, each: int) -> Times:
    """Nanoseconds of each expression, evaluated with these names; garbage is collected as in any program."""
    timers = {
        name: Timer(text, "import gc; gc.collect(); gc.enable()", timer=process_time, globals=dict(names))
        for name, text in expressions.items()
    }
    times: Times = {name: [] for name in expressions}
    for turn in range(rounds + 1):
        for name, timer in timers.items():
            taken = timer.timeit(each) / each * 1e9
            if turn:
                times[name].append(taken)
    return times


def median(times: Times, name: str) -> float:
    return statistics.median(times[name])


def ratio(times: Times, name: str, base: str) -> float:
    """How many times as long `name` takes as `base`."""
    return statistics.median(mine / theirs for mine, theirs in zip(times[name], times[base], strict=True))


def above(times: Times, name: str, base: str) -> float:
    """How much longer `name` takes than `base`."""
    return statistics.median(mine - theirs for mine, theirs in zip(times[name], times[base], strict=True))


def milliseconds(time: float) -> str:
    return f"{time:.1f} ms" if time < 100 else f"{time:,.0f} ms"


def nanoseconds(time: float) -> str:
    return f"{time:.0f} ns" if time < 10_000 else f"{time / 1000:.1f} µs"


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    lines = [("", "median", "relative", "target", "met"), ("---", "---:", "---:", "---", "---")]
    for row in rows:
        met = "" if row.met is None else "ok" if row.met else "**missed**"
        lines.append((row.what, row.median, row.relative, row.target, met))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
