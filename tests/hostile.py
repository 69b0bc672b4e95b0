"""Texts that break formats, for property tests, and how many of them: `FRAMEWORK_FUZZ_EXAMPLES=10000` tries more."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

#: What some format or reader takes for more than a letter.
MARKS = (
    *("\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\t", " ", "\xa0"),
    *("[", "]", "[evil]", "=", ":", "#", ";", "%", "%%", "%(x)s", "$", "${HOME}", "$HOME", "~", "`", "'", '"', "\\"),
    *("\0", "\x1b", "\x7f", "\x9b", "\u202e", "\u200b", "\ufeff", "\ud800", "\udcff", "\U0001f511", "ü", "日"),
    *("\n[evil]\nkey = 1", "\rkey = 1", "---", "...", "- ", "? ", "! ", "&a", "*a", "<<", "|", ">", "@", ",", "{", "}"),
    *("true", "null", "~", "1_000", "0x1f", "1e5", "1:30", "2020-01-01", ".inf", "=", "export ", "rem ", "//", "EOF"),
)

#: Whether all is tried that the check tries.
THOROUGH = bool(os.environ.get("FRAMEWORK_THOROUGH"))

texts = st.one_of(
    st.text(max_size=12),
    st.lists(st.one_of(st.sampled_from(MARKS), st.text(st.characters(codec="ascii"), max_size=3)), max_size=7).map(
        "".join
    ),
)
#: The same without what is not Unicode, which files cannot hold.
unicode_texts = texts.map(lambda text: text.encode("utf-8", "replace").decode())


def usual(number: int) -> int:
    """How many examples are tried: this many by the check, half of them while one works."""
    return number if THOROUGH else -(-number // 2)


def examples(few: int, texts_each: int = 1) -> Callable[[Any], Any]:
    """Settings of a property test: this many examples, or the number that the variable asks for."""
    few = usual(few)
    switch = os.environ.get("FRAMEWORK_FUZZ_EXAMPLES")
    number = max(few, int(switch) // texts_each) if switch else few
    return settings(
        max_examples=number,
        deadline=None,
        derandomize=switch is None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )
