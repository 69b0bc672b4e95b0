"""The metastore on a cluster: what callers see of a failover, and what is left afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from clusters import Galera, Replicated, galera, kill, replicated  # noqa: F401 - fixtures
from conftest import World
from patience import GUARD, until
from servers import QUOTED_PASSWORD, MariaDB, Server

from framework import App, errors
from framework.connection import Connection
from framework.metastore import bulk, migrations
from framework.metastore import database as databases
from framework.metastore.crypto import Keys, generate
from framework.metastore.store import Store

KEY, OLD = generate(), generate()
ROWS = 1500
WAITING_IN_MYSQL = "SHOW STATUS LIKE 'innodb_row_lock_current_waits'"
WAITING_IN_POSTGRESQL = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
#: Far longer than any failover here: what is counted is errors, not seconds.
PATIENT = 100.0


def opened(url: str, key: str = KEY, failover: float = PATIENT) -> Store:
    store = Store(databases.open(url, failover=failover), Keys(key))
    migrations.migrate(store.database)
    return store


class Writers:
    """Four threads that write and read what they wrote, until they are stopped."""

    def __init__(self, store: Store) -> None:
        self._store, self._stopped = store, threading.Event()
        self.written: dict[str, str] = {}
        self.faults: list[BaseException | str] = []
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(4)]

    def _work(self, number: int) -> None:
        done = 0
        try:
            while not self._stopped.is_set():
                name, done = f"t{number}-{done}", done + 1
                self._store.set_variable(name, str(done))
                self.written[name] = str(done)
                if self._store.get_variable(name) != str(done):
                    self.faults.append(f"{name} is not what was written")
                if done % 3 == 0:
                    gone = f"gone{number}"
                    self._store.write_many([("variable", gone, "x", None), ("config", gone, "x", None)])
                    if self._store.delete_variable(gone) != 1:
                        self.faults.append(f"{gone} was not deleted")
        except BaseException as fault:
            self.faults.append(fault)

    def until_more(self, number: int = 40) -> None:
        """Wait until this many more writes were done, or one has failed."""
        before = len(self.written)
        until(lambda: self.faults or len(self.written) > before + number)

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        self.until_more()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()


def framework(folder: Path, url: str, *words: str, key: str = KEY, failover: float = PATIENT) -> subprocess.Popen[str]:
    """A command of an application whose metastore is there."""
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith(("BILLING_", "FRAMEWORK_"))},
        "PYTHONPATH": str(Path(__file__).parent.parent),
        "BILLING_HOME": str(folder),
        "BILLING__CORE__FERNET_KEY": key,
        "BILLING__DATABASE__SQL_ALCHEMY_CONN": url,
        "BILLING__DATABASE__FAILOVER_TIMEOUT_SECONDS": str(failover),
    }
    command = [sys.executable, "-m", "framework", "--name", "billing", *words]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, cwd=folder, **pipes)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=GUARD)
    return process.returncode, out, err


@contextmanager
def at_work(folder: Path, url: str, store: Store, server: Server, name: str) -> Iterator[None]:
    """An import and a rotation of keys, both in the middle of their work inside the block, and done after it.

    They wait for a client that has locked the last rows, and ends together with the server.
    """
    rows: list[Any] = [("variable", f"v{number:04}", f"value {number}", None) for number in range(ROWS)]
    Store(store.database, Keys(OLD)).write_many(rows)
    file = folder / "connections.json"
    file.write_text(json.dumps({f"c{number:04}": f"http://h{number}" for number in range(ROWS)}))
    key, waits = ("`key`", WAITING_IN_MYSQL) if isinstance(server, MariaDB) else ("key", WAITING_IN_POSTGRESQL)
    with closing(server.connect(name)) as theirs, theirs.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f"UPDATE variable SET description = 'x' WHERE {key} = 'v{ROWS - 1}'")
        cursor.execute(
            "INSERT INTO connection (conn_id, conn_type, is_encrypted, is_extra_encrypted) "
            f"VALUES ('c{ROWS - 1}', 'x', false, false)"
        )
        importing = framework(folder, url, "connections", "import", str(file))
        rotating = framework(folder, url, "fernet", "rotate", key=f"{KEY},{OLD}")
        both = importing, rotating
        until(lambda: int(server.execute(waits)[0][-1]) == 2 or any(process.poll() is not None for process in both))
        yield
    for process in both:
        status, _, err = ended(process)
        assert status == 0, err
    assert len(store.list_names("connection")) == ROWS
    found = {name: value for name, value, _ in bulk.stored(store, "variable")}  # with the new key alone
    assert found == {f"v{number:04}": f"value {number}" for number in range(ROWS)}


# Galera


def test_a_node_is_killed_under_four_writers(galera: Galera, tmp_path: Path) -> None:  # noqa: F811
    url = galera.new_url()
    store = opened(url)
    with Writers(store) as writers:
        kill(galera.nodes[0])  # the one that all of them use
        writers.until_more()
        assert ended(framework(tmp_path, url, "variables", "set", "by-command", "x"))[0] == 0
        assert ended(framework(tmp_path, url, "variables", "get", "by-command"))[:2] == (0, "x\n")
    assert writers.faults == []
    for order in ((1,), (2,)):
        node = opened(galera.of(url, *order))
        assert node.get_many("variable", writers.written) == writers.written


def test_a_node_is_killed_during_an_import_and_a_rotation(galera: Galera, tmp_path: Path) -> None:  # noqa: F811
    url = galera.new_url(1, 2, 0)
    store = opened(url)
    with at_work(tmp_path, url, store, galera.nodes[1], url.rpartition("/")[2]):
        assert store.list_names("connection") == []
        kill(galera.nodes[1])


def test_writers_on_all_nodes_see_what_the_others_wrote(galera: Galera) -> None:  # noqa: F811
    """A node may show a write late, and a conflict of two nodes is found at the commit."""
    url = galera.new_url(options="?load_balance_hosts=random")
    stores = [opened(galera.of(url, number)) for number in range(3)]
    for turn in range(20):
        stores[turn % 3].set_variable("k", str(turn))
        assert [store.get_variable("k") for store in stores] == [str(turn)] * 3
    faults: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(10):
                stores[number].write_many([("variable", f"v{row}", f"{number}-{turn}", None) for row in range(5)])
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    found = stores[0].get_many("variable", [f"v{row}" for row in range(5)])
    assert (len(found), len(set(map(str, found.values())))) == (5, 1)


def test_a_node_that_turns_read_only_is_left(galera: Galera) -> None:  # noqa: F811
    """Also by the connections that only read: after a switch of the primary, what it has is old."""
    galera.nodes[0].execute("CREATE USER IF NOT EXISTS plain IDENTIFIED BY 'canary-plain'")
    url = galera.new_url()
    name = url.rpartition("/")[2]
    galera.nodes[0].execute(f"GRANT ALL ON {name}.* TO plain")
    opened(url)
    store = Store(databases.open(url.replace(f"admin:{QUOTED_PASSWORD}", "plain:canary-plain")), Keys(KEY))
    store.set_variable("k", "v")

    def read_from() -> int:
        return int(store.database.read("SELECT @@port AS port", {})[0]["port"])

    assert read_from() == galera.nodes[0].port
    galera.nodes[0].execute("SET GLOBAL read_only = ON")
    try:
        with pytest.raises(errors.MetastoreUnavailable, match="none of the hosts in the URL accepts writes") as caught:
            store.set_variable("k", "w")  # with no time to try again
        store.set_variable("k", "w")
        assert read_from() == galera.nodes[1].port
        assert "canary" not in str(caught.value)
    finally:
        galera.nodes[0].execute("SET GLOBAL read_only = OFF")


def test_a_node_that_hangs_is_left(galera: Galera) -> None:  # noqa: F811
    """It accepts connections and never answers, and the others have put it out of the cluster."""
    url, node = galera.new_url(), galera.nodes[0]
    opened(url).set_variable("k", "v")
    assert node.process is not None
    node.process.send_signal(signal.SIGSTOP)
    try:
        until(lambda: galera.nodes[1].status("cluster_size") == "2")
        store = Store(databases.open(url, failover=10.0), Keys(KEY))  # which bounds the wait for each host
        store.database.outage.seconds = PATIENT  # on a busy machine the others may lose each other for a moment
        assert store.get_variable("k") == "v"
        store.set_variable("k", "w")
        assert store.get_variable("k") == "w"
    finally:
        node.process.send_signal(signal.SIGCONT)


def test_without_a_quorum_nothing_is_absent(galera: Galera, tmp_path: Path) -> None:  # noqa: F811
    url = galera.new_url(2, 0, 1)
    store = opened(url, failover=0.0)
    store.set_variable("k", "v")
    kill(galera.nodes[0])
    kill(galera.nodes[1])
    until(lambda: not galera.nodes[2].is_ready())
    for name in ("k", "none"):
        with pytest.raises(errors.BackendUnavailable, match="does not answer") as caught:
            store.get_variable(name)
        assert QUOTED_PASSWORD not in str(caught.value)
    with pytest.raises(errors.MetastoreUnavailable, match="does not answer"):
        store.set_variable("k", "w")
    status, out, err = ended(framework(tmp_path, url, "variables", "get", "none", "--default", "d", failover=0.0))
    assert (status, out) == (3, ""), err
    assert "quorum" in err
    waiting: list[str | None] = []
    patient = Store(databases.open(url, failover=PATIENT), Keys(KEY))
    thread = threading.Thread(target=lambda: waiting.append(patient.get_variable("k")))
    thread.start()
    until(patient.database.outage.is_seen)
    galera.go_on_with(2)
    thread.join()
    assert waiting == ["v"]


# PostgreSQL


def promoted_when_it_is_missed(cluster: Replicated, database: Any) -> None:
    """Kill the primary server, and promote the standby after a caller has noticed."""
    kill(cluster.primary)
    until(database.outage.is_seen)
    cluster.standby.promote()


def test_the_standby_is_promoted_under_four_writers(replicated: Replicated, tmp_path: Path) -> None:  # noqa: F811
    url = replicated.url()
    store = opened(url)
    replicated.wait_for_the_standby()
    with Writers(store) as writers:
        promoted_when_it_is_missed(replicated, store.database)
        writers.until_more()
    assert writers.faults == []
    assert store.get_many("variable", writers.written) == writers.written
    assert ended(framework(tmp_path, url, "variables", "get", "t0-0"))[:2] == (0, "1\n")


def test_the_standby_is_promoted_during_an_import_and_a_rotation(
    replicated: Replicated,  # noqa: F811
    tmp_path: Path,
) -> None:
    url = replicated.url()
    store = opened(url)
    replicated.wait_for_the_standby()
    with at_work(tmp_path, url, store, replicated.primary, "books"):
        assert store.list_names("connection") == []
        kill(replicated.primary)
        replicated.standby.promote()


def test_a_primary_that_turns_read_only(replicated: Replicated) -> None:  # noqa: F811
    """As when it is demoted behind our back: the sessions stay, and refuse."""
    store = opened(replicated.url(), failover=0.0)
    store.set_variable("k", "v")
    primary = replicated.primary
    primary.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    primary.execute("SELECT pg_reload_conf()")
    until(lambda: primary.execute("SHOW default_transaction_read_only") == [("on",)])
    with pytest.raises(errors.MetastoreUnavailable, match="none of the hosts in the URL accepts writes"):
        store.set_variable("k", "w")
    patient = Store(databases.open(replicated.url(), failover=PATIENT), Keys(KEY))
    thread = threading.Thread(target=patient.set_variable, args=("k", "w"))
    thread.start()
    until(patient.database.outage.is_seen)
    replicated.standby.promote()
    thread.join()
    assert patient.get_variable("k") == "w"
    assert store.get_variable("k") == "w"  # not from the pool's connection to the old one


def test_a_login_that_one_of_the_hosts_refuses(replicated: Replicated) -> None:  # noqa: F811
    """It is no failover: it is reported at once, with the host."""
    url = f"postgresql://joe:canary-x@127.0.0.1:1,127.0.0.1:{replicated.primary.port}/books"
    store = Store(databases.open(url, failover=PATIENT), Keys(KEY))
    for act in (store.get_variable, store.delete_variable, lambda name: store.set_variable(name, "v")):
        with pytest.raises(errors.FrameworkError, match="the server refuses the user or the password") as caught:
            act("k")
        assert f"/books: 127.0.0.1:{replicated.primary.port}: " in str(caught.value)
        assert "canary" not in str(caught.value)
    assert not store.database.outage.is_seen()


def test_an_outcome_that_is_not_known(replicated: Replicated) -> None:  # noqa: F811
    """The server ends between a commit and its answer: the writes are there, and no caller learned of it."""
    url, primary = replicated.url(), replicated.primary
    store = opened(url)
    store.write_many([("variable", name, "old", None) for name in ("gone", "k", "other")])
    replicated.wait_for_the_standby()
    kill(replicated.standby)
    done: dict[str, object] = {}

    def act(name: str, write: Callable[[], object]) -> threading.Thread:
        def run() -> None:
            try:
                done[name] = write()
            except errors.MetastoreError as fault:
                done[name] = fault

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    threads = [
        act("add", lambda: store.set_connection(Connection(conn_id="c", conn_type="x"), overwrite=False)),
        act("change", lambda: store.set_variable("k", "new")),
        act("update", lambda: store.update_variable("other", "new")),
        act("delete", lambda: store.delete_variable("gone")),
    ]
    until(lambda: primary.execute("SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == [(4,)])
    primary.execute("ALTER SYSTEM RESET synchronous_standby_names")  # from the next start on
    kill(primary)
    until(lambda: "add" in done)
    primary.start()
    for thread in threads:
        thread.join()
    fault = done.pop("add")
    assert isinstance(fault, errors.MetastoreUnavailable)
    assert "the connection was lost while the write was committed. Check whether it was written" in str(fault)
    assert store.get_connection("c") is not None
    assert done == {"change": None, "update": 1, "delete": 1}
    assert store.get_many("variable", ["k", "gone", "other"]) == {"k": "new", "other": "new"}


# A replica that is read


@pytest.fixture
def with_replica(replicated: Replicated, world: World) -> App:  # noqa: F811
    """An application that reads from the standby, which has stopped following the primary; `k` is there before."""
    store = opened(replicated.url(options=""))
    store.write_many([(kind, name, "old", None) for kind in ("variable", "config") for name in ("k", "own")])
    replicated.until_it_has_followed()
    replicated.standby.execute("SELECT pg_wal_replay_pause()")
    until(lambda: replicated.standby.execute("SELECT pg_get_wal_replay_pause_state()") == [("paused",)])
    world.set(
        BILLING__CORE__FERNET_KEY=KEY,
        BILLING__DATABASE__SQL_ALCHEMY_CONN=replicated.primary.url("books"),
        BILLING__DATABASE__SQL_ALCHEMY_CONN_READ=replicated.standby.url("books"),
        BILLING__DATABASE__FAILOVER_TIMEOUT_SECONDS="2",
    )
    world.write("billing.cfg", "[a]\npassword_secret = new\n[b]\npassword_secret = k\n")
    return App("billing", home=str(world.home))


def test_a_replica_is_read_and_its_lag_does_not_mean_absence(with_replica: App, replicated: Replicated) -> None:  # noqa: F811
    other = Store(databases.open(replicated.primary.url("books")), Keys(KEY))
    other.write_many([(kind, name, "now", None) for kind in ("variable", "config") for name in ("k", "new")])
    assert with_replica.get_variable("k") == "old"  # so it is the replica that answers
    assert with_replica.get_variable("k", max_age=0) == "now"
    assert with_replica.get_variable("new") == "now"
    assert with_replica.prefetch() == {}
    assert [with_replica.conf.get(section, "password") for section in "ab"] == ["now", "old"]
    with_replica.refresh()
    assert [with_replica.conf.get(section, "password") for section in "ab"] == ["now", "now"]
    with pytest.raises(errors.VariableNotFound):
        with_replica.get_variable("nowhere")
    assert with_replica.list_names("variable") == ["k", "new", "own"]
    with_replica.store.set_variable("own", "mine")  # what we wrote is what we read
    assert with_replica.get_variable("own") == "mine"
    assert with_replica.store.delete_variable("k") == 1
    with pytest.raises(errors.VariableNotFound):
        with_replica.get_variable("k")


def test_one_of_the_two_databases_is_down(with_replica: App, replicated: Replicated, world: World) -> None:  # noqa: F811
    assert with_replica.get_variable("k") == "old"
    status, out, _ = world.run("--name", "billing", "db", "check", "--output", "json")
    assert (status, json.loads(out)[3]["answer"][:15]) == (0, "yes, PostgreSQL")
    kill(replicated.primary)
    assert with_replica.get_variable("k") == "old"
    with pytest.raises(errors.BackendUnavailable, match="does not answer"):
        with_replica.get_variable("nowhere")
    replicated.primary.start()
    kill(replicated.standby)
    assert with_replica.get_variable("own") == "old"
    with pytest.raises(errors.VariableNotFound):
        with_replica.get_variable("nowhere")
    status, out, err = world.run("--name", "billing", "db", "check", "--output", "json")
    assert (status, json.loads(out)[3]) == (1, {"what": "replica reachable", "answer": "no"})
    assert "does not answer" in err
    assert "canary" not in out + err
