"""What the tests of all backends share."""

from __future__ import annotations

import pytest

from framework.backends import retries


@pytest.fixture
def real_pauses() -> None:
    """For a test that waits for something real between the tries."""


@pytest.fixture(autouse=True)
def short_pauses(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere the pauses take next to no time; `test_retries` looks at them."""
    if "real_pauses" not in request.fixturenames:
        monkeypatch.setattr(retries, "FIRST", 0.01)
        monkeypatch.setattr(retries, "LONGEST", 0.05)
