"""Who wins: layers, names and forms, through every getter of one option and every way of `as_dict`."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from framework import masking
from framework.app import App
from framework.masking.shown import HIDDEN

from .harness import Case, Refusal, Row, attempt, decode, encode, environment, hide_tmp, of_file, write_files
from .rules.written import configs_of, pointers


def rows_of(case: Case) -> Iterator[Row]:
    expect = case.data["expect"]
    for number, get in enumerate(expect["gets"]):
        yield Row(f"gets[{number}]", shaped(get), get)
    for variant, table in expect["as_dict"].items():
        yield Row(f"as_dict.{variant}", table)
    if "as_dict_log" in expect:
        yield Row("as_dict_log", expect["as_dict_log"])
    for number, got in enumerate(expect.get("getsection", [])):
        yield Row(f"getsection[{number}]", got["value"], got)
    for name in ("sections", "options"):
        if name in expect:
            yield Row(name, expect[name])


def shaped(get: dict[str, Any]) -> dict[str, Any]:
    """What is known of one option, part by part."""
    answer = {name: get[name] for name in ("value", "error") if name in get}
    known: dict[str, Any] = {name: get[name] for name in ("has_option", "is_sensitive") if name in get}
    warned = [warning for i, warning in enumerate(get.get("warnings", [])) if warning not in get["warnings"][:i]]
    return {"get": answer, **known, "warnings": warned, "log": get.get("log", [])}


def schema_of(case: Case) -> dict[str, Any]:
    schema: dict[str, Any] = copy.deepcopy(case.shared["schemas"][case.data["schema"]])
    for section, key, old_section, old_key, since in case.data.get("deprecated_options", []):
        option = schema.setdefault(section, {"options": {}})["options"].setdefault(key, {})
        option.setdefault("renamed_from", []).append({"section": old_section, "key": old_key, "since": since})
    for section, (old, since) in case.data.get("deprecated_sections", {}).items():
        schema[section].setdefault("renamed_from", []).append({"section": old, "since": since})
    return schema


@of_file("config_precedence.json", rows=rows_of)
def test_precedence(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("framework.masking.masker._masker", masking.Masker())
    monkeypatch.chdir(tmp_path)
    write_files(case.data.get("files"), tmp_path)
    variables = environment(tmp_path, case.data.get("env"))
    if "cfg" in case.data:
        write_files({"home/airflow.cfg": case.data["cfg"]}, tmp_path)
        (tmp_path / "home/airflow.cfg").chmod(0o600)
    schema, before = schema_of(case), dict(variables)

    def app() -> App:
        return App("airflow", schema=schema, environ=variables)

    for row in case.rows.values():
        case.compare(row.name, asking(case, row, app, tmp_path), secrets=secrets_of(case))
    assert variables == before, "the environment is never written"
    shown_is_used(app())


def secrets_of(case: Case) -> list[str]:
    """What no error may repeat: the secrets, the arguments of commands, references that look like a value."""
    texts = [text for text in (configs_of(case) or {}).values() if isinstance(text, str)]
    texts += [pointer.text for pointer in pointers(case, "_cmd") if " " in pointer.text]
    return texts + [pointer.text for pointer in pointers(case, "_secret") if "://" in pointer.text]


def asking(case: Case, row: Row, app: Callable[[], App], tmp: Path) -> Callable[[], Any]:
    asks = {
        "gets": lambda: asked(row, app),
        "as_dict_log": lambda: with_warnings(lambda: app().conf.as_dict(display_source=True), row.expected)[1],
        "getsection": lambda: section_of(app(), row),
        "sections": lambda: sections_of(app()),
        "options": lambda: options_of(app()),
    }
    ask = asks.get(row.key, lambda: listed(app(), row.name.partition(".")[2]))
    return lambda: hide_tmp(encode(ask()), tmp)


def asked(row: Row, app: Callable[[], App]) -> dict[str, Any]:
    section, key = row.data["section"], row.data["key"]
    kwargs = decode(row.data.get("kwargs") or {})
    answer, warned = with_warnings(
        lambda: attempt(lambda: app().conf.get(section, key, **kwargs)), row.expected["warnings"]
    )
    old_names = {name: value for name, value in kwargs.items() if name == "lookup_from_deprecated"}
    return {
        "get": answer if isinstance(answer, Refusal) else {"value": answer},
        "has_option": app().conf.has_option(section, key, **old_names),
        "is_sensitive": app().conf.is_sensitive(section, key),
        "warnings": warned,
        "log": [],
    }


def with_warnings(ask: Callable[[], Any], expected: list[dict[str, Any]]) -> tuple[Any, list[dict[str, Any]]]:
    """What is answered, and every warning once: Airflow's of that kind if it mentions the same names, or its text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer = ask()
    warned = [as_expected(warning, expected) for warning in caught]
    return answer, [entry for i, entry in enumerate(warned) if entry not in warned[:i]]


def as_expected(warning: warnings.WarningMessage, expected: list[dict[str, Any]]) -> dict[str, Any]:
    category, text = warning.category.__name__, str(warning.message)
    words = set(text.replace("[", " ").replace("]", " ").replace(",", " ").replace(":", " ").split())
    for entry in expected:
        if entry.get("category") == category and words.issuperset(entry["mentions"]):
            return entry
    return {"category": category, "message": text}


# Listings. The framework's own options are next to the schema's; they are left out of the comparison.


def is_own(app: App, section: str, key: str) -> bool:
    option = app.schema.option(section, key)
    return option is not None and option.own


def listed(app: App, variant: str) -> dict[str, dict[str, Any]]:
    """The variant of `as_dict` that the oracle calls `source_sensitive` or `without[include_env,include_cmds]`."""
    name, _, left_out = variant.rstrip("]").partition("[")
    without = {} if left_out in ("", "all") else dict.fromkeys(left_out.split(","), False)
    raw = name == "raw_sensitive"
    table = app.conf.as_dict(
        display_source=True, display_sensitive=name not in ("source", "hidden_without"), raw=raw, **without
    )
    found: dict[str, dict[str, Any]] = {section: {} for section in sections_of(app) if section in table}
    for section, options in table.items():
        for key, (value, source) in options.items():
            if not (is_own(app, section, key) and source == "default"):
                found.setdefault(section, {})[key] = value if raw else [value, source]
    return found


def section_of(app: App, row: Row) -> dict[str, Any] | None:
    arguments = {name: row.data[name] for name in ("section", "team_name") if name in row.data}
    found = app.conf.getsection(**arguments)
    return found and {key: value for key, value in found.items() if not is_own(app, row.data["section"], key)}


def sections_of(app: App) -> list[str]:
    return [
        section
        for section in app.conf.sections()
        if not all(is_own(app, section, key) for key in app.conf.options(section))
    ]


def options_of(app: App) -> dict[str, list[str]]:
    return {
        section: [key for key in app.conf.options(section) if not is_own(app, section, key)]
        for section in sections_of(app)
    }


def shown_is_used(app: App) -> None:
    """Every value that `as_dict` shows is the one that `get` gives; where one of them fails, both do."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        used = {name: attempt(lambda name=name: app.conf.get(*name)) for name in app.engine.entries()}  # type: ignore[misc]
        shown = attempt(lambda: app.conf.as_dict(display_sensitive=True))
        hidden = attempt(app.conf.as_dict)
    values = {name: value for name, value in used.items() if not isinstance(value, Refusal)}
    if isinstance(shown, Refusal):
        assert any(type(value.error) is type(shown.error) for value in used.values() if isinstance(value, Refusal))
    if isinstance(hidden, Refusal):
        return
    if not isinstance(shown, Refusal):
        assert {(s, k): value for s, options in shown.items() for k, value in options.items()} == values
    for (section, key), value in used.items():
        if app.conf.is_sensitive(section, key) and (section, key) in values:
            assert hidden[section][key] == HIDDEN, value
