"""`exec`: becomes real programs, with the configuration in their environment, and reports why it cannot."""

from __future__ import annotations

import http.client
import os
import pty
import shutil
import signal
import socket as sockets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import World
from hostile_values import VALUES
from patience import GUARD, until

ROOT = Path(__file__).resolve().parents[1]
FRAMEWORK = [sys.executable, "-m", "framework"]


class Programs:
    """The application `billing`, and `exec` as a separate process."""

    def __init__(self, world: World) -> None:
        self.home = world.home
        self.world = world
        self.environ = {n: t for n, t in os.environ.items() if not n.startswith(("BILLING_", "FRAMEWORK_"))}
        self.environ["PYTHONPATH"] = str(ROOT)
        self._started: list[subprocess.Popen[bytes]] = []

    def end(self) -> None:
        """End what a test that has failed has left running."""
        for process in self._started:
            if process.poll() is None:
                process.terminate()

    def start(self, *words: str, **how: object) -> subprocess.Popen[bytes]:
        how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how}
        environ = {**self.environ, **how.pop("environ", {})}  # type: ignore[dict-item]
        self._started.append(subprocess.Popen([*FRAMEWORK, "exec", *words], cwd=self.home, env=environ, **how))  # type: ignore[call-overload]
        return self._started[-1]

    def run(self, *words: str, **environ: str) -> tuple[int, str, str]:
        process = self.start(*words, environ=environ)
        out, err = process.communicate(timeout=GUARD)
        return process.returncode, os.fsdecode(out), self.world.shown(os.fsdecode(err))


@pytest.fixture
def billing(world: World) -> Iterator[Programs]:
    world.project(config_files=["a.toml"], sensitive=["db.password"])
    world.write("a.toml", '[db]\nhost = "h"\nport = 5432\npassword_cmd = "echo made-up-password"\n')
    made = Programs(world)
    yield made
    made.end()


def script(billing: Programs, name: str, text: str, mode: int = 0o700) -> str:
    return str(billing.world.write(name, text, mode))


def test_the_program_has_the_values_the_pid_and_the_status(billing: Programs) -> None:
    process = billing.start("--", "sh", "-c", 'echo "$$ $DB_HOST $DB_PORT $DB_PASSWORD"; exit 7')
    out, err = process.communicate(timeout=GUARD)
    assert (process.returncode, err) == (7, b"")
    assert out.decode() == f"{process.pid} h 5432 made-up-password\n"


def test_every_hostile_value_arrives(billing: Programs) -> None:
    environ = {
        f"BILLING__VALUES__V{n}": value for n, value in enumerate(VALUES) if "$" not in value and "~" not in value
    }
    status, out, err = billing.run("--only", "values.*", "--", "env", "-0", **environ)
    assert (status, err) == (0, "")
    found = dict(line.partition("=")[::2] for line in out.split("\0") if line.startswith("VALUES_"))
    assert found == {name.removeprefix("BILLING__").replace("__", "_"): text for name, text in environ.items()}


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--", "no-such-program"], 127, "no-such-program: there is no such program in the PATH"),
        (["--", "./no-such-program"], 127, "./no-such-program: there is no such program."),
        (["--", "./plain"], 126, "./plain: the file may not be executed"),
        (["--", "./a-folder"], 126, "./a-folder: this is a folder"),
        (["--", "./no-shebang"], 126, "a script begins with #!"),
        (["--", "./no-interpreter"], 127, "its interpreter /no/such/sh is missing"),
        (["--", "./from-windows"], 127, "carriage return"),
        (["--", ""], 127, "there is no such program"),
        (["true"], 125, "the program must follow --"),
        (["--only", "db.port", "true"], 125, "the program must follow --"),
        (["--"], 125, "no program follows --"),
        ([], 125, "the program must follow --"),
        (["--nonsense", "--", "true"], 125, "unrecognized arguments: --nonsense"),
        (["--only", "db.hsot", "--map", "conn:x=Y", "--", "true"], 125, "did you mean [db] host"),
        (["--only", "db.port", "--map", "db.host=A=B", "--", "true"], 125, "[db] host=a"),
    ],
)
def test_why_nothing_is_started(billing: Programs, words: list[str], status: int, message: str) -> None:
    script(billing, "plain", "x", 0o600)
    script(billing, "no-shebang", "echo hi\n")
    script(billing, "no-interpreter", "#!/no/such/sh\n")
    script(billing, "from-windows", "#!/bin/sh\r\necho hi\r\n")
    (billing.home / "a-folder").mkdir()
    found, out, err = billing.run(*words)
    assert (found, out) == (status, ""), err
    assert message.lower() in err.lower() and "Traceback" not in err


def test_a_fault_before_the_command_has_the_same_status(billing: Programs) -> None:
    done = subprocess.run([*FRAMEWORK, "--project", "/no/such", "exec", "--", "true"], env=billing.environ)
    assert done.returncode == 125


def test_nothing_starts_when_one_option_fails(billing: Programs) -> None:
    billing.world.write("a.toml", '[db]\npassword_cmd = "false"\n[mail]\npassword_cmd = "no-such-program"\n')
    status, out, err = billing.run("--", "touch", "started")
    assert (status, out) == (125, "") and not (billing.home / "started").exists()
    assert "[db] password" in err and "[mail] password" in err


def test_inherited_variables(billing: Programs) -> None:
    words = ("--only", "db.port", "--", "sh", "-c", "echo $DB_PORT")
    _, out, err = billing.run(*words, DB_PORT="1")
    assert out == "5432\n" and "the variable DB_PORT of the environment is replaced by [db] port" in err
    assert billing.run("--keep", *words, DB_PORT="1") == (0, "1\n", "")
    assert billing.run(*words, DB_PORT="5432") == (0, "5432\n", "")


def test_pristine(billing: Programs) -> None:
    status, out, err = billing.run(
        "--pristine", "--only", "db.port", "--", "env", LC_ALL="C", SECRET_OF_MINE="x", TZ="UTC"
    )
    names = {line.partition("=")[0] for line in out.splitlines()}
    assert names <= {
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "TERM",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "TZ",
        "TMPDIR",
        "DB_PORT",
    }
    assert {"PATH", "HOME", "LC_ALL", "TZ", "DB_PORT"} <= names and (status, err) == (0, "")


def test_the_path_of_the_child_is_searched(billing: Programs) -> None:
    billing.world.write("bin/mine", "#!/bin/sh\necho mine\n", 0o700)
    billing.world.write("a.toml", '[tools]\npath = "bin"\n')
    assert billing.run("--map", "tools.path=PATH", "--", "mine")[1] == "mine\n"


def test_a_value_that_no_environment_holds(billing: Programs) -> None:
    billing.world.write("a.toml", f'[db]\nbig = "{"x" * (131_071 - 6)}"\nnul = "a\\u0000b"\n')
    status, out, err = billing.run("--", "true")
    assert (status, out) == (125, "") and "[db] big is too long" in err and "[db] nul holds a NUL" in err
    billing.world.write("a.toml", f'[db]\nbig = "{"x" * (131_071 - 7)}"\n')
    assert billing.run("--", "true") == (0, "", "")


def test_all_together_may_be_too_long(billing: Programs) -> None:
    lines = "".join(f'k{n} = "{"x" * 100_000}"\n' for n in range(90))
    billing.world.write("a.toml", f"[db]\n{lines}")
    status, out, err = billing.run("--", "true")
    assert (status, out) == (125, "") and "together are too long" in err


# Real programs


def test_a_pipe_whose_reader_goes(billing: Programs) -> None:
    words = " ".join([*FRAMEWORK, "exec", "--", "yes"])
    done = subprocess.run(
        ["bash", "-c", f"{words} | head -n 1; echo ${{PIPESTATUS[0]}}"],
        cwd=billing.home, env=billing.environ, capture_output=True, timeout=GUARD,
    )  # fmt: skip
    assert done.stdout == b"y\n141\n" and done.stderr == b""


def test_signals_that_python_ignores_are_not_ignored_by_the_program(billing: Programs) -> None:
    status, out, _ = billing.run("--", "grep", "SigIgn", "/proc/self/status")
    assert status == 0 and int(out.split()[1], 16) == 0


def test_under_timeout(billing: Programs) -> None:
    words = ["timeout", "--signal", "TERM", "3", *FRAMEWORK, "exec", "--", "sleep", "600"]
    done = subprocess.run(words, cwd=billing.home, env=billing.environ, timeout=GUARD)
    assert done.returncode == 124


def test_as_pid_1(billing: Programs) -> None:
    words = ["unshare", "--pid", "--fork", "--kill-child"]
    if shutil.which("unshare") is None or subprocess.run([*words, "true"], capture_output=True).returncode:
        pytest.skip("no new PID namespace can be made here")
    done = subprocess.run(
        [*words, *FRAMEWORK, "exec", "--", "sh", "-c", "echo $$ $DB_PORT; exit 3"],
        cwd=billing.home, env=billing.environ, capture_output=True, timeout=GUARD,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (3, b"1 5432\n")


def test_ctrl_c_at_a_terminal(billing: Programs) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(billing.home)
        trap = "trap 'echo interrupted; exit 42' INT; echo ready; while :; do sleep 0.05; done"
        os.execve(sys.executable, [*FRAMEWORK, "exec", "--", "sh", "-c", trap], billing.environ)
    seen = b""
    while b"ready" not in seen:
        seen += os.read(terminal, 1024)
    os.write(terminal, b"\x03")
    while b"interrupted" not in seen:
        seen += os.read(terminal, 1024)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 42
    os.close(terminal)


def test_a_node_program(billing: Programs) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not installed here")
    text = (
        "process.on('SIGTERM', () => process.exit(9)); console.log(process.env.DB_PASSWORD); setInterval(() => 0, 1e6)"
    )
    process = billing.start("--", "node", "-e", text)
    assert process.stdout is not None and process.stdout.readline() == b"made-up-password\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(GUARD) == 9
    process.communicate()


def test_gunicorn(billing: Programs) -> None:
    pytest.importorskip("gunicorn")
    billing.world.write(
        "web.py",
        "import os\n"
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        "    return [os.environ['DB_PASSWORD'].encode()]\n",
    )
    socket = billing.home / "web.sock"
    words = ("--", sys.executable, "-m", "gunicorn", "--bind", f"unix:{socket}", "--workers", "2", "web:app")
    process = billing.start(*words)
    try:
        connection = http.client.HTTPConnection("localhost")
        connection.sock = sockets.socket(sockets.AF_UNIX)

        def connects() -> bool:
            return process.poll() is not None or connection.sock.connect_ex(str(socket)) == 0

        until(connects)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"made-up-password"
        connection.close()
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=GUARD)
    assert process.returncode == 0, err


def test_a_hundred_secrets_cost_one_prefetch(billing: Programs) -> None:
    billing.world.write(
        "corp.py",
        "from framework.backends.base import StoreBackend\n"
        "class Store(StoreBackend):\n"
        "    batch_size = 100\n"
        "    def __init__(self):\n"
        "        super().__init__(config_prefix='', variables_prefix=None, connections_prefix=None)\n"
        "    def read(self, name, version=None):\n"
        "        open('calls', 'a').write('one\\n')\n"
        "    def read_many(self, names):\n"
        "        open('calls', 'a').write(f'{len(names)}\\n')\n"
        "        return {name: f'value-of-{name}' for name in names}\n",
    )
    lines = "".join(f'k{n}_password_secret = "s{n}"\n' for n in range(100))
    billing.world.write("a.toml", f'[secrets]\nbackend = "corp.Store"\n[db]\n{lines}')
    status, out, err = billing.run("--", "printenv", "DB_K99_PASSWORD")
    assert (status, out, err) == (0, "value-of-s99\n", "")
    assert (billing.home / "calls").read_text() == "100\n"
