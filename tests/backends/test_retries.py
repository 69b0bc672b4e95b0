"""The policy of repeated questions, without a store and without waiting; each store's own tests count its tries."""

from __future__ import annotations

from email.utils import formatdate
from time import monotonic, time
from typing import Any

import pytest

from framework import jitter
from framework.backends import retries
from framework.deadlines import Deadline, deadline

BY_CHANCE = jitter.fraction


pytestmark = pytest.mark.usefixtures("real_pauses")


@pytest.fixture
def longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The greatest random numbers."""
    monkeypatch.setattr(jitter, "fraction", lambda: 1.0)


@pytest.fixture
def chance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jitter, "fraction", BY_CHANCE)


def within(seconds: float) -> Any:
    return deadline.set(Deadline(monotonic() + seconds, seconds))


def test_pauses_double_up_to_a_limit(longest: None) -> None:
    pauses = [retries.pause_after(tries, is_throttled=True) for tries in range(1, retries.TRIES + 1)]
    assert pauses == [0.25, 0.5, 1, 2, 4, 5, 5, 5, 5, None]


def test_a_pause_is_anything_from_nothing_to_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    for part in (0.0, 0.3):
        monkeypatch.setattr(jitter, "fraction", lambda: part)  # noqa: B023
        assert retries.pause_after(3, is_throttled=True) == part


def test_a_store_that_fails_is_asked_less_often_than_one_that_is_throttled() -> None:
    limit = retries.TRIES_OF_A_FAILURE
    assert retries.pause_after(limit - 1, is_throttled=False) is not None
    assert retries.pause_after(limit, is_throttled=False) is None
    assert retries.pause_after(limit, is_throttled=True) is not None
    assert retries.pause_after(limit, is_throttled=False, wanted=1.0) is not None, "it says when it will be back"


def test_no_pause_is_shorter_than_the_store_asks(chance: None) -> None:
    for _ in range(100):
        pause = retries.pause_after(1, is_throttled=True, wanted=3.0)
        assert pause is not None
        assert 3.0 <= pause <= 3.0 + retries.FIRST


def test_no_pause_goes_beyond_the_deadline(longest: None) -> None:
    assert retries.pause_after(1, is_throttled=True, wanted=3600.0) is None
    token = within(2.0)
    try:
        assert retries.pause_after(3, is_throttled=True) == 1.0
        assert retries.pause_after(4, is_throttled=True) is None
        assert retries.pause_after(1, is_throttled=True, wanted=1.9) is None
    finally:
        deadline.reset(token)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("", None),
        (None, None),
        ("soon", None),
        ("-1", None),
        ("1e3", None),
        ("9" * 400, None),
    ],
)
def test_the_seconds_of_retry_after(header: str | None, seconds: float | None) -> None:
    assert retries.wanted_by(header) == seconds


def test_the_date_of_retry_after() -> None:
    wanted = retries.wanted_by(formatdate(time() + 60, usegmt=True))
    assert wanted is not None
    assert 55 < wanted <= 60
    assert retries.wanted_by(formatdate(time() - 60, usegmt=True)) == 0.0


def test_a_call_is_repeated_while_its_fault_is_temporary(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = list[float]()
    monkeypatch.setattr("time.sleep", pauses.append)
    faults = [OSError(1), OSError(2), ValueError(3)]

    def call() -> None:
        raise faults.pop(0)

    with pytest.raises(ValueError, match="3"):
        retries.patiently(call, lambda fault: (True, 2.0) if isinstance(fault, OSError) else None)
    assert len(pauses) == 2
    assert min(pauses) >= 2.0


def test_lifetimes_differ_by_a_tenth_at_most(chance: None) -> None:
    found = {jitter.about(100.0) for _ in range(500)}
    assert len(found) > 400
    assert 90 <= min(found) < 95 < 105 < max(found) <= 110
