"""`_cmd` and `_secret`: those that lead nowhere, that are ignored, that are listed."""

from __future__ import annotations

import json
import re
from typing import Any

from framework import errors
from framework.masking.shown import HIDDEN

from ..harness import Case, Refusal, Row, check, is_error, predicate, same
from .written import (
    concerned,
    configs_of,
    is_listing,
    is_table,
    pointers,
    prints,
    without,
    writings,
)


@predicate
def secret_that_nobody_has(case: Case, row: Row) -> bool:
    """A `_secret` whose name the only store does not hold (`null` is nothing)."""
    configs = configs_of(case)
    return configs is not None and any(configs.get(p.text) is None for p in concerned(case, row, "_secret"))


@predicate
def reference_like_a_value(case: Case, row: Row) -> bool:
    """A `_secret` that is empty, or holds white space or `://`."""
    return any(not p.text or "://" in p.text or re.search(r"\s", p.text) for p in concerned(case, row, "_secret"))


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
    return any(twice) and bool(concerned(case, row, "_secret"))


@predicate
def command_prints_nothing(case: Case, row: Row) -> bool:
    return any(output in ("", "\n") for output in prints(case, row))


@predicate
def command_prints_a_last_newline(case: Case, row: Row) -> bool:
    return any(output.endswith("\n") for output in prints(case, row))


@check
def pointer_fails(case: Case, row: Row, got: Any) -> bool:
    """An error; what hides values says that there is a pointer, and nothing of a lower layer."""
    if is_listing(row) and not isinstance(got, Refusal):
        return row.name in ("as_dict.source",) and _names_the_pointer(case, row, got)
    answer = got["get"] if isinstance(got, dict) else got
    rest = not isinstance(got, dict) or (got["has_option"] and got["is_sensitive"] and not got["warnings"])
    return isinstance(answer, Refusal) and isinstance(answer.error, errors.PointerError) and bool(rest)


def _names_the_pointer(case: Case, row: Row, got: dict[str, dict[str, Any]]) -> bool:
    """All as Airflow lists it, but that the option of the pointer is hidden, and its pointer not a second option."""
    forms = {pointer.option: pointer.form[1:] for pointer in pointers(case)}
    names = {(p.section.lower(), p.key.lower()) for p in pointers(case)} | set(forms)
    names |= {("secrets", key) for key in got["secrets"] if key.startswith("backend_kwarg")}
    if any(value[0] != HIDDEN for key, value in got["secrets"].items() if key.startswith("backend_kwarg")):
        return False
    rest = without(got, names) == without(row.expected, names)
    hidden = {(s, k): value for s, options in got.items() for k, value in options.items() if (s, k) in forms}
    return rest and all(value[0] == HIDDEN for value in hidden.values()) and bool(hidden)


@check
def without_the_last_newline(case: Case, row: Row, got: Any) -> bool:
    """What Airflow has, less one newline at the end of what a command printed."""

    def stripped(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: stripped(item) for key, item in value.items()}
        if isinstance(value, list):
            return [stripped(item) for item in value]
        return value.removesuffix("\n") if isinstance(value, str) and value in outputs else value

    outputs = {output for output in prints(case, row) if output.endswith("\n")}
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
    options = {pointer.option for pointer in pointers(case)}
    shown = [[HIDDEN, pointer.form[1:]] for pointer in pointers(case)]
    return is_error(row.expected) and all(got[section][key] in shown for section, key in options)


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
        pointer.place == "cfg" and re.search(r"%(?![%(])", pointer.text) for pointer in pointers(case)
    )


@predicate
def pointer_that_as_dict_misses(case: Case, row: Row) -> bool:
    """Airflow's `as_dict(raw=True)` looks for a secret under the name with `%` doubled, or as it is written."""
    return row.name == "as_dict.raw_sensitive" and any("%" in pointer.text for pointer in pointers(case, "_secret"))


@check
def the_pointers_value(case: Case, row: Row, got: Any) -> bool:
    """The secret, its `%` doubled, as `get` has it."""
    configs = configs_of(case) or {}
    texts = {w.key: w.text for w in writings(case)}
    for pointer in pointers(case, "_secret"):
        name = pointer.text
        if pointer.place == "cfg":
            name = re.sub(r"%\((\w+)\)s", lambda found: texts[found[1]], name)
        section, key = pointer.option
        if got[section][key] != str(configs.get(name)).replace("%", "%%"):
            return False
    return True


@predicate
def backend_that_cannot_be_built(case: Case, row: Row) -> bool:
    """`[secrets] backend` names no backend class, or `backend_kwargs` is something else than a JSON object."""
    named = [w.text.strip() for w in writings(case) if w.option == ("secrets", "backend")]
    kwargs = [w.text for w in writings(case) if w.option == ("secrets", "backend_kwargs") and not w.form]
    broken = any(name and not name.endswith("Backend") for name in named) or not all(map(is_table, kwargs))
    return broken and bool(concerned(case, row, "_secret"))


@check
def backend_error(case: Case, row: Row, got: Any) -> bool:
    if is_listing(row) and not isinstance(got, Refusal):
        return row.name == "as_dict.source" and (is_error(row.expected) or _names_the_pointer(case, row, got))
    answer = got["get"] if isinstance(got, dict) else got
    written = not isinstance(got, dict) or (got["has_option"] is True and not got["log"])
    return isinstance(answer, Refusal) and isinstance(answer.error, errors.BackendError) and written


@predicate
def pointer_beside_a_plain_option(case: Case, row: Row) -> bool:
    asked = (row.data.get("section", ""), row.data.get("key", ""))
    return row.key == "gets" and any(pointer.option == asked for pointer in pointers(case))


@check
def warns_that_it_is_ignored(case: Case, row: Row, got: Any) -> bool:
    """One warning for each pointer that is written, with its place."""
    messages = [warning.get("message", "") for warning in got["warnings"]]
    asked = (row.data["section"], row.data["key"])
    written = [pointer for pointer in pointers(case) if pointer.option == asked]
    return len(messages) == len(written) and all("is ignored" in text for text in messages) and not got["is_sensitive"]
