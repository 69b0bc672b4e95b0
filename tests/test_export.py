"""`export`: every hostile value comes out of every format as it went in, read by the real programs."""

from __future__ import annotations

import base64
import contextlib
import ctypes
import glob
import json
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from io import StringIO
from pathlib import Path

import dotenv
import pytest
import tomli
import yaml
from conftest import World
from hostile_values import BAD_UTF8, PEM, UNICODE, VALUES

from framework.delivery import quoting
from framework.delivery.formats import FORMATS, written
from framework.delivery.selection import Item
from framework.delivery.values import Faults, Source

SHELLS = {"bash": ["bash"], "dash": ["dash"], "mksh": ["mksh"], "busybox": ["busybox", "sh"], "zsh": ["zsh", "-f"]}


def items(values: Iterable[str]) -> list[Item]:
    return [Item(f"V_{n}", Source(f"values.v{n}"), value, False) for n, value in enumerate(values)]


def names(values: Iterable[str]) -> dict[str, str]:
    return {item.name: item.text for item in items(values)}


def holds(format: str, value: str, dialect: str = "") -> bool:
    try:
        written(items([value]), format, dialect=dialect)
    except Faults:
        return False
    return True


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed here")
    return found


def variables(words: list[str], folder: Path) -> dict[str, str]:
    """The variables V_… of the environment that a program prints with `env -0`."""
    done = subprocess.run(words, cwd=folder, capture_output=True, env={"PATH": os.environ["PATH"], "HOME": str(folder)})
    assert done.returncode == 0 and done.stderr == b"", (words, done.stderr)
    pairs = (os.fsdecode(line).partition("=")[::2] for line in done.stdout.split(b"\0"))
    return {name: text for name, text in pairs if name.startswith("V_")}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("how", [". ./values.sh; exec env -0", 'out="$(cat values.sh)"; eval "$out"; exec env -0'])
def test_shells(tmp_path: Path, shell: str, how: str) -> None:
    program(SHELLS[shell][0])
    (tmp_path / "values.sh").write_bytes(written(items(VALUES), "shell"))
    assert variables([*SHELLS[shell], "-c", how], tmp_path) == names(VALUES)


def test_fish(tmp_path: Path) -> None:
    (tmp_path / "values.fish").write_bytes(written(items(VALUES), "fish"))
    words = [program("fish"), "--no-config", "-c", "source values.fish; env -0"]
    assert variables(words, tmp_path) == names(VALUES)


@pytest.mark.parametrize(("shell"), SHELLS)
def test_a_shell_reads_the_portable_dotenv_form(tmp_path: Path, shell: str) -> None:
    program(SHELLS[shell][0])
    values = [value for value in VALUES if holds("dotenv", value)]
    (tmp_path / "values.env").write_bytes(written(items(values), "dotenv"))
    assert len(values) >= 50
    assert variables([*SHELLS[shell], "-c", "set -a; . ./values.env; exec env -0"], tmp_path) == names(values)


@pytest.mark.parametrize("interpolate", [False, True])
def test_python_dotenv_reads_the_portable_form(tmp_path: Path, interpolate: bool) -> None:
    values = [value for value in UNICODE if holds("dotenv", value)]
    (tmp_path / "values.env").write_bytes(written(items(values), "dotenv"))
    assert dotenv.dotenv_values(tmp_path / "values.env", interpolate=interpolate) == names(values)


def test_python_dotenv_reads_its_dialect(tmp_path: Path) -> None:
    (tmp_path / "values.env").write_bytes(written(items(UNICODE), "dotenv", dialect="python"))
    assert dotenv.dotenv_values(tmp_path / "values.env", interpolate=False) == names(UNICODE)


def node(script: str, folder: Path, *flags: str) -> dict[str, str]:
    done = subprocess.run([program("node"), *flags, "-e", script], cwd=folder, capture_output=True)
    assert done.returncode == 0, done.stderr
    return {name: text for name, text in json.loads(done.stdout).items() if name.startswith("V_")}


@cache
def npm_dotenv(cache_of_pip: str) -> str:
    """The folder with npm's dotenv, installed once a run."""
    folder = Path(cache_of_pip)
    words = [program("npm"), "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), "dotenv@17"]
    if subprocess.run(words, capture_output=True, timeout=300).returncode:
        pytest.skip("npm cannot install dotenv here")
    return str(folder / "node_modules")


@pytest.mark.parametrize("dialect", ["", "node"])
@pytest.mark.parametrize("reader", ["node", "npm"])
def test_readers_of_node(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, dialect: str, reader: str) -> None:
    values = [value for value in UNICODE if holds("dotenv", value, dialect)]
    (tmp_path / "values.env").write_bytes(written(items(values), "dotenv", dialect=dialect))
    if reader == "node":
        flag = "--env-file=values.env"
        if subprocess.run([program("node"), flag, "-e", "0"], cwd=tmp_path, capture_output=True).returncode:
            pytest.skip("this node has no --env-file")
        found = node("console.log(JSON.stringify(process.env))", tmp_path, flag)
    else:
        modules = npm_dotenv(str(tmp_path_factory.getbasetemp() / "npm"))
        script = f"const d = require({json.dumps(modules + '/dotenv')}); const fs = require('fs');"
        found = node(f"{script} console.log(JSON.stringify(d.parse(fs.readFileSync('values.env'))))", tmp_path)
    assert len(values) >= 50
    assert found == names(values)


def test_systemd_s_own_loader(tmp_path: Path) -> None:
    libraries = [
        *glob.glob("/usr/lib/*/systemd/libsystemd-shared-*.so"),
        *glob.glob("/usr/lib/systemd/libsystemd-shared-*.so"),
    ]
    if not libraries:
        pytest.skip("the library of systemd is not installed here")
    load = getattr(ctypes.CDLL(libraries[0]), "load_env_file", None)
    if load is None:
        pytest.skip("this systemd does not export its loader")
    path = tmp_path / "values.env"
    path.write_bytes(written(items(UNICODE), "systemd"))
    lines = ctypes.POINTER(ctypes.c_char_p)()
    assert load(None, str(path).encode(), ctypes.byref(lines)) == 0
    found, at = {}, 0
    while lines[at] is not None:
        name, _, text = lines[at].decode().partition("=")  # type: ignore[union-attr]
        found[name] = text
        at += 1
    assert found == names(UNICODE)


def read_by_docker(data: bytes) -> dict[str, str]:
    """As docker/cli's kvfile does it: lines of Go's scanner, `#` is a comment, the first `=` divides; no quotes."""
    found = {}
    assert data.isascii() or data.decode()
    for line in re.split(rb"\r?\n", data.removesuffix(b"\n")):
        assert len(line) < 65_536
        if line and not line.startswith(b"#"):
            name, equals, text = line.lstrip(b" \t").decode().partition("=")
            assert equals and not any(map(str.isspace, name))
            found[name] = text
    return found


def test_the_rule_of_docker_s_env_file() -> None:
    values = [value for value in UNICODE if "\n" not in value and not value.endswith("\r")]
    assert read_by_docker(written(items(values), "docker")) == names(values)
    for value in ("a\nb", "a\r", "a\r\n", BAD_UTF8, PEM, "a\0b", "x" * (65_536 - len("V_0="))):
        assert not holds("docker", value)
    assert holds("docker", "x" * (65_535 - len("V_0=")))


def test_the_rule_of_compose() -> None:
    assert written(items(["a\"b\\c$d`e'f\ng"]), "compose") == b'V_0="a\\"b\\\\c\\$d`e\'f\ng"\n'
    assert not holds("compose", BAD_UTF8)
    read = yaml.safe_load(written(items(UNICODE), "compose-yaml"))["environment"]
    assert {name: text.replace("$$", "$") for name, text in read.items()} == names(UNICODE)
    assert all("$" not in text.replace("$$", "") for text in read.values())


@pytest.mark.parametrize("format", ["yaml", "k8s-configmap", "k8s-secret"])
def test_yaml(format: str) -> None:
    values = VALUES if format == "k8s-secret" else UNICODE
    read = yaml.safe_load(written(items(values), format, name="billing", namespace="shop"))
    if format == "yaml":
        assert read == names(values)
        return
    assert read["metadata"] == {"name": "billing", "namespace": "shop"} and read["apiVersion"] == "v1"
    assert read["kind"] == {"k8s-configmap": "ConfigMap", "k8s-secret": "Secret"}[format]
    found = read["data"]
    if format == "k8s-secret":
        found = {name: base64.b64decode(text).decode("utf-8", "surrogateescape") for name, text in found.items()}
    assert found == names(values)


@pytest.mark.parametrize("name", ["NO", "y", "null", "1", "1_0", "a b", "~", "tls.crt"])
def test_a_name_keeps_its_meaning_in_yaml(name: str) -> None:
    item = Item(name, Source("a.b"), "x", False)
    assert yaml.safe_load(written([item], "yaml")) == {name: "x"}


def test_toml_and_json() -> None:
    assert tomli.loads(written(items(UNICODE), "toml").decode()) == names(UNICODE)
    assert json.loads(written(items(UNICODE), "json")) == names(UNICODE)


def test_the_rule_of_tfvars() -> None:
    assert written(items(['${a}%{b}$c\n"\\é']), "tfvars") == 'V_0 = "$${a}%%{b}$c\\n\\"\\\\é"\n'.encode()
    assert not holds("tfvars", "e\u0301")  # HCL would compose it
    assert not holds("tfvars", "$${x}") and not holds("tfvars", BAD_UTF8)


def read_by_github(data: str) -> dict[str, str]:
    """As the runner reads the file of GITHUB_ENV."""
    found, lines = {}, data.removesuffix("\n").split("\n")
    while lines:
        name, _, delimiter = lines.pop(0).partition("<<")
        end = lines.index(delimiter)
        found[name] = "\n".join(lines[:end])
        del lines[: end + 1]
    return found


def test_github_reads_what_is_written() -> None:
    data = written(items(UNICODE), "github").decode()
    assert read_by_github(data) == names(UNICODE)
    delimiters = re.findall(r"<<(\S+)$", data, re.M)
    assert len(set(delimiters)) == len(UNICODE)


@pytest.mark.parametrize("name", ["NODE_OPTIONS", "GITHUB_TOKEN"])
def test_github_refuses_names(name: str) -> None:
    with pytest.raises(Faults, match=name):
        written([Item(name, Source("a.b"), "x", False)], "github")


@pytest.mark.parametrize("format", [name for name, form in FORMATS.items() if not form.takes("B-C")])
def test_a_name_that_stops_a_reader_is_refused(format: str) -> None:
    pair = [Item("A", Source("a.b"), "x", False), Item("B-C", Source("a.c"), "2", False)]
    with pytest.raises(Faults, match=r"\[a\] c cannot be written .*'B-C'.*--map a.c=NAME"):
        written(pair, format)


@pytest.mark.parametrize("format", [name for name in FORMATS if name not in ("shell", "fish", "k8s-secret")])
def test_bytes_that_are_not_text_are_refused_by_the_name_of_the_option(format: str) -> None:
    with pytest.raises(Faults, match=r"\[values\] v0 cannot be written as .*UTF-8"):
        written(items([BAD_UTF8]), format)


def test_no_form_of_quoting_shows_the_value() -> None:
    for quote in (*quoting.FILTERS.values(), quoting.docker, quoting.dotenv_node, quoting.tfvars):
        for value in ("s3cr3t-\0", "s3cr3t '\"`\\${\n\r", f"s3cr3t{BAD_UTF8}", "s3cr3t$${"):
            try:
                quote(value)
            except ValueError as fault:
                assert "s3cr3t" not in str(fault)


# The command


@pytest.fixture
def billing(world: World) -> World:
    world.project(config_files=["a.toml"], sensitive=["db.password"])
    world.write(
        "a.toml",
        '[db]\nhost = "it\'s"\nport = 5432\ntls = true\ntags = ["a", "b"]\npool = {size = 3}\n'
        'password_cmd = "echo made-up-password"\n',
    )
    world.set(BILLING__CORE__FERNET_KEY="k" * 43 + "=", BILLING_CONN_WAREHOUSE="postgres://u:pw-of-u@h/db")
    return world


def exported(world: World, *words: str) -> dict[str, str]:
    status, out, err = world.run("export", "--format", "json", *words)
    assert (status, err) == (0, ""), err
    found: dict[str, str] = json.loads(out)
    return found


def test_what_is_passed(billing: World) -> None:
    assert exported(billing) == {
        "DB_HOST": "it's",
        "DB_PORT": "5432",
        "DB_TLS": "true",
        "DB_TAGS": '["a", "b"]',
        "DB_POOL": '{"size": 3}',
        "DB_POOL_SIZE": "3",
        "DB_PASSWORD": "made-up-password",
    }


def test_patterns_maps_prefixes_connections(billing: World) -> None:
    assert exported(billing, "--only", "db.t*", "--only", "DB.port") == {
        "DB_TLS": "true",
        "DB_TAGS": '["a", "b"]',
        "DB_PORT": "5432",
    }
    words = ("--only", "db.port", "--map", "db.password=PGPASSWORD", "--map", "db.port=PGPORT", "--prefix", "X_")
    assert exported(billing, *words) == {"PGPASSWORD": "made-up-password", "PGPORT": "5432"}
    assert exported(billing, "--only", "db.port", "--prefix", "X_") == {"X_DB_PORT": "5432"}
    words = ("--only", "db.port", "--connections", "--map", "conn:warehouse.password=PW", "--map", "conn:warehouse=U")
    found = exported(billing, *words)
    assert found["PW"] == "pw-of-u" and found["U"].startswith("postgres://u:pw-of-u@h") and "WAREHOUSE_URL" not in found
    assert exported(billing, "--only", "db.port", "--connections", "ware*")["WAREHOUSE_URL"].startswith("postgres://")


def test_own_names(billing: World) -> None:
    found = exported(billing, "--prefix", "own", "--connections", "warehouse")
    assert found["BILLING__DB__TAGS"] == "a, b" and found["BILLING__DB__PASSWORD"] == "made-up-password"
    assert found["BILLING_CONN_WAREHOUSE"].startswith("postgres://")
    billing.write("a.toml", '[db]\nhost = "$HOME/x"\n')
    status, out, err = billing.run("export", "--prefix", "own")
    assert (status, out) == (1, "") and "[db] host would be read differently under its own name" in err


def test_variables_and_secrets_of_the_chain(billing: World) -> None:
    billing.set(BILLING_VAR_VAT="19", BILLING_SECRET_SMTP='{"user": "u", "password": "made-up-smtp"}')
    maps = ("--map", "var:vat=VAT", "--map", "secret:smtp#/password=SMTP", "--map", "secret:smtp=WHOLE")
    found = exported(billing, "--only", "db.port", *maps)
    assert found["VAT"] == "19" and found["SMTP"] == "made-up-smtp" and '"user"' in found["WHOLE"]


def test_what_opens_the_stores_is_passed_only_by_its_exact_name(billing: World) -> None:
    key = "k" * 43 + "="
    billing.set(BILLING__DATABASE__SQL_ALCHEMY_CONN="sqlite:///x.db", BILLING__SECRETS__ON_FAILURE="stop")
    billing.set(BILLING__DATABASE__SQL_ALCHEMY_CONN_READ="sqlite:///y.db")
    assert not any(name.startswith(("CORE_", "DATABASE_", "SECRETS_")) for name in exported(billing))
    assert exported(billing, "--only", "core.fernet_key") == {"CORE_FERNET_KEY": key}
    assert exported(billing, "--only", "db.port", "--map", "core.fernet_key=K")["K"] == key
    status, out, err = billing.run("export", "--only", "core.f*")
    assert (status, out) == (1, "") and "open the stores" in err and "--only core.fernet_key" in err


def test_every_fault_is_reported_and_nothing_printed(billing: World) -> None:
    words = ("--only", "db.hsot", "--only", "nothing.*", "--map", "db.nope=A", "--map", "wrong", "--map", "conn:x=C")
    status, out, err = billing.run("export", *words)
    assert (status, out) == (1, "")
    lines = err.splitlines()
    assert len(lines) == 5 and all(line.startswith("error: ") for line in lines)
    assert any("[db] hsot" in line and "did you mean [db] host" in line.lower() for line in lines)


def test_two_values_with_one_name(billing: World) -> None:
    billing.write("a.toml", '["a.b"]\nc = 1\n[a]\nb_c = 2\n')
    status, out, err = billing.run("export")
    assert (status, out) == (1, "")
    assert "[a] b_c" in err and "[a.b] c" in err and "would both be called A_B_C" in err and "--map" in err


def test_a_required_option_that_is_not_set(billing: World) -> None:
    billing.write("schema.toml", "[db.options.name]\nrequired = true\n[db.options.other]\n")
    billing.project(schema="schema.toml")
    status, out, err = billing.run("export")
    assert (status, out) == (1, "") and "[db] name" in err and "other" not in err


def test_a_powerful_name_is_passed_by_map_only(billing: World) -> None:
    billing.write("a.toml", '[ld]\npreload = "x"\n[node]\noptions = "y"\n')
    status, out, err = billing.run("export")
    assert (status, out) == (0, "") and "LD_PRELOAD changes how programs run" in err and "NODE_OPTIONS" in err
    assert exported(billing, "--only", "ld.preload", "--map", "ld.preload=LD_PRELOAD") == {"LD_PRELOAD": "x"}
    status, out, err = billing.run("export", "--only", "ld.preload")
    assert (status, out) == (1, "") and "--map ld.preload=LD_PRELOAD" in err


def test_a_file_is_for_its_owner_alone(billing: World) -> None:
    (billing.home / "app.env").write_text("old")
    (billing.home / "app.env").chmod(0o644)
    status, out, err = billing.run("export", "--format", "docker", "--only", "db.port", "-o", "app.env")
    assert (status, out, err) == (0, "", "1 value was written to app.env\n")
    assert (billing.home / "app.env").read_text() == "DB_PORT=5432\n"
    assert (billing.home / "app.env").stat().st_mode & 0o777 == 0o600


def test_a_failed_link_is_reported_once(billing: World) -> None:
    billing.write(
        "corp.py",
        "from framework import BaseSecretsBackend, errors\n"
        "class Down(BaseSecretsBackend):\n"
        "    def get_config(self, key):\n"
        "        raise errors.BackendUnavailable('no answer', where='corp')\n",
    )
    billing.set(BILLING__SECRETS__BACKEND="corp.Down")
    billing.write("a.toml", '[db]\npassword_secret = "smtp"\n[mail]\npassword_secret = "other"\n')
    status, out, err = billing.run("export")
    assert (status, out, err.count("no answer")) == (3, "", 1)
    assert "[db] password" in err and "[mail] password" in err


def test_github_without_a_file_prints_the_masks_first(billing: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ENV", raising=False)
    billing.write("a.toml", f"[db]\nport = 1\npassword = {json.dumps(PEM)}\n")
    status, out, _ = billing.run("export", "--format", "github")
    masks, rest = out.split("\n", 1)
    assert masks == "::add-mask::" + PEM.replace("\n", "%0A")
    assert read_by_github(rest) == {"DB_PORT": "1", "DB_PASSWORD": PEM} and status == 0


def test_github_appends_to_the_file_of_the_runner(billing: World) -> None:
    file = billing.write("github_env", "BEFORE<<x\n1\nx\n")
    billing.set(GITHUB_ENV=str(file))
    status, out, err = billing.run("export", "--format", "github", "--only", "db.p*")
    assert (status, out, err) == (0, "::add-mask::made-up-password\n", "")
    found = read_by_github(file.read_text())
    assert {"BEFORE": "1", "DB_PASSWORD": "made-up-password"}.items() <= found.items()


def test_a_terminal_is_refused(billing: World) -> None:
    words = [sys.executable, "-m", "framework", "export", "--only", "db.port"]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    for more, status, shown in (([], 2, b"pass --yes"), (["--yes"], 0, b"export DB_PORT='5432'")):
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(billing.home)
            os.execve(sys.executable, [*words, *more], environ)
        seen = b""
        with contextlib.suppress(OSError):  # the other end is closed
            while piece := os.read(terminal, 1024):
                seen += piece
        os.close(terminal)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == status and shown in b" ".join(seen.split()), seen


def test_usage(billing: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert billing.run("export", "--dialect", "node")[0] == 2
    assert billing.run("export", "--format", "xml")[0] == 2
    for prefix in ("A=", "a b", "1", "A-"):
        assert billing.run("export", "--prefix", prefix)[0] == 2


def test_dump_as_env_is_the_portable_form(billing: World, tmp_path: Path) -> None:
    values = [value for value in UNICODE if holds("dotenv", value)]
    values = [value for value in values if "$" not in value and value[:1] != "~" and "://" not in value]
    billing.write("a.toml", "[values]\n" + "".join(f"v_{n} = {quoting.toml(v)}\n" for n, v in enumerate(values)))
    status, out, _ = billing.run("dump", "--format", "env", "--section", "values")
    assert status == 0
    wanted = {f"BILLING__VALUES__V_{n}": value for n, value in enumerate(values)}
    assert dotenv.dotenv_values(stream=StringIO(out)) == wanted
    billing.write("values.env", out)
    done = subprocess.run(["sh", "-c", "set -a; . ./values.env; exec env -0"], capture_output=True, cwd=billing.home)
    pairs = (os.fsdecode(line).partition("=")[::2] for line in done.stdout.split(b"\0"))
    assert {name: text for name, text in pairs if name.startswith("BILLING__VALUES")} == wanted


@pytest.mark.parametrize("name", ["Big", "a_b", "-a", "a-", "a..b", ".a", "", "x" * 254, "\u00e4", "a b", "a\nb"])
@pytest.mark.parametrize("flag", ["--name", "--namespace"])
def test_kubernetes_refuses_such_a_name(billing: World, flag: str, name: str) -> None:
    if flag == "--namespace" and not name:
        return  # it belongs nowhere
    status, out, err = billing.run("export", "--format", "k8s-secret", f"{flag}={name}")
    assert (status, out) == (2, "") and f"{flag} takes" in err


def test_kubernetes_takes_these_names(billing: World) -> None:
    words = ("--format", "k8s-configmap", "--only", "db.host", "--namespace", "shop-1", "--name")
    for name in ("billing", "b", "1a.b-c", "x" * 253):
        assert billing.run("export", *words, name)[0] == 0
    assert "--namespace takes" in billing.run("export", *words[:4], "--namespace", "a.b")[2]
