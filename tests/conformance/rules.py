"""Predicates and checks of `differences.toml` for options and the chain; those for connections are in harness.py.

A predicate looks at what a case sets (files, variables, arguments), a check at what we answer. Where the design
has the answer follow from another rule of Airflow's (the newline of a command, a lower-case name), the check
works out that answer and compares.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

from framework import errors
from framework.config import HIDDEN

from .harness import Case, Refusal, Row, check, is_error, predicate, same

POINTERS = ("_cmd", "_secret")


class Writing:
    """One option as a case writes it: in the environment or in the cfg file, names as they stand there."""

    def __init__(self, place: str, section: str, key: str, text: str) -> None:
        self.place, self.section, self.key, self.text = place, section, key, text
        self.form = next((form for form in POINTERS if key.lower().endswith(form)), "")
        self.option = (section.lower(), key.lower().removesuffix(self.form))


def writings(case: Case) -> list[Writing]:
    found = []
    for name, text in (case.inputs.get("env") or {}).items():
        section, separator, key = name.removeprefix("AIRFLOW__").partition("__")
        if name.startswith("AIRFLOW__") and separator:
            found.append(Writing("env", section, key, text or ""))
    section = ""
    for line in (case.inputs.get("cfg") or "").splitlines():
        header, option = re.match(r"\[(.*)\]", line), re.match(r"([^\s#;=:][^=:]*?)\s*[=:]\s*(.*)", line)
        if header:
            section = header[1]
        elif option:
            found.append(Writing("cfg", section, option[1], option[2].strip()))
    return found


def pointers(case: Case, form: str = "") -> list[Writing]:
    return [writing for writing in writings(case) if writing.form and writing.form.endswith(form)]


def old_names(case: Case) -> dict[tuple[str, str], tuple[str, str]]:
    """Old name -> new name, as far as the case writes or asks for them."""
    renamed = {(old[2], old[3]): (old[0], old[1]) for old in case.inputs.get("deprecated_options", [])}
    asked = {(get["section"], get["key"]) for get in case.data.get("expect", {}).get("gets", [])}
    for new, (old, _) in case.inputs.get("deprecated_sections", {}).items():
        names = {writing.option for writing in writings(case)} | asked
        renamed.update({name: (new, name[1]) for name in names if name[0] == old})
    return renamed


def writes_old_name(case: Case) -> bool:
    return any(writing.option in old_names(case) or (writing.section.lower(), writing.key.lower()) in old_names(case)
               for writing in writings(case))  # fmt: skip


def is_listing(row: Row) -> bool:
    return row.name.startswith("as_dict.")


# -- arguments that are Airflow's alone ----------------------------------------------------------


@predicate
def asks_for_a_team(case: Case, row: Row) -> bool:
    """`get(…, team_name=…)`, whatever the name."""
    return "team_name" in {**row.data, **(row.data.get("kwargs") or {})}


@predicate
def suppresses_warnings(case: Case, row: Row) -> bool:
    return "suppress_warnings" in (row.data.get("kwargs") or {})


@check
def no_such_argument(case: Case, row: Row, got: Any) -> bool:
    """A TypeError at the caller's line, instead of an answer for another team than was asked."""
    answer = got["get"] if isinstance(got, dict) else got
    return isinstance(answer, Refusal) and isinstance(answer.error, TypeError) and "argument" in str(answer.error)


@predicate
def lists_a_teams_section(case: Case, row: Row) -> bool:
    """`[team=core]`, `AIRFLOW__TEAM___CORE__KEY`."""
    return is_listing(row) and any("=" in writing.section or writing.key.startswith("_") for writing in writings(case))


@check
def listed_like_any_section(case: Case, row: Row, got: Any) -> bool:
    """By its name in lower case; undeclared, so nothing of it is sensitive."""
    expected, found = _lowered(row.expected), _lowered(got)
    return _shape(expected) == _shape(found) and all(
        same(_shown(expected[section][key]), _shown(value)) or _shown(expected[section][key]) == HIDDEN
        for section, options in found.items()
        for key, value in options.items()
    )


def _lowered(table: Any) -> dict[str, dict[str, Any]]:
    """The listing with every name in lower case; of two that become one, the one that was in lower case stays."""
    lowered: dict[str, dict[str, Any]] = {}
    for section in sorted(table, key=str.islower):
        for key in sorted(table[section], key=lambda key: key == key.lower()):
            lowered.setdefault(section.lower(), {})[key.lower()] = table[section][key]
    return lowered


def _shape(table: dict[str, dict[str, Any]]) -> dict[str, set[str]]:
    return {section: set(options) for section, options in table.items()}


def _shown(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


# -- pointers ------------------------------------------------------------------------------------


def configs_of(case: Case) -> dict[str, Any] | None:
    """The config secrets that the case's secrets file holds; None if it cannot be read."""
    written = {writing.option[1]: writing.text for writing in writings(case) if writing.option[0] == "secrets"}
    where = written.get("backend_kwarg__configs_file_path") or written.get("backend_kwargs", "")
    found = re.search(r"\{TMP\}/([\w%.]+)", where)
    if "LocalFilesystemBackend" not in written.get("backend", "") or not found:
        return {}
    text = (case.inputs.get("files") or {}).get(found[1])
    try:
        if found[1].endswith(".json"):
            return dict(json.loads(text))
        if found[1].endswith((".yaml", ".yml")):
            import yaml

            return dict(yaml.safe_load(text))
        return dict(line.split("=", 1) for line in text.splitlines())
    except Exception:  # whatever makes it unreadable
        return None


@predicate
def secret_that_nobody_has(case: Case, row: Row) -> bool:
    """A `_secret` whose name the only store does not hold (`null` is nothing)."""
    configs = configs_of(case)
    return configs is not None and any(configs.get(pointer.text) is None for pointer in pointers(case, "_secret"))


@predicate
def reference_like_a_value(case: Case, row: Row) -> bool:
    """A `_secret` that is empty, or holds white space or `://`."""
    return any(not p.text or "://" in p.text or re.search(r"\s", p.text) for p in pointers(case, "_secret"))


@predicate
def secret_written_twice(case: Case, row: Row) -> bool:
    """A secrets file that gives one name two values; Airflow takes the last one."""
    twice: list[bool] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        twice.append(len({key for key, _ in found}) < len(found))
        return dict(found)

    for name, text in (case.inputs.get("files") or {}).items():
        if name.endswith(".json"):
            try:
                json.loads(text, object_pairs_hook=pairs)
            except ValueError:
                continue
    return any(twice)


def _printed(command: str, case: Case) -> str:
    values = {"{TMP}/" + name: text for name, text in (case.inputs.get("files") or {}).items()}
    words = shlex.split(command)
    if words[:1] == ["cat"] and all(word in values for word in words[1:]):
        return "".join(values[word] for word in words[1:])
    run = subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, timeout=20, check=True)
    return run.stdout.decode()


def _prints(case: Case) -> Iterator[str]:
    for pointer in pointers(case, "_cmd"):
        try:
            yield _printed(pointer.text, case)
        except (ValueError, OSError, subprocess.SubprocessError):
            continue


@predicate
def command_prints_nothing(case: Case, row: Row) -> bool:
    return any(output in ("", "\n") for output in _prints(case))


@predicate
def command_prints_a_last_newline(case: Case, row: Row) -> bool:
    return any(output.endswith("\n") for output in _prints(case))


@check
def pointer_fails(case: Case, row: Row, got: Any) -> bool:
    """An error; what hides values says that a pointer stands there, and nothing of a lower layer."""
    if is_listing(row) and not isinstance(got, Refusal):
        return row.name in ("as_dict.source",) and _names_the_pointer(case, row, got)
    answer = got["get"] if isinstance(got, dict) else got
    rest = not isinstance(got, dict) or (got["has_option"] and got["is_sensitive"] and not got["warnings"])
    return isinstance(answer, Refusal) and isinstance(answer.error, errors.PointerError) and bool(rest)


def _names_the_pointer(case: Case, row: Row, got: dict[str, dict[str, Any]]) -> bool:
    """All as Airflow lists it, but that the option of the pointer is hidden, and its pointer not a second option."""
    forms = {pointer.option: pointer.form[1:] for pointer in pointers(case)}
    names = {(p.section.lower(), p.key.lower()) for p in pointers(case)} | set(forms)
    rest = _without(got, names) == _without(row.expected, names)
    hidden = {(s, k): value for s, options in got.items() for k, value in options.items() if (s, k) in forms}
    return rest and all(value[0] == HIDDEN for value in hidden.values()) and bool(hidden)


def _without(table: dict[str, dict[str, Any]], names: set[tuple[str, str]]) -> list[tuple[str, str, str]]:
    return sorted(
        (section, key, repr(value))
        for section, options in table.items()
        for key, value in options.items()
        if (section.lower(), key.lower()) not in names
    )


@check
def without_the_last_newline(case: Case, row: Row, got: Any) -> bool:
    """What Airflow has, less one newline at the end of what a command printed."""

    def stripped(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: stripped(item) for key, item in value.items()}
        if isinstance(value, list):
            return [stripped(item) for item in value]
        return value.removesuffix("\n") if isinstance(value, str) and value in outputs else value

    outputs = {output for output in _prints(case) if output.endswith("\n")}
    return same(stripped(row.expected), got)


@predicate
def pointer_is_written(case: Case, row: Row) -> bool:
    return bool(pointers(case))


@predicate
def lists_hidden_pointers(case: Case, row: Row) -> bool:
    return row.name == "as_dict.source" and bool(pointers(case))


@check
def hidden_without_following(case: Case, row: Row, got: Any) -> bool:
    """Where Airflow fails, a listing in which the option of the pointer is hidden."""
    forms = {pointer.option: pointer.form[1:] for pointer in pointers(case)}
    return is_error(row.expected) and all(
        got.get(section, {}).get(key) == [HIDDEN, form] for (section, key), form in forms.items()
    )


@predicate
def pointer_or_bad_percent(case: Case, row: Row) -> bool:
    """An option that is written, and cannot be resolved."""
    return bool(pointers(case)) or any("%" in writing.text for writing in writings(case) if writing.place == "cfg")


@check
def has_what_is_written(case: Case, row: Row, got: Any) -> bool:
    """True, though the value itself is an error."""
    return got["has_option"] is True and isinstance(got["get"], Refusal)


@predicate
def pointer_with_a_bad_percent(case: Case, row: Row) -> bool:
    return row.name == "as_dict.raw_sensitive" and any(
        pointer.place == "cfg" and "%" in pointer.text for pointer in pointers(case)
    )


@predicate
def pointer_that_as_dict_misses(case: Case, row: Row) -> bool:
    """Airflow's `as_dict(raw=True)` looks for a secret under the name with `%` doubled."""
    return row.name == "as_dict.raw_sensitive" and any("%" in pointer.text for pointer in pointers(case, "_secret"))


@check
def the_pointers_value(case: Case, row: Row, got: Any) -> bool:
    """The secret, its `%` doubled, as `get` has it."""
    configs = configs_of(case) or {}
    forms = {p.option: str(configs.get(p.text)).replace("%", "%%") for p in pointers(case, "_secret")}
    return all(got[section][key] == value for (section, key), value in forms.items())


@predicate
def backend_that_cannot_be_built(case: Case, row: Row) -> bool:
    """`[secrets] backend` names no class."""
    named = [writing.text for writing in writings(case) if writing.option == ("secrets", "backend")]
    return any(name and not re.fullmatch(r"\w+(\.\w+)+", name) for name in named) and bool(pointers(case, "_secret"))


@check
def backend_error(case: Case, row: Row, got: Any) -> bool:
    answer = got["get"] if isinstance(got, dict) and "get" in got else got
    return isinstance(answer, Refusal) and isinstance(answer.error, errors.BackendError)


@predicate
def pointer_beside_a_plain_option(case: Case, row: Row) -> bool:
    asked = (row.data.get("section", ""), row.data.get("key", ""))
    return row.key == "gets" and any(pointer.option == asked for pointer in pointers(case))


@check
def told_that_it_is_ignored(case: Case, row: Row, got: Any) -> bool:
    """One warning for each pointer that is written, with its place."""
    told = [warning.get("message", "") for warning in got["warnings"]]
    asked = (row.data["section"], row.data["key"])
    written = [pointer for pointer in pointers(case) if pointer.option == asked]
    return len(told) == len(written) and all("is ignored" in text for text in told) and not got["is_sensitive"]


# -- names ---------------------------------------------------------------------------------------


@predicate
def old_name_is_listed(case: Case, row: Row) -> bool:
    return is_listing(row) and writes_old_name(case)


@check
def listed_by_its_new_name(case: Case, row: Row, got: Any) -> bool:
    """All as Airflow lists it, but that the value under an old name stands under the new one."""
    renamed = old_names(case)
    plain = {name for name in renamed if any(name == (w.section.lower(), w.key.lower()) for w in writings(case))}
    names = set(renamed) | {new for old, new in renamed.items()}
    moved = all(old[1] not in got.get(old[0], {}) and renamed[old][1] in got.get(renamed[old][0], {}) for old in plain)
    return moved and _without(got, names) == _without(row.expected, names)


@predicate
def asks_or_writes_an_old_name(case: Case, row: Row) -> bool:
    asked = (row.data.get("section"), row.data.get("key"))
    renamed = old_names(case)
    return row.key == "gets" and (asked in renamed or (asked in renamed.values() and writes_old_name(case)))


@check
def told_of_both_names(case: Case, row: Row, got: Any) -> bool:
    """Whatever Airflow tells, and that an old name is asked for or written, with the new one."""
    extra = [warning for warning in got["warnings"] if warning not in row.expected["warnings"]]
    asked = (row.data["section"], row.data["key"])
    old = [name for name, new in old_names(case).items() if asked in (name, new)]
    return bool(extra) and all(
        "is now called" in warning.get("message", "") and any(f"[{s}] {k} " in warning["message"] + " " or
        f"[{s}] {k}," in warning["message"] for s, k in old) for warning in extra
    )  # fmt: skip


@predicate
def pointer_under_the_new_name(case: Case, row: Row) -> bool:
    """In one file: the old name plainly, the new name as a pointer."""
    written = [writing for writing in writings(case) if writing.place == "cfg"]
    plain = {writing.option for writing in written if not writing.form}
    new = {writing.option for writing in written if writing.form}
    asked = (row.data.get("section"), row.data.get("key"))
    return any(
        old in plain and name in new and (asked in (old, name) or is_listing(row))
        for old, name in old_names(case).items()
    )


@check
def the_new_names_value(case: Case, row: Row, got: Any) -> bool:
    return bool(got["get"] == {"value": next(_prints(case))}) and got["has_option"] is True


@predicate
def capital_letters_in_names(case: Case, row: Row) -> bool:
    schema = case.shared.get("schemas", {}).get(case.inputs.get("schema"), {})
    declared = [name for section, content in schema.items() for name in (section, *content["options"])]
    written = [name for w in writings(case) if w.place == "cfg" for name in (w.section, w.key)]
    return any(name != name.lower() for name in (*declared, *written) if name != "DEFAULT")


@check
def read_by_any_spelling(case: Case, row: Row, got: Any) -> bool:
    """Listed by its name in lower case; got, whichever way it is spelt."""
    if is_listing(row):
        expected, found = _lowered(row.expected), _lowered(got)
        names = {p.option for p in pointers(case)} | {(p.section.lower(), p.key.lower()) for p in pointers(case)}
        return found == got and _without(found, names) == _without(expected, names)
    texts = [w.text for w in writings(case)] + list(_prints(case)) + list((configs_of(case) or {}).values())
    answer = got.get("get", got) if isinstance(got, dict) else got
    if isinstance(answer, Refusal):
        return isinstance(answer.error, errors.InvalidValue)
    return answer["value"] is True or answer["value"] == [] or any(text in (answer["value"], *_items(answer)) for text in texts)  # noqa: E501


def _items(answer: dict[str, Any]) -> list[Any]:
    return answer["value"] if isinstance(answer["value"], list) else []


# -- listings ------------------------------------------------------------------------------------


@predicate
def leaves_sources_out(case: Case, row: Row) -> bool:
    return is_listing(row) and "[include_" in row.name


@check
def nothing_of_what_is_left_out(case: Case, row: Row, got: Any) -> bool:
    """Every option with what the remaining sources say of it, in the same order of precedence."""
    out = {"env var": "include_env", "cmd": "include_cmds", "secret": "include_secret"}
    left_out = {source for source, flag in out.items() if flag in row.name}
    shown = [(key, *value) for options in got.values() for key, value in options.items()]
    hidden = row.name.startswith("as_dict.hidden")
    return all(
        source not in left_out and key.endswith("_cmd") is False and (not hidden or "token" not in key or value == HIDDEN)
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
def random_default(case: Case, row: Row) -> bool:
    """`{FERNET_KEY}`: another text in each process."""
    return case.inputs.get("default") in ("{FERNET_KEY}", "{SECRET_KEY}", "{JWT_SECRET_KEY}")


@check
def no_default(case: Case, row: Row, got: Any) -> bool:
    if row.name == "has_option":
        return got is False
    return isinstance(got, Refusal) and isinstance(got.error, errors.OptionNotFound)
