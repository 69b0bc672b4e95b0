"""A secrets file has one meaning: look-ups and imports read the same entries, and report the same faults.

Every text goes through every door: `load_variables`, the look-up of one name, and `variables import`.
"""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from framework import errors
from framework.backends.local_filesystem import LocalFilesystemBackend, load_variables
from framework.files.entries import read_entries
from framework.files.secrets import SecretsFile, collect
from framework.files.stream import CHUNK
from framework.limits import DEPTH, DIGITS, GROWTH
from framework.metastore import bulk
from framework.metastore.crypto import generate

Faults = list[tuple[int, str]]


@pytest.fixture
def stocked(world: Any) -> Any:
    world.set(BILLING__CORE__FERNET_KEY=generate())
    return world


def of_message(message: str) -> Faults:
    """The faults of a message that names a name which is written several times."""
    names = re.findall(r"('\w+') appears \d+ times, on lines? ([\d, and]+)", message)
    assert names, message
    found = [(name, [int(line) for line in re.findall(r"\d+", lines)]) for name, lines in names]
    return [(line, f"{name} appears twice, first on line {lines[0]}") for name, lines in found for line in lines[1:]]


def of_load(path: str) -> Faults:
    try:
        load_variables(path)
    except errors.FileParseError as fault:
        return fault.faults
    except errors.VariableNotUnique as fault:
        return of_message(str(fault))
    return []


def of_lookup(path: str) -> Faults:
    backend, found = LocalFilesystemBackend(path), []
    try:
        names = backend.list_names("variable")
    except errors.FileParseError as fault:
        return fault.faults
    for name in names:
        try:
            backend.get_variable(name)
        except errors.FileParseError as fault:
            found += fault.faults
        except errors.VariableNotUnique as fault:
            found += of_message(str(fault))
    return found


def of_import(world: Any, path: str) -> Faults:
    status, _, err = world.run("variables", "import", path)
    found = re.findall(rf"^error: {re.escape(Path(path).name)}:(\d+): (.*)$", err, re.MULTILINE)
    assert (status == 1) == bool(found), err
    return [(int(line), what) for line, what in found]


def nameless(faults: Faults) -> Faults:
    """Faults by line. An import keeps no names, so it reports a name that is written twice without its name."""
    return sorted((line, re.sub(r"^('\w+'|this name) appears twice", "… appears twice", w)) for line, w in faults)


DEEP = "[" * (DEPTH + 1) + "]" * (DEPTH + 1)
FAULTY = {
    "a name twice": {
        "s.json": ('{"k": 1,\n"l": 1,\n"k": 2,\n"k": 3}', [3, 4]),
        "s.yaml": ("k: 1\nl: 1\nk: 2\nk: 3\n", [3, 4]),
        "s.env": ("k=1\nl=1\nk=2\nk=3\n", [3, 4]),
    },
    "a name twice inside an entry": {
        "s.json": ('{"fine": 1,\n"k": [{"a": "}{",\n"b": 2,\n"a": {"a": 3}},\n{"b": 1,\n"b": 2}]}', [4, 6]),
        "s.yaml": ("fine: 1\nk:\n- a: 1\n  b: 2\n  a: {a: 3}\n- {b: 1,\n   b: 2}\n", [5, 7]),
    },
    "several faults": {
        "s.yaml": ("k: 1\nbad: !x v\nk: 2\ninner: {a: 1, a: 2}\nfine: 1\n? [a]\n: v\n", [2, 3, 4, 6]),
        "s.env": ("a=1\n=2\nb\nc=\na=2\n", [2, 3, 4, 5]),
    },
    "a syntax fault after other faults": {
        "s.json": ('{"k": 1,\n"k": 2,\n"l": x}', [2, 3]),
        "s.yaml": ("k: 1\nk: 2\nl: @x\n", [2, 3]),
    },
    "line ends of every kind": {
        "s.json": ('{"a": 1,\r"b": 2,\r\n"c": 3,\n"a": 4}', [4]),
        "s.yaml": ("a: 1\rb: 2\r\nc: 3\na: 4\r\n", [4]),
        "s.env": ("a=1\rb=2\r\nc=3\na=4\r\n", [4]),
    },
    "nothing": {"s.json": ("", [1]), "s.yaml": ("# nothing\n", [1])},
    "no names": {"s.json": ("[1]", [1]), "s.yaml": ("- 1\n", [1])},
    "more than the names": {"s.json": ('{"a": 1}\n\n x', [3]), "s.yaml": ("a: 1\n---\nb: 1\n", [2])},
    "too deep": {"s.json": (f'{{"a": 1,\n"k": {DEEP[1:-1]}}}', [2]), "s.yaml": (f"a: 1\nk: {DEEP[1:-1]}\n", [2])},
    "too many digits": {
        "s.json": (f'{{"a": 1,\n"k": [1,\n-{"9" * (DIGITS + 1)}]}}', [3]),
        "s.yaml": (f"a: 1\nk: {'9' * (DIGITS + 1)}\n", [2]),
    },
    "aliases that grow": {"s.yaml": (f"k: &k {'x' * 1000}\nl: [{'*k, ' * (GROWTH // 1000)}]\n", [2])},
    "an alias inside itself": {"s.yaml": ("k: 1\nl: &l {a: *l}\n", [2])},
    "a merge of what is no table": {"s.yaml": ("a: 1\n<<: 5\nk: v\nb: !x v\n", [2, 4])},
    "a character that YAML does not allow": {"s.yaml": ("a: é\nb: 1\nc: \x07\n", [3])},
    "a byte order mark": {"s.json": ('\ufeff{"a": 1}', [1]), "s.env": ("\ufeffa=1\n", [1])},
    "not UTF-8": {
        "s.json": (b'{"a": 1,\r\n"b": "\xe9",\n"c": 1,\n"d\xff": 1}', [2, 4]),
        "s.yaml": (b"a: 1\r\nb: \xe9\nc: 1\nd\xff: 1\n", [2, 4]),
        "s.env": (b"a=1\r\nb=\xe9\nc=1\nd\xff=1\n", [2, 4]),
    },
    "UTF-16": {name: ("a: 1".encode("utf-16"), [1]) for name in ("s.json", "s.yaml", "s.env")},
}


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [pytest.param(name, *case, id=f"{what}, {name}") for what, cases in FAULTY.items() for name, case in cases.items()],
)
def test_every_door_reports_the_same_faults(stocked: Any, name: str, text: str | bytes, lines: list[int]) -> None:
    path = stocked.home / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    loaded, imported = of_load(str(path)), of_import(stocked, str(path))
    assert [line for line, _ in nameless(loaded)] == lines
    assert nameless(imported) == nameless(loaded)
    assert set(nameless(of_lookup(str(path)))) <= set(nameless(loaded))


MERGES = {
    "before the names": "base: &base {a: base, b: base}\n<<: *base\nb: own\n",
    "after the names": "base: &base {a: base, b: base}\nb: own\n<<: *base\n",
    "of several": "x: &x {a: base, b: x, long: base}\ny: &y {a: y, long: y, c: 1}\n<<: [*x, *y]\nb: own\n",
    "of one that merges": "x: &x {a: base}\ny: &y {<<: *x, b: y}\n<<: *y\nb: own\n",
    "written out": "<<: {a: base, b: base}\nb: own\n",
    "one after the other": "<<: {a: base}\n<<: {a: second}\nb: own\n",
}


@pytest.mark.parametrize("text", MERGES.values(), ids=MERGES)
def test_what_is_merged_at_the_top_is_there_for_every_door(stocked: Any, text: str) -> None:
    import yaml

    path = stocked.home / "s.yaml"
    path.write_text(text)
    expected = yaml.safe_load(text)
    if "long" in text:
        expected["long"] = "base"  # PyYAML 6.0.4 takes the last one, unless the two names are the same object
    assert (expected["a"], expected["b"]) == ("base", "own")
    assert load_variables(str(path)) == expected
    backend = LocalFilesystemBackend(str(path))
    assert {name: backend.get_variable(name) for name in backend.list_names("variable")} == expected
    assert stocked.run("variables", "import", str(path))[0] == 0
    stored = {name: value for name, value, _ in bulk.stored(stocked.app().store, "variable")}
    assert {
        name: value if value in ("base", "own") else json.loads(value) for name, value in stored.items()
    } == expected


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [pytest.param(name, *case, id=f"{what}, {name}") for what, cases in FAULTY.items() for name, case in cases.items()],
)
def test_the_lines_do_not_depend_on_the_parts_that_are_read(
    name: str, text: str | bytes, lines: list[int], size: int
) -> None:
    class Drops(io.BytesIO):
        def read(self, wanted: int | None = -1) -> bytes:
            return super().read(min(size, wanted or size))

    data, kind = text if isinstance(text, bytes) else text.encode(), name[2:]
    if len(data) > 10_000 or data[:2] in (b"\xff\xfe", b"\xfe\xff"):  # long, or known by its first two bytes
        size = 7 if size > 1 else 4096
    whole, _ = collect(data, name, kind), None
    faults, names = list[tuple[int, str]](), dict[str | None, int]()
    try:
        for entry in read_entries(Drops(data), name, kind):
            faults += entry.faults
            if entry.name is not None and entry.name in names:
                faults.append((entry.lines[0], "twice"))
            names.setdefault(entry.name, 1)
    except errors.FileParseError as error:
        faults += error.faults
    assert sorted(line for line, _ in faults) == lines
    assert sorted(line for line, _ in whole[1]) in ([], lines)


@pytest.mark.parametrize("size", [1, 97, 4096, CHUNK])
def test_depth_is_counted_the_same_wherever_a_part_begins(size: int) -> None:
    class Drops(io.BytesIO):
        def read(self, wanted: int | None = -1) -> bytes:
            return super().read(min(size, wanted or size))

    for level, is_fine in ((DEPTH - 1, True), (DEPTH, False)):
        long = '"before": "' + "x" * (CHUNK - 20) + '", '
        for before in ("", long) if size > 1 else ("",):  # byte by byte, every place begins a part in any case
            text = f'{{{before}"k": {"[" * level}{"]" * level}}}'.encode()
            try:
                read = [entry.name for entry in read_entries(Drops(text), "s.json", "json")]
            except errors.FileParseError as fault:
                assert not is_fine
                assert "nested too deeply" in str(fault)
            else:
                assert is_fine and read[-1] == "k"


@pytest.mark.parametrize(("level", "is_fine"), [(DEPTH - 1, True), (DEPTH, False)])
@pytest.mark.parametrize("name", ["s.json", "s.yaml"])
def test_depth_is_the_same_for_every_door_and_format(stocked: Any, name: str, level: int, is_fine: bool) -> None:
    path = stocked.home / name
    path.write_text('{"k": ' + "[" * level + "]" * level + "}")
    assert (not of_load(str(path))) == is_fine
    assert (not of_import(stocked, str(path))) == is_fine


def test_digits_are_bounded_whatever_python_allows(stocked: Any) -> None:
    if not hasattr(sys, "set_int_max_str_digits"):
        pytest.skip("this Python has no bound of its own")
    path = stocked.home / "s.json"
    path.write_text('{"a": 1,\n"k": ' + "9" * (DIGITS + 1) + "}")
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        assert [line for line, _ in of_load(str(path))] == [line for line, _ in of_import(stocked, str(path))] == [2]
    finally:
        sys.set_int_max_str_digits(before)


def test_one_entry_is_bounded_for_an_import(stocked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from framework.files import stream

    monkeypatch.setattr(stream, "FILE_BYTES", 2**20)
    texts = {
        "s.json": ('{"small": 1, "k": "%s"}', '{"small": 1%s}'),
        "s.yaml": ("small: 1\nk: %s\n", "small: 1\n%s"),
        "s.env": ("small=1\nk=%s\n", "small=1\n%s"),
    }
    for name, (one, many) in texts.items():
        path = stocked.home / name
        path.write_text(one % ("x" * 2**21))
        assert [what for _, what in of_import(stocked, str(path))] == ["one value is larger than 1 MiB"], name
        entry = {"s.json": ', "k%s": "%s"', "s.yaml": "k%s: %s\n", "s.env": "k%s=%s\n"}[name]
        path.write_text(many % "".join(entry % (number, "x" * 2**15) for number in range(80)))
        assert of_import(stocked, str(path)) == [], name


def test_the_parsed_file_is_the_same_object_for_every_name(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text('{"a": 1, "b": 2}')
    file = SecretsFile(str(path))
    entries = file.entries()
    assert [(entry.name, entry.lines) for entry in entries.values()] == [("a", [1]), ("b", [1])]
