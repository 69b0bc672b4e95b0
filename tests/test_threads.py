"""What threads, forks and event loops of the application must not break."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_FORKS = """
import os, signal, sys, threading
from framework import App
from framework.metastore.sqlite import SQLite

database = SQLite(sys.argv[1])
with database.write() as transaction:
    transaction.execute("CREATE TABLE t (a TEXT)")
stop = threading.Event()

def read():
    while not stop.is_set():
        database.read("SELECT * FROM t", {})
        SQLite(sys.argv[1]).read("SELECT * FROM t", {})  # opens and closes, which takes the locks of all connections

threads = [threading.Thread(target=read, daemon=True) for _ in range(6)]
for thread in threads:
    thread.start()
for number in range(150):
    child = os.fork()
    if not child:
        signal.alarm(100)  # ends a child that hangs
        SQLite(sys.argv[1]).read("SELECT * FROM t", {})
        database.read("SELECT * FROM t", {})
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        print("child", number, "ended with", status)
        os._exit(1)
stop.set()
for thread in threads:
    thread.join()
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_that_is_forked_while_others_read_does_not_hang(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", _FORKS, str(tmp_path / "a.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.stdout == "done\n", done.stdout + done.stderr


_GEVENT = """
import sys
if sys.argv[1] == "first":
    from gevent import monkey
    monkey.patch_all()
from framework import App, errors
count = 4
environ = {f"BILLING__S{number}__PASSWORD_CMD": f"echo value {number}" for number in range(count)}
environ |= {"BILLING__BAD__PASSWORD_CMD": "false", "PATH": "/usr/bin:/bin"}
app = App("billing", home=sys.argv[2], environ=environ)
if sys.argv[1] == "later":
    from gevent import monkey
    monkey.patch_all()
import gevent

jobs = [gevent.spawn(app.conf.get, f"s{number}", "password") for number in range(count)]
gevent.joinall(jobs, raise_error=True)
print([job.value for job in jobs])
again = App("billing", home=sys.argv[2], environ=environ)
print(sorted(again.prefetch()))
native = App("billing", home=sys.argv[2], environ=environ)
in_the_pool = gevent.get_hub().threadpool.spawn
def ask():
    try:
        return native.conf.get("s1", "password")
    except errors.PointerError as fault:
        return "under gevent" in str(fault)
print(in_the_pool(ask).get())
native.conf.get("s1", "password")
print(in_the_pool(ask).get())
"""


@pytest.mark.parametrize("when", ["first", "later"])
def test_commands_run_under_gevent(tmp_path: Path, when: str) -> None:
    pytest.importorskip("gevent")
    command = [sys.executable, "-c", _GEVENT, when, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    lines = done.stdout.splitlines()
    values = [f"value {number}" for number in range(4)]
    assert lines == [str(values), "[('bad', 'password')]", "True", "value 1"], done.stdout + done.stderr


_WATCHING = """
from gevent import monkey
monkey.patch_all()
import pathlib, sys
import gevent
from framework import App
path = pathlib.Path(sys.argv[1], "billing.cfg")
path.write_text("[server]\\nport = 1\\n")
app = App("billing", home=sys.argv[1], environ={})
app.watch(0.02)
gevent.sleep(0.1)
path.write_text("[server]\\nport = 22\\n")
while app.conf.get("server", "port") != "22":
    gevent.sleep(0.02)
print("seen")
"""


def test_files_are_watched_under_gevent(tmp_path: Path) -> None:
    pytest.importorskip("gevent")
    command = [sys.executable, "-c", _WATCHING, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.stdout == "seen\n", done.stdout + done.stderr


_SUBINTERPRETER = """
import sys
if sys.version_info >= (3, 13):
    import _interpreters as interpreters
else:
    import _xxsubinterpreters as interpreters
from framework import App, errors

read = '''
from framework import App, errors
app = App("billing", home={home!r}, config_files={home!r} + "/a.toml")
try:
    App("billing", home={home!r}, config_files={home!r} + "/bad.toml")
except errors.ConfigFileError as fault:
    print(app.conf.get("server", "port"), str(fault), flush=True)
'''.format(home=sys.argv[1])
for where in ("here", "inside", "here again"):
    if where != "inside":
        exec(read)
    elif hasattr(interpreters, "run_string"):
        interpreters.run_string(interpreters.create(), read)
    else:
        interpreters.exec(interpreters.create(), read)
"""


def test_toml_is_read_in_a_subinterpreter(tmp_path: Path) -> None:
    pytest.importorskip("tomllib")
    (tmp_path / "a.toml").write_text("[server]\nport = 8080\n")
    (tmp_path / "bad.toml").write_text("[server]\nport = 80 80\n")
    command = [sys.executable, "-c", _SUBINTERPRETER, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    lines = done.stdout.splitlines()
    assert len(lines) == 3 and all(line.startswith(f"8080 {tmp_path}/bad.toml:2: ") for line in lines), done.stderr


def test_toml_without_tomli_has_the_same_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from framework import App, errors

    pytest.importorskip("tomllib")
    monkeypatch.setitem(sys.modules, "tomli", None)
    (path := tmp_path / "a.toml").write_text("[server]\nport = 80 80\n")
    with pytest.raises(errors.ConfigFileError, match=r"a\.toml:2: this is not valid TOML"):
        App("billing", home=tmp_path, config_files=path)
