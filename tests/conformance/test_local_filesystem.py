"""Local secrets files: variables, connections and config secrets out of JSON, YAML and `.env`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from framework.backends.local_filesystem import (
    LocalFilesystemBackend,
    load_configs_dict,
    load_connections_dict,
    load_variables,
)
from framework.connection import FIELDS
from framework.errors import FileParseError, FrameworkError

from .harness import Case, Row, of_file

LOAD: dict[str, Callable[[str], Any]] = {
    "variables": load_variables,
    "configs": load_configs_dict,
    "connections": load_connections_dict,
}


def rows_of(case: Case) -> Iterator[Row]:
    for name, expected in case.data["expect"].items():
        same = expected == "same as variables"
        yield Row(name, case.data["expect"]["variables"] if same else expected)


@of_file("local_filesystem.json", rows=rows_of)
def test_file(case: Case, tmp_path: Path) -> None:
    if "backend_args" in case.data:
        backend = LocalFilesystemBackend(*case.data["backend_args"])
        case.compare("variable", lambda: {"value": backend.get_variable("k")})
        case.compare("connection", lambda: {"value": backend.get_connection("k")})
        case.compare("config", lambda: {"value": backend.get_config("k")})
        return
    path = tmp_path / case.data["file"]
    if "bytes" in case.data:
        path.write_bytes(bytes.fromhex(case.data["bytes"]))
    elif "text" in case.data:
        path.write_text(case.data["text"], encoding="utf-8", newline="")
    for row in case.rows.values():
        case.compare(row.name, asking(case, row, path), secrets=[case.data.get("text", "").strip()])


def asking(case: Case, row: Row, path: Path) -> Callable[[], Any]:
    def ask() -> Any:
        try:
            values = LOAD[row.name](str(path))
        except FrameworkError as error:
            check_what_it_says(case, row, error)
            raise
        if row.name == "connections":
            fields = ("conn_id", *FIELDS)
            values = {key: {field: getattr(made, field) for field in fields} for key, made in values.items()}
        return {"value": values}

    return ask


def check_what_it_says(case: Case, row: Row, error: FrameworkError) -> None:
    """The lines of the faults and the names in the message; a wrong one fails the row."""
    if "lines" in row.expected:
        from_zero = "lines" in case.data.get("quirk_scope", [])
        assert isinstance(error, FileParseError)
        assert [line for line, _ in error.faults] == [line + from_zero for line in row.expected["lines"]]
    for name in row.expected.get("names", []):
        assert name in str(error)
