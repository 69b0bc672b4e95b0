"""What listings leave out and log, and the defaults of a schema."""

from __future__ import annotations

import json
import re
from typing import Any

from framework import errors
from framework.masking.shown import HIDDEN

from ..harness import HERE, Case, Refusal, Row, check, predicate
from .written import (
    is_listing,
)

LISTS = ("getlist", "getenumlist", "get_mandatory_list_value")
RANDOM = ("{FERNET_KEY}", "{SECRET_KEY}", "{JWT_SECRET_KEY}")


@predicate
def leaves_sources_out(case: Case, row: Row) -> bool:
    return is_listing(row) and "[include_" in row.name


@check
def nothing_of_what_is_left_out(case: Case, row: Row, got: Any) -> bool:
    """Every option with what the remaining sources say of it, in the same order of precedence."""
    out = {"env var": "include_env", "cmd": "include_cmds", "secret": "include_secret"}
    left_out = {source for source, flag in out.items() if flag in row.name}
    shown = [(key, *value) for options in got.values() for key, value in options.items()]
    hidden = row.name.startswith("as_dict.source") and "sensitive" not in row.name
    return all(
        source not in left_out
        and key.endswith("_cmd") is False
        and (not hidden or "token" not in key or value == HIDDEN)
        for key, value, source in shown
    )


@predicate
def logs_while_it_lists(case: Case, row: Row) -> bool:
    return row.name == "as_dict_log"


@check
def nothing_is_logged(case: Case, row: Row, got: Any) -> bool:
    return bool(got == [])


@predicate
def asks_an_option(case: Case, row: Row) -> bool:
    return row.key == "gets"


@check
def raised_instead_of_logged(case: Case, row: Row, got: Any) -> bool:
    """The error says it: which option is missing, or which backend cannot be built."""
    answer = got["get"]
    return not got["log"] and isinstance(answer, Refusal) and isinstance(answer.error, errors.ConfigError)


@predicate
def default_with_a_format(case: Case, row: Row) -> bool:
    """`{AIRFLOW_HOME[0]}`, `{AIRFLOW_HOME:>9}`: what `str.format` would evaluate."""
    return bool(re.search(r"\{\w+[\[.:!]", str(case.inputs.get("default", ""))))


@check
def stays_as_it_is_written(case: Case, row: Row, got: Any) -> bool:
    if isinstance(got, Refusal):
        return isinstance(got.error, errors.InvalidValue)
    text = case.inputs["default"]
    return got["value"] in (text, [text], []) or got["value"] == text.split(";") or got["value"] == text.split("\n")


@predicate
def typed_default(case: Case, row: Row) -> bool:
    """A list or a table as a default; Airflow makes the text of it that Python's `str` makes."""
    return isinstance(case.inputs.get("default"), (list, dict))


@check
def keeps_its_type(case: Case, row: Row, got: Any) -> bool:
    """JSON for `get`, the value itself for `getjson` and a list for `getlist`; no number and no name."""
    default, getter = case.inputs["default"], row.name.partition(".")[2]
    if isinstance(got, Refusal):
        return isinstance(got.error, errors.InvalidValue)
    if getter in ("get", "get_mandatory_value"):
        return bool(json.loads(got["value"]) == default)
    return got["value"] in (default, True, [], list(map(str, default)))


@predicate
def list_in_json_form(case: Case, row: Row) -> bool:
    """`["a", "b"]` asked for as a list; Airflow splits it at its commas."""
    return row.name.partition(".")[2].startswith(LISTS) and _json_list(case) is not None


@check
def items_of_the_json_list(case: Case, row: Row, got: Any) -> bool:
    items = _json_list(case)
    if "getenumlist" in row.name:
        return bool(got["value"] == [])  # no item of these names a member
    return bool(got["value"] == items)


def _json_list(case: Case) -> Any:
    text = next((case.data[name] for name in ("value", "default", "fallback") if name in case.data), None)
    if text is None:
        text = case.data.get("cfg", "").partition("=")[2]
    try:
        found = json.loads(text)
    except (TypeError, ValueError):
        return None
    return found if isinstance(found, list) else None


@predicate
def random_default(case: Case, row: Row) -> bool:
    """`{FERNET_KEY}`: another text in each process."""
    return case.inputs.get("default") in RANDOM


@predicate
def asks_a_random_default(case: Case, row: Row) -> bool:
    """An option of Airflow with such a default, by its name or an older one, that the case does not write."""
    schema = json.loads((HERE / "airflow_schema.json").read_text(encoding="utf-8"))
    asked = [row.data.get("section"), row.data.get("key")]
    names = [asked, *(old["new"] for old in schema["deprecated_options"] if old["old"] == asked)]
    return row.key == "gets" and any(
        schema["sections"].get(section, {"options": {}})["options"].get(key, {}).get("default") in RANDOM
        for section, key in names
    )


@check
def no_default(case: Case, row: Row, got: Any) -> bool:
    if row.name == "has_option":
        return got is False
    answer = got["get"] if isinstance(got, dict) else got
    return isinstance(answer, Refusal) and isinstance(answer.error, errors.OptionNotFound)
