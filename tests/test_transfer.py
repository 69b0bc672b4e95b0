"""Import and export: all or nothing, every fault with its line, the same bytes again, a memory that does not grow."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from framework import errors
from framework.files.entries import DuplicateNames, read_entries
from framework.metastore import bulk
from framework.metastore.crypto import generate

KEY = generate()

#: Texts that a careless file format or typing would change.
TEXTS = [
    "",
    "plain",
    "žluťoučký kůň 🐎",
    "1",
    "01",
    "1.50",
    "-0",
    "1e400",
    "true",
    "True",
    "null",
    "NaN",
    '"quoted"',
    "[1, 2]",
    "[\n  1,\n  2\n]",
    '{\n  "b": 1,\n  "a": 2\n}',
    '{\n  "value": 1\n}',
    '{\n  "value": 1,\n  "description": "x"\n}',
    '{"a": 1, "a": 2}',
    "{",
    "two\nlines\r\n",
    " blanks ",
    "# no comment",
    "a=b=c",
    "\u2028\x85\x00\x7f",
    "x" * 200_000,
    "99999999999999999999999999",
    "1" * 5000,
]
VARIABLES = {f"key {number}": text for number, text in enumerate(TEXTS)}
CONNECTIONS = {
    "warehouse": {
        "conn_type": "postgres",
        "host": "h",
        "login": "u",
        "password": "p@:/ %ž",
        "port": 5432,
        "schema": "db",
    },
    "api": {"conn_type": "http", "host": "https://api.example", "extra": '{"token": "t", "n": [1, {"x": null}]}'},
    "nothing/but:a-type": {"conn_type": "fs"},
    "described": {"conn_type": "x_y", "description": "a word\nto people", "extra": "{}"},
}


@pytest.fixture
def stocked(world: Any) -> Any:
    world.set(BILLING__CORE__FERNET_KEY=KEY)
    return world


def stdin(monkeypatch: pytest.MonkeyPatch, data: bytes | str) -> None:
    raw = io.BytesIO(data.encode() if isinstance(data, str) else data)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(raw, encoding="utf-8"))


def variables(world: Any) -> dict[str, Any]:
    return {name: value for name, value, _ in bulk.stored(world.app().store, "variable")}


# --- export and import are each other's opposite


@pytest.mark.parametrize("ending", ["json", "yaml"])
def test_every_text_comes_back(stocked: Any, ending: str) -> None:
    store = stocked.app().store
    store.write_many([("variable", key, text, "described" if "2" in key else None) for key, text in VARIABLES.items()])
    assert stocked.run("variables", "export", f"one.{ending}")[0] == 0
    for key in VARIABLES:
        store.delete_variable(key)
    assert stocked.run("variables", "import", f"one.{ending}") == (
        0,
        "",
        f"variables imported from one.{ending}: {len(VARIABLES)} added\n",
    )
    assert variables(stocked) == VARIABLES
    descriptions = {name: description for name, _, description in bulk.stored(store, "variable")}
    assert descriptions == {key: "described" if "2" in key else None for key in VARIABLES}
    assert stocked.run("variables", "export", f"two.{ending}")[0] == 0
    assert Path(f"one.{ending}").read_bytes() == Path(f"two.{ending}").read_bytes()


def test_a_dotenv_file_holds_what_it_can(stocked: Any) -> None:
    stocked.app().store.write_many([("variable", key, text, None) for key, text in VARIABLES.items()])
    status, _, err = stocked.run("variables", "export", "v.env")
    held = {key: text for key, text in VARIABLES.items() if text.splitlines() == [text]}
    assert status == 1
    assert err.count("error: not exported: 'key ") == len(VARIABLES) - len(held)
    assert "Export json or yaml" in err
    stocked.app().store.database.close()
    (stocked.home / "billing.db").unlink()
    assert stocked.run("variables", "import", "v.env")[0] == 0
    assert variables(stocked) == held


@pytest.mark.parametrize(
    "flags", [["json"], ["yaml"], ["env"], ["env", "--serialization-format", "json"]], ids="-".join
)
def test_every_connection_comes_back(stocked: Any, flags: list[str]) -> None:
    stocked.write("in.json", json.dumps(CONNECTIONS))
    assert stocked.run("connections", "import", "in.json")[2] == "connections imported from in.json: 4 added\n"
    before = stocked.app().store.get_many("connection", CONNECTIONS)
    status, out, _ = stocked.run("connections", "export", "-", "--file-format", *flags)
    assert status == 0
    (stocked.home / "billing.db").unlink()
    stocked.write(f"out.{flags[0]}", out)
    assert stocked.run("connections", "import", f"out.{flags[0]}")[0] == 0
    after = stocked.app().store.get_many("connection", CONNECTIONS)
    for connection in [*before.values(), *after.values()] if flags == ["env"] else []:
        connection.description = None  # a URI has none, as in Airflow
        connection.host, connection.schema = connection.host or "", connection.schema or ""
        connection.extra = connection.extra or None
    assert after == before
    assert stocked.run("connections", "export", "-", "--file-format", *flags)[1] == out


def test_export_is_sorted_and_private(stocked: Any) -> None:
    for key in ("b", "a", "Z", "ž", "aa"):
        assert stocked.run("variables", "set", key, key)[0] == 0
    stocked.write("v.json", "old and wide", mode=0o644)
    (stocked.home / "link.json").symlink_to("v.json")
    assert stocked.run("variables", "export", "link.json") == (0, "", "5 variables exported to link.json\n")
    path = stocked.home / "v.json"
    assert list(json.loads(path.read_text())) == ["Z", "a", "aa", "b", "ž"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (stocked.home / "link.json").is_symlink()
    assert not [name for name in os.listdir(stocked.home) if name.endswith(".new")]


def test_nothing_to_export(stocked: Any) -> None:
    for ending, text in {"json": "{}\n", "yaml": "{}\n", "env": ""}.items():
        for kind in ("connections", "variables"):
            assert stocked.run(kind, "export", f"x.{ending}")[0] == 0
            assert Path(f"x.{ending}").read_text() == text
            assert stocked.run(kind, "import", f"x.{ending}")[0] == 0
    assert not (stocked.home / "billing.db").exists()


def test_an_export_that_cannot_be_written(stocked: Any) -> None:
    stocked.run("variables", "set", "a", "1")
    status, _, err = stocked.run("variables", "export", "no/such/folder.json")
    assert (status, "cannot be written" in err) == (1, True)
    (stocked.home / "folder.json").mkdir()
    status, _, err = stocked.run("variables", "export", "folder.json")
    assert (status, "cannot be written" in err) == (1, True)
    assert stocked.run("variables", "export", "/dev/full")[0] == 1
    assert stocked.run("variables", "export", "/dev/null")[0] == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_row_that_no_key_opens_blocks_no_export(stocked: Any) -> None:
    stocked.run("variables", "set", "lost", "canary-lost")
    stocked.set(BILLING__CORE__FERNET_KEY=generate())
    stocked.write("v.json", "a good backup")
    status, _, err = stocked.run("variables", "export", "v.json")
    assert (status, "nothing was written" in err) == (1, True)
    assert Path("v.json").read_text() == "a good backup"
    stocked.run("variables", "set", "fine", "1")
    status, out, err = stocked.run("variables", "export", "-")
    assert (status, json.loads(out)) == (1, {"fine": 1})
    assert "not exported: variable 'lost'" in err
    assert "1 variable exported, 1 left out" in err


def test_an_export_into_a_pipe(stocked: Any) -> None:
    stocked.run("variables", "set", "a", "1")
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-m", "framework", "variables", "export", "/dev/stdout"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert (done.returncode, json.loads(done.stdout)) == (0, {"a": 1}), done.stderr


@pytest.mark.parametrize("name", ["x", "x.txt", "x.json.gz"])
def test_endings(stocked: Any, name: str) -> None:
    assert stocked.run("connections", "export", name)[0] == 2
    assert stocked.run("connections", "import", name)[0] == 2
    assert stocked.run("connections", "export", name, "--file-format", "json")[0] == 0
    assert stocked.run("connections", "import", name, "--file-format", "json")[0] == 0


def test_airflows_flags_of_export(stocked: Any) -> None:
    assert stocked.run("connections", "export", "x", "--format", "yaml")[0] == 0
    assert stocked.run("connections", "export", "x", "--format", "yaml", "--file-format", "env")[0] == 2
    assert stocked.run("connections", "export", "x.json", "--serialization-format", "uri")[0] == 2
    assert stocked.run("variables", "export", "no-ending")[0] == 0  # Airflow writes JSON whatever the name
    assert Path("no-ending").read_text() == "{}\n"


# --- all or nothing


def test_every_fault_of_a_json_file_is_reported_at_once(stocked: Any) -> None:
    stocked.write(
        "bad.json",
        """{
  "fine": "canary-value",
  "unit": {"value": 3, "unit": "canary-unit"},
  "": "x",
  "fine": 2,
  "twice": {"x": 1, "x": 2},
  "described": {"value": "q", "description": 5},

  "broken": "\\ud800 canary-surrogate",
  "long": 1,
  "long too": 1
}""",
    )
    for flags in ([], ["--dry-run"]):
        status, out, err = stocked.run("variables", "import", "bad.json", *flags)
        assert (status, out) == (1, "")
        assert [line.split(": ")[1] for line in err.splitlines()] == [
            *(f"bad.json:{line}" for line in (3, 4, 5, 6, 7, 9)),
            "nothing was imported, because of 6 faults",
        ]
        assert "bad.json:5: this name appears twice, first on line 2" in err
        assert "canary" not in err
    assert not (stocked.home / "billing.db").exists()


def test_every_fault_of_a_connections_file(stocked: Any) -> None:
    stocked.write(
        "bad.yaml",
        """\
fine: postgres://u:canary-p@h/db
bad uri: 'no uri canary-1'
two: [http://a, http://b]
none: []
empty:
  conn_type: [canary-2]
unknown: {conn_typ: x}
5: http://a
extra: {conn_type: x, extra: canary-3}
port: {conn_type: x, port: 99999999999}
<<: [5]
tag: !!int canary-4
""",
    )
    status, _, err = stocked.run("connections", "import", "bad.yaml")
    assert status == 1
    assert [line.split(": ")[1] for line in err.splitlines()[:-1]] == [
        f"bad.yaml:{line}" for line in (2, 3, 4, 5, 7, 8, 9, 10, 11, 12)
    ]
    assert "canary" not in err
    assert stocked.run("connections", "list", "-o", "plain") == (0, "", "")


def test_every_fault_of_a_dotenv_file(stocked: Any) -> None:
    stocked.write("bad.env", b"A=1\n=2\nB\nC=\n# x\n\nD=x=y\n\xff=1\nA=2\n")
    status, _, err = stocked.run("variables", "import", "bad.env")
    assert (status, [line.split(": ")[1] for line in err.splitlines()[:-1]]) == (
        1,
        [f"bad.env:{line}" for line in (2, 3, 4, 8, 9)],
    )


@pytest.mark.parametrize(
    ("name", "data", "where"),
    [
        ("x.json", b"", "x.json:1"),
        ("x.json", b"[1]", "x.json:1"),
        ("x.json", b'{"a": 1,}', "x.json:1"),
        ("x.json", b'{"a": 1\n "b": 2}', "x.json:2"),
        ("x.json", b'{"a": 1}\n\n x', "x.json:3"),
        ("x.json", b'{"a": "x', "x.json:1"),
        ("x.json", b'{\n"a": tru', "x.json:2"),
        ("x.json", b'{\n"a"', "x.json:2"),
        ("x.json", b'{\n"a": 1', "x.json:2"),
        ("x.json", b"{\n5: 1}", "x.json:2"),
        ("x.json", b'{\n"a": ' + b"[" * 200_000, "x.json:2"),
        ("x.json", b'{\n"a": ' + b"1" * 5000 + b"}", "x.json:2"),
        ("x.json", b'{"a":\n "\xff"}', "x.json:2"),
        ("x.json", b'\xef\xbb\xbf{"a": 1}', "x.json:1"),
        ("x.json", '{"a": 1}'.encode("utf-16"), "x.json:1"),
        ("x.yaml", b"", "x.yaml:1"),
        ("x.yaml", b"- 1", "x.yaml:1"),
        ("x.yaml", b"a: 1\nb: {", "x.yaml:3"),
        ("x.yaml", b"a: 1\n--- \nb: 1\n", "x.yaml:2"),
        ("x.yaml", b"a: 1\nb: \x01", "x.yaml:2"),
        ("x.yaml", b"a: *nobody", "x.yaml:1"),
        ("x.yaml", b"a: 2001-99-99", "x.yaml:1"),
        ("x.yaml", b"a: 2001-01-01", "x.yaml:1"),
        ("x.yaml", b"a: !!python/object:os.system x", "x.yaml:1"),
        ("x.env", b"\xef\xbb\xbfA=1", "x.env:1"),
    ],
)
def test_invalid_files(stocked: Any, name: str, data: bytes, where: str) -> None:
    stocked.run("variables", "set", "a", "old")
    stocked.write(name, data)
    status, out, err = stocked.run("variables", "import", name)
    assert (status, out) == (1, "")
    assert err.startswith(f"error: {where}: "), err
    assert variables(stocked) == {"a": "old"}


def test_files_that_are_not_there(stocked: Any) -> None:
    for name in ("no.json", "no\0.json", "."):
        status, _, err = stocked.run("connections", "import", name, "--file-format", "json")
        assert status == 1
        assert err.startswith("error: ")


def test_a_fault_after_thousands_of_rows_undoes_them(stocked: Any) -> None:
    stocked.run("variables", "set", "k00001", "old")
    stocked.write("big.env", "".join(f"k{n:05}=new\n" for n in range(3000)) + "broken\n")
    status, _, err = stocked.run("variables", "import", "big.env")
    assert (status, "big.env:3001" in err) == (1, True)
    assert variables(stocked) == {"k00001": "old"}


def test_without_a_key_nothing_is_imported(world: Any) -> None:
    world.write("v.json", '{"a": "1"}')
    for flags in ([], ["--dry-run"]):
        status, _, err = world.run("variables", "import", "v.json", *flags)
        assert (status, "fernet_key" in err) == (1, True)
    assert not (world.home / "billing.db").exists()


# --- what exists already


def test_what_becomes_of_keys_that_exist(stocked: Any) -> None:
    stocked.run("variables", "set", "a", "old", "--description", "kept")
    stocked.write("v.json", '{"a": "new", "b": "new"}')
    status, _, err = stocked.run("variables", "import", "v.json", "-a", "fail")
    assert (status, "'a'" in err, variables(stocked)) == (1, True, {"a": "old"})
    status, _, err = stocked.run("variables", "import", "v.json", "--action-on-existing-key", "skip")
    assert (status, variables(stocked)) == (0, {"a": "old", "b": "new"})
    assert err == "skipped, because they exist: 'a'\nvariables imported from v.json: 1 added, 1 skipped\n"
    assert stocked.run("variables", "import", "v.json")[2] == "variables imported from v.json: 1 changed, 1 unchanged\n"
    assert next(bulk.stored(stocked.app().store, "variable")) == ("a", "new", "kept")


def test_connections_that_exist_are_skipped_unless_overwritten(stocked: Any) -> None:
    stocked.run("connections", "add", "a", "--conn-type", "old")
    stocked.write("c.env", "a=new://h\nb=new://h\n")
    status, _, err = stocked.run("connections", "import", "c.env")
    assert (status, err) == (
        0,
        "skipped, because they exist: 'a'\nconnections imported from c.env: 1 added, 1 skipped\n",
    )
    assert stocked.run("connections", "import", "c.env", "--overwrite")[0] == 0
    assert stocked.app().get_connection("a").conn_type == "new"


def test_a_dry_run_reports_and_changes_nothing(stocked: Any) -> None:
    stocked.run("connections", "add", "a", "--conn-uri", "x://u:canary-old@h/s")
    stocked.write("c.json", json.dumps({"a": "x://u:canary-new@other/s", "b": "y://h"}))
    before = (stocked.home / "billing.db").read_bytes()
    status, out, err = stocked.run("connections", "import", "c.json", "--overwrite", "--dry-run", "-o", "json")
    assert (status, err) == (0, "connections would be imported from c.json: 1 added, 1 changed\n")
    assert json.loads(out) == [
        {"connection": "a", "change": "changed", "fields": "host, password"},
        {"connection": "b", "change": "added", "fields": ""},
    ]
    assert "canary" not in out + err
    assert (stocked.home / "billing.db").read_bytes() == before


def test_what_cannot_be_opened_can_be_overwritten(stocked: Any) -> None:
    stocked.run("variables", "set", "a", "old")
    stocked.set(BILLING__CORE__FERNET_KEY=generate())
    stocked.write("v.json", '{"a": "new"}')
    assert (
        stocked.run("variables", "import", "v.json", "--dry-run", "-o", "plain")[1]
        == "a\tchanged\t(unreadable before)\n"
    )
    assert stocked.run("variables", "import", "v.json")[0] == 0
    assert variables(stocked) == {"a": "new"}


def test_shadowed_names_are_warned_about_once(stocked: Any) -> None:
    stocked.set(BILLING_VAR_A="1", BILLING_VAR_B="2")
    stocked.write("v.json", '{"a": "new", "B": "new", "c": "new"}')
    status, _, err = stocked.run("variables", "import", "v.json")
    assert status == 0
    assert "has 2 of the imported variables too" in err
    assert "'a', 'B'" in err


def test_a_link_that_cannot_list_is_reported(stocked: Any) -> None:
    stocked.write("unlisted.py", "class Backend:\n    def get_variable(self, key): return None\n")
    stocked.write("billing.cfg", "[secrets]\nbackend = unlisted.Backend\n")
    stocked.write("v.json", '{"a": "new"}')
    status, _, err = stocked.run("variables", "import", "v.json")
    assert status == 0
    assert "Backend cannot list its variables" in err


# --- values


def test_what_json_values_become(stocked: Any) -> None:
    stocked.write(
        "v.json", '{"n": 5, "f": 1.5, "t": true, "0": null, "l": [1], "d": {"a": "ž"}, "w": {"value": {"a": 1}}}'
    )
    assert stocked.run("variables", "import", "v.json")[0] == 0
    assert variables(stocked) == {
        "n": "5",
        "f": "1.5",
        "t": "true",
        "0": "null",
        "l": "[\n  1\n]",
        "d": '{\n  "a": "\\u017e"\n}',
        "w": '{\n  "a": 1\n}',
    }


@pytest.mark.parametrize("file_format", ["json", "yaml", "env"])
def test_stdin(stocked: Any, monkeypatch: pytest.MonkeyPatch, file_format: str) -> None:
    stdin(monkeypatch, {"json": '{"a": "ž"}', "yaml": "a: ž", "env": "a=ž"}[file_format])
    flags = [] if file_format == "json" else ["--file-format", file_format]
    assert stocked.run("variables", "import", "-", *flags)[2] == "variables imported from <stdin>: 1 added\n"
    assert variables(stocked) == {"a": "ž"}


# --- reading as it comes


class Drop(io.RawIOBase):
    """Gives a few bytes at a time, whatever is asked for."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data, self._size, self._at = data, size, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        self._at += self._size
        return self._data[self._at - self._size : self._at]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_json_may_be_cut_anywhere(size: int) -> None:
    table = {**VARIABLES, "n": [1, 22, 333, -4.5e-6, True, False, None, {"ž": "🐎"}], "": 123456, "esc": "\ud800\n\\"}
    table = {name: value for name, value in table.items() if not isinstance(value, str) or len(value) < 1000}
    for text in (
        json.dumps(table),
        json.dumps(table, indent=4, ensure_ascii=True),
        json.dumps(table, separators=(" ,\r\n", "\t:\n")),
    ):
        read = {e.key: e.value for e in read_entries(Drop(text.encode(), size), "x", "json")}  # type: ignore[arg-type]
        assert read == json.loads(text)


@pytest.mark.parametrize("size", [1, 5])
def test_a_fault_is_found_however_it_is_cut(size: int) -> None:
    for text in ('{"a": tru }', '{"a": "\\u12g4"}', '{"a": 1 "b": 2}', '{"a": "x'):
        with pytest.raises(errors.FileParseError):
            list(read_entries(Drop(text.encode(), size), "x", "json"))  # type: ignore[arg-type]


def test_names_written_twice_are_found_across_runs() -> None:
    twice = DuplicateNames()
    for line in range(30_000):
        twice.add(f"name {line}", line)
    twice.add("name 5", 30_000)
    twice.add("name 5", 30_001)
    twice.add("name 29999", 30_002)
    assert twice.faults() == [
        (30_000, "this name appears twice, first on line 5"),
        (30_001, "this name appears twice, first on line 5"),
        (30_002, "this name appears twice, first on line 29999"),
    ]


def run_measured(*words: str) -> int:
    """Run a command in its own process, and return its peak memory in MB."""
    code = (
        "import resource, sys; from framework.cli.main import main; status = main(sys.argv[1:]); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stderr); sys.exit(status)"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert done.returncode == 0, done.stderr
    return int(done.stderr.split()[-1])


def test_the_memory_does_not_grow_with_the_rows(stocked: Any) -> None:
    stocked.run("variables", "set", "first", "1")  # the tables are there
    small = {f"key {n:06}": f"{n} " + "x" * 300 for n in range(1_000)}
    large = {f"key {n:06}": f"{n} " + "x" * 300 for n in range(60_000)}
    stocked.write("small.json", json.dumps(small))
    stocked.write("large.json", json.dumps(large))
    before = run_measured("variables", "import", "small.json"), run_measured("variables", "export", "out.json")
    after = run_measured("variables", "import", "large.json"), run_measured("variables", "export", "out.json")
    assert json.loads(Path("out.json").read_text()) == {**large, "first": 1}
    assert after[0] < before[0] + 10, "the values alone are 18 MB"
    assert after[1] < before[1] + 10


def test_a_progress_bar_is_for_a_terminal_alone(stocked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from framework.cli import progress

    monkeypatch.setattr(progress, "_PATIENCE", -1)
    stocked.write("v.json", json.dumps({f"k{n}": "canary-value" for n in range(2000)}))
    assert stocked.run("variables", "import", "v.json")[2] == "variables imported from v.json: 2,000 added\n"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    err = stocked.run("variables", "import", "v.json")[2]
    assert "importing variables" in err
    assert "canary" not in err
    assert "exporting variables" in stocked.run("variables", "export", "out.json")[2]


def test_nothing_is_left_of_an_export_that_is_ended(stocked: Any) -> None:
    stocked.run("variables", "set", "a", "1")
    code = (
        "import os, signal, sys; from framework.metastore import bulk; from framework.cli.main import main; "
        "stored = bulk.stored\n"
        "def end(*given):\n    yield from stored(*given)\n    os.kill(os.getpid(), signal.SIGTERM)\n"
        "bulk.stored = end; main(sys.argv[1:])"
    )
    Path(".out.json.4194399.new").write_text("of a process that was killed")
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code, "variables", "export", "out.json"], env={**os.environ, "PYTHONPATH": str(root)}
    )
    assert done.returncode == -15
    assert not [name for name in os.listdir() if "out.json" in name]
