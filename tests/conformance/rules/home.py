"""A whole Airflow home."""

from __future__ import annotations

import json
from typing import Any

from ..harness import HERE, Case, Row, check, predicate
from .written import (
    writings,
)

CONNECTION_URLS = (("core", "sql_alchemy_conn"), ("database", "sql_alchemy_conn"))


@predicate
def config_names_no_file(case: Case, row: Row) -> bool:
    """`AIRFLOW_CONFIG` names a file that is not there, or a directory."""
    named = (case.inputs["env"].get("AIRFLOW_CONFIG") or "").removeprefix("{TMP}/")
    files = [*case.inputs.get("extra_files", {}), *(["home/airflow.cfg"] if "cfg" in case.inputs else [])]
    return bool(named) and not named.startswith("/") and named not in files


@predicate
def config_is_empty(case: Case, row: Row) -> bool:
    """`AIRFLOW_CONFIG=`, as for a service that has none; Airflow takes it for the name of its file."""
    return case.inputs["env"].get("AIRFLOW_CONFIG") == ""


@check
def file_of_the_home(case: Case, row: Row, got: Any) -> bool:
    if row.name == "airflow_config":
        return bool(got == case.inputs["env"]["AIRFLOW_HOME"] + "/airflow.cfg")
    return bool(got["get"]["value"] in [writing.text for writing in writings(case)])


@predicate
def home_in_the_file(case: Case, row: Row) -> bool:
    """`[core] airflow_home`, which the file is found by, and which it sets."""
    written = any(writing.option == ("core", "airflow_home") for writing in writings(case))
    return written and row.name in ("airflow_home", "import_warnings")


@check
def home_of_the_environment(case: Case, row: Row, got: Any) -> bool:
    home = case.inputs["env"]["AIRFLOW_HOME"] or case.inputs["env"]["HOME"] + "/airflow"
    return bool(got == ([] if row.name == "import_warnings" else home))


@predicate
def outdated_value(case: Case, row: Row) -> bool:
    """A value that Airflow replaces in its memory and in `os.environ` when it is imported."""
    texts = [w.text for w in writings(case) if w.option in (*CONNECTION_URLS, ("core", "executor"))]
    return row.name in ("upgraded", "env_now") and any("postgres" in text or "Sequential" in text for text in texts)


@check
def nothing_is_replaced(case: Case, row: Row, got: Any) -> bool:
    return bool(got in ([], {}))


@predicate
def writes_its_first_file(case: Case, row: Row) -> bool:
    """Airflow writes its default file when it does not exist."""
    return bool(case.inputs.get("write")) and "cfg" not in case.inputs and row.name in ("written", "mode")


@check
def nothing_is_written(case: Case, row: Row, got: Any) -> bool:
    return got in (False, None)


@predicate
def unit_test_mode(case: Case, row: Row) -> bool:
    """Airflow throws its configuration away when `unit_test_mode` is set."""
    return row.key == "gets" and any(writing.option == ("core", "unit_test_mode") for writing in writings(case))


@check
def what_is_written(case: Case, row: Row, got: Any) -> bool:
    asked = (row.data["section"], row.data["key"])
    return got["get"] in [{"value": writing.text} for writing in writings(case) if writing.option == asked]


@predicate
def variable_of_a_dotted_section(case: Case, row: Row) -> bool:
    """`AIRFLOW__COMMON_IO__…` sets an option of `[common.io]`."""
    sections = json.loads((HERE / "airflow_schema.json").read_text(encoding="utf-8"))["provider_sections"]
    dotted = {section.replace(".", "_") for section in sections if "." in section}
    return row.name == "as_dict" and any(writing.option[0] in dotted for writing in writings(case))


@check
def under_the_dotted_section(case: Case, row: Row, got: Any) -> bool:
    return bool({section.replace(".", "_"): options for section, options in got.items()} == row.expected)
