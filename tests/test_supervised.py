"""`exec --mask`, `--watch` and `--files`: a program as a child, and nobody notices. `redact`: the same filter alone."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import World
from patience import GUARD, is_alive, until
from test_exec import FRAMEWORK, Programs

SHM = Path("/dev/shm")

CONFIG = '[db]\nhost = "h"\npassword_file = "password"\n[other]\nport = 1\n'


@pytest.fixture
def billing(world: World) -> Iterator[Programs]:
    world.project(config_files=["a.toml"], sensitive=["db.password"])
    world.write("a.toml", CONFIG)
    world.write("password", "made-up-password\n")
    made = Programs(world)
    yield made
    made.end()


@pytest.fixture
def memory() -> Iterator[str]:
    """A folder in memory, in which nothing is left at the end."""
    if not SHM.is_dir():
        pytest.skip("there is no /dev/shm here")
    folder = tempfile.mkdtemp(dir=SHM)
    yield folder
    os.rmdir(folder)


def line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode()


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    _, err = process.communicate(timeout=GUARD)
    return process.returncode, err.decode()


# --mask


def test_output_is_redacted_wherever_it_is_cut(billing: Programs) -> None:
    billing.world.write(
        "print.py",
        "import os, time\n"
        "for letter in os.environ['DB_PASSWORD'] + '\\n':\n"
        "    os.write(1, letter.encode()); time.sleep(0.001)\n"
        "os.write(2, b'err made-up-password\\n')\n",
    )
    status, out, err = billing.run("--mask", "--", sys.executable, "print.py")
    assert (status, out, err) == (0, "***\n", "err ***\n")


def test_what_has_the_name_of_a_secret_is_masked_without_a_schema(billing: Programs) -> None:
    billing.world.project(config_files=["a.toml"])
    billing.world.write(
        "a.toml",
        '[db]\npassword = "made-up-1"\nurl = "postgres://u:made-up-2@h/x"\n'
        'extra = {api_key = "made-up-3", n = 12345}\n',
    )
    status, out, err = billing.run("--mask", "--", "sh", "-c", "echo made-up-1 made-up-2 made-up-3 12345")
    assert (status, out, err) == (0, "*** *** *** 12345\n", "")


def test_what_is_not_a_secret_comes_at_once(billing: Programs) -> None:
    process = billing.start("--mask", "--", "sh", "-c", "echo ready; read x; echo got $x", stdin=subprocess.PIPE)
    assert line(process) == "ready\n"
    assert process.stdin is not None
    process.stdin.write(b"made-up-password\n")
    process.stdin.flush()
    assert line(process) == "got ***\n"
    assert ended(process) == (0, "")


def test_one_file_for_both_streams_keeps_the_order(billing: Programs) -> None:
    words = ("--mask", "--", "sh", "-c", "for n in 1 2 3 4 5; do echo out $n; echo err $n >&2; done")
    process = billing.start(*words, stderr=subprocess.STDOUT)
    out = process.communicate(timeout=GUARD)[0].decode()
    assert out == "".join(f"out {n}\nerr {n}\n" for n in range(1, 6))


def test_a_reader_that_goes(billing: Programs) -> None:
    words = " ".join([*FRAMEWORK, "exec", "--mask", "--", "yes"])
    done = subprocess.run(
        ["bash", "-c", f"{words} | head -n 1; echo ${{PIPESTATUS[0]}}"],
        cwd=billing.home, env=billing.environ, capture_output=True, timeout=GUARD,
    )  # fmt: skip
    assert done.stdout == b"y\n141\n"


def test_who_still_has_the_pipe_is_not_waited_for(billing: Programs) -> None:
    process = billing.start("--mask", "--", "sh", "-c", "sleep 300 & echo $!; exit 3", stderr=subprocess.DEVNULL)
    pid = int(line(process))
    assert process.wait(GUARD) == 3
    os.kill(pid, signal.SIGKILL)
    process.communicate()


def test_large_outputs_pass_whole(billing: Programs) -> None:
    status, out, _ = billing.run("--mask", "--", "sh", "-c", "yes 'line of text' | head -n 20000; echo $DB_PASSWORD")
    assert status == 0 and out == "line of text\n" * 20_000 + "***\n"


# Signals and status


def test_the_status_is_that_of_the_program(billing: Programs) -> None:
    assert billing.run("--mask", "--", "sh", "-c", "exit 42")[0] == 42
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGINT):
        assert billing.run("--mask", "--", "sh", "-c", f"kill -{int(number)} $$")[0] == -number
    assert billing.run("--mask", "--", "no-such-program")[0] == 127
    assert billing.run("--mask", "--", "./a.toml")[0] == 126


@pytest.mark.parametrize("name", ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "WINCH", "ALRM"])
def test_a_signal_is_passed_on(billing: Programs, name: str) -> None:
    trap = f"trap 'echo got {name}; exit 7' {name}; echo ready; while :; do sleep 0.02; done"
    process = billing.start("--mask", "--", "bash", "-c", trap)
    assert line(process) == "ready\n"
    process.send_signal(getattr(signal, f"SIG{name}"))
    assert line(process) == f"got {name}\n"
    assert ended(process) == (7, "")


def test_the_program_has_no_signal_blocked_or_ignored(billing: Programs) -> None:
    _, out, _ = billing.run("--mask", "--", "grep", "-E", "Sig(Blk|Ign)", "/proc/self/status")
    kept_by_glibc = 3 << 31  # signals 32 and 33, which posix_spawn of glibc leaves ignored
    assert [int(row.split()[1], 16) & ~kept_by_glibc for row in out.splitlines()] == [0, 0]


def test_without_a_terminal_the_program_has_a_group_of_its_own(billing: Programs) -> None:
    process = billing.start("--mask", "--", "sh", "-c", "ps -o pgid= -p $$; echo $$", start_new_session=True)
    group, pid = line(process).strip(), line(process).strip()
    assert group == pid and ended(process)[0] == 0


def test_what_the_program_started_ends_with_it(billing: Programs) -> None:
    """`timeout` signals its whole process group, and the program is in another."""
    words = ("--mask", "--", "sh", "-c", "sleep 600 & echo $!; wait")
    process = billing.start(*words, start_new_session=True)
    pid = int(line(process))
    os.killpg(process.pid, signal.SIGTERM)
    assert ended(process)[0] == -signal.SIGTERM
    until(lambda: not is_alive(pid))


def test_ctrl_c_comes_once(billing: Programs) -> None:
    """The terminal sends it to the program itself; it is not passed on as well."""
    script = (
        "import signal, sys, time\n"
        "count = [0]\n"
        "def got(*_): count[0] += 1\n"
        "signal.signal(signal.SIGINT, got)\n"
        "print('ready', file=sys.stderr, flush=True)\n"
        "while not count[0]: time.sleep(0.01)\n"
        "time.sleep(0.5)\n"
        "print('got', count[0], file=sys.stderr, flush=True)\n"
        "sys.exit(9)\n"
    )
    billing.world.write("count.py", script)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(billing.home)
        os.dup2(os.open("out", os.O_WRONLY | os.O_CREAT), 1)  # so that there is something to mask
        os.execve(sys.executable, [*FRAMEWORK, "exec", "--mask", "--", sys.executable, "count.py"], billing.environ)
    seen = b""
    while b"ready" not in seen:
        seen += os.read(terminal, 1024)
    os.write(terminal, b"\x03")
    while b"got 1" not in seen and b"got 2" not in seen:
        seen += os.read(terminal, 1024)
    assert b"got 1" in seen
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    os.close(terminal)


def test_at_a_terminal_nothing_is_masked_and_the_program_takes_our_place(billing: Programs) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(billing.home)
        os.execve(sys.executable, [*FRAMEWORK, "exec", "--mask", "--", "sh", "-c", "echo pid $$"], billing.environ)
    seen = b""
    while f"pid {pid}".encode() not in seen:
        seen += os.read(terminal, 1024)
    assert b"nothing is masked" in seen
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(terminal)


def test_as_pid_1_orphans_are_reaped(billing: Programs) -> None:
    words = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if shutil.which("unshare") is None or subprocess.run([*words, "true"], capture_output=True).returncode:
        pytest.skip("no new PID namespace can be made here")
    orphan = "sh -c 'sleep 0.1 & echo $! > pid'; while [ -e /proc/$(cat pid) ]; do sleep 0.02; done; kill -KILL $$"
    done = subprocess.run(
        [*words, *FRAMEWORK, "exec", "--mask", "--", "sh", "-c", orphan],
        cwd=billing.home, env=billing.environ, capture_output=True, timeout=GUARD,
    )  # fmt: skip
    assert done.returncode == 137, done.stderr  # an orphan that nobody waits for stays in /proc


# --watch


def replace(billing: Programs, name: str, text: str) -> None:
    """As careful editors do: at no moment is the file empty, or only a part of it there."""
    billing.world.write(f"{name}.new", text).rename(billing.home / name)


LOOP = "trap 'echo hup; cat $DB_PASSWORD_FILE' HUP; echo started $DB_PASSWORD; while :; do sleep 0.02; done"


def stopped(process: subprocess.Popen[bytes]) -> str:
    process.send_signal(signal.SIGTERM)
    status, err = ended(process)
    assert status == -signal.SIGTERM
    return err


def test_a_changed_value_restarts_the_program(billing: Programs) -> None:
    process = billing.start("--watch", "0.1", "--", "bash", "-c", LOOP)
    assert line(process) == "started made-up-password\n"
    replace(billing, "password", "another-password\n")
    assert line(process) == "started another-password\n"
    err = stopped(process)
    assert "the configuration has changed (DB_PASSWORD): the program is restarted" in err
    assert "another-password" not in err


def test_what_a_script_started_ends_before_a_restart(billing: Programs) -> None:
    words = ("--watch", "0.1", "--", "bash", "-c", "sleep 600 & echo $! $DB_PASSWORD; wait; true")
    process = billing.start(*words, start_new_session=True)
    pid, _, password = line(process).partition(" ")
    assert password == "made-up-password\n"
    replace(billing, "password", "another-password\n")
    assert line(process).endswith(" another-password\n")
    until(lambda: not is_alive(int(pid)))
    stopped(process)


def test_what_the_program_did_not_get_does_not_matter(billing: Programs) -> None:
    process = billing.start("--only", "db.*", "--watch", "0.1", "--", "bash", "-c", LOOP)
    assert line(process) == "started made-up-password\n"
    replace(billing, "a.toml", CONFIG.replace("port = 1", "port = 2"))
    replace(billing, "a.toml", CONFIG.replace("port = 1", "port = 2") + 'new = "x"\n')
    replace(billing, "password", "another-password\n")
    assert line(process) == "started another-password\n"
    assert stopped(process).count("has changed") == 1


def test_a_broken_configuration_keeps_the_program(billing: Programs) -> None:
    process = billing.start("--watch", "0.1", "--", "bash", "-c", LOOP)
    assert line(process) == "started made-up-password\n"
    assert process.stderr is not None
    replace(billing, "a.toml", "[db\n")
    assert b"the program keeps its values" in process.stderr.readline()
    assert b"a.toml:1" in process.stderr.readline()
    replace(billing, "password", "another-password\n")
    replace(billing, "a.toml", CONFIG)
    assert line(process) == "started another-password\n"
    assert "keeps its values" not in stopped(process)


def test_a_command_that_is_run_again_has_no_signal_blocked(billing: Programs) -> None:
    replace(billing, "a.toml", '[db]\nhost = "h"\npassword_cmd = "grep SigBlk /proc/self/status"\n')
    show = "echo $DB_HOST $DB_PASSWORD; while :; do sleep 0.02; done"
    process = billing.start("--watch", "0.1", "--", "bash", "-c", show)
    assert line(process) == "h SigBlk: 0000000000000000\n"
    replace(billing, "a.toml", '[db]\nhost = "other"\npassword_cmd = "grep SigBlk /proc/self/status"\n')
    assert line(process) == "other SigBlk: 0000000000000000\n"
    assert stopped(process).count("has changed") == 1


@pytest.mark.parametrize("name", ["SIGINT", "SIGQUIT"])
def test_an_ignored_signal_does_not_end_the_watch(billing: Programs, name: str) -> None:
    """As in a shell script, whose commands in the background ignore these two."""
    number = getattr(signal, name)
    before = signal.signal(number, signal.SIG_IGN)
    try:
        process = billing.start("--watch", "0.1", "--", "bash", "-c", f"trap 'echo usr1' USR1; {LOOP}")
    finally:
        signal.signal(number, before)
    assert line(process) == "started made-up-password\n"
    process.send_signal(number)
    process.send_signal(signal.SIGUSR1)
    assert line(process) == "usr1\n"  # the other one was passed on before it
    replace(billing, "password", "another-password\n")
    assert line(process) == "started another-password\n"
    stopped(process)


def test_a_signal_instead_and_new_files(billing: Programs, memory: str) -> None:
    process = billing.start("--watch", "0.1", "--signal", "hup", "--files", memory, "--", "bash", "-c", LOOP)
    assert line(process) == "started\n"
    replace(billing, "password", "another-password\n")
    assert line(process) == "hup\n"
    assert process.stdout is not None and process.stdout.read(len("another-password")) == b"another-password"
    assert "gets a signal" in stopped(process)


def test_a_program_that_does_not_end_is_killed(billing: Programs) -> None:
    stubborn = "trap '' TERM; echo $$ $DB_PASSWORD; while :; do sleep 0.02; done"
    process = billing.start("--watch", "0.1", "--kill-after", "0.2", "--", "bash", "-c", stubborn)
    assert line(process).endswith(" made-up-password\n")
    replace(billing, "password", "another-password\n")
    pid, _, password = line(process).partition(" ")
    assert password == "another-password\n"
    os.kill(int(pid), signal.SIGKILL)
    status, err = ended(process)
    assert status == -signal.SIGKILL and "did not end in time" in err


def test_usage(billing: Programs) -> None:
    for words in (["--signal", "HUP"], ["--splay", "3"], ["--watch", "1", "--signal", "NOSUCH"], ["--watch", "x"]):
        status, out, err = billing.run(*words, "--", "true")
        assert (status, out) == (125, "") and "Traceback" not in err


# --files


def test_secrets_are_files_and_nowhere_in_the_environment(billing: Programs, memory: str) -> None:
    script = "stat -c %a $DB_PASSWORD_FILE $(dirname $DB_PASSWORD_FILE); cat $DB_PASSWORD_FILE; echo; env; exit 3"
    billing.world.write("a.toml", "[db]\nhost = 'h'\n")
    words = ("--files", memory, "--", "sh", "-c", script)
    status, out, err = billing.run(*words, BILLING__DB__PASSWORD="made-up-password")
    assert status == 3, err
    lines = out.splitlines()
    assert lines[:3] == ["600", "700", "made-up-password"]
    assert "made-up-password" not in "".join(lines[3:]) and "DB_HOST=h" in lines
    path = next(line.partition("=")[2] for line in lines if line.startswith("DB_PASSWORD_FILE="))
    assert path.startswith(f"{memory}/billing-") and not os.path.exists(os.path.dirname(path))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_files_go_when_a_signal_ends_the_program(billing: Programs, memory: str, number: int) -> None:
    words = ("--files", memory, "--", "bash", "-c", "echo $DB_PASSWORD_FILE; exec sleep 600")
    process = billing.start(*words)
    path = line(process).strip()
    assert os.path.exists(path)
    process.send_signal(number)
    assert ended(process)[0] == -number and not os.path.exists(os.path.dirname(path))


def test_files_go_when_a_signal_comes_before_the_program_starts(billing: Programs, memory: str) -> None:
    process = billing.start("--files", memory, "--", "sleep", "600")
    until(lambda: os.listdir(memory))
    process.send_signal(signal.SIGTERM)
    assert ended(process) == (-signal.SIGTERM, "")
    assert os.listdir(memory) == []


def test_files_on_a_disk_are_refused(billing: Programs) -> None:
    status, out, err = billing.run("--files", "/proc", "--", "true")
    assert (status, out) == (125, "") and "not in memory (proc)" in err and "--allow-disk" in err
    status, out, err = billing.run("--files", str(billing.home / "none"), "--", "true")
    assert (status, out) == (125, "") and "cannot be used" in err
    words = ("--files", ".", "--allow-disk", "--", "sh", "-c", "cat $DB_PASSWORD_FILE")
    assert billing.run(*words) == (0, "made-up-password", "")
    assert not list(billing.home.glob("billing-*"))


def test_a_value_that_no_variable_holds_is_a_file(billing: Programs, memory: str) -> None:
    billing.world.write("password", "x" * 200_000)
    assert billing.run("--", "true")[0] == 125
    words = ("--files", memory, "--", "sh", "-c", "wc -c < $DB_PASSWORD_FILE")
    assert billing.run(*words)[:2] == (0, "200000\n")


def test_names_that_no_file_can_have(billing: Programs, memory: str) -> None:
    words = ("--files", memory, "--map", "db.password=../x", "--", "true")
    status, out, err = billing.run(*words)
    assert (status, out) == (125, "") and "cannot have this name" in err


# redact


def redact(billing: Programs, data: bytes, *words: str) -> tuple[int, bytes, str]:
    done = subprocess.run(
        [*FRAMEWORK, "redact", *words],
        input=data, env=billing.environ, cwd=billing.home, capture_output=True, timeout=GUARD,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr.decode()


def test_redact(billing: Programs) -> None:
    billing.environ |= {
        "BILLING_CONN_DB": "postgres://u:pw-of-u@h/x",
        "BILLING_VAR_API_TOKEN": "made-up-token",
        "BILLING__X__API_KEY": "made-up-key",
        "BILLING_VAR_VAT": "nineteen",
    }
    data = b"made-up-password pw-of-u made-up-token made-up-key nineteen \xff\x00\x1b[31m made%2Dup%2Dpassword"
    assert redact(billing, data) == (0, b"*** *** *** *** nineteen \xff\x00\x1b[31m ***", "")
    assert redact(billing, b"") == (0, b"", "")


def test_redact_copies_nothing_where_a_secret_is_not_known(billing: Programs) -> None:
    (billing.home / "password").unlink()
    status, out, err = redact(billing, b"text\n")
    assert (status, out) == (1, b"") and "[db] password" in err
    status, out, err = redact(billing, b"text\n", "--keep-going")
    assert (status, out) == (0, b"text\n") and "[db] password" in err and "is not redacted" in err


def test_redact_passes_lines_on_as_they_come(billing: Programs) -> None:
    process = subprocess.Popen(
        [*FRAMEWORK, "redact"], cwd=billing.home, env=billing.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.write(b"started made-up-password\n")
    process.stdin.flush()
    assert line(process) == "started ***\n"
    process.send_signal(signal.SIGINT)  # of the terminal; the last words of the other program are still to come
    process.stdin.write(b"made-up-")
    process.stdin.flush()
    process.stdin.write(b"password\n")
    process.stdin.close()
    assert line(process) == "***\n" and process.wait(GUARD) == 0


def test_redact_ends_with_its_reader(billing: Programs) -> None:
    script = f"yes | {' '.join(FRAMEWORK)} redact | head -n 1"
    done = subprocess.run(
        ["bash", "-c", script], cwd=billing.home, env=billing.environ, capture_output=True, timeout=GUARD
    )
    assert done.stdout == b"y\n" and done.stderr == b""
