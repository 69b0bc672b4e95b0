"""`render`: placeholders are filled in, every other byte stays, and nothing is written where anything is wrong."""

from __future__ import annotations

import base64
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tomli
import yaml
from conftest import World
from hostile_values import BAD_UTF8, PEM, UNICODE, VALUES

from framework.delivery.quoting import FILTERS
from framework.delivery.template import Template

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def billing(world: World) -> World:
    world.project(config_files=["a.toml"], sensitive=["db.password", "tls.*"])
    world.write(
        "a.toml",
        f'[db]\nhost = "db.example"\nport = 5432\nnested = "@db.host@"\npassword = "made-up-password"\npin = "1234"\n'
        f'["a.b"]\nc = "dotted"\n[tls]\nkey = {json.dumps(PEM)}\n',
    )
    world.set(
        BILLING_CONN_WAREHOUSE="postgres://reader:made-up-pw@h.example:5433/books",
        BILLING_VAR_VAT="19",
        BILLING_SECRET_SMTP='{"password": "made-up-smtp"}',
    )
    return world


def render(world: World, template: str | bytes, *words: str) -> str:
    world.write("t.in", template)
    status, out, err = world.run("render", "t.in", *words)
    assert (status, err) == (0, ""), err
    return out


def faults(world: World, template: str, *words: str) -> list[str]:
    world.write("t.in", template)
    status, out, err = world.run("render", "t.in", *words)
    assert (status, out) == (1, ""), err
    return [line.removeprefix("error: ") for line in err.splitlines()]


def test_placeholders(billing: World) -> None:
    assert render(billing, "@db.host@:@db.port@ @A.B.c@@db.pin@") == "db.example:5432 dotted1234"
    found = render(billing, "@conn:warehouse.login@|@conn:warehouse.password@|@conn:warehouse.port@|@conn:warehouse@")
    assert found.startswith("reader|made-up-pw|5433|postgres://reader:made-up-pw@h.example:5433/books")
    assert render(billing, "@var:vat@ @secret:smtp#/password@") == "19 made-up-smtp"


def test_one_pass(billing: World) -> None:
    assert render(billing, "@db.nested@") == "@db.host@"


@pytest.mark.parametrize(
    "text",
    [
        "me@example.com, you@example.org", "@PREFIX@", "@ db.host @", "@db.host", "db.host@", "@db host@", "@@",
        "${db.host} {{ db.host }} $db.host %(db.host)s", "@app:port@", "@db..host@", "@.host@", "@db.@", "@db.host|@",
        "uses: actions/checkout@v4.1\n- x@v2", "git@github.com:a/b.git", "@media (x) { @import 'a.css'; }",
        "@db.host|json:@", "@conn:@", "@var: x@",
    ],
)  # fmt: skip
def test_what_does_not_have_the_form_stays(billing: World, text: str) -> None:
    assert render(billing, text) == text


def test_bytes_are_copied(billing: World) -> None:
    before = b"caf\xe9 \r\n@db.port@\r\n\x00\xff\xfe no newline"
    billing.write("t.in", before)
    done = subprocess.run(
        [sys.executable, "-m", "framework", "render", "t.in"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=billing.home, capture_output=True,
    )  # fmt: skip
    assert done.stdout == before.replace(b"@db.port@", b"5432") and done.returncode == 0


def test_every_fault_is_reported_with_its_place(billing: World) -> None:
    found = faults(
        billing, "x\nü @db.hsot@ @db.host|jsn@\n\n@conn:warehose.password@ @nothing.here@ @db.host|indent@\n"
    )
    assert [line.partition(": ")[0] for line in found] == [
        "t.in:2:3",
        "t.in:2:13",
        "t.in:4:1",
        "t.in:4:26",
        "t.in:4:41",
    ]
    assert "did you mean [db] host" in found[0].lower() and "did you mean json" in found[1].lower()
    assert "did you mean warehouse" in found[2].lower() and "indent:4" in found[4]


def test_a_field_that_no_connection_has(billing: World) -> None:
    assert "did you mean conn:warehouse.password" in faults(billing, "@conn:warehouse.pasword@")[0].lower()
    assert "has no extra" in faults(billing, "@conn:warehouse.extra@")[0]


def test_nothing_is_written_where_anything_is_wrong(billing: World) -> None:
    billing.write("t.out", "before")
    faults(billing, "@db.host@ @db.hsot@", "-o", "t.out")
    assert (billing.home / "t.out").read_text() == "before"


def test_a_link_that_failed(billing: World) -> None:
    billing.write(
        "corp.py",
        "from framework import BaseSecretsBackend, errors\n"
        "class Down(BaseSecretsBackend):\n"
        "    def get_config(self, key):\n"
        "        raise errors.BackendUnavailable('no answer', where='corp')\n",
    )
    billing.set(BILLING__SECRETS__BACKEND="corp.Down")
    billing.write("a.toml", '[db]\npassword_secret = "smtp"\n')
    billing.write("t.in", "\n @db.password@")
    for words in ((), ("-o", "x", "--check"), ("-o", "x", "--diff")):
        status, out, err = billing.run("render", "t.in", *words)
        assert (status, out) == (3, "") and "t.in:2:2" in err and "no answer" in err


def test_other_delimiters(billing: World) -> None:
    assert render(billing, "<<db.host>> @db.host@", "--delimiters", "<< >>") == "db.example @db.host@"
    for marks in ("@", "a b", "| |", "", "< > <"):
        billing.write("t.in", "")
        assert billing.run("render", "t.in", "--delimiters", marks)[0] == 1


# Filters


def filled(tmp: World, values: list[str], template: str) -> list[str]:
    """Each value through a template with one placeholder, `@v@`."""
    environ = {f"BILLING__V__K{n}": value for n, value in enumerate(values)}
    tmp.set(**environ)
    app = tmp.app()
    made = []
    for n in range(len(values)):
        data = template.replace("@v@", f"@v.k{n}@").replace("@v|", f"@v.k{n}|").encode()
        made.append(Template(data, "t").fill(app).data.decode("utf-8", "surrogateescape"))
    return made


def plain(values: tuple[str, ...]) -> list[str]:
    """Those that a variable gives as they are."""
    return [value for value in values if "$" not in value and value[:1] != "~"]


def test_filters_read_back(world: World) -> None:
    values = plain(UNICODE)
    assert [json.loads(text) for text in filled(world, values, "[@v|json@]")] == [[value] for value in values]
    assert [yaml.safe_load(text)["a"] for text in filled(world, values, "a: @v|yaml@\n")] == values
    assert [tomli.loads(text)["a"] for text in filled(world, values, "a = @v|toml@\n")] == values
    assert [shlex.split(text) for text in filled(world, values, "x @v|shell@")] == [["x", value] for value in values]
    from urllib.parse import unquote

    assert [unquote(text) for text in filled(world, values, "@v|url@")] == values


def test_base64_takes_any_bytes(world: World) -> None:
    values = plain(VALUES)
    found = [base64.b64decode(text).decode("utf-8", "surrogateescape") for text in filled(world, values, "@v|base64@")]
    assert found == values


def test_filters_after_filters(billing: World) -> None:
    assert json.loads(render(billing, "@tls.key|base64|json@")) == base64.b64encode(PEM.encode()).decode()
    assert yaml.safe_load(render(billing, "key: |\n  @tls.key|indent:2@\nb: 1\n")) == {"key": PEM, "b": 1}


def test_a_line_break_needs_a_filter_or_a_line_of_its_own(billing: World) -> None:
    assert render(billing, "a\n@tls.key@\nb") == f"a\n{PEM}\nb"
    assert render(billing, "@tls.key@\r\nb") == f"{PEM}\r\nb" and render(billing, "@tls.key@") == PEM
    assert render(billing, "key=@tls.key|raw@") == f"key={PEM}"
    for text in ("key=@tls.key@", " @tls.key@", "@tls.key@ ", "@tls.key@@db.port@"):
        assert "[tls] key holds a line break" in faults(billing, text)[0]
    billing.write("a.toml", '[db]\nescape = "a\\u001b[31m"\nseparator = "a\\u2028b"\n')
    assert len(faults(billing, "x @db.escape@ @db.separator@")) == 2


@pytest.mark.parametrize("name", [name for name in FILTERS if name not in ("base64", "url", "shell")])
def test_a_filter_that_cannot_write_a_value_names_the_option(billing: World, name: str) -> None:
    billing.set(BILLING__DB__BAD=BAD_UTF8)
    (fault,) = faults(billing, f"\n @db.bad|{name}@")
    assert fault.startswith(f"t.in:2:2: [db] bad cannot be written as {name}: ") and "UTF-8" in fault


# The file


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def put(world: World, template: str, *words: str) -> Path:
    world.write("t.in", template)
    status, out, err = world.run("render", "t.in", "-o", "t.out", *words)
    assert (status, out) == (0, ""), err
    return world.home / "t.out"


def test_a_file_with_a_secret_is_for_its_owner(billing: World) -> None:
    old = os.umask(0o022)
    try:
        assert mode(put(billing, "@db.password@")) == 0o600
        (billing.home / "t.out").unlink()
        assert mode(put(billing, "@db.port@")) == 0o644
        (billing.home / "t.out").chmod(0o640)
        assert mode(put(billing, "@db.host@")) == 0o640
        assert mode(put(billing, "@db.password@")) == 0o600
        (billing.home / "t.out").chmod(0o644)
        assert mode(put(billing, "@db.password@")) == 0o600  # the same content
        (billing.home / "t.out").chmod(0o400)
        assert mode(put(billing, "@conn:warehouse@")) == 0o400  # no wider than it was
    finally:
        os.umask(old)


def test_what_is_unchanged_keeps_its_time(billing: World) -> None:
    path = put(billing, "@db.port@")
    os.utime(path, (1, 1))
    inode = path.stat().st_ino
    assert put(billing, "@db.port@").stat().st_mtime == 1
    assert put(billing, "@db.host@").stat().st_mtime > 1 and path.stat().st_ino != inode
    assert not [name for name in os.listdir(billing.home) if name.endswith(".new")]


def test_a_link_stays_and_leads_to_the_new_file(billing: World) -> None:
    real = billing.write("deep/real.conf", "old", 0o644)
    (billing.home / "t.out").symlink_to(real)
    assert put(billing, "@db.port@").is_symlink() and real.read_text() == "5432"


def test_in_place_keeps_the_file_itself(billing: World) -> None:
    path = billing.write("t.out", "a longer text than the new one", 0o644)
    inode = path.stat().st_ino
    put(billing, "@db.password@", "--in-place")
    assert (path.read_text(), path.stat().st_ino, mode(path)) == ("made-up-password", inode, 0o600)


def test_a_bind_mount(billing: World) -> None:
    if (
        shutil.which("unshare") is None
        or subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode
    ):
        pytest.skip("nothing can be mounted here")
    billing.write("t.in", "@db.port@")
    billing.write("real", "old"), billing.write("t.out", "below")
    words = f"{sys.executable} -m framework render t.in -o t.out"
    script = f"mount --bind real t.out && {words}; echo $?; {words} --in-place; cat real"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=billing.home, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "1\n5432" and "--in-place" in done.stderr, done


def test_what_is_not_a_file(billing: World) -> None:
    billing.write("t.in", "@db.port@")
    (billing.home / "folder").mkdir()
    os.mkfifo(billing.home / "pipe")
    for name in ("folder", "pipe", "no/such/folder", "t.in/x"):
        status, out, err = billing.run("render", "t.in", "-o", name)
        assert (status, out) == (1, "") and err.startswith(f"error: {name}: the file cannot be written"), err
    for name in ("folder", "no-such-template", "pipe"):
        status, out, err = billing.run("render", name)
        assert (status, out) == (1, "") and err.startswith(f"error: {name}: "), err
    assert billing.run("render", "t.in", "-o", "t.in")[0] == 2
    assert billing.run("render", "t.in", "--check")[0] == 2


# --check and --diff


def test_check(billing: World) -> None:
    billing.write("t.in", "@db.port@")
    assert billing.run("render", "t.in", "-o", "t.out", "--check") == (1, "", "t.out would change\n")
    assert not (billing.home / "t.out").exists()
    put(billing, "@db.port@")
    assert billing.run("render", "t.in", "-o", "t.out", "--check") == (0, "", "")


def test_a_diff_shows_no_secret_of_today_and_none_of_yesterday(billing: World) -> None:
    template = "port = @db.port@\npassword = @db.password@\nkey:\n@tls.key@\nend\n"
    path = put(billing, template)
    text = path.read_text().replace("made-up-password", "yesterday-s host port").replace("5432", "9999")
    path.write_text(text.replace("MIIBVgIBADANBgkqhkiG9w0BAQEFAASCAUAwggE8", "T2xkZXIga2V5"))
    status, out, err = billing.run("render", "t.in", "-o", "t.out", "--diff")
    assert (status, err) == (1, "")
    for secret in ("made-up-password", "yesterday", "host", "MIIB", "T2xkZXIga2V5", "AgEAAkEAq7BF"):
        assert secret not in out
    assert "-port = ***\n-password = ***\n+port = 5432\n+password = ***\n" in out
    assert path.read_text() != template


def test_a_diff_of_what_is_open_to_all_shows_both_sides(billing: World) -> None:
    path = put(billing, "a\nport = @db.port@\nb\n")
    path.write_text("a\nport = 80\nb\nurl = postgres://u:old-password@h/x\n")
    path.chmod(0o644)
    status, out, _ = billing.run("render", "t.in", "-o", "t.out", "--diff")
    assert status == 1
    assert out.startswith("--- t.out\n+++ t.out\n@@ -1,5 +1,4 @@\n a\n-port = 80\n+port = 5432\n b\n")
    assert "old-password" not in out


def test_a_diff_of_what_only_its_owner_reads_shows_no_other_word(billing: World) -> None:
    path = put(billing, "a\nport = @db.port@\n")
    path.write_text("a\nport = old-pin-1234\n")
    path.chmod(0o600)
    assert "-port = ***\n" in billing.run("render", "t.in", "-o", "t.out", "--diff")[1]


def test_many_placeholders_ask_for_each_value_once(billing: World) -> None:
    billing.write("a.toml", "[db]\npassword_cmd = \"sh -c 'echo x >> calls; echo made-up'\"\n")
    assert render(billing, "@db.password@\n" * 10_000) == "made-up\n" * 10_000
    assert (billing.home / "calls").read_text() == "x\n"
