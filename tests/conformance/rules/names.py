"""Old names and new ones, names in capitals."""

from __future__ import annotations

from typing import Any

from framework import errors

from ..harness import Case, Refusal, Row, check, predicate
from .written import (
    Writing,
    configs_of,
    is_listing,
    lowered,
    old_names,
    pointers,
    prints,
    without,
    writes_old_name,
    writings,
)


@predicate
def old_name_is_listed(case: Case, row: Row) -> bool:
    return is_listing(row) and writes_old_name(case)


@check
def listed_by_its_new_name(case: Case, row: Row, got: Any) -> bool:
    """All as Airflow lists it, but the value under an old name is under the new one."""
    renamed = old_names(case)
    plain = {name for name in renamed if any(name == (w.section.lower(), w.key.lower()) for w in writings(case))}
    names = set(renamed) | {new for old, new in renamed.items()}
    moved = all(old[1] not in got.get(old[0], {}) and renamed[old][1] in got.get(renamed[old][0], {}) for old in plain)
    return moved and without(got, names) == without(row.expected, names)


@predicate
def asks_or_writes_an_old_name(case: Case, row: Row) -> bool:
    asked = (row.data.get("section"), row.data.get("key"))
    renamed = old_names(case)
    return row.key == "gets" and (asked in renamed or (asked in renamed.values() and writes_old_name(case)))


@check
def warns_of_both_names(case: Case, row: Row, got: Any) -> bool:
    """Whatever Airflow warns of, and that an old name is asked for or written, with the new one."""
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
    return bool(got["get"] == {"value": next(prints(case, row))}) and got["has_option"] is True


@predicate
def capital_letters_in_names(case: Case, row: Row) -> bool:
    schema = case.shared.get("schemas", {}).get(case.inputs.get("schema"), {})
    declared = [(section, name) for section, content in schema.items() for name in content["options"]]
    written = [(w.section, w.key) for w in writings(case) if w.place == "cfg"]
    asked = (row.data.get("section", case.shared.get("section")), row.data.get("key", case.shared.get("key")))
    return row.name != "as_dict_log" and any(
        (s, k) != (s.lower(), k.lower()) and (is_listing(row) or _without_form(s, k) == asked)
        for s, k in declared + written
    )


def _without_form(section: str, key: str) -> tuple[str, str]:
    return Writing("", section, key, "").option


@check
def read_by_any_spelling(case: Case, row: Row, got: Any) -> bool:
    """Listed by its name in lower case; got, whichever way it is spelt."""
    if is_listing(row):
        expected, found = lowered(row.expected), lowered(got)
        names = {p.option for p in pointers(case)} | {(p.section.lower(), p.key.lower()) for p in pointers(case)}
        return found == got and without(found, names) == without(expected, names)
    texts = [w.text for w in writings(case)] + list(prints(case, row)) + list((configs_of(case) or {}).values())
    answer = got.get("get", got) if isinstance(got, dict) else got
    if isinstance(answer, Refusal):
        return isinstance(answer.error, errors.InvalidValue)
    return (
        answer["value"] is True
        or answer["value"] == []
        or any(text in (answer["value"], *_items(answer)) for text in texts)
    )  # noqa: E501


def _items(answer: dict[str, Any]) -> list[Any]:
    return answer["value"] if isinstance(answer["value"], list) else []
