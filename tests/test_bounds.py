"""Small inputs that ask for endless work, and values that no loader expects: each gets an answer or our error, at once.

What would be endless without its bound would not end here either: a watchdog ends the run then, and shows where.
"""

from __future__ import annotations

import faulthandler
import json
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from framework import App, Connection, Variable, errors
from framework.convert import expand, to_json
from framework.files.entries import read_entries
from framework.files.secrets import SecretsFile
from framework.files.tables import read_table
from framework.layers.cfg import CfgLayer
from framework.layers.environment import Environment
from framework.limits import DEPTH, FAULTS, FILE_BYTES, GROWTH
from framework.masking import Masker
from framework.options.references import part_of

CANARY = "s3cretPw77"


@pytest.fixture(autouse=True)
def watchdog() -> Iterator[None]:
    faulthandler.dump_traceback_later(300, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], str]:
    def write(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return write


# --- every reader of files, asked in the same way -------------------------------------------------------------------


def _entries(path: str) -> object:
    return {name: entry.sound(errors.NotUnique) for name, entry in SecretsFile(path).entries().items()}


def _stream(path: str) -> object:
    with open(path, "rb") as file:
        entries = list(read_entries(file, path, path.rpartition(".")[2]))
    return [entry.sound(errors.NotUnique) for entry in entries]


def _app(path: str) -> object:
    app = App("billing", home=str(Path(path).parent), config_files=[path])
    return app.conf.as_dict()


def _schema(path: str) -> object:
    return App("billing", home=str(Path(path).parent), schema=path).conf.as_dict()


def _settings(path: str) -> object:
    return App("billing", home=str(Path(path).parent), settings_files=[path]).conf.as_dict()


READERS = {
    "table": read_table,
    "entries": _entries,
    "stream": _stream,
    "config_files": _app,
    "schema": _schema,
    "settings_files": _settings,
}
READS_TOML = ("table", "config_files", "schema", "settings_files")


def message_of(reader: str, path: str) -> str:
    with pytest.raises(errors.FrameworkError) as caught:
        READERS[reader](path)
    assert type(caught.value) is not errors.FrameworkError
    text = str(caught.value)
    assert CANARY not in text
    assert len(text) < 10_000
    return text


def names_line(message: str, path: str, line: int) -> bool:
    return f"{path}:{line}:" in message or f"{path}: line {line}:" in message


ALIASES = "a0: &a0 {k: x, l: y}\n" + "".join(
    f"a{n}: &a{n} {{{', '.join(f'k{i}: *a{n - 1}' for i in range(9))}}}\n" for n in range(1, 10)
)
ALIAS_LISTS = "a0: &a0 [x, y]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
LONG_ALIAS = "a:\n  b: &b " + "x" * 20_000 + "\nc:\n  d: [" + ", ".join(["*b"] * 1_000) + "]\n"
MERGES = "a0: &a0 {k: x}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 10))


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("text", [ALIASES, ALIAS_LISTS, LONG_ALIAS, MERGES], ids=["maps", "lists", "long", "merges"])
def test_aliases_do_not_multiply(reader: str, text: str, write: Any) -> None:
    path = write("s.yaml", text)
    message = message_of(reader, path)
    assert "its aliases add more than 1,000,000 characters" in message
    assert names_line(message, path, 4 if text is LONG_ALIAS else 7) or text is not LONG_ALIAS


@pytest.mark.parametrize("reader", READERS)
def test_an_alias_inside_its_own_anchor(reader: str, write: Any) -> None:
    path = write("s.yaml", "core:\n  a: &a\n    - 1\n    - *a\n")
    assert "an alias is inside its own anchor" in message_of(reader, path)


@pytest.mark.parametrize("reader", ["table", "entries", "stream", "config_files"])
def test_aliases_as_people_use_them_are_read(reader: str, write: Any) -> None:
    text = "base: &base {host: h, port: 5}\n" + "".join(f"s{n}: {{<<: *base, name: n{n}}}\n" for n in range(200))
    assert READERS[reader](write("s.yaml", text))


DEEP = {
    "list.json": '{"core": {"k":\n' + "[" * 50_000 + "]" * 50_000 + "}}",
    "map.json": '{"core":\n' + '{"k":' * 50_000 + "1" + "}" * 50_000 + "}",
    "open.json": '{"core":\n' + "[" * 50_000,
    "strings.json": '{"core": {"quoted": "\\"]]]\\\\", "k":\n' + '["]",' * 50_000,
    "flow.yaml": "core:\n  " + "k: " + "[" * 50_000 + "]" * 50_000 + "\n",
    "maps.yaml": "core:\n  k: " + "{a: " * 50_000 + "1" + "}" * 50_000 + "\n",
    "dashes.yaml": "core:\n  " + "- " * 5_000 + "x\n",
    "flow.toml": "[core]\nk = " + "[" * 50_000 + "]" * 50_000 + "\n",
    "tables.toml": "[core]\nk = " + "{a = " * 50_000 + "1" + "}" * 50_000 + "\n",
    "dots.toml": "[core]\n" + ".".join(["a"] * 50_000) + " = 1\n",
    "header.toml": "[core]\n[" + ".".join(["a"] * 50_000) + "]\nk = 1\n",
    "quoted.toml": "[core]\n" + ".".join(['"a"'] * 50_000) + " = 1\n",
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", DEEP)
def test_nesting_has_a_bound(reader: str, name: str, write: Any) -> None:
    if name.endswith(".toml") and reader not in READS_TOML:
        pytest.skip("secrets files are not written in TOML")
    path = write(name, DEEP[name])
    message = message_of(reader, path)
    assert f"nested too deeply, more than {DEPTH} levels" in message
    assert names_line(message, path, 2) or names_line(message, path, 1) or name == "dots.toml", message


@pytest.mark.parametrize("name", DEEP)
def test_nesting_in_a_thread_with_a_small_stack(name: str, write: Any) -> None:
    path = write(name, DEEP[name])
    caught: list[BaseException] = []

    def read() -> None:
        try:
            read_table(path)
        except BaseException as error:
            caught.append(error)

    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=read)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert isinstance(caught[0], errors.ConfigFileError)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"core": {"k": "[" * 500 + "{" * 500, "l": '\\"[[['}}),
        json.dumps({"core": {f"k{n}": [[n], {"a": [n]}] for n in range(5_000)}}),
    ],
    ids=["brackets in texts", "many, but flat"],
)
def test_what_only_looks_deep_is_read(text: str, write: Any) -> None:
    assert read_table(write("s.json", text))[0] == json.loads(text)
    assert _stream(write("s.json", text))
    assert to_json(text) == json.loads(text)


def test_what_is_allowed_deep_is_read(write: Any) -> None:
    deep: Any = 1
    for _ in range(DEPTH - 2):
        deep = [deep]
    text = json.dumps({"core": {"k": deep}})
    assert read_table(write("s.json", text))[0]["core"]["k"] == deep
    assert read_table(write("s.yaml", text))[0]["core"]["k"] == deep
    assert read_table(write("s.toml", f"[core]\nk = {json.dumps(deep)}\n"))[0]["core"]["k"] == deep


DIGITS = {
    "s.json": '{"core":\n{"k": ' + "9" * 5_000 + "}}",
    "s.toml": "[core]\nk = " + "9" * 5_000 + "\n",
    "hex.toml": "[core]\nk = 0x" + "f" * 5_000 + "\n",
    "s.yaml": "core:\n  k: " + "9" * 5_000 + "\n",
    "hex.yaml": "core:\n  k: 0x" + "f" * 5_000 + "\n",
    "sixty.yaml": "core:\n  k: 1" + ":59" * 5_000 + "\n",
    "tag.yaml": "core:\n  k: !!int '" + "9" * 5_000 + "'\n",
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", DIGITS)
def test_whole_numbers_have_a_bound(reader: str, name: str, write: Any) -> None:
    if name.endswith(".toml") and reader not in READS_TOML:
        pytest.skip("secrets files are not written in TOML")
    path = write(name, DIGITS[name])
    message = message_of(reader, path)
    assert "a number has more than 4,300 digits" in message
    assert names_line(message, path, 2) or (reader == "stream" and names_line(message, path, 1))


def test_a_long_number_is_refused_without_pythons_own_bound(write: Any) -> None:
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        for name in ("s.json", "s.yaml", "sixty.yaml"):
            assert "4,300 digits" in message_of("table", write(name, DIGITS[name]))
    finally:
        sys.set_int_max_str_digits(before)


def test_digits_in_a_text_are_not_a_number(write: Any) -> None:
    digits = "9" * 5_000
    assert read_table(write("s.json", json.dumps({"core": {"k": digits}})))[0]["core"]["k"] == digits
    assert read_table(write("s.toml", f'[core]\nk = "{digits}"\n'))[0]["core"]["k"] == digits
    assert read_table(write("s.yaml", f"core:\n  k: '{digits}'\n"))[0]["core"]["k"] == digits


@pytest.mark.parametrize("reader", ["table", "entries", "config_files", "settings_files"])
def test_one_name_twice_among_many(reader: str, write: Any) -> None:
    lines = [f'"k{n}": "v"' for n in range(20_000)]
    lines.insert(12_345, '"k7": "w"')
    path = write("s.json", '{"core": {\n' + ",\n".join(lines) + "}}")
    message = message_of(reader, path)
    assert "'k7' appears twice, first on line 9" in message
    assert names_line(message, path, 12_347)


def test_one_name_twice_in_a_value_to_import(write: Any) -> None:
    lines = [f'"k{n}": "v"' for n in range(20_000)] + ['"k7": "w"']
    with open(write("s.json", '{"a": {' + ",".join(lines) + "}}"), "rb") as file:
        entry = next(iter(read_entries(file, "s.json", "json")))
    assert entry.faults == [(1, "'k7' appears twice, first on line 1")]


def test_a_message_lists_some_faults_and_counts_the_others() -> None:
    fault = errors.FileParseError("x.env", [(line, "there is no '='") for line in range(1, 50_001)])
    assert str(fault).endswith(f"; and {50_000 - FAULTS:,} more".replace(",", ""))
    assert len(fault.faults) == 50_000


# --- values that do not fit ---------------------------------------------------------------------------------------

MISFITS = [
    *(f"!!{tag} {CANARY}" for tag in ("bool", "int", "float", "timestamp", "binary", "set", "omap", "pairs", "map")),
    *(f"!!{tag} [{CANARY}]" for tag in ("bool", "int", "float", "timestamp", "binary", "null", "str", "set", "omap")),
    *(f"!!{tag} ''" for tag in ("bool", "int", "float", "timestamp")),
    *("!!int 1:x", "!!int 0x", "!!int -", "!!float .", "!!float 1:a", "2024-13-45"),
    "!!timestamp 2001-12-14t21:59:43.10-99:99",
    "2001-01-01 99:99:99",
    f"{{[{CANARY}]: 1}}",
    f"{{{{{CANARY}: 1}}: 1}}",
    f"{{<<: {CANARY}}}",
    f"{{<<: [{CANARY}]}}",
    f"{{<<: [[{CANARY}]]}}",
    f"!!omap [{CANARY}]",
    f"!!omap [{{a: {CANARY}, b: c}}]",
    f"!!pairs [[{CANARY}]]",
    f"!{CANARY} x",
    f"!!python/object/apply:os.system [{CANARY}]",
    f"*{CANARY}",
    f"'{CANARY}",
    f'"\\q{CANARY}"',
    f"@{CANARY}",
]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("value", MISFITS)
def test_a_yaml_value_that_does_not_fit(reader: str, value: str, write: Any) -> None:
    path = write("s.yaml", f"mail:\n  host: h\n  password: {value}\n")
    message = message_of(reader, path)
    assert str(path) in message
    assert any(names_line(message, path, line) for line in (3, 4)), message


@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan", "190:20:30", "1:30.5", "2001-12-14", "~", "!!set {a, b}"])
def test_odd_yaml_values_that_are_read(value: str, write: Any) -> None:
    path = write("s.yaml", f"mail:\n  k: {value}\n")
    app = App("billing", home=str(Path(path).parent), config_files=[path])
    for getter in (app.conf.get, app.conf.getint, app.conf.getfloat, app.conf.getboolean, app.conf.getlist):
        try:
            getter("mail", "k", fallback=None)
        except errors.InvalidValue:
            pass


# --- what is expanded -----------------------------------------------------------------------------------------------


def cfg(write: Any, text: str) -> CfgLayer:
    return CfgLayer("main cfg", write("billing.cfg", text))


def read(layer: Any, section: str, key: str, environ: dict[str, str] | None = None) -> Any:
    raw, where = layer.find(section, key)
    return layer.read(raw, section, key, where, (environ or {}).get)


@pytest.mark.parametrize("leaf", ["x" * 10, "x"])
def test_interpolation_does_not_multiply(leaf: str, write: Any) -> None:
    lines = [f"a{n} = " + f"%(a{n - 1})s" * 12 for n in range(1, 10)]
    layer = cfg(write, f"[core]\na0 = {leaf}\n" + "\n".join(lines) + "\n")
    with pytest.raises(errors.ConfigError) as caught:
        read(layer, "core", "a9")
    assert f"{layer.path}:11: [core] a9: its %(name)s make the text longer by more than 1,000,000" in str(caught.value)


def test_interpolation_of_nothing_takes_no_time(write: Any) -> None:
    lines = [f"a{n} = " + f"%(a{n - 1})s" * 40 for n in range(1, 10)]
    layer = cfg(write, "[core]\na0 =\n" + "\n".join(lines) + "\n")
    assert read(layer, "core", "a9") == ""


def test_interpolation_is_as_deep_as_in_configparser(write: Any) -> None:
    lines = [f"a{n} = %(a{n - 1})s" for n in range(1, 12)]
    layer = cfg(write, "[core]\na0 = x\n" + "\n".join(lines) + "\nb = %(a9)s%(a10)s\n")
    assert read(layer, "core", "a10") == "x"
    for key in ("a11", "b"):
        with pytest.raises(errors.ConfigError, match="more than 10 options deep"):
            read(layer, "core", key)


ENDLESS = [
    {"A": "$A$A"},
    {"A": "${A}${A}"},
    {"A": "$B$B", "B": "$C$C", "C": "$A"},
    {"A": "x$A"},
    {"A": "~$A", "HOME": "~~"},
    {"A": "$B", "B": "$A"},
    {"A": "$E$E$A$A", "E": ""},
    {f"A{n or ''}": f"$A{n + 1}" * 2 for n in range(40)},
]


@pytest.mark.parametrize("environ", ENDLESS, ids=range(len(ENDLESS)))
def test_expansion_ends_and_asks_a_bounded_number_of_times(environ: dict[str, str], write: Any) -> None:
    asked = 0

    def getenv(name: str) -> str | None:
        nonlocal asked
        asked += 1
        return environ.get(name)

    assert expand("$A", getenv) == "$A"
    assert asked < 100_000
    layer = cfg(write, "[core]\nk = $A\n")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert read(layer, "core", "k", environ) == "$A"
    assert f"{layer.path}:2: " in str(warned[0].message)


def test_expansion_between_dotenv_entries(write: Any) -> None:
    path = write(".env", "BILLING__CORE__K='$A'\nA='$A$A'\n")
    app = App("billing", home=str(Path(path).parent), dotenv=[path])
    with pytest.warns(errors.FrameworkWarning, match=r"\.env:1: .* is left as written"):
        assert app.conf.get("core", "k") == "$A"


def test_braces_that_are_never_closed_are_looked_for_once() -> None:
    text = "${" * 200_000
    assert expand(text, {}.get) == text


@pytest.mark.parametrize("command", ["yes", "cat /dev/zero", f"head -c {FILE_BYTES + 1} /dev/zero"])
def test_what_a_command_prints(command: str) -> None:
    app = App("billing", environ={"BILLING__DB__PASSWORD_CMD": command})
    with pytest.raises(errors.PointerError, match="it is larger than 32 MiB"):
        app.conf.get("db", "password")


def test_blanks_in_a_dotenv_file(write: Any) -> None:
    path = write(".env", "A=1\nB=" + " " * 200_000 + "x\n")
    with pytest.raises(errors.ConfigFileError, match=r":2: a line has more than 1,000 spaces in a row"):
        Environment({}, [path])
    assert Environment({}, [write(".env", "A=a" + " " * 900 + "b # c\n")]).get("A") == "a" + " " * 900 + "b"


# --- texts of JSON, connections ------------------------------------------------------------------------------------

BAD_JSON = ["[" * 50_000, "[" * 50_000 + "]" * 50_000, "9" * 5_000, '{"a":' * 50_000, f'{{"a": {"9" * 5_000}}}']


@pytest.mark.parametrize("text", BAD_JSON, ids=range(len(BAD_JSON)))
def test_json_texts_have_bounds(text: str, tmp_path: Path) -> None:
    environ = {"BILLING__CORE__K": text, "BILLING_VAR_V": text, "BILLING__SECRETS__BACKEND_KWARGS": text}
    app = App("billing", home=str(tmp_path), environ=environ).use()
    with pytest.raises(errors.InvalidValue, match="too deep|digits"):
        app.conf.getjson("core", "k")
    with pytest.raises(errors.InvalidValue, match="too deep|digits"):
        Variable.get("v", deserialize_json=True)
    with pytest.raises(ValueError, match="too deep|digits"):
        part_of(text, "/a")
    for extra in (text, f'{{"extra": {text}}}'):
        with pytest.raises(errors.InvalidConnection):
            Connection.from_json(extra)
    with pytest.raises(errors.InvalidConnection, match="too deep|digits|not a JSON object"):
        Connection("x", extra=text)


def test_a_part_with_a_number_of_thousands_of_digits() -> None:
    with pytest.raises(ValueError, match="its value has no such part"):
        part_of("[1, 2]", "/" + "9" * 5_000)


@pytest.mark.parametrize(
    "uri",
    [
        "postgres://u:p@h:" + "9" * 5_000 + "/db",
        "postgres://[" + ":" * 500_000 + "]/db",
        "postgres://[v" + "f" * 500_000 + "]/db",
        "postgres://h/db?a=" + "[" * 50_000,
        "postgres://h/db?a=" + "9" * 5_000,
        "postgres://h/db?" + "&".join(f"k{n}={n}" for n in range(50_000)),
        "postgres://" + "u" * 2_000_000 + "@h/db",
        "postgres://h/?" + "a" * 2_000_000,
        "postgres://" + "%41" * 500_000,
        "postgres" + "://" * 300_000,
        "postgres://h/db?__extra__=" + "%7B%22a%22:" * 50_000,
    ],
    ids=range(11),
)
def test_long_uris(uri: str) -> None:
    try:
        connection = Connection.from_uri(uri)
        assert connection.extra_dejson is not None
        repr(connection)
    except errors.InvalidConnection as error:
        assert len(str(error)) < 1_000


# --- the masker ----------------------------------------------------------------------------------------------------


def shared(levels: int, kind: Callable[[Any], Any]) -> Any:
    value: Any = kind(["hidden-secret", "hidden-secret"])
    for _ in range(levels):
        value = kind([value, value])
    return value


def as_dict(items: list[Any]) -> dict[str, Any]:
    return {"a": items[0], "password": items[1]}


@pytest.mark.parametrize("kind", [list, tuple, as_dict], ids=["list", "tuple", "dict"])
@pytest.mark.parametrize("levels", [25, 90])
def test_shared_structures_are_masked_once(kind: Callable[[Any], Any], levels: int) -> None:
    masker = Masker()
    value = shared(levels, kind)
    masker.add_mask(value)
    masker.add_mask(value, "password")
    assert masker.redact_text("a hidden-secret b") == "a *** b"
    copy = masker.redact(value)
    masker.merge(copy, value)
    for _ in range(levels):
        copy = copy["a"] if isinstance(copy, dict) else copy[0]
    assert (copy["a"] if isinstance(copy, dict) else copy[0]) == "***"


def test_structures_that_hold_themselves_or_are_deep() -> None:
    masker = Masker()
    circle: dict[str, Any] = {"password": "circle-secret"}
    circle["me"], circle["list"] = circle, [circle, circle]
    masker.add_mask(circle)
    assert masker.redact_text("circle-secret") == "***"
    masker.redact(circle)
    masker.merge(circle, circle)
    nodes: list[list[Any]] = [[] for _ in range(30)]
    for node in nodes:
        node += nodes
    masker.redact(nodes)
    masker.add_mask(nodes)
    deep: list[Any] = ["deep-secret"]
    for _ in range(50_000):
        deep = [deep]
    masker.add_mask(deep)
    masker.redact(deep)
    masker.merge(deep, deep)
    assert masker.redact_text("deep-secret") == "***"


def test_a_log_record_with_a_structure_that_shares_its_parts(caplog: pytest.LogCaptureFixture) -> None:
    import logging

    from framework.masking import RedactingFilter

    record = logging.LogRecord("x", logging.INFO, "", 0, "%s and %s", (shared(40, list), "b"), None)
    RedactingFilter().filter(record)
    assert record.getMessage() == "<list too large to show> and b"


@pytest.mark.parametrize("text", ["://" * 100_000, "a://b:" * 50_000, "&" * 300_000, "%2" * 200_000, "\\u" * 200_000])
def test_texts_made_to_be_slow_are_searched(text: str) -> None:
    masker = Masker()
    masker.add_mask("a-secret-word")
    assert "a-secret-word" not in masker.redact_text(text + " a-secret-word")


# --- much of everything --------------------------------------------------------------------------------------------


def test_a_cfg_file_with_much_of_everything(write: Any) -> None:
    long = "x" * 1_000_000
    continued = "\n".join(["  y"] * 50_000)
    blanks = "\n" * 50_000
    layer = cfg(
        write, f"[core]\nlong = {long}\nmany = a\n{continued}\nblank = b{blanks}  c\n[{'s' * 100_000}]\nk = 1\n"
    )
    assert len(read(layer, "core", "long")) == 1_000_000
    assert read(layer, "core", "many").count("\n") == 50_000
    assert read(layer, "core", "blank").count("\n") == 50_000


def test_a_cfg_file_with_nothing_but_faults_names_some(write: Any) -> None:
    with pytest.raises(errors.ConfigFileError) as caught:
        cfg(write, "[core]\n" + "no option here\n" * 50_000)
    assert len(str(caught.value)) < 2_000


def test_the_nearest_of_thousands_of_names(write: Any) -> None:
    path = write("billing.cfg", "[core]\n" + "".join(f"some_option_{n} = 1\n" for n in range(20_000)))
    app = App("billing", home=str(Path(path).parent))
    with pytest.raises(errors.OptionNotFound, match="Did you mean"):
        app.conf.get("core", "some_optoin_12")
    with pytest.raises(errors.OptionNotFound):
        app.conf.get("core", "k" * 1_000_000)


def test_growth_is_stated_where_people_look() -> None:
    text = (Path(__file__).parent.parent / "docs" / "explanation" / "security.md").read_text()
    for bound in (f"{GROWTH:,} characters", f"{DEPTH} levels", "4,300 digits"):
        assert bound in text


def test_a_stream_of_a_million_small_entries_is_read_in_turn() -> None:
    body = ",".join(f'"k{n}": [[{n}]]' for n in range(100_000))
    assert sum(1 for _ in read_entries(BytesIO(f"{{{body}}}".encode()), "s.json", "json")) == 100_000
