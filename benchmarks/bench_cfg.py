"""How long a cfg file takes from the disk to its options, beside configparser, in one run.

    python benchmarks/bench_cfg.py

Medians of interleaved rounds. Exits with 1 if a target is missed: 5,000 options in at most 0.7x of configparser's
time, and 50,000 options at no more than 1.6x the time per option of 1,000.
"""

from __future__ import annotations

import configparser
import gc
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable

from framework.layers.cfg import parse
from framework.files import read_text


def cfg_text(options: int) -> str:
    """A file such as people write: comments, blank lines, 50 options a section, one value in 20 of several lines."""
    lines: list[str] = []
    for number in range(options):
        if number % 50 == 0:
            lines += ["", f"[section_{number // 50}]", "# What this section is about, in a line or two.", ""]
        lines.append(f"some_option_{number} = value {number} of a file, with spaces = and delimiters: inside")
        if number % 20 == 0:
            lines += ["    another line of it", "    and the last one"]
    return "\n".join(lines) + "\n"


def ours(path: str) -> None:
    parse(read_text(path), path)


def theirs(path: str) -> None:
    parser = configparser.ConfigParser(strict=True)
    with open(path, encoding="utf-8") as file:
        parser.read_file(file)


def medians(rounds: int, path: str) -> list[float]:
    """Milliseconds of each reader, taking turns so that a busy moment hits all of them alike."""
    readers: list[Callable[[str], None]] = [ours, theirs]
    times: list[list[float]] = [[] for _ in readers]
    for _ in range(rounds):
        for reader, taken in zip(readers, times, strict=True):
            gc.collect()  # configparser leaves circles behind: let nobody pay for another's garbage
            start = time.perf_counter()
            reader(path)
            taken.append((time.perf_counter() - start) * 1000)
    return [statistics.median(taken) for taken in times]


def main() -> int:
    print(f"{'options':>8} {'framework':>12} {'configparser':>13} {'ratio':>6} {'µs/option':>10}")
    each: dict[int, float] = {}
    ratios: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for options, rounds in ((30, 201), (1_000, 51), (5_000, 21), (50_000, 7)):
            path = os.path.join(folder, f"{options}.cfg")
            with open(path, "w", encoding="utf-8") as file:
                file.write(cfg_text(options))
            mine, peer = medians(rounds, path)
            each[options], ratios[options] = mine * 1000 / options, mine / peer
            print(f"{options:>8} {mine:>9.2f} ms {peer:>10.2f} ms {mine / peer:>6.2f} {each[options]:>10.2f}")
    growth = each[50_000] / each[1_000]
    print(f"5,000 options: {ratios[5_000]:.2f}x of configparser (target 0.7x)")
    print(f"50,000 options: {growth:.2f}x the time per option of 1,000 (target 1.6x)")
    return 0 if ratios[5_000] <= 0.7 and growth <= 1.6 else 1


if __name__ == "__main__":
    sys.exit(main())
