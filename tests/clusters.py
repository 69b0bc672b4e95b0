"""Real clusters for the tests: three nodes of Galera, and a PostgreSQL with a standby that follows it.

They start with the first test that asks, and end with the test run. Where one is not available, its tests are skipped
with the reason.
"""

from __future__ import annotations

import functools
import glob
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from patience import is_alive, until
from servers import ADMIN, PASSWORD, QUOTED_PASSWORD, MariaDB, Missing, PostgreSQL, Server, free_port

_numbers = count(1)


def kill(server: Server) -> None:
    """End a server at once and with all its processes, as a loss of power does."""
    assert server.process is not None
    pid = server.process.pid
    server.process.send_signal(signal.SIGSTOP)  # so that it starts no more of them
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    children = _children(pid)
    for child in children:  # PostgreSQL's outlive their parent, and still confirm a write
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    server.process.kill()
    server.process.wait()
    server.process = None
    until(lambda: not any(map(is_alive, children)))  # it does not start again while one of them holds its memory


def _children(parent: int) -> list[int]:
    """The processes that this one has started; none where there is no /proc."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            if path.read_text().rpartition(")")[2].split()[1] == str(parent):
                found.append(int(path.parent.name))
    return found


class GaleraNode(MariaDB):
    """One node. The first one of a cluster is started alone, and the others copy from it.

    Args:
        ports: of the group's communication, one for each node.
        number: which of the nodes it is.
    """

    def __init__(self, ports: list[int], number: int) -> None:
        self.ports, self.number, self.is_first = ports, number, number == 0
        self.receiving = free_port(), free_port()
        super().__init__()

    def prepare(self) -> None:
        self.library = next(iter(glob.glob("/usr/lib*/galera*/libgalera_smm.so")), "")
        if not self.library or shutil.which("rsync") is None:
            raise Missing("no Galera: apt-get install galera-4 rsync")
        super().prepare()

    def run(self, *command: object) -> None:
        if self.is_first:  # the others copy its folder
            super().run(*command)

    def command(self) -> list[str]:
        me, own = f"127.0.0.1:{self.ports[self.number]}", self.ports[self.number]
        group = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        # Long enough that nodes of a busy machine do not take each other for dead: two that do, while a third has died,
        # never agree again.
        provider = (
            f"base_port={own};gmcast.listen_addr=tcp://{me};ist.recv_addr=127.0.0.1:{self.receiving[0]};"
            "evs.keepalive_period=PT0.5S;evs.suspect_timeout=PT6S;evs.inactive_timeout=PT20S;evs.inactive_check_period=PT0.5S;"
            "evs.install_timeout=PT10S;gmcast.peer_timeout=PT10S;gcache.size=16M"
        )
        return [
            *super().command(), "--binlog_format=ROW", "--default_storage_engine=InnoDB",
            "--innodb_autoinc_lock_mode=2", "--innodb_log_file_size=8M", "--wsrep_on=ON",
            f"--wsrep_provider={self.library}", f"--wsrep_cluster_name=c{self.ports[0]}",
            f"--wsrep_cluster_address=gcomm://{group}", f"--wsrep_node_address={me}",
            f"--wsrep_provider_options={provider}", "--wsrep_sst_method=rsync",
            f"--wsrep_sst_receive_address=127.0.0.1:{self.receiving[1]}",
            *(["--wsrep-new-cluster"] if self.is_first else []),
        ]  # fmt: skip

    def make_admin(self) -> None:
        if self.is_first:
            super().make_admin()
            self.is_first = False  # when it starts again, it joins the others
        until(self.is_ready)

    def status(self, name: str) -> str:
        return str(dict(self.execute("SHOW STATUS LIKE 'wsrep_%'")).get(f"wsrep_{name}"))

    def is_ready(self) -> bool:
        return self.status("ready") == "ON"


class Galera:
    """Three nodes on this machine."""

    scheme = "mysql+pymysql"

    def __init__(self) -> None:
        ports = [free_port() for _ in range(3)]
        self.nodes = [GaleraNode(ports, number) for number in range(3)]
        until(lambda: all(node.status("cluster_size") == "3" for node in self.nodes))

    def new_url(self, *order: int, options: str = "") -> str:
        """The URL of a database that is empty, with the nodes in this order."""
        name = f"cluster{next(_numbers)}"
        self.nodes[0].execute(f"CREATE DATABASE {name}")
        places = ",".join(f"127.0.0.1:{self.nodes[number].port}" for number in order or (0, 1, 2))
        return f"{self.scheme}://{ADMIN}:{QUOTED_PASSWORD}@{places}/{name}{options}"

    def of(self, url: str, *numbers: int) -> str:
        """The same database, with these nodes alone."""
        before, _, after = url.rpartition("@")
        places = ",".join(f"127.0.0.1:{self.nodes[number].port}" for number in numbers)
        return f"{before}@{places}/{after.partition('/')[2]}"

    def whole_again(self) -> None:
        """Start the nodes that were killed, and wait until all three are one cluster."""
        running = [node for node in self.nodes if node.process is not None]
        until(lambda: all(node.status("cluster_size") == str(len(running)) for node in running))
        for node in self.nodes:
            if node.process is None:
                node.start()
        until(lambda: all(node.is_ready() and node.status("cluster_size") == "3" for node in self.nodes))

    def go_on_with(self, number: int) -> None:
        """Let one node be the whole cluster, as an operator does when the others are lost."""
        self.nodes[number].execute("SET GLOBAL wsrep_provider_options = 'pc.bootstrap=1'")


class Standby(PostgreSQL):
    """A copy that follows a primary server, until it is promoted."""

    def __init__(self, primary: PostgreSQL) -> None:
        self.primary = primary
        super().__init__()

    def prepare(self) -> None:
        self.bin = self._programs()
        place = f"host=127.0.0.1 port={self.primary.port} user={ADMIN} password='{PASSWORD}'"
        self.run(self.bin / "pg_basebackup", "-D", self.data, "-R", "-c", "fast", "--no-sync", "-d", place)

    def promote(self) -> None:
        self.execute("SELECT pg_promote()")


class Replicated:
    """A primary server of PostgreSQL, and its standby."""

    def __init__(self) -> None:
        self.primary = PostgreSQL()
        self.primary.execute("CREATE DATABASE books")
        self.standby = Standby(self.primary)
        until(lambda: self.primary.execute("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'"))

    def url(self, driver: str = "psycopg", options: str = "&target_session_attrs=read-write") -> str:
        places = "&".join(f"host=127.0.0.1:{server.port}" for server in (self.primary, self.standby))
        return f"postgresql+{driver}://{ADMIN}:{QUOTED_PASSWORD}@/books?{places}{options}"

    def wait_for_the_standby(self) -> None:
        """From now on a commit is answered when the standby has it as well."""
        self.primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.primary.execute("SELECT pg_reload_conf()")
        until(lambda: self.primary.execute("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"))

    def until_it_has_followed(self) -> None:
        """Wait until the standby shows all that was written."""
        (place,) = self.primary.execute("SELECT pg_current_wal_lsn()")[0]
        until(lambda: self.standby.execute(f"SELECT pg_last_wal_replay_lsn() >= '{place}'") == [(True,)])

    def close(self) -> None:
        for server in (self.standby, self.primary):
            server._remove()


@functools.cache
def _galera() -> Galera | str:
    try:
        return Galera()
    except (Missing, ImportError) as reason:
        return str(reason)


@pytest.fixture
def galera() -> Galera:
    """The cluster of the test run; whole at the start of each test."""
    found = _galera()
    if isinstance(found, str):
        pytest.skip(found)
    found.whole_again()
    return found


@pytest.fixture
def replicated() -> Iterator[Replicated]:
    try:
        made = Replicated()
    except (Missing, ImportError) as reason:
        pytest.skip(str(reason))
    yield made
    made.close()
