"""Converters and expansion. The rows that Airflow answered are compared in tests/conformance."""

from __future__ import annotations

import datetime
import enum
import os
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from framework import convert
from framework.convert import expand

CANARY = "canary"


class Letter(enum.Enum):
    ALPHA = "alpha"
    BETA = "beta"
    ALIAS = "alpha"  # noqa: PIE796  an alias is a name, too


@pytest.mark.parametrize("text", ["t", "True", " TRUE ", "1", "true # because", "true#x", True, 1])
def test_true(text: object) -> None:
    assert convert.to_bool(text) is True


@pytest.mark.parametrize("text", ["f", "False", "0", "false # no", False, 0])
def test_false(text: object) -> None:
    assert convert.to_bool(text) is False


@pytest.mark.parametrize(
    "value, expected",
    [("8080", 8080), (" 12\n", 12), ("1_000", 1000), ("2.0", 2), ("1.", 1), ("-0.0", 0), ("1.5e1", 15), (8080, 8080),
     (2.0, 2), (True, 1), ("9007199254740993.0", 9007199254740993), ("+3.00", 3), ("1e23", int(1e23))],
)  # fmt: skip
def test_int(value: object, expected: int) -> None:
    assert convert.to_int(value) == expected
    assert type(convert.to_int(value)) is int


@pytest.mark.parametrize("value, expected", [("0.5", 0.5), ("1e3", 1000.0), ("inf", float("inf")), (3, 3.0)])
def test_float(value: object, expected: float) -> None:
    assert convert.to_float(value) == expected
    assert type(convert.to_float(value)) is float


def test_list() -> None:
    assert convert.to_list("a, b ,,c") == ["a", "b", "", "c"]
    assert convert.to_list("a;b", ";") == ["a", "b"]
    assert convert.to_list("") == []
    assert convert.to_list(" ") == [""]
    typed = [1, True, "x"]
    assert convert.to_list(typed) == typed and convert.to_list(typed) is not typed


def test_json() -> None:
    assert convert.to_json('{"a": [1, null]}') == {"a": [1, None]}
    assert convert.to_json("") is None
    typed = {"a": datetime.date(2024, 1, 2)}
    assert convert.to_json(typed) is typed


def test_bad_json_names_its_place() -> None:
    with pytest.raises(ValueError, match=r"expected JSON.*line 2, column 3"):
        convert.to_json("{\n  canary}")


def test_timedelta() -> None:
    assert convert.to_timedelta("300") == convert.to_timedelta(300) == datetime.timedelta(minutes=5)
    assert convert.to_timedelta("0") == convert.to_timedelta(0) == datetime.timedelta()
    assert convert.to_timedelta("") is None
    day = datetime.timedelta(days=1)
    assert convert.to_timedelta(day) is day


def test_enum() -> None:
    assert convert.to_enum("BETA", Letter) is Letter.BETA
    assert convert.to_enum("ALIAS", Letter) is convert.to_enum(Letter.ALPHA, Letter) is Letter.ALPHA
    with pytest.raises(ValueError, match="expected one of ALPHA, BETA, ALIAS"):
        convert.to_enum("alpha", Letter)
    assert convert.to_enumlist("BETA, gamma,ALPHA", Letter) == ([Letter.BETA, Letter.ALPHA], ["gamma"])
    assert convert.to_enumlist([Letter.BETA, 7], Letter) == ([Letter.BETA], [7])


def test_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert convert.to_import("os.path.join") is os.path.join
    assert convert.to_import("") is None
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "broken_one.py").write_text("raise KeyError('x')")
    with pytest.raises(ValueError, match="fails with KeyError when imported") as caught:
        convert.to_import("broken_one.name")
    assert isinstance(caught.value.__cause__, KeyError)
    (tmp_path / "needy_one.py").write_text("import no_such_module_zz")
    with pytest.raises(ValueError, match="needs one that is not installed"):
        convert.to_import("needy_one.name")


@pytest.mark.parametrize(
    "value, text",
    [
        ("as it is", "as it is"), (True, "true"), (False, "false"), (8080, "8080"), (0.5, "0.5"), (1e-07, "1e-07"),
        (None, ""), ([1, "é"], '[1, "é"]'), ({"a": datetime.date(2024, 1, 2)}, '{"a": "2024-01-02"}'),
        (datetime.datetime(2024, 1, 2, 3, 4), "2024-01-02T03:04:00"), (datetime.time(3, 4), "03:04:00"),
    ],
)  # fmt: skip
def test_text(value: object, text: str) -> None:
    assert convert.to_text(value) == text


BAD: list[tuple[Any, list[Any]]] = [
    (convert.to_bool, [CANARY, "yes", "", "#true", "1.0", 2, None, [True]]),
    (convert.to_int, [CANARY, "1.5", "1#0", "nan", "inf", "1e400", "", "9" * 5000, 1.5, float("inf"), None, [1]]),
    (convert.to_float, [CANARY, "", "1,5", None, [1.0], 10**400]),
    (convert.to_list, [0, None, {}, True]),
    (convert.to_json, [CANARY, "{'canary': 1}", " ", "[" * 100_000, "1" * 5000]),
    (convert.to_timedelta, [CANARY, "1.0", " ", "86400000000000", 1.5, [1]]),
    (lambda value: convert.to_enum(value, Letter), [CANARY, "", "__class__", "name", None, []]),
    (convert.to_import, [CANARY, "canary.x", "os.canary", ".", "..", ".canary", "os.", "os..path", " os.path", 1,
                         ["os"], "os\0.canary", "\ud800.canary"]),
    (convert.to_text, [{(1, 2): CANARY}]),
]  # fmt: skip


@pytest.mark.parametrize("converter, value", [(converter, value) for converter, values in BAD for value in values])
def test_an_error_says_what_is_expected_and_never_the_value(converter: Any, value: object) -> None:
    if value == "1" * 5000 and not hasattr(sys, "get_int_max_str_digits"):
        pytest.skip("this Python converts any number of digits")
    with pytest.raises(ValueError) as caught:
        converter(value)
    assert "expected" in str(caught.value) and CANARY not in str(caught.value)
    assert caught.value.__context__ is None, "the error underneath holds the value"


@given(st.text(max_size=20) | st.integers() | st.floats() | st.booleans() | st.none() | st.lists(st.text(max_size=5)))
def test_converters_fail_with_a_value_error_only(value: object) -> None:
    for converter in (convert.to_bool, convert.to_int, convert.to_float, convert.to_list, convert.to_json,
                      convert.to_timedelta, convert.to_text):  # fmt: skip
        try:
            converter(value)
        except ValueError as error:
            assert "expected" in str(error)


def nobody(name: str) -> None:
    """An environment without variables."""


HOME = {"HOME": "/h/tester"}
PIECES = [
    "$",
    "{",
    "}",
    "~",
    "/",
    "A",
    "B",
    "C",
    "$A",
    "${B}",
    "$C",
    " ",
    "x",
    "é",
    "-",
    "_",
    "1",
    "\n",
    "~root",
    "~zz-no",
]
texts = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
environments = st.dictionaries(st.sampled_from(["A", "B", "C", "AB", "A_1", "1", "é", ""]), texts, max_size=5)


def expand_as_airflow(text: str, env: dict[str, str]) -> str | None:
    """Expanded until nothing changes; None if that does not happen."""
    with mock.patch.dict(os.environ, {key: value for key, value in env.items() if key}, clear=True):
        for _ in range(30):
            after = os.path.expanduser(os.path.expandvars(text))
            if after == text:
                return after
            if len(after) > 100_000:
                break
            text = after
    return None


@settings(max_examples=600, deadline=None)
@given(texts, environments)
@example("$A", {"A": "$B", "B": "$A"})
@example("$A", {"A": "x$A$A"})
@example("${A", {"A": "1"})
def test_expands_as_airflow_and_always_ends(text: str, env: dict[str, str]) -> None:
    env = {key: value for key, value in env.items() if key} | HOME
    expected = expand_as_airflow(text, env)
    assert expand(text, env.get) == (text if expected is None else expected)


def test_what_is_endless_stays_as_it_was_written() -> None:
    env = {"LOOP": "${POOL}", "POOL": "$LOOP", "GROW": "x$GROW", "TWICE": "y$TWICE$TWICE", **HOME}
    for text in ("$LOOP", "$GROW", "$TWICE", "~/$LOOP"):
        assert expand(text, env.get) == text


def test_nothing_to_expand_gives_the_very_object() -> None:
    for value in ("plain", "a~b", "", None, 0, True, ["$HOME"], b"$HOME"):
        assert expand(value, HOME.get) is value


def test_a_home_without_the_variable_is_the_users() -> None:
    with mock.patch.dict(os.environ, clear=True):
        assert expand("~/a", nobody) == os.path.expanduser("~/a")
    assert expand("~\0/a", nobody) == "~\0/a"


def test_reads_no_environment_of_its_own() -> None:
    with mock.patch.dict(os.environ, {"ZZ": "leaked"}):
        assert expand("$ZZ", nobody) == "$ZZ"
