"""The cfg dialect: configparser, set up as Airflow sets it up, is the oracle."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from framework.errors import ConfigError, ConfigFileError
from framework.files.text import read_text
from framework.layers.cfg import DEFAULT, interpolate, parse


class Oracle(configparser.ConfigParser):
    """Names keep their letters, as in Airflow's parser."""

    SECTCRE = re.compile(r"\[(?P<header>.+)\]")  # as since Python 3.11

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def oracle(text: str) -> dict[str, dict[str, str]] | None:
    """Section -> key -> text, or None if configparser refuses the text."""
    parser = Oracle(strict=True)
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    sections = {name: dict(parser._sections[name]) for name in parser.sections()}  # type: ignore[attr-defined]
    return {DEFAULT: dict(parser.defaults()), **sections}


def nobody(name: str) -> None:
    """A lookup that finds nothing."""


def ours(text: str) -> dict[str, dict[str, str]] | None:
    try:
        found, _ = parse(text, "a.cfg")
    except ConfigFileError:
        return None
    return {DEFAULT: found.pop(DEFAULT, {}), **found}


def ordered(found: dict[str, dict[str, str]] | None) -> list[object] | None:
    return None if found is None else [(name, list(options.items())) for name, options in found.items()]


PIECES = ["[s]", "[t]", "[DEFAULT]", "[S]", "[]", "[a]b]", "[s", "]", "k", "K", "l", "=", ":", " ", "  ", "\t", "\n",
          "\n", "\n", "# c", ";", "#", "v", "%", "%(k)s", "\r", "\x0b", "\x85", "\u2028", "\xa0", "é", "\0", "k = v\n",
          "l: w\n", "  more\n", "\n\n"]  # fmt: skip
LINES = ["[s]", "[t]", "[DEFAULT]", "k = v", "l: w", "m=", "  more", "    deeper", " # note", "# note", "", "  ",
         "n = a = b", "  o = indented", "p"]  # fmt: skip

texts = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)
files = st.lists(st.sampled_from(LINES), max_size=20).map(lambda lines: "\n".join(["[first]", *lines]))


@settings(max_examples=600, deadline=None)
@given(texts | files | st.text(max_size=40))
@example("[s]\nk = a\n\n# c\n b\n\n")
@example("[s]\nk =\n  a\n")
@example("[DEFAULT]\nk=1\n[DEFAULT]\nl=2\n[s]\n")
@example("[s]x\n  k = v\n   w\n k = v\n")
def test_agrees_with_configparser(text: str) -> None:
    assert ordered(ours(text)) == ordered(oracle(text))


@settings(max_examples=200, deadline=None)
@given(files)
def test_every_option_knows_its_line(text: str) -> None:
    try:
        parsed, numbers = parse(text, "a.cfg")
    except ConfigFileError:
        return
    lines = text.split("\n")
    assert {name: list(options) for name, options in parsed.items()} == {n: list(k) for n, k in numbers.items()}
    for section, options in parsed.items():
        for key, value in options.items():
            line = lines[numbers[section][key] - 1].strip()
            assert line.startswith(key) and line.endswith(value.split("\n")[0])


def fault(text: str) -> str:
    with pytest.raises(ConfigFileError) as caught:
        parse(text, "a.cfg")
    return str(caught.value)


def test_a_duplicate_option_names_both_lines() -> None:
    assert fault("[s]\nk = 1\n\nk = 2\n") == (
        "a.cfg:4: option k of [s] appears twice, first on line 2. Keep one of the two, or write both as one."
    )


def test_a_duplicate_section_names_both_lines() -> None:
    assert fault("[s]\nk = 1\n[s]\nk = 2\n").startswith("a.cfg:3: section [s] appears twice, first on line 1.")


def test_all_faults_are_reported_at_once_and_none_shows_its_line() -> None:
    message = fault("[s]\nk = canary\n  canary\ncanary\n  canary\n= canary\nk = canary\n  more = canary\n[s]\n")
    assert message.startswith(
        "a.cfg:4: a line has no '=' or ':'; line 6: a line has no key; "
        "line 7: option k of [s] appears twice, first on line 2; "
        "line 9: section [s] appears twice, first on line 1. "
    )
    assert "canary" not in message


def test_a_line_before_the_first_section_is_one_fault() -> None:
    assert fault("k = v\nl = w\n").startswith("a.cfg:1: a line comes before the first [section]. Write [section]")


def test_many_faults_are_counted() -> None:
    assert "; and 80 more. " in fault("[s]\n" + "x\n" * 100)


def test_a_long_value_takes_linear_time() -> None:
    lines = 50_000
    parsed, _ = parse("[s]\nk =\n" + "  line of a value\n" * lines, "a.cfg")
    assert parsed["s"]["k"].count("\n") == lines


names = st.sampled_from(["a", "b", "c", "A"])
PERCENTS = [
    "x",
    "%%",
    "%(a)s",
    "%(b)s",
    "%(c)s",
    "%(A)s",
    "%(none)s",
    "%",
    "%s",
    "%()s",
    "%(a)",
    "%(a) s",
    ")",
    "(",
    "s",
]
percents = st.lists(st.sampled_from(PERCENTS), max_size=4).map("".join)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(names, percents, min_size=1), st.dictionaries(names, percents))
def test_interpolates_as_configparser_does(options: dict[str, str], defaults: dict[str, str]) -> None:
    parser = Oracle(interpolation=configparser.BasicInterpolation())
    parser.read_dict({DEFAULT: dict.fromkeys(defaults, ""), "s": dict.fromkeys(options, "")})
    parser._defaults.update(defaults)  # type: ignore[attr-defined]
    parser._sections["s"].update(options)  # type: ignore[attr-defined]
    for key, text in options.items():
        expected: str | None
        try:
            expected = parser.get("s", key)
        except configparser.InterpolationError:
            expected = None
        found: str | None
        try:
            found = interpolate(text, lambda name: options.get(name, defaults.get(name)), "a.cfg:1")
        except ConfigError:
            found = None
        assert found == expected


@pytest.mark.parametrize("depth, fits", [(9, True), (10, True), (11, False)])
def test_the_depth_is_configparsers(depth: int, fits: bool) -> None:
    options = {str(number): f"%({number + 1})s" for number in range(depth)} | {str(depth): "end"}
    parser = Oracle()
    parser.read_dict({"s": options})
    if fits:
        assert interpolate(options["0"], options.get, "here") == parser.get("s", "0") == "end"
        return
    with pytest.raises(configparser.InterpolationDepthError):
        parser.get("s", "0")
    with pytest.raises(ConfigError, match=r"here: .* refers back to itself"):
        interpolate(options["0"], options.get, "here")


def test_a_text_without_percent_is_given_back() -> None:
    text = "as it is"
    assert interpolate(text, nobody, "here") is text


@pytest.mark.parametrize("text", ["canary%", "canary%canary", "%(canary", "%(canary)", "%(canary)s", "%()s"])
def test_a_bad_percent_says_where_and_what_to_write_but_not_the_value(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        interpolate(text, nobody, "a.cfg:7, option password of [db]")
    message = str(caught.value)
    assert message.startswith("a.cfg:7, option password of [db]: ") and "'%%'" in message
    assert "canary" not in message and "canary" not in repr(caught.value)
    assert caught.value.__cause__ is None and caught.value.__context__ is None


def test_reads_utf_8_and_every_kind_of_line_end(tmp_path: Path) -> None:
    file = tmp_path / "a.cfg"
    file.write_bytes("é\r\nb\rc\nd\0".encode())
    assert read_text(str(file)) == "é\nb\nc\nd\0"
    assert read_text(str(file), universal=False) == "é\r\nb\rc\nd\0"
    assert read_text("/dev/null") == ""


@pytest.mark.parametrize(
    "content, message",
    [
        (b"[s]\r\nk = \xff canary\n", ":2: the byte at offset 9 (0xff) is not UTF-8. Save the file as UTF-8."),
        (b"a\rb\rcanary\xe9", ":3: the byte at offset 10 (0xe9) is not UTF-8. Save the file as UTF-8."),
        ("\ufeff[s]\n".encode(), ":1: the file begins with a byte order mark. Save it as UTF-8 without"),
        ("[s]\n".encode("utf-16"), ":1: the text is UTF-16 or binary. Save the file as UTF-8."),
        ("[s]\n".encode("utf-16-le"), ":1: the text is UTF-16 or binary. "),
        ("[s]\n".encode("utf-16-be"), ":1: the text is UTF-16 or binary. "),
    ],
)
def test_refuses_what_is_not_utf_8(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "a.cfg"
    file.write_bytes(content)
    with pytest.raises(ConfigFileError) as caught:
        read_text(str(file))
    assert f"{file}{message}" in str(caught.value)
    assert caught.value.__context__ is None, "the decoder's error holds the whole file"


def test_reports_why_a_file_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def message(path: Path | str) -> str:
        with pytest.raises(ConfigFileError) as caught:
            read_text(str(path))
        return str(caught.value)

    none = tmp_path / "none.cfg"
    assert message(none) == f"{none}: the file does not exist. Create it, or correct the path."
    assert message(tmp_path) == f"{tmp_path}: this is a directory. Name the file inside it."
    (tmp_path / "a.cfg").write_text("")
    assert "(Not a directory)" in message(tmp_path / "a.cfg" / "b.cfg")
    assert "no path can hold" in message("a\0b")

    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    assert "this process may not read the file" in message(tmp_path / "a.cfg")


def test_imports_nothing_that_costs() -> None:
    code = "import sys; import framework.layers.cfg, framework.files.text, framework.convert; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    bare = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"typing", "re", "json", "enum", "logging", "dataclasses", "pathlib", "configparser", "datetime", "inspect"}
    assert not heavy & (set(loaded) - set(bare))
