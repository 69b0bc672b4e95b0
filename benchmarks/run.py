"""Measure everything, and the peers, in one run.

    python benchmarks/run.py [--quick] [--write] [startup] [airflow] [dump] [get] [cfg] [readers] [masking] [warm]
                             [bind] [metastore] [commands] [remote] [delivery]

Peers are measured where they are installed: dynaconf and pydantic-settings in this Python, Apache Airflow in the one
that FRAMEWORK_AIRFLOW_PYTHON names. `--write` puts the tables into docs/explanation/performance.md. `--quick` is for a
first look. Exits with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module

from timing import ROOT, Row, table

#: Name -> heading, in the order of the page.
BENCHMARKS = {
    "startup": "Start-up, as whole processes",
    "airflow": "The packaged options of Airflow, as whole processes",
    "dump": "`dump`, as whole processes",
    "get": "One `conf.get`",
    "cfg": "A cfg file, parsed and ready",
    "readers": "Readers, with once, ten and a hundred times as much",
    "masking": "Masking",
    "warm": "Connections and variables, read again",
    "bind": "Settings as a class",
    "metastore": "Reading the metastore",
    "commands": "Commands on the metastore, as whole processes",
    "remote": "Options out of remote stores, cold",
    "delivery": "`exec`, `export`, `render`, `redact`",
}

PAGE = os.path.join(ROOT, "docs", "explanation", "performance.md")
BEGIN, END = "<!-- begin: benchmarks/run.py -->", "<!-- end: benchmarks/run.py -->"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds: figures for a first look")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/explanation/performance.md")
    parser.add_argument("names", nargs="*", metavar="name", help=f"{', '.join(BENCHMARKS)}; all without one")
    args = parser.parse_args()
    if strangers := set(args.names) - set(BENCHMARKS):
        parser.error(f"there is no benchmark {', '.join(sorted(strangers))}; use {', '.join(BENCHMARKS)}")
    if args.write and (args.names or args.quick):
        parser.error("--write is for a whole run: the page shows the figures of one run")
    sys.path.insert(0, ROOT)  # measure this checkout
    parts, missed = [_machine()], []
    print(parts[0], flush=True)
    for name in args.names or BENCHMARKS:
        rows: list[Row] = import_module(f"bench_{name}").rows(args.quick)
        parts.append(f"## {BENCHMARKS[name]}\n\n{table(rows)}")
        print(f"\n{parts[-1]}", flush=True)
        missed += [row.what for row in rows if row.met is False]
    if args.write:
        _write("\n\n".join(parts))
    print(f"\nmissed: {'; '.join(missed)}" if missed else "\nevery target is met")
    return 1 if missed else 0


def _machine() -> str:
    from importlib.metadata import PackageNotFoundError, version

    versions = []
    for package in ("dynaconf", "pydantic-settings"):
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"{package} not installed")
    python = ".".join(map(str, sys.version_info[:3]))
    return f"Measured with Python {python} on {os.cpu_count()} cores ({sys.platform}), {', '.join(versions)}."


def _write(text: str) -> None:
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    before, rest = page.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


if __name__ == "__main__":
    sys.exit(main())
