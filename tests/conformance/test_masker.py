"""The masker: names, structures, registered secrets, merge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from framework.convert import to_bool
from framework.masking import REPLACEMENT, Masker

from .harness import Case, Row, decode, encode, of_file, same

#: The results of the groups, by key; of a case that allows several outcomes `possible` is the only row.
RESULTS = ("hide", "hidden", "shown", "hides_password", "redacted", "merged", "possible")


def masker_rows(case: Case) -> Iterator[Row]:
    for name in RESULTS:
        if name in case.data:
            yield Row(name, case.data[name])
    if case.data["group"] == "switch":
        yield Row("min_length", case.data["min_length"])


def masker_of(data: dict[str, Any]) -> Masker:
    """A masker with the case's settings and secrets."""
    masker = Masker()
    masker.configure(
        hide_names=to_bool(data.get("hide_sensitive_var_conn_fields", True)),
        names=data.get("sensitive_var_conn_names", "").split(","),
        min_length=int(data.get("min_length_masked_secret", data.get("min_length", 5))),
    )
    for secret in data.get("secrets", []):
        masker.add_mask(decode(secret["secret"]), secret.get("name"))
    return masker


def shortest_hidden(masker: Masker) -> int:
    """The length from which on a secret is searched for."""
    letters = "kqxvzjwyfbhgpmdu"
    for length in range(1, len(letters)):
        masker.add_mask(letters[:length])
        if REPLACEMENT in masker.redact_text(letters):
            return length
    raise AssertionError("no secret is hidden")


@of_file("masker.json", rows=masker_rows)
def test_masker(case: Case) -> None:
    data = case.data
    masker = masker_of(data)
    hides = masker.should_hide_value_for_name
    name, max_depth = decode(data.get("name")), data.get("max_depth")

    def redacted() -> Any:
        return masker.redact(decode(data["value"]), name, max_depth, replacement=data.get("replacement", REPLACEMENT))

    def possible() -> Any:
        answer = encode(redacted())
        return decode(data["possible"]) if any(same(one, answer) for one in data["possible"]) else decode(answer)

    answers = {
        "hide": lambda: hides(name),
        "hidden": lambda: [name for name in data["hidden"] if hides(name)],
        "shown": lambda: [name for name in data["shown"] if not hides(name)],
        "hides_password": lambda: hides("password"),
        "min_length": lambda: shortest_hidden(masker),
        "redacted": redacted,
        "possible": possible,
        "merged": lambda: masker.merge(decode(data["new"]), decode(data["old"]), name, max_depth),
    }
    for row in case.rows:
        case.compare(row, answers[row])
