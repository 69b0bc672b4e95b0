"""Arguments that are Airflow's alone: teams, and the switch for warnings."""

from __future__ import annotations

from typing import Any

from framework.masking.shown import HIDDEN

from ..harness import Case, Refusal, Row, check, predicate, same
from .written import (
    is_listing,
    lowered,
    shape,
    shown,
    writings,
)


@predicate
def asks_for_a_team(case: Case, row: Row) -> bool:
    """`get(…, team_name=…)`, whatever the name."""
    return "team_name" in {**row.data, **(row.data.get("kwargs") or {})}


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
    expected, found = lowered(row.expected), lowered(got)
    return shape(expected) == shape(found) and all(
        same(shown(expected[section][key]), shown(value)) or shown(expected[section][key]) == HIDDEN
        for section, options in found.items()
        for key, value in options.items()
    )
