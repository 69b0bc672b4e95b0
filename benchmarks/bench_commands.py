"""`variables` and `connections` on a SQLite metastore as whole processes, compared with the bare work and Airflow."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable

from timing import ROOT, Program, Row, Times, airflow_python, median, milliseconds, processes, python, ratio

HAND = "the same by hand: sqlite3 and Fernet"

#: Reads one row, or takes a file of rows over in one transaction, with nothing around it.
_GET = """
import os, sqlite3
from cryptography.fernet import Fernet
row = sqlite3.connect("bench.db").execute('SELECT * FROM "variable" WHERE "key" = ?', ("v7",)).fetchone()
print(Fernet(os.environ["BENCH__CORE__FERNET_KEY"]).decrypt(row[2]).decode())
"""
_VARIABLES = """
import json, os, sqlite3
from cryptography.fernet import Fernet
encrypt = Fernet(os.environ["BENCH__CORE__FERNET_KEY"]).encrypt
rows = [(key, encrypt(text.encode()).decode()) for key, text in json.load(open("variables{n}.json")).items()]
with sqlite3.connect("bench.db") as connection:
    connection.executemany('INSERT INTO variable ("key", val, is_encrypted) VALUES (?, ?, 1) '
        'ON CONFLICT ("key") DO UPDATE SET val = excluded.val', rows)
"""
_CONNECTIONS = """
import json, os, sqlite3
from cryptography.fernet import Fernet
encrypt = Fernet(os.environ["BENCH__CORE__FERNET_KEY"]).encrypt
rows = [(name, c["conn_type"], c["host"], c["schema"], c["login"], c["port"], encrypt(c["password"].encode()).decode(),
    encrypt(c["extra"].encode()).decode()) for name, c in json.load(open("connections{n}.json")).items()]
with sqlite3.connect("bench.db") as connection:
    connection.executemany('INSERT INTO connection (conn_id, conn_type, host, "schema", login, port, password, extra, '
        'is_encrypted, is_extra_encrypted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, 1)', rows)
"""
_EXPORT = """
import json, os, sqlite3
from cryptography.fernet import Fernet
decrypt = Fernet(os.environ["BENCH__CORE__FERNET_KEY"]).decrypt
names = ("conn_type", "host", "schema", "login", "port")
table = {}
chosen = 'SELECT conn_id, conn_type, host, "schema", login, port, password, extra FROM connection ORDER BY conn_id'
for row in sqlite3.connect("bench.db").execute(chosen):
    secrets = {"password": decrypt(row[6]).decode(), "extra": decrypt(row[7]).decode()}
    table[row[0]] = {**dict(zip(names, row[1:])), **secrets}
json.dump(table, open("hand.json", "w"), indent=2)
"""


def rows(quick: bool) -> list[Row]:
    rounds = 3 if quick else 11
    with tempfile.TemporaryDirectory() as folder:
        environ = _prepare(folder)
        restore = _restorer(folder)

        def ours(*words: str) -> Program:
            return python("-m", "framework", "--name", "bench", *words, environ=environ, folder=folder)

        def hand(code: str) -> Program:
            return python("-c", code, environ=environ, folder=folder)

        found = _reads(processes({
            HAND: hand(_GET), "get v": ours("variables", "get", "v7"), "get c": ours("connections", "get", "c7"),
        }, 3 * rounds))  # fmt: skip
        for what, number, code, words in (
            ("`variables import`", 10_000, _VARIABLES, ("variables", "import", "variables{n}.json")),
            ("`connections import`", 1_000, _CONNECTIONS, ("connections", "import", "connections{n}.json")),
            ("`connections export`", 1_000, _EXPORT, ("connections", "export", "out.json")),
        ):
            empty = "export" not in what
            found += _bulk(what, number, code, words, ours, hand, restore, rounds, empty)
            name = words[0], words[1]
            if not quick:
                found += _hundred_thousand(what, name, ours, restore, empty)
        found += _airflow(folder, environ, restore, quick)
        return found


def _prepare(folder: str) -> dict[str, str]:
    """The files that are imported; `empty.db`, which has the tables; `full.db`, which has 1,000 rows of each kind."""
    from framework import App, Connection
    from framework.metastore.crypto import generate

    environ = {"BENCH_HOME": folder, "BENCH__CORE__FERNET_KEY": generate()}
    for number in (1_000, 10_000, 100_000):
        _write(folder, f"variables{number}.json", {f"v{n}": f"value {n}" for n in range(number)})
        _write(folder, f"connections{number}.json", {f"c{n}": _connection(n) for n in range(number)})
    store = App("bench", home=folder, environ=environ).store
    store.set_variable("first", "1")
    store.delete_variable("first")
    path = os.path.join(folder, "bench.db")
    shutil.copy(path, os.path.join(folder, "empty.db"))
    store.write_many([("variable", f"v{n}", f"value {n}", None) for n in range(1_000)])
    store.write_many([("connection", f"c{n}", Connection(f"c{n}", **_connection(n)), None) for n in range(1_000)])
    shutil.copy(path, os.path.join(folder, "full.db"))
    return environ


def _connection(n: int) -> dict[str, object]:
    extra = json.dumps({"sslmode": "require", "n": str(n)})
    fields = {"conn_type": "postgres", "host": f"db{n}.example", "schema": "shop", "login": "ada", "port": 5432}
    return {**fields, "password": f"pass{n}", "extra": extra}


def _write(folder: str, name: str, table: dict[str, object]) -> None:
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        json.dump(table, file, indent=2)


def _restorer(folder: str) -> Callable[[bool], Callable[[Program], object]]:
    def restore(empty: bool) -> Callable[[Program], object]:
        source = os.path.join(folder, "empty.db" if empty else "full.db")
        return lambda program: shutil.copy(source, os.path.join(folder, "bench.db"))

    return restore


def _reads(times: Times) -> list[Row]:
    found = [Row(f"`variables get`, {HAND}", milliseconds(median(times, HAND)), "1x")]
    for name, what in (("get v", "`variables get`"), ("get c", "`connections get`")):
        time = median(times, name)
        found.append(Row(what, milliseconds(time), f"{ratio(times, name, HAND):.1f}x", "within 120 ms", time <= 120))
    return found


def _bulk(
    what: str,
    number: int,
    code: str,
    words: tuple[str, ...],
    ours: Callable[..., Program],
    hand: Callable[[str], Program],
    restore: Callable[[bool], Callable[[Program], object]],
    rounds: int,
    empty: bool,
) -> list[Row]:
    programs = {
        HAND: hand(code.replace("{n}", str(number))),
        what: ours(*(word.replace("{n}", str(number)) for word in words)),
    }
    times = processes(programs, rounds, restore(empty))
    return [
        Row(f"{what} of {number:,}, {HAND}", milliseconds(median(times, HAND)), "1x"),
        Row(f"{what} of {number:,}", milliseconds(median(times, what)), f"{ratio(times, what, HAND):.1f}x"),
    ]


def _hundred_thousand(
    what: str,
    words: tuple[str, str],
    ours: Callable[..., Program],
    restore: Callable[[bool], Callable[[Program], object]],
    empty: bool,
) -> list[Row]:
    """Ten times the rows may take ten times as long, and an eighth of that besides."""
    file = "out.json" if not empty else f"{words[0]}{{n}}.json"
    programs = {str(n): ours(*words, file.replace("{n}", str(n))) for n in (10_000, 100_000)}
    if empty:
        times = processes(programs, 3, restore(True))
    else:
        times = {}
        for n in (10_000, 100_000):  # what is exported has to be there first
            fill = ours("connections", "import", f"connections{n}.json")
            processes({"fill": fill}, 0, restore(True))
            times.update(processes({str(n): programs[str(n)]}, 3))
    growth = ratio(times, "100000", "10000")
    taken = milliseconds(median(times, "100000"))
    return [Row(f"{what} of 100,000, beside one of 10,000", taken, f"{growth:.1f}x", "at most 11.3x", growth <= 11.3)]


def _airflow(
    folder: str, environ: dict[str, str], restore: Callable[[bool], Callable[[Program], object]], quick: bool
) -> list[Row]:
    """Airflow's commands on its own database, in turn with ours."""
    peer = airflow_python()
    if peer is None:
        return []
    home = os.path.join(folder, "airflow")
    theirs = {"AIRFLOW_HOME": home, "PYTHONPATH": ROOT, "AIRFLOW__CORE__FERNET_KEY": environ["BENCH__CORE__FERNET_KEY"]}

    def airflow(*words: str) -> Program:
        return Program([peer, "-m", "airflow", *words], theirs, folder)

    def ours(*words: str) -> Program:
        return python("-m", "framework", "--name", "bench", *words, environ=environ, folder=folder)

    processes({"migrate": airflow("db", "migrate")}, 0)
    shutil.copy(os.path.join(home, "airflow.db"), os.path.join(folder, "airflow-empty.db"))

    def empty(program: Program) -> None:
        restore(True)(program)
        for name in ("airflow.db-wal", "airflow.db-shm"):
            if os.path.exists(os.path.join(home, name)):
                os.remove(os.path.join(home, name))
        shutil.copy(os.path.join(folder, "airflow-empty.db"), os.path.join(home, "airflow.db"))

    found = []
    for words, what, least in (
        (("variables", "import", "variables10000.json"), "`variables import` of 10,000", 25),
        (("connections", "import", "connections1000.json"), "`connections import` of 1,000", 100),
        (("connections", "export", "out.json"), "`connections export` of 1,000", 100),
        (("variables", "get", "v7"), "`variables get`", None),
        (("connections", "get", "c7"), "`connections get`", None),
    ):
        before = {"variables": "variables1000.json", "connections": "connections1000.json"}[words[0]]
        filled = words[1] != "import"
        if filled:  # ours has the same rows
            empty(airflow())
            processes({"fill": airflow(words[0], "import", before), "ours": ours(words[0], "import", before)}, 0)
        programs = {"theirs": airflow(*words), "ours": ours(*words)}
        times = processes(programs, 1 if quick or not filled else 3, (lambda program: None) if filled else empty)
        faster = ratio(times, "theirs", "ours")
        target = f"at least {least}x faster" if least else ""
        met = faster >= least if least else None
        found.append(Row(f"{what}, Airflow's", milliseconds(median(times, "theirs"))))
        found.append(Row(f"{what}, ours", milliseconds(median(times, "ours")), f"{faster:.0f}x faster", target, met))
    return found
