"""`$VAR`, `${VAR}` and `~`, expanded as Airflow expands them, but never endlessly."""

from __future__ import annotations

from typing import Any

from framework.convert import expand

from .harness import Case, decode, of_file


@of_file("expand_env.json")
def test_expand(case: Case) -> None:
    text = decode(case.data["input"])
    variables: dict[str, str | None] = {**case.shared["env"], **case.data.get("env", {})}

    def answer() -> dict[str, Any]:
        return {"value": expand(text, variables.get)}

    case.compare("expect", answer)
    if "never_ends" in case.data["expect"]:
        assert expand(text, variables.get) == text, "what is endless stays as it was written"
