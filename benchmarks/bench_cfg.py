"""How long a cfg file takes from the disk to its options, ready to be read, compared with configparser."""

from __future__ import annotations

import configparser
import os
import tempfile

from timing import Row, Times, calls, median, milliseconds, ratio

#: Options of a file -> rounds.
SIZES = {30: 101, 1_000: 41, 5_000: 21, 50_000: 7}


def cfg_text(options: int, capitals: bool = False) -> str:
    """A file such as people write: comments, blank lines, 50 options a section, one value in 20 of several lines."""
    lines: list[str] = []
    section, key = ("Section_{}", "Some_Option_{}") if capitals else ("section_{}", "some_option_{}")
    for number in range(options):
        if number % 50 == 0:
            lines += ["", f"[{section.format(number // 50)}]", "# What this section is about, in a line or two.", ""]
        lines.append(f"{key.format(number)} = value {number} of a file, with spaces = and delimiters: inside")
        if number % 20 == 0:
            lines += ["    another line of it", "    and the last one"]
    return "\n".join(lines) + "\n"


def theirs(path: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=True)
    with open(path, encoding="utf-8") as file:
        parser.read_file(file)
    return parser


def rows(quick: bool) -> list[Row]:
    found: list[Row] = []
    each: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for options, rounds in SIZES.items():
            rounds = max(3, rounds // 5) if quick else rounds
            times = _times(folder, options, rounds, capitals=False)
            each[options] = median(times, "ours") * 1000 / options
            limit = 0.7 if options == 5_000 else None
            found += _compared(f"{options:,} options", times, limit)
        found += _compared("5,000 options, names with capitals", _times(folder, 5_000, rounds, capitals=True), None)
    growth = each[50_000] / each[1_000]
    time, target = f"{each[50_000]:.2f} µs", "at most 1.6x that of 1,000"
    found.append(Row("time per option of 50,000", time, f"{growth:.2f}x", target, growth <= 1.6))
    return found


def _times(folder: str, options: int, rounds: int, capitals: bool) -> Times:
    """Milliseconds of each reader."""
    from framework.layers.cfg import CfgLayer

    path = os.path.join(folder, f"{options}.cfg")
    with open(path, "w", encoding="utf-8") as file:
        file.write(cfg_text(options, capitals))

    def ours() -> CfgLayer:
        return CfgLayer("main cfg", path)

    last = options - 1
    assert (found := ours().find(f"section_{last // 50}", f"some_option_{last}")) is not None
    assert found[0] == theirs(path)[f"{'S' if capitals else 's'}ection_{last // 50}"][f"some_option_{last}"]
    times = calls({"ours": "ours()", "theirs": "theirs()"}, {"ours": ours, "theirs": lambda: theirs(path)}, rounds, 1)
    return {name: [taken / 1e6 for taken in rounds] for name, rounds in times.items()}


def _compared(what: str, times: Times, limit: float | None) -> list[Row]:
    relative = ratio(times, "ours", "theirs")
    target, met = (f"at most {limit}x of configparser", relative <= limit) if limit else ("", None)
    beside = f"{relative:.2f}x of configparser ({milliseconds(median(times, 'theirs'))})"
    return [Row(what, milliseconds(median(times, "ours")), beside, target, met)]
