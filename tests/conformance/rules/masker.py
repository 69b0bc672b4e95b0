"""What the masker hides beyond Airflow."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_plus

from ..harness import SHORTEST_SECRET, Case, Refusal, Row, attempt, check, predicate, same


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _mask_urls(value: Any) -> Any:
    if isinstance(value, str):
        return re.sub(r"(://[^\s:/?#@\[]*:)[^\s@]+@", r"\1***@", value)
    if isinstance(value, list):
        return [_mask_urls(item) for item in value]
    if isinstance(value, dict):
        return {key: _mask_urls(item) for key, item in value.items()}
    return value


@predicate
def url_with_a_password(case: Case, row: Row) -> bool:
    value = case.data.get("value")
    return row.key == "redacted" and _mask_urls(value) != value


@check
def airflows_answer_without_the_password(case: Case, row: Row, got: Any) -> bool:
    return same(_mask_urls(row.expected), got)


def _texts_in_json(secret: str) -> set[str]:
    loaded = attempt(lambda: json.loads(secret))
    return set() if isinstance(loaded, Refusal) else set(_texts(loaded))


def _spellings(case: Case) -> set[str]:
    """Of every secret: its lines, the leaves of its JSON, and each of these quoted, escaped and in base64."""
    parts: set[str] = set()
    for secret in _texts([entry["secret"] for entry in case.data.get("secrets", [])]):
        parts |= {secret, *map(str.strip, secret.splitlines())}
        parts |= _texts_in_json(secret)
    parts = {part for part in parts if len(part) >= max(SHORTEST_SECRET, case.data.get("min_length", 0))}
    return parts | {
        spelling
        for part in parts
        for spelling in (
            quote(part), quote(part, safe=""), quote_plus(part), json.dumps(part)[1:-1], repr(part)[1:-1],
            json.dumps(part, ensure_ascii=False)[1:-1],
            base64.b64encode(part.encode("utf-8", "surrogatepass")).decode(),
        )
    }  # fmt: skip


@predicate
def secret_in_another_spelling(case: Case, row: Row) -> bool:
    plain = {entry["secret"] for entry in case.data.get("secrets", []) if isinstance(entry["secret"], str)}
    text = "\n".join(_texts(case.data.get("value")))
    return bool(plain) and row.key == "redacted" and any(spelling in text for spelling in _spellings(case) - plain)


@check
def no_spelling_is_left(case: Case, row: Row, got: Any) -> bool:
    text = "\n".join(_texts(got))
    return not any(spelling in text for spelling in _spellings(case))
