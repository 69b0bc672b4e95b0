"""What a case writes, where, and what it would lead to: for the predicates and checks of this folder."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

from ..harness import Case, Row

POINTERS = ("_cmd", "_secret")
CONFIGS = "configs_file_path"


class Writing:
    """One option as a case writes it: in the environment or in the cfg file, names as they are there."""

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


def concerned(case: Case, row: Row, form: str = "") -> list[Writing]:
    """The pointers that the row is about: all of them in a listing, else those of the option asked for."""
    asked = (row.data.get("section", ""), row.data.get("key", ""))
    today = old_names(case).get(asked, asked)
    return [
        pointer
        for pointer in pointers(case, form)
        for name in [old_names(case).get(pointer.option, pointer.option)]
        if is_sensitive(case, *name) and (is_listing(row) or name == today)
    ]


def is_sensitive(case: Case, section: str, key: str) -> bool:
    """Whether the case's schema declares the option sensitive."""
    schema = case.shared["schemas"][case.inputs["schema"]]
    options = {
        (s.lower(), k.lower()): option for s, content in schema.items() for k, option in content["options"].items()
    }
    return bool(options.get((section, key), {}).get("sensitive"))


def configs_of(case: Case) -> dict[str, Any] | None:
    """The config secrets that the case's secrets file holds; None if it cannot be read."""
    written = {w.option[1]: w.text for w in reversed(writings(case)) if w.option[0] == "secrets"}
    kwargs = written.get("backend_kwargs") or "{}"
    where = written.get("backend_kwarg__configs_file_path") or (is_table(kwargs) and json.loads(kwargs).get(CONFIGS))
    known = {"variables_file_path", "connections_file_path", CONFIGS}
    if is_table(kwargs) and set(json.loads(kwargs)) - known:
        return None
    if not written.get("backend") or (is_table(kwargs) and not where):
        return {}
    found = re.search(r"\{TMP\}/([\w%.]+)", where or "")
    if "LocalFilesystemBackend" not in written["backend"] or not found:
        return None
    text = (case.inputs.get("files") or {}).get(found[1], "")
    try:
        if found[1].endswith(".json"):
            return {**json.loads(text)}
        if found[1].endswith((".yaml", ".yml")):
            import yaml

            return {**yaml.safe_load(text)}
        return dict(line.split("=", 1) for line in text.splitlines())
    except Exception:  # whatever makes it unreadable
        return None


def is_table(text: str) -> bool:
    try:
        return isinstance(json.loads(text or "{}"), dict)
    except ValueError:
        return False


def printed(command: str, case: Case) -> str:
    values = {"{TMP}/" + name: text for name, text in (case.inputs.get("files") or {}).items()}
    words = shlex.split(command)
    if words[:1] == ["cat"] and all(word in values for word in words[1:]):
        return "".join(values[word] for word in words[1:])
    run = subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, timeout=20, check=True)
    return run.stdout.decode()


def prints(case: Case, row: Row) -> Iterator[str]:
    for pointer in concerned(case, row, "_cmd"):
        try:
            yield printed(pointer.text, case)
        except (ValueError, OSError, subprocess.SubprocessError):
            continue


def lowered(table: Any) -> dict[str, dict[str, Any]]:
    """The listing with every name in lower case; of two that become one, the one that was in lower case stays."""
    lowered: dict[str, dict[str, Any]] = {}
    for section in sorted(table, key=str.islower):
        for key in sorted(table[section], key=lambda key: key == key.lower()):
            lowered.setdefault(section.lower(), {})[key.lower()] = table[section][key]
    return lowered


def shape(table: dict[str, dict[str, Any]]) -> dict[str, set[str]]:
    return {section: set(options) for section, options in table.items()}


def shown(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def without(table: dict[str, dict[str, Any]], names: set[tuple[str, str]]) -> list[tuple[str, str, str]]:
    return sorted(
        (section, key, repr(value))
        for section, options in table.items()
        for key, value in options.items()
        if (section.lower(), key.lower()) not in names
    )
