"""The command `plan`."""

from __future__ import annotations

from framework.cli.output import OK, UsageError, as_json, machine, print_note

DESCRIPTION = """\
Estimate the load of a fleet of processes with this configuration on its stores: calls, quotas, time to start, monthly
cost.

It counts the _secret pointers of the configuration and asks no store. Connections and variables that a program reads
by itself are not known, and logins are not counted. Prices and quotas are those that the vendors publish.

for example:
  python -m framework plan --fleet 10000 --hosts 100 --starts-per-day 50
  python -m framework plan --fleet 10000 --hosts 100 --ttl 900 --format json
"""

#: Larger numbers are not planned.
_MOST = 10**12

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Any

    from framework.app import App


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=_run)
    parser.add_argument("--fleet", type=int, required=True, help="how many processes run at once")
    parser.add_argument("--hosts", type=int, default=1, help="on how many hosts (default: 1)")
    parser.add_argument(
        "--starts-per-day", type=float, default=1.0, help="how often each process starts in a day (default: 1)"
    )
    parser.add_argument(
        "--ttl", type=float, help="seconds after which secrets are read again (default: as configured in [secrets])"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print (default: text)")


def _run(app: App, args: Namespace) -> int:
    from framework.inspection.fleet import Fleet, plan

    least = {"--fleet": (args.fleet, 1), "--hosts": (args.hosts, 1), "--starts-per-day": (args.starts_per_day, 0)}
    for flag, (number, smallest) in least.items():
        if not smallest <= number < _MOST:
            raise UsageError(f"{flag}: expected a number from {smallest} up to {_MOST:,}, not {number}")
    if args.ttl is not None and not 0 < args.ttl < _MOST:
        what = f"--ttl: expected a number of seconds above 0, not {args.ttl:g}"
        raise UsageError(f"{what}. Without it, the times in [secrets] count")
    found = plan(app, Fleet(args.fleet, args.hosts, args.starts_per_day, *_times(app, args.ttl)))
    if args.format == "json":
        machine(as_json(found))
        return OK
    if not found["links"]:
        print_note("no remote backend of [secrets] is configured, so no store is asked")
    elif not found["secrets"]:
        print_note("no option is a _secret pointer, so no store is asked at the start")
    elif not found["fleet"]["cached_for"]:
        print_note("use_cache and cache_ttl_seconds keep no answers, so a shared cache has no effect")
    for link in found["links"]:
        _print(link, found)
    return OK


def _times(app: App, ttl: float | None) -> tuple[float, float]:
    """After how many seconds a process reads its secrets again, and for how many an answer of a shared cache counts."""
    if ttl is not None:
        return ttl, ttl
    every = app.conf.getfloat("secrets", "refresh_interval_seconds")
    kept = app.conf.getfloat("secrets", "cache_ttl_seconds") if app.conf.getboolean("secrets", "use_cache") else 0.0
    return every, min(kept, every / 2 if every else _MOST)


def _print(link: dict[str, Any], found: dict[str, Any]) -> None:
    if link["issued_on_use"]:
        print(f"{link['link']}: credentials are issued on use, and not counted\n")
        return
    if not link["secrets"]:
        if found["secrets"]:
            print(f"{link['link']}: asked only for what the links before it do not have\n")
        return
    calls = ", ".join(f"{number:,} {name}" for name, number in link["calls_of_one_process"].items())
    print(f"{link['link']}: {link['secrets']:,} secrets; each process that starts makes {calls}")
    ways = link["ways"]
    rows = [("", *ways)]
    for title, key, shape in (
        ("calls if all start at once", "calls_if_all_start", "{:,.0f}"),
        ("calls an hour", "calls_an_hour", "{:,.0f}"),
        ("calls a day", "calls_a_day", "{:,.0f}"),
        ("first quota", "first_quota", "{}"),
        ("seconds to start all", "seconds_to_start_all", "{:,.1f}"),
        ("dollars a month", "dollars_a_month", "{:,.2f}"),
    ):
        no_quota = "no quota published" if link["is_known"] else "no quota known"
        unknown = {"first_quota": "none reached", "seconds_to_start_all": no_quota}.get(key, "no price")
        if not link["quotas"] and key == "first_quota":
            unknown = no_quota
        rows.append((title, *(unknown if way[key] is None else shape.format(way[key]) for way in ways.values())))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for name, quota in link["quotas"].items():
        more = quota["raise"] or "cannot be raised"
        other = f" together with {quota['shared_with']}" if "shared_with" in quota else ""
        print(f"  {name}: {quota['per_second']:,} a second{other} for each {quota['per']} ({more})")
    if link["sources"]:
        print(f"  as of {found['date']}: {' '.join(link['sources'])}")
    if link["not_compared"]:
        print(f"  not compared with these pages: {link['not_compared']}")
    print()
