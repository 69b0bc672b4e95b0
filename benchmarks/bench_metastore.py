"""What reading the metastore costs in a process that has read it before, compared with the bare work behind it."""

from __future__ import annotations

import os
import sqlite3
import tempfile

from timing import Row, calls, median, nanoseconds, ratio

BASE = "the bare work: one SELECT on an open connection, one token decrypted"

OURS = {
    "`Variable.get`, encrypted in SQLite": "Variable.get('weekday')",
    "`Connection.get`, encrypted in SQLite": "Connection.get('warehouse')",
    "`Variable.get` of a name that does not exist, with a default": "Variable.get('nobody', default=None)",
    "`Variable.get`, answered by the local file": "Variable.get('batch')",
    "`Variable.get`, answered by the environment": "Variable.get('maintenance')",
}


def rows(quick: bool) -> list[Row]:
    import applications
    from cryptography.fernet import Fernet

    from framework import App, Connection, Variable

    with tempfile.TemporaryDirectory() as folder:
        applications.make(folder)
        app = App.from_project(folder).use()
        connection = sqlite3.connect(os.path.join(folder, "bench.db"))
        fernet = Fernet(app.conf.get("core", "fernet_key").encode())

        def bare() -> str:
            row = connection.execute('SELECT * FROM "variable" WHERE "key" = ?', ("weekday",)).fetchone()
            return fernet.decrypt(row[2].encode()).decode()

        names = {"bare": bare, "Variable": Variable, "Connection": Connection}
        assert bare() == Variable.get("weekday") == "monday"
        times = calls({BASE: "bare()", **OURS}, names, 7 if quick else 21, 100 if quick else 300)
        connection.close()
    found = [Row(BASE, nanoseconds(median(times, BASE)), "1x")]
    return found + [Row(name, nanoseconds(median(times, name)), f"{ratio(times, name, BASE):.2f}x") for name in OURS]
