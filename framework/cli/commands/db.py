"""The command `db`."""

from __future__ import annotations

import sys

from framework.cli.output import NO, OK, UsageError, add_output, print_message, print_note, print_warning, show
from framework.errors import BackendUnavailable, SecretsError

DESCRIPTION = """\
The metastore's database: check it, migrate its tables, or empty it.

for example:
  python -m framework db check
  python -m framework db check --retry 30 --output json
  python -m framework db migrate
  python -m framework db migrate --add-secrets-table
  python -m framework db reset --yes
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable
    from typing import Any

    from framework.app import App
    from framework.metastore.base import Database
    from framework.metastore.migrations import State


def add_arguments(parser: ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="check|migrate|reset")
    check = commands.add_parser(
        "check", help="show whether it answers and is migrated, how many rows it has, and which key opens them"
    )
    check.add_argument("--retry", type=int, default=0, metavar="N", help="how often to try again (default: 0)")
    check.add_argument(
        "--retry-delay", type=float, default=1, metavar="SECONDS", help="how long to wait in between (default: 1)"
    )
    add_output(check)
    check.set_defaults(run=_check)
    migrate = commands.add_parser("migrate", help="create the tables, or migrate them to the newest version")
    migrate.set_defaults(run=_migrate)
    migrate.add_argument(
        "--add-secrets-table",
        action="store_true",
        help="in another application's database, create the table for config secrets and touch nothing else",
    )
    reset = commands.add_parser("reset", help="remove all connections, variables and config secrets")
    reset.set_defaults(run=_reset)
    reset.add_argument("-y", "--yes", action="store_true", help="do not ask for confirmation")


def _migrate(app: App, args: Namespace) -> int:
    from framework.metastore import migrations

    database = app.store.database
    if args.add_secrets_table:
        made = migrations.add_secrets_table(database)
        _say(database, "the table for config secrets was created" if made else "nothing to do: the table exists")
        return OK
    before = migrations.migrate(database)
    if before == migrations.VERSION:
        _say(database, f"nothing to do: the tables have the newest version {before}")
    else:
        _say(database, f"migrated from {f'version {before}' if before else 'nothing'} to version {migrations.VERSION}")
    return OK


def _reset(app: App, args: Namespace) -> int:
    from framework.metastore import migrations

    database = app.store.database
    if not args.yes:
        if not sys.stdin.isatty():
            raise UsageError("db reset removes every row: pass --yes where there is no terminal")
        counts = ", ".join(f"{rows} in {table}" for table, rows in _rows(database, migrations.state(database)).items())
        print_message(f"This removes all rows of {database.where}: {counts or 'none'}.")
        print("Type yes to go on: ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            _say(database, "nothing was changed")
            return NO
    migrations.reset(database)
    _say(database, "all rows were removed")
    return OK


def _check(app: App, args: Namespace) -> int:
    """Show what is known, also where an error stops the looking."""
    from framework.metastore import migrations

    database = app.store.database
    rows: list[dict[str, Any]] = []

    def add(what: str, answer: object) -> None:
        rows.append({"what": what, "answer": answer})

    fine = True
    try:
        add("database", database.url())
        try:
            add("reachable", f"yes, {_product(database, args.retry, args.retry_delay)}")
        except SecretsError:
            add("reachable", "no")
            raise
        answers, tables_there = _add_replica(app, add)
        found = migrations.state(database)
        whose, fine = _whose(database, found)
        fine = fine and answers
        add("tables", whose)
        if tables_there is not None and tables_there != _shape(found):
            add(
                "replica tables",
                "not the same: [database] sql_alchemy_conn_read names another database, or one far behind",
            )
            fine = False
        add("version", found.version or None)
        for table, number in _rows(database, found).items():
            add(f"rows in {table}", number)
        if found.tables:
            fine = _add_keys(app, add) and fine
    finally:
        show(rows, ("what", "answer"), args.output)
    return OK if fine else NO


def _add_replica(app: App, add: Callable[[str, object], object]) -> tuple[bool, object]:
    """The replica that is read, if there is one. Returns whether it answers, and the shape of its tables or None."""
    from framework.metastore import migrations

    replica = app.chain.metastore.backend.replica
    if replica is None:
        return True, None
    database = replica.store.database
    add("replica", database.url())
    try:
        answer, shape = f"yes, {database.product()}", _shape(migrations.state(database))
    except SecretsError as error:
        answer, shape = "no", None
        print_warning(str(error))
    add("replica reachable", answer)
    return answer != "no", shape


def _shape(found: State) -> object:
    """Which of the tables that are read there are, and their version: a replica has the same."""
    from framework.metastore.migrations import TABLES

    return found.version, found.tables & set(TABLES)


def _product(database: Database, retries: int, delay: float) -> str:
    from time import sleep

    for _ in range(retries):
        try:
            return database.product()
        except BackendUnavailable:
            sleep(delay)
    return database.product()


def _whose(database: Database, found: State) -> tuple[str, bool]:
    """What the tables are, and whether that is fine."""
    from framework.metastore.base import MIGRATE
    from framework.metastore.migrations import SECRETS_TABLE

    if found.is_foreign:
        answer = "owned by another application, used unchanged"
        if not found.is_current:
            return f"{answer}; {MIGRATE} --add-secrets-table", False
        return answer if SECRETS_TABLE in found.tables else f"{answer}; none for config secrets", True
    if found.is_current:
        return "owned by this application, migrated", True
    if found.tables:
        return f"owned by this application, not migrated. {MIGRATE}", False
    if database.makes_tables:
        return "none yet; the first write creates them", True
    return f"none. {MIGRATE}" if database.create else "none. Their owner creates them: airflow db migrate", False


def _rows(database: Database, found: State) -> dict[str, int]:
    from framework.metastore.migrations import TABLES

    counts = {}
    for table in TABLES:
        if table in found.tables:
            counts[table] = int(database.read(f'SELECT COUNT(*) AS n FROM "{table}"', {})[0]["n"])
    return counts


def _add_keys(app: App, add: Callable[[str, object], object]) -> bool:
    """How many rows each key opens, and whether every row is opened by one."""
    from framework.metastore.rotation import census

    found = census(app.store)
    totals = [sum(counts) for counts in zip(*found.counts.values(), strict=True)] or [0] * (found.keys + 2)
    for number in range(found.keys):
        add(f"rows opened by key {number + 1} of {found.keys}", totals[number])
    add("rows in clear", totals[-2])
    add("rows that no key opens", totals[-1])
    if totals[-1]:
        print_note("python -m framework fernet check names the rows that no key opens")
    return not totals[-1]


def _say(database: Database, what: str) -> None:
    print_message(f"{database.where}: {what}")
