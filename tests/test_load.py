"""Many processes write to one metastore at once: nothing is lost, and no error reaches a caller.

FRAMEWORK_LOAD_WRITES=10000 makes it a real load; without it a check run has a small one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from servers import Place

from framework.connection import Connection
from framework.metastore import migrations
from framework.metastore.crypto import generate

PROCESSES = 16
WRITES = int(os.environ.get("FRAMEWORK_LOAD_WRITES", 640))

WRITER = """
import sys
from framework.connection import Connection
from framework.metastore import crypto, database, store

url, key, me, rounds = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
opened = store.Store(database.open(url, 600.0), crypto.Keys(key))  # a wait for the others is not what is tested
sys.stdin.read(1)  # until all are ready
for i in range(rounds):
    text = f"{me}-{i}"
    what = i % 8
    if what == 0:
        opened.set_variable(f"own-{text}", text, "about")
    elif what == 1:
        opened.set_variable("shared", text)
    elif what == 2:
        opened.set_connection(Connection(conn_id=f"own-{text}", conn_type="x", host=text, password=text))
    elif what == 3:
        opened.set_connection(Connection(conn_id="shared", conn_type="x", host=text, password=text))
    elif what == 4:
        rows = [("variable", f"both-{n}", text, None) for n in range(5)] + [("config", "both", text, None)]
        opened.write_many(rows if i % 16 < 8 else rows[::-1])
    elif what == 5:
        opened.set_config(f"own-{text}", text)
        assert opened.get_config(f"own-{text}") == text
    elif what == 6:
        opened.set_variable(f"gone-{text}", text)
        assert opened.update_variable(f"gone-{text}", "x") == 1
        assert opened.get_variable(f"gone-{text}") == "x"
        assert opened.delete_variable(f"gone-{text}") == 1
    else:
        opened.set_variable(f"counter-{me}", text)
        assert opened.get_variable(f"counter-{me}") == text
"""


def test_sixteen_processes_lose_nothing(place: Place) -> None:
    key, rounds = generate(), max(16, WRITES // PROCESSES)
    store = place.store(key, timeout=600.0)
    if place.server is not None:
        migrations.migrate(store.database)  # a file is made by the first of the writers
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, place.url, key, str(number), str(rounds)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parent.parent,
        )
        for number in range(PROCESSES)
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"x")
        writer.stdin.close()
        writer.stdin = None
    assert [(writer.communicate()[1].decode(), writer.returncode) for writer in writers] == [("", 0)] * PROCESSES

    def texts(what: int) -> list[str]:
        return [f"{me}-{i}" for me in range(PROCESSES) for i in range(what, rounds, 8)]

    def last(what: int) -> set[str]:
        """The last write of each process: the final value must be one of them."""
        return {f"{me}-{max(range(what, rounds, 8))}" for me in range(PROCESSES)}

    own = [f"own-{text}" for text in texts(0)]
    assert store.get_many("variable", own) == dict(zip(own, texts(0), strict=True))
    own = [f"own-{text}" for text in texts(5)]
    assert store.get_many("config", own) == dict(zip(own, texts(5), strict=True))
    own = [f"own-{text}" for text in texts(2)]
    found = store.get_many("connection", own)
    hosts = {n: (c.host, c.password) for n, c in found.items() if isinstance(c, Connection)}
    assert hosts == {f"own-{text}": (text, text) for text in texts(2)}
    counters = store.get_many("variable", [f"counter-{me}" for me in range(PROCESSES)])
    assert set(counters.values()) == last(7)
    assert len(counters) == PROCESSES
    assert store.get_variable("shared") in last(1)
    shared = store.get_connection("shared")
    assert shared is not None
    assert shared.host == shared.password
    assert shared.host in last(3)
    both = store.get_many("variable", [f"both-{n}" for n in range(5)])
    assert (len(both), len({*both.values(), store.get_config("both")})) == (5, 1)  # whole transactions only
    assert both["both-0"] in last(4)
    counted = [len(store.list_names(kind)) for kind in ("variable", "connection", "config")]
    assert counted == [len(texts(0)) + PROCESSES + 6, len(texts(2)) + 1, len(texts(5)) + 1]


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-v", "--durations=0"]))
